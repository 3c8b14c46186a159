"""Values against scikit-learn, intervals against a bootstrap done the slow way."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from glasshouse.core.errors import DataError
from glasshouse.evaluation.scores import leading_metric, score, wilson


def class_case(rows: int, classes: int, seed: int = 0, decimals: int = 8):
    generator = np.random.default_rng(seed)
    actual = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes))
    logits[np.arange(rows), actual] += 1.0
    outputs = np.exp(logits).round(decimals)
    return actual, outputs / outputs.sum(axis=1, keepdims=True)


def regression_case(rows: int, seed: int = 0):
    generator = np.random.default_rng(seed)
    actual = generator.gamma(2.0, 1000.0, rows) + 1e6
    return actual, actual + generator.standard_t(4, rows) * 300.0


def brute_force(actual, outputs, function, resamples=300, seed=1):
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        rows = generator.integers(0, len(actual), len(actual))
        values.append(function(actual[rows], outputs[rows]))
    return np.percentile(values, [2.5, 97.5])


BINARY = {
    "accuracy": lambda y, p: metrics.accuracy_score(y, p.argmax(1)),
    "log_loss": lambda y, p: metrics.log_loss(y, p, labels=[0, 1]),
    "roc_auc": lambda y, p: metrics.roc_auc_score(y, p[:, 1]),
    "f1": lambda y, p: metrics.f1_score(y, p.argmax(1), zero_division=0.0),
}
MULTICLASS = {
    "accuracy": BINARY["accuracy"],
    "log_loss": lambda y, p: metrics.log_loss(y, p, labels=range(p.shape[1])),
    "roc_auc": lambda y, p: metrics.roc_auc_score(y, p, multi_class="ovr"),
    "f1": lambda y, p: metrics.f1_score(y, p.argmax(1), average="macro", zero_division=0.0),
}
REGRESSION = {
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "r2": metrics.r2_score,
}


@pytest.mark.parametrize(
    ("task", "case", "functions"),
    [
        ("binary", class_case(300, 2), BINARY),
        ("binary", class_case(300, 2, decimals=1), BINARY),  # many ties
        ("multiclass", class_case(300, 4), MULTICLASS),
        ("regression", regression_case(300), REGRESSION),
    ],
    ids=["binary", "ties", "multiclass", "regression"],
)
def test_values_are_scikit_learns_and_intervals_a_plain_bootstraps(task, case, functions):
    actual, outputs = case
    found = score(task, actual, outputs, seed=3)
    assert list(found) == list(functions)
    for name, function in functions.items():
        assert found[name].value == pytest.approx(function(actual, outputs), rel=1e-12), name
        low, high = brute_force(actual, outputs, function)
        width = high - low
        assert abs(found[name].low - low) < 0.25 * width, name
        assert abs(found[name].high - high) < 0.25 * width, name


@pytest.mark.parametrize(("task", "classes"), [("binary", 2), ("multiclass", 3), ("regression", 0)])
def test_every_resample_is_the_score_of_the_rows_it_drew(task, classes):
    """The weighted forms, one resample at a time: the same draws, repeated as rows, through scikit-learn."""
    from glasshouse.evaluation import scores as module

    actual, outputs = class_case(40, classes, decimals=1) if classes else regression_case(40)
    functions = {0: REGRESSION, 2: BINARY, 3: MULTICLASS}[classes]
    statistics = module._statistics(task, actual, outputs, dict.fromkeys(functions, 0.0))
    weights = np.concatenate(list(module._row_weights(40, 25, seed=5)))
    for name, function in functions.items():
        expected = []
        for weight in weights:
            rows = np.repeat(np.arange(40), weight.astype(int))
            expected.append(function(actual[rows], outputs[rows]))
        assert statistics[name][0](weights) == pytest.approx(np.array(expected), rel=1e-9), name


def test_a_class_that_is_absent_leaves_scores_out_instead_of_nan():
    actual, outputs = class_case(50, 2)
    assert list(score("binary", np.zeros(50, dtype=int), outputs)) == ["accuracy", "log_loss"]
    assert list(score("binary", np.ones(50, dtype=int), outputs)) == ["accuracy", "log_loss", "f1"]
    actual, outputs = class_case(50, 4)
    assert "roc_auc" not in score("multiclass", np.minimum(actual, 2), outputs)
    assert "r2" not in score("regression", np.full(5, 2.0), np.arange(5.0))


def test_one_row_is_scored():
    for found in (
        score("binary", np.array([1]), np.array([[0.2, 0.8]])),
        score("multiclass", np.array([2]), np.array([[0.1, 0.2, 0.7]])),
        score("regression", np.array([3.0]), np.array([4.0])),
    ):
        for one in found.values():
            assert np.isfinite([one.value, one.low, one.high]).all()


def test_right_on_every_row_is_not_certainty():
    outputs = np.tile([0.1, 0.9], (114, 1))
    found = score("binary", np.ones(114, dtype=int), outputs)["accuracy"]
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.967, abs=1e-3)
    never = score("binary", np.zeros(114, dtype=int), outputs)["accuracy"]
    assert (never.value, never.low) == (0.0, 0.0)
    assert never.high == pytest.approx(0.033, abs=1e-3)


def test_an_impossible_certainty_costs_a_bounded_log_loss():
    found = score("binary", np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss([0, 1], [[0.0, 1.0], [0.0, 1.0]]))


def test_the_same_seed_gives_the_same_interval_and_another_does_not():
    actual, outputs = regression_case(100)
    assert score("regression", actual, outputs, seed=1) == score("regression", actual, outputs, seed=1)
    assert score("regression", actual, outputs, seed=1) != score("regression", actual, outputs, seed=2)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        error = generator.normal(size=200)
        found = score("regression", np.zeros(200) + generator.normal(size=200), error, resamples=300)["mae"]
        held += found.low <= 2 / np.sqrt(np.pi) <= found.high
    assert 88 <= held <= 99


def test_twenty_thousand_rows_take_about_a_second():
    actual, outputs = class_case(20_000, 2)
    start = time.process_time()
    score("binary", actual, outputs)
    assert time.process_time() - start < 6.0  # about one second alone; generous to a busy machine


@given(st.integers(1, 500), st.data())
@settings(max_examples=50, deadline=None)
def test_wilson_stays_within_the_unit_interval_and_around_the_fraction(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = wilson(successes, trials)
    assert 0.0 <= low <= successes / trials <= high <= 1.0
    assert low < high


def test_wilson_matches_scipy():
    from scipy.stats import binomtest

    expected = binomtest(83, 100).proportion_ci(0.95, method="wilson")
    assert wilson(83, 100) == pytest.approx((expected.low, expected.high))


def test_no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score("multiclass", np.array([0, 1, 2, 0]), np.eye(3)[[0, 1, 1, 0]])
        score("binary", np.array([0, 0]), np.array([[0.1, 0.9], [0.9, 0.1]]))


@pytest.mark.parametrize(
    ("actual", "outputs", "problem", "fix"),
    [
        (np.array([]), np.array([]), "no rows to score", "add rows"),
        (np.array([1.0, 2.0]), np.array([1.0]), r"shape \(1,\) for 2 rows", "predict again"),
        (np.array([1.0, np.nan]), np.array([1.0, 1.0]), "row 2 has", "drop rows whose target is missing"),
        (np.array([1.0]), np.array([np.inf]), "row 1 has", "train again"),
    ],
)
def test_bad_arrays_are_refused(actual, outputs, problem, fix):
    with pytest.raises(DataError, match=problem) as caught:
        score("regression", actual, outputs)
    assert fix in caught.value.fix


def test_a_class_code_out_of_range_is_refused():
    with pytest.raises(DataError, match="class codes from -1 to 1 for 2 classes") as caught:
        score("binary", np.array([-1, 1]), np.full((2, 2), 0.5))
    assert "predict again" in caught.value.fix


def test_leading_metric():
    assert [leading_metric(task) for task in ("binary", "multiclass", "regression")] == ["accuracy", "accuracy", "rmse"]
