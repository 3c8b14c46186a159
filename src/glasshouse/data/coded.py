"""The columns of a large text table, kept small: values that repeat as codes, many plain numbers and times as such.

Turned into strings again they are the cells as they were written. Lost is only how numbers were spelt in a column that
holds others than whole ones (1.50 is 1.5), and among numbers and times how it was said that there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

# As written, not case-folded: "none" is often a real label ("no other debtors") where "None" is Python's empty value.
MISSING = (
    "",
    "NA",
    "N/A",
    "n/a",
    "na",
    "nan",
    "NaN",
    "NAN",
    "-nan",
    "null",
    "Null",
    "NULL",
    "None",
    "?",
    "-",
    ".",
    "<NA>",
    "NaT",
    "#N/A",
    "#NA",
    "#NULL!",
    "#DIV/0!",
)
MOST_DISTINCT = 65_535  # that two bytes can number
SEEN_BEFORE = 0.5  # of the cells must hold a value that came before, or codes save nothing
MOMENT = "%Y-%m-%d %H:%M:%S%.f"  # how times are written that are kept as such, without a fraction
_MOMENT = r"^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-5][0-9]$"  # from the year 1000 on
_FEW = 256  # labels that polars is told of before it reads a piece: the table that it makes of more costs too much
_BLOCK = 1 << 16


Again = Literal["", "type", "codes"]


class Coded(NamedTuple):
    """A column as its different values (null where a cell is) and, for every row, which of them it holds."""

    values: pl.Series
    codes: npt.NDArray[np.unsignedinteger]


def coded(series: pl.Series) -> Coded | None:
    """The codes of a column that is kept so, or None; some of the values may stand in no row."""
    if not isinstance(series.dtype, pl.Enum) or len(series) < len(series.dtype.categories):
        return None
    values, codes = series.dtype.categories.alias(series.name), series.to_physical()
    if codes.null_count():
        codes = codes.cast(pl.UInt32).fill_null(len(values))
        values = values.extend_constant(None, 1)
    return Coded(values, codes.to_numpy())


def how_often(codes: npt.NDArray[np.unsignedinteger], num_values: int) -> npt.NDArray[np.int64]:
    """How many rows hold each of the values."""
    # np.bincount widens its argument to eight bytes: in blocks that stay in the cache that costs a quarter.
    counts = np.zeros(num_values, dtype=np.int64)
    for start in range(0, len(codes), _BLOCK):
        counts += np.bincount(codes[start : start + _BLOCK], minlength=num_values)
    return counts


def as_written(series: pl.Series) -> pl.Series:
    """The cells of a text file's column as they stood there."""
    return written(series).fill_null("")


def written(series: pl.Series) -> pl.Series:
    """The cells as strings, null where null; times without a fraction of a second where it is zero."""
    strings = series.cast(pl.String)
    return strings.str.replace(r"\.0+$", "") if isinstance(series.dtype, pl.Datetime) else strings


class Gathering:
    """One column of a text file, put together from the pieces that are read one after the other.

    A column whose values repeat becomes an Enum, whose codes take one or two bytes, but for more than a few whole
    numbers: these are read far faster as such, and lose nothing by it. Another becomes numbers or times, null where a
    cell says that there is nothing, if all others are whole numbers as polars writes them, or any plain numbers, or
    times such as 2015-01-31 12:30:00. What is neither stays strings.
    """

    def __init__(self, *, plain: bool) -> None:
        """Nothing is gathered yet; `plain` says whether what looks like a number or a time is nothing else here."""
        self._ways: list[_Way] = [_as_small, _as_whole, _as_float, _as_moment] if plain else []
        self._known = pl.Series([""])  # an empty cell, which polars reads as null, has the first code
        self._type: pl.Enum | None = pl.Enum(self._known)  # made anew only where a value is: it holds a table of them
        self._pieces: list[pl.Series] = []
        self._count = 0
        self._fresh = True  # the last cells held labels that were not known before
        self._failed = False  # cells that were read at once had to be read again
        self._gaps_lost = False  # a cell said otherwise than by being empty that there is nothing
        self.spoilt = False  # the next cells are something else, and how those before them were spelt is lost

    @property
    def type(self) -> pl.DataType | None:
        """What the next cells may be read as at once; None where they have to be looked at as strings."""
        if self._failed or self._gaps_lost:
            return None
        if self._type is not None:
            return None if self._fresh or len(self._known) > _FEW else self._type
        return self._numbers

    @property
    def _numbers(self) -> pl.DataType | None:
        """The type of the numbers that the cells are, as far as is known."""
        return _READ_AT_ONCE.get(self._ways[0]) if self._ways else None

    @property
    def cost(self) -> int:
        """What adding cells takes, roughly: numbers are written out again, labels looked up among those known."""
        return MOST_DISTINCT if self._type is None and self._ways else len(self._known)

    def add(self, cells: pl.Series, again: Again = "") -> None:
        """The next cells: strings without nulls, or what this column's `type` is or was.

        Args:
            cells: of a piece.
            again: why they are strings though they were to be something else: some column of the piece was not of its
                type, or whole numbers stand beside codes that look like them.
        """
        self._count += len(cells)
        if self._type is not None and (codes := self._encoded(cells, self._type)) is not None:
            self._pieces.append(codes)
            self._failed |= again == "type" and self._fresh
            if self._fresh and len(self._known) > _FEW:
                self._become_whole_numbers()
            return
        if not isinstance(cells.dtype, pl.String) and cells.dtype != self._numbers:
            cells = as_written(cells)
        if self._type is not None:
            before, self._type = [self._known[piece] for piece in self._pieces], None
            self._add_all([*before, cells])
        elif not self._ways or not isinstance(cells.dtype, pl.String):
            self._pieces.append(cells)
        elif (found := self._made(cells)) is not None:
            self._pieces.append(found)
            self._failed |= again == "codes" and found.dtype.is_numeric() and any_whole(found)
        elif self._ways[0] is _as_float:
            self.spoilt = True
        else:
            every = [*(as_written(piece) for piece in self._pieces), cells]
            if not self._gaps_lost and self._become_codes(every):
                return
            self._add_all(every)
            self.spoilt = self._gaps_lost and not self._ways

    def _encoded(self, cells: pl.Series, known: pl.Enum) -> pl.Series | None:
        """The codes of some cells, or None where there are too many different ones."""
        codes = _codes(cells, known)
        self._fresh = bool(codes.null_count())
        if self._fresh:
            places = codes.is_null().arg_true()
            unknown = cells[places]
            values = pl.concat([self._known, unknown.unique(maintain_order=True)])
            if len(values) - 1 > min(MOST_DISTINCT, SEEN_BEFORE * self._count):
                return None
            self._known, self._type = values, pl.Enum(values)
            codes = codes.scatter(places, _codes(unknown, self._type))
        return codes

    def _become_whole_numbers(self) -> None:
        """From codes to whole numbers, if all labels are such and only an empty cell says that there is none."""
        while self._ways and self._ways[0] in (_as_small, _as_whole):
            found = self._ways[0](self._known)
            if found is None:  # nor will it suit them later
                del self._ways[0]
                continue
            if found.null_count() == 1:
                self._pieces, self._type = [found[piece] for piece in self._pieces], None
            return

    def _become_codes(self, pieces: list[pl.Series]) -> bool:
        """From numbers or times to codes, as if they had been codes from the beginning; whether they repeat enough."""
        self._known = pl.Series([""])
        found: list[pl.Series] = []
        for piece in pieces:
            self._type = pl.Enum(self._known)
            if (codes := self._encoded(piece, self._type)) is None:
                self._type = None
                return False
            found.append(codes)
        self._pieces = found
        return True

    def _made(self, cells: pl.Series) -> pl.Series | None:
        """What the first way makes of strings, or None where it does not suit them."""
        found = self._ways[0](cells)
        if found is not None and found.null_count():
            self._gaps_lost |= found.null_count() > int((cells == "").sum())
        return found

    def _add_all(self, pieces: list[pl.Series]) -> None:
        """All cells so far, in the first way that suits them all."""
        while self._ways:
            found = [made for piece in pieces if (made := self._made(piece)) is not None]
            if len(found) == len(pieces):
                self._pieces = found
                return
            del self._ways[0]
        self._pieces = pieces

    def column(self, name: str) -> pl.Series:
        """All cells, in one piece of memory."""
        whole = pl.concat(self._pieces, rechunk=True).alias(name)
        self._pieces = []
        return whole if self._type is None else whole.cat.to(self._type)


def _codes(cells: pl.Series, known: pl.Enum) -> pl.Series:
    if isinstance(cells.dtype, pl.Enum):  # the first of those that are known now
        codes = cells.to_physical().cast(pl.UInt16)
        return codes.fill_null(0) if codes.null_count() else codes
    return cells.cast(known, strict=False).to_physical().cast(pl.UInt16)


def _as_small(cells: pl.Series) -> pl.Series | None:
    return _as_whole(cells, pl.Int32())


def _as_whole(cells: pl.Series, type: pl.DataType = pl.Int64()) -> pl.Series | None:  # noqa: B008 - it holds nothing
    found = cells.cast(type, strict=False)
    return found if _gaps_are_gaps(found, cells) and (found.cast(pl.String) == cells).all() else None


def _as_float(cells: pl.Series) -> pl.Series | None:
    found = cells.cast(pl.Float64, strict=False).fill_nan(None)
    if not (_gaps_are_gaps(found, cells) and found.is_finite().all()):
        return None
    # 007 is a code and +49301234 a telephone: neither is a number.
    odd = cells.filter(cells.str.starts_with("0") | cells.str.starts_with("+"))
    return None if odd.str.contains(r"^0\d+$|^\+").any() else found


def _as_moment(cells: pl.Series) -> pl.Series | None:
    # to_datetime would also take " 2015-1-31 12:30:00" and the 60th second.
    if not cells.filter(~cells.str.contains(_MOMENT)).is_in(MISSING).all():
        return None
    # A table of those read before takes longer than to read them.
    found = cells.str.to_datetime(MOMENT.removesuffix("%.f"), strict=False, time_unit="us", cache=False)
    return found if _gaps_are_gaps(found, cells) else None


_Way = Callable[[pl.Series], pl.Series | None]
_READ_AT_ONCE: dict[_Way, pl.DataType] = {_as_small: pl.Int32(), _as_whole: pl.Int64(), _as_float: pl.Float64()}


def any_whole(numbers: pl.Series) -> bool:
    """Whether any of the numbers is a whole one."""
    return bool((numbers == numbers.floor()).any())


def _gaps_are_gaps(found: pl.Series, cells: pl.Series) -> bool:
    """Whether every cell that gave nothing says that there is nothing."""
    return not found.null_count() or bool(cells.filter(found.is_null()).is_in(MISSING).all())
