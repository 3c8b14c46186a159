"""Gradient descent: go downhill, a step at a time.

    x ← x - η ∂L/∂x

The gradient points uphill, so the step goes against it; η, the learning rate, says how far. On a parabola a x² every
step multiplies the distance from the minimum by 1 - 2 a η: it shrinks for 0 < η < 1/a, is fastest at 1/(2a), and grows
beyond 1/a.

Try this: f(x) = x² + 2x + 1 from 5 with a rate of 1.0 and 1.1? (At 1.0 it jumps between 5 and -7 for ever; at 1.1 it
runs away.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def gradient_descent(gradient: Callable[[Array], Array], start: ArrayLike, learning_rate: float, steps: int) -> Array:
    """The path of gradient descent.

    Args:
        gradient: the gradient of what shall be made small, at a point.
        start: the first point, of any shape.
        learning_rate: how far each step goes, in lengths of the gradient.
        steps: how many.

    Returns:
        Every point, the start included: (steps + 1, ...).

    Example:
        >>> gradient_descent(lambda x: 2 * x + 2, 5.0, learning_rate=0.1, steps=3).round(3).tolist()
        [5.0, 3.8, 2.84, 2.072]
    """
    path = [np.asarray(start, dtype=np.float64)]
    for _ in range(steps):
        path.append(path[-1] - learning_rate * gradient(path[-1]))
    return np.stack(path)
