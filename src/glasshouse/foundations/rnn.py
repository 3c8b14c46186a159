"""The recurrent cell: a layer whose output is also its next input, so that it remembers.

    h' = tanh(x U + h W + b)

The same U, W and b serve every step of the sequence (Elman, 1990). On the way back through t steps the gradient is
multiplied t times by Wᵀ and by the slope of tanh: it vanishes or explodes as in a network of t layers, and what
happened long ago is hard to learn from.

torch keeps U and W transposed and has a bias for each, which add up: one is enough.

Try this: U = 0 and b = 0, W the unit matrix times 0.5, h = 1. What is left after 20 steps? (Less than a millionth:
0.5^20, and a little less.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import tanh, tanh_derivative

Array = NDArray[np.float64]


def rnn_cell(x: Array, hidden: Array, input_weight: Array, hidden_weight: Array, bias: Array) -> Array:
    """The next hidden state.

    Shapes:
        x: (rows, features); hidden: (rows, units)
        input_weight U: (features, units); hidden_weight W: (units, units); bias: (units,)
    """
    return tanh(x @ input_weight + hidden @ hidden_weight + bias)


def rnn_cell_backward(
    grad: Array, x: Array, hidden: Array, input_weight: Array, hidden_weight: Array, bias: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Through the tanh, then as through a dense layer with two inputs."""
    sum_grad = grad * tanh_derivative(x @ input_weight + hidden @ hidden_weight + bias)
    return (
        sum_grad @ input_weight.T,
        sum_grad @ hidden_weight.T,
        x.T @ sum_grad,
        hidden.T @ sum_grad,
        np.sum(sum_grad, axis=0),
    )
