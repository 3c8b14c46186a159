"""One table: each of our functions, its torch counterpart, the inputs both are given, and how closely they must agree.

The tests run it, `docs/foundations.md` prints it, and a public function of these files that has no row fails a test.
A row says what torch computes as an expression over the inputs' names, so that this file needs no torch:
`F` is torch.nn.functional, `twins` are the few counterparts that take more than one line (tests/parity/twins.py).

A row with a derivative (`backward`) is climbed as a ladder: against central differences of our own function, against
torch's autograd of the counterpart, and by torch's `gradcheck`; and each of these is shown to reject an error of 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One function and its counterpart.

    Args:
        ours: file and function, such as "activations.gelu".
        torch: the same in torch, an expression over the names of the inputs.
        inputs: draws the arguments by name; arrays of floats, and lists of them, are what is differentiated.
        backward: the name of its derivative in the same file; empty where it has none.
        tolerance: the largest difference allowed, relative to the largest number compared.
        note: where the two could differ, and why they do not.
    """

    ours: str
    torch: str
    inputs: Callable[[np.random.Generator], Inputs]
    backward: str = ""
    tolerance: float = 1e-12
    note: str = ""


def draw(**named: Any) -> Callable[[np.random.Generator], Inputs]:
    """Inputs by name: a tuple is the shape of an array of normal numbers, a list holds shapes, the rest is as it is."""

    def one(random: np.random.Generator, value: Any) -> Any:
        if isinstance(value, tuple):
            return random.normal(size=value)
        if isinstance(value, list):
            return [random.normal(size=shape) for shape in value]
        return value(random) if callable(value) else value

    return lambda random: {name: one(random, value) for name, value in named.items()}


def whole(size: int | tuple[int, ...], below: int) -> Callable[[np.random.Generator], Any]:
    """Draws whole numbers from 0 up: class labels, or places in a table."""
    return lambda random: random.integers(below, size=size)


_x = draw(x=(5, 4))

ROWS: tuple[Row, ...] = (
    # --- activations
    Row("activations.linear", "nn.Identity()(x)", _x, "linear_derivative"),
    Row("activations.step", "(x >= 0).double()", _x, "step_derivative"),
    Row("activations.sigmoid", "torch.sigmoid(x)", _x, "sigmoid_derivative"),
    Row("activations.tanh", "torch.tanh(x)", _x, "tanh_derivative"),
    Row("activations.relu", "F.relu(x)", _x, "relu_derivative", note="slope 0 at 0, as torch"),
    Row("activations.leaky_relu", "F.leaky_relu(x)", _x, "leaky_relu_derivative", note="slope 0.01 at 0"),
    Row("activations.prelu", "F.prelu(x, slope)", draw(x=(5, 4), slope=(4,)), "prelu_backward"),
    Row("activations.elu", "F.elu(x)", _x, "elu_derivative"),
    Row("activations.gelu", "F.gelu(x)", _x, "gelu_derivative"),
    Row("activations.gelu_tanh", "F.gelu(x, approximate='tanh')", _x, "gelu_tanh_derivative"),
    Row("activations.silu", "F.silu(x)", _x, "silu_derivative"),
    # --- finite differences
    Row("differences.numerical_gradient", "twins.gradient_of_cubes(x)",
        lambda random: {"function": lambda x: float((x**3).sum()), "x": random.normal(size=(3, 2))}, tolerance=1e-9),
)  # fmt: skip
