"""How sure a prediction is: temperature for probabilities, split-conformal intervals and label sets.

The numbers are fitted by `evaluation.conformal` on the calibration rows, which neither train nor select the network,
and travel in the model file. NumPy only: a server needs this file without PyTorch.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from glasshouse.core.errors import ModelFileError, SettingsError
from glasshouse.core.records import Record

Array = NDArray[np.float64]

MOST_SCORES = 10_000  # stored in a model file; more are thinned to quantiles


class Uncertainty(Record, frozen=True):
    """What was learnt on the calibration rows about how far predictions are off.

    Args:
        temperature: what the logarithms of the class probabilities are divided by; 1 changes nothing.
        scores: sorted nonconformity scores of the calibration rows, at most 10,000 of them.
            Regression: error / (spread + floor); classification: 1 - probability of the true class.
        num_rows: calibration rows behind the scores; more than `len(scores)` where they were thinned.
        floor: added to the spread, in the target's unit, so that agreeing members never promise an exact answer.

    Raises:
        ModelFileError: a number is out of range or the scores are not sorted.
    """

    temperature: float = 1.0
    scores: tuple[float, ...] = ()
    num_rows: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise _broken("temperature", self.temperature, "a finite number above 0")
        if not (math.isfinite(self.floor) and self.floor >= 0):
            raise _broken("floor", self.floor, "a finite number, 0 or above")
        if self.num_rows < len(self.scores) or (self.num_rows > 0 and not self.scores):
            raise _broken("num_rows", self.num_rows, f"at least the number of scores, {len(self.scores)}")
        scores = np.asarray(self.scores, dtype=np.float64)
        if len(scores) > MOST_SCORES:
            raise _broken("scores", f"{len(scores):,} numbers", f"at most {MOST_SCORES:,}")
        if not (np.isfinite(scores).all() and (scores >= 0).all() and (np.diff(scores) >= 0).all()):
            raise _broken("scores", "not a rising list", "finite numbers from 0, in rising order")


def apply_temperature(probabilities: Array, temperature: float) -> Array:
    """Makes probabilities bolder (temperature below 1) or more careful (above 1); the most likely class stays.

    Args:
        probabilities: (rows, classes), every row sums to 1.
        temperature: above 0.

    Returns:
        (rows, classes): softmax(log p / temperature); the input itself where the temperature is 1.

    Source:
        Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2. A probability of exactly 0 counts
        as the smallest normal float64, so that it can grow again.

    Example:
        >>> apply_temperature(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
        [[0.667, 0.333]]
    """
    if temperature == 1.0:
        return probabilities
    logits = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    calibrated: Array = powers / powers.sum(axis=1, keepdims=True)
    return calibrated


def conformal_quantile(uncertainty: Uncertainty, confidence: float) -> float:
    """The score that a new row stays below with at least the promised probability.

    Args:
        uncertainty: of n calibration rows.
        confidence: in (0, 1).

    Returns:
        The score of rank ceil((n + 1) * confidence); infinity where that rank is above n, which says that n rows
        cannot promise this much (90 % needs 9 rows, 95 % needs 19).

    Raises:
        SettingsError: the confidence is not strictly between 0 and 1.

    Source:
        Vovk et al. 2005; Lei et al. 2018, Distribution-Free Predictive Inference for Regression, section 2.2.
        Thinned scores are read at the next stored rank above, so thinning widens and never narrows.
    """
    if not 0 < confidence < 1:
        raise SettingsError(
            f"a confidence of {confidence:g} cannot be promised",
            where="confidence",
            expected="a fraction above 0 and below 1",
            fix="--interval 0.9",
        )
    num_rows, num_stored = uncertainty.num_rows, len(uncertainty.scores)
    # The confidence as it is written: 10 times the float 0.9 is a little more than 9 in some roundings.
    rank = math.ceil((num_rows + 1) * Fraction(str(confidence)))
    if rank > num_rows:
        return math.inf
    return uncertainty.scores[-(-rank * num_stored // num_rows) - 1]


def interval(outputs: Array, spread: Array, uncertainty: Uncertainty, confidence: float) -> Array:
    """The range that holds the true value of a new row with the promised probability.

    The promise is an average over rows that are like the calibration rows; it is not kept for every kind of row alone,
    nor when the world has changed since.

    Args:
        outputs: (rows,) predictions in the target's unit.
        spread: (rows,) how much the members disagree, in the target's unit.
        uncertainty: as fitted on the calibration rows.
        confidence: in (0, 1).

    Returns:
        (rows, 2) lower and upper bound. Both are infinite where there were too few calibration rows to promise
        anything at this confidence (fewer than 9 for 90 %, fewer than 19 for 95 %).

    Raises:
        SettingsError: the confidence is not strictly between 0 and 1.

    Example:
        >>> known = Uncertainty(scores=tuple(float(i) for i in range(1, 10)), num_rows=9, floor=1.0)
        >>> interval(np.array([100.0]), np.array([0.0]), known, 0.9).tolist()
        [[91.0, 109.0]]
    """
    quantile = conformal_quantile(uncertainty, confidence)
    if math.isinf(quantile):
        half = np.full(len(outputs), math.inf)  # infinity * 0 would be nan
    else:
        half = quantile * (spread + uncertainty.floor)
    return np.column_stack([outputs - half, outputs + half])


def label_sets(probabilities: Array, uncertainty: Uncertainty, confidence: float) -> NDArray[np.bool_]:
    """The classes that a row may belong to: together they hold the true one with the promised probability.

    Args:
        probabilities: (rows, classes), after `apply_temperature`.
        uncertainty: as fitted on the calibration rows.
        confidence: in (0, 1).

    Returns:
        (rows, classes), True where the class is in the set. The most likely class always is; every class is where
        there were too few calibration rows.

    Raises:
        SettingsError: the confidence is not strictly between 0 and 1.

    Source:
        Sadinle et al. 2019, Least Ambiguous Set-Valued Classifiers. We add the most likely class to an empty set,
        which can only raise the coverage.

    Example:
        >>> known = Uncertainty(scores=tuple(i / 10 for i in range(1, 10)), num_rows=9)
        >>> label_sets(np.array([[0.7, 0.2, 0.1]]), known, 0.8).tolist()
        [[True, True, False]]
    """
    sets: NDArray[np.bool_] = 1.0 - probabilities <= conformal_quantile(uncertainty, confidence)
    sets[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return sets


def thin_scores(scores: Array, most: int = MOST_SCORES) -> tuple[float, ...]:
    """Sorted scores, at most so many: number i stands for rank ceil((i + 1) * n / most) of all n.

    The largest is always kept, so every promise that all n rows could make can still be made.
    """
    ordered = np.sort(scores)
    if len(ordered) > most:
        ranks = -(-np.arange(1, most + 1) * len(ordered) // most)
        ordered = ordered[ranks - 1]
    return tuple(ordered.tolist())


def _broken(field: str, value: object, expected: str) -> ModelFileError:
    return ModelFileError(
        f"uncertainty.{field} is {value}",
        where="the model's uncertainty",
        expected=expected,
        fix="train the model again, or fetch the file again",
    )
