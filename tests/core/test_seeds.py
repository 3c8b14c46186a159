"""One seed a run, an independent one for every purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.core.seeds import PURPOSES, all_seeds, derive_seed


def test_seeds_never_change() -> None:
    """A run of an older version repeats only if these stay what they are."""
    assert derive_seed(0, "split") == 4668161649679774868
    assert derive_seed(0, "batches") == 6183591060282165047


@given(st.integers(0, 2**63 - 1))
def test_seeds_fit_every_generator_and_differ(seed: int) -> None:
    found = all_seeds(seed)
    assert found.pop("root") == seed
    assert found.keys() == set(PURPOSES)
    assert all(0 <= value < 2**63 for value in found.values())
    assert len(set(found.values())) == len(PURPOSES)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_neighbouring_seeds_give_unrelated_streams(purpose: str) -> None:
    draws = np.array([np.random.default_rng(derive_seed(seed, purpose)).random(64) for seed in range(40)])
    correlations = np.corrcoef(draws)[np.triu_indices(40, 1)]
    assert np.abs(correlations).max() < 0.6, "64 draws of independent streams: a deviation of 0.125"


def test_no_two_of_many_runs_share_a_seed() -> None:
    assert len({derive_seed(seed, purpose) for seed in range(2000) for purpose in PURPOSES}) == 2000 * len(PURPOSES)
