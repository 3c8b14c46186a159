"""Training: the loop in which all the other files meet.

An epoch is one pass over all rows, in a new order. It is cut into mini-batches, and each makes one update: from all
rows at once the gradient is exact but every step costs a whole pass; from one row it is cheap and mostly noise. 32 to
256 rows lie in between.

    updates = epochs · ⌈rows / batch size⌉

Five steps, always these, whether in NumPy here or in torch (`src/glasshouse/training/loop.py`).

Try this: 10,000 rows, batches of 32, 100 epochs. How many updates? (312 whole batches an epoch and one of 16 rows:
31,300.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations import losses
from glasshouse.foundations.gradients import clip_by_norm
from glasshouse.foundations.network import network, network_backward
from glasshouse.foundations.optimisers import Stepped, sgd

Array = NDArray[np.float64]
Arrays = Sequence[Array]
Order = NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Args:
        loss: the name of a function of `losses`.
        activation: the name of a function of `activations`.
        optimiser: a rule of `optimisers`, called with a parameter, its gradient and its memory.
        batch_size: rows an update.
        clip_norm: the greatest length of the gradient of all parameters together; None for any.
    """

    loss: str = "mean_squared_error"
    activation: str = "relu"
    optimiser: Callable[..., Stepped] = sgd
    batch_size: int = 32
    clip_norm: float | None = None


def mini_batches(order: Order, batch_size: int) -> list[Order]:
    """The rows of an epoch, cut into batches; the last one may be shorter."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def train(
    x: Array, actual: NDArray[Any], weights: Arrays, biases: Arrays, orders: Sequence[Order], recipe: Recipe
) -> tuple[list[Array], list[Array], list[float]]:
    """Trains a network.

    Args:
        x: (rows, inputs).
        actual: what the loss compares the outputs with.
        weights: one matrix a layer; left as they are.
        biases: one vector a layer; left as they are.
        orders: the order of the rows in each epoch, such as [random.permutation(len(x)) for _ in range(epochs)].
        recipe: how.

    Returns:
        (weights, biases, the mean loss of each epoch, each batch measured before its update).
    """
    loss_function, loss_gradient = getattr(losses, recipe.loss), getattr(losses, f"{recipe.loss}_gradient")
    parameters = [*weights, *biases]
    memories: list[tuple[Array, ...]] = [() for _ in parameters]
    layers, history = len(weights), []
    for order in orders:
        batch_losses = []
        for batch in mini_batches(order, recipe.batch_size):
            gradients: list[Array] = []  # 1. forget the old gradients
            now = parameters[:layers], parameters[layers:]
            outputs = network(x[batch], *now, recipe.activation)  # 2. forward
            batch_losses.append(loss_function(outputs, actual[batch]))  # 3. loss
            grad = loss_gradient(outputs, actual[batch])  # 4. backward
            for part in network_backward(grad, x[batch], *now, recipe.activation)[1:]:
                gradients.extend(part)
            if recipe.clip_norm is not None:
                gradients = clip_by_norm(gradients, recipe.clip_norm)
            for place, gradient in enumerate(gradients):  # 5. update
                stepped = recipe.optimiser(parameters[place], gradient, memories[place])
                parameters[place], memories[place] = stepped
        history.append(float(np.mean(batch_losses)))
    return parameters[:layers], parameters[layers:], history
