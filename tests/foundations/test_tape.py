from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import pytest
import torch

from glasshouse.foundations.tape import Node

Pair = tuple[tuple[int, ...], tuple[int, ...]]
LEFT = np.array([[1.0, -2.0], [3.0, 0.5], [-0.7, 4.0]])
T_LEFT = torch.tensor(LEFT)
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
    "arrays on the left": (
        lambda a, b: LEFT * a - (LEFT - b),
        lambda a, b: T_LEFT * a - (T_LEFT - b),
        ((3, 2), (3, 2)),
    ),
    "a number over a value": (lambda a, b: 2.0 / a + 1.0 - b, lambda a, b: 2.0 / a + 1.0 - b, ((3, 2), (3, 2))),
    "an array times a matrix": (lambda a, b: LEFT.T @ a + b, lambda a, b: T_LEFT.T @ a + b, ((3, 2), (2, 2))),
    "a matrix times an array": (lambda a, b: a @ LEFT.T + b, lambda a, b: a @ T_LEFT.T + b, ((3, 2), (3, 3))),
    "stacks of matrices": (operator.matmul, operator.matmul, ((2, 3, 4), (2, 4, 5))),
    "a stack and a matrix": (operator.matmul, operator.matmul, ((2, 3, 4), (4, 5))),
    "a value used three times": (lambda a, b: a * a + a * b, lambda a, b: a * a + a * b, ((3, 2), (3, 2))),
}


def assert_agrees_with_autograd(
    name: str, plant: Callable[[list[Node], Node], None] = lambda leaves, found: None
) -> None:
    """An operation and its steps back against torch; `plant` may spoil the graph before it is walked."""
    ours, torchs, shapes = OPERATIONS[name]
    random = np.random.default_rng(0)
    values = [random.normal(size=shape) for shape in shapes]
    nodes = [Node(value) for value in values]
    tensors = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in values]
    found, expected = ours(*nodes), torchs(*tensors)
    np.testing.assert_allclose(found.value, expected.detach().numpy(), rtol=1e-13)
    plant(nodes, found)
    scale = random.normal(size=found.value.shape)
    (found * scale).sum().backward()
    (expected * torch.tensor(scale)).sum().backward()
    for node, tensor in zip(nodes, tensors, strict=True):
        assert tensor.grad is not None
        np.testing.assert_allclose(node.grad, tensor.grad.numpy(), rtol=1e-12, atol=1e-13)


def steps_back(leaves: list[Node], last: Node) -> list[tuple[Node, int]]:
    """Every step between the result and the leaves that a gradient takes: (node, which of its parents)."""
    found: list[tuple[Node, int]] = []
    waiting, seen = [last], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            steps = [
                (place, parent) for place, (parent, _) in enumerate(node.parents) if parent.parents or parent in leaves
            ]
            found += [(node, place) for place, _ in steps]
            waiting += [parent for _, parent in steps]
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_agrees_with_autograd(name: str) -> None:
    assert_agrees_with_autograd(name)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_step_back_that_is_off_by_a_hundred_thousandth_is_seen(name: str) -> None:
    ours, _, shapes = OPERATIONS[name]
    nodes = [Node(np.ones(shape)) for shape in shapes]
    count = len(steps_back(nodes, ours(*nodes)))
    assert count >= 2
    for number in range(count):

        def plant(leaves: list[Node], found: Node, number: int = number) -> None:
            node, place = steps_back(leaves, found)[number]
            parents = list(node.parents)
            parent, back = parents[place]
            parents[place] = parent, lambda grad: back(grad) * (1.0 + 1e-5)
            node.parents = tuple(parents)

        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            assert_agrees_with_autograd(name, plant)


def test_a_vector_in_a_matrix_product_is_refused_and_not_given_a_wrong_gradient() -> None:
    with pytest.raises(ValueError, match="ndim < 2"):
        (Node(np.ones(3)) @ Node(np.ones((3, 3)))).sum().backward()


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
