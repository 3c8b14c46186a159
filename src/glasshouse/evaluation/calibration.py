"""Do probabilities mean what they say? Temperature, reliability and calibration error."""

from __future__ import annotations

import math

import numpy as np

from glasshouse.evaluation.arrays import Array, Integers, check_outputs, row_log_loss, true_probability
from glasshouse.model.uncertainty import apply_temperature

FEWEST_ROWS = 200  # below, a temperature is mostly noise
_LOG_BOUNDS = (math.log(0.05), math.log(20.0))
_FOLDS = 5


def fit_temperature(probabilities: Array, labels: Integers, seed: int) -> tuple[float, bool]:
    """The temperature that makes probabilities most honest, if there is one that helps on rows it was not fitted to.

    Args:
        probabilities: (rows, classes) of the calibration rows.
        labels: (rows,) class codes.
        seed: of the five folds.

    Returns:
        (temperature, accepted). (1.0, False) below 200 rows, and where five-fold cross-fitting does not lower the
        log-loss.

    Raises:
        DataError: no rows, mismatched shapes, or numbers that are not finite.

    Source:
        Guo et al. 2017, On Calibration of Modern Neural Networks. We search over log temperature, so that it
        stays above 0, and accept by cross-fitting, since the fit itself can never look worse than no fit. A label
        counts for a little less than 1, as in Platt 1999 (section 2.2): rows that are all answered right would
        otherwise ask for certainty, and the first wrong answer would cost everything.
    """
    check_outputs("multiclass", labels, probabilities)
    if len(labels) < FEWEST_ROWS:
        return 1.0, False
    fold = np.random.default_rng(seed).permutation(len(labels)) % _FOLDS
    doubt = 1.0 / (len(labels) + 2)
    gained = 0.0
    for index in range(_FOLDS):
        held = fold == index
        temperature = _best_temperature(probabilities[~held], labels[~held], doubt)
        calibrated = apply_temperature(probabilities[held], temperature)
        before, after = (_doubted(labels[held], said, doubt) for said in (probabilities[held], calibrated))
        gained += float(np.sum(before - after))
    if gained <= 0:
        return 1.0, False
    return _best_temperature(probabilities, labels, doubt), True


def _best_temperature(probabilities: Array, labels: Integers, doubt: float) -> float:
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        calibrated = apply_temperature(probabilities, math.exp(log_temperature))
        return float(_doubted(labels, calibrated, doubt).mean())

    found = minimize_scalar(loss, bounds=_LOG_BOUNDS, method="bounded", options={"xatol": 1e-4})
    return math.exp(float(found.x))


def _doubted(labels: Integers, probabilities: Array, doubt: float) -> Array:
    """Each row's log-loss, where the label itself may be wrong: one event, however many classes there are."""
    others = np.maximum(1 - true_probability(labels, probabilities), np.finfo(np.float64).eps)
    losses: Array = (1 - doubt) * row_log_loss(labels, probabilities) - doubt * np.log(others)
    return losses


def reliability_bins(
    probabilities: Array, labels: Integers, num_bins: int = 15
) -> tuple[tuple[float, float, int], ...]:
    """What was said against what came true, over bins that hold about equally many rows.

    Args:
        probabilities: (rows, classes).
        labels: (rows,) class codes.
        num_bins: at most; rows with equal probabilities are never torn apart.

    Returns:
        (mean probability, observed frequency, rows) a bin, rising. Two classes: of the second class. More: of the
        class that was predicted.

    Raises:
        DataError: no rows, mismatched shapes, or numbers that are not finite.
    """
    check_outputs("multiclass", labels, probabilities)
    if probabilities.shape[1] == 2:
        said, came = probabilities[:, 1], labels == 1
    else:
        said, came = probabilities.max(axis=1), labels == probabilities.argmax(axis=1)
    edges = np.unique(np.quantile(said, np.linspace(0, 1, num_bins + 1)[1:-1], method="inverted_cdf"))
    place = np.searchsorted(edges, said, side="left")
    rows = np.bincount(place, minlength=len(edges) + 1)
    sums = np.bincount(place, said, minlength=len(rows))
    hits = np.bincount(place, came.astype(np.float64), minlength=len(rows))
    return tuple(
        (float(sums[i] / rows[i]), float(hits[i] / rows[i]), int(rows[i])) for i in range(len(rows)) if rows[i]
    )


def expected_calibration_error(probabilities: Array, labels: Integers, num_bins: int = 15) -> float:
    """Average gap between how likely the network said something was and how often it came true.

    Args:
        probabilities: (rows, classes).
        labels: (rows,) class codes.
        num_bins: of about equally many rows each.

    Returns:
        A fraction in [0, 1]; 0.02 reads "two percentage points". A perfectly honest network scores above 0 too,
        by chance: about 0.02 to 0.05 on a few hundred rows.

    Raises:
        DataError: no rows, mismatched shapes, or numbers that are not finite.

    Example:
        >>> p = np.array([[0.1, 0.9]] * 4)
        >>> round(expected_calibration_error(p, np.array([1, 1, 1, 0])), 3)
        0.15
    """
    bins = reliability_bins(probabilities, labels, num_bins)
    return sum(abs(said - came) * rows for said, came, rows in bins) / len(labels)
