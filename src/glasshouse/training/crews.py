"""Crews: some of a pack's members each, taken through a whole step by a thread of their own.

torch shares every product and every sum out among its threads, and waits for the slowest at each of them: where
something else wants a processor too, a step is as long as all its worst moments together. Members have nothing to do
with each other, so a thread may as well take its own from the first product to the update and be waited for once, and
what it works on stays in one processor's cache (measured: docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from glasshouse.data.batches import Batch, Drawn
from glasshouse.training.lone import LonePasses
from glasshouse.training.muon import Part
from glasshouse.training.passes import Passes, Random

KEEP, KEEP_SQUARE, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults for Adam
_Value = TypeVar("_Value")


class Share(NamedTuple):
    """Stretches of the long vectors that Adam moves alike."""

    network: int  # whose learning rate they have
    decay: float
    values: list[Tensor]
    grads: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


class Turn(NamedTuple):
    """What Muon moves, and of the whole weight its values, gradient, momentum, and the direction that is shown."""

    part: Part
    value: Tensor
    grad: Tensor
    momentum: Tensor
    shown: Tensor

    def of(self, members: slice) -> Turn | None:
        """What it moves of some members; None where that is nothing."""
        first, last = max(self.part.members.start, members.start), min(self.part.members.stop, members.stop)
        return self._replace(part=self.part._replace(members=slice(first, last))) if first < last else None


class Halves(NamedTuple):
    """Hidden layers' parameters and their gradients, and both in bfloat16, which the passes work with."""

    values: list[Tensor]
    grads: list[Tensor]
    halves: list[Tensor]
    half_grads: list[Tensor]

    def of(self, members: slice) -> Halves:
        """Those of some members; a layer that none of them has is left out."""
        return Halves(*([part[members] for part in parts if len(part) > members.start] for parts in self))


class Rates(NamedTuple):
    """How far a step goes."""

    rates: list[float]  # each network's
    decoupled: bool  # whether weights shrink by themselves, or by their gradient
    shrink: Tensor  # (members, 1, 1) what weights that Muon moves are multiplied with
    lengths: Tensor  # (members, 1, 1) the rates once more


class Crew(NamedTuple):
    """What one thread does in a step: some members' way forward and back, and all that moves them."""

    passes: Sequence[Passes | LonePasses]
    halves: Halves
    shares: list[Share]
    turns: list[Turn]

    def take(self, drawn: Batch | Drawn, random: Random, rates: Rates, *, ahead: bool = False) -> list[Tensor]:
        """One update of its members.

        Args:
            drawn: the batch of all members.
            random: says what dropout has drawn.
            rates: how far to go.
            ahead: whether to let dropout draw at once.

        Returns:
            The losses of each of its passes, before the update.
        """
        if ahead:
            random()
        values, grads, halves, half_grads = self.halves
        if halves:
            torch._foreach_copy_(halves, values)
        losses = [part.run(drawn, random) for part in self.passes]
        if halves:
            torch._foreach_copy_(grads, half_grads)
        self._update(rates)
        return losses

    @torch.inference_mode()  # which every thread has to ask for itself
    def take_elsewhere(self, drawn: Batch | Drawn, random: Random, rates: Rates) -> list[Tensor]:
        """The same in another thread than the one that asks."""
        return self.take(drawn, random, rates)

    def _update(self, rates: Rates) -> None:
        adam = torch._fused_adamw_ if rates.decoupled else torch._fused_adam_
        for network, decay, values, grads, means, squares, steps in self.shares:
            adam(
                values, grads, means, squares, [], steps, lr=rates.rates[network], beta1=KEEP, beta2=KEEP_SQUARE,
                weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
            )  # fmt: skip
        for part, value, grad, momentum, _ in self.turns:
            part.remember(grad, momentum)
            for weight, direction in zip(part.of(value), part.directions(grad, momentum), strict=True):
                weight.mul_(rates.shrink[part.members]).addcmul_(direction, rates.lengths[part.members], value=-1.0)


class Threads:
    """Runs tasks side by side, the first in the thread that asks; each has its share of torch's threads to itself.

    Args:
        most: tasks at a time.

    Example:
        >>> threads = Threads(2)
        >>> threads.run([lambda: 1, lambda: 2])
        [1, 2]
        >>> threads.close()
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.helpers = ThreadPoolExecutor(most - 1, "crew") if most > 1 else None

    def run(self, tasks: Sequence[Callable[[], _Value]]) -> list[_Value]:
        """What the tasks return. An error in any is raised once all have ended: nobody works on behind it."""
        mine, *others = tasks
        if self.helpers is None or not others:
            return [task() for task in tasks]
        all_threads = torch.get_num_threads()
        each = max(1, all_threads // len(tasks))
        helped: list[Future[_Value]] = [self.helpers.submit(_with_threads, each, task) for task in others]
        try:
            # Here too: the threads that torch keeps for a product go on spinning for a while, in the way of the others.
            torch.set_num_threads(each)
            return [mine(), *(task.result() for task in helped)]
        finally:
            wait(helped)
            torch.set_num_threads(all_threads)

    def close(self) -> None:
        """Lets the threads go."""
        if self.helpers is not None:
            self.helpers.shutdown()


class Once(Generic[_Value]):
    """Calls a function for whoever asks first, and keeps for the others what it has returned.

    Example:
        >>> numbers = iter(range(9))
        >>> once = Once(lambda: next(numbers))
        >>> once(), once()
        (0, 0)
    """

    def __init__(self, make: Callable[[], _Value]) -> None:
        self.make, self.lock = make, Lock()
        self.made: list[_Value] = []

    def __call__(self) -> _Value:
        """What the function has returned."""
        with self.lock:
            if not self.made:
                self.made.append(self.make())
            return self.made[0]


def balanced(costs: Sequence[float], most: int, first: float = 0.0) -> list[slice]:
    """Neighbours in shares that cost about as much as each other.

    Args:
        costs: of each, in their order.
        most: shares; fewer where some would be empty.
        first: what the first share has to do besides.

    Example:
        >>> balanced([3.0, 1.0, 1.0, 1.0], 2)
        [slice(0, 1, None), slice(1, 4, None)]
    """
    found: dict[int, slice] = {}
    whole, before = sum(costs) + first, first
    for place, cost in enumerate(costs):
        share = min(most - 1, int((before + cost / 2) / whole * most))
        found[share] = slice(found[share].start if share in found else place, place + 1)
        before += cost
    return list(found.values())


def _with_threads(count: int, task: Callable[[], _Value]) -> _Value:
    torch.get_num_threads()  # the first call in a thread takes over the number of all, and would undo the next line
    torch.set_num_threads(count)
    return task()
