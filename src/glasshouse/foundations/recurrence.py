"""Backpropagation through time: a cell along a sequence is a deep network whose layers share their weights.

Forward, the state goes from step to step. Backward, the gradient goes from the last step to the first, each state
getting what its own output caused and what the next step sends back; the shared weights add up over the steps (Werbos,
1990).

Try this: where does a gradient at the last output get to first, and what must it pass to reach the first input? (The
last step; then every step between, each with a matrix and a slope.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.gru import gru_cell, gru_cell_backward
from glasshouse.foundations.lstm import lstm_cell, lstm_cell_backward
from glasshouse.foundations.rnn import rnn_cell, rnn_cell_backward

Array = NDArray[np.float64]
State = tuple[Array, ...]


def _states(cell: Callable[..., Any], xs: Array, state: State, parameters: Sequence[Array]) -> list[State]:
    """The state before each step, and after the last."""
    states = [state]
    for x in xs:
        following = cell(x, *states[-1], *parameters)
        states.append(following if isinstance(following, tuple) else (following,))
    return states


def _backward(
    cell: tuple[Callable[..., Any], Callable[..., Any]],
    grad: Array,
    xs: Array,
    state: State,
    parameters: Sequence[Array],
) -> tuple[Array, ...]:
    """The gradients of the sequence, of the first state and of the parameters."""
    states = _states(cell[0], xs, state, parameters)
    # Gradients of what every step shares, the weights, start from zero and collect a share from each step.
    x_grads = np.zeros_like(xs)
    state_grads = tuple(np.zeros_like(part) for part in state)
    sums = [np.zeros_like(parameter) for parameter in parameters]
    for t in reversed(range(len(xs))):
        # The first part of a state is what the step shows, so the gradient of the outputs arrives there.
        arriving: Any = (state_grads[0] + grad[t], *state_grads[1:])
        found = cell[1](arriving if len(state) > 1 else arriving[0], xs[t], *states[t], *parameters)
        x_grads[t], state_grads = found[0], found[1 : 1 + len(state)]
        sums = [total + part for total, part in zip(sums, found[1 + len(state) :], strict=True)]
    return x_grads, *state_grads, *sums


def rnn(xs: Array, hidden: Array, input_weight: Array, hidden_weight: Array, bias: Array) -> Array:
    """The hidden state of a plain recurrent cell after each step.

    Shapes:
        xs: (steps, rows, features); hidden: (rows, units), before the first step; returns (steps, rows, units)
        the parameters as in `rnn.rnn_cell`
    """
    return np.stack([state[0] for state in _states(rnn_cell, xs, (hidden,), (input_weight, hidden_weight, bias))[1:]])


def rnn_backward(
    grad: Array, xs: Array, hidden: Array, input_weight: Array, hidden_weight: Array, bias: Array
) -> tuple[Array, ...]:
    """Through time, with the cell's own way back."""
    return _backward((rnn_cell, rnn_cell_backward), grad, xs, (hidden,), (input_weight, hidden_weight, bias))


def lstm(xs: Array, hidden: Array, memory: Array, input_weight: Array, hidden_weight: Array, bias: Array) -> Array:
    """The hidden state of an LSTM cell after each step; shapes as in `rnn` and `lstm.lstm_cell`."""
    states = _states(lstm_cell, xs, (hidden, memory), (input_weight, hidden_weight, bias))
    return np.stack([state[0] for state in states[1:]])


def lstm_backward(
    grad: Array, xs: Array, hidden: Array, memory: Array, input_weight: Array, hidden_weight: Array, bias: Array
) -> tuple[Array, ...]:
    """Through time, with the cell's own way back."""
    cell = lstm_cell, lstm_cell_backward
    return _backward(cell, grad, xs, (hidden, memory), (input_weight, hidden_weight, bias))


def gru(
    xs: Array, hidden: Array, input_weight: Array, hidden_weight: Array, input_bias: Array, hidden_bias: Array
) -> Array:
    """The hidden state of a GRU cell after each step; shapes as in `rnn` and `gru.gru_cell`."""
    parameters = input_weight, hidden_weight, input_bias, hidden_bias
    return np.stack([state[0] for state in _states(gru_cell, xs, (hidden,), parameters)[1:]])


def gru_backward(
    grad: Array,
    xs: Array,
    hidden: Array,
    input_weight: Array,
    hidden_weight: Array,
    input_bias: Array,
    hidden_bias: Array,
) -> tuple[Array, ...]:
    """Through time, with the cell's own way back."""
    parameters = input_weight, hidden_weight, input_bias, hidden_bias
    return _backward((gru_cell, gru_cell_backward), grad, xs, (hidden,), parameters)
