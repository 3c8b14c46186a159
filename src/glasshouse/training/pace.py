"""How far a run has come, and how far it will go: a fixed number of steps, or as many as the time allows.

With a time budget the number of steps is measured again and again while training; the schedule's progress only ever
moves on from where it is, so that it reaches 1 when the time is over. What was decided is kept as a list of
(from step, total steps), which replays the run exactly without a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

FIRST_LOOK = 5  # steps before the first measurement: the first ones are slow
LOOKS = 40  # measurements in a run, about


class Pace:
    """Counts the steps of a run and says when it is over.

    Args:
        total_steps: planned; with a deadline, the most there may be.
        deadline: `clock()` when training should end; None counts steps only.
        replay: decisions of an earlier run, followed instead of the clock.
        clock: seconds; a test hands in its own.

    Example:
        >>> pace = Pace(4)
        >>> while not pace.over: pace.advance()
        >>> pace.step, pace.progress
        (4, 1.0)
    """

    def __init__(
        self,
        total_steps: int,
        deadline: float | None = None,
        replay: Sequence[tuple[int, int]] = (),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.most, self.total, self.step, self.progress = total_steps, total_steps, 0, 0.0
        self.deadline, self.clock = (None if replay else deadline), clock
        self.decisions: list[tuple[int, int]] = []
        self.replay = dict(replay)
        self.next_look = FIRST_LOOK
        self.mark = (0, clock())  # (step, time) of the measurement before

    @property
    def over(self) -> bool:
        """Whether the last step is done."""
        return self.step >= self.total

    def advance(self) -> None:
        """One step is done."""
        self.step += 1
        if self.deadline is not None and self.step == self.next_look:
            self._look(self.deadline)
        elif self.step in self.replay:
            self._decide(self.replay[self.step])
        self.progress = 1.0 if self.over else self.progress + (1 - self.progress) / (self.total - self.step + 1)

    def remeasure(self) -> None:
        """Says that the next steps will cost another time: members have left, or an evaluation lies between."""
        if self.deadline is not None:
            self.next_look = min(self.next_look, self.step + FIRST_LOOK)

    def stop(self, step: int) -> None:
        """Ends the run; a replay of it ends at `step`, which is this one or an earlier one."""
        self.decisions = [(at, total) for at, total in self.decisions if at < step]
        self.decisions.append((step, step))
        self.total = self.step

    def _look(self, deadline: float) -> None:
        now = self.clock()
        per_step = max(1e-9, (now - self.mark[1]) / (self.step - self.mark[0]))
        left = max(0, int((deadline - now) / per_step))
        self.mark = (self.step, now)
        self._decide(min(self.most, self.step + left))
        # Never after the end as it is seen now: the first steps may have been slow, and time be left after all.
        self.next_look = self.step + max(1, min(left, max(FIRST_LOOK, left // LOOKS)))

    def _decide(self, total: int) -> None:
        if total != self.total:
            self.total = total
            self.decisions.append((self.step, total))
