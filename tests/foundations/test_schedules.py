from __future__ import annotations

import math

import numpy as np
import pytest

from glasshouse.foundations import schedules

STEPS = np.arange(101)


def test_where_each_starts_and_ends() -> None:
    assert schedules.constant(STEPS, 0.1)[[0, -1]].tolist() == [0.1, 0.1]
    np.testing.assert_allclose(
        schedules.step_decay(STEPS, 0.1, every=50)[[0, 49, 50, 99, 100]], [0.1, 0.1, 0.01, 0.01, 0.001]
    )
    np.testing.assert_allclose(schedules.exponential(STEPS, 0.1, factor=0.9)[[0, 1, 10]], [0.1, 0.09, 0.1 * 0.9**10])
    np.testing.assert_allclose(schedules.cosine(STEPS, 0.1, total=100)[[0, 50, 100]], [0.1, 0.05, 0.0], atol=1e-17)
    np.testing.assert_allclose(
        schedules.warm_up_cosine(STEPS, 0.1, 100, warm_up=10)[[0, 9, 10, 100]], [0.01, 0.1, 0.1, 0.0], atol=1e-17
    )
    np.testing.assert_allclose(
        schedules.flat_cosine(STEPS, 0.1, 100)[[0, 50, 75, 100]], [0.1, 0.1, 0.05, 0.0], atol=1e-17
    )


def test_one_step_is_a_number() -> None:
    assert float(schedules.cosine(np.array(5), 1.0, 10)) == pytest.approx(0.5)
    assert schedules.flat_cosine(np.array([0]), 0.3, 1).tolist() == [0.3]


def test_try_this_half_a_cosine_spends_four_fifths() -> None:
    fine = schedules.cosine(np.arange(100_000), 1.0, total=100_000)
    assert fine[:50_000].sum() / fine.sum() == pytest.approx(0.5 + 1.0 / math.pi, abs=1e-4)
