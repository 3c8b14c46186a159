"""The dense layer: every output is a neuron's weighted sum over every input (torch: Linear).

    z = x W + b        ∂L/∂x = ∂L/∂z Wᵀ        ∂L/∂W = xᵀ ∂L/∂z        ∂L/∂b = Σ over rows of ∂L/∂z

One row or a thousand are the same matrix product. On the way back the error travels through the transpose, and each
weight collects input times error over the rows.

Try this: a layer has 10 inputs and 5 outputs. How many numbers does it learn? (10 · 5 weights and 5 biases: 55.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dense(x: Array, weight: Array, bias: Array) -> Array:
    """x W + b.

    Shapes:
        x: (rows, in_features) or (in_features,); weight: (in_features, out_features); bias: (out_features,)

    Example:
        >>> dense(np.array([1.0, 2.0]), np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([0.5, 0.5])).tolist()
        [1.5, -1.5]
    """
    return x @ weight + bias


def dense_backward(grad: Array, x: Array, weight: Array, bias: Array) -> tuple[Array, Array, Array]:
    """The three gradients; a weight and a bias serve every row, so theirs add up over the rows."""
    rows, grads = np.atleast_2d(x), np.atleast_2d(grad)
    return grad @ weight.T, rows.T @ grads, np.sum(grads, axis=0)


def collapse(first_weight: Array, first_bias: Array, weight: Array, bias: Array) -> tuple[Array, Array]:
    """One layer that does what two do when nothing bends between them.

        (x W₁ + b₁) W₂ + b₂ = x (W₁ W₂) + (b₁ W₂ + b₂)

    Returns:
        The weight and bias of that layer. However many layers: without activations they can draw a straight line, no
        more.
    """
    return first_weight @ weight, first_bias @ weight + bias
