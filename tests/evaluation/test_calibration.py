"""Temperature, reliability and calibration error on probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from glasshouse.core.errors import DataError
from glasshouse.evaluation.calibration import (
    FEWEST_ROWS,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
)
from glasshouse.model.uncertainty import apply_temperature


def honest(rows: int, classes: int, seed: int = 0):
    """Probabilities, and labels drawn from exactly them."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(classes, 0.6), rows)
    labels = (generator.random((rows, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return probabilities, labels.astype(np.int64)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("boldness", [0.5, 2.0])
def test_a_known_distortion_is_undone(classes, boldness):
    probabilities, labels = honest(5000, classes)
    distorted = apply_temperature(probabilities, 1 / boldness)
    temperature, accepted = fit_temperature(distorted, labels, seed=0)
    assert accepted
    assert temperature == pytest.approx(boldness, rel=0.1)


def test_the_temperature_is_where_the_log_loss_is_least():
    probabilities, labels = honest(2000, 3)
    distorted = apply_temperature(probabilities, 0.4)
    best, _ = fit_temperature(distorted, labels, seed=0)
    grid = np.exp(np.linspace(-2, 2, 401))
    losses = [log_loss(labels, apply_temperature(distorted, t)) for t in grid]
    assert best == pytest.approx(grid[int(np.argmin(losses))], rel=0.02)


def test_honest_probabilities_are_hardly_touched():
    temperatures = [fit_temperature(*honest(1000, 3, seed), seed=0) for seed in range(20)]
    assert all(0.8 < temperature < 1.25 for temperature, _ in temperatures)
    assert sum(accepted for _, accepted in temperatures) < 12


@pytest.mark.parametrize("rows", [250, 4000])
def test_rows_that_are_all_answered_right_do_not_make_certain(rows):
    probabilities, labels = np.tile([0.9, 0.05, 0.05], (rows, 1)), np.zeros(rows, dtype=np.int64)
    temperature, accepted = fit_temperature(probabilities, labels, seed=0)
    assert accepted and temperature < 0.6
    surest = apply_temperature(probabilities, temperature)[0, 0]
    assert 1 - surest == pytest.approx(1 / (rows + 2), rel=0.05)  # Laplace: what never went wrong in n rows


def test_certainty_that_was_never_wrong_is_taken_back():
    probabilities, labels = np.tile([1 - 2e-9, 1e-9, 1e-9], (300, 1)), np.zeros(300, dtype=np.int64)
    temperature, accepted = fit_temperature(probabilities, labels, seed=0)
    assert accepted and temperature > 2
    assert 1 - apply_temperature(probabilities, temperature)[0, 0] == pytest.approx(1 / 302, rel=0.05)


def test_many_sharp_classes_are_not_made_modest():
    random = np.random.default_rng(0)
    logits = 20 * random.normal(size=(250, 26))
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    honest = np.exp(logits - logits.max(axis=1, keepdims=True))
    honest /= honest.sum(axis=1, keepdims=True)
    temperature, _ = fit_temperature(apply_temperature(honest, 0.5), labels, seed=0)
    assert 1.5 < temperature < 2.5  # a doubt shared by all 26 classes asks for 2.8


def test_too_few_rows_change_nothing():
    probabilities, labels = honest(FEWEST_ROWS - 1, 2)
    assert fit_temperature(apply_temperature(probabilities, 0.2), labels, seed=0) == (1.0, False)


@pytest.mark.parametrize("right", [True, False], ids=["always right", "always wrong"])
def test_the_temperature_stays_positive_and_finite_at_the_extremes(right):
    labels = np.zeros(400, dtype=np.int64)
    probabilities = np.tile([1.0, 0.0] if right else [0.0, 1.0], (400, 1))
    temperature, _ = fit_temperature(probabilities, labels, seed=0)
    assert 0.04 < temperature < 21


def test_reliability_bins_hold_every_row_once_and_keep_ties_together():
    probabilities, labels = honest(997, 2)
    rounded = np.round(probabilities[:, 1], 1)
    bins = reliability_bins(np.column_stack([1 - rounded, rounded]), labels, num_bins=15)
    assert sum(rows for _, _, rows in bins) == 997
    said = [mean for mean, _, _ in bins]
    assert said == sorted(said)
    constant = reliability_bins(np.full((60, 2), 0.5), np.arange(60) % 2, num_bins=15)
    assert constant == ((0.5, 0.5, 60),)


def test_bins_are_the_second_classs_for_two_and_the_predicted_ones_for_more():
    assert reliability_bins(np.array([[0.8, 0.2]] * 4), np.array([0, 0, 0, 1]), 1) == ((pytest.approx(0.2), 0.25, 4),)
    three = reliability_bins(np.array([[0.6, 0.3, 0.1]] * 4), np.array([0, 0, 1, 2]), 1)
    assert three == ((pytest.approx(0.6), 0.5, 4),)


def test_calibration_error_by_hand_and_against_a_plain_loop():
    probabilities = np.array([[0.9, 0.1]] * 10)
    assert expected_calibration_error(probabilities, np.array([0] * 9 + [1])) == pytest.approx(0.0)
    assert expected_calibration_error(probabilities, np.ones(10, dtype=np.int64)) == pytest.approx(0.9)
    said, labels = honest(900, 4)
    order = np.argsort(said.max(axis=1))
    expected = 0.0
    for rows in np.array_split(order, 15):
        right = said[rows].argmax(axis=1) == labels[rows]
        expected += abs(said[rows].max(axis=1).mean() - right.mean()) * len(rows) / 900
    assert expected_calibration_error(said, labels) == pytest.approx(expected, abs=1e-9)


def test_bad_arrays_are_refused():
    with pytest.raises(DataError, match=r"shape \(2, 2\) for 3 rows") as caught:
        expected_calibration_error(np.full((2, 2), 0.5), np.array([0, 1, 0]))
    assert "predict again" in caught.value.fix
