"""Tasks side by side, each with its share of torch's threads; members in shares that cost alike."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import pytest
import torch

from glasshouse.training.crews import Once, Threads, balanced, set_own_threads


@pytest.fixture
def six_of_torchs() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(6)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def three(six_of_torchs: None) -> Iterator[Threads]:
    threads = Threads(3)
    yield threads
    threads.close()


def in_a_new_thread(action: Callable[[], int]) -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join()
    return found[0]


def test_tasks_run_side_by_side_and_answer_in_their_order(three: Threads) -> None:
    meeting = threading.Barrier(3)  # nobody passes before all have come

    def meet(number: int) -> Callable[[], tuple[int, int]]:
        def task() -> tuple[int, int]:
            meeting.wait(timeout=60)
            return number, threading.get_ident()

        return task

    answers = three.run([meet(number) for number in range(3)])
    assert [number for number, _ in answers] == [0, 1, 2]
    assert answers[0][1] == threading.get_ident() and len({thread for _, thread in answers}) == 3


@pytest.mark.parametrize(("tasks", "each"), [(3, 2), (2, 3), (1, 6)])
def test_each_has_its_share_of_torchs_threads(tasks: int, each: int, three: Threads) -> None:
    def work() -> list[int]:
        found = [torch.get_num_threads()]
        torch.mm(torch.ones(300, 300), torch.ones(300, 300))  # the first product takes over what all threads have
        return [*found, torch.get_num_threads()]

    for _ in range(2):
        assert three.run([work] * tasks) == [[each, each]] * tasks
    assert three.run([work]) == [[6, 6]]
    three.run([work] * 3)
    three.close()
    assert torch.get_num_threads() == 6 == in_a_new_thread(torch.get_num_threads)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("wrong", [0, 1])
def test_an_error_waits_until_nobody_works_any_more(error: type[BaseException], wrong: int, three: Threads) -> None:
    done: list[int] = []

    def work(number: int) -> Callable[[], None]:
        def task() -> None:
            if number == wrong:
                raise error("wrong")
            time.sleep(0.1)
            done.append(number)

        return task

    with pytest.raises(error, match="wrong"):
        three.run([work(number) for number in range(3)])
    assert set(done) | {wrong} == {0, 1, 2}
    assert three.run([lambda: 1, lambda: 2]) == [1, 2], "what comes after goes on"


IN_MAIN = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(), reason="signals reach the main thread alone"
)


@IN_MAIN
def test_an_interrupt_waits_until_nobody_works_any_more(three: Threads) -> None:
    done: list[int] = []

    def interrupt() -> None:
        for _ in range(2):  # the second is somebody's who cannot wait
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
            time.sleep(0.2)
        done.append(1)

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            three.run([int, interrupt, int])
        assert done == [1]
    finally:
        signal.signal(signal.SIGALRM, before)
    assert three.run([lambda: 1, lambda: 2]) == [1, 2]


@IN_MAIN
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # one that comes in a weakref's callback
def test_interrupts_at_any_point_leave_nothing_locked() -> None:
    random, interrupted = np.random.default_rng(0), 0
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for _ in range(150):
            threads, until = Threads(3), time.monotonic() + 0.2
            try:
                signal.setitimer(signal.ITIMER_REAL, float(random.uniform(2e-5, 2e-3)))
                while time.monotonic() < until:
                    assert threads.run([int, int, int]) == [0] * 3
            except KeyboardInterrupt:
                interrupted += 1
            threads.close()  # hangs where a helper does
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 100, "most reach us"


def test_a_number_of_threads_of_ones_own_is_nobody_elses(six_of_torchs: None) -> None:
    def own() -> int:
        set_own_threads(2)
        torch.mm(torch.ones(300, 300), torch.ones(300, 300))
        return torch.get_num_threads()

    assert in_a_new_thread(own) == 2
    assert torch.get_num_threads() == 6 == in_a_new_thread(torch.get_num_threads)
    set_own_threads(3)
    assert torch.get_num_threads() == 3 and in_a_new_thread(torch.get_num_threads) == 6
    set_own_threads(6)


def test_work_goes_on_in_a_thread_that_outlives_the_main_one() -> None:
    script = """
import threading, time
from glasshouse.training.crews import Threads
def work():
    threading.main_thread().join()
    threads = Threads(2)
    print(threads.run([lambda: 1, lambda: 2]))
    threads.close()
threading.Thread(target=work).start()
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (finished.stdout, finished.stderr, finished.returncode) == ("[1, 2]\n", "", 0)


def test_one_thread_takes_all_tasks_itself() -> None:
    alone = Threads(1)
    assert alone.run([threading.get_ident]) == [threading.get_ident()]
    alone.close()


def test_closed_threads_are_gone(three: Threads) -> None:
    three.run([int] * 3)
    assert any(thread.name.startswith("crew") for thread in threading.enumerate())
    three.close()
    assert not any(thread.name.startswith("crew") for thread in threading.enumerate())


def test_once_is_once_for_all_threads(three: Threads) -> None:
    calls: list[int] = []

    def slow() -> int:
        calls.append(1)
        time.sleep(0.05)
        return len(calls)

    assert three.run([Once(slow)] * 3) == [1, 1, 1]
    assert calls == [1]


def dearest(costs: list[float], cuts: tuple[int, ...]) -> float:
    """The cost of the dearest of the shares that end at some places."""
    return max(sum(costs[a:b]) for a, b in zip((0, *cuts), (*cuts, len(costs)), strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_shares_cost_about_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    count, most = int(random.integers(1, 10)), int(random.integers(1, 5))
    costs, first = random.uniform(0.1, 2.0, count).tolist(), float(random.uniform(0.0, 2.0))
    shares = balanced(costs, most, first)
    places = [place for share in shares for place in range(count)[share]]
    assert places == list(range(count)) and len(shares) <= most
    begun = [first + costs[0], *costs[1:]]
    best = min(dearest(begun, cuts) for cuts in combinations(range(1, count), min(most, count) - 1))
    assert max(sum(begun[share]) for share in shares) <= best + max(begun), "a cost at most beyond the best there is"
