from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from glasshouse.foundations.optimisers import adam, adamw, momentum, rmsprop, sgd

TWINS = {
    "sgd": (sgd, lambda p: torch.optim.SGD(p, lr=0.01)),
    "momentum": (momentum, lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    "rmsprop": (rmsprop, lambda p: torch.optim.RMSprop(p, lr=0.01)),
    "adam": (adam, lambda p: torch.optim.Adam(p, lr=0.001)),
    "adamw": (adamw, lambda p: torch.optim.AdamW(p, lr=0.001)),
}


@pytest.mark.parametrize("name", TWINS)
def test_two_hundred_steps_are_torchs(name: str) -> None:
    rule, make = TWINS[name]
    random = np.random.default_rng(0)
    parameter = random.normal(size=(3, 2))
    memory: tuple[np.ndarray, ...] = ()
    twin = nn.Parameter(torch.tensor(parameter))
    optimiser = make([twin])
    for _ in range(200):
        gradient = random.normal(size=(3, 2)) * 10.0 ** random.uniform(-4, 2)
        parameter, memory = rule(parameter, gradient, memory)
        twin.grad = torch.tensor(gradient)
        optimiser.step()
    np.testing.assert_allclose(parameter, twin.detach().numpy(), rtol=1e-11)


@pytest.mark.parametrize("rule", [momentum, rmsprop, adam, adamw])
def test_a_rule_does_not_write_on_what_it_is_given(rule) -> None:
    parameter, gradient = np.ones(3), np.full(3, 2.0)
    _, memory = rule(parameter, gradient)
    kept = [np.array(part) for part in memory]
    rule(parameter, gradient, memory)
    assert parameter.tolist() == [1.0] * 3 and gradient.tolist() == [2.0] * 3
    assert all(np.array_equal(one, two) for one, two in zip(memory, kept, strict=True))


@pytest.mark.parametrize("rule", [sgd, momentum, rmsprop, adam])
def test_no_gradient_no_step(rule) -> None:
    assert rule(np.ones(2), np.zeros(2))[0].tolist() == [1.0, 1.0]


def test_for_sgd_l2_and_decoupled_decay_are_one_and_for_adam_they_are_not() -> None:
    parameter, gradient, decay, rate = np.array([1.0, 1.0]), np.array([0.01, 100.0]), 0.1, 0.01
    as_l2, _ = sgd(parameter, gradient + decay * parameter, learning_rate=rate)
    decoupled = sgd(parameter, gradient, learning_rate=rate)[0] - rate * decay * parameter
    np.testing.assert_allclose(as_l2, decoupled)
    l2_in_adam, _ = adam(parameter, gradient + decay * parameter, learning_rate=rate)
    assert abs(l2_in_adam[1] - adamw(parameter, gradient, learning_rate=rate, weight_decay=decay)[0][1]) > 1e-4


@pytest.mark.parametrize(
    "rule",
    [
        partial(sgd, learning_rate=0.01),
        momentum,
        partial(rmsprop, learning_rate=0.02),
        partial(adam, learning_rate=0.1),
    ],
)
def test_each_goes_down_a_valley(rule) -> None:
    place, memory = np.array([5.0, 1.0]), ()
    for _ in range(500):
        place, memory = rule(place, np.array([1.0, 50.0]) * place, memory)
    assert np.max(np.abs(place)) < 0.05


def test_try_this_adams_first_step_is_the_sign() -> None:
    moved, _ = adam(np.zeros(3), np.array([1000.0, 0.001, -5.0]), learning_rate=0.01)
    np.testing.assert_allclose(moved, [-0.01, -0.01, 0.01], rtol=1e-4)
