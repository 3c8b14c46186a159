"""Optimisers: five rules for what to do with a gradient.

Each is a function of the parameter p, its gradient g and what the rule remembers from the steps before, and returns
the new parameter and the new memory. The memory starts empty: (). η is the learning rate.

    SGD         p ← p - η g
    momentum    v ← β v + g             p ← p - η v         a ball that rolls on (Polyak, 1964)
    RMSprop     s ← α s + (1 - α) g²    p ← p - η g / √s    each parameter its own scale (Tieleman and Hinton, 2012)
    Adam        m ← β m + (1 - β) g     p ← p - η m / √s    both, with the start corrected (Kingma and Ba, 2015)
    AdamW       p ← p - η λ p, then Adam                    decay beside the gradient (Loshchilov and Hutter, 2019)

Weight decay pulls every parameter towards zero. Added to the gradient (L2) it is divided by √s as everything else, so
that the largest weights may hardly be pulled at all; AdamW pulls each by the same fraction. For plain SGD the two are
the same.

Try this: what is Adam's first step for a gradient of 1000, and of 0.001? (η both times: only the sign is left.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Memory = tuple[Array, ...]
Stepped = tuple[Array, Memory]


def sgd(parameter: Array, gradient: Array, memory: Memory = (), learning_rate: float = 0.01) -> Stepped:
    """Stochastic gradient descent: straight downhill on the batch at hand.

    Example:
        >>> sgd(np.array([1.0]), np.array([2.0]), learning_rate=0.1)
        (array([0.8]), ())
    """
    return parameter - learning_rate * gradient, memory


def momentum(
    parameter: Array, gradient: Array, memory: Memory = (), learning_rate: float = 0.01, keep: float = 0.9
) -> Stepped:
    """SGD along a running sum of the gradients: across a valley they cancel, along it they add up."""
    (speed,) = memory or (np.zeros_like(parameter),)
    speed = keep * speed + gradient
    return parameter - learning_rate * speed, (speed,)


def rmsprop(
    parameter: Array, gradient: Array, memory: Memory = (), learning_rate: float = 0.01, keep: float = 0.99
) -> Stepped:
    """The gradient over the root of its running mean square: steep and flat directions get steps of one size."""
    (square,) = memory or (np.zeros_like(parameter),)
    square = keep * square + (1.0 - keep) * gradient**2
    return parameter - learning_rate * gradient / (np.sqrt(square) + 1e-8), (square,)


def adam(
    parameter: Array,
    gradient: Array,
    memory: Memory = (),
    learning_rate: float = 0.001,
    keep: tuple[float, float] = (0.9, 0.999),
) -> Stepped:
    """The running mean of the gradient over the root of its running mean square.

    Args:
        parameter: p.
        gradient: g, in the same shape.
        memory: (mean, mean square, steps taken), or ().
        learning_rate: η.
        keep: how much of the two means is kept in a step.
    """
    mean, square, steps = memory or (np.zeros_like(parameter), np.zeros_like(parameter), np.zeros(()))
    mean = keep[0] * mean + (1.0 - keep[0]) * gradient
    square = keep[1] * square + (1.0 - keep[1]) * gradient**2
    steps = steps + 1.0
    # Both means begin at zero and are too small at first, by exactly 1 - keep^steps.
    step = (mean / (1.0 - keep[0] ** steps)) / (np.sqrt(square / (1.0 - keep[1] ** steps)) + 1e-8)
    return parameter - learning_rate * step, (mean, square, steps)


def adamw(
    parameter: Array, gradient: Array, memory: Memory = (), learning_rate: float = 0.001, weight_decay: float = 0.01
) -> Stepped:
    """Adam, after every parameter has been shrunk by the fraction learning_rate · weight_decay."""
    return adam(parameter * (1.0 - learning_rate * weight_decay), gradient, memory, learning_rate)
