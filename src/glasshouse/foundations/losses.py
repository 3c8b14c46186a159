"""Losses: one number for how wrong the outputs are, and which way is less wrong.

Each is a mean over the rows (and over the outputs, where a row has several numbers), and `_gradient` is the gradient of
exactly that mean with regard to the first argument. For the classifiers the first argument are the logits, the raw
outputs: the logarithm of the loss and the exponential of the activation cancel, and what is left is stable and has the
plainest gradient there is, prediction minus truth.

Try this: a classifier that has learnt nothing gives each of ten classes the same logit. What is its cross-entropy? (ln
10 = 2.303.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import sigmoid
from glasshouse.foundations.softmax import log_softmax, softmax

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def mean_squared_error(outputs: Array, actual: Array) -> float:
    """mean (output - actual)²: for numbers. An error twice as large counts four times.

    Example:
        >>> round(mean_squared_error(np.array([2.5, 0.0, 2.1]), np.array([3.0, -0.5, 2.0])), 4)
        0.17
    """
    return float(np.mean(np.square(outputs - actual)))


def mean_squared_error_gradient(outputs: Array, actual: Array) -> Array:
    """2 (output - actual) / count."""
    return 2.0 * (outputs - actual) / outputs.size


def mean_absolute_error(outputs: Array, actual: Array) -> float:
    """mean |output - actual|: every step of error counts alike, so a few outliers do not rule."""
    return float(np.mean(np.abs(outputs - actual)))


def mean_absolute_error_gradient(outputs: Array, actual: Array) -> Array:
    """The sign of the error / count; 0 where there is none, as torch."""
    return np.sign(outputs - actual) / outputs.size


def huber(outputs: Array, actual: Array, delta: float = 1.0) -> float:
    """½ error² up to delta, then delta (|error| - ½ delta): squared near zero, absolute far away (Huber, 1964)."""
    # Choosing between the two formulas as they stand squares the large errors as well, for nothing, and overflows at
    # 1e200. With c = min(|error|, delta) both are c (|error| - ½ c).
    error = np.abs(outputs - actual)
    small = np.minimum(error, delta)
    return float(np.mean(small * (error - 0.5 * small)))


def huber_gradient(outputs: Array, actual: Array, delta: float = 1.0) -> Array:
    """The error, cut off at ± delta, / count."""
    return np.clip(outputs - actual, -delta, delta) / outputs.size


def binary_cross_entropy(logits: Array, actual: Array) -> float:
    """mean -(a log σ(z) + (1 - a) log(1 - σ(z))) over logits z and answers a of 0 or 1.

    Example:
        >>> round(binary_cross_entropy(np.array([0.0]), np.array([1.0])), 4)  # ln 2: not knowing
        0.6931
    """
    # log σ(-800) as it stands is log 0. Written out it is max(z, 0) - a z + log(1 + e^-|z|), where nothing can
    # overflow.
    return float(np.mean(np.maximum(logits, 0.0) - actual * logits + np.log1p(np.exp(-np.abs(logits)))))


def binary_cross_entropy_gradient(logits: Array, actual: Array) -> Array:
    """(σ(z) - a) / count: prediction minus truth."""
    return (sigmoid(logits) - actual) / logits.size


def cross_entropy(logits: Array, labels: Labels) -> float:
    """mean -log of the probability that softmax gives to the true class, in nats.

    Shapes:
        logits: (rows, classes); labels: (rows,), from 0

    Example:
        >>> logits = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, 0.3], [0.1, 0.2, 3.0]])
        >>> round(cross_entropy(logits, np.array([0, 1, 2])), 4)
        0.2489
    """
    return float(-np.mean(log_softmax(logits)[np.arange(len(labels)), labels]))


def cross_entropy_gradient(logits: Array, labels: Labels) -> Array:
    """(softmax(z) - one-hot) / rows: prediction minus truth, again."""
    gradient = softmax(logits)
    gradient[np.arange(len(labels)), labels] -= 1.0
    return gradient / len(labels)
