from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from glasshouse.foundations import activations, losses
from glasshouse.foundations.initialisation import xavier_normal
from glasshouse.foundations.network import layer_values, network, network_backward, new_network

RANDOM = np.random.default_rng(0)
SMOOTH = "sigmoid tanh elu gelu gelu_tanh silu linear relu leaky_relu".split()
MODULES: dict[str, Callable[[], nn.Module]] = {
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU, "linear": nn.Identity,
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
}  # fmt: skip


@pytest.mark.parametrize("activation", SMOOTH)
def test_a_whole_network_with_its_loss_agrees_with_torch(activation: str) -> None:
    weights, biases = new_network((4, 16, 8, 3), RANDOM, xavier_normal)
    biases = [RANDOM.normal(size=bias.shape) for bias in biases]
    x, labels = RANDOM.normal(size=(20, 4)), RANDOM.integers(3, size=20)
    parts: list[nn.Module] = []
    for weight, bias in zip(weights, biases, strict=True):
        layer = nn.Linear(*weight.shape, dtype=torch.float64)
        layer.weight, layer.bias = nn.Parameter(torch.tensor(weight.T)), nn.Parameter(torch.tensor(bias))
        parts += [layer, MODULES[activation]()]
    model = nn.Sequential(*parts[:-1])
    loss = nn.functional.cross_entropy(model(torch.tensor(x)), torch.tensor(labels))
    loss.backward()
    outputs = network(x, weights, biases, activation)
    assert losses.cross_entropy(outputs, labels) == pytest.approx(loss.item(), rel=1e-12)
    _, weight_grads, bias_grads = network_backward(
        losses.cross_entropy_gradient(outputs, labels), x, weights, biases, activation
    )
    layers = [part for part in parts if isinstance(part, nn.Linear)]
    for layer, weight_grad, bias_grad in zip(layers, weight_grads, bias_grads, strict=True):
        assert layer.weight.grad is not None and layer.bias.grad is not None
        np.testing.assert_allclose(weight_grad, layer.weight.grad.numpy().T, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(bias_grad, layer.bias.grad.numpy(), rtol=1e-9, atol=1e-14)


def test_one_row_and_a_batch_give_the_same() -> None:
    weights, biases = new_network((4, 8, 8, 3), RANDOM)
    x = RANDOM.normal(size=(5, 4))
    single = np.stack([network(row, weights, biases) for row in x])
    np.testing.assert_allclose(network(x, weights, biases), single, rtol=1e-13)
    assert network(x[0], weights, biases).shape == (3,)


def test_the_textbooks_shapes() -> None:
    weights, biases = new_network((4, 8, 8, 3), RANDOM)
    values = layer_values(np.array([[0.5, 0.3, 0.8, 0.1]]), weights, biases)
    assert [(a.shape[1], z.shape[1]) for a, z in values] == [(4, 8), (8, 8), (8, 3)]
    assert np.array_equal(values[1][0], activations.relu(values[0][1]))


def test_a_step_of_backpropagation_goes_downhill() -> None:
    weights, biases = new_network((4, 16, 3), RANDOM)
    x, labels = RANDOM.normal(size=(50, 4)), RANDOM.integers(3, size=50)
    before = losses.cross_entropy(network(x, weights, biases), labels)
    grad = losses.cross_entropy_gradient(network(x, weights, biases), labels)
    _, weight_grads, bias_grads = network_backward(grad, x, weights, biases)
    moved = [weight - 0.1 * grad for weight, grad in zip(weights, weight_grads, strict=True)]
    shifted = [bias - 0.1 * grad for bias, grad in zip(biases, bias_grads, strict=True)]
    assert losses.cross_entropy(network(x, moved, shifted), labels) < before


def test_try_this_with_zero_weights_only_the_last_bias_listens() -> None:
    weights, biases = [np.zeros((3, 4)), np.zeros((4, 2))], [np.zeros(4), np.zeros(2)]
    _, weight_grads, bias_grads = network_backward(np.ones((5, 2)), RANDOM.normal(size=(5, 3)), weights, biases)
    assert not any(grad.any() for grad in [*weight_grads, bias_grads[0]])
    assert bias_grads[1].tolist() == [5.0, 5.0]
