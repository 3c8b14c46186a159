from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from glasshouse.foundations import losses
from glasshouse.foundations.differences import numerical_gradient
from glasshouse.foundations.network import network, network_backward

REGRESSION = ("mean_squared_error", "mean_absolute_error", "huber")


def test_the_textbooks_losses() -> None:
    logits = np.array([[2.0, 1.0, 0.1], [0.5, 2.5, 0.3], [0.1, 0.2, 3.0]])
    assert losses.mean_squared_error(np.array([2.5, 0.0, 2.1]), np.array([3.0, -0.5, 2.0])) == pytest.approx(0.17)
    assert losses.cross_entropy(logits, np.array([0, 1, 2])) == pytest.approx(0.2488936679399457)


@pytest.mark.parametrize("name", REGRESSION)
def test_no_error_costs_nothing_and_pulls_nowhere(name: str) -> None:
    outputs = np.array([1.0, -2.0, 1e3])
    assert getattr(losses, name)(outputs, outputs) == 0.0
    assert not getattr(losses, f"{name}_gradient")(outputs, outputs).any()


def test_huber_is_squared_near_and_absolute_far() -> None:
    actual = np.zeros(3)
    near, far = np.array([0.1, -0.5, 1.0]), np.array([10.0, -20.0, 30.0])
    assert losses.huber(near, actual) == pytest.approx(losses.mean_squared_error(near, actual) / 2.0)
    assert losses.huber(far, actual) == pytest.approx(losses.mean_absolute_error(far, actual) - 0.5)
    assert losses.huber(far, actual, delta=2.0) == pytest.approx(
        functional.huber_loss(torch.tensor(far), torch.zeros(3), delta=2.0)
    )


def test_hubers_loss_of_any_error_is_finite_where_its_square_is_not() -> None:
    assert losses.huber(np.array([-1e200]), np.zeros(1)) == 1e200
    assert losses.huber_gradient(np.array([-1e200]), np.zeros(1)).tolist() == [-1.0]


def test_sure_and_wrong_is_dear_but_finite() -> None:
    logits, actual = np.array([-800.0, 800.0, 1e308]), np.array([1.0, 0.0, 1.0])
    assert losses.binary_cross_entropy(logits, actual) == pytest.approx(1600.0 / 3.0)
    assert np.all(np.isfinite(losses.binary_cross_entropy_gradient(logits, actual)))
    assert losses.cross_entropy(np.array([[0.0, 1e3]]), np.array([0])) == 1000.0


def test_two_classes_are_yes_and_no() -> None:
    z, labels = np.random.default_rng(0).normal(size=20), np.random.default_rng(1).integers(2, size=20)
    both = losses.cross_entropy(np.column_stack([np.zeros(20), z]), labels)
    assert losses.binary_cross_entropy(z, labels.astype(float)) == pytest.approx(both, rel=1e-12)


def test_the_gradient_of_a_row_adds_up_to_nothing() -> None:
    gradient = losses.cross_entropy_gradient(np.random.default_rng(0).normal(size=(6, 4)), np.zeros(6, dtype=int))
    np.testing.assert_allclose(gradient.sum(axis=1), 0.0, atol=1e-15)


@pytest.mark.parametrize("name", [*REGRESSION, "cross_entropy", "binary_cross_entropy"])
def test_a_loss_on_top_of_a_network_has_the_gradient_of_exactly_that_loss(name: str) -> None:
    # Two wrong parts can cancel into the gradient of another loss than the one printed: so the whole is checked.
    random = np.random.default_rng(0)
    x, weights, biases = (
        random.normal(size=(7, 3)),
        [random.normal(size=(3, 4)), random.normal(size=(4, 2))],
        [np.ones(4), np.ones(2)],
    )
    actual = {
        "cross_entropy": random.integers(2, size=7),
        "binary_cross_entropy": random.integers(2, size=(7, 2)) * 1.0,
    }
    target = actual.get(name, random.normal(size=(7, 2)))
    grad = getattr(losses, f"{name}_gradient")(network(x, weights, biases, "tanh"), target)
    _, weight_grads, _ = network_backward(grad, x, weights, biases, "tanh")
    measured = numerical_gradient(
        lambda first: getattr(losses, name)(network(x, [first, weights[1]], biases, "tanh"), target), weights[0]
    )
    np.testing.assert_allclose(weight_grads[0], measured, rtol=1e-7, atol=1e-11)


def test_try_this_not_knowing_ten_classes_costs_the_logarithm_of_ten() -> None:
    assert losses.cross_entropy(np.full((5, 10), 3.0), np.arange(5)) == pytest.approx(math.log(10.0))
