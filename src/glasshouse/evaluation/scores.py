"""Scores of a model on rows it has not seen, each with a 95 % bootstrap interval.

The values are scikit-learn's. The intervals resample the rows with replacement; because every score here is a
function of weighted sums over rows (or of weighted counts), a resample is a vector of row weights and needs no
second call of scikit-learn: 1,000 resamples of 20,000 rows take about half a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from glasshouse.core.records import Score, Scores, Task
from glasshouse.evaluation.arrays import Array, Integers, check_outputs, row_log_loss

Statistic = Callable[[Array], Array]  # weights (resamples, rows) -> values (resamples,)

_Z95 = 1.959963984540054  # of the normal distribution, two-sided 95 %
_DRAWS = 4e7  # most random draws for one set of scores, about a second
_AUC_CELLS = 2e7  # most rows * classes * resamples of the area under the curve
_CHUNK_CELLS = 1_000_000  # weights held in memory at a time


def leading_metric(task: Task) -> str:
    """The score that leads every table: accuracy for classes, root mean squared error for numbers."""
    return "rmse" if task == "regression" else "accuracy"


def score(task: Task, actual: NDArray[Any], outputs: Array, *, resamples: int = 1000, seed: int = 0) -> Scores:
    """Every score of one set of predictions, with 95 % percentile-bootstrap intervals.

    A score that the rows cannot answer is left out, never nan: `roc_auc` where a class is absent from the rows,
    `f1` of two classes where the second is absent, `r2` where all targets are equal.

    Args:
        task: regression, binary or multiclass.
        actual: (rows,) float64 values in the target's unit, or int64 class codes.
        outputs: (rows,) float64 predictions, or (rows, classes) float64 probabilities.
        resamples: bootstrap resamples; fewer are drawn above 40,000 rows, and for `roc_auc` with many classes.
        seed: of the resampling.

    Returns:
        Classification: accuracy, log_loss (nats a row), roc_auc (many classes: each against the rest, averaged),
        f1 (two classes: of the second class in sorted order; many classes: averaged over classes).
        Regression: rmse and mae in the target's unit, r2.
        Where a model is right (or wrong) on every row, the bootstrap cannot see any doubt; accuracy then gets
        Wilson's interval.

    Raises:
        DataError: no rows, mismatched shapes, or numbers that are not finite.

    Example:
        >>> found = score("binary", np.array([0, 1, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]))
        >>> found["accuracy"].value
        0.75
    """
    check_outputs(task, actual, outputs)
    values = _regression_values(actual, outputs) if task == "regression" else _class_values(task, actual, outputs)
    samples = bootstrap(_statistics(task, actual, outputs, values), len(actual), resamples, seed)
    scores = {name: _with_interval(value, samples[name]) for name, value in values.items()}
    if values.get("accuracy") in (0.0, 1.0):
        low, high = wilson(round(values["accuracy"] * len(actual)), len(actual))
        scores["accuracy"] = Score(value=values["accuracy"], low=low, high=high)
    return scores


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """A 95 % interval for a fraction that holds up near 0 and 1 and for few trials.

    Source:
        Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference.

    Example:
        >>> [round(bound, 3) for bound in wilson(114, 114)]
        [0.967, 1.0]
    """
    fraction, shrink = successes / trials, _Z95**2 / trials
    middle = (fraction + shrink / 2) / (1 + shrink)
    half = _Z95 / (1 + shrink) * math.sqrt(fraction * (1 - fraction) / trials + shrink / trials / 4)
    # At both ends the bound is 0 or 1 exactly; floating point may miss it by a hair.
    low = 0.0 if successes == 0 else max(middle - half, 0.0)
    high = 1.0 if successes == trials else min(middle + half, 1.0)
    return low, high


def bootstrap(
    statistics: dict[str, tuple[Statistic, int]], num_rows: int, resamples: int, seed: int
) -> dict[str, Array]:
    """Draws resamples as row weights and evaluates every statistic on them.

    Args:
        statistics: name -> (function of weights, most resamples worth spending on it).
        num_rows: rows to draw from.
        resamples: as asked; bounded so that very long tables stay affordable, never below 200.
        seed: of the draws.

    Returns:
        name -> (resamples,) values, nan where a resample cannot answer.
    """
    rounds = int(min(resamples, max(200, _DRAWS // num_rows)))
    parts: dict[str, list[Array]] = {name: [] for name in statistics}
    done = 0
    for weights in _row_weights(num_rows, rounds, seed):
        for name, (statistic, most) in statistics.items():
            if done < most:
                parts[name].append(statistic(weights))
        done += len(weights)
    return {name: np.concatenate(values) for name, values in parts.items()}


def _row_weights(num_rows: int, rounds: int, seed: int) -> Iterator[Array]:
    """How often every row was drawn, (some resamples, rows), until `rounds` are drawn."""
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // num_rows)
    for start in range(0, rounds, chunk):
        size = min(chunk, rounds - start)
        drawn = generator.integers(0, num_rows, size=(size, num_rows), dtype=np.int32)
        yield np.stack([np.bincount(rows, minlength=num_rows) for rows in drawn]).astype(np.float64)


def _with_interval(value: float, samples: Array) -> Score:
    answered = samples[~np.isnan(samples)]
    if len(answered) == 0:  # a handful of rows: no resample could answer
        return Score(value=value, low=value, high=value)
    low, high = np.percentile(answered, [2.5, 97.5])
    return Score(value=value, low=float(low), high=float(high))


def _regression_values(actual: Array, outputs: Array) -> dict[str, float]:
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    values = {"rmse": root_mean_squared_error(actual, outputs), "mae": mean_absolute_error(actual, outputs)}
    if np.ptp(actual) > 0:
        values["r2"] = r2_score(actual, outputs)
    return {name: float(value) for name, value in values.items()}


def _class_values(task: Task, actual: Integers, outputs: Array) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    predicted = outputs.argmax(axis=1)
    present = np.unique(actual)
    values = {
        "accuracy": accuracy_score(actual, predicted),
        # The same clipped mean as sklearn.metrics.log_loss (a test holds it), without its warning on rounded rows.
        "log_loss": row_log_loss(actual, outputs).mean(),
    }
    if task == "binary":
        if len(present) == 2:
            values["roc_auc"] = roc_auc_score(actual, outputs[:, 1])
        if 1 in present:
            values["f1"] = f1_score(actual, predicted, pos_label=1, zero_division=0.0)
    else:
        if len(present) == outputs.shape[1]:
            # Per class by hand, since scikit-learn refuses rows that sum to 1 only within float32.
            values["roc_auc"] = np.mean([roc_auc_score(actual == k, outputs[:, k]) for k in present])
        values["f1"] = f1_score(actual, predicted, average="macro", zero_division=0.0)
    return {name: float(value) for name, value in values.items()}


def _statistics(
    task: Task, actual: NDArray[Any], outputs: Array, values: dict[str, float]
) -> dict[str, tuple[Statistic, int]]:
    """The weighted form of every score in `values`, with the most resamples each is worth."""
    every: dict[str, Statistic]
    most = {}
    if task == "regression":
        error = outputs - actual
        every = {
            "rmse": lambda weights: np.sqrt(_weighted_mean(error**2, weights)),
            "mae": lambda weights: _weighted_mean(np.abs(error), weights),
            "r2": lambda weights: _weighted_r2(actual, error, weights),
        }
    else:
        predicted = outputs.argmax(axis=1)
        hits = (predicted == actual).astype(np.float64)
        losses = row_log_loss(actual, outputs)
        curves = [outputs[:, 1]] if task == "binary" else list(outputs.T)
        truths = [actual == 1] if task == "binary" else [actual == k for k in range(outputs.shape[1])]
        area = [_WeightedArea(curve, truth) for curve, truth in zip(curves, truths, strict=True)]
        most["roc_auc"] = int(max(100, _AUC_CELLS // outputs.size))
        every = {
            "accuracy": lambda weights: _weighted_mean(hits, weights),
            "log_loss": lambda weights: _weighted_mean(losses, weights),
            "roc_auc": lambda weights: _mean_of_answered(np.stack([one(weights) for one in area], axis=1)),
            "f1": lambda weights: _weighted_f1(task, actual, predicted, outputs.shape[1], weights),
        }
    return {name: (every[name], most.get(name, 1 << 30)) for name in values}


def _weighted_mean(per_row: Array, weights: Array) -> Array:
    return cast(Array, weights @ per_row / weights.shape[1])


def _weighted_r2(actual: Array, error: Array, weights: Array) -> Array:
    centred = actual - actual.mean()  # keeps the difference of two sums exact for targets far from 0
    variance = _weighted_mean(centred**2, weights) - _weighted_mean(centred, weights) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = 1.0 - _weighted_mean(error**2, weights) / variance
    return np.where(variance > 1e-12 * centred.var(), explained, np.nan)


def _weighted_f1(task: Task, actual: Integers, predicted: Integers, num_classes: int, weights: Array) -> Array:
    hit = actual == predicted
    results = np.empty(len(weights))
    for index, weight in enumerate(weights):
        both = np.bincount(actual[hit], weight[hit], minlength=num_classes)
        either = np.bincount(actual, weight, num_classes) + np.bincount(predicted, weight, num_classes)
        shown = either > 0
        f1 = 2.0 * both[shown] / either[shown]
        if task == "binary":
            results[index] = f1[-1] if shown[1] else np.nan
        else:
            results[index] = f1.mean()
    return results


def _mean_of_answered(values: Array) -> Array:
    """(resamples, classes) -> (resamples,): the mean over the classes that a resample holds."""
    answered = ~np.isnan(values)
    count = answered.sum(axis=1)
    return np.where(count > 0, np.where(answered, values, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


class _WeightedArea:
    """The area under the ROC curve for any row weights: rows are sorted once, ties count half."""

    def __init__(self, scores: Array, truth: NDArray[np.bool_]) -> None:
        self.order = np.argsort(scores, kind="stable")
        ordered = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])  # of each run of ties
        self.truth = truth[self.order].astype(np.float64)

    def __call__(self, weights: Array) -> Array:
        ordered = weights[:, self.order]
        positive, negative = ordered * self.truth, ordered * (1.0 - self.truth)
        if len(self.starts) < len(self.order):
            positive = np.add.reduceat(positive, self.starts, axis=1)
            negative = np.add.reduceat(negative, self.starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2  # negatives ranked under each run, ties half
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        won = (positive * below).sum(axis=1)
        return np.where(pairs > 0, won / np.maximum(pairs, 1.0), np.nan)
