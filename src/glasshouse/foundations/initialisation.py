"""Initialisation: how large the first weights are, so that a signal neither dies nor explodes on its way through the
layers.

A weighted sum of n inputs with weights of variance v has n·v times the variance of the inputs. Through 50 layers that
factor is taken to the power 50, so it had better be 1:

    Xavier, for tanh and sigmoid:                         v = 2 / (inputs + outputs)     (Glorot and Bengio, 2010)
    He, for ReLU, which halves the power of the signal:   v = 2 / inputs                 (He et al., 2015)

Xavier's is a compromise: 1 / inputs would keep the signal level forward, 1 / outputs the gradient backward.

A uniform distribution over ±a has variance a² / 3, hence the √3 below. Biases start at zero. Weights must differ at
the start: with equal ones every unit of a layer gets the same gradient, and they stay one unit for ever.

Try this: what is left of the spread after 50 ReLU layers with Xavier's variance? (About √(1/2)^50 = 3e-8 of it.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Random = np.random.Generator


def xavier_normal(inputs: int, outputs: int, random: Random) -> Array:
    """Normal weights (inputs, outputs) of variance 2 / (inputs + outputs)."""
    return random.normal(scale=math.sqrt(2.0 / (inputs + outputs)), size=(inputs, outputs))


def xavier_uniform(inputs: int, outputs: int, random: Random) -> Array:
    """Uniform weights of the same variance: between ±√(6 / (inputs + outputs))."""
    bound = math.sqrt(3.0 * 2.0 / (inputs + outputs))
    return random.uniform(-bound, bound, size=(inputs, outputs))


def he_normal(inputs: int, outputs: int, random: Random) -> Array:
    """Normal weights (inputs, outputs) of variance 2 / inputs."""
    return random.normal(scale=math.sqrt(2.0 / inputs), size=(inputs, outputs))


def he_uniform(inputs: int, outputs: int, random: Random) -> Array:
    """Uniform weights of the same variance: between ±√(6 / inputs)."""
    bound = math.sqrt(3.0 * 2.0 / inputs)
    return random.uniform(-bound, bound, size=(inputs, outputs))


def spreads(x: Array, weights: Sequence[Array], activation: Callable[[Array], Array]) -> list[float]:
    """The standard deviation of the signal after each layer (biases zero, as they start).

    Shapes:
        x: (rows, inputs); weights: one matrix a layer
    """
    found = []
    for weight in weights:
        x = activation(x @ weight)
        found.append(float(np.std(x)))
    return found
