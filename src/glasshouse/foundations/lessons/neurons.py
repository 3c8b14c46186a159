"""Lessons on one neuron and one layer."""

from __future__ import annotations

import numpy as np

from glasshouse.foundations import activations as bends
from glasshouse.foundations.lessons.lesson import Numbers

_ACTIVATIONS = "linear step sigmoid tanh relu leaky_relu elu gelu gelu_tanh silu".split()


def activations(seed: int) -> Numbers:
    """Activations: ten bends and their slopes.

    Where a slope is near zero the layers before it learn nothing: sigmoid's is at most 1/4, ReLU's is 1 or 0. PReLU is
    leaky ReLU with a slope that is learnt.
    """
    x = np.linspace(-5.0, 5.0, 21)
    values = {name: getattr(bends, name)(x).tolist() for name in _ACTIVATIONS}
    slopes = {name: getattr(bends, f"{name}_derivative")(x).tolist() for name in _ACTIVATIONS}
    return {"x": x.tolist(), "values": values, "slopes": slopes}
