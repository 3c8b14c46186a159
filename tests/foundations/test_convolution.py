from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from glasshouse.foundations.convolution import conv2d, conv2d_backward

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 3), (5, 4)])
def test_every_stride_padding_and_size_is_torchs_forward_and_backward(
    stride: int, padding: int, size: tuple[int, int]
) -> None:
    x, kernel, bias = RANDOM.normal(size=(2, 3, 7, 8)), RANDOM.normal(size=(4, 3, *size)), RANDOM.normal(size=4)
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, kernel, bias)]
    image, weight, offset = tensors
    expected = functional.conv2d(image, weight, offset, stride=stride, padding=padding)
    found = conv2d(x, kernel, bias, stride, padding)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    grad = RANDOM.normal(size=found.shape)
    expected.backward(torch.tensor(grad))
    for ours, tensor in zip(conv2d_backward(grad, x, kernel, bias, stride, padding), tensors, strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_the_textbooks_layer_on_a_colour_picture() -> None:
    found = conv2d(np.zeros((4, 3, 32, 32)), np.zeros((16, 3, 3, 3)), np.arange(16.0), padding=1)
    assert found.shape == (4, 16, 32, 32)
    assert np.array_equal(found[0, :, 5, 5], np.arange(16.0))


def test_one_pixel_at_a_time_is_a_dense_layer() -> None:
    x, kernel, bias = RANDOM.normal(size=(2, 3, 4, 5)), RANDOM.normal(size=(6, 3, 1, 1)), RANDOM.normal(size=6)
    dense = np.moveaxis(x, 1, -1) @ kernel[:, :, 0, 0].T + bias
    np.testing.assert_allclose(conv2d(x, kernel, bias), np.moveaxis(dense, -1, 1), rtol=1e-12)


def test_try_this_padding_keeps_the_size() -> None:
    assert conv2d(np.zeros((1, 1, 9, 11)), np.zeros((1, 1, 3, 3)), np.zeros(1), padding=1).shape == (1, 1, 9, 11)
