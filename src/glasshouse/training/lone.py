"""Forward and back through one dense network by itself: the bias is the weight of a one beside every input.

    [a, 1] [W; b] = a W + b        [a, 1]ᵀ ∂z = [∂W; ∂b]

One plain product for what takes two calls with a member axis: half the time for a small network. All that a step of so
many rows does is written down once, as calls without arguments into memory of their own, and then gone through: Python
would take as long to find out what to call as torch takes to do it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from glasshouse.data.batches import EVERYBODY, Batch, Drawn
from glasshouse.training.passes import BENDS, FEW_OUTPUTS, LOSSES, Call, Random

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

    def forward(self) -> Call:
        """What fills z."""
        return partial(torch.mm, self.rows, self.whole, out=self.z)

    def back(self, grad: Tensor) -> Call:
        """What fills the gradient of weight and bias from ∂z."""
        return partial(torch.mm, self.rows.mT, grad, out=self.whole_grad)


class _Narrow(_Product):
    """A layer with few outputs: in rows what else stands in columns, as `passes` does it for a pack."""

    def forward(self) -> Call:
        """What fills z."""
        product = partial(torch.mm, self.whole.mT, self.rows.mT, out=torch.empty(self.z.shape[::-1]))
        return lambda: self.z.copy_(product().mT)

    def back(self, grad: Tensor) -> Call:
        """What fills the gradient of weight and bias from ∂z."""
        product = partial(torch.mm, grad.mT, self.rows, out=torch.empty(self.whole.shape[::-1]))
        return lambda: self.whole_grad.copy_(product().mT)


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

    def forward(self) -> Call:
        """What fills z."""
        return self._multiply

    def back(self, grad: Tensor) -> Call:
        """What fills the gradient of weight and bias from ∂z."""
        return partial(self._multiply_back, grad)

    def _multiply(self) -> None:
        first, *others = torch.bmm(self.parts, self.weights, out=self.sums)
        torch.add(first, self.bias, out=self.z)
        for other in others:
            self.z.add_(other)

    def _multiply_back(self, grad: Tensor) -> None:
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


class _Written(NamedTuple):
    """A step of batches of one size."""

    batch: Tensor  # (1, rows, features) where the rows go
    forward: list[Call]
    loss: Callable[[Tensor], Tensor]  # targets to the loss; writes ∂ of the outputs
    back: list[Call]


class LonePasses:
    """Takes one network by itself forward and back.

    Args:
        wholes: of each layer, the head last, weight and bias below each other, (in_features + 1, out_features).
        grads: the same of their gradients.
        activation: a name of `BENDS`.
        loss: a name of `LOSSES`.
    """

    def __init__(self, wholes: Sequence[Tensor], grads: Sequence[Tensor], activation: str, loss: str) -> None:
        self.wholes, self.grads, self.activation, self.loss = wholes, grads, activation, loss
        self.written: dict[int, _Written] = {}

    def run(self, drawn: Batch | Drawn, random: Random = tuple) -> Tensor:
        """Fills the network's gradients, as `Passes.run` does; nothing is dropped."""
        size = drawn.size
        batch, forward, loss, back = self.written.get(size) or self._write(size)
        targets, _ = drawn.put(EVERYBODY, batch)
        for call in forward:
            call()
        losses = loss(targets)
        for call in back:
            call()
        return losses

    def _write(self, size: int) -> _Written:
        ones = [whole.new_ones(size, len(whole)) for whole in self.wholes]
        inputs = [each[:, :-1] for each in ones]
        outputs = self.wholes[-1].new_empty(size, self.wholes[-1].shape[1])
        head_grad = torch.empty_like(outputs)
        products = [
            _product(*parts) for parts in zip(ones, self.wholes, self.grads, [*inputs[1:], outputs], strict=True)
        ]
        bend, bend_back = BENDS[self.activation]
        *hidden, head = products
        forward = [call for layer in hidden for call in (layer.forward(), partial(bend, layer.z))]
        back: list[Call] = []
        grad = head_grad
        for layer, whole, a in zip(products[:0:-1], self.wholes[:0:-1], inputs[:0:-1], strict=True):
            into = torch.empty_like(a, memory_format=torch.contiguous_format)
            back += [layer.back(grad), partial(torch.mm, grad, whole[:-1].mT, out=into), partial(bend_back, into, a)]
            grad = into
        back.append(products[0].back(grad))
        if self.loss == "mse":
            loss = _squared_error(outputs, head_grad)
        else:
            losses = LOSSES[self.loss]
            loss = lambda targets: losses(outputs, targets.view(-1), head_grad)  # noqa: E731
        written = _Written(inputs[0].unsqueeze(0), [*forward, head.forward()], loss, back)
        self.written[size] = written
        return written


def _product(rows: Tensor, whole: Tensor, whole_grad: Tensor, z: Tensor) -> _Product:
    """The way of computing a layer that is fastest for its sizes."""
    reads, units = len(whole) - 1, whole.shape[1]
    parts = torch.get_num_threads()
    if 1 < parts <= MOST_PARTS and not reads % parts and len(rows) * reads * units >= WIDE:
        return _Wide(rows, whole, whole_grad, z, parts)
    kind = _Narrow if 1 < units < FEW_OUTPUTS else _Product
    return kind(rows, whole, whole_grad, z)
