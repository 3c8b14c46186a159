"""Normalisation: bring every feature, or every row, to mean 0 and variance 1, then let the network choose another
scale and shift.

    x̂ = (x - mean) / √(variance + ε)        y = scale · x̂ + shift

Batch normalisation (Ioffe and Szegedy, 2015) takes mean and variance of each feature over the rows of the batch, so in
training the rows of a batch influence each other; for one row at prediction time it uses running means instead. Layer
normalisation (Ba et al., 2016) takes them over the features of each row, and knows no batch.

On the way back, mean and variance depend on x as well: what all of a group have in common, and what grows along x̂, is
taken out:

    ∂x = (g - mean(g) - x̂ · mean(g · x̂)) / √(variance + ε),   g = scale · ∂y

Try this: what does batch normalisation do to a batch of one row? (x - mean = 0: only the shift is left, whatever the
row.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_EPSILON = 1e-5  # torch's


def _standard(x: Array, axis: int) -> tuple[Array, Array]:
    """x̂ along an axis, and the spread it was divided by."""
    spread = np.sqrt(np.var(x, axis=axis, keepdims=True) + _EPSILON)
    return (x - np.mean(x, axis=axis, keepdims=True)) / spread, spread


def _standard_backward(grad: Array, x: Array, axis: int) -> Array:
    standard, spread = _standard(x, axis)
    common = np.mean(grad, axis=axis, keepdims=True)
    along = np.mean(grad * standard, axis=axis, keepdims=True)
    return np.asarray((grad - common - standard * along) / spread)


def batch_norm(x: Array, scale: Array, shift: Array) -> Array:
    """Each feature over the rows of the batch, as in training.

    Shapes:
        x: (rows, features); scale, shift: (features,)
    """
    return scale * _standard(x, axis=0)[0] + shift


def batch_norm_backward(grad: Array, x: Array, scale: Array, shift: Array) -> tuple[Array, Array, Array]:
    """The formula above along the rows; scale and shift serve every row, so theirs add up."""
    standard, _ = _standard(x, axis=0)
    return _standard_backward(scale * grad, x, axis=0), np.sum(grad * standard, axis=0), np.sum(grad, axis=0)


def running_statistics(x: Array, mean: Array, variance: Array, take: float = 0.1) -> tuple[Array, Array]:
    """The running mean and variance after one more batch.

    The batch is divided by the variance over n, and remembered with the variance over n - 1, which does not
    underestimate (as torch does).
    """
    unbiased = np.var(x, axis=0, ddof=1)
    return (1.0 - take) * mean + take * np.mean(x, axis=0), (1.0 - take) * variance + take * unbiased


def batch_norm_evaluation(x: Array, mean: Array, variance: Array, scale: Array, shift: Array) -> Array:
    """Each feature by the running statistics: a row's result does not depend on the other rows."""
    return scale * (x - mean) / np.sqrt(variance + _EPSILON) + shift


def layer_norm(x: Array, scale: Array, shift: Array) -> Array:
    """Each row over its features.

    Shapes:
        x: (..., features); scale, shift: (features,)
    """
    return scale * _standard(x, axis=-1)[0] + shift


def layer_norm_backward(grad: Array, x: Array, scale: Array, shift: Array) -> tuple[Array, Array, Array]:
    """The formula above along the features."""
    standard, _ = _standard(x, axis=-1)
    rows = tuple(range(x.ndim - 1))
    return _standard_backward(scale * grad, x, axis=-1), np.sum(grad * standard, axis=rows), np.sum(grad, axis=rows)
