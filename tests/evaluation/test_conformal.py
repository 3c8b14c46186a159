"""Promises of coverage, kept on rows drawn from the same source."""

from __future__ import annotations

import numpy as np
import pytest

from glasshouse.core.errors import DataError
from glasshouse.evaluation.conformal import conformity_scores, fit_uncertainty, measure_coverage
from glasshouse.model.uncertainty import Uncertainty, apply_temperature


def regression(rows: int, seed: int):
    generator = np.random.default_rng(seed)
    spread = generator.gamma(2.0, 1.0, rows)
    outputs = generator.normal(size=rows) * 10
    return outputs + generator.standard_t(5, rows) * (1 + spread), outputs, spread


def classes(rows: int, seed: int, num_classes: int = 4):
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(num_classes, 0.5), rows)
    labels = (generator.random((rows, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=num_classes - 1)
    return labels.astype(np.int64), apply_temperature(probabilities, 0.5), np.zeros(rows)


def test_regression_intervals_cover_as_promised():
    known = fit_uncertainty("regression", *regression(5000, 0), seed=0)
    for one in measure_coverage("regression", *regression(20_000, 1), known):
        assert one.covered == pytest.approx(one.confidence, abs=0.02)
        assert one.low < one.covered < one.high


def test_label_sets_cover_as_promised_and_grow_with_the_promise():
    known = fit_uncertainty("multiclass", *classes(5000, 0), seed=0)
    assert known.temperature == pytest.approx(2.0, rel=0.15)
    actual, raw, spread = classes(20_000, 1)
    measured = measure_coverage("multiclass", actual, apply_temperature(raw, known.temperature), spread, known)
    assert [one.confidence for one in measured] == [0.8, 0.9, 0.95]
    for one in measured:
        assert one.covered == pytest.approx(one.confidence, abs=0.02)
    assert measured[0].size < measured[1].size < measured[2].size <= 4


def test_coverage_holds_on_average_over_many_small_calibrations():
    """The finite-sample promise: with 19 rows and 90 %, coverage is at least 90 % on average over calibrations."""
    covered = []
    for seed in range(400):
        known = fit_uncertainty("regression", *regression(19, seed), seed=0)
        covered.append(measure_coverage("regression", *regression(200, seed + 10_000), known, (0.9,))[0].covered)
    assert 0.885 < float(np.mean(covered)) < 0.93


def test_width_follows_the_spread():
    actual, outputs, spread = regression(2000, 0)
    known = fit_uncertainty("regression", actual, outputs, spread, seed=0)
    assert known.floor == pytest.approx(float(np.median(spread)))
    flat = fit_uncertainty("regression", actual, outputs, np.zeros(2000), seed=0)
    assert flat.floor == 1.0
    assert flat.scores == tuple(sorted(np.abs(actual - outputs).tolist()))


def test_scores_by_hand():
    scores = conformity_scores("regression", np.array([1.0, 5.0]), np.array([2.0, 1.0]), np.array([1.0, 0.0]), 1.0)
    assert scores.tolist() == [0.5, 4.0]
    lac = conformity_scores("binary", np.array([1]), np.array([[0.25, 0.75]]), np.zeros(1), 0.0)
    assert lac.tolist() == [0.25]


def test_a_promise_that_too_few_rows_cannot_keep_is_left_out():
    known = fit_uncertainty("regression", *regression(10, 0), seed=0)
    measured = measure_coverage("regression", *regression(50, 1), known)
    assert [one.confidence for one in measured] == [0.8, 0.9]
    assert all(np.isfinite(one.size) for one in measured)


def test_without_calibration_rows_nothing_is_promised():
    known = fit_uncertainty("regression", np.array([]), np.array([]), np.array([]), seed=0)
    assert known == Uncertainty()
    assert measure_coverage("regression", *regression(5, 0), known) == ()


def test_bad_arrays_are_refused():
    with pytest.raises(DataError, match="row 1 has a prediction or a target that is not a finite number") as caught:
        fit_uncertainty("regression", np.array([np.nan]), np.array([1.0]), np.array([0.0]), seed=0)
    assert "drop rows" in caught.value.fix
