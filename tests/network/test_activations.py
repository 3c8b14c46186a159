"""Activations against their formulas, and the function against the module of the same name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.special import erf
from torch import nn

from glasshouse.core.errors import NetworkError
from glasshouse.core.settings import Activation
from glasshouse.network.activations import BOUNDS, FUNCTIONS, MODULES, ZERO_WHEN_DEAD, activation_function

X = np.concatenate([np.linspace(-6, 6, 101), [0.0, -30.0, 30.0]])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "softplus": lambda x: np.log1p(np.exp(x)),
}


def test_every_activation_of_the_settings_is_here() -> None:
    named = set(get_args(Activation))
    assert named == FUNCTIONS.keys() | {"prelu"} == MODULES.keys() | {"prelu"} == FORMULAS.keys() | {"prelu"}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_slopes_are_those_of_the_formula(name: str) -> None:
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    y = activation_function(name)(x)
    np.testing.assert_allclose(y.detach().numpy(), FORMULAS[name](X), rtol=1e-9, atol=1e-9)
    y.sum().backward()
    smooth = np.abs(X) > 1e-3  # away from the kinks
    step = 1e-6
    slope = (FORMULAS[name](X + step) - FORMULAS[name](X - step)) / (2 * step)
    np.testing.assert_allclose(x.grad.numpy()[smooth], slope[smooth], rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(MODULES[name]()(x), y, rtol=0, atol=0)


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds_hold_and_are_reached(name: str) -> None:
    low, high = BOUNDS[name]
    y = activation_function(name)(torch.linspace(-50, 50, 101))
    assert (float(y.min()), float(y.max())) == pytest.approx((low, high), abs=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_the_activations_said_to_die_are_flat_at_zero(name: str) -> None:
    x = torch.linspace(-5.3, -0.1, 50, requires_grad=True)
    y = activation_function(name)(x)
    y.sum().backward()
    assert bool(((y == 0) & (x.grad == 0)).all()) == (name in ZERO_WHEN_DEAD)


def test_an_unknown_activation_is_refused_with_the_nearest() -> None:
    with pytest.raises(NetworkError, match="no activation is called 'rleu'") as caught:
        activation_function("rleu")
    assert caught.value.fix == "network.activation=relu" and "softplus" in caught.value.expected
    with pytest.raises(NetworkError) as caught:
        activation_function("qqqqqqq")
    assert caught.value.fix == ""


def test_modules_are_torchs() -> None:
    assert all(isinstance(make(), nn.Module) for make in MODULES.values())
