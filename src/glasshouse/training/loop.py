"""The training loop, written out.

Five lines are the whole of learning: forget the old gradients, predict, measure how wrong the prediction is, find out
which way every parameter should move, move it. All else in this room decides when, how far and for how long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from glasshouse.data.batches import EVERYBODY, Batch, Drawn
from glasshouse.network.pack import Pack
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.pace import Pace
from glasshouse.training.schedules import Schedule

PackLoss = Callable[[Tensor, Batch], Tensor]  # outputs (members, rows, outputs) and the batch to losses (members,)


class Step(NamedTuple):
    """One update of every member is done."""

    epoch: int  # counts from 1
    step: int  # counts from 1 over the whole run
    total_steps: int  # as planned now
    losses: Tensor  # (members,), before the update, detached


class OwnWay(Protocol):
    """Takes the five steps in its own way, to the same numbers."""

    half: bool  # whether it reads the rows in bfloat16

    def step(self, drawn: Batch | Drawn, factor: float | Tensor) -> Tensor:
        """One update of every member; the losses before it, (members,)."""
        ...

    def keep(self, kept: dict[nn.Parameter, Tensor]) -> None:
        """Forgets the members that left, after `Pack.keep` and `PackOptimiser.keep`."""
        ...

    def show(self) -> None:
        """Makes the last step's gradients and directions be found where the five steps leave them."""
        ...


class Policies(NamedTuple):
    """What changes training, each a typed argument."""

    loss: PackLoss
    optimiser: PackOptimiser
    schedule: Schedule
    pace: Pace
    clip_norm: float | None = None
    own_way: OwnWay | None = None  # does the five steps faster, where it can


def train_epoch(pack: Pack, batches: Iterable[Batch | Drawn], policies: Policies, epoch: int) -> Iterator[Step]:
    """One pass over the training rows.

    Args:
        pack: changed in place.
        batches: every member's own rows, batch by batch.
        policies: what decides how the members move.
        epoch: counts from 1.

    Yields:
        A `Step` after every update; whoever watches may look at the pack, but must not change it.
    """
    loss, optimiser, schedule, pace, clip_norm, own_way = policies
    if own_way is None:
        pack.train()
    for drawn in batches:
        factor = schedule.factor(pace.progress, epoch - 1)
        if own_way is not None:
            losses = own_way.step(drawn, factor)
        else:
            batch = drawn.of(EVERYBODY)
            optimiser.zero_gradients()  # 1. zero the gradients
            outputs = pack(batch.prepared, batch.categories)  # 2. forward pass: (members, batch, outputs)
            losses = loss(outputs, batch)  # 3. loss: (members,)
            losses.sum().backward()  # 4. backward pass; a sum keeps members apart
            if clip_norm is not None:
                optimiser.clip(clip_norm)
            optimiser.step(factor)  # 5. update
            losses = losses.detach()
        pace.advance()
        yield Step(epoch, pace.step, pace.total, losses)
        if pace.over:
            return
