"""Lessons on what reads sequences: recurrent cells, attention, embeddings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.attention import attention as attend
from glasshouse.foundations.attention import (
    attention_backward,
    attention_weights,
    multi_head_attention,
    multi_head_attention_backward,
)
from glasshouse.foundations.embedding import embedding as look_up
from glasshouse.foundations.embedding import embedding_backward
from glasshouse.foundations.lessons.backward import backward_error
from glasshouse.foundations.lessons.lesson import Numbers
from glasshouse.foundations.recurrence import gru_backward, lstm_backward, rnn_backward

Array = NDArray[np.float64]


def recurrent(seed: int) -> Numbers:
    """Recurrent networks: how far back they learn.

    `gradient` is how strongly the last output listens to the input so many steps earlier, against the last one. The
    plain cell forgets within a few steps; LSTM and GRU, with gates that start open, still listen after fifty. They
    learn four times as many numbers, and a little more than three times.
    """
    random = np.random.default_rng(seed)
    features, units, steps = 4, 16, 51
    xs, state = random.normal(size=(steps, 8, features)), np.zeros((8, units))
    last = np.zeros((steps, 8, units))
    last[-1] = 1.0

    def weights(gates: int) -> tuple[Array, Array]:
        scale = 0.5 / np.sqrt(units)
        return random.normal(scale=scale, size=(features, gates * units)), random.normal(
            scale=scale, size=(units, gates * units)
        )

    def opened(gates: int, gate: int) -> Array:
        """Zero biases, but for the gate that keeps the state: 4, so that it keeps 0.98 of it."""
        return np.repeat(np.where(np.arange(gates) == gate, 4.0, 0.0), units)

    plain, gated, reset = weights(1), weights(4), weights(3)
    cells: dict[str, tuple[Callable[..., tuple[Array, ...]], tuple[Array, ...]]] = {
        "rnn": (rnn_backward, (state, *plain, np.zeros(units))),
        "lstm": (lstm_backward, (state, state, *gated, opened(4, 1))),
        "gru": (gru_backward, (state, *reset, opened(3, 1), np.zeros(3 * units))),
    }
    gradient, counts = {}, {}
    for name, (backward, arguments) in cells.items():
        reached = np.linalg.norm(backward(last, xs, *arguments)[0], axis=(1, 2))[::-1]
        gradient[name] = (reached / reached[0]).tolist()
    for name, gates in {"rnn": 1, "lstm": 4, "gru": 3}.items():
        counts[name] = gates * (features * units + units * units + units) + (3 * units if name == "gru" else 0)
    back = list(range(steps))
    return {
        "steps_back": back,
        "gradient": gradient,
        "parameters": counts,
        "after_50": {n: g[-1] for n, g in gradient.items()},
    }


def attention(seed: int) -> Numbers:
    """Attention: who looks where.

    Four places, each with a key of its own: a query that resembles a key takes most of that place's value. With a
    causal mask each place looks only at itself and back. Without a mask the order does not matter: shuffled places
    give shuffled results. `backward_error` holds the gradients written by hand, of one head and of two, against
    measured slopes.
    """
    random = np.random.default_rng(seed)
    keys = 4.0 * np.eye(4)
    queries = np.array([keys[2], keys[0] + keys[1], np.zeros(4)])
    causal = np.tri(4, dtype=bool)
    x, order = random.normal(size=(4, 6)), random.permutation(4)
    shuffled = attend(x[order], x[order], x[order])

    def two_heads(x: Array, *projections: Array) -> Array:
        return multi_head_attention(x, list(projections), num_heads=2)

    def two_heads_backward(grad: Array, x: Array, *projections: Array) -> tuple[Array, ...]:
        x_grad, grads = multi_head_attention_backward(grad, x, list(projections), num_heads=2)
        return x_grad, *grads

    return {
        "query": ["like key 2", "like keys 0 and 1", "like none"],
        "looks_at": attention_weights(queries, keys).tolist(),
        "causal": attention_weights(x, x, causal).tolist(),
        "shares_add_up_to": np.sum(attention_weights(x, x, causal), axis=1).tolist(),
        "shuffling_changes": float(np.max(np.abs(shuffled - attend(x, x, x)[order]))),
        "backward_error": {
            "one_head": backward_error(attend, attention_backward, *random.normal(size=(3, 4, 6))),
            "two_heads": backward_error(two_heads, two_heads_backward, x[None], *random.normal(size=(4, 6, 6))),
        },
    }


def embedding(seed: int) -> Numbers:
    """Embedding: a row of numbers for each word.

    Looking rows up is a product with one-hot rows, without the zeros. Words 1 and 4 were looked up twice and get both
    gradients; word 3 never, and gets none.
    """
    table = np.random.default_rng(seed).normal(size=(5, 3))
    ids = np.array([1, 4, 1, 0, 2, 4])
    gradient = embedding_backward(np.ones((6, 3)), ids, table)
    return {
        "ids": ids.tolist(),
        "looked_up": look_up(ids, table).tolist(),
        "one_hot_product_differs_by": float(np.max(np.abs(look_up(ids, table) - np.eye(5)[ids] @ table))),
        "word": list(range(5)),
        "gradient_of_its_row": gradient[:, 0].tolist(),
    }
