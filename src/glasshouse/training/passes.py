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

from glasshouse.data.batches import EVERYBODY, Batch, Drawn
from glasshouse.network.embeddings import look_up, table_rows
from glasshouse.network.layers import NORM_EPSILON, PackDropout

_Value = TypeVar("_Value")
Random = Callable[[], Sequence[Tensor | None]]
Call = Callable[[], object]  # writes where it was told to when it was made
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

    @property
    def width(self) -> int:
        """How many numbers stand for a row's categories."""
        return len(self.offsets) * self.weight.shape[2]

    def put(self, categories: Tensor, into: Tensor) -> Tensor:
        """Writes what stands for some rows' categories; returns where that was found."""
        rows = table_rows(self.weight, self.offsets, categories)
        into.copy_(look_up(self.weight, rows))
        return rows

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
    x: Tensor
    first: bool = True  # or it is added to what they have read


class _Block:
    """One hidden layer of some members, for batches of so many rows: the calls that go there and back.

    Args:
        layer: its parameters.
        reads: what is read by whom, one of each input.
        kept: the mask of dropout, and the call that draws it; None where nothing is dropped.
        bends: of `BENDS`.
        scratch: memory.
        number: of the layer, which keeps its memory apart from that of the others.
    """

    def __init__(
        self,
        layer: Layer,
        reads: Sequence[_Read],
        kept: tuple[Tensor, Call] | None,
        bends: Bends,
        scratch: Scratch,
        number: int,
    ) -> None:
        members, _, units = layer.weight.shape
        shape = (members, reads[0].x.shape[1], units)
        self.layer, self.reads, self.kept = layer, reads, kept
        self.bend, self.bend_back = bends
        memory = partial(scratch, dtype=layer.weight.dtype)
        self.z = memory((number, "z"), *shape)
        self.active = self.z if layer.norm is None else memory((number, "active"), *shape)
        self.out = memory((number, "out"), *shape) if layer.around else self.active  # what the next layer reads
        self.grad = memory((number, "grad"), *shape)  # ∂ of that
        self.inner = memory("inner", *shape) if layer.around else self.grad  # ∂ of what is within the way around: ∂z

    def forward(self) -> Iterator[Call]:
        """From what comes in to what the next layer reads."""
        for who, rows, x, first in self.reads:
            z = self.z[who]
            added = self.layer.bias[who] if first else z
            yield partial(torch.baddbmm, added, x, self.layer.weight[who, rows], out=z)
        if self.layer.norm is not None:
            yield partial(self._normalise, self.layer.norm)
        yield partial(self.bend, self.active)
        if self.kept is not None:
            mask, draw = self.kept
            yield draw
            yield partial(self.active.mul_, mask)
        if self.layer.around:
            yield partial(torch.add, self.active, self.reads[0].x, out=self.out)

    def back(self, before: Tensor | None) -> Iterator[Call]:
        """Fills the layer's gradients from `grad`, and `before` with ∂ of what came in."""
        if self.kept is not None:
            yield partial(torch.mul, self.grad, self.kept[0], out=self.inner)
        elif self.layer.around:
            yield partial(self.inner.copy_, self.grad)
        yield partial(self.bend_back, self.inner, self.active)  # what dropout has zeroed has no slope, as a unit off
        if self.layer.norm is not None:
            yield partial(self._normalise_back, self.layer.norm)
        yield partial(torch.sum, self.inner, 1, keepdim=True, out=self.layer.bias_grad)
        for who, rows, x, _ in self.reads:
            yield partial(torch.bmm, x.mT, self.inner[who], out=self.layer.weight_grad[who, rows])
        if before is not None and self.layer.around:
            yield partial(torch.baddbmm, self.grad, self.inner, self.layer.weight.mT, out=before)
        elif before is not None:
            yield partial(torch.bmm, self.inner, self.layer.weight.mT, out=before)

    def _normalise(self, norm: Norm) -> None:
        self.statistics = torch.native_layer_norm(self.z, self.z.shape[-1:], None, None, NORM_EPSILON)
        torch.addcmul(norm.shift, self.statistics[0], norm.scale, out=self.active)

    def _normalise_back(self, norm: Norm) -> None:
        grad, (normal, mean, deviation) = self.inner, self.statistics
        torch.sum(torch.mul(grad, normal, out=self.active), 1, keepdim=True, out=norm.scale_grad)
        torch.sum(grad, 1, keepdim=True, out=norm.shift_grad)
        units = self.z.shape[-1:]
        found, *_ = _norm_back(grad.mul_(norm.scale), self.z, units, mean, deviation, None, None, [True, False, False])
        grad.copy_(found)


class _Head:
    """The last layer of some members, for batches of so many rows: the calls that go there and back.

    Few outputs are few columns of a product, which take MKL three to nine times as long as few rows; so where there
    are few, what stands in columns is computed in rows: (a W)ᵀ = Wᵀ aᵀ and ∂Wᵀ = ∂zᵀ a.
    """

    def __init__(self, layer: Layer, a: Tensor, scratch: Scratch) -> None:
        members, units, outputs = layer.weight.shape
        rows = a.shape[1]
        self.layer = layer
        self.turned = layer.weight.mT
        self.outputs = scratch("outputs", members, rows, outputs)
        self.grad = scratch("grad", members, rows, outputs)  # ∂ of the outputs
        # What comes in, and later its gradient, as float32 where the layers before are not.
        self.exact = a.dtype == torch.float32
        self.given, self.a = a, a if self.exact else scratch("exact", members, rows, units)
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

    def forward(self) -> Iterator[Call]:
        """From what comes in to the outputs."""
        if not self.exact:
            yield partial(self.a.copy_, self.given)
        if not self.few:
            yield partial(torch.baddbmm, self.layer.bias, self.a, self.layer.weight, out=self.outputs)
            return
        yield partial(torch.baddbmm, self.layer.bias.mT, self.turned, self.a.mT, out=self.in_rows)
        if not self.one:
            yield partial(self.outputs.copy_, self.in_rows.mT)

    def back(self, before: Tensor) -> Iterator[Call]:
        """Fills the layer's gradients from `grad`, and `before` with ∂ of what came in."""
        yield partial(torch.sum, self.grad, 1, keepdim=True, out=self.layer.bias_grad)
        if not self.few:
            yield partial(torch.bmm, self.a.mT, self.grad, out=self.layer.weight_grad)
        else:
            yield partial(torch.bmm, self.grad_in_rows, self.a, out=self.weight_grad)
            if not self.one:
                yield partial(self.layer.weight_grad.copy_, self.weight_grad.mT)
        multiply = torch.mul if self.one else torch.bmm
        yield partial(multiply, self.grad, self.turned, out=before if self.exact else self.a)
        if not self.exact:
            yield partial(before.copy_, self.a)


class Common(NamedTuple):
    """What all members of a pack have in common."""

    activation: str  # a name of `BENDS`
    loss: str  # a name of `LOSSES`
    tables: Lookup | None = None  # of embedded categories; the first layer reads them behind the prepared features
    dropout: PackDropout | None = None


class _Masks:
    """Says which units of some members are kept.

    Args:
        members: which of the pack's.
        thresholds: (members,) of these, as `PackDropout` has them.
    """

    def __init__(self, members: slice, thresholds: Tensor) -> None:
        self.members, self.thresholds = members, thresholds
        self.random: Random = tuple  # of the step that is taken
        one = torch.ones(len(thresholds), 1, 1, dtype=torch.uint8)
        # What a kept unit is multiplied with, in bfloat16 and seen as a whole number of 16 bits.
        self.bits = PackDropout.kept(255 * one, thresholds).bfloat16().view(torch.int16)

    def draw(self, number: int, mask: Tensor, scratch: Scratch) -> None:
        """Fills the mask of a layer."""
        drawn = self.random()[number]
        assert drawn is not None, "some of these members drop units"
        mine = drawn[self.members]
        if mask.dtype == torch.float32:
            PackDropout.kept(mine, self.thresholds, mask)
            return
        # 0 or 1 times those bits, to the same bits as by way of float32, in half the time.
        flags = torch.ge(mine, self.thresholds.view(-1, 1, 1), out=scratch("flags", *mine.shape, dtype=torch.uint8))
        mask.view(torch.int16).copy_(flags).mul_(self.bits)


class _Written(NamedTuple):
    """A step of batches of one size."""

    rows: Tensor  # (members, rows, features) where the batch goes
    looked_up: tuple[Tensor, Tensor]  # (members, rows, columns * size) what stands for its categories, and ∂ of it
    outputs: tuple[Tensor, Tensor]  # (members, rows, outputs) and ∂ of them
    forward: list[Call]
    back: list[Call]


class Passes:
    """Takes some neighbours in a pack forward and back together; they are as deep as each other.

    All that a step of so many rows does is written down once, as calls without arguments into memory of their own, and
    then gone through: while a thread finds out what to call next, no other thread can.

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
        self.members, self.features, self.scratch = members, features, scratch
        self.layers = [layer.of(members) for layer in layers]
        self.dtype = self.layers[0].weight.dtype
        self.loss = LOSSES[common.loss]
        in_half = common.activation == "relu" and self.dtype == torch.bfloat16
        self.bends = _RELU_IN_HALF if in_half else BENDS[common.activation]
        tables, dropout = common.tables, common.dropout
        self.tables = None if tables is None else Lookup(tables.weight[members], tables.grad[members], tables.offsets)
        thresholds = None if dropout is None else dropout.thresholds[members]
        self.masks = _Masks(members, thresholds) if thresholds is not None and bool(thresholds.any()) else None
        self.written: dict[int, _Written] = {}  # by rows: an epoch's last batch may be shorter

    def run(self, drawn: Batch | Drawn, random: Random = tuple) -> Tensor:
        """Fills the gradients of these members.

        Args:
            drawn: the batch of all members.
            random: says what dropout has drawn for each layer, as soon as it has.

        Returns:
            (members,) the mean losses.
        """
        written = self.written.get(drawn.size) or self._write(drawn.size)
        rows, (looked_up, looked_up_grad), (outputs, grad), forward, back = written
        targets, categories = drawn.put(self.members, rows)
        places = self.tables.put(categories, looked_up) if self.tables is not None and categories is not None else None
        try:
            if self.masks is not None:
                self.masks.random = random
            for call in forward:
                call()
        finally:
            if self.masks is not None:
                self.masks.random = tuple  # it knows the step, which knows these passes
        losses = self.loss(outputs, targets, grad)
        for call in back:
            call()
        if self.tables is not None and places is not None:
            self.tables.back(places, looked_up_grad.float())
        return losses.view(-1)

    def _write(self, size: int) -> _Written:
        *hidden, last = self.layers
        members, reads, _ = hidden[0].weight.shape
        prepared = reads - (0 if self.tables is None else self.tables.width)
        memory = partial(self.scratch, dtype=self.dtype)
        rows = memory("rows", members, size, prepared)
        looked_up, looked_up_grad = (memory(name, members, size, reads - prepared) for name in ("values", "slopes"))
        inputs = [_Read(alike, slice(some), rows[alike, :, :some]) for some, alike in runs(self.features)]
        if self.tables is not None:
            inputs.append(_Read(EVERYBODY, slice(prepared, None), looked_up, first=False))
        blocks: list[_Block] = []
        for number, layer in enumerate(hidden):
            blocks.append(_Block(layer, inputs, self._kept(layer, number, size), self.bends, self.scratch, number))
            inputs = [_Read(EVERYBODY, slice(None), blocks[-1].out)]
        head = _Head(last, blocks[-1].out, self.scratch)
        forward = [call for block in blocks for call in block.forward()] + [*head.forward()]
        back = [*head.back(blocks[-1].grad)]
        for place in reversed(range(len(blocks))):
            back += blocks[place].back(blocks[place - 1].grad if place else None)
        if self.tables is not None:
            turned = hidden[0].weight[:, prepared:].mT
            back.append(partial(torch.bmm, blocks[0].inner, turned, out=looked_up_grad))
        self.written[size] = _Written(rows, (looked_up, looked_up_grad), (head.outputs, head.grad), forward, back)
        return self.written[size]

    def _kept(self, layer: Layer, number: int, size: int) -> tuple[Tensor, Call] | None:
        """The mask of a layer's units, and the call that draws it; None where nothing is dropped."""
        if self.masks is None:
            return None
        shape = (layer.weight.shape[0], size, layer.weight.shape[2])
        mask = self.scratch((number, "kept"), *shape, dtype=self.dtype)
        return mask, partial(self.masks.draw, number, mask, self.scratch)
