"""The feed-forward network: layer after layer forward, the chain rule from the last layer to the first.

    forward, layer l:   zₗ = aₗ₋₁ Wₗ + bₗ       aₗ = f(zₗ), but for the last layer, whose z are the outputs
    backward:           ∂zₗ = ∂aₗ · f'(zₗ)      ∂Wₗ = aₗ₋₁ᵀ ∂zₗ      ∂bₗ = Σ rows ∂zₗ      ∂aₗ₋₁ = ∂zₗ Wₗᵀ

The backward pass costs about two forward passes, whatever the number of weights; moving every weight alone to see what
happens would cost two at least for each (`differences`). That is the whole point of backpropagation (Rumelhart, Hinton
and Williams, 1986).

Try this: all weights and biases zero. Which gradients are not? (With ReLU only the last bias's: the hidden units say
nothing, and the outputs do not listen to them.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations import activations
from glasshouse.foundations.architecture import layer_shapes
from glasshouse.foundations.dense import dense, dense_backward
from glasshouse.foundations.initialisation import he_normal

Array = NDArray[np.float64]
Arrays = Sequence[Array]


def new_network(
    sizes: Sequence[int], random: np.random.Generator, scheme: Callable[..., Array] = he_normal
) -> tuple[list[Array], list[Array]]:
    """The weights and biases of a new network.

    Args:
        sizes: inputs, hidden units of each layer, outputs.
        random: draws the weights.
        scheme: how (`initialisation`).

    Returns:
        (weights, biases), one of each a layer; the biases are zero.
    """
    shapes = layer_shapes(sizes)
    return [scheme(*shape, random) for shape in shapes], [np.zeros(outputs) for _, outputs in shapes]


def layer_values(x: Array, weights: Arrays, biases: Arrays, activation: str = "relu") -> list[tuple[Array, Array]]:
    """What every layer gets and makes of it: (its input a, its sum z), first layer first."""
    bend = getattr(activations, activation)
    values: list[tuple[Array, Array]] = []
    for weight, bias in zip(weights, biases, strict=True):
        a = x if not values else bend(values[-1][1])
        values.append((a, dense(a, weight, bias)))
    return values


def network(x: Array, weights: Arrays, biases: Arrays, activation: str = "relu") -> Array:
    """The outputs (logits, or numbers) of the network, for one row or many.

    Shapes:
        x: (rows, inputs) or (inputs,); weights[l]: (in_features, out_features); biases[l]: (out_features,)

    Args:
        x: the rows.
        weights: one matrix a layer.
        biases: one vector a layer.
        activation: the name of a function of `activations`, between the layers.
    """
    return layer_values(x, weights, biases, activation)[-1][1]


def network_backward(
    grad: Array, x: Array, weights: Arrays, biases: Arrays, activation: str = "relu"
) -> tuple[Array, list[Array], list[Array]]:
    """The gradients of the rows, of every weight and of every bias."""
    slope = getattr(activations, f"{activation}_derivative")
    values = layer_values(x, weights, biases, activation)
    weight_grads: list[Array] = []
    bias_grads: list[Array] = []
    for layer in reversed(range(len(weights))):
        a, z = values[layer]
        if layer < len(weights) - 1:
            grad = grad * slope(z)  # through the bend; the last layer has none
        grad, weight_grad, bias_grad = dense_backward(grad, a, weights[layer], biases[layer])
        weight_grads.insert(0, weight_grad)
        bias_grads.insert(0, bias_grad)
    return grad, weight_grads, bias_grads
