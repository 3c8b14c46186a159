"""Dropout: in training, leave out each unit at random, so that none can rely on another (Srivastava et al., 2014).

    y = x · kept / (1 - p)

What is kept is made larger by 1 / (1 - p), so that the mean stays what it was, and at prediction time nothing has to
be done at all. Each step trains another thinned network; the whole one behaves like an average of them.

Try this: two layers with p = 0.5 each. What part of the paths through both is left? (A quarter.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dropout(x: Array, kept: NDArray[np.bool_], probability: float) -> Array:
    """x where it is kept, enlarged; 0 elsewhere.

    Args:
        x: any shape.
        kept: which are kept, in the same shape: `random.random(x.shape) >= probability`, anew at each step.
        probability: of being left out, below 1.
    """
    return np.where(kept, x / (1.0 - probability), 0.0)


def dropout_backward(grad: Array, x: Array, kept: NDArray[np.bool_], probability: float) -> Array:
    """The gradient passes where x passed, enlarged alike."""
    return np.where(kept, grad / (1.0 - probability), 0.0)
