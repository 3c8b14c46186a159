"""The judge of the lessons that run backwards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.differences import numerical_gradient

Array = NDArray[np.float64]


def backward_error(
    function: Callable[..., Array], backward: Callable[..., Array | tuple[Array, ...]], *at: Array
) -> float:
    """How far a gradient written by hand is from the measured slopes, as a share of the largest slope.

    Args:
        function: from arrays to an array.
        backward: from the gradient of the result and the same arrays to the gradient of each.
        at: where to compare.
    """
    grad = np.cos(np.arange(function(*at).size)).reshape(function(*at).shape)  # no two results count alike
    written = backward(grad, *at)
    errors = []
    for place, gradient in enumerate(written if isinstance(written, tuple) else (written,)):

        def loss(moved: Array, place: int = place) -> float:
            return float(np.sum(grad * function(*at[:place], moved, *at[place + 1 :])))

        measured = numerical_gradient(loss, at[place])
        errors.append(np.max(np.abs(gradient - measured)) / np.max(np.abs(measured)))
    return float(max(errors))
