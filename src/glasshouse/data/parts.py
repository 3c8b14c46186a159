"""The numbers in a column: its value, or the calendar parts of its times.

What stands in many rows is looked at once: many moments lie on few days, and a day has 1,440 minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from glasshouse.data.coded import coded, how_often
from glasshouse.data.schema import Column
from glasshouse.data.values import TIME_UNIT, Floats, parse_numbers, parse_times

Codes = npt.NDArray[np.unsignedinteger]
Part = Literal["value", "year", "month", "day", "weekday", "hour", "minute", "days"]
DATE_PARTS: tuple[Part, ...] = ("year", "month", "day", "weekday", "hour", "minute", "days")
_PARTS_OF_A_DAY = ("year", "month", "day", "weekday")
_DAY = 24 * 60


class Repeated(NamedTuple):
    """Numbers of which every row holds one: row r has `values[codes[r]]`, or `values[r]` where there are no codes.

    Shapes:
        values: (any,) float64, NaN where missing
        codes: (rows,) whole numbers
    """

    values: Floats
    codes: Codes | None = None

    def rows(self) -> Floats:
        """The number of every row."""
        return self.values if self.codes is None else np.take(self.values, self.codes)

    def counted(self) -> tuple[Floats, npt.NDArray[np.int64] | None]:
        """The finite numbers, each once and rising, and in how many rows each stands; of all rows without codes.

        Shapes:
            returns: (numbers,) float64, (numbers,) int64 or None
        """
        there = np.isfinite(self.values)
        if self.codes is None:
            return self.values if there.all() else self.values[there], None
        counts = how_often(self.codes, len(self.values))
        there &= counts > 0
        different, places = np.unique(self.values[there], return_inverse=True)
        return different, np.bincount(places, counts[there], len(different)).astype(np.int64)


def parts_of(
    series: pl.Series, column: Column, wanted: tuple[Part, ...] = DATE_PARTS
) -> Iterator[tuple[Part, Repeated]]:
    """The numbers of a column's cells, one part after the other: "value" alone, or the wanted parts of its times."""
    codes = coded(series)
    cells, places = (series, None) if codes is None else codes
    if column.kind != "datetime":
        yield "value", Repeated(parse_numbers(cells, column.reading), places)
        return
    times = parse_times(cells, column.reading)
    days = minutes = None
    for part in wanted:
        if part == "days":
            values, which = times.cast(pl.Int64) / 86_400_000_000, None
        else:
            if part in _PARTS_OF_A_DAY:
                calendar, which = days = days or _days(times)
            else:
                calendar, which = minutes = minutes or _minutes(times)
            values = getattr(calendar.dt, part)()
        found = Repeated(values.cast(pl.Float64).to_numpy(), which)
        yield part, found if places is None else _of_rows(found, places)


def _of_rows(found: Repeated, places: Codes) -> Repeated:
    """From numbers of the different cells to those of the rows that hold them."""
    return Repeated(found.values, places if found.codes is None else np.take(found.codes, places))


def _days(times: pl.Series) -> tuple[pl.Series, Codes]:
    """The days that times may lie on, after them null, and the place of each time's own."""
    days = times.dt.date().cast(pl.Int32)
    first, last = days.min(), days.max()
    if isinstance(first, int) and isinstance(last, int) and last - first < 2 * len(days):
        every, codes = np.arange(first, last + 1, dtype=np.int32), days - first
    else:  # few times, far apart, or none
        every = days.drop_nulls().unique().sort().to_numpy()
        codes = pl.Series(np.searchsorted(every, days.fill_null(0).to_numpy())).set(days.is_null(), None)
    calendar = pl.Series(every).cast(pl.Date).extend_constant(None, 1)
    return calendar, codes.cast(pl.UInt32).fill_null(len(every)).to_numpy()


def _minutes(times: pl.Series) -> tuple[pl.Series, Codes]:
    """The minutes of a day, after them null, and the place of each time's own."""
    minutes = pl.Series(np.arange(_DAY) * 60_000_000).cast(TIME_UNIT).extend_constant(None, 1)
    codes = (times.cast(pl.Int64) // 60_000_000) % _DAY
    return minutes, codes.cast(pl.UInt32).fill_null(_DAY).to_numpy()
