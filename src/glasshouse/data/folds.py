"""Folds: a small table divided so that every row is judged by networks that have not seen it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_BINS = 10


def assign_folds(
    target: npt.NDArray[np.float64] | npt.NDArray[np.int64], units: npt.NDArray[np.int64], num_folds: int, seed: int
) -> npt.NDArray[np.int64]:
    """Deals rows out to folds of about equal size, each with its share of every class or stretch of the target.

    Rows of one unit (exact copies, one group) go to the same fold. Where a unit is larger than half a fold, the largest
    are dealt out first, each to the fold that has the fewest rows yet.

    Args:
        target: (rows,) class codes, or numbers.
        units: (rows,) alike where rows stay together.
        num_folds: how many.
        seed: the same seed deals the same way.

    Returns:
        (rows,) fold numbers from 0.

    Example:
        >>> assign_folds(np.arange(6.0), np.array([0, 0, 0, 1, 2, 3]), 2, seed=0).tolist()
        [0, 0, 0, 1, 1, 1]
    """
    _, first, unit, sizes = np.unique(units, return_index=True, return_inverse=True, return_counts=True)
    strata = target[first]
    if strata.dtype != np.int64:
        strata = np.searchsorted(np.quantile(strata, np.linspace(0, 1, _BINS + 1)[1:-1]), strata)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]  # units, one stratum after the other
    folds = np.empty(len(first), dtype=np.int64)
    if 2 * num_folds * int(sizes.max()) <= len(units):
        folds[order] = np.arange(len(first)) % num_folds
        return folds[unit]
    rows = np.zeros(num_folds, dtype=np.int64)
    for place in order[np.argsort(-sizes[order], kind="stable")]:
        folds[place] = rows.argmin()
        rows[folds[place]] += sizes[place]
    return folds[unit]
