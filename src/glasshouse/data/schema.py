"""What each column is, decided once on the training table and kept with the model."""

from __future__ import annotations

from glasshouse.core.errors import DataError, nearest, one_of
from glasshouse.core.records import Record, Task
from glasshouse.core.settings import Kind, ReadSettings
from glasshouse.data.values import Reading

KINDS: tuple[Kind, ...] = ("number", "category", "yesno", "datetime", "text", "identifier", "constant", "ignore")
USED_KINDS: tuple[Kind, ...] = ("number", "category", "yesno", "datetime")


class Column(Record):
    """One column of the user's table and how its cells are read."""

    name: str
    kind: Kind
    used: bool
    reason: str = ""  # why it is left out
    note: str = ""  # what a person should know of one that is used
    missing: int = 0
    distinct: int = 0
    examples: tuple[str, ...] = ()
    reading: Reading = Reading()


class TargetSchema(Record):
    """The column to predict. `classes` is sorted and empty for regression; of two classes the second is the positive
    one.
    """

    name: str
    task: Task
    classes: tuple[str, ...] = ()
    missing: int = 0
    note: str = ""
    reading: Reading = Reading()


class Schema(Record):
    """The columns of a table, features only, and the target where there is one."""

    columns: tuple[Column, ...]
    target: TargetSchema | None = None

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that the network sees."""
        return tuple(column for column in self.columns if column.used)

    @property
    def read_settings(self) -> ReadSettings:
        """How a file must be read whose cells are to mean what they meant in the training table."""
        readings = [column.reading for column in self.columns] + ([self.target.reading] if self.target else [])
        missing = dict.fromkeys(code for reading in readings for code in reading.missing)
        comma = any(reading.decimal == "," for reading in readings)
        return ReadSettings(decimal="," if comma else "auto", missing=tuple(missing))

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            DataError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(
            f'column "{name}" is not known',
            expected=one_of(c.name for c in self.columns),
            fix=nearest(name, (c.name for c in self.columns)),
        )


def quoted(name: str) -> str:
    """A column's name as a shell wants it."""
    return f'"{name}"' if " " in name or not name else name
