"""Folds: a small table divided so that every row is judged by networks that have not seen it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from glasshouse.data.encode import encode_target
from glasshouse.data.fingerprints import row_hashes
from glasshouse.data.frame import Frame
from glasshouse.data.schema import Schema
from glasshouse.data.split import units_of

_BINS = 10


def assign_folds(
    frame: Frame, schema: Schema, rows: npt.NDArray[np.int64], num_folds: int, seed: int, group: str | None = None
) -> npt.NDArray[np.int64]:
    """Deals rows out to folds of about equal size, each with its share of every class or stretch of the target.

    Exact copies of a row, and rows of one group, go to the same fold.

    Args:
        frame: the whole table.
        schema: with a target.
        rows: (rows,) the row numbers to deal out; all have a target.
        num_folds: how many.
        seed: the same seed deals the same way.
        group: a column whose rows stay together.

    Returns:
        (rows,) fold numbers from 0.
    """
    table = frame.take(rows)
    units, _ = units_of(table, np.arange(len(rows)), row_hashes(table, schema), group)
    _, first, unit = np.unique(units, return_index=True, return_inverse=True)
    target = encode_target(table, schema)[first]
    if target.dtype == np.int64:
        strata = target
    else:
        strata = np.searchsorted(np.quantile(target, np.linspace(0, 1, _BINS + 1)[1:-1]), target)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]  # units, one stratum after the other
    folds = np.empty(len(first), dtype=np.int64)
    folds[order] = np.arange(len(first)) % num_folds
    return folds[unit]
