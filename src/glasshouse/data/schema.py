"""What each column is, decided once on the training table and kept with the model."""

from __future__ import annotations

from collections.abc import Mapping

from glasshouse.core.errors import DataError, nearest, one_of
from glasshouse.core.records import Record, Task
from glasshouse.core.settings import Kind
from glasshouse.data.frame import Frame
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


def infer_schema(frame: Frame, target: str | None, kinds: Mapping[str, Kind] | None = None) -> Schema:
    """Decides what every column is: its kind, its missing values, whether the network can use it.

    Args:
        frame: the whole table, as it was read.
        target: the column to predict, or None where there is none to predict.
        kinds: what the user says a column is; overrides what is seen. For the target, "number" asks for regression
            and "category" for classes.

    Raises:
        DataError: no such column, a kind that the values contradict, nothing left to learn from, or a target that
        cannot be
            predicted (no values, one value only, nearly as many labels as rows).

    Example:
        >>> from glasshouse.data.read import read
        >>> frame = read({"area": [50.5, 80.0, 95.5], "kind": ["a", "b", "a"], "price": [1.5, 2.5, 3.5]})
        >>> schema = infer_schema(frame, "price")
        >>> [(column.name, column.kind) for column in schema.used], schema.target.task
        ([('area', 'number'), ('kind', 'category')], 'regression')
    """
    from glasshouse.data.kinds import infer_column
    from glasshouse.data.targets import infer_target

    asked = dict(kinds or {})
    names = frame.table.columns
    if target is not None and target not in names:
        close = nearest(target, names)
        raise DataError(
            f'column "{target}" is not in {frame.source.name}',
            where="--target",
            expected=one_of(names),
            fix=f"--target {quoted(close)}" if close else "",
        )
    for name, kind in asked.items():
        _check_override(name, kind, names, frame.source.name)
    features = [name for name in names if name != target]
    columns = tuple(infer_column(frame.table[name], frame.settings, asked.get(name)) for name in features)
    found = infer_target(frame, target, asked.get(target)) if target is not None else None
    if not any(column.used for column in columns):
        raise DataError(
            f"{frame.source.name} has no column to learn from",
            where=_why_none(columns),
            expected="at least one column of numbers, categories, yes/no or dates besides the target",
            fix="--set columns.NAME=category keeps a column that was left out",
        )
    return Schema(columns=columns, target=found)


def quoted(name: str) -> str:
    """A column's name as a shell wants it."""
    return f'"{name}"' if " " in name or not name else name


def _why_none(columns: tuple[Column, ...]) -> str:
    return "; ".join(f"{column.name}: {column.reason}" for column in columns[:5])


def _check_override(name: str, kind: Kind, names: list[str], source: str) -> None:
    if name not in names:
        close = nearest(name, names)
        raise DataError(
            f'column "{name}" is not in {source}',
            where=f"columns.{name}",
            expected=one_of(names),
            fix=f"--set columns.{close}={kind}" if close else "",
        )
    if kind not in KINDS:
        close = nearest(str(kind), KINDS)
        raise DataError(
            f'"{kind}" is not a kind of column',
            where=f"columns.{name}",
            expected=one_of(KINDS, most=8),
            fix=f"--set columns.{name}={close or 'category'}",
        )
