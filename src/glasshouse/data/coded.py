"""The columns of a large text table, kept small: few different values as codes, plainly written numbers as numbers.

Nothing is lost: the codes' values and the numbers, turned into strings again, are the cells as they were written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

MOST_DISTINCT = 65_535  # that two bytes can number
_BLOCK = 1 << 16
SEEN_BEFORE = 0.5  # of the cells must hold a value that came before, or codes save nothing


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
    return series.cast(pl.String).fill_null("")


class Gathering:
    """One column of a text file, put together from the pieces that are read one after the other.

    A column whose values repeat becomes an Enum, whose codes take one or two bytes. One whose cells are empty or
    numbers, in the form that polars writes them in, becomes numbers, null where empty. Any other stays strings.
    """

    def __init__(self, *, numbers: bool) -> None:
        """Nothing is gathered yet; `numbers` says whether a number is nothing but a number in this file."""
        self._ways = [_as_whole, _as_float] if numbers else []
        self._known = pl.Series([], dtype=pl.String)
        self._type: pl.Enum | None = pl.Enum([])  # made anew only where a value is: it holds a table of them
        self._pieces: list[pl.Series] = []
        self._count = 0

    @property
    def cost(self) -> int:
        """What adding cells takes, roughly: numbers are written out again, labels looked up among those known."""
        return MOST_DISTINCT if self._type is None and self._ways else len(self._known)

    def add(self, cells: pl.Series) -> None:
        """The next cells, strings without nulls."""
        self._count += len(cells)
        found = self._encoded(cells, self._type) if self._type is not None else None
        if found is not None:
            self._pieces.append(found)
            return
        if self._type is not None:
            before, self._pieces, self._type = [self._known[piece] for piece in self._pieces], [], None
            for piece in before:
                self._add_small(piece)
        self._add_small(cells)

    def _encoded(self, cells: pl.Series, known: pl.Enum) -> pl.Series | None:
        """The codes of some cells, or None where there are too many different ones."""
        codes = _codes(cells, known)
        if codes.null_count():
            places = codes.is_null().arg_true()
            fresh = cells[places]
            values = pl.concat([self._known, fresh.unique(maintain_order=True)])
            if len(values) > min(MOST_DISTINCT, SEEN_BEFORE * self._count):
                return None
            self._known, self._type = values, pl.Enum(values)
            codes = codes.scatter(places, _codes(fresh, self._type))
        return codes

    def _add_small(self, cells: pl.Series) -> None:
        """Adds the cells as numbers where all so far could be; else all so far become strings again."""
        found = self._ways[0](cells) if self._ways else cells
        if found is not None:
            self._pieces.append(found)
            return
        written = [*(as_written(piece) for piece in self._pieces), cells]
        del self._ways[0]
        while self._ways:
            numbers = [number for piece in written if (number := self._ways[0](piece)) is not None]
            if len(numbers) == len(written):
                self._pieces = numbers
                return
            del self._ways[0]
        self._pieces = written

    def column(self, name: str) -> pl.Series:
        """All cells, in one piece of memory."""
        whole = pl.concat(self._pieces, rechunk=True).alias(name)
        self._pieces = []
        return whole if self._type is None else whole.cat.to(self._type)


def _codes(cells: pl.Series, known: pl.Enum) -> pl.Series:
    return cells.cast(known, strict=False).to_physical().cast(pl.UInt16)


def _as_whole(cells: pl.Series) -> pl.Series | None:
    found = cells.cast(pl.Int64, strict=False)
    return found if _says_all(found, cells) else None


def _as_float(cells: pl.Series) -> pl.Series | None:
    found = cells.cast(pl.Float64, strict=False)
    return found if found.is_finite().all() and _says_all(found, cells) else None


def _says_all(numbers: pl.Series, cells: pl.Series) -> bool:
    """Whether the numbers, written out, are the cells, and null nothing but the empty ones."""
    gaps = numbers.null_count()
    return bool((numbers.cast(pl.String) == cells).all()) and (not gaps or gaps == int((cells == "").sum()))
