from __future__ import annotations

import numpy as np
import pytest

from glasshouse.foundations.differences import numerical_gradient


def error(step: float) -> float:
    """How far the slope of the sine at 1 is off, for a step."""
    found = numerical_gradient(lambda x: float(np.sin(x)[0]), np.array([1.0]), step)
    return abs(float(found[0]) - float(np.cos(1.0)))


def test_ten_digits_are_right() -> None:
    assert error(1e-3) < 1e-11


def test_a_large_step_misses_the_curvature() -> None:
    assert error(1.0) > 1e-3


def test_every_shape_and_none() -> None:
    assert numerical_gradient(lambda x: float(x**2), np.array(3.0)) == pytest.approx(6.0)
    assert numerical_gradient(lambda x: 0.0, np.zeros((0, 2))).shape == (0, 2)
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(numerical_gradient(lambda x: float(np.sum(x**2)), x), 2.0 * x, atol=1e-10)
    assert np.array_equal(x, np.arange(6.0).reshape(2, 3))


def test_try_this_a_tiny_step_loses_the_digits() -> None:
    assert 1e-10 < error(1e-9) < 1e-6
