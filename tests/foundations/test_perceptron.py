from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from glasshouse.foundations.perceptron import best_line, decision_line, learn, predict

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND, OR, XOR = (np.array(answers, dtype=float) for answers in ((0, 0, 0, 1), (0, 1, 1, 1), (0, 1, 1, 0)))


@pytest.mark.parametrize(("answers", "epochs"), [(AND, 6), (OR, 4)], ids=["AND", "OR"])
def test_it_learns_what_a_line_parts_and_says_after_how_many_epochs(answers: np.ndarray, epochs: int) -> None:
    end = learn(CORNERS, answers)
    assert end.converged
    assert not end.repeats
    assert len(end.mistakes) == epochs
    assert end.mistakes[-1] == 0
    assert np.array_equal(predict(CORNERS, end.weight, end.bias), answers)


def test_it_stops_at_xor_with_a_proof() -> None:
    end = learn(CORNERS, XOR)
    assert not end.converged
    assert end.repeats
    assert len(end.mistakes) < 10
    assert np.mean(predict(CORNERS, end.weight, end.bias) == XOR) < 1.0


def test_of_all_sixteen_tasks_it_learns_those_that_a_line_parts() -> None:
    for answers in itertools.product([0.0, 1.0], repeat=4):
        end = learn(CORNERS, np.array(answers))
        assert end.converged == (best_line(CORNERS, np.array(answers)) == 1.0)
        assert end.converged != end.repeats
    parted = [best_line(CORNERS, np.array(answers)) for answers in itertools.product([0, 1], repeat=4)]
    assert parted.count(1.0) == 14  # all but XOR and its opposite
    assert parted.count(0.75) == 2


def test_where_a_sum_loses_digits_a_state_that_comes_back_proves_nothing() -> None:
    x, actual = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1e17]]), np.array([0.0, 1.0, 0.0])
    assert learn(x, actual).repeats
    assert np.array_equal(predict(x, np.array([-2e17, 1.0]), -0.5), actual)  # a line that parts them all the same
    # The same rows with a number that a sum can hold: now they are learnt.
    assert learn(np.where(x == 1e17, 10.0, x), actual).converged


def test_a_rate_only_scales_the_weights() -> None:
    small, large = learn(CORNERS, AND, learning_rate=0.1), learn(CORNERS, AND)
    assert small.mistakes == large.mistakes
    np.testing.assert_allclose(small.weight * 10.0, large.weight)
    assert small.bias * 10.0 == pytest.approx(large.bias)


def test_it_stops_at_the_limit_without_a_proof() -> None:
    end = learn(CORNERS, AND, most_epochs=2)
    assert (end.converged, end.repeats, len(end.mistakes)) == (False, False, 2)


def test_try_this_the_order_of_the_rows_changes_only_how_fast() -> None:
    ends = [learn(CORNERS[list(order)], AND[list(order)]) for order in itertools.permutations(range(4))]
    assert all(end.converged for end in ends)
    assert len({len(end.mistakes) for end in ends}) > 1


def test_the_line_lies_between_the_answers() -> None:
    end = learn(CORNERS, AND)
    slope, intercept = decision_line(end.weight, end.bias)
    assert slope == -end.weight[0] / end.weight[1]
    above = CORNERS[:, 1] >= slope * CORNERS[:, 0] + intercept
    assert np.array_equal(above, AND == 1.0)


def test_an_upright_line_has_no_intercept() -> None:
    slope, intercept = decision_line(np.array([2.0, 0.0]), -1.0)
    assert slope == math.inf
    assert math.isnan(intercept)


@pytest.mark.parametrize("seed", range(3))
def test_the_best_line_is_the_best_of_very_many(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, actual = random.normal(size=(8, 2)), random.integers(2, size=8).astype(float)
    angles, offsets = random.uniform(0, 2 * np.pi, 20_000), random.normal(scale=1.5, size=20_000)
    fires = x @ np.stack([np.cos(angles), np.sin(angles)]) > offsets
    tried = float(np.max(np.mean(fires == (actual[:, None] == 1.0), axis=0)))
    assert best_line(x, actual) == tried


def test_turning_the_rows_changes_nothing_although_rounding_moves_them() -> None:
    random = np.random.default_rng(0)
    grid = np.array(list(itertools.product(range(4), repeat=2)), dtype=float)
    for _ in range(400):
        x = random.permutation(grid)[:7]
        actual, angle = random.integers(2, size=7).astype(float), random.uniform(0.0, 2.0 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        assert best_line(x @ turn / 3.0 + random.normal(size=2), actual) == best_line(x, actual)


def test_rows_in_one_line_are_parted_once() -> None:
    x = np.linspace(0.1, 0.3, 3)[:, None] * np.array([1.0, 1.0])
    for answers, share in {(0, 0, 1): 1.0, (1, 0, 0): 1.0, (0, 1, 0): 2 / 3, (1, 1, 1): 1.0}.items():
        assert best_line(x, np.array(answers)) == share
