from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from glasshouse.foundations import losses
from glasshouse.foundations.gradients import clip_by_norm
from glasshouse.foundations.network import network, network_backward, new_network
from glasshouse.foundations.optimisers import adam, adamw, momentum, rmsprop, sgd
from glasshouse.foundations.training import Recipe, mini_batches, train

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (partial(sgd, learning_rate=0.05), lambda p: torch.optim.SGD(p, lr=0.05)),
        (partial(momentum, learning_rate=0.01), lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
        (partial(rmsprop, learning_rate=0.003), lambda p: torch.optim.RMSprop(p, lr=0.003)),
        (partial(adam, learning_rate=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
        (partial(adamw, learning_rate=0.01), lambda p: torch.optim.AdamW(p, lr=0.01)),
    ],
    ids=["sgd", "momentum", "rmsprop", "adam", "adamw"],
)
def test_five_epochs_are_torchs_five_epochs(ours, theirs) -> None:
    weights, biases = new_network((3, 8, 2), RANDOM)
    x, labels = RANDOM.normal(size=(37, 3)), RANDOM.integers(2, size=37)
    orders = [RANDOM.permutation(37) for _ in range(5)]
    recipe = Recipe("cross_entropy", "tanh", ours, batch_size=8)
    found = train(x, labels, weights, biases, orders, recipe)
    model: Any = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    for layer, weight, bias in zip((model[0], model[2]), weights, biases, strict=True):
        layer.weight, layer.bias = nn.Parameter(torch.tensor(weight.T)), nn.Parameter(torch.tensor(bias))
    optimiser = theirs(model.parameters())
    history = []
    for order in orders:
        batches = []
        for batch in torch.tensor(order).split(8):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(torch.tensor(x)[batch]), torch.tensor(labels)[batch])
            loss.backward()
            optimiser.step()
            batches.append(loss.item())
        history.append(np.mean(batches))
    np.testing.assert_allclose(found[2], history, rtol=1e-10)
    np.testing.assert_allclose(found[0][0], model[0].weight.detach().numpy().T, rtol=1e-9)


def test_training_leaves_its_arguments_alone() -> None:
    weights, biases = new_network((2, 4, 1), RANDOM)
    kept = [weight.copy() for weight in weights]
    train(RANDOM.normal(size=(10, 2)), np.ones((10, 1)), weights, biases, [np.arange(10)], Recipe())
    assert all(np.array_equal(one, two) for one, two in zip(weights, kept, strict=True))


def test_clipping_shortens_a_long_step() -> None:
    weights, biases = new_network((2, 1), RANDOM)
    x, actual = RANDOM.normal(size=(10, 2)), np.full((10, 1), 1e6)
    recipe = Recipe(optimiser=partial(sgd, learning_rate=1.0), batch_size=10, clip_norm=0.5)
    moved = train(x, actual, weights, biases, [np.arange(10)], recipe)
    grad = losses.mean_squared_error_gradient(network(x, weights, biases), actual)
    _, weight_grads, bias_grads = network_backward(grad, x, weights, biases)
    clipped = clip_by_norm([*weight_grads, *bias_grads], 0.5)
    np.testing.assert_allclose(weights[0] - moved[0][0], clipped[0])
    assert np.sqrt(np.sum((weights[0] - moved[0][0]) ** 2) + np.sum((biases[0] - moved[1][0]) ** 2)) == pytest.approx(
        0.5
    )


def test_every_row_is_in_exactly_one_batch() -> None:
    order = RANDOM.permutation(10)
    batches = mini_batches(order, 4)
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert np.array_equal(np.concatenate(batches), order)
    assert mini_batches(order[:0], 4) == []


def test_try_this_how_many_updates() -> None:
    assert 100 * len(mini_batches(np.arange(10_000), 32)) == 31_300
    assert 10_000 // 32 == 312
