"""How long a run is: counted, or measured with a clock of our own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.training.pace import Pace

Cost = Callable[[int], float]  # seconds of a step


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(cost: Cost, seconds: float, most: int = 100_000) -> tuple[Pace, list[float], float]:
    """Runs to the end: the pace, the progress after every step, and the seconds that it took."""
    clock = Clock()
    pace = Pace(most, clock() + seconds, clock=clock)
    progress = []
    while not pace.over:
        clock.now += cost(pace.step)
        pace.advance()
        progress.append(pace.progress)
    return pace, progress, clock.now - 100.0


def check_progress(progress: list[float]) -> None:
    assert all(0 < p <= 1 for p in progress)
    assert all(b >= a for a, b in pairwise(progress)), "progress never falls"
    assert progress[-1] == 1.0, "the schedule is finished, not cut off"


@given(st.integers(1, 400))
def test_a_counted_run_progresses_evenly(total: int) -> None:
    pace = Pace(total, clock=Clock())
    for step in range(1, total + 1):
        assert not pace.over
        pace.advance()
        assert pace.progress == pytest.approx(step / total)
    assert pace.over and pace.progress == 1.0 and pace.decisions == []


def test_time_that_slow_first_steps_seemed_to_need_is_used_after_all() -> None:
    """As where a device loads what it needs at the first steps."""
    pace, progress, seconds = run(lambda step: 0.2 if step < 5 else 0.01, 1.5)
    assert 1.4 < seconds <= 1.51 and pace.step > 40
    check_progress(progress)


PACES: dict[str, Cost] = {
    "constant": lambda step: 0.01,
    "slowing down": lambda step: 0.005 + 0.00001 * step,
    "speeding up": lambda step: 0.02 / (1 + step / 300),
    "slow at first": lambda step: 0.5 if step < 3 else 0.01,
    "jittering": lambda step: 0.01 * (1 + (step * 7919 % 13) / 6),
}


@pytest.mark.parametrize("name", PACES)
@pytest.mark.parametrize("seconds", [5.0, 20.0])
def test_a_timed_run_ends_when_it_should(name: str, seconds: float) -> None:
    _, progress, took = run(PACES[name], seconds)
    check_progress(progress)
    assert took <= seconds * 1.05 + 0.1, "not late"
    assert took >= seconds * 0.85, "and not much too early"


def test_a_stall_costs_no_more_than_itself() -> None:
    """Two seconds are lost in the middle: the run makes up for them, and is hardly late."""
    _, progress, took = run(lambda step: 2.0 if step == 700 else 0.01, 20.0)
    check_progress(progress)
    assert 17.0 <= took <= 21.0


@given(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=30), st.floats(0.5, 20))
def test_progress_reaches_one_whatever_the_steps_cost(costs: list[float], seconds: float) -> None:
    pace, progress, _ = run(lambda step: costs[step % len(costs)], seconds, most=3000)
    check_progress(progress)
    assert pace.step == len(progress) <= 3000


def test_the_plan_is_the_most_there_may_be() -> None:
    pace, progress, took = run(lambda step: 0.001, 60.0, most=500)
    assert pace.step == 500 and took == pytest.approx(0.5)
    check_progress(progress)


def test_a_deadline_that_has_passed_ends_soon() -> None:
    pace, progress, _ = run(lambda step: 0.01, -3.0)
    assert pace.step <= 5
    check_progress(progress)


@pytest.mark.parametrize("name", PACES)
def test_a_replay_is_the_same_run_without_a_clock(name: str) -> None:
    pace, progress, _ = run(PACES[name], 5.0, most=4000)

    def no_clock() -> float:
        return 0.0

    again = Pace(4000, 1.0, pace.decisions, clock=no_clock)
    replayed = []
    while not again.over:
        again.advance()
        replayed.append(again.progress)
    assert replayed == progress, "to the bit"
    assert again.decisions == pace.decisions


def test_a_new_measurement_is_asked_for_when_members_leave() -> None:
    clock = Clock()
    pace = Pace(100_000, clock() + 10, clock=clock)
    for _ in range(5):
        clock.now += 0.1
        pace.advance()
    assert pace.total == 100
    far = pace.next_look
    pace.next_look = 90
    pace.remeasure()
    assert pace.next_look == 10 and far >= 10
    for _ in range(5):  # now five times as fast
        clock.now += 0.02
        pace.advance()
    assert pace.total == pytest.approx(10 + 9.4 / 0.02, abs=1)
    counted = Pace(10, clock=clock)
    counted.remeasure()
    assert counted.total == 10


def test_an_interrupted_run_ends_and_replays_to_where_it_was_judged() -> None:
    pace = Pace(100, clock=Clock())
    for _ in range(37):
        pace.advance()
    pace.stop(30)
    assert pace.over and pace.decisions == [(30, 30)]
    again = Pace(100, replay=pace.decisions, clock=Clock())
    while not again.over:
        again.advance()
    assert (again.step, again.progress) == (30, 1.0)


def test_decisions_after_the_last_judgement_are_not_kept() -> None:
    clock = Clock()
    pace = Pace(1000, clock() + 5, clock=clock)
    for _ in range(40):
        clock.now += 0.01 * (1 + pace.step / 20)
        pace.advance()
    assert len(pace.decisions) > 2
    pace.stop(20)
    assert pace.decisions[-1] == (20, 20) and all(step <= 20 for step, _ in pace.decisions)
