"""Work that is shared out among threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from glasshouse.data.frame import MANY_ROWS, cost_of, side_by_side


def test_the_dearest_begin_first_and_the_order_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 2)
    begun: list[int] = []

    def double(item: int) -> int:
        begun.append(item)
        return 2 * item

    with pytest.MonkeyPatch.context() as patch:  # one after the other, so that the order can be seen
        patch.setattr("glasshouse.data.frame.ThreadPoolExecutor", lambda threads: ThreadPoolExecutor(1))
        assert side_by_side(double, [3, 1, 2], MANY_ROWS, cost=float) == (6, 2, 4)
    assert begun == [3, 2, 1]


def test_the_first_error_in_order_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 2)

    def refuse(item: int) -> None:
        raise ValueError(item)

    with pytest.raises(ValueError, match="1"):
        side_by_side(refuse, [1, 2, 3], MANY_ROWS, cost=float)
    with pytest.raises(ValueError, match="1"):
        side_by_side(refuse, [1, 2, 3], 10)


def test_after_an_error_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl, "thread_pool_size", lambda: 2)
    begun: list[int] = []

    def refuse_the_first(item: int) -> None:
        begun.append(item)
        if item == 0:
            raise ValueError(item)
        time.sleep(0.02)

    with pytest.raises(ValueError, match="0"):
        side_by_side(refuse_the_first, range(200), MANY_ROWS)
    assert len(begun) < 100


def test_text_costs_more_than_its_codes() -> None:
    words = pl.Series(["one", "two"] * 500)
    assert cost_of(words) > cost_of(words.cast(pl.Enum(["one", "two"])))
