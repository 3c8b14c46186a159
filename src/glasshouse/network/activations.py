"""The activations by name, each torch's own; PReLU, which learns, is a layer of the pack."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from glasshouse.core.errors import NetworkError, nearest, one_of

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus": functional.softplus,
}
MODULES: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "gelu_tanh": partial(nn.GELU, approximate="tanh"),
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
}
BOUNDS: dict[str, tuple[float, float]] = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
ZERO_WHEN_DEAD = frozenset({"relu"})  # a unit that is zero on every row passes no gradient


def activation_function(name: str) -> Callable[[Tensor], Tensor]:
    """The function of that name, elementwise on any shape.

    Raises:
        NetworkError: there is none of that name.

    Example:
        >>> activation_function("relu")(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    if name not in FUNCTIONS:
        near = nearest(name, FUNCTIONS)
        fix = f"network.activation={near}" if near else ""
        raise NetworkError(
            f"no activation is called {name!r}", where="network.activation", expected=one_of(FUNCTIONS, 20), fix=fix
        )
    return FUNCTIONS[name]
