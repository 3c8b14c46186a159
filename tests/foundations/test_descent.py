from __future__ import annotations

import numpy as np
import pytest

from glasshouse.foundations.descent import gradient_descent


def slope(x: np.ndarray) -> np.ndarray:
    return 2.0 * x + 2.0


def test_the_textbooks_parabola() -> None:
    path = gradient_descent(slope, 5.0, learning_rate=0.1, steps=10)
    assert path.shape == (11,)
    assert path[-1] == pytest.approx(-0.3557549056)
    np.testing.assert_allclose((path[1:] + 1.0) / (path[:-1] + 1.0), 0.8)


@pytest.mark.parametrize(("rate", "factor"), [(0.1, 0.8), (0.5, 0.0), (0.9, -0.8), (1.0, -1.0), (1.1, -1.2)])
def test_each_step_keeps_one_minus_two_rates_of_the_distance(rate: float, factor: float) -> None:
    path = gradient_descent(slope, 5.0, rate, steps=5)
    np.testing.assert_allclose(path + 1.0, 6.0 * factor ** np.arange(6), atol=1e-12)


def test_points_of_any_shape_and_no_step() -> None:
    assert gradient_descent(slope, np.zeros((2, 3)), 0.1, steps=4).shape == (5, 2, 3)
    assert gradient_descent(slope, [1.0, 2.0], 0.1, steps=0).tolist() == [[1.0, 2.0]]


def test_try_this_one_jumps_for_ever_and_more_runs_away() -> None:
    assert gradient_descent(slope, 5.0, 1.0, steps=3).tolist() == [5.0, -7.0, 5.0, -7.0]
    assert abs(gradient_descent(slope, 5.0, 1.1, steps=100)[-1]) > 1e8
