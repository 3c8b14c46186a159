"""Lessons on the layers beside the dense one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import relu
from glasshouse.foundations.attention import attention as attend
from glasshouse.foundations.attention import attention_weights
from glasshouse.foundations.convolution import conv2d
from glasshouse.foundations.dropout import dropout as thinned
from glasshouse.foundations.embedding import embedding as look_up
from glasshouse.foundations.embedding import embedding_backward
from glasshouse.foundations.lessons.lesson import Numbers
from glasshouse.foundations.normalisation import batch_norm, batch_norm_evaluation, layer_norm, running_statistics
from glasshouse.foundations.pooling import average_pool, max_pool
from glasshouse.foundations.recurrence import gru_backward, lstm_backward, rnn_backward

Array = NDArray[np.float64]


def normalisation(seed: int) -> Numbers:
    """Normalisation: mean 0 and spread 1.

    Batch normalisation works down the columns, so the other rows of the batch matter in training; in evaluation
    running means take their place. Layer normalisation works along the rows. A batch of one row loses everything but
    the shift.
    """
    random = np.random.default_rng(seed)
    x = random.normal(loc=[100.0, 0.0, -5.0], scale=[0.1, 1.0, 50.0], size=(64, 3))
    one, none = np.ones(3), np.zeros(3)
    mean, variance = none, one
    for _ in range(200):
        mean, variance = running_statistics(
            random.normal([100.0, 0.0, -5.0], [0.1, 1.0, 50.0], (64, 3)), mean, variance
        )
    normed = batch_norm(x, one, none)
    return {
        "feature": [0, 1, 2],
        "mean_before": np.mean(x, axis=0).tolist(),
        "spread_before": np.std(x, axis=0).tolist(),
        "mean_after": np.mean(normed, axis=0).tolist(),
        "spread_after": np.std(normed, axis=0).tolist(),
        "running_mean": mean.tolist(),
        "first_row_in_training": normed[0].tolist(),
        "first_row_in_evaluation": batch_norm_evaluation(x[:1], mean, variance, one, none)[0].tolist(),
        "one_row_alone_in_training": batch_norm(x[:1], one, none)[0].tolist(),
        "first_row_by_layer_norm": layer_norm(x[:1], one, none)[0].tolist(),
    }


def dropout(seed: int) -> Numbers:
    """Dropout: many thinned networks, one average.

    Half of 100 hidden units are left out and the others doubled: each of 2000 thinned networks gives another output,
    and their mean is the whole network's.
    """
    random = np.random.default_rng(seed)
    hidden, weight = relu(random.normal(size=100)), random.normal(scale=0.2, size=100)
    outputs = [float(thinned(hidden, random.random(100) >= 0.5, 0.5) @ weight) for _ in range(2000)]
    kept = random.random((1000, 100)) >= 0.5
    return {
        "whole_network": float(hidden @ weight),
        "mean_of_thinned": float(np.mean(outputs)),
        "spread_of_thinned": float(np.std(outputs)),
        "standard_error_of_mean": float(np.std(outputs) / np.sqrt(2000)),
        "share_left_out": float(np.mean(~kept)),
        "mean_of_ones_after_dropout": float(np.mean(thinned(np.ones((1000, 100)), kept, 0.5))),
    }


def convolution(seed: int) -> Numbers:
    """Convolution: a few weights look everywhere.

    A picture that is dark on the left and bright on the right, and a kernel that subtracts what is left of a pixel
    from what is right of it: the result is zero but at the edge. Shift the picture, and the result shifts. A dense
    layer for 3 x 32 x 32 pixels to 16 such maps has a hundred thousand times as many numbers.
    """
    random = np.random.default_rng(seed)
    picture = np.zeros((1, 1, 6, 8))
    picture[:, :, :, 4:] = 1.0
    edge = np.array([[[[-1.0, 0.0, 1.0]] * 3]])
    found = conv2d(picture, edge, np.zeros(1))
    noise, kernel = random.normal(size=(1, 3, 32, 32)), random.normal(size=(16, 3, 3, 3))
    whole = conv2d(noise, kernel, np.zeros(16), padding=1)
    shifted = conv2d(np.roll(noise, 1, axis=3), kernel, np.zeros(16), padding=1)
    return {
        "picture_row": picture[0, 0, 0].tolist(),
        "found_row": found[0, 0, 0].tolist(),
        "shape": list(noise.shape),
        "shape_after_3x3_padding_1": list(whole.shape),
        "shape_after_3x3_stride_2": list(conv2d(noise, kernel, np.zeros(16), stride=2).shape),
        "shifted_result_differs_by": float(np.max(np.abs(shifted[..., 2:-1] - whole[..., 1:-2]))),
        "parameters": kernel.size + 16,
        "parameters_of_a_dense_layer": noise.size * whole.size + whole.size,
    }


def pooling(seed: int) -> Numbers:
    """Pooling: smaller, and less easily moved.

    Of each square of 2 x 2 the largest number is kept, or the mean. Bright dots shifted by one pixel change the
    picture at every dot; after pooling fewer places change, counted for each bright place.
    """
    random = np.random.default_rng(seed)
    small = np.array([[1.0, 3.0, 2.0, 0.0], [4.0, 2.0, 1.0, 1.0], [0.0, 0.0, 5.0, 6.0], [1.0, 2.0, 7.0, 8.0]])[
        None, None
    ]
    dots = (random.random((20, 1, 32, 32)) < 0.02).astype(np.float64)
    moved = np.roll(dots, 1, axis=3).astype(np.float64)
    return {
        "picture": small[0, 0].tolist(),
        "largest": max_pool(small)[0, 0].tolist(),
        "mean": average_pool(small)[0, 0].tolist(),
        "places_changed_by_a_shift": float(np.mean(np.any(dots != moved, axis=1)) / np.mean(dots)),
        "places_changed_after_pooling": float(np.mean(max_pool(dots) != max_pool(moved)) / np.mean(max_pool(dots))),
    }


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
    give shuffled results.
    """
    random = np.random.default_rng(seed)
    keys = 4.0 * np.eye(4)
    queries = np.array([keys[2], keys[0] + keys[1], np.zeros(4)])
    causal = np.tri(4, dtype=bool)
    x, order = random.normal(size=(4, 6)), random.permutation(4)
    shuffled = attend(x[order], x[order], x[order])
    return {
        "query": ["like key 2", "like keys 0 and 1", "like none"],
        "looks_at": attention_weights(queries, keys).tolist(),
        "causal": attention_weights(x, x, causal).tolist(),
        "shares_add_up_to": np.sum(attention_weights(x, x, causal), axis=1).tolist(),
        "shuffling_changes": float(np.max(np.abs(shuffled - attend(x, x, x)[order]))),
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
