"""Text columns of few different values, kept as codes: a fraction of the memory, and each value is looked at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

MOST_DISTINCT = 65_535  # that two bytes can number
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


class Gathering:
    """One column of a text file, put together from the pieces that are read one after the other.

    A column whose values repeat becomes an Enum, whose codes take one or two bytes; the others stay strings.
    """

    def __init__(self) -> None:
        """Nothing is gathered yet."""
        self._known = pl.Series([], dtype=pl.String)
        self._type: pl.Enum | None = pl.Enum([])  # made anew only where a value is: it holds a table of them
        self._pieces: list[pl.Series] = []
        self._count = 0

    def add(self, cells: pl.Series) -> None:
        """The next cells, strings without nulls."""
        self._count += len(cells)
        piece = cells if self._type is None else self._encoded(cells, self._type)
        self._pieces.append(piece)

    def _encoded(self, cells: pl.Series, known: pl.Enum) -> pl.Series:
        found = cells.cast(known, strict=False)
        if found.null_count():
            fresh = cells.filter(found.is_null()).unique(maintain_order=True)
            self._known = pl.concat([self._known, fresh])
            if len(self._known) > min(MOST_DISTINCT, SEEN_BEFORE * self._count):
                self._type, self._pieces = None, [self._known[piece] for piece in self._pieces]
                return cells
            self._type = pl.Enum(self._known)
            found = cells.cast(self._type)
        return found.to_physical().cast(pl.UInt16)

    def column(self, name: str) -> pl.Series:
        """All cells, in one piece of memory."""
        whole = pl.concat(self._pieces, rechunk=True).alias(name)
        self._pieces = []
        return whole if self._type is None else whole.cat.to(self._type)
