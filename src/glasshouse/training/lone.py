"""Forward and back through one dense network by itself: the bias is the weight of a one beside every input.

    [a, 1] [W; b] = a W + b        [a, 1]ᵀ ∂z = [∂W; ∂b]

One plain product for what takes two calls with a member axis: half the time for a small network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from glasshouse.data.batches import Batch, Drawn
from glasshouse.training.passes import BENDS, FEW_OUTPUTS, LOSSES, Random

WIDE = 4_000_000  # sums and products, by two, from which each thread takes a part of what a layer reads
MOST_PARTS = 4


class _Product:
    """One layer for batches of one size, there and back.

    Args:
        rows: (rows, in_features + 1) what comes in, and a one.
        whole: (in_features + 1, out_features) weight and bias below each other.
        whole_grad: where their gradient goes.
        z: (rows, out_features) where what goes out goes.
    """

    def __init__(self, rows: Tensor, whole: Tensor, whole_grad: Tensor, z: Tensor) -> None:
        self.rows, self.whole, self.whole_grad, self.z = rows, whole, whole_grad, z
        self.turned_rows, self.turned_whole = rows.mT, whole.mT

    def forward(self) -> None:
        """Fills z."""
        torch.mm(self.rows, self.whole, out=self.z)

    def back(self, grad: Tensor) -> None:
        """Fills the gradient of weight and bias from ∂z."""
        torch.mm(self.turned_rows, grad, out=self.whole_grad)


class _Narrow(_Product):
    """A layer with few outputs: in rows what else stands in columns, as `passes` does it for a pack."""

    def __init__(self, rows: Tensor, whole: Tensor, whole_grad: Tensor, z: Tensor) -> None:
        super().__init__(rows, whole, whole_grad, z)
        self.in_rows, self.grad_in_rows = torch.empty(z.shape[::-1]), torch.empty(whole.shape[::-1])

    def forward(self) -> None:
        """Fills z."""
        self.z.copy_(torch.mm(self.turned_whole, self.turned_rows, out=self.in_rows).mT)

    def back(self, grad: Tensor) -> None:
        """Fills the gradient of weight and bias from ∂z."""
        self.whole_grad.copy_(torch.mm(grad.mT, self.rows, out=self.grad_in_rows).mT)


class _Wide(_Product):
    """A layer that reads much: every thread multiplies its part of what comes in with its part of the weight.

    The update cuts the weight in the same way, so that what a thread has written is what it reads again. Where the
    processors share no cache, a step takes two thirds of the time so.
    """

    def __init__(self, rows: Tensor, whole: Tensor, whole_grad: Tensor, z: Tensor, parts: int) -> None:
        super().__init__(rows, whole, whole_grad, z)
        each = (len(whole) - 1) // parts
        self.weights, self.weight_grads = (part[:-1].unflatten(0, (parts, each)) for part in (whole, whole_grad))
        self.bias, self.bias_grad = whole[-1], whole_grad[-1]
        self.parts = rows[:, :-1].unflatten(1, (parts, each)).transpose(0, 1)
        self.turned_parts = self.parts.mT
        self.sums = torch.empty(parts, *z.shape)

    def forward(self) -> None:
        """Fills z."""
        first, *others = torch.bmm(self.parts, self.weights, out=self.sums)
        torch.add(first, self.bias, out=self.z)
        for other in others:
            self.z.add_(other)

    def back(self, grad: Tensor) -> None:
        """Fills the gradient of weight and bias from ∂z."""
        torch.bmm(self.turned_parts, grad.expand(self.sums.shape), out=self.weight_grads)
        torch.sum(grad, 0, out=self.bias_grad)


def _squared_error(outputs: Tensor, grad: Tensor) -> Callable[[Tensor], Tensor]:
    """The loss of batches of one size, with all that it needs made before: each call of torch takes a microsecond."""
    row, grad_row, grads = outputs.view(1, -1), grad.view(1, -1), grad.view(-1)
    per_row, half = torch.tensor(2.0 / len(outputs)), torch.tensor(0.5)

    def loss(targets: Tensor) -> Tensor:
        torch.mul(row.sub_(targets), per_row, out=grad_row)
        return torch.mv(row, grads).mul_(half)

    return loss


class _Memory(NamedTuple):
    """What the batches of one size go through."""

    products: list[_Product]
    batch: Tensor  # (1, rows, features) what comes in first
    inputs: list[Tensor]  # of each layer, what comes in
    grads: list[Tensor]  # ∂ of them
    loss: Callable[[Tensor], Tensor]  # targets to the loss, and ∂ of the outputs into `grad`
    grad: Tensor


class LonePasses:
    """Takes one network by itself forward and back.

    Args:
        wholes: of each layer, the head last, weight and bias below each other, (in_features + 1, out_features).
        grads: the same of their gradients.
        activation: a name of `BENDS`.
        loss: a name of `LOSSES`.
    """

    def __init__(self, wholes: Sequence[Tensor], grads: Sequence[Tensor], activation: str, loss: str) -> None:
        self.wholes, self.grads = wholes, grads
        self.turned = [whole[:-1].mT for whole in wholes]
        self.bend, self.bend_back = BENDS[activation]
        self.loss = loss
        self.memory: dict[int, _Memory] = {}

    def run(self, drawn: Batch | Drawn, random: Random = tuple) -> Tensor:
        """Fills the network's gradients, as `Passes.run` does; nothing is dropped."""
        size = drawn.size
        products, batch, inputs, grads, loss, grad = self.memory.get(size) or self._new_memory(size)
        if isinstance(drawn, Drawn):
            rows, places = drawn.rows, drawn.places[0]
            torch.index_select(rows.prepared, 0, places, out=inputs[0])
            targets = rows.targets.index_select(0, places)
        else:
            batch.copy_(drawn.prepared)
            targets = drawn.targets
        *hidden, head = products
        for product in hidden:
            product.forward()
            self.bend(product.z)
        head.forward()
        losses = loss(targets)
        for layer in range(len(hidden), 0, -1):
            products[layer].back(grad)
            grad = self.bend_back(torch.mm(grad, self.turned[layer], out=grads[layer]), inputs[layer])
        products[0].back(grad)
        return losses

    def _new_memory(self, size: int) -> _Memory:
        ones = [whole.new_ones(size, len(whole)) for whole in self.wholes]
        inputs = [each[:, :-1] for each in ones]
        outputs = self.wholes[-1].new_empty(size, self.wholes[-1].shape[1])
        grad = torch.empty_like(outputs)
        products = [
            _product(*parts) for parts in zip(ones, self.wholes, self.grads, [*inputs[1:], outputs], strict=True)
        ]
        grads = [torch.empty_like(each, memory_format=torch.contiguous_format) for each in inputs]
        if self.loss == "mse":
            loss = _squared_error(outputs, grad)
        else:
            losses = LOSSES[self.loss]
            loss = lambda targets: losses(outputs, targets.view(-1), grad)  # noqa: E731
        self.memory[size] = _Memory(products, inputs[0].unsqueeze(0), inputs, grads, loss, grad)
        return self.memory[size]


def _product(rows: Tensor, whole: Tensor, whole_grad: Tensor, z: Tensor) -> _Product:
    """The way of computing a layer that is fastest for its sizes."""
    reads, units = len(whole) - 1, whole.shape[1]
    parts = torch.get_num_threads()
    if 1 < parts <= MOST_PARTS and not reads % parts and len(rows) * reads * units >= WIDE:
        return _Wide(rows, whole, whole_grad, z, parts)
    kind = _Narrow if 1 < units < FEW_OUTPUTS else _Product
    return kind(rows, whole, whole_grad, z)
