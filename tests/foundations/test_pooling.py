from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from glasshouse.foundations.pooling import average_pool, average_pool_backward, max_pool, max_pool_backward

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_size_is_torchs_with_an_incomplete_edge(size: int) -> None:
    x = RANDOM.normal(size=(2, 3, 7, 8))
    for ours, back, theirs in (
        (max_pool, max_pool_backward, functional.max_pool2d),
        (average_pool, average_pool_backward, functional.avg_pool2d),
    ):
        tensor = torch.tensor(x, requires_grad=True)
        expected = theirs(tensor, size)
        found = ours(x, size)
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-13)
        grad = RANDOM.normal(size=found.shape)
        expected.backward(torch.tensor(grad))
        assert tensor.grad is not None
        np.testing.assert_allclose(back(grad, x, size), tensor.grad.numpy(), rtol=1e-13)


def test_a_tie_goes_to_the_first_as_in_torch() -> None:
    x = np.zeros((1, 1, 2, 2))
    tensor = torch.zeros(1, 1, 2, 2, requires_grad=True)
    functional.max_pool2d(tensor, 2).sum().backward()
    assert tensor.grad is not None
    assert np.array_equal(max_pool_backward(np.ones((1, 1, 1, 1)), x), tensor.grad.numpy())
    assert max_pool_backward(np.ones((1, 1, 1, 1)), x)[0, 0, 0, 0] == 1.0


def test_try_this_two_poolings_of_a_digit() -> None:
    assert max_pool(max_pool(np.zeros((1, 1, 28, 28)))).shape == (1, 1, 7, 7)
