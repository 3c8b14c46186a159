"""Forward and back through a dense pack, written out.

    forward    zₗ = aₗ₋₁ Wₗ + bₗ        aₗ = f(zₗ); the last z are the outputs
    backward   ∂Wₗ = aₗ₋₁ᵀ ∂zₗ          ∂bₗ = Σ rows ∂zₗ          ∂aₗ₋₁ = ∂zₗ Wₗᵀ          ∂zₗ₋₁ = ∂aₗ₋₁ · f'(zₗ₋₁)

Every product writes into memory that is made once for batches of a size and used again at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

_relu_back = torch.ops.aten.threshold_backward.grad_input
_tanh_back = torch.ops.aten.tanh_backward.grad_input
_sigmoid_back = torch.ops.aten.sigmoid_backward.grad_input
# f in place, and ∂z from ∂a and a, into ∂a. All three slopes follow from the activation itself.
BENDS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "relu": (torch.relu_, lambda grad, a: _relu_back(grad, a, 0, grad_input=grad)),
    "tanh": (torch.tanh_, lambda grad, a: _tanh_back(grad, a, grad_input=grad)),
    "sigmoid": (torch.sigmoid_, lambda grad, a: _sigmoid_back(grad, a, grad_input=grad)),
}


def _squared_error(outputs: Tensor, targets: Tensor, grad: Tensor) -> Tensor:
    error = outputs.sub_(targets.unsqueeze(-1))
    torch.mul(error, 1.0 / targets.shape[-1], out=grad)
    losses = error.mul_(grad).sum(-2)
    grad.add_(grad)
    return losses


def _binary_cross_entropy(outputs: Tensor, targets: Tensor, grad: Tensor) -> Tensor:
    rows, targets = targets.shape[-1], targets.unsqueeze(-1)
    losses = nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(-2)
    torch.sigmoid(outputs, out=grad).sub_(targets).mul_(1.0 / rows)
    return losses


def _cross_entropy(outputs: Tensor, targets: Tensor, grad: Tensor) -> Tensor:
    rows, targets = targets.shape[-1], targets.unsqueeze(-1)
    logarithms = torch.log_softmax(outputs, -1)
    losses = -logarithms.gather(-1, targets).mean(-2)
    torch.exp(logarithms, out=grad).mul_(1.0 / rows)
    grad.scatter_add_(-1, targets, grad.new_full((), -1.0 / rows).expand(targets.shape))
    return losses


# Outputs (members, rows, outputs) and targets (members, rows) to losses (members, 1), and into `grad` their gradient
# with regard to the outputs, which may be overwritten.
LOSSES = {"mse": _squared_error, "bce": _binary_cross_entropy, "cross_entropy": _cross_entropy}


class Layer(NamedTuple):
    """A layer's parameters, each with the member axis first, and where their gradients go."""

    weight: Tensor  # (members, in_features, out_features)
    bias: Tensor  # (members, 1, out_features)
    weight_grad: Tensor
    bias_grad: Tensor


class _Place(NamedTuple):
    """A layer as the batches of one size go through it."""

    layer: Layer
    turned: Tensor  # the weight with its feature axes exchanged, as the way back needs it
    out: Tensor  # zₗ, and then aₗ
    turned_out: Tensor
    grad: Tensor  # ∂zₗ


class Passes:
    """Takes some neighbours in a pack forward and back together.

    Args:
        layers: of the whole pack, the head last.
        members: which of its members these are.
        activation: a name of `BENDS`.
        loss: a name of `LOSSES`.
    """

    def __init__(self, layers: Sequence[Layer], members: slice, activation: str, loss: str) -> None:
        self.members = members
        self.layers = [Layer(*(part[members] for part in layer)) for layer in layers]
        self.bend, self.bend_back = BENDS[activation]
        self.loss = LOSSES[loss]
        self.memory: dict[int, list[_Place]] = {}  # by rows: an epoch's last batch may be shorter than the others

    def run(self, prepared: Tensor, targets: Tensor) -> Tensor:
        """Fills the gradients of these members.

        Args:
            prepared: (all members, rows, features).
            targets: (all members, rows).

        Returns:
            (members,) the mean losses.
        """
        a = x = prepared[self.members]
        *hidden, head = self.memory.get(x.shape[1]) or self._new_memory(x.shape[1])
        for layer, _, out, _, _ in hidden:
            a = self.bend(torch.baddbmm(layer.bias, a, layer.weight, out=out))
        outputs = torch.baddbmm(head.layer.bias, a, head.layer.weight, out=head.out)
        losses = self.loss(outputs, targets[self.members], head.grad)
        layer, turned, grad = head.layer, head.turned, head.grad
        for before in reversed(hidden):
            torch.bmm(before.turned_out, grad, out=layer.weight_grad)
            torch.sum(grad, 1, keepdim=True, out=layer.bias_grad)
            grad = self.bend_back(torch.bmm(grad, turned, out=before.grad), before.out)
            layer, turned = before.layer, before.turned
        torch.bmm(x.mT, grad, out=layer.weight_grad)
        torch.sum(grad, 1, keepdim=True, out=layer.bias_grad)
        return losses.view(-1)

    def _new_memory(self, rows: int) -> list[_Place]:
        places = []
        for layer in self.layers:
            members, _, units = layer.weight.shape
            out = layer.weight.new_empty(members, rows, units)
            places.append(_Place(layer, layer.weight.mT, out, out.mT, torch.empty_like(out)))
        self.memory[rows] = places
        return places


class _LonePlace(NamedTuple):
    """A layer as the batches of one size go through it."""

    whole: Tensor  # (in_features + 1, out_features): the weight, and the bias as one more row
    whole_grad: Tensor
    turned: Tensor  # the weight alone, with its axes exchanged
    rows: Tensor  # (rows, in_features + 1): what comes in, and a one
    inner: Tensor  # what comes in
    turned_rows: Tensor
    grad: Tensor  # ∂ of what comes in


class LonePasses:
    """Takes one network by itself forward and back: the bias is the weight of a one beside every input.

        [a, 1] [W; b] = a W + b        [a, 1]ᵀ ∂z = [∂W; ∂b]

    One plain product for what takes two calls with a member axis: half the time for a small network.

    Args:
        wholes: of each layer, the head last, weight and bias below each other, (in_features + 1, out_features).
        grads: the same of their gradients.
        activation: a name of `BENDS`.
        loss: a name of `LOSSES`.
    """

    def __init__(self, wholes: Sequence[Tensor], grads: Sequence[Tensor], activation: str, loss: str) -> None:
        self.wholes, self.grads = wholes, grads
        self.bend, self.bend_back = BENDS[activation]
        self.loss = LOSSES[loss]
        self.memory: dict[int, tuple[list[_LonePlace], Tensor, Tensor]] = {}

    def run(self, prepared: Tensor, targets: Tensor) -> Tensor:
        """Fills the network's gradients, as `Passes.run` does, from (1, rows, features) and (1, rows)."""
        rows = targets.shape[1]
        places, outputs, grad = self.memory.get(rows) or self._new_memory(rows)
        place = places[0]
        place.inner.copy_(prepared[0])
        for following in places[1:]:
            self.bend(torch.mm(place.rows, place.whole, out=following.inner))
            place = following
        losses = self.loss(torch.mm(place.rows, place.whole, out=outputs), targets[0], grad)
        for place in reversed(places):
            torch.mm(place.turned_rows, grad, out=place.whole_grad)
            if place is not places[0]:
                grad = self.bend_back(torch.mm(grad, place.turned, out=place.grad), place.inner)
        return losses

    def _new_memory(self, rows: int) -> tuple[list[_LonePlace], Tensor, Tensor]:
        places = []
        for whole, whole_grad in zip(self.wholes, self.grads, strict=True):
            ones = whole.new_ones(rows, whole.shape[0])
            inner = ones[:, :-1]
            grad = torch.empty_like(inner, memory_format=torch.contiguous_format)
            places.append(_LonePlace(whole, whole_grad, whole[:-1].mT, ones, inner, ones.mT, grad))
        outputs = self.wholes[-1].new_empty(rows, self.wholes[-1].shape[1])
        self.memory[rows] = places, outputs, torch.empty_like(outputs)
        return self.memory[rows]
