"""Everything that `metrics.json` says, from the predictions on the test rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from glasshouse.core.errors import DataError
from glasshouse.core.records import Calibration, Diagnostics, Metrics, Mistake, RowCounts, Scores, Task
from glasshouse.evaluation.arrays import Array, Integers, check_outputs, row_log_loss, true_probability
from glasshouse.evaluation.calibration import expected_calibration_error, reliability_bins
from glasshouse.evaluation.conformal import CONFIDENCES, measure_coverage
from glasshouse.evaluation.scores import leading_metric, score
from glasshouse.model.uncertainty import Uncertainty

MOST_POINTS = 2000  # of the scatter
MOST_MISTAKES = 10
MOST_VALUES = 6  # columns shown with a mistake
MOST_CONFUSED = 50  # classes; a larger confusion matrix cannot be read
_LONGEST = 60  # characters of a value in the report
_ERROR_BINS = 40
_PROBABILITY_BINS = 20


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The test rows and what each contender said about them.

    Args:
        task: regression, binary or multiclass.
        target: name of the target column.
        classes: their labels in code order; empty for regression.
        actual: (rows,) float64 values, or int64 class codes.
        outputs: the ensemble, as a user gets it: (rows,) or (rows, classes) after the temperature.
        uncalibrated: the ensemble before the temperature; the same array for regression.
        spread: (rows,) disagreement of the members.
        best_single: outputs of the one best member.
        naive: outputs of the naive baseline.
        linear: outputs of the linear model.
        uncertainty: as fitted on the calibration rows.
        row_numbers: (rows,) int64, where the rows stand in the file, from 1.
        table: the test rows' used columns, most telling first; six are shown beside a mistake.
        counts: rows of every part of the split.
        seconds: of training.
        members: networks in the pack.
        seed: of the bootstrap and of the drawn sample.
        warnings: what the run already has to say.
    """

    task: Task
    target: str
    classes: tuple[str, ...]
    actual: NDArray[Any]
    outputs: Array
    uncalibrated: Array
    spread: Array
    best_single: Array
    naive: Array
    linear: Array
    uncertainty: Uncertainty
    row_numbers: Integers
    table: pl.DataFrame
    counts: RowCounts
    seconds: float
    members: int
    seed: int = 0
    warnings: tuple[str, ...] = ()


def judge(facts: Judged) -> Metrics:
    """Scores, coverage, calibration and the pictures' numbers, all from one set of predictions.

    Args:
        facts: the test rows and what each contender said about them.

    Returns:
        What `metrics.json` holds.

    Raises:
        DataError: no test rows, or arrays that do not belong together.
    """
    _check(facts)

    def scores(outputs: Array) -> Scores:
        # One seed for all: contenders meet on the same resamples, so their intervals can be compared.
        return score(facts.task, facts.actual, outputs, seed=facts.seed)

    coverage = measure_coverage(facts.task, facts.actual, facts.outputs, facts.spread, facts.uncertainty)
    return Metrics(
        task=facts.task,
        target=facts.target,
        metric=leading_metric(facts.task),
        rows=facts.counts,
        seconds=facts.seconds,
        members=facts.members,
        baseline=scores(facts.naive),
        linear=scores(facts.linear),
        best_single=scores(facts.best_single),
        ensemble=scores(facts.outputs),
        classes=facts.classes,
        coverage=coverage,
        calibration=None if facts.task == "regression" else _calibration(facts),
        diagnostics=_diagnostics(facts),
        warnings=facts.warnings + _coverage_warnings(facts, {one.confidence for one in coverage}),
    )


def _check(facts: Judged) -> None:
    for outputs in (facts.outputs, facts.uncalibrated, facts.best_single, facts.naive, facts.linear):
        check_outputs(facts.task, facts.actual, outputs)
    lengths = {len(facts.actual), len(facts.spread), len(facts.row_numbers), facts.table.height}
    width = facts.outputs.shape[1] if facts.outputs.ndim == 2 else 0
    if len(lengths) > 1 or width != len(facts.classes):
        raise DataError(
            f"test rows of different lengths: {sorted(lengths)}, {width} outputs for {len(facts.classes)} classes",
            where="evaluation.judge",
            expected="one entry a test row in every array, one output a class",
            fix="hand in the arrays of the same rows",
        )


def _coverage_warnings(facts: Judged, measured: set[float]) -> tuple[str, ...]:
    unpromised = [confidence for confidence in CONFIDENCES if confidence not in measured]
    if not unpromised:
        return ()
    most = ", ".join(f"{100 * confidence:g} %" for confidence in unpromised)
    what, shown = ("intervals", "infinite") if facts.task == "regression" else ("label sets", "all classes")
    needed = math.ceil(max(unpromised) / (1 - max(unpromised)) - 1e-9)
    return (
        f"{facts.uncertainty.num_rows} calibration rows are too few to promise {what} at {most}: "
        f"they are {shown}; at least {needed} rows are needed",
    )


def _calibration(facts: Judged) -> Calibration:
    return Calibration(
        temperature=facts.uncertainty.temperature,
        accepted=facts.uncertainty.temperature != 1.0,
        log_loss_before=float(row_log_loss(facts.actual, facts.uncalibrated).mean()),
        log_loss_after=float(row_log_loss(facts.actual, facts.outputs).mean()),
        error_before=expected_calibration_error(facts.uncalibrated, facts.actual),
        error_after=expected_calibration_error(facts.outputs, facts.actual),
        bins=reliability_bins(facts.outputs, facts.actual, num_bins=10),
    )


def _diagnostics(facts: Judged) -> Diagnostics:
    if facts.task == "regression":
        error = facts.outputs - facts.actual
        edges, counts = _error_histogram(error)
        return Diagnostics(
            scatter=_scatter(facts),
            error_edges=edges,
            error_counts=counts,
            mistakes=_mistakes(facts, error, np.abs(error)),
        )
    losses = row_log_loss(facts.actual, facts.outputs)
    edges, counts = _histogram(
        true_probability(facts.actual, facts.outputs), np.linspace(0.0, 1.0, _PROBABILITY_BINS + 1)
    )
    return Diagnostics(
        error_edges=edges, error_counts=counts, confusion=_confusion(facts), mistakes=_mistakes(facts, losses, losses)
    )


def _scatter(facts: Judged) -> tuple[tuple[float, float], ...]:
    rows = np.arange(len(facts.actual))
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.default_rng(facts.seed).choice(rows, MOST_POINTS, replace=False))
    return tuple(zip(facts.actual[rows].tolist(), facts.outputs[rows].tolist(), strict=True))


def _error_histogram(error: Array) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Bins over the middle 99 % of the errors; rarer ones are counted in the outermost bins."""
    low, high = (float(bound) for bound in np.quantile(error, [0.005, 0.995]))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _ERROR_BINS + 1)
    return _histogram(np.clip(error, edges[0], edges[-1]), edges)


def _histogram(values: Array, edges: Array) -> tuple[tuple[float, ...], tuple[int, ...]]:
    counts, _ = np.histogram(values, edges)
    return tuple(edges.tolist()), tuple(counts.tolist())


def _confusion(facts: Judged) -> tuple[tuple[int, ...], ...]:
    num_classes = len(facts.classes)
    if num_classes > MOST_CONFUSED:
        return ()
    codes = facts.actual * num_classes + facts.outputs.argmax(axis=1)
    table = np.bincount(codes, minlength=num_classes**2).reshape(num_classes, num_classes)
    return tuple(tuple(row) for row in table.tolist())


def _mistakes(facts: Judged, error: Array, badness: Array) -> tuple[Mistake, ...]:
    """The rows with the largest loss; for classes, only rows that were answered wrongly."""
    order = np.argsort(-badness, kind="stable")
    if facts.task == "regression":
        order = order[badness[order] > 0]
    else:
        order = order[facts.outputs.argmax(axis=1)[order] != facts.actual[order]]
    columns = facts.table.columns[:MOST_VALUES]
    mistakes = []
    for row in order[:MOST_MISTAKES].tolist():
        values = facts.table.select(columns).row(row, named=True) if columns else {}
        mistakes.append(
            Mistake(
                row=int(facts.row_numbers[row]),
                actual=_answer(facts, facts.actual[row]),
                predicted=_answer(facts, facts.outputs[row], float(error[row])),
                error=float(error[row]),
                values={name: _shown(value) for name, value in values.items()},
            )
        )
    return tuple(mistakes)


def _answer(facts: Judged, given: Any, error: float = 0.0) -> str:
    """A label, or a number; a predicted number is rounded to three digits of its error."""
    if facts.task == "regression":
        value = float(given)
        places = 2 - math.floor(math.log10(abs(error))) if error else 12
        return f"{value if places > 12 else round(value, places):.10g}"
    return facts.classes[int(given) if np.ndim(given) == 0 else int(np.argmax(given))]


def _shown(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
