"""The GRU cell: an LSTM with three gates and no separate memory (Cho et al., 2014).

    r = σ(x Uᵣ + aᵣ + h Wᵣ + bᵣ)           what of the old state to look at
    z = σ(x U_z + a_z + h W_z + b_z)       how much of it to keep
    n = tanh(x Uₙ + aₙ + r · (h Wₙ + bₙ))  what would be new
    h' = (1 - z) · n + z · h

Where z is near 1, state and gradient pass unchanged. The two biases a and b are both needed here: r stands between
them. (In Cho's paper r is applied to h before the matrix; torch and cuDNN apply it after, and so does this file.)

Try this: which bias makes the state stay as it is? (a_z or b_z large: z = 1.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import sigmoid, sigmoid_derivative, tanh, tanh_derivative

Array = NDArray[np.float64]


def gru_cell(
    x: Array, hidden: Array, input_weight: Array, hidden_weight: Array, input_bias: Array, hidden_bias: Array
) -> Array:
    """The next hidden state.

    Shapes:
        x: (rows, features); hidden: (rows, units); input_weight U: (features, 3 · units), in the order r, z, n
        hidden_weight W: (units, 3 · units); input_bias a, hidden_bias b: (3 · units,)
    """
    from_input = np.split(x @ input_weight + input_bias, 3, axis=-1)
    from_hidden = np.split(hidden @ hidden_weight + hidden_bias, 3, axis=-1)
    r, z = sigmoid(from_input[0] + from_hidden[0]), sigmoid(from_input[1] + from_hidden[1])
    return (1.0 - z) * tanh(from_input[2] + r * from_hidden[2]) + z * hidden


def gru_cell_backward(
    grad: Array,
    x: Array,
    hidden: Array,
    input_weight: Array,
    hidden_weight: Array,
    input_bias: Array,
    hidden_bias: Array,
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Gate by gate, last line first; the old state is reached on two ways, as z · h and through the gates."""
    from_input = np.split(x @ input_weight + input_bias, 3, axis=-1)
    from_hidden = np.split(hidden @ hidden_weight + hidden_bias, 3, axis=-1)
    reset_sum, keep_sum = from_input[0] + from_hidden[0], from_input[1] + from_hidden[1]
    r, z = sigmoid(reset_sum), sigmoid(keep_sum)
    new_sum = from_input[2] + r * from_hidden[2]
    new_grad = grad * (1.0 - z) * tanh_derivative(new_sum)
    keep_grad = grad * (hidden - tanh(new_sum)) * sigmoid_derivative(keep_sum)
    reset_grad = new_grad * from_hidden[2] * sigmoid_derivative(reset_sum)
    input_grads = np.concatenate([reset_grad, keep_grad, new_grad], axis=-1)
    hidden_grads = np.concatenate([reset_grad, keep_grad, new_grad * r], axis=-1)
    return (
        input_grads @ input_weight.T,
        hidden_grads @ hidden_weight.T + grad * z,
        x.T @ input_grads,
        hidden.T @ hidden_grads,
        np.sum(input_grads, axis=0),
        np.sum(hidden_grads, axis=0),
    )
