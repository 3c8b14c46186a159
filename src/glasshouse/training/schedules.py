"""Schedules: what the learning rates are multiplied by as training goes on.

`step`, `multistep`, `exponential` and `plateau` are torch's rules; `cosine` goes to 0 over the whole run, so that a
run that is told its time in advance ends with small steps, not in the middle of large ones.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from glasshouse.core.settings import OptimiserSettings


class Schedule(Protocol):
    """A policy that the loop asks before every step and tells after every epoch."""

    def factor(self, progress: float, epoch: int) -> float | Tensor:
        """The multiplier for a step: `progress` in [0, 1] of the whole run, `epoch` counts finished epochs."""
        ...

    def observe(self, losses: Tensor) -> None:
        """Takes note of the members' validation losses, (members,)."""
        ...

    def keep(self, positions: Tensor) -> None:
        """Forgets the members that left."""
        ...


class FixedSchedule:
    """Every schedule that does not look at the losses.

    Sources: cosine: Loshchilov and Hutter 2017 (without restarts); flat_cosine: constant for the first half, cosine in
    the second (as RealMLP's decay); the others as in torch.optim.lr_scheduler.

    Example:
        >>> FixedSchedule(OptimiserSettings(schedule="cosine")).factor(0.5, 10)
        0.5
    """

    def __init__(self, settings: OptimiserSettings) -> None:
        self.settings = settings

    def factor(self, progress: float, epoch: int) -> float:
        """The multiplier."""
        settings = self.settings
        match settings.schedule:
            case "step":
                return float(settings.factor ** (epoch // settings.every))
            case "multistep":
                return settings.factor ** sum(progress >= milestone for milestone in settings.milestones)
            case "exponential":
                return float(settings.factor**progress)
            case "cosine":
                return _cosine(progress)
            case "flat_cosine":
                return _cosine(max(0.0, 2 * progress - 1))
            case _:
                return 1.0

    def observe(self, losses: Tensor) -> None:
        """Nothing to learn from them."""

    def keep(self, positions: Tensor) -> None:
        """Nothing to forget."""


class PlateauSchedule:
    """Each member's rate falls by `factor` when its own validation loss has not improved for `every` epochs.

    The rule is torch's ReduceLROnPlateau with `patience = every`, threshold 1e-4 relative, no cool-down.
    """

    def __init__(self, settings: OptimiserSettings, members: int, device: torch.device | None = None) -> None:
        self.settings = settings
        self.factors = torch.ones(members, device=device)
        self.best = torch.full((members,), math.inf, device=device)
        self.bad = torch.zeros(members, dtype=torch.int64, device=device)

    def factor(self, progress: float, epoch: int) -> Tensor:
        """(members,) multipliers."""
        return self.factors

    def observe(self, losses: Tensor) -> None:
        """Counts epochs without improvement and lowers the rates that have waited long enough."""
        losses = losses.detach()
        better = losses < self.best * (1 - 1e-4)
        self.best = torch.where(better, losses, self.best)
        self.bad = torch.where(better, 0, self.bad + 1)
        tired = self.bad > self.settings.every
        self.factors = torch.where(tired, self.factors * self.settings.factor, self.factors)
        self.bad = torch.where(tired, 0, self.bad)

    def keep(self, positions: Tensor) -> None:
        """Cuts the memory."""
        self.factors, self.best, self.bad = self.factors[positions], self.best[positions], self.bad[positions]


def make_schedule(settings: OptimiserSettings, members: int, device: torch.device | None = None) -> Schedule:
    """The schedule that the settings name; `device` is where the members' learning rates are."""
    return PlateauSchedule(settings, members, device) if settings.schedule == "plateau" else FixedSchedule(settings)


def _cosine(progress: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
