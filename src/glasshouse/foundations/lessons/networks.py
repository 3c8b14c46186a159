"""Lessons on the whole network: forward, how it starts, what it can draw, and how wrong it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations import activations as bends
from glasshouse.foundations import losses as wrong
from glasshouse.foundations.initialisation import he_normal, spreads, xavier_normal
from glasshouse.foundations.lessons.lesson import Numbers
from glasshouse.foundations.network import layer_values, network, new_network
from glasshouse.foundations.optimisers import adam
from glasshouse.foundations.softmax import softmax
from glasshouse.foundations.training import Recipe, train

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
WIDTHS = (1, 2, 4, 8, 16, 32, 64)


def ring(random: np.random.Generator, rows: int = 200) -> tuple[Array, Labels]:
    """Points of a ring (class 0) around points of a cloud (class 1): no line parts them."""
    angle = random.uniform(0.0, 2.0 * np.pi, rows // 2)
    outside = 2.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    inside = random.normal(scale=0.5, size=(rows - rows // 2, 2))
    return np.vstack([outside, inside]), np.repeat([0, 1], [rows // 2, rows - rows // 2])


def forward(seed: int) -> Numbers:
    """The forward pass, and what hidden layers do.

    A batch is the same arithmetic for many rows at once. The ring and the cloud cannot be parted by a line; behind a
    hidden layer they can.
    """
    random = np.random.default_rng(seed)
    weights, biases = new_network((4, 8, 8, 3), random)
    batch = random.normal(size=(64, 4))
    single = np.stack([softmax(network(row, weights, biases)) for row in batch])
    x, labels = ring(random)
    orders = [random.permutation(len(x)) for _ in range(60)]
    recipe = Recipe("cross_entropy", "relu", partial(adam, learning_rate=0.02))
    accuracy = {}
    for name, sizes in {"linear_accuracy": (2, 2), "network_accuracy": (2, 16, 2)}.items():
        trained = train(x, labels, *new_network(sizes, random), orders, recipe)
        accuracy[name] = float(np.mean(np.argmax(network(x, *trained[:2]), axis=1) == labels))
    return {
        "layer_widths": [batch.shape[1], *(z.shape[1] for _, z in layer_values(batch, weights, biases))],
        "probabilities_of_one_row": single[0].tolist(),
        "batch_differs_from_single_rows_by": float(np.max(np.abs(single - softmax(network(batch, weights, biases))))),
        **accuracy,
    }


def _scaled(scale: float, width: int, random: np.random.Generator) -> Array:
    return random.normal(scale=scale, size=(width, width))


def initialisation(seed: int) -> Numbers:
    """Initialisation: the signal through 50 layers.

    Too small, and the signal is gone after ten layers; too large, and it is beyond any use. He keeps it level
    behind ReLU, where Xavier loses nearly a third in each layer; behind tanh, Xavier lets it fade slowly.
    """
    random = np.random.default_rng(seed)
    x, width = random.normal(size=(100, 256)), 256
    small = partial(_scaled, 0.01, width, random)
    large = partial(_scaled, 1.0, width, random)
    xavier, he = partial(xavier_normal, width, width, random), partial(he_normal, width, width, random)
    schemes: dict[str, tuple[str, Callable[[], Array]]] = {
        "relu_0.01": ("relu", small),
        "relu_1": ("relu", large),
        "relu_xavier": ("relu", xavier),
        "relu_he": ("relu", he),
        "tanh_xavier": ("tanh", xavier),
    }
    spread = {}
    for name, (bend, draw) in schemes.items():
        spread[name] = spreads(x, [draw() for _ in range(50)], getattr(bends, bend))
    after = {name: found[9] for name, found in spread.items()}
    return {"layers": list(range(1, 51)), "spread": spread, "after_10_layers": after}


def sine(seed: int) -> Numbers:
    """Universal approximation: sin x from pieces.

    Each hidden ReLU adds one kink. With one or two the curve cannot be followed; each doubling of the width lets the
    error fall. `errors` are root mean squares over 100 points from -π to π, where guessing zero has 0.70. The kinks
    start evenly spread; from there training moves them, and finds the slopes.
    """
    random = np.random.default_rng(seed)
    x = np.linspace(-np.pi, np.pi, 100)[:, None]
    errors, untrained = [], []
    for width in WIDTHS:
        # Kinks spread over the range, half of them facing each way; the outputs start near zero.
        side = np.where(np.arange(width) % 2 == 0, 1.0, -1.0)
        kinks = np.linspace(-np.pi, np.pi, width + 2)[1:-1]
        weights = [side[None, :], random.normal(scale=0.1, size=(width, 1))]
        biases = [-side * kinks, np.zeros(1)]
        untrained.append(float(np.sqrt(np.mean((network(x, weights, biases) - np.sin(x)) ** 2))))
        for rate in (0.02, 0.004, 0.0008):
            recipe = Recipe(optimiser=partial(adam, learning_rate=rate), batch_size=100)
            weights, biases, _ = train(x, np.sin(x), weights, biases, [np.arange(100)] * 500, recipe)
        errors.append(float(np.sqrt(np.mean((network(x, weights, biases) - np.sin(x)) ** 2))))
    return {"widths": list(WIDTHS), "errors": errors, "errors_before_training": untrained}


def losses(seed: int) -> Numbers:
    """Losses: how wrong, in one number.

    Squared errors let one outlier rule, absolute ones do not, Huber's lies between. Cross-entropy asks how much
    probability the truth was given: not knowing costs ln 2 for yes or no, being sure and wrong costs without limit.
    """
    outputs, actual = np.array([2.5, 0.0, 2.1]), np.array([3.0, -0.5, 2.0])
    outlier = np.array([3.0, -0.5, 12.0])
    logits = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, 0.3], [0.1, 0.2, 3.0]])
    names = ("mean_squared_error", "mean_absolute_error", "huber")
    sure = np.array([-10.0, -2.0, 0.0, 2.0, 10.0])
    return {
        "loss": list(names),
        "value": [getattr(wrong, name)(outputs, actual) for name in names],
        "with_an_outlier": [getattr(wrong, name)(outputs, outlier) for name in names],
        "cross_entropy": wrong.cross_entropy(logits, np.array([0, 1, 2])),
        "cross_entropy_of_not_knowing_3_classes": wrong.cross_entropy(np.zeros((1, 3)), np.array([0])),
        "logit_for_yes": sure.tolist(),
        "loss_if_yes": [wrong.binary_cross_entropy(np.array([logit]), np.array([1.0])) for logit in sure],
        "loss_if_no": [wrong.binary_cross_entropy(np.array([logit]), np.array([0.0])) for logit in sure],
    }
