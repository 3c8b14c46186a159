"""Lessons on what stops a network from learning, and the remedies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import (
    leaky_relu,
    leaky_relu_derivative,
    relu,
    relu_derivative,
    sigmoid_derivative,
)
from glasshouse.foundations.gradients import clip_by_norm, clip_by_value, dead_units, gradient_norms
from glasshouse.foundations.initialisation import he_normal, xavier_normal
from glasshouse.foundations.lessons.lesson import Numbers
from glasshouse.foundations.lessons.networks import ring
from glasshouse.foundations.network import new_network
from glasshouse.foundations.optimisers import sgd
from glasshouse.foundations.tape import Node
from glasshouse.foundations.training import Recipe, train

Array = NDArray[np.float64]
DEPTHS = (1, 2, 3, 5, 10, 15, 20)


def _sigmoid(z: Node) -> Node:
    return ((z * -1.0).exp() + 1.0) ** -1.0


def _normed(z: Node) -> Node:
    centred = z - z.sum(axis=0) * (1.0 / len(z.value))
    return centred / ((centred**2.0).sum(axis=0) * (1.0 / len(z.value)) + 1e-5) ** 0.5


def _first_gradient(x: Array, weights: list[Array], layer: Callable[[Node, Node], Node]) -> float:
    """The length of the first layer's gradient in a network of these layers, whose outputs are summed."""
    nodes = [Node(weight) for weight in weights]
    hidden = Node(x)
    for node in nodes:
        hidden = layer(hidden, node)
    hidden.sum().backward()
    return float(np.linalg.norm(nodes[0].grad))


def vanishing_gradients(seed: int) -> Numbers:
    """Vanishing gradients, and four remedies.

    A sigmoid's slope is at most 1/4 and 0.105 at 2: ten of them leave a millionth or less. `first_layer` is the length
    of the first layer's gradient in real networks of so many layers; then what four remedies make of ten sigmoid
    layers.
    """
    random = np.random.default_rng(seed)
    x = random.normal(size=(64, 16))
    schemes = {"sigmoid": xavier_normal, "tanh": xavier_normal, "relu": he_normal}
    first_layer: dict[str, list[float]] = {name: [] for name in schemes}
    for name, scheme in schemes.items():
        for depth in DEPTHS:
            network = new_network((16,) * (depth + 1), random, scheme)
            first_layer[name].append(gradient_norms(np.ones((64, 16)), x, *network, name)[0])
    weights = [xavier_normal(16, 16, random) for _ in range(10)]
    larger = [he_normal(16, 16, random) for _ in range(10)]
    slope = float(sigmoid_derivative(np.array(2.0)))
    return {
        "product_of_10_slopes_at_0": 0.25**10,
        "slope_at_2": slope,
        "product_of_10_slopes_at_2": slope**10,
        "layers": list(DEPTHS),
        "first_layer": first_layer,
        "ten_layers": ["sigmoid", "tanh", "relu and He", "sigmoid, batch norm", "sigmoid, skip connections"],
        "first_layer_of_ten": [
            _first_gradient(x, weights, lambda h, w: _sigmoid(h @ w)),
            _first_gradient(x, weights, lambda h, w: (h @ w).tanh()),
            _first_gradient(x, larger, lambda h, w: (h @ w).relu()),
            _first_gradient(x, weights, lambda h, w: _sigmoid(_normed(h @ w))),
            _first_gradient(x, weights, lambda h, w: h + _sigmoid(h @ w)),
        ],
    }


def exploding_gradients(seed: int) -> Numbers:
    """Exploding gradients, and clipping.

    Ten doublings make 1024 of a gradient. Clipping cuts off each number, or scales all to a length and keeps the
    direction. A deep network that starts with weights 1.5 times too large: plain descent runs away at once, and
    clipped it learns.
    """
    random = np.random.default_rng(seed)
    gradient = np.array([3.0, 1024.0])
    x = random.normal(size=(128, 8))
    actual = np.sin(x[:, :1])
    weights, biases = new_network((8, 32, 32, 32, 32, 1), random)
    orders = [random.permutation(128) for _ in range(200)]
    losses = {}
    with np.errstate(all="ignore"):
        for name, most in {"plain": None, "clipped": 1.0}.items():
            recipe = Recipe(optimiser=partial(sgd, learning_rate=0.02), clip_norm=most)
            losses[name] = train(x, actual, [1.5 * weight for weight in weights], biases, orders, recipe)[2]
    finite = np.isfinite(losses["plain"])
    return {
        "ten_doublings": 2.0**10,
        "gradient": gradient.tolist(),
        "clipped_by_value_10": clip_by_value([gradient], 10.0)[0].tolist(),
        "clipped_by_norm_10": clip_by_norm([gradient], 10.0)[0].tolist(),
        "plain_descent_runs_away": not bool(np.all(finite)),
        "finite_epochs": int(np.argmin(finite)),
        "clipped_loss_at_first": losses["clipped"][0],
        "clipped_loss_at_last": losses["clipped"][-1],
    }


def dead_relu(seed: int) -> Numbers:
    """Dead ReLU: zero on every row, for ever.

    With weights -0.5, -0.3, 0.1 and bias -1, and rows that are all positive, the sum is below zero on every row: no
    gradient. Leaky ReLU lets a hundredth through, and the unit comes back to life. Too large a learning rate kills
    units wholesale.
    """
    random = np.random.default_rng(seed)
    x = np.abs(random.normal(size=(100, 3)))
    start = np.array([[-0.5], [-0.3], [0.1]]), np.array([-1.0])
    alive = {}
    for name, (bend, slope) in {
        "relu": (relu, relu_derivative),
        "leaky_relu": (leaky_relu, leaky_relu_derivative),
    }.items():
        weight, bias = start
        for _ in range(500):  # towards an output of 1 on every row
            z = x @ weight + bias
            grad = 2.0 * (bend(z) - 1.0) * slope(z) / len(x)
            weight, bias = weight - 0.5 * x.T @ grad, bias - 0.5 * grad.sum(axis=0)
        alive[name] = float(np.mean(x @ weight + bias > 0.0))
    points, labels = ring(random)
    rates, dead = [0.01, 0.1, 1.0, 10.0], []
    orders = [random.permutation(len(points)) for _ in range(10)]
    for rate in rates:
        recipe = Recipe("cross_entropy", optimiser=partial(sgd, learning_rate=rate))
        weights, biases, _ = train(
            points, labels, *new_network((2, 64, 2), np.random.default_rng(seed)), orders, recipe
        )
        dead.append(dead_units(points, weights[0], biases[0]))
    return {
        "rows": len(x),
        "sums_below_zero": int(np.sum(x @ start[0] + start[1] < 0.0)),
        "share_of_rows_alive_after_training_relu": alive["relu"],
        "share_of_rows_alive_after_training_leaky_relu": alive["leaky_relu"],
        "learning_rate": rates,
        "share_of_dead_units": dead,
    }
