"""torch's own optimisers, with a learning rate and a weight decay for every member.

torch's rule steps a set of zero tensors with learning rate 1, which leaves in them the direction it would have gone;
each member then goes its own length along it. The moments, their corrections and the fused kernels stay torch's. For
one member the result is torch's own step (tested to 1e-6 over 200 steps, for all four; Muon's is in its own file).

The rules are called as the functions that torch's optimisers call: the first of its optimisers that a process makes
loads the compiler, which takes longer (1.7 s) than a small pack trains.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from glasshouse.core.settings import OptimiserSettings
from glasshouse.training.muon import Muon

WITH_MUON = ("muon", "mixed")
DECOUPLED = ("adamw", *WITH_MUON)  # whose decay is no part of the gradient


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
        self.directions = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.settings = settings
        self.steps = [torch.zeros((), device=parameter.device) for parameter in self.parameters]
        # Made by the first step, because a step that is written out has moments of its own.
        self.means: list[Tensor] = []  # of gradients, or the momentum
        self.squares: list[Tensor] = []  # means of squared gradients
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
        """Moves every member along its gradient.

        Args:
            factor: what the schedule multiplies the learning rates by; one number or (members,).
        """
        rate = self.learning_rate * factor
        for parameter, direction, decays in zip(self.parameters, self.directions, self.decays, strict=True):
            direction.zero_()
            gradient = parameter.grad
            if gradient is not None and decays and not self.decoupled:
                gradient = gradient + parameter * shaped(self.weight_decay, parameter)
            direction.grad = gradient
        self._step_directions()
        if self.muon is not None:
            self._turn_directions(self.muon)
        for parameter, direction, decays in zip(self.parameters, self.directions, self.decays, strict=True):
            if decays and self.decoupled:
                parameter.mul_(1 - shaped(rate * self.weight_decay, parameter))
            direction.mul_(shaped(rate, parameter))
            parameter.add_(direction)

    @torch.no_grad()
    def keep(self, positions: Tensor, kept: dict[nn.Parameter, Tensor]) -> None:
        """Cuts the memory down to the members that stay.

        Args:
            positions: (kept,) of those that stay.
            kept: what `Pack.keep` returned.
        """
        self.learning_rate, self.weight_decay = self.learning_rate[positions], self.weight_decay[positions]
        for parameter, direction in zip(self.parameters, self.directions, strict=True):
            places = kept[parameter]
            direction.data, direction.grad = direction.data[places], None
        if self.muon is not None:
            self.muon.keep(positions)
        self.momenta = {owner: memory[kept[owner]] for owner, memory in self.momenta.items() if owner.shape[0]}
        left = [place for place, parameter in enumerate(self.parameters) if parameter.shape[0]]
        for memory in (self.means, self.squares):
            memory[:] = [memory[place][kept[self.parameters[place]]] for place in left if memory]
        # Layers that nobody has any more are gone.
        self.parameters = [self.parameters[place] for place in left]
        self.directions = [self.directions[place] for place in left]
        self.decays = [self.decays[place] for place in left]
        self.steps = [self.steps[place] for place in left]

    def _step_directions(self) -> None:
        """torch's rule, at learning rate 1, over the parameters that have a gradient."""
        if not self.means:
            self.means, self.squares = ([torch.zeros_like(part) for part in self.directions] for _ in range(2))
        moved = [place for place, direction in enumerate(self.directions) if direction.grad is not None]
        directions, means, squares, steps = (
            [memory[place] for place in moved] for memory in (self.directions, self.means, self.squares, self.steps)
        )
        gradients = [direction.grad for direction in directions if direction.grad is not None]
        momentum = self.settings.momentum
        if self.settings.name == "sgd":
            buffers: list[Tensor | None] = [*means] if momentum else [None] * len(moved)
            sgd(
                directions, gradients, buffers, weight_decay=0.0, momentum=momentum, lr=1.0, dampening=0.0,
                nesterov=False, maximize=False, fused=True,
            )  # fmt: skip
        elif self.settings.name == "rmsprop":
            rmsprop(
                directions, gradients, squares, [], means if momentum else [], steps, lr=1.0, alpha=0.99, eps=1e-8,
                weight_decay=0.0, momentum=momentum, centered=False, foreach=True,
            )  # fmt: skip
        else:  # adamw's decay is applied outside
            adam(
                directions, gradients, means, squares, [], steps, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8,
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


def shaped(values: Tensor, parameter: Tensor) -> Tensor:
    """(members,) as (members here, 1, 1 ...), for a parameter of the first few members."""
    return values[: parameter.shape[0]].view(-1, *[1] * (parameter.dim() - 1))
