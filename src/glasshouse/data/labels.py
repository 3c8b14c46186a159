"""The labels of a column and how often each stands there: what is decided about a column is decided on these."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from glasshouse.data.coded import coded, how_often
from glasshouse.data.values import Reading, parse_labels

BEGIN = 5000  # rows that show what a column looks like
_FEW = 10  # labels that may be yes and no
_MANY = 50_000


@dataclass(frozen=True)
class Labels:
    """The labels that are there, missing ones left out.

    Args:
        cells: each label once or more; those of all rows where `weights` is None. Of many numbers or times these
            themselves, since one number is one label.
        weights: how many rows each of the cells stands for.
        num_rows: rows of the column.
        begin: the first labels, in the order of the rows.
    """

    cells: pl.Series
    weights: npt.NDArray[np.int64] | None
    num_rows: int
    begin: pl.Series

    @cached_property
    def num_filled(self) -> int:
        """How many rows have a label."""
        return len(self.cells) if self.weights is None else int(self.weights.sum())

    @property
    def num_missing(self) -> int:
        """How many rows have none."""
        return self.num_rows - self.num_filled

    @cached_property
    def distinct(self) -> int:
        """How many different labels there are.

        Of many labels 64-bit hashes are counted: among a million, two would agree once in 40 million tables.
        """
        if len(self.cells) < _MANY:
            return self.cells.n_unique()
        low, high = self.cells.min(), self.cells.max()
        if isinstance(low, int) and isinstance(high, int) and high - low < len(self.cells):  # a fifth of the time
            seen = np.zeros(high - low + 1, dtype=np.bool_)
            seen[(self.cells - low).to_numpy()] = True
            return int(np.count_nonzero(seen))
        # n_unique is no faster, but takes the other columns' threads as well.
        rising = self.cells.hash().sort(multithreaded=False).to_numpy()
        return 1 + int(np.count_nonzero(rising[1:] != rising[:-1]))

    def count(self, chosen: pl.Series | npt.NDArray[np.bool_]) -> int:
        """How many rows the chosen cells stand for; a null chooses nothing."""
        places = chosen.fill_null(False).to_numpy() if isinstance(chosen, pl.Series) else chosen
        return int(np.count_nonzero(places)) if self.weights is None else int(self.weights[places].sum())

    def share(self, chosen: pl.Series | npt.NDArray[np.bool_]) -> float:
        """The share of the rows with a label that the chosen cells stand for."""
        return self.count(chosen) / self.num_filled if self.num_filled else 0.0


def labels_unwritten(series: pl.Series, reading: Reading) -> Labels | None:
    """The labels of a column of many different numbers or times without writing them out; None for any other column."""
    suits = series.dtype.is_float() or series.dtype in (pl.Int32, pl.Int64, pl.Datetime)
    if len(series) < _MANY or reading.missing or not suits:
        return None
    finite = series.is_finite() if series.dtype.is_float() else series.is_not_null()
    cells = series if finite.all(ignore_nulls=False) else series.filter(finite)
    labels = Labels(cells, None, len(series), parse_labels(cells.head(BEGIN), reading))
    return labels if labels.distinct > _FEW else None


def labels_of(series: pl.Series, reading: Reading) -> Labels:
    """The labels of a column of any type."""
    codes = coded(series)
    if codes is None:
        cells = parse_labels(series, reading)
        cells = cells.drop_nulls() if cells.null_count() else cells
        return Labels(cells, None, len(series), cells.head(BEGIN))
    values = parse_labels(codes.values, reading)
    weights = how_often(codes.codes, len(codes.values))
    there = values.is_not_null().to_numpy()
    first = codes.codes[: 2 * BEGIN]
    filled = first[there[first]]
    if len(filled) < BEGIN:
        filled = codes.codes[there[codes.codes]]
    there = there & (weights > 0)
    return Labels(values.filter(pl.Series(there)), weights[there], len(series), values[filled[:BEGIN]])
