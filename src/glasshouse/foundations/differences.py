"""Finite differences: what a derivative is, measured, and so the check of every derivative written by hand.

The slope of f at x is the limit of (f(x + h) - f(x - h)) / 2h. The computer cannot take the limit: a large h misses the
curvature (the error grows as h²), a small h loses the digits in which f(x + h) and f(x - h) differ (it grows as 1/h).
Measuring with h and with h/2 and cancelling the h² term between the two (Richardson, 1911) leaves ten digits or so.

One number is moved at a time: a network with a million weights would need four million forward passes for one
gradient. Backpropagation needs one pass forward and one backward; this is its judge, not its rival.

Try this: what is left of the accuracy with step=1e-9? (Six digits: see the test of that name.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def numerical_gradient(function: Callable[[Array], float], x: Array, step: float = 1e-3) -> Array:
    """The gradient of a function of an array, by moving each element a little both ways.

    Args:
        function: from an array like x to one number; called four times an element.
        x: where; it is left as it was.
        step: the larger of the two distances moved.

    Returns:
        The slope along each element, in x's shape.

    Example:
        >>> numerical_gradient(lambda x: float(np.sum(x**3)), np.array([1.0, 2.0])).round(9)
        array([ 3., 12.])
    """
    gradient = np.zeros(np.shape(x), dtype=np.float64)
    for index in np.ndindex(gradient.shape):
        slopes = []
        for distance in (step, step / 2.0):
            moved = np.zeros_like(gradient)
            moved[index] = distance
            slopes.append((function(x + moved) - function(x - moved)) / (2.0 * distance))
        gradient[index] = (4.0 * slopes[1] - slopes[0]) / 3.0
    return gradient
