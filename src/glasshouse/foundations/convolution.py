"""Convolution: one small dense layer that visits every place of a picture.

    yₒ(i, j) = bₒ + Σ over channels c and offsets (u, v):  xᶜ(i·stride + u, j·stride + v) · kernelₒᶜ(u, v)

The same few weights look for the same pattern everywhere: a shifted picture gives a shifted result, and a layer has
out · in · k · k weights whatever the picture's size (LeCun et al., 1989). Strictly this is a cross-correlation (the
kernel is not turned round), as in torch.

    output size = ⌊(size + 2 · padding - k) / stride⌋ + 1

Try this: what does a 3 x 3 kernel with padding 1 do to the size of a picture? (Nothing: that is what the padding is
for.)
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _windows(x: Array, size: tuple[int, int], stride: int) -> Array:
    """What each place of the result looks at: (rows, channels, height, width, k, k), a view and not a copy."""
    return sliding_window_view(x, size, axis=(2, 3))[:, :, ::stride, ::stride]


def _padded(x: Array, padding: int) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))


def conv2d(x: Array, kernel: Array, bias: Array, stride: int = 1, padding: int = 0) -> Array:
    """The sum above at every place.

    Shapes:
        x: (rows, in_channels, height, width); kernel: (out_channels, in_channels, k, k); bias: (out_channels,)

    Args:
        x: the pictures.
        kernel: one small picture for each pair of channels.
        bias: one number for each output channel.
        stride: how far the kernel moves between places.
        padding: zeros put around the picture.
    """
    windows = _windows(_padded(x, padding), (kernel.shape[2], kernel.shape[3]), stride)
    return np.asarray(np.einsum("rchwuv,ocuv->rohw", windows, kernel) + bias[:, None, None])


def conv2d_backward(
    grad: Array, x: Array, kernel: Array, bias: Array, stride: int = 1, padding: int = 0
) -> tuple[Array, Array, Array]:
    """Each offset of the kernel saw a grid of pixels: the kernel collects what it saw, the pixels what they caused."""
    tall, wide = kernel.shape[2:]
    padded = _padded(x, padding)
    kernel_grad = np.einsum("rchwuv,rohw->ocuv", _windows(padded, (tall, wide), stride), grad)
    padded_grad = np.zeros_like(padded)
    height, width = grad.shape[2] * stride, grad.shape[3] * stride
    for u in range(tall):
        for v in range(wide):
            seen = padded_grad[:, :, u : u + height : stride, v : v + width : stride]
            seen[:, :, : grad.shape[2], : grad.shape[3]] += np.einsum("rohw,oc->rchw", grad, kernel[:, :, u, v])
    x_grad = padded_grad[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]
    return x_grad, kernel_grad, np.sum(grad, axis=(0, 2, 3))
