"""Gradient flow: what reaches the first layer, and what to do when it is nothing or far too much.

On its way back through L layers a gradient is multiplied L times by a weight matrix and by a slope. If each of these
shrinks it to a quarter, 0.25^10 = 0.000001 of it is left after ten layers (vanishing: the first layers learn nothing);
if each doubles it, 2^10 = 1024 times as much arrives (exploding: one step throws the weights away). Against the first
help ReLU, the right initialisation, normalisation and skip connections; against the second the same, and clipping.

Try this: which of the two clippings keeps the direction of the step? (By norm: all gradients are scaled by one number.)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import relu
from glasshouse.foundations.network import network_backward

Array = NDArray[np.float64]
Arrays = Sequence[Array]


def gradient_norms(grad: Array, x: Array, weights: Arrays, biases: Arrays, activation: str = "relu") -> list[float]:
    """The length of each layer's weight gradient, first layer first: all of one size in a healthy network.

    Args:
        grad: the gradient with regard to the outputs.
        x: the rows.
        weights: one matrix a layer.
        biases: one vector a layer.
        activation: the name of a function of `activations`.
    """
    _, weight_grads, _ = network_backward(grad, x, weights, biases, activation)
    return [float(np.linalg.norm(weight_grad)) for weight_grad in weight_grads]


def clip_by_norm(gradients: Arrays, most: float) -> list[Array]:
    """All gradients together scaled down to the length `most`, where they are longer (Pascanu, Mikolov and Bengio,
    2013).

    Example:
        >>> [gradient.round(3).tolist() for gradient in clip_by_norm([np.array([3.0]), np.array([4.0])], most=1.0)]
        [[0.6], [0.8]]
    """
    length = np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients))
    # torch's 1e-6 keeps a length of zero from dividing. A gradient with nan makes all of them nan: nothing is hidden.
    scale = np.minimum(most / (length + 1e-6), 1.0)
    return [gradient * scale for gradient in gradients]


def clip_by_value(gradients: Arrays, most: float) -> list[Array]:
    """Every number of every gradient cut off at ± most; the direction changes."""
    return [np.clip(gradient, -most, most) for gradient in gradients]


def dead_units(x: Array, weight: Array, bias: Array) -> float:
    """The share of a ReLU layer's units that are zero on every row.

    No gradient comes back through such a unit, so no step will ever wake it, unless the rows change.

    Shapes:
        x: (rows, in_features); weight: (in_features, out_features); bias: (out_features,)
    """
    return float(np.mean(np.all(relu(x @ weight + bias) == 0.0, axis=0)))
