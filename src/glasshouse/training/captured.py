"""The step of the loop as one CUDA graph: recorded once for each size of batch, then started by a single call.

On a graphics card a step of a pack is a hundred kernels that take some microseconds each, and starting them one by one
takes the processor longer than the card needs for them. Recorded, they follow each other without it.

The first steps are taken as the loop writes them down: they train as all others do, and meanwhile the libraries below
set themselves up, which cannot be recorded.

Source: Ng et al. 2021, "Accelerating PyTorch with CUDA Graphs" (pytorch.org).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glasshouse.data.batches import Batch, Drawn, Rows
from glasshouse.network.pack import Pack
from glasshouse.training.loop import Policies, train_epoch
from glasshouse.training.pace import Pace

FIRST = 3  # steps before the recording
_ONE_AT_A_TIME = Lock()  # the beginning of a recording waits for the whole device, which would break another one


class _Given:
    """A schedule whose factors stand somewhere and are changed there."""

    def __init__(self, factors: Tensor) -> None:
        self.factors = factors

    def factor(self, progress: float, epoch: int) -> Tensor:
        return self.factors

    def observe(self, losses: Tensor) -> None: ...

    def keep(self, positions: Tensor) -> None: ...


class _Recording(NamedTuple):
    """One size of batch: the graph, what it reads, and what it leaves."""

    graph: torch.cuda.CUDAGraph
    rows: Rows  # held, because the graph reads them
    places: Tensor  # (members, batch) of the rows to learn from
    losses: Tensor  # (members,)
    gradients: list[Tensor | None]  # of the optimiser's parameters


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keeps Python from freeing somebody's old graph in the middle of a recording, which would break it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class CapturedStep:
    """Steps a pack on a CUDA device.

    Args:
        pack: on the device.
        policies: what the loop's five steps go by; their schedule and pace are not asked.
    """

    half = False  # the rows are left as they are

    def __init__(self, pack: Pack, policies: Policies) -> None:
        self.pack, self.policies, self.optimiser = pack, policies, policies.optimiser
        self.stream = torch.cuda.Stream()
        self.taken = 0
        self.recordings: dict[int, _Recording] = {}
        self.last: _Recording | None = None  # the one that took the last step
        self._forget()

    def step(self, drawn: Batch | Drawn, factor: float | Tensor) -> Tensor:
        """One update of every member.

        Args:
            drawn: each member's own rows.
            factor: what the schedule multiplies the learning rates by; one number or (members,).

        Returns:
            (members,) the losses before the update.
        """
        self._set_factors(factor)
        if self.taken < FIRST or isinstance(drawn, Batch):
            self.taken += 1
            return self._take(drawn)
        recording = self.recordings.get(drawn.size)
        if recording is None or recording.rows is not drawn.rows:
            recording = self.recordings[drawn.size] = self._record(drawn)
        recording.places.copy_(drawn.places)
        recording.graph.replay()
        self.last = recording
        return recording.losses.clone()

    def keep(self, kept: dict[nn.Parameter, Tensor]) -> None:
        """Forgets what was recorded, after `Pack.keep` and `PackOptimiser.keep`: it was of other tensors."""
        self._forget()

    def show(self) -> None:
        """Shows the gradients of the step that was taken last, for whoever looks at them."""
        if self.last is not None:
            for parameter, gradient in zip(self.optimiser.parameters, self.last.gradients, strict=True):
                parameter.grad = gradient

    def _forget(self) -> None:
        self.recordings, self.last = {}, None
        self.factors = torch.ones_like(self.optimiser.learning_rate)
        self.factor: float | None = 1.0  # that all of them are; None where each has its own
        self.pool = torch.cuda.graph_pool_handle()

    def _set_factors(self, factor: float | Tensor) -> None:
        if isinstance(factor, Tensor):
            self.factor = None
            self.factors.copy_(factor)
        elif factor != self.factor:
            self.factor = factor
            self.factors.fill_(factor)

    def _take(self, drawn: Batch | Drawn) -> Tensor:
        """A step as it stands, on the stream that will be recorded."""
        self.last = None
        here = torch.cuda.current_stream()
        self.stream.wait_stream(here)
        with torch.cuda.stream(self.stream):
            losses = self._learn(drawn)
        here.wait_stream(self.stream)
        return losses

    def _record(self, drawn: Drawn) -> _Recording:
        """Writes down what a step does, without doing it."""
        places = drawn.places.clone()
        graph = torch.cuda.CUDAGraph()
        if self.pack.dropout is not None:
            graph.register_generator_state(self.pack.dropout.generator)
        # Other threads may go on asking the device for what does not make it wait.
        recorded = torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local")
        with _ONE_AT_A_TIME, _no_collection(), recorded:
            losses = self._learn(Drawn(drawn.rows, places))
        gradients = [parameter.grad for parameter in self.optimiser.parameters]
        return _Recording(graph, drawn.rows, places, losses, gradients)

    def _learn(self, drawn: Batch | Drawn) -> Tensor:
        """The five steps as the loop has them, once."""
        once = self.policies._replace(schedule=_Given(self.factors), pace=Pace(1), own_way=None)
        return next(iter(train_epoch(self.pack, [drawn], once, epoch=1))).losses
