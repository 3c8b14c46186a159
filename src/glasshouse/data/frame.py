"""The table in memory, with where it came from and what was noticed while reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import polars as pl

from glasshouse.core.records import SourceRecord
from glasshouse.core.settings import ReadSettings

MANY_ROWS = 50_000  # below this, threads cost more than they save
READ = ReadSettings()  # every decision left to a look at the file

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Frame:
    """A table as it was read: nothing is typed, filled or dropped yet.

    Args:
        table: columns of a text file are all strings, in a large one also codes, numbers and times that stand for them
            (`glasshouse.data.coded`); those of typed sources keep their types.
        source: name, size and hash of what was read.
        notes: what was noticed while reading, one plain sentence each.
        settings: how it was read, with every `auto` that was decided written back.
        written: whether numbers and times stand for cells of text.
    """

    table: pl.DataFrame
    source: SourceRecord
    notes: tuple[str, ...] = ()
    settings: ReadSettings = READ
    written: bool = False

    @property
    def num_rows(self) -> int:
        """How many rows the table has."""
        return self.table.height

    def take(self, rows: np.ndarray | Sequence[int]) -> Frame:
        """The given rows, in the given order.

        Shapes:
            rows: (any,) row numbers from 0
        """
        return replace(self, table=self.table[np.asarray(rows, dtype=np.int64)])


def side_by_side(
    function: Callable[[_Item], _Made],
    items: Iterable[_Item],
    num_rows: int,
    cost: Callable[[_Item], float] | None = None,
) -> tuple[_Made, ...]:
    """What a function makes of each item, in order; on as many threads as polars uses where there are many rows.

    Args:
        function: called with every item.
        items: any number of them.
        num_rows: how many rows each is about.
        cost: what an item takes, in any unit: the dearest begin first, so that none of them is left over at the end.

    Raises:
        Exception: the first, in the order of the items, that the function raises.
    """
    threads = pl.thread_pool_size() if num_rows >= MANY_ROWS else 1
    if threads == 1:
        return tuple(function(item) for item in items)
    todo = list(items)
    places = sorted(range(len(todo)), key=lambda place: -cost(todo[place])) if cost else range(len(todo))
    with ThreadPoolExecutor(threads) as pool:
        begun = {place: pool.submit(function, todo[place]) for place in places}
        try:
            return tuple(begun[place].result() for place in range(len(todo)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # after an error what has not begun is left out


def cost_of(series: pl.Series) -> int:
    """What looking at a column takes, roughly: its bytes; text by itself takes more than its codes."""
    return int(series.estimated_size())
