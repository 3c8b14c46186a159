"""torch's own optimisers, with a learning rate and a weight decay for every member.

torch's optimiser steps a set of zero tensors with learning rate 1, which leaves in them the direction it would have
gone; each member then goes its own length along it. The moments, their corrections and the fused kernels stay torch's.
For one member the result is torch's own step (tested to 1e-6 over 200 steps, for all four).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from glasshouse.core.settings import OptimiserSettings


class PackOptimiser:
    """Steps the parameters of a pack.

    Args:
        parameters: (name, parameter), each with a leading member axis; layers of the deeper members hold the first few.
        settings: which optimiser, and its momentum.
        learning_rate: (members,)
        weight_decay: (members,) of weight matrices and tables only; biases, norms and slopes never decay. `adamw`
            decays the weights themselves (Loshchilov and Hutter 2019), the others add the decay to the gradient, as
            torch does.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        settings: OptimiserSettings,
        learning_rate: Tensor,
        weight_decay: Tensor,
    ) -> None:
        named = list(parameters)
        self.parameters = [parameter for _, parameter in named]
        self.decays = [name.endswith(("linear.weight", "head.weight", "tables.weight")) for name, _ in named]
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.decoupled = settings.name == "adamw"
        self.directions = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.inner = _torch_optimiser(self.directions, settings)
        self.last_factor = 0.0

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
                parameter.grad.mul_(_shaped(scale, parameter))
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
                gradient = gradient + parameter * _shaped(self.weight_decay, parameter)
            direction.grad = gradient
        self.inner.step()
        for parameter, direction, decays in zip(self.parameters, self.directions, self.decays, strict=True):
            if decays and self.decoupled:
                parameter.mul_(1 - _shaped(rate * self.weight_decay, parameter))
            direction.mul_(_shaped(rate, parameter))
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
            state = self.inner.state[direction]
            for name, value in state.items():
                if isinstance(value, Tensor) and value.dim() > 0:
                    state[name] = value[places]
        left = [place for place, parameter in enumerate(self.parameters) if parameter.shape[0]]
        self.parameters = [self.parameters[place] for place in left]
        self.directions = [self.directions[place] for place in left]
        self.decays = [self.decays[place] for place in left]
        self.inner.param_groups[0]["params"] = self.directions  # layers that nobody has any more are gone


def _torch_optimiser(directions: list[Tensor], settings: OptimiserSettings) -> torch.optim.Optimizer:
    if settings.name == "sgd":
        return torch.optim.SGD(directions, lr=1.0, momentum=settings.momentum, fused=True)
    if settings.name == "rmsprop":
        return torch.optim.RMSprop(directions, lr=1.0, momentum=settings.momentum, foreach=True)
    return torch.optim.Adam(directions, lr=1.0, fused=True)  # adamw's decay is applied above


def _shaped(values: Tensor, parameter: Tensor) -> Tensor:
    """(members,) as (members here, 1, 1 ...), for a parameter of the first few members."""
    return values[: parameter.shape[0]].view(-1, *[1] * (parameter.dim() - 1))
