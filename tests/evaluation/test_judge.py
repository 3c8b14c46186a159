"""One record of metrics from the arrays of a run, checked number by number."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

from glasshouse.core.errors import DataError
from glasshouse.core.records import Metrics, RowCounts
from glasshouse.evaluation.baselines import naive_outputs
from glasshouse.evaluation.conformal import fit_uncertainty
from glasshouse.evaluation.judge import Judged, judge
from glasshouse.evaluation.scores import score
from glasshouse.model.uncertainty import Uncertainty, apply_temperature


def regression_facts(rows: int = 300) -> Judged:
    generator = np.random.default_rng(0)
    actual = generator.normal(size=rows) * 100
    outputs = actual + generator.normal(size=rows) * 10
    spread = generator.gamma(2.0, 2.0, rows)
    return Judged(
        task="regression", target="price", classes=(), actual=actual, outputs=outputs, uncalibrated=outputs,
        spread=spread, best_single=outputs + 1, naive=naive_outputs("regression", actual, rows, 0),
        linear=outputs * 0.9, uncertainty=fit_uncertainty("regression", actual, outputs, spread, seed=0),
        row_numbers=np.arange(rows) * 2 + 1,
        table=pl.DataFrame({f"c{i}": [f"{i}<{j}>" * 30 if i == 0 else j / 3 for j in range(rows)] for i in range(8)}),
        counts=RowCounts(train=900, validation=100, calibration=rows, test=rows), seconds=12.5, members=8,
    )  # fmt: skip


def class_facts(rows: int = 400, classes: int = 3) -> Judged:
    generator = np.random.default_rng(0)
    actual = generator.integers(0, classes, rows)
    logits = generator.normal(size=(rows, classes))
    logits[np.arange(rows), actual] += 1.5
    raw = np.exp(logits * 3) / np.exp(logits * 3).sum(axis=1, keepdims=True)
    known = fit_uncertainty("multiclass", actual, raw, np.zeros(rows), seed=0)
    return Judged(
        task="binary" if classes == 2 else "multiclass", target="kind", classes=("ant", "bee", "cat", "dog")[:classes],
        actual=actual, outputs=apply_temperature(raw, known.temperature), uncalibrated=raw, spread=np.zeros(rows),
        best_single=raw, naive=naive_outputs("multiclass", actual, rows, classes), linear=raw, uncertainty=known,
        row_numbers=np.arange(rows) + 1, table=pl.DataFrame({"size": np.arange(rows)}),
        counts=RowCounts(train=900, validation=100, calibration=rows, test=rows), seconds=1.0, members=4,
        warnings=("one member stopped early",),
    )  # fmt: skip


@pytest.mark.parametrize("facts", [regression_facts(), class_facts(), class_facts(classes=2)])
def test_metrics_survive_json_with_every_number_finite(facts):
    metrics = judge(facts)
    text = msgspec.json.encode(metrics)
    assert msgspec.json.decode(text, type=Metrics) == metrics
    assert b"null" not in text.replace(b'"calibration":null', b"")
    assert metrics.ensemble == score(facts.task, facts.actual, facts.outputs)
    assert len(metrics.coverage) == 3


def test_the_largest_errors_come_first_with_their_row_and_values():
    facts = regression_facts()
    mistakes = judge(facts).diagnostics.mistakes
    error = facts.outputs - facts.actual
    worst = int(np.argmax(np.abs(error)))
    assert len(mistakes) == 10
    assert mistakes[0].row == facts.row_numbers[worst]
    assert mistakes[0].error == error[worst]
    assert float(mistakes[0].actual) == pytest.approx(facts.actual[worst])
    assert abs(float(mistakes[0].predicted) - facts.outputs[worst]) <= abs(error[worst]) / 100
    assert list(mistakes[0].values) == ["c0", "c1", "c2", "c3", "c4", "c5"]
    assert mistakes[0].values["c0"] == (f"0<{worst}>" * 30)[:59] + "…"
    assert mistakes[0].values["c1"] == f"{worst / 3:.6g}"


def test_only_wrong_answers_are_mistakes_of_a_classifier():
    facts = class_facts()
    wrong = facts.outputs.argmax(axis=1) != facts.actual
    mistakes = judge(facts).diagnostics.mistakes
    losses = -np.log(facts.outputs[np.arange(400), facts.actual])
    assert mistakes[0].error == pytest.approx(losses[wrong].max())
    assert all(one.actual != one.predicted for one in mistakes)
    perfect = np.eye(3)[facts.actual]
    assert judge(replace(facts, outputs=perfect)).diagnostics.mistakes == ()


def test_pictures_count_every_row():
    metrics = judge(regression_facts())
    assert sum(metrics.diagnostics.error_counts) == 300
    assert len(metrics.diagnostics.scatter) == 300
    facts = class_facts()
    diagnostics = judge(facts).diagnostics
    assert sum(diagnostics.error_counts) == 400
    from sklearn.metrics import confusion_matrix

    assert (
        np.array(diagnostics.confusion).tolist()
        == confusion_matrix(facts.actual, facts.outputs.argmax(axis=1)).tolist()
    )


def test_an_exact_model_and_a_long_table_are_drawn():
    facts = regression_facts(2500)
    assert len(judge(facts).diagnostics.scatter) == 2000
    exact = judge(replace(facts, outputs=facts.actual))
    assert sum(exact.diagnostics.error_counts) == 2500
    assert exact.diagnostics.mistakes == ()


def test_calibration_says_what_the_temperature_did():
    facts = class_facts()
    found = judge(facts).calibration
    assert found is not None
    assert found.accepted
    assert found.temperature == facts.uncertainty.temperature > 1.2
    assert found.log_loss_after < found.log_loss_before
    assert found.error_after < found.error_before
    assert sum(rows for _, _, rows in found.bins) == 400
    assert judge(regression_facts()).calibration is None


def test_promises_that_cannot_be_kept_are_warned_about():
    facts = regression_facts()
    short = Uncertainty(scores=tuple(float(i) for i in range(10)), num_rows=10, floor=1.0)
    metrics = judge(replace(facts, uncertainty=short, warnings=("first",)))
    assert [one.confidence for one in metrics.coverage] == [0.8, 0.9]
    assert metrics.warnings == (
        "first",
        "10 calibration rows are too few to promise intervals at 95 %: they are infinite; at least 19 rows are needed",
    )


def test_many_classes_have_no_confusion_matrix():
    rows = 60
    outputs = np.full((rows, 51), 1 / 51)
    facts = replace(
        class_facts(rows), classes=tuple(f"k{i}" for i in range(51)), outputs=outputs, uncalibrated=outputs,
        best_single=outputs, naive=outputs, linear=outputs,
    )  # fmt: skip
    assert judge(facts).diagnostics.confusion == ()


def test_arrays_of_other_rows_are_refused():
    facts = regression_facts()
    with pytest.raises(DataError, match=r"lengths: \[5, 300\]") as caught:
        judge(replace(facts, spread=np.zeros(5)))
    assert caught.value.fix == "hand in the arrays of the same rows"
    with pytest.raises(DataError, match="3 outputs for 2 classes"):
        judge(replace(class_facts(), classes=("a", "b")))
    with pytest.raises(DataError, match=r"shape \(3,\) for 300 rows"):
        judge(replace(facts, linear=np.zeros(3)))
