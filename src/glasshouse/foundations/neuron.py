"""The neuron: weigh the evidence, add it up, bend it.

    z = w₁x₁ + w₂x₂ + ... + b = w·x + b        output = f(z)

The weights say how much each input counts and in which direction, the bias how easily the neuron fires. The first
model (McCulloch and Pitts, 1943) fired or did not, when the sum reached a threshold; today's bends the sum with an
activation whose slope says how to do better (`activations`).

Try this: write the threshold neuron as a neuron with a bias. (The bias is minus the threshold, the activation the
step.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def threshold_neuron(x: Array, weight: Array, threshold: float) -> Array:
    """1 where the weighted sum reaches the threshold, else 0.

    Shapes:
        x: (..., features); weight: (features,); returns (...)

    Example:
        >>> float(threshold_neuron(np.array([0.5, 0.3, 0.8]), np.array([0.4, 0.6, 0.2]), 0.5))  # the sum is 0.54
        1.0
    """
    return np.where(x @ weight >= threshold, 1.0, 0.0)


def neuron(x: Array, weight: Array, bias: float, activation: Callable[[Array], Array]) -> Array:
    """f(w·x + b), for one row or many.

    Shapes:
        x: (..., features); weight: (features,); returns (...)

    Example:
        >>> from glasshouse.foundations.activations import relu
        >>> float(neuron(np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.6, 0.8]), 0.1, relu).round(2))
        0.64
    """
    return activation(x @ weight + bias)
