"""Schedules: large steps first to get there, small steps last to settle.

Each takes the numbers of steps (0 is the first) and returns the learning rate at each of them.

A mini-batch's gradient is noisy, and with a constant rate η the parameters end up shaking around the minimum at a
distance that grows with η. Lowering η to nothing calms them. A warm-up does the opposite for a moment: Adam's first
estimates are poor.

Try this: what share of all the rate is spent by the middle of a cosine? (1/2 + 1/π = 0.82.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Steps = NDArray[np.int64]


def constant(steps: Steps, learning_rate: float) -> Array:
    """η at every step."""
    return np.full(np.shape(steps), learning_rate)


def step_decay(steps: Steps, learning_rate: float, every: int, factor: float = 0.1) -> Array:
    """η · factor^⌊step / every⌋: a staircase."""
    return learning_rate * np.power(factor, np.asarray(steps) // every, dtype=np.float64)


def exponential(steps: Steps, learning_rate: float, factor: float) -> Array:
    """η · factor^step: the same fraction less at each step."""
    return learning_rate * np.power(factor, steps, dtype=np.float64)


def cosine(steps: Steps, learning_rate: float, total: int) -> Array:
    """η (1 + cos(π step / total)) / 2: slow, fast, slow, down to zero (Loshchilov and Hutter, 2017).

    Example:
        >>> cosine(np.array([0, 5, 10]), learning_rate=1.0, total=10).round(3).tolist()
        [1.0, 0.5, 0.0]
    """
    return learning_rate * 0.5 * (1.0 + np.cos(np.pi * np.asarray(steps) / total))


def warm_up_cosine(steps: Steps, learning_rate: float, total: int, warm_up: int) -> Array:
    """From η / warm_up in equal steps up to η (Goyal et al., 2017), then the cosine over what is left."""
    rising = learning_rate * (np.asarray(steps) + 1.0) / warm_up
    return np.where(
        np.asarray(steps) < warm_up, rising, cosine(np.asarray(steps) - warm_up, learning_rate, total - warm_up)
    )


def flat_cosine(steps: Steps, learning_rate: float, total: int) -> Array:
    """η for the first half, the cosine over the second: what glasshouse trains with unless told otherwise."""
    flat = total // 2
    return cosine(np.maximum(np.asarray(steps) - flat, 0), learning_rate, total - flat)
