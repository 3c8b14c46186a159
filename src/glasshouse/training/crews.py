"""Crews: some of a pack's members each, taken through a whole step by a thread of their own.

torch shares every product and every sum out among its threads, and waits for the slowest at each of them: where
something else wants a processor too, a step is as long as all its worst moments together. Members have nothing to do
with each other, so a thread may as well take its own from the first product to the update and be waited for once, and
what it works on stays in one processor's cache (measured: docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, NamedTuple, TypeVar

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
    """Runs tasks side by side, the first in the thread that asks; torch's threads are shared out among them.

    Queues in C and no locks of Python's: an interrupt may come at any point, and leaves nothing locked.

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
        self.all_threads = torch.get_num_threads()
        self.given: list[SimpleQueue[_Given | None]] = [SimpleQueue() for _ in range(most - 1)]
        # Daemons, so that nobody who forgets to close keeps the process alive.
        self.helpers = [Thread(target=_help, args=(given,), name="crew", daemon=True) for given in self.given]
        for helper in self.helpers:
            helper.start()

    def run(self, tasks: Sequence[Callable[[], _Value]]) -> list[_Value]:
        """What the tasks return, `most` of them or fewer.

        While they share, the thread that asks keeps to its share between calls as well: the threads that torch has
        for a product go on spinning for a while, in the way of the others.

        Raises:
            BaseException: what one of the tasks raised, once all have ended: nobody works on behind it.
        """
        mine, *others = tasks
        each = max(1, self.all_threads // len(tasks))
        set_own_threads(each)
        answers: SimpleQueue[_Answer] = SimpleQueue()
        try:
            for place, (given, task) in enumerate(zip(self.given[: len(others)], others, strict=True)):
                given.put(_Given(place, task, each, answers))
            first = mine()
            found = dict(answers.get() for _ in others)
        except BaseException:
            self._settle()
            raise
        for answer in found.values():
            if isinstance(answer, _Failed):
                raise answer.error
        return [first, *(found[place] for place in range(len(others)))]

    def close(self) -> None:
        """Lets the threads go, once they have ended what they do."""
        for given in self.given:
            given.put(None)
        for helper in self.helpers:
            helper.join()
        set_own_threads(self.all_threads)

    def _settle(self) -> None:
        """Waits until everybody has done what was given, whoever interrupts."""
        interrupted: KeyboardInterrupt | None = None
        while True:
            try:
                done: SimpleQueue[_Answer] = SimpleQueue()
                for given in self.given:
                    given.put(_Given(0, int, 0, done))  # answered after all that was given before
                for _ in self.given:
                    done.get()
            except KeyboardInterrupt as error:
                interrupted = error
            else:
                break
        if interrupted is not None:
            raise interrupted


class _Failed(NamedTuple):
    """What a task has raised."""

    error: BaseException


_Answer = tuple[int, Any]  # whose, and what it has returned, or how it failed


class _Given(NamedTuple):
    """A task, how many threads torch has for it (0: as many as before), and where the answer is waited for."""

    place: int
    task: Callable[[], Any]
    threads: int
    answers: SimpleQueue[_Answer]


def _help(queue: SimpleQueue[_Given | None]) -> None:
    """Does what it is given, until it is given nothing."""
    while (given := queue.get()) is not None:
        place, task, threads, answers = given
        try:
            if threads:
                set_own_threads(threads)
            answer = task()
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            answer = _Failed(error)
        answers.put((place, answer))
        del given, task, answer  # or what they hold would live as long as this thread waits


_ONE_AT_A_TIME = Lock()


def set_own_threads(count: int) -> None:
    """Sets how many threads torch uses for the calling thread, and for no other.

    `torch.set_num_threads` also sets what every thread takes over at its first call: one that is started meanwhile
    would go on with this thread's number, and give it back as everybody's in the end.
    """
    # The first call in a thread takes over everybody's number, and after a change would undo it.
    if torch.get_num_threads() == count:
        return
    everybodys: list[int] = []

    def in_a_new_thread(action: Callable[[], None]) -> None:
        thread = Thread(target=action, daemon=True)
        thread.start()
        thread.join()

    with _ONE_AT_A_TIME:
        in_a_new_thread(lambda: everybodys.append(torch.get_num_threads()))
        torch.set_num_threads(count)
        in_a_new_thread(lambda: torch.set_num_threads(everybodys[0]))


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
