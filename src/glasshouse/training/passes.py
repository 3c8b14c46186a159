"""Forward and back through a dense pack, written out.

    forward    zₗ = aₗ₋₁ Wₗ + bₗ        aₗ = f(zₗ); the last z are the outputs
    backward   ∂Wₗ = aₗ₋₁ᵀ ∂zₗ          ∂bₗ = Σ rows ∂zₗ          ∂aₗ₋₁ = ∂zₗ Wₗᵀ          ∂zₗ₋₁ = ∂aₗ₋₁ · f'(zₗ₋₁)

and where a network has them, between z and f the normalisation n = (z - mean z) / deviation z, then n · scale + shift;
after f the mask d of dropout; and a way around, aₗ = aₗ₋₁ + d · f(...):

    backward   ∂h = ∂aₗ · d · f'          ∂scale = Σ rows ∂h · n          ∂shift = Σ rows ∂h          ∂n = ∂h · scale
               ∂z = (∂n - mean ∂n - n · mean(∂n · n)) / deviation z          ∂aₗ₋₁ = ∂aₗ + ∂zₗ Wₗᵀ

Every product writes into memory that is made once for batches of a size and used again at every step.

Hidden layers may be given in bfloat16 (as torch's autocast computes them); the last one is in float32, and so are the
outputs, the losses and their gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import groupby
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from glasshouse.data.batches import Batch, Drawn
from glasshouse.network.embeddings import look_up, table_rows
from glasshouse.network.layers import NORM_EPSILON, PackDropout

_Value = TypeVar("_Value")
Random = Callable[[], Sequence[Tensor | None]]
_relu_back = torch.ops.aten.threshold_backward.grad_input
_tanh_back = torch.ops.aten.tanh_backward.grad_input
_sigmoid_back = torch.ops.aten.sigmoid_backward.grad_input
_norm_back = torch.ops.aten.native_layer_norm_backward
_lookup_back = torch.ops.aten.embedding_dense_backward
FEW_OUTPUTS = 16  # below which a product with so many columns is slower than its transpose (26 and more: no faster)
# f in place, and ∂z from ∂a and a, into ∂a. All three slopes follow from the activation itself.
Bends = tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]
BENDS: dict[str, Bends] = {
    "relu": (torch.relu_, lambda grad, a: _relu_back(grad, a, 0, grad_input=grad)),
    "tanh": (torch.tanh_, lambda grad, a: _tanh_back(grad, a, grad_input=grad)),
    "sigmoid": (torch.sigmoid_, lambda grad, a: _sigmoid_back(grad, a, grad_input=grad)),
}


def _relu_back_in_half(grad: Tensor, a: Tensor) -> Tensor:
    whole = grad.view(torch.int16)
    _relu_back(whole, a.view(torch.int16), 0, grad_input=whole)
    return grad


# What is negative in bfloat16 is negative as a whole number of 16 bits as well, and torch takes a sixth of the time for
# those. (Of values that are none, those with a sign become 0 too: a member that diverges shows where it is judged.)
_RELU_IN_HALF: Bends = (lambda z: z.view(torch.int16).clamp_min_(0), _relu_back_in_half)


@cache
def _number(value: float) -> Tensor:
    """A number as a tensor: torch would make one of it at every call, which takes longer than the product."""
    return torch.tensor(value)


def _squared_error(outputs: Tensor, targets: Tensor, grad: Tensor) -> Tensor:
    error = outputs.sub_(targets.unsqueeze(-1))
    torch.mul(error, _number(2.0 / targets.shape[-1]), out=grad)
    return error.mul_(grad).sum(-2).mul_(_number(0.5))


def _binary_cross_entropy(outputs: Tensor, targets: Tensor, grad: Tensor) -> Tensor:
    rows, targets = targets.shape[-1], targets.unsqueeze(-1)
    losses = nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(-2)
    torch.sigmoid(outputs, out=grad).sub_(targets).mul_(_number(1.0 / rows))
    return losses


def _cross_entropy(outputs: Tensor, targets: Tensor, grad: Tensor) -> Tensor:
    places, logarithms = targets.unsqueeze(-1), torch.log_softmax(outputs, -1)
    if outputs.dim() == 2:  # one network by itself
        losses = nn.functional.nll_loss(logarithms, targets).view(1)
    else:
        losses = logarithms.gather(-1, places).mean(-2).neg_()
    torch.exp(logarithms, out=grad).scatter_add_(-1, places, _number(-1.0).expand(places.shape))
    grad.mul_(_number(1.0 / targets.shape[-1]))
    return losses


# Outputs (members, rows, outputs) and targets (members, rows) to losses (members, 1), and into `grad` their gradient
# with regard to the outputs, which may be overwritten.
LOSSES = {"mse": _squared_error, "bce": _binary_cross_entropy, "cross_entropy": _cross_entropy}


class Norm(NamedTuple):
    """What scales and shifts a layer's normalised rows, (members, 1, units) each, and where the gradients go."""

    scale: Tensor
    shift: Tensor
    scale_grad: Tensor
    shift_grad: Tensor


class Layer(NamedTuple):
    """A layer's parameters, each with the member axis first, and where their gradients go."""

    weight: Tensor  # (members, in_features, out_features)
    bias: Tensor  # (members, 1, out_features)
    weight_grad: Tensor
    bias_grad: Tensor
    norm: Norm | None = None
    around: bool = False  # whether what comes in is added to what goes out

    def of(self, members: slice) -> Layer:
        """The part of some members."""
        norm = None if self.norm is None else Norm(*(part[members] for part in self.norm))
        weight, bias, weight_grad, bias_grad = (part[members] for part in self[:4])
        return Layer(weight, bias, weight_grad, bias_grad, norm, self.around)


class Lookup(NamedTuple):
    """The tables of embedded categories, and where their gradients go."""

    weight: Tensor  # (members, labels of all columns, size)
    grad: Tensor
    offsets: Tensor  # (columns,) where each column's labels begin

    def back(self, rows: Tensor, grad: Tensor) -> None:
        """From the gradient of what was looked up to that of the tables."""
        members, labels, size = self.weight.shape
        found = _lookup_back(grad.view(*rows.shape, size), rows, members * labels, -1, False)
        self.grad.copy_(found.view_as(self.grad))


def runs(values: Iterable[_Value]) -> Iterator[tuple[_Value, slice]]:
    """Neighbours that are alike: their value, and where they stand."""
    first = 0
    for value, alike in groupby(values):
        end = first + len(list(alike))
        yield value, slice(first, end)
        first = end


class Scratch:
    """Memory that neighbours use in turns, so that it stays in the processor's cache."""

    def __init__(self) -> None:
        self.made: dict[tuple[object, ...], Tensor] = {}

    def __call__(self, name: object, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """The memory of that name and shape."""
        key = (name, shape, dtype)
        if key not in self.made:
            self.made[key] = torch.empty(shape, dtype=dtype)
        return self.made[key]


class _Read(NamedTuple):
    """An input that some of the members that go together read, and the rows of their weights that belong to it."""

    members: slice
    rows: slice
    first: bool = True  # or it is added to what they have read


class _Product(NamedTuple):
    """An input times its rows of the weights, and what is added to it, make part of z."""

    members: slice
    weight: Tensor
    weight_grad: Tensor
    added: Tensor
    z: Tensor


class _Block:
    """One hidden layer of some members, for batches of so many rows: the way there and back.

    Args:
        layer: its parameters.
        reads: what is read by whom, one of each input.
        rows: of a batch.
        bends: of `BENDS`.
        scratch: memory.
        number: of the layer, which keeps its memory apart from that of the others.
    """

    def __init__(
        self, layer: Layer, reads: Sequence[_Read], rows: int, bends: Bends, scratch: Scratch, number: int
    ) -> None:
        members, _, units = layer.weight.shape
        shape = (members, rows, units)
        self.layer = layer
        self.bend, self.bend_back = bends
        self.turned = layer.weight.mT
        memory = partial(scratch, dtype=layer.weight.dtype)
        self.z = memory((number, "z"), *shape)
        self.out = self.z if layer.norm is None else memory((number, "out"), *shape)
        self.sum = memory((number, "sum"), *shape) if layer.around else self.out
        self.grad = memory((number, "grad"), *shape)  # ∂ of what the next layer reads
        self.inner = memory("inner", *shape) if layer.around else self.grad
        self.products = []
        for who, what, first in reads:
            z = self.z[who]
            added = layer.bias[who] if first else z
            self.products.append(_Product(who, layer.weight[who, what], layer.weight_grad[who, what], added, z))

    def forward(self, inputs: Sequence[Tensor], kept: Tensor | None) -> Tensor:
        """From what comes in to what the next layer reads; `kept` is the mask of dropout."""
        self.inputs, self.kept = inputs, kept
        for x, (_, weight, _, added, z) in zip(inputs, self.products, strict=True):
            torch.baddbmm(added, x, weight, out=z)
        norm = self.layer.norm
        if norm is not None:
            self.statistics = torch.native_layer_norm(self.z, self.z.shape[-1:], None, None, NORM_EPSILON)
            torch.addcmul(norm.shift, self.statistics[0], norm.scale, out=self.out)
        self.bend(self.out)
        if kept is not None:
            self.out.mul_(kept)
        return torch.add(self.out, inputs[0], out=self.sum) if self.layer.around else self.out

    def back(self) -> Tensor:
        """Fills the layer's gradients from `grad`, and returns ∂z."""
        grad, norm = self.inner, self.layer.norm
        if self.kept is not None:
            torch.mul(self.grad, self.kept, out=grad)
        elif self.layer.around:
            grad.copy_(self.grad)
        self.bend_back(grad, self.out)  # what dropout has zeroed has no slope, as for a unit that is off
        if norm is not None:
            normal, mean, deviation = self.statistics
            torch.sum(torch.mul(grad, normal, out=self.out), 1, keepdim=True, out=norm.scale_grad)
            torch.sum(grad, 1, keepdim=True, out=norm.shift_grad)
            units = self.z.shape[-1:]
            grad.mul_(norm.scale)
            grad, *_ = _norm_back(grad, self.z, units, mean, deviation, None, None, [True, False, False])
        torch.sum(grad, 1, keepdim=True, out=self.layer.bias_grad)
        for x, product in zip(self.inputs, self.products, strict=True):
            torch.bmm(x.mT, grad[product.members], out=product.weight_grad)
        return grad


class _Head:
    """The last layer of some members, for batches of so many rows: the way there and back.

    Few outputs are few columns of a product, which take MKL three to nine times as long as few rows; so where there
    are few, what stands in columns is computed in rows: (a W)ᵀ = Wᵀ aᵀ and ∂Wᵀ = ∂zᵀ a.
    """

    def __init__(self, layer: Layer, rows: int, scratch: Scratch, *, exact: bool) -> None:
        members, units, outputs = layer.weight.shape
        self.layer = layer
        self.turned = layer.weight.mT
        self.outputs = scratch("outputs", members, rows, outputs)
        self.grad = scratch("grad", members, rows, outputs)  # ∂ of the outputs
        # What comes in, and later its gradient, as float32 where the layers before are not.
        self.exact = None if exact else scratch("exact", members, rows, units)
        self.one, self.few = outputs == 1, outputs < FEW_OUTPUTS
        # A column and a row are the same memory, but a view as a row is needed: oneDNN writes nothing at all where a
        # product's place is a turned column (torch 2.13, float32_matmul_precision "medium").
        if self.one:
            self.turned = layer.weight.view(members, 1, units)
            self.in_rows, self.grad_in_rows = (part.view(members, 1, rows) for part in (self.outputs, self.grad))
            self.weight_grad = layer.weight_grad.view(members, 1, units)
        elif self.few:
            self.in_rows = scratch("outputs in rows", members, outputs, rows)
            self.grad_in_rows = self.grad.mT
            self.weight_grad = scratch("gradient in rows", members, outputs, units)

    def forward(self, a: Tensor) -> Tensor:
        """From what comes in to the outputs."""
        self.a = a if self.exact is None else self.exact.copy_(a)
        if not self.few:
            return torch.baddbmm(self.layer.bias, self.a, self.layer.weight, out=self.outputs)
        torch.baddbmm(self.layer.bias.mT, self.turned, self.a.mT, out=self.in_rows)
        return self.outputs if self.one else self.outputs.copy_(self.in_rows.mT)

    def back(self, before: Tensor) -> None:
        """Fills the layer's gradients from `grad`, and `before` with ∂ of what came in."""
        torch.sum(self.grad, 1, keepdim=True, out=self.layer.bias_grad)
        if not self.few:
            torch.bmm(self.a.mT, self.grad, out=self.layer.weight_grad)
        else:
            torch.bmm(self.grad_in_rows, self.a, out=self.weight_grad)
            if not self.one:
                self.layer.weight_grad.copy_(self.weight_grad.mT)
        multiply = torch.mul if self.one else torch.bmm
        if self.exact is None:
            multiply(self.grad, self.turned, out=before)
        else:
            before.copy_(multiply(self.grad, self.turned, out=self.exact))


class Common(NamedTuple):
    """What all members of a pack have in common."""

    activation: str  # a name of `BENDS`
    loss: str  # a name of `LOSSES`
    tables: Lookup | None = None  # of embedded categories; the first layer reads them behind the prepared features
    dropout: PackDropout | None = None


class Passes:
    """Takes some neighbours in a pack forward and back together; they are as deep as each other.

    Args:
        layers: theirs and those of other members of the pack, the head last.
        members: which of the pack's members these are.
        features: how many of the prepared ones each of these members reads.
        common: what is the same for all.
        scratch: memory, to be shared with others.
    """

    def __init__(
        self, layers: Sequence[Layer], members: slice, features: Sequence[int], common: Common, scratch: Scratch
    ) -> None:
        self.members, self.scratch = members, scratch
        self.layers = [layer.of(members) for layer in layers]
        self.dtype = self.layers[0].weight.dtype
        self.loss = LOSSES[common.loss]
        in_half = common.activation == "relu" and self.dtype == torch.bfloat16
        self.bends = _RELU_IN_HALF if in_half else BENDS[common.activation]
        tables, dropout = common.tables, common.dropout
        self.tables = None if tables is None else Lookup(tables.weight[members], tables.grad[members], tables.offsets)
        self.reads = [_Read(alike, slice(some)) for some, alike in runs(features)]
        looked_up = 0 if tables is None else len(tables.offsets) * tables.weight.shape[2]
        self.behind = slice(self.layers[0].weight.shape[1] - looked_up, None)
        thresholds = None if dropout is None else dropout.thresholds[members]
        self.thresholds = thresholds if thresholds is not None and bool(thresholds.any()) else None
        self.memory: dict[int, tuple[list[_Block], _Head]] = {}  # by rows: an epoch's last batch may be shorter

    def run(self, drawn: Batch | Drawn, random: Random = tuple) -> Tensor:
        """Fills the gradients of these members.

        Args:
            drawn: the batch of all members.
            random: says what dropout has drawn for each layer, as soon as it has.

        Returns:
            (members,) the mean losses.
        """
        batch = drawn.of(self.members)
        prepared = batch.prepared.to(self.dtype)
        blocks, head = self.memory.get(prepared.shape[1]) or self._new_memory(prepared.shape[1])
        inputs = [prepared[members, :, features] for members, features, _ in self.reads]
        if self.tables is not None and batch.categories is not None:
            looked_up = table_rows(self.tables.weight, self.tables.offsets, batch.categories)
            inputs.append(look_up(self.tables.weight, looked_up).to(self.dtype))
        for number, block in enumerate(blocks):
            inputs = [block.forward(inputs, self._kept(number, random))]
        losses = self.loss(head.forward(inputs[0]), batch.targets, head.grad)
        head.back(blocks[-1].grad)
        for before, block in zip(reversed(blocks[:-1]), reversed(blocks[1:]), strict=True):
            grad = block.back()
            if block.layer.around:
                torch.baddbmm(block.grad, grad, block.turned, out=before.grad)
            else:
                torch.bmm(grad, block.turned, out=before.grad)
        grad = blocks[0].back()
        if self.tables is not None:
            self.tables.back(looked_up, torch.bmm(grad, self.layers[0].weight[:, self.behind].mT).float())
        return losses.view(-1)

    def _kept(self, number: int, random: Random) -> Tensor | None:
        drawn = None if self.thresholds is None else random()[number]
        if drawn is None or self.thresholds is None:
            return None
        mine = drawn[self.members]
        kept = PackDropout.kept(mine, self.thresholds, self.scratch((number, "kept"), *mine.shape))
        if self.dtype == torch.float32:
            return kept
        return self.scratch((number, "kept"), *mine.shape, dtype=self.dtype).copy_(kept)  # a mixed product takes long

    def _new_memory(self, rows: int) -> tuple[list[_Block], _Head]:
        *hidden, last = self.layers
        reads = list(self.reads)
        if self.tables is not None:
            reads.append(_Read(slice(None), self.behind, first=False))
        blocks = []
        for number, layer in enumerate(hidden):
            blocks.append(_Block(layer, reads, rows, self.bends, self.scratch, number))
            reads = [_Read(slice(None), slice(None))]
        self.memory[rows] = blocks, _Head(last, rows, self.scratch, exact=self.dtype == torch.float32)
        return self.memory[rows]
