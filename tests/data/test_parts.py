"""The numbers in a column: the same however its cells are kept, each looked at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from glasshouse.data.infer import infer_schema
from glasshouse.data.parts import DATE_PARTS, Repeated, parts_of
from glasshouse.data.read import read
from glasshouse.data.schema import Column
from glasshouse.data.values import Reading

MOMENTS = Column(name="c", kind="datetime", used=True, reading=Reading(format="%Y-%m-%d %H:%M:%S%.f"))
CELLS = ["2020-02-29 23:59:59", "", "1969-12-31 00:00:00.5", "2020-02-29 00:01:00", "NA", "2020-02-29 23:59:59"] * 50


@pytest.mark.parametrize("step", [timedelta(hours=7), timedelta(days=40, minutes=5)])
def test_the_parts_of_a_date_are_those_of_the_calendar(step: timedelta) -> None:
    start = datetime(1969, 12, 28, 13, 45)  # before and after 1970; many moments a day, or few in a long time
    times = [start + place * step for place in range(200)]
    cells = pl.Series("c", [None, *times])
    column = infer_schema(read({"c": cells, "y": [0.5] * 100 + [1.5] * 101}), "y").column("c")
    epoch = datetime(1970, 1, 1)
    expected: dict[str, Any] = {
        "year": [time.year for time in times], "month": [time.month for time in times],
        "day": [time.day for time in times], "weekday": [time.isoweekday() for time in times],
        "hour": [time.hour for time in times], "minute": [time.minute for time in times],
        "days": [(time - epoch) / timedelta(days=1) for time in times],
    }  # fmt: skip
    for part, found in parts_of(cells, column):
        np.testing.assert_allclose(found.rows()[1:], expected.pop(part), rtol=1e-12, err_msg=part)
        assert np.isnan(found.rows()[0])
    assert not expected


def test_parts_are_the_same_of_text_of_codes_and_of_times() -> None:
    text = pl.Series("c", CELLS)
    times = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False)
    expected = {part: found.rows() for part, found in parts_of(times, MOMENTS)}
    assert tuple(expected) == DATE_PARTS
    for cells in (text, text.cast(pl.Enum(text.unique()))):
        for part, found in parts_of(cells, MOMENTS):
            np.testing.assert_array_equal(found.rows(), expected[part], err_msg=part)
    assert [part for part, _ in parts_of(text, MOMENTS, ("hour", "days"))] == ["hour", "days"]


def test_a_code_for_missing_is_none_though_it_could_be_read_as_a_time() -> None:
    cells = pl.Series("c", ["2015-03-01", "1900-01-01", " 2015-03-02 "])
    column = Column(name="c", kind="datetime", used=True, reading=Reading(format="%Y-%m-%d"))
    coded = msgspec.structs.replace(column, reading=Reading(format="%Y-%m-%d", missing=("1900-01-01",)))
    years = [[found.rows().tolist() for _, found in parts_of(cells, one, ("year", "day"))] for one in (column, coded)]
    assert years[0] == [[2015, 1900, 2015], [1, 1, 2]]
    np.testing.assert_array_equal(years[1], [[2015, np.nan, 2015], [1, np.nan, 2]])


def test_a_column_of_no_times_at_all_has_parts_too() -> None:
    for part, found in parts_of(pl.Series("c", ["", "NA", "?"]), MOMENTS):
        assert np.isnan(found.rows()).all(), part
        assert not len(found.counted()[0]), part


def test_numbers_are_counted_once_each() -> None:
    found = Repeated(np.array([3.0, np.nan, 1.0, 3.0, 7.0]), np.array([0, 1, 2, 3, 3, 0, 1], dtype=np.uint16))
    np.testing.assert_array_equal(found.rows(), [3, np.nan, 1, 3, 3, 3, np.nan])
    values, counts = found.counted()  # 7 stands in no row
    assert counts is not None
    assert (values.tolist(), counts.tolist()) == ([1.0, 3.0], [1, 4])
    assert Repeated(np.array([2.0, np.nan, 2.0])).counted()[0].tolist() == [2.0, 2.0]
