"""Pooling: of each small square of a picture keep one number, the largest or the mean.

The picture becomes smaller, what follows cheaper, and a shift by a pixel matters less. Nothing is learnt here.

On the way back the mean shares the gradient out evenly; the maximum gives all of it to the pixel that won, since the
others could have been a little different without changing anything. Equal winners: the first gets it, as in torch.

Try this: a picture of 28 x 28 after two poolings of 2? (7 x 7.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _squares(x: Array, size: int) -> Array:
    """The squares, (rows, channels, height / size, width / size, size²); an incomplete edge is left out."""
    rows, channels, height, width = x.shape[0], x.shape[1], x.shape[2] // size, x.shape[3] // size
    cut = x[:, :, : height * size, : width * size].reshape(rows, channels, height, size, width, size)
    return cut.transpose(0, 1, 2, 4, 3, 5).reshape(rows, channels, height, width, size * size)


def _picture(squares: Array, x: Array, size: int) -> Array:
    """The way back of `_squares`, with zeros at an edge that was left out."""
    rows, channels, height, width = squares.shape[:4]
    whole = squares.reshape(rows, channels, height, width, size, size).transpose(0, 1, 2, 4, 3, 5)
    picture = np.zeros_like(x)
    picture[:, :, : height * size, : width * size] = whole.reshape(rows, channels, height * size, width * size)
    return picture


def max_pool(x: Array, size: int = 2) -> Array:
    """The largest of each square.

    Shapes:
        x: (rows, channels, height, width); returns (rows, channels, height // size, width // size)
    """
    return np.asarray(np.max(_squares(x, size), axis=-1))


def max_pool_backward(grad: Array, x: Array, size: int = 2) -> Array:
    """All of it to the winner."""
    squares = _squares(x, size)
    won = np.arange(size * size) == np.argmax(squares, axis=-1)[..., None]
    return _picture(np.where(won, grad[..., None], 0.0), x, size)


def average_pool(x: Array, size: int = 2) -> Array:
    """The mean of each square, shapes as in `max_pool`."""
    return np.asarray(np.mean(_squares(x, size), axis=-1))


def average_pool_backward(grad: Array, x: Array, size: int = 2) -> Array:
    """An equal share to each."""
    return _picture(np.repeat(grad[..., None], size * size, axis=-1) / size**2, x, size)
