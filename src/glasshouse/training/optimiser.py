"""torch's own optimisers, with a learning rate and a weight decay for every member.

torch's rule steps a vector of zeros with learning rate 1, which leaves in it the direction it would have gone; each
member then goes its own length along it. The moments, their corrections and the fused kernels stay torch's. For
one member the result is torch's own step (tested to 1e-6 over 200 steps, for all four; Muon's is in its own file).

The rules are called as the functions that torch's optimisers call: the first of its optimisers that a process makes
loads the compiler, which takes longer (1.7 s) than a small pack trains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from glasshouse.core.settings import OptimiserSettings
from glasshouse.training.muon import Muon

WITH_MUON = ("muon", "mixed")
# torch's kernels give a multiprocessor 65,536 numbers of a tensor at a time and take this many tensors at once: one
# vector of a small pack would keep three of a hundred busy.
PIECES_ON_A_CARD = 36
DECOUPLED = ("adamw", *WITH_MUON)  # whose decay is no part of the gradient


class _Flat(NamedTuple):
    """All that a step reads and writes, parameter after parameter in vectors: few large operations, not many small."""

    values: Tensor  # what the parameters are views of
    gradient: Tensor
    direction: Tensor
    mean: Tensor  # of gradients, or the momentum
    square: Tensor  # mean of squared gradients
    network: Tensor  # whose number it is
    decay: Tensor  # of that network where the number decays, 0 elsewhere


class PackOptimiser:
    """Steps the parameters of a pack.

    Args:
        parameters: (name, parameter), each with a leading member axis; layers of the deeper members hold the first few.
        settings: which optimiser, and its momentum.
        learning_rate: (members,)
        weight_decay: (members,) of weight matrices and tables only; biases, norms and slopes never decay. `adamw`
            and Muon decay the weights themselves (Loshchilov and Hutter 2019), the others add the decay to the
            gradient, as torch does.
        muon: which members' matrices are moved by Muon instead; None where none are.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        settings: OptimiserSettings,
        learning_rate: Tensor,
        weight_decay: Tensor,
        muon: Muon | None = None,
    ) -> None:
        named = list(parameters)
        self.parameters = [parameter for _, parameter in named]
        self.decays = [name.endswith(("linear.weight", "head.weight", "tables.weight")) for name, _ in named]
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.decoupled = settings.name in DECOUPLED
        self.muon = muon
        self.directions = [torch.zeros_like(parameter) for parameter in self.parameters]  # of the last step
        self.settings = settings
        self.pieces = PIECES_ON_A_CARD if learning_rate.device.type == "cuda" else 1
        self.steps = [torch.zeros((), device=learning_rate.device)]  # one a piece, all the same
        self.flat: _Flat | None = None  # made by the first step, because a step that is written out has its own
        self.momenta: dict[nn.Parameter, Tensor] = {}  # Muon's

    def zero_gradients(self) -> None:
        """Forgets the gradients of the step before."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def clip(self, norm: float) -> Tensor:
        """Scales each member's whole gradient down to `norm` where it is longer.

        Returns:
            (members,) the length before.

        Source: Pascanu et al. 2013; the same rule as `torch.nn.utils.clip_grad_norm_`, a member at a time.
        """
        lengths = self.gradient_norms()
        scale = (norm / (lengths + 1e-6)).clamp(max=1.0)
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(shaped(scale, parameter))
        return lengths

    @torch.no_grad()
    def gradient_norms(self) -> Tensor:
        """The length of every member's gradient, (members,)."""
        squares = torch.zeros_like(self.learning_rate)
        for parameter in self.parameters:
            if parameter.grad is not None:
                squares[: parameter.shape[0]] += parameter.grad.flatten(1).square().sum(1)
        return squares.sqrt()

    @torch.no_grad()
    def step(self, factor: float | Tensor = 1.0) -> None:
        """Moves every member along its gradient; where a parameter has none it is taken to be zero.

        Args:
            factor: what the schedule multiplies the learning rates by; one number or (members,).
        """
        if self.flat is None:
            zeros = [torch.zeros_like(parameter) for parameter in self.parameters]
            self.flat = self._lay_out(zeros, zeros)
        flat = self.flat
        gradients = [torch.zeros_like(own) if own.grad is None else own.grad for own in self.parameters]
        torch.cat([gradient.flatten() for gradient in gradients], out=flat.gradient)
        if not self.decoupled:
            flat.gradient.addcmul_(flat.values, flat.decay)
        flat.direction.zero_()
        self._step_direction(flat)
        if self.muon is not None:
            self._turn_directions(self.muon)
        rates = (self.learning_rate * factor).index_select(0, flat.network)
        flat.direction.mul_(rates)
        if self.decoupled:
            flat.values.addcmul_(flat.values, rates.mul_(flat.decay), value=-1.0)
        flat.values.add_(flat.direction)

    @torch.no_grad()
    def keep(self, positions: Tensor, kept: dict[nn.Parameter, Tensor]) -> None:
        """Cuts the memory down to the members that stay.

        Args:
            positions: (kept,) of those that stay.
            kept: what `Pack.keep` returned.
        """
        self.learning_rate, self.weight_decay = self.learning_rate[positions], self.weight_decay[positions]
        if self.muon is not None:
            self.muon.keep(positions)
        self.momenta = {owner: memory[kept[owner]] for owner, memory in self.momenta.items() if owner.shape[0]}
        # Layers that nobody has any more are gone.
        left = [place for place, parameter in enumerate(self.parameters) if parameter.shape[0]]
        places = {place: kept[self.parameters[place]] for place in left}
        self.directions = [self.directions[place][places[place]] for place in left]
        moments: list[list[Tensor]] = []
        if self.flat is not None:
            both = (self._views(self.flat.mean), self._views(self.flat.square))
            moments = [[views[place][places[place]] for place in left] for views in both]
        self.parameters = [self.parameters[place] for place in left]
        self.decays = [self.decays[place] for place in left]
        if moments:
            self.flat = self._lay_out(*moments)

    def _lay_out(self, means: list[Tensor], squares: list[Tensor]) -> _Flat:
        """Puts the parameters and what is known of them into one vector each."""
        shapes = [parameter.shape for parameter in self.parameters]
        networks = torch.arange(len(self.learning_rate), dtype=torch.int32, device=self.learning_rate.device)
        network = torch.cat([networks[: shape[0]].repeat_interleave(shape[1:].numel()) for shape in shapes])
        decay = self.weight_decay.index_select(0, network)
        for part, decays in zip(decay.split([shape.numel() for shape in shapes]), self.decays, strict=True):
            part.mul_(float(decays))
        values = _joined(self.parameters)
        self.steps = list(self.steps[0].repeat(len(_in_pieces(values, self.pieces))).unbind())
        flat = _Flat(
            values, torch.zeros_like(values), torch.zeros_like(values), _joined(means), _joined(squares), network, decay
        )
        self._shapes = shapes
        for parameter, view in zip(self.parameters, self._views(flat.values), strict=True):
            parameter.data = view
        self.directions = self._views(flat.direction)
        return flat

    def _views(self, vector: Tensor) -> list[Tensor]:
        """The parts of a vector as they belong to the parameters it was laid out for."""
        parts = vector.split([shape.numel() for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def _step_direction(self, flat: _Flat) -> None:
        """torch's rule, at learning rate 1."""
        name, momentum = self.settings.name, self.settings.momentum
        direction, gradient, mean, square = (
            _in_pieces(vector, self.pieces) for vector in (flat.direction, flat.gradient, flat.mean, flat.square)
        )
        if name == "sgd":
            sgd(
                direction, gradient, [*mean] if momentum else [None] * len(mean), weight_decay=0.0, momentum=momentum,
                lr=1.0, dampening=0.0, nesterov=False, maximize=False, fused=True,
            )  # fmt: skip
        elif name == "rmsprop":
            rmsprop(
                direction, gradient, square, [], mean if momentum else [], self.steps, lr=1.0, alpha=0.99, eps=1e-8,
                weight_decay=0.0, momentum=momentum, centered=False, foreach=True,
            )  # fmt: skip
        else:  # adamw's decay is applied outside
            adam(
                direction, gradient, mean, square, [], self.steps, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8,
                weight_decay=0.0, amsgrad=False, maximize=False, fused=True,
            )  # fmt: skip

    def _turn_directions(self, muon: Muon) -> None:
        """Muon's rule instead of Adam's for the matrices that it moves."""
        directions = dict(zip(self.parameters, self.directions, strict=True))
        for part in muon.parts:
            weight, gradient = part.weight, part.weight.grad
            if gradient is None:
                continue
            if weight not in self.momenta:
                self.momenta[weight] = torch.zeros_like(weight)
            momentum = self.momenta[weight]
            part.remember(gradient, momentum)
            turned = part.directions(gradient, momentum)
            for direction, new in zip(part.of(directions[weight]), turned, strict=True):
                torch.neg(new, out=direction)


def _in_pieces(vector: Tensor, count: int) -> list[Tensor]:
    """The vector in so many pieces at most, of fours."""
    return list(vector.split(4 * -(-vector.numel() // (4 * count))))


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.detach().flatten() for part in parts])


def shaped(values: Tensor, parameter: Tensor) -> Tensor:
    """(members,) as (members here, 1, 1 ...), for a parameter of the first few members."""
    return values[: parameter.shape[0]].view(-1, *[1] * (parameter.dim() - 1))
