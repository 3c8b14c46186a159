"""Schedules against torch.optim.lr_scheduler, at the end of every epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from glasshouse.core.settings import OptimiserSettings
from glasshouse.training.schedules import FixedSchedule, PlateauSchedule, make_schedule

EPOCHS, STEPS = 20, 7
Make = Callable[[torch.optim.Optimizer], Any]
CASES: dict[str, tuple[dict[str, Any], Make]] = {
    "constant": ({}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
    "step": ({"every": 3, "factor": 0.5}, lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5)),
    "multistep": (
        {"milestones": (0.25, 0.5, 0.75), "factor": 0.3},
        lambda o: lr_scheduler.MultiStepLR(o, [5, 10, 15], gamma=0.3),
    ),
    "exponential": ({"factor": 0.01}, lambda o: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / EPOCHS))),
    "cosine": ({}, lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)),
}


def torchs(make: Make, losses: list[float] | None = None) -> list[float]:
    """The learning rate in force after each epoch, from 1."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimiser)
    rates = []
    for epoch in range(EPOCHS):
        optimiser.step()
        schedule.step() if losses is None else schedule.step(losses[epoch])
        rates.append(optimiser.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("name", CASES)
def test_a_schedule_is_torchs_at_the_end_of_each_epoch(name: str) -> None:
    options, make = CASES[name]
    schedule = make_schedule(OptimiserSettings(schedule=name, **options), 2)
    ours = [schedule.factor(epoch / EPOCHS, epoch) for epoch in range(1, EPOCHS + 1)]
    assert ours == pytest.approx(torchs(make), rel=1e-9, abs=1e-12)
    assert schedule.factor(0.0, 0) == 1


def test_the_flat_cosine_is_flat_and_then_a_cosine() -> None:
    schedule = FixedSchedule(OptimiserSettings(schedule="flat_cosine"))
    assert [schedule.factor(p, 0) for p in (0.0, 0.3, 0.5)] == [1, 1, 1]
    assert schedule.factor(0.75, 0) == pytest.approx(0.5)
    assert schedule.factor(1.0, 0) == pytest.approx(0)
    assert schedule.factor(0.9, 0) == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.8)))


@pytest.mark.parametrize("every", [1, 3])
def test_the_plateau_is_torchs_for_every_member(every: int) -> None:
    stream = torch.Generator().manual_seed(0)
    falling = torch.linspace(1, 0.2, EPOCHS)
    losses = torch.stack([falling, torch.ones(EPOCHS), falling * (1 + 3 * torch.rand(EPOCHS, generator=stream)),
                          1 - 3e-5 * torch.arange(EPOCHS)])  # fmt: skip
    schedule = make_schedule(OptimiserSettings(schedule="plateau", every=every, factor=0.5), 4)
    assert isinstance(schedule, PlateauSchedule)
    ours = []
    for epoch in range(EPOCHS):
        schedule.observe(losses[:, epoch])
        ours.append(schedule.factor(0.0, epoch).tolist())
    expected = [
        torchs(lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=every), row.tolist()) for row in losses
    ]
    torch.testing.assert_close(torch.tensor(ours).T, torch.tensor(expected))
    assert len({tuple(row) for row in expected}) > 2, "the members differ"


def test_members_that_leave_are_forgotten() -> None:
    schedule = PlateauSchedule(OptimiserSettings(schedule="plateau", every=1, factor=0.5), 3)
    for _ in range(4):
        schedule.observe(torch.tensor([1.0, 0.5, 0.2]))
        schedule.best[1] = 9.0  # this one goes on improving
    schedule.keep(torch.tensor([1, 2]))
    assert schedule.factor(0.0, 4).tolist() == [1.0, 0.5]
    fixed = FixedSchedule(OptimiserSettings(schedule="cosine"))
    fixed.observe(torch.ones(3))
    fixed.keep(torch.tensor([0]))
    assert fixed.factor(0.5, 1) == pytest.approx(0.5)
