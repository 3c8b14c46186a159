"""Softmax: scores into probabilities, and the logarithm that the loss is made of.

    softmax(x)ᵢ = e^xᵢ / Σⱼ e^xⱼ        log softmax(x)ᵢ = xᵢ - log Σⱼ e^xⱼ

Adding one number to all scores changes nothing, so the largest may be taken away first: then no e^x exceeds 1.
Without that, scores of 1000, 1001, 1002 give e^1000 = ∞ and ∞/∞ = nan.

Every output depends on every score, so the derivative is a matrix, and the way back is the product with it, not an
elementwise slope: sᵢ (gradᵢ - Σⱼ gradⱼ sⱼ). Its diagonal alone, sᵢ (1 - sᵢ), is a popular mistake.

Try this: two scores, 0 and x. Which activation is the second probability? (The sigmoid of x.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def log_sum_exp(x: Array) -> Array:
    """log Σ e^x over the last axis: a smooth maximum.

    Shapes:
        x: (..., classes); returns (..., 1)
    """
    largest = np.max(x, axis=-1, keepdims=True)
    # A row of -∞ alone would be -∞ - (-∞) = nan; its sum is 0 and its logarithm -∞, whatever is taken away.
    shift = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(shift + np.log(np.sum(np.exp(x - shift), axis=-1, keepdims=True)))


def log_sum_exp_backward(grad: Array, x: Array) -> Array:
    """Its slope along each score is the probability of it."""
    return grad * softmax(x)


def softmax(x: Array) -> Array:
    """Probabilities over the last axis: positive, and they add up to 1.

    Example:
        >>> softmax(np.array([2.0, 1.0, 0.1])).round(3)
        array([0.659, 0.242, 0.099])
        >>> softmax(np.array([1000.0, 1001.0, 1002.0])).round(3)  # np.exp(1000.0) is inf
        array([0.09 , 0.245, 0.665])
    """
    powers = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return np.asarray(powers / np.sum(powers, axis=-1, keepdims=True))


def softmax_backward(grad: Array, x: Array) -> Array:
    """sᵢ (gradᵢ - Σⱼ gradⱼ sⱼ): what all scores have in common cannot matter, so it is taken away."""
    probabilities = softmax(x)
    common = np.sum(grad * probabilities, axis=-1, keepdims=True)
    return np.asarray(probabilities * (grad - common))


def log_softmax(x: Array) -> Array:
    """The logarithm of softmax, without ever taking the logarithm of a probability that was rounded to 0."""
    # np.log(softmax([0, 1000])) is [-inf, 0]; the truth is [-1000, 0].
    return x - log_sum_exp(x)


def log_softmax_backward(grad: Array, x: Array) -> Array:
    """gradᵢ - sᵢ Σⱼ gradⱼ."""
    return np.asarray(grad - softmax(x) * np.sum(grad, axis=-1, keepdims=True))
