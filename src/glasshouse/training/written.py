"""The training step written out: forward, backward and update of a dense pack, without autograd.

What `loop.train_epoch` says in five lines and leaves to autograd is said here in formulas. Each buffer is made once
and used again at every step, so that a small network's step is a few dozen products and sums, and nothing else:
autograd spends most of its time there on keeping its books. The numbers are autograd's own, and tests hold them to it.

    forward    zₗ = aₗ₋₁ Wₗ + bₗ        aₗ = f(zₗ); the last z are the outputs
    backward   ∂Wₗ = aₗ₋₁ᵀ ∂zₗ          ∂bₗ = Σ rows ∂zₗ          ∂aₗ₋₁ = ∂zₗ Wₗᵀ          ∂zₗ₋₁ = ∂aₗ₋₁ · f'(zₗ₋₁)
    update     Adam (Kingma and Ba 2015); for `adamw` the weights shrink beside it (Loshchilov and Hutter 2019)

Every tensor has the member axis first: a (members, batch, features), W (members, in_features, out_features).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glasshouse.data.batches import Batch
from glasshouse.network.layers import PackBlock, PackLinear
from glasshouse.network.pack import Pack
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.plan import Plan, device_of

KEEP, KEEP_SQUARE, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults for Adam

_aten = torch.ops.aten
# f in place, and ∂z from ∂a and a, into ∂a. All three slopes follow from the activation itself.
_BENDS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "relu": (torch.relu_, lambda grad, a: _aten.threshold_backward.grad_input(grad, a, 0, grad_input=grad)),
    "tanh": (torch.tanh_, lambda grad, a: _aten.tanh_backward.grad_input(grad, a, grad_input=grad)),
    "sigmoid": (torch.sigmoid_, lambda grad, a: _aten.sigmoid_backward.grad_input(grad, a, grad_input=grad)),
}


def can_be_written(plan: Plan) -> bool:
    """Whether this step does all that a plan asks for; where it does not, autograd's does."""
    spec, settings = plan.spec, plan.settings
    plain = spec.normalisation == "none" and not spec.skip and not spec.waves and not spec.features.cardinalities
    dense = plain and len(set(spec.depths)) == 1 and len(spec.hidden) > 0 and spec.activation in _BENDS
    steps = settings.optimiser.name in ("adam", "adamw") and settings.training.clip_norm is None
    losses = settings.training.loss in ("mse", "bce", "cross_entropy") and not settings.training.label_smoothing
    even = settings.training.class_weights != "balanced" and all(member.dropout == 0.0 for member in plan.members)
    return dense and steps and losses and even and device_of(settings).type == "cpu"


class _Layer(NamedTuple):
    """The parameters of a layer and their gradients, views of the long vectors."""

    weight: Tensor
    turned: Tensor  # the weight with its two feature axes exchanged, as the way back needs it
    bias: Tensor
    weight_grad: Tensor
    bias_grad: Tensor


class WrittenStep:
    """Steps a dense pack whose plan `can_be_written`.

    Args:
        pack: its parameters become views of one long vector, so that the update is a handful of sums over all of them.
        optimiser: gives each member's learning rate and decay, and is given the gradients and directions to show.
        loss: mse, bce or cross_entropy.
    """

    def __init__(self, pack: Pack, optimiser: PackOptimiser, loss: str) -> None:
        self.pack, self.optimiser, self.loss = pack, optimiser, loss
        self.bend, self.bend_back = _BENDS[pack.spec.activation]
        self.steps = torch.zeros(())
        zeros = [torch.zeros_like(parameter) for parameter in optimiser.parameters]
        self._lay_out(zeros, [zero.clone() for zero in zeros])

    def step(self, batch: Batch, factor: float | Tensor) -> Tensor:
        """One update of every member.

        Args:
            batch: each member's own rows.
            factor: what the schedule multiplies the learning rates by.

        Returns:
            (members,) the losses before the update.
        """
        with torch.no_grad():
            values = self._forward(batch.prepared)
            losses, grad = self._loss(values[-1], batch.targets)
            self._backward(grad, values)
            self._update(factor)
        return losses

    def keep(self, kept: dict[nn.Parameter, Tensor]) -> None:
        """Cuts the moments down to the members that stay, after `Pack.keep` and `PackOptimiser.keep`.

        Args:
            kept: what `Pack.keep` returned.
        """
        places = [kept[parameter] for parameter in self.optimiser.parameters]
        self._lay_out(*([part[place] for part, place in zip(parts, places, strict=True)] for parts in self._moments()))

    def _forward(self, x: Tensor) -> list[Tensor]:
        """The rows, each layer's activations, and the outputs."""
        values = [x]
        for place, layer in enumerate(self.layers):
            out = self._buffer(("a", place), (x.shape[0], x.shape[1], layer.weight.shape[2]))
            torch.baddbmm(layer.bias, values[-1], layer.weight, out=out)
            values.append(self.bend(out) if place < len(self.layers) - 1 else out)
        return values

    def _loss(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Each member's mean loss, and its gradient with regard to the outputs."""
        rows = targets.shape[1]
        if self.loss == "mse":
            error = outputs.sub(targets.unsqueeze(2))
            return error.square().mean((1, 2)), error.mul_(2.0 / rows)
        if self.loss == "bce":
            truth = targets.unsqueeze(2)
            losses = nn.functional.binary_cross_entropy_with_logits(outputs, truth, reduction="none").mean((1, 2))
            return losses, torch.sigmoid(outputs).sub_(truth).mul_(1.0 / rows)
        logarithms = torch.log_softmax(outputs, 2)
        losses = -logarithms.gather(2, targets.unsqueeze(2)).mean((1, 2))
        grad = logarithms.exp_().mul_(1.0 / rows)
        return losses, grad.scatter_add_(
            2, targets.unsqueeze(2), grad.new_full((), -1.0 / rows).expand(*targets.shape, 1)
        )

    def _backward(self, grad: Tensor, values: list[Tensor]) -> None:
        """Fills the gradients of every layer, the last one first."""
        for place in reversed(range(len(self.layers))):
            layer, a = self.layers[place], values[place]
            torch.bmm(a.transpose(1, 2), grad, out=layer.weight_grad)
            torch.sum(grad, 1, keepdim=True, out=layer.bias_grad)
            if place > 0:
                behind = self._buffer(("grad", place), a.shape)
                torch.bmm(grad, layer.turned, out=behind)
                grad = self.bend_back(behind, a)

    def _update(self, factor: float | Tensor) -> None:
        """Adam over the one long vector of all parameters."""
        self.steps += 1.0
        gradient = self.grad
        if self.decay is not None and not self.optimiser.decoupled:
            gradient = torch.addcmul(self.grad, self.parameters, self.decay, out=self.decayed)
        # torch's own kernel, one pass over everything: it leaves in `direction` the step at learning rate 1, and each
        # member then goes its own length along it. (With another order of the same products the last digits differ, and
        # what differs in the last digit at first differs in the fifth after a hundred epochs.)
        torch._fused_adam_(
            [self.direction.zero_()], [gradient], [self.mean], [self.square], [], [self.steps], lr=1.0, beta1=KEEP,
            beta2=KEEP_SQUARE, weight_decay=0.0, eps=EPSILON, amsgrad=False, maximize=False,
        )  # fmt: skip
        if isinstance(factor, Tensor):
            factor = self._spread(factor.expand(len(self.optimiser.learning_rate)))
        rate = self.rate if isinstance(factor, float) and factor == 1.0 else self.rate * factor
        if self.decay is not None and self.optimiser.decoupled:
            self.parameters.mul_(1.0 - rate * self.decay)
        self.parameters.add_(self.direction.mul_(rate))

    def _lay_out(self, means: list[Tensor], squares: list[Tensor]) -> None:
        """Puts parameters, gradients and moments into long vectors, and shows views of them as what they are."""
        owners = self.optimiser.parameters
        self.parameters = torch.cat([owner.detach().flatten() for owner in owners])
        self.grad, self.direction, self.decayed = (torch.zeros_like(self.parameters) for _ in range(3))
        self.mean, self.square = (torch.cat([part.flatten() for part in parts]) for parts in (means, squares))
        self.shapes = [owner.shape for owner in owners]
        shown = zip(owners, *map(self._views, (self.parameters, self.grad, self.direction)), strict=True)
        for place, (owner, value, grad, direction) in enumerate(shown):
            owner.data, owner.grad = value, grad
            self.optimiser.directions[place] = direction
        views = {id(owner): grad for owner, grad in zip(owners, self._views(self.grad), strict=True)}
        blocks = [block.linear for block in self.pack.layers if isinstance(block, PackBlock)]
        self.layers = [self._layer(linear, views) for linear in (*blocks, self.pack.head)]
        self.rate = self._spread(self.optimiser.learning_rate)
        decays = self.optimiser.weight_decay
        self.decay = self._spread(decays, only=self.optimiser.decays) if bool(decays.any()) else None
        self.buffers: dict[tuple[str, int, torch.Size], Tensor] = {}

    def _layer(self, linear: PackLinear, views: dict[int, Tensor]) -> _Layer:
        weight, bias = linear.weight, linear.bias
        return _Layer(weight.data, weight.data.transpose(1, 2), bias.data, views[id(weight)], views[id(bias)])

    def _views(self, vector: Tensor) -> list[Tensor]:
        """A long vector as tensors of the parameters' shapes."""
        parts = vector.split([shape.numel() for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _spread(self, values: Tensor, only: list[bool] | None = None) -> Tensor:
        """(members,) numbers as one for each parameter; zero for those of `only` that are not meant."""
        meant = only or [True] * len(self.shapes)
        return torch.cat([
            values.view(-1, 1).expand(-1, shape[1:].numel()).flatten() * float(one)
            for shape, one in zip(self.shapes, meant, strict=True)
        ])  # fmt: skip

    def _moments(self) -> tuple[list[Tensor], list[Tensor]]:
        return self._views(self.mean), self._views(self.square)

    def _buffer(self, name: tuple[str, int], shape: tuple[int, ...]) -> Tensor:
        """The memory of that name and shape: an epoch's last batch may be shorter than the others."""
        key = (*name, torch.Size(shape))
        if key not in self.buffers:
            self.buffers[key] = torch.empty(shape)
        return self.buffers[key]
