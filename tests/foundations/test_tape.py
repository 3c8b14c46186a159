from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import pytest
import torch

from glasshouse.foundations.tape import Node

Pair = tuple[tuple[int, ...], tuple[int, ...]]
OPERATIONS: dict[str, tuple[Callable, Callable, Pair]] = {
    "add": (operator.add, operator.add, ((3, 2), (3, 2))),
    "add a row to all": (operator.add, operator.add, ((3, 2), (2,))),
    "add a column to all": (operator.add, operator.add, ((3, 2), (3, 1))),
    "add one number to all": (operator.add, operator.add, ((), (3, 2))),
    "subtract": (operator.sub, operator.sub, ((3, 2), (1, 2))),
    "multiply": (operator.mul, operator.mul, ((3, 2), (3, 2))),
    "multiply, stretched": (operator.mul, operator.mul, ((3, 1), (1, 2))),
    "divide": (operator.truediv, operator.truediv, ((3, 2), (2,))),
    "matrix product": (operator.matmul, operator.matmul, ((3, 2), (2, 4))),
    "power": (lambda a, b: a**3.0 + b, lambda a, b: a**3.0 + b, ((3, 2), (3, 2))),
    "negative": (lambda a, b: -a * b, lambda a, b: -a * b, ((3, 2), (3, 2))),
    "exp": (lambda a, b: a.exp() * b, lambda a, b: a.exp() * b, ((3, 2), (3, 2))),
    "log": (lambda a, b: (a * a).log() * b, lambda a, b: (a * a).log() * b, ((3, 2), (3, 2))),
    "relu": (lambda a, b: a.relu() * b, lambda a, b: a.relu() * b, ((3, 2), (3, 2))),
    "tanh": (lambda a, b: a.tanh() * b, lambda a, b: a.tanh() * b, ((3, 2), (3, 2))),
    "sum along rows": (lambda a, b: a.sum(axis=0) * b, lambda a, b: a.sum(0, keepdim=True) * b, ((3, 2), (3, 2))),
    "sum along columns": (lambda a, b: a.sum(axis=1) * b, lambda a, b: a.sum(1, keepdim=True) * b, ((3, 2), (3, 2))),
    "numbers on the left": (lambda a, b: 2.0 + 3.0 * a * b, lambda a, b: 2.0 + 3.0 * a * b, ((3, 2), (3, 2))),
    "a value used three times": (lambda a, b: a * a + a * b, lambda a, b: a * a + a * b, ((3, 2), (3, 2))),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_agrees_with_autograd(name: str) -> None:
    ours, torchs, shapes = OPERATIONS[name]
    random = np.random.default_rng(0)
    values = [random.normal(size=shape) for shape in shapes]
    nodes = [Node(value) for value in values]
    tensors = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    found, expected = ours(*nodes), torchs(*tensors)
    np.testing.assert_allclose(found.value, expected.detach().numpy(), rtol=1e-13)
    scale = random.normal(size=found.value.shape)
    (found * scale).sum().backward()
    (expected * torch.tensor(scale)).sum().backward()
    for node, tensor in zip(nodes, tensors, strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(node.grad, tensor.grad.numpy(), rtol=1e-12, atol=1e-13)


def test_the_textbooks_graph() -> None:
    x, w, b = Node(2.0), Node(0.5), Node(0.1)
    loss = ((w * x + b).relu() - 1.0) ** 2.0
    loss.backward()
    assert [float(node.value) for node in (loss,)] == pytest.approx([0.01])
    assert [float(node.grad) for node in (w, b, x)] == pytest.approx([0.4, 0.2, 0.1])


def test_a_chain_of_twenty_thousand_operations_does_not_overflow() -> None:
    start = node = Node(1.0)
    for _ in range(20_000):
        node = node + 0.5
    node.backward()
    assert start.grad == 1.0
    assert node.value == 10_001.0


def test_a_second_walk_forgets_the_first() -> None:
    x = Node(3.0)
    loss = x * x
    loss.backward()
    loss.backward()
    assert x.grad == 6.0


def test_a_diamond_adds_up_both_ways() -> None:
    x = Node(2.0)
    left, right = x * 3.0, x.exp()
    (left * right).backward()
    assert float(x.grad) == pytest.approx(3.0 * np.exp(2.0) + 6.0 * np.exp(2.0))


def test_a_kink_is_torchs() -> None:
    x = Node(0.0)
    x.relu().backward()
    assert x.grad == 0.0


def test_try_this_a_value_used_three_times() -> None:
    x = Node(3.0)
    (x + x * x).backward()
    assert x.grad == 7.0
