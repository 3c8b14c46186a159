from __future__ import annotations

import numpy as np
import pytest

from glasshouse.foundations.dropout import dropout

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.5, 0.9])
def test_the_mean_stays_what_it_was(probability: float) -> None:
    kept = RANDOM.random((1000, 200)) >= probability
    found = dropout(np.ones((1000, 200)), kept, probability)
    assert np.mean(found) == pytest.approx(1.0, abs=0.02)
    assert np.mean(found == 0.0) == pytest.approx(probability, abs=0.01)


def test_nothing_is_left_out_at_zero() -> None:
    x = RANDOM.normal(size=(3, 4))
    assert np.array_equal(dropout(x, RANDOM.random((3, 4)) >= 0.0, 0.0), x)


def test_try_this_a_quarter_of_the_paths_through_two_layers() -> None:
    first, second = RANDOM.random(100_000) >= 0.5, RANDOM.random(100_000) >= 0.5
    assert np.mean(first & second) == pytest.approx(0.25, abs=0.01)
