"""The LSTM cell: a memory that is added to instead of overwritten (Hochreiter and Schmidhuber, 1997; Gers et al.,
2000).

    i, f, g, o = the four quarters of x U + h W + b
    c' = σ(f) · c + σ(i) · tanh(g)         keep some of the memory, write something new
    h' = σ(o) · tanh(c')                   show some of it

The way back along the memory is one multiplication by σ(f) a step, with no weight matrix: with the forget gate open (f
large) a gradient arrives after a hundred steps nearly as it left.

The order of the gates is torch's: input, forget, cell, output.

Try this: how many more numbers does it learn than a plain cell of the same size? (Four times as many.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import sigmoid, sigmoid_derivative, tanh, tanh_derivative

Array = NDArray[np.float64]


def lstm_cell(
    x: Array, hidden: Array, memory: Array, input_weight: Array, hidden_weight: Array, bias: Array
) -> tuple[Array, Array]:
    """The next (hidden state, memory).

    Shapes:
        x: (rows, features); hidden, memory: (rows, units)
        input_weight U: (features, 4 · units); hidden_weight W: (units, 4 · units); bias: (4 · units,)
    """
    i, f, g, o = np.split(x @ input_weight + hidden @ hidden_weight + bias, 4, axis=-1)
    memory = sigmoid(f) * memory + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(memory), memory


def lstm_cell_backward(
    grad: tuple[Array, Array],
    x: Array,
    hidden: Array,
    memory: Array,
    input_weight: Array,
    hidden_weight: Array,
    bias: Array,
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """From the gradients of (hidden state, memory); the memory's arrives on two ways, from itself and through h'."""
    i, f, g, o = np.split(x @ input_weight + hidden @ hidden_weight + bias, 4, axis=-1)
    new = sigmoid(f) * memory + sigmoid(i) * tanh(g)
    memory_grad = grad[1] + grad[0] * sigmoid(o) * tanh_derivative(new)
    sums_grad = np.concatenate(
        [
            memory_grad * tanh(g) * sigmoid_derivative(i),
            memory_grad * memory * sigmoid_derivative(f),
            memory_grad * sigmoid(i) * tanh_derivative(g),
            grad[0] * tanh(new) * sigmoid_derivative(o),
        ],
        axis=-1,
    )
    return (
        sums_grad @ input_weight.T,
        sums_grad @ hidden_weight.T,
        memory_grad * sigmoid(f),
        x.T @ sums_grad,
        hidden.T @ sums_grad,
        np.sum(sums_grad, axis=0),
    )
