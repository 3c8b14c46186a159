"""Lessons on the layers beside the dense one."""

from __future__ import annotations

import numpy as np

from glasshouse.foundations.activations import relu
from glasshouse.foundations.convolution import conv2d, conv2d_backward
from glasshouse.foundations.dropout import dropout as thinned
from glasshouse.foundations.dropout import dropout_backward
from glasshouse.foundations.lessons.backward import backward_error
from glasshouse.foundations.lessons.lesson import Numbers
from glasshouse.foundations.normalisation import (
    batch_norm,
    batch_norm_backward,
    batch_norm_evaluation,
    layer_norm,
    layer_norm_backward,
    running_statistics,
)
from glasshouse.foundations.pooling import average_pool, average_pool_backward, max_pool, max_pool_backward


def normalisation(seed: int) -> Numbers:
    """Normalisation: mean 0 and spread 1.

    Batch normalisation works down the columns, so the other rows of the batch matter in training; in evaluation
    running means take their place. Layer normalisation works along the rows. A batch of one row loses everything but
    the shift. `backward_error` holds the gradients written by hand against measured slopes.
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
        "backward_error": {
            "batch_norm": backward_error(batch_norm, batch_norm_backward, normed[:8], one, none),
            "layer_norm": backward_error(layer_norm, layer_norm_backward, normed[:8], one, none),
        },
    }


def dropout(seed: int) -> Numbers:
    """Dropout: many thinned networks, one average.

    Half of 100 hidden units are left out and the others doubled: each of 2000 thinned networks gives another output,
    and their mean is the whole network's. Backwards a unit that was left out learns nothing (`backward_error` holds the
    gradient against measured slopes).
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
        "backward_error": backward_error(
            lambda x: thinned(x, kept[0], 0.5), lambda grad, x: dropout_backward(grad, x, kept[0], 0.5), hidden
        ),
    }


def convolution(seed: int) -> Numbers:
    """Convolution: a few weights look everywhere.

    A picture that is dark on the left and bright on the right, and a kernel that subtracts what is left of a pixel
    from what is right of it: the result is zero but at the edge. Shift the picture, and the result shifts. A dense
    layer for 3 x 32 x 32 pixels to 16 such maps has a hundred thousand times as many numbers. `backward_error` holds
    the gradient written by hand against measured slopes.
    """
    random = np.random.default_rng(seed)
    picture = np.zeros((1, 1, 6, 8))
    picture[:, :, :, 4:] = 1.0
    edge = np.array([[[[-1.0, 0.0, 1.0]] * 3]])
    found = conv2d(picture, edge, np.zeros(1))
    noise, kernel = random.normal(size=(1, 3, 32, 32)), random.normal(size=(16, 3, 3, 3))
    whole = conv2d(noise, kernel, np.zeros(16), padding=1)
    shifted = conv2d(np.roll(noise, 1, axis=3), kernel, np.zeros(16), padding=1)
    halved = conv2d(noise, kernel, np.zeros(16), stride=2)
    return {
        "picture_row": picture[0, 0, 0].tolist(),
        "found_row": found[0, 0, 0].tolist(),
        "shape": " x ".join(map(str, noise.shape)),
        "shape_after_3x3_padding_1": " x ".join(map(str, whole.shape)),
        "shape_after_3x3_stride_2": " x ".join(map(str, halved.shape)),
        "shifted_result_differs_by": float(np.max(np.abs(shifted[..., 2:-1] - whole[..., 1:-2]))),
        "parameters": kernel.size + 16,
        "parameters_of_a_dense_layer": noise.size * whole.size + whole.size,
        "backward_error": backward_error(conv2d, conv2d_backward, noise[:, :, :6, :6], kernel[:2], np.ones(2)),
    }


def pooling(seed: int) -> Numbers:
    """Pooling: smaller, and less easily moved.

    Of each square of 2 x 2 the largest number is kept, or the mean. Bright dots shifted by one pixel change the
    picture at every dot; after pooling fewer places change, counted for each bright place. Backwards the largest number
    takes the whole gradient, or each its part of the mean's.
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
        "gradient_of_largest": max_pool_backward(np.ones((1, 1, 2, 2)), small)[0, 0].tolist(),
        "gradient_of_mean": average_pool_backward(np.ones((1, 1, 2, 2)), small)[0, 0].tolist(),
        "backward_error": {
            "largest": backward_error(max_pool, max_pool_backward, random.normal(size=(2, 2, 4, 4))),
            "mean": backward_error(average_pool, average_pool_backward, random.normal(size=(2, 2, 4, 4))),
        },
    }
