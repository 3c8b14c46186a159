"""Temperature, intervals and label sets by hand, by brute force and by property."""

from __future__ import annotations

import math
import subprocess
import sys
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from glasshouse.core.errors import ModelFileError, SettingsError
from glasshouse.model.uncertainty import (
    MOST_SCORES,
    Uncertainty,
    apply_temperature,
    conformal_quantile,
    interval,
    label_sets,
    thin_scores,
)


def known(num_rows: int, floor: float = 0.0) -> Uncertainty:
    return Uncertainty(scores=tuple(float(i + 1) for i in range(num_rows)), num_rows=num_rows, floor=floor)


@given(st.floats(0.05, 20.0), st.integers(2, 6), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_temperature_keeps_the_order_and_the_sum(temperature, classes, seed):
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(classes), 5)
    calibrated = apply_temperature(probabilities, temperature)
    assert calibrated.sum(axis=1) == pytest.approx(np.ones(5))
    assert (calibrated.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    assert apply_temperature(calibrated, 1 / temperature) == pytest.approx(probabilities, abs=1e-6)


def test_temperature_one_changes_no_bit_and_zeros_stay_finite():
    probabilities = np.array([[1.0, 0.0], [0.3, 0.7]])
    assert apply_temperature(probabilities, 1.0) is probabilities
    assert np.isfinite(apply_temperature(probabilities, 0.05)).all()
    assert np.isfinite(apply_temperature(probabilities, 20.0)).all()
    assert apply_temperature(probabilities, 20.0)[0, 0] < 1.0


@given(st.integers(1, 400), st.floats(0.01, 0.99))
@example(99, 0.010000000000000002)  # a little more than the first row promises
@settings(max_examples=100, deadline=None)
def test_the_rank_is_the_textbooks(num_rows, confidence):
    enough = [rank for rank in range(1, num_rows + 1) if Decimal(rank) >= (num_rows + 1) * Decimal(str(confidence))]
    assert conformal_quantile(known(num_rows), confidence) == min(enough, default=math.inf)


@pytest.mark.parametrize(("num_rows", "confidence"), [(9, 0.9), (19, 0.95), (99, 0.99), (4, 0.8)])
def test_exactly_enough_rows_promise_and_one_fewer_do_not(num_rows, confidence):
    assert conformal_quantile(known(num_rows), confidence) == num_rows
    bounds = interval(np.array([5.0]), np.array([0.0]), known(num_rows - 1), confidence)
    assert bounds.tolist() == [[-math.inf, math.inf]]
    assert label_sets(np.array([[0.9, 0.1, 0.0]]), known(num_rows - 1), confidence).all()


def test_nothing_known_promises_nothing():
    assert np.isinf(interval(np.zeros(2), np.zeros(2), Uncertainty(), 0.5)).all()


def test_width_is_score_times_spread_and_floor():
    bounds = interval(np.array([10.0, 20.0]), np.array([0.0, 3.0]), known(9, floor=2.0), 0.5)
    assert bounds.tolist() == [[0.0, 20.0], [-5.0, 45.0]]


def test_label_sets_hold_likely_labels_and_are_never_empty():
    unsure = Uncertainty(scores=(0.1,) * 20, num_rows=20)
    sets = label_sets(np.array([[0.4, 0.35, 0.25], [0.95, 0.03, 0.02]]), unsure, 0.9)
    assert sets.tolist() == [[True, False, False], [True, False, False]]
    wide = Uncertainty(scores=(0.7,) * 20, num_rows=20)
    assert label_sets(np.array([[0.4, 0.35, 0.25]]), wide, 0.9).tolist() == [[True, True, False]]


def test_thinned_scores_promise_no_less_and_hardly_more():
    scores = np.random.default_rng(0).gamma(2.0, size=43_210)
    full = np.sort(scores)
    thinned = thin_scores(scores)
    assert len(thinned) == MOST_SCORES
    assert thinned[-1] == full[-1]
    record = Uncertainty(scores=thinned, num_rows=len(scores))
    for confidence in np.linspace(0.001, 0.9999, 500):
        rank = math.ceil((len(scores) + 1) * confidence - 1e-9)
        found = conformal_quantile(record, float(confidence))
        assert full[rank - 1] <= found <= full[min(rank + 4, len(full) - 1)]


def test_few_scores_are_only_sorted():
    assert thin_scores(np.array([3.0, 1.0, 2.0])) == (1.0, 2.0, 3.0)


def test_it_survives_json():
    record = Uncertainty(temperature=1.3, scores=(0.1, 0.5), num_rows=2, floor=0.2)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Uncertainty) == record


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"temperature": -1242.0}, "uncertainty.temperature is -1242"),
        ({"temperature": math.nan}, "uncertainty.temperature is nan"),
        ({"floor": -1.0}, "uncertainty.floor is -1"),
        ({"scores": (1.0,), "num_rows": 0}, "uncertainty.num_rows is 0"),
        ({"num_rows": 3}, "uncertainty.num_rows is 3"),
        ({"scores": (2.0, 1.0), "num_rows": 2}, "uncertainty.scores is not a rising list"),
        ({"scores": (math.inf,), "num_rows": 1}, "uncertainty.scores is not a rising list"),
        ({"scores": (-1.0,), "num_rows": 1}, "uncertainty.scores is not a rising list"),
        ({"scores": (0.5,) * (MOST_SCORES + 1), "num_rows": MOST_SCORES + 1}, "uncertainty.scores is 10,001 numbers"),
    ],
)
def test_a_broken_record_is_refused(fields, problem):
    with pytest.raises(ModelFileError, match=problem) as caught:
        Uncertainty(**fields)
    assert caught.value.fix == "train the model again, or fetch the file again"


@pytest.mark.parametrize("confidence", [0.0, 1.0, 90.0, math.nan])
def test_an_impossible_confidence_is_refused(confidence):
    with pytest.raises(SettingsError, match=f"a confidence of {confidence:g}") as caught:
        interval(np.zeros(1), np.zeros(1), known(10), confidence)
    assert caught.value.fix == "--interval 0.9"


def test_it_needs_no_torch():
    code = (
        "import importlib.util as u, sys, glasshouse.core.records; import pathlib; "
        "s = u.find_spec('glasshouse.core.records'); "
        "p = pathlib.Path(s.origin).parents[1] / 'model' / 'uncertainty.py'; "
        "m = u.spec_from_file_location('alone', p); o = u.module_from_spec(m); sys.modules['alone'] = o; "
        "m.loader.exec_module(o); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
