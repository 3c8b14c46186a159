"""How the inputs of `parity` are drawn: by name, small, and the same for a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Inputs = dict[str, Any]


class Fixed(np.random.Generator):
    """A generator that draws nothing: it returns what it was asked to draw with, the spread or the upper bound."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """The spread, everywhere."""
        return np.full(size, float(scale))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """The upper bound, everywhere."""
        return np.full(size, float(high))


def draw(**named: Any) -> Callable[[np.random.Generator], Inputs]:
    """Inputs by name: a tuple is the shape of an array of normal numbers, a list holds shapes, a function draws."""

    def one(random: np.random.Generator, value: Any) -> Any:
        if isinstance(value, tuple):
            return random.normal(size=value)
        if isinstance(value, list):
            return [random.normal(size=shape) for shape in value]
        return value(random) if callable(value) else value

    return lambda random: {name: one(random, value) for name, value in named.items()}


def given(value: Any) -> Callable[[np.random.Generator], Any]:
    """For `draw`: the value itself, whatever it is."""
    return lambda random: value


def whole(size: int | tuple[int, ...], below: int) -> Callable[[np.random.Generator], Any]:
    """For `draw`: whole numbers from 0 up, such as labels."""
    return lambda random: random.integers(below, size=size)
