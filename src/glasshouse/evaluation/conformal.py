"""Fitting what `model.uncertainty` applies, and measuring whether its promises hold on the test rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasshouse.core.records import Coverage, Task
from glasshouse.evaluation.arrays import Array, check_outputs, true_probability
from glasshouse.evaluation.calibration import fit_temperature
from glasshouse.evaluation.scores import wilson
from glasshouse.model.uncertainty import (
    Uncertainty,
    apply_temperature,
    conformal_quantile,
    interval,
    label_sets,
    thin_scores,
)

CONFIDENCES = (0.8, 0.9, 0.95)


def conformity_scores(task: Task, actual: NDArray[Any], outputs: Array, spread: Array, floor: float) -> Array:
    """How unusual each row's true answer looks beside its prediction; larger is stranger.

    Args:
        task: regression, binary or multiclass.
        actual: (rows,) values, or class codes.
        outputs: (rows,) predictions, or (rows, classes) calibrated probabilities.
        spread: (rows,) disagreement of the members; not used for classes.
        floor: added to the spread; not used for classes.

    Returns:
        (rows,): |error| / (spread + floor), or 1 - probability of the true class.

    Raises:
        DataError: no rows, mismatched shapes, or numbers that are not finite.

    Source:
        Lei et al. 2018, section 5.2 (locally weighted residuals); Sadinle et al. 2019 (least ambiguous sets).
    """
    check_outputs(task, actual, outputs)
    if task == "regression":
        return np.abs(actual - outputs) / (spread + floor)
    return 1.0 - true_probability(actual, outputs)


def fit_uncertainty(task: Task, actual: NDArray[Any], outputs: Array, spread: Array, seed: int) -> Uncertainty:
    """Learns from the calibration rows how far predictions are off.

    Args:
        task: regression, binary or multiclass.
        actual: (rows,) values, or class codes, of rows that neither trained nor selected the network.
        outputs: (rows,) predictions, or (rows, classes) probabilities before any temperature.
        spread: (rows,) disagreement of the members, in the target's unit.
        seed: of the temperature's cross-fitting.

    Returns:
        The fitted record; without rows, one that changes nothing and promises nothing.

    Raises:
        DataError: mismatched shapes, or numbers that are not finite.
    """
    if len(actual) == 0:
        return Uncertainty()
    check_outputs(task, actual, outputs)
    temperature, floor = 1.0, 0.0
    if task == "regression":
        floor = _floor(spread)
    else:
        temperature, _ = fit_temperature(outputs, actual, seed)
        outputs = apply_temperature(outputs, temperature)
    scores = np.maximum(conformity_scores(task, actual, outputs, spread, floor), 0.0)
    return Uncertainty(temperature=temperature, scores=thin_scores(scores), num_rows=len(scores), floor=floor)


def measure_coverage(
    task: Task,
    actual: NDArray[Any],
    outputs: Array,
    spread: Array,
    uncertainty: Uncertainty,
    confidences: tuple[float, ...] = CONFIDENCES,
) -> tuple[Coverage, ...]:
    """Whether the promised intervals (or label sets) hold the truth as often as they say.

    Args:
        task: regression, binary or multiclass.
        actual: (rows,) of the test rows.
        outputs: (rows,) or (rows, classes) after the temperature.
        spread: (rows,) disagreement of the members.
        uncertainty: as fitted on the calibration rows.
        confidences: the promises to measure, each in (0, 1).

    Returns:
        One record a promise, with Wilson's 95 % interval around the measured fraction. A promise that the
        calibration rows are too few for is left out: its intervals would be infinite.

    Raises:
        DataError: no rows, mismatched shapes, or numbers that are not finite.
        SettingsError: a confidence is not strictly between 0 and 1.
    """
    check_outputs(task, actual, outputs)
    measured = []
    for confidence in confidences:
        if math.isinf(conformal_quantile(uncertainty, confidence)):
            continue
        if task == "regression":
            bounds = interval(outputs, spread, uncertainty, confidence)
            held = (bounds[:, 0] <= actual) & (actual <= bounds[:, 1])
            size = float(np.mean(bounds[:, 1] - bounds[:, 0]))
        else:
            sets = label_sets(outputs, uncertainty, confidence)
            held = sets[np.arange(len(actual)), actual]
            size = float(sets.sum(axis=1).mean())
        low, high = wilson(int(held.sum()), len(held))
        measured.append(Coverage(confidence=confidence, covered=float(held.mean()), low=low, high=high, size=size))
    return tuple(measured)


def _floor(spread: Array) -> float:
    """The typical spread: half of a usual interval's width then follows the members, half is the same for all rows."""
    typical = float(np.median(spread)) or float(np.mean(spread))
    return typical if typical > 0 else 1.0
