"""The computational graph: every operation leaves a note of how to come back.

Each `Node` holds a value, the nodes it came from, and for each of them the local step of the chain rule: given the
gradient of the loss with regard to this value, the share of that parent. `backward` reads the notes from the last to
the first; a node that was used twice adds up what both uses send back.

That is all of automatic differentiation (Linnainmaa, 1970), and what torch's `loss.backward()` does.

Try this: what is the gradient of x + x·x at x = 3? (1 + 2·3 = 7: x is used three times.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glasshouse.foundations import activations

Array = NDArray[np.float64]
Back = Callable[[Array], Array]


class Node:
    """A value in the graph.

    Args:
        value: a number or an array.
        parents: the nodes it was computed from, each with its step back.

    Attributes:
        grad: the gradient of the loss with regard to the value, once `backward` has run; zero before.

    Example:
        >>> x, w, b = Node(2.0), Node(0.5), Node(0.1)
        >>> loss = ((w * x + b).relu() - 1.0) ** 2
        >>> loss.backward()
        >>> round(float(loss.value), 4), round(float(w.grad), 4), round(float(b.grad), 4)
        (0.01, 0.4, 0.2)
    """

    # An array on the left (`x * node`) would make an array of nodes, one for each of its numbers. With this line NumPy
    # leaves the operation to the node.
    __array_ufunc__ = None

    def __init__(self, value: ArrayLike, parents: tuple[tuple[Node, Back], ...] = ()) -> None:
        self.value = np.asarray(value, dtype=np.float64)
        self.parents = parents
        self.grad = np.zeros_like(self.value)

    def __add__(self, other: Node | ArrayLike) -> Node:
        """y = a + b: the gradient goes to both as it is."""
        other = _as_node(other)
        return Node(self.value + other.value, ((self, lambda grad: grad), (other, lambda grad: grad)))

    def __mul__(self, other: Node | ArrayLike) -> Node:
        """y = a · b: each gets the gradient times the other."""
        other = _as_node(other)
        return Node(
            self.value * other.value, ((self, lambda grad: grad * other.value), (other, lambda grad: grad * self.value))
        )

    def __matmul__(self, other: Node | ArrayLike) -> Node:
        """Y = A B, both matrices: ∂A = ∂Y Bᵀ and ∂B = Aᵀ ∂Y."""
        # `mT` and not `T`: of a stack of matrices it turns each, and of a vector, where these formulas are wrong, none.
        other = _as_node(other)
        return Node(
            self.value @ other.value,
            ((self, lambda grad: grad @ other.value.mT), (other, lambda grad: self.value.mT @ grad)),
        )

    def __pow__(self, power: float) -> Node:
        """y = a^p: p a^(p-1)."""
        return Node(self.value**power, ((self, lambda grad: grad * power * self.value ** (power - 1.0)),))

    def exp(self) -> Node:
        """y = e^a: its own slope."""
        value = np.exp(self.value)
        return Node(value, ((self, lambda grad: grad * value),))

    def log(self) -> Node:
        """y = ln a: 1 / a."""
        return Node(np.log(self.value), ((self, lambda grad: grad / self.value),))

    def relu(self) -> Node:
        """y = max(0, a): the gradient passes where a > 0."""
        return Node(
            activations.relu(self.value), ((self, lambda grad: grad * activations.relu_derivative(self.value)),)
        )

    def tanh(self) -> Node:
        """y = tanh a: 1 - y²."""
        return Node(
            activations.tanh(self.value), ((self, lambda grad: grad * activations.tanh_derivative(self.value)),)
        )

    def sum(self, axis: int | None = None) -> Node:
        """y = Σ a, over all or along an axis that stays with length 1: every term gets the gradient of the sum."""
        value = np.sum(self.value, axis=axis, keepdims=axis is not None)
        return Node(value, ((self, lambda grad: np.broadcast_to(grad, self.value.shape)),))

    def __neg__(self) -> Node:
        return self * -1.0

    def __sub__(self, other: Node | ArrayLike) -> Node:
        return self + -_as_node(other)

    def __truediv__(self, other: Node | ArrayLike) -> Node:
        return self * _as_node(other) ** -1.0

    def __rsub__(self, other: ArrayLike) -> Node:
        return -self + other

    def __rtruediv__(self, other: ArrayLike) -> Node:
        return self**-1.0 * other

    def __rmatmul__(self, other: ArrayLike) -> Node:
        return _as_node(other) @ self

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self) -> None:
        """Fills `grad` of every node behind this one, which must be a single number: the loss."""
        order = _parents_first(self)
        for node in order:
            node.grad = np.zeros_like(node.value)
        self.grad = np.ones_like(self.value)
        for node in reversed(order):
            for parent, back in node.parents:
                parent.grad = parent.grad + _shrunk(back(node.grad), parent.value.shape)


def gradients(function: Callable[..., Node], values: Sequence[ArrayLike]) -> list[Array]:
    """The gradients of a function of nodes, one for each value, in the value's shape (torch: autograd.grad).

    Args:
        function: from as many nodes as there are values to a node with a single number.
        values: numbers or arrays.

    Example:
        >>> [gradient.tolist() for gradient in gradients(lambda a, b: (a * b).sum(), [[1.0, 2.0], [3.0, 4.0]])]
        [[3.0, 4.0], [1.0, 2.0]]
    """
    nodes = [Node(value) for value in values]
    function(*nodes).backward()
    return [node.grad for node in nodes]


def _as_node(value: Node | ArrayLike) -> Node:
    """A node as it is; anything else as a constant in the graph."""
    return value if isinstance(value, Node) else Node(value)


def _parents_first(last: Node) -> list[Node]:
    """Every node behind `last`, each after all it came from."""
    # A function that calls itself for each parent would read better, and overflow Python's stack after a thousand
    # operations.
    order: list[Node] = []
    entered: set[int] = set()
    waiting: list[tuple[Node, bool]] = [(last, False)]
    while waiting:
        node, left = waiting.pop()
        if left:
            order.append(node)
        elif id(node) not in entered:
            entered.add(id(node))
            waiting.append((node, True))
            waiting.extend((parent, False) for parent, _ in node.parents)
    return order


def _shrunk(grad: Array, shape: tuple[int, ...]) -> Array:
    """The gradient in the shape of a value that was stretched (broadcast) to take part: what was copied adds up."""
    grad = np.sum(grad, axis=tuple(range(grad.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and grad.shape[axis] != 1)
    return np.asarray(np.sum(grad, axis=stretched, keepdims=True))
