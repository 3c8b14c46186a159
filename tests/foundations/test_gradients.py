from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from glasshouse.foundations.gradients import clip_by_norm, clip_by_value, dead_units, gradient_norms
from glasshouse.foundations.initialisation import he_normal, xavier_normal
from glasshouse.foundations.network import new_network


def length(gradients: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(gradient**2) for gradient in gradients)))


def test_a_short_gradient_is_left_alone() -> None:
    assert clip_by_norm([np.array([0.3]), np.array([0.4])], 1.0)[0].tolist() == [0.3]
    assert clip_by_norm([np.zeros(3)], 1.0)[0].tolist() == [0.0, 0.0, 0.0]
    assert clip_by_norm([], 1.0) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden(bad: float) -> None:
    with np.errstate(invalid="ignore"):
        found = clip_by_norm([np.array([bad, 1.0])], 1.0)[0]
    parameter = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    parameter.grad = torch.tensor([bad, 1.0], dtype=torch.float64)
    nn.utils.clip_grad_norm_([parameter], 1.0)
    np.testing.assert_array_equal(found, parameter.grad.numpy())
    assert not np.all(np.isfinite(found))


def test_the_textbooks_explosion_and_its_clipping() -> None:
    assert clip_by_value([np.array([2.0**10])], 10.0)[0].tolist() == [10.0]


def test_try_this_only_the_norm_keeps_the_direction() -> None:
    gradient = np.array([3.0, 1024.0])
    by_norm, by_value = clip_by_norm([gradient], 10.0)[0], clip_by_value([gradient], 10.0)[0]
    assert by_norm[1] / by_norm[0] == pytest.approx(gradient[1] / gradient[0])
    assert by_value[1] / by_value[0] == pytest.approx(10.0 / 3.0)
    assert length([by_norm]) == pytest.approx(10.0)


def test_sigmoids_vanish_and_relu_with_he_does_not() -> None:
    random = np.random.default_rng(0)
    x, grad = random.normal(size=(64, 32)), np.ones((64, 32))
    sigmoid = gradient_norms(grad, x, *new_network((32,) * 11, random, xavier_normal), "sigmoid")
    relu = gradient_norms(grad, x, *new_network((32,) * 11, random, he_normal), "relu")
    assert len(sigmoid) == 10
    assert sigmoid[0] < 1e-4 * sigmoid[-1]
    assert 0.02 < relu[0] / relu[-1] < 50.0


def test_the_textbooks_neuron_is_dead() -> None:
    x = np.abs(np.random.default_rng(42).normal(size=(100, 3)))
    weight, bias = np.array([[-0.5, 0.5], [-0.3, 0.3], [0.1, 0.1]]), np.array([-1.0, 0.0])
    assert dead_units(x, weight, bias) == 0.5
    assert dead_units(x, weight[:, :1], bias[:1]) == 1.0
