"""Tables in memory: every container gives the same columns."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from glasshouse.core.errors import DataError
from glasshouse.data.read import read

COLUMNS = {"n": [1, 2, 3], "x": [0.5, None, 2.5], "s": ["a", None, "c"], "b": [True, False, True]}


def test_containers_agree() -> None:
    pandas = pytest.importorskip("pandas")
    arrow = pytest.importorskip("pyarrow")
    table = pl.DataFrame(COLUMNS)
    rows = table.to_dicts()
    for source in (table, table.lazy(), COLUMNS, rows, pandas.DataFrame(COLUMNS), arrow.table(COLUMNS)):
        assert read(source).table.equals(table), type(source)


def test_pandas_times_and_categories() -> None:
    pandas = pytest.importorskip("pandas")
    when = [datetime(2020, 1, 2, 3, 4), None]
    frame = pandas.DataFrame({"when": pandas.to_datetime(when), "kind": pandas.Categorical(["a", "b"]), 7: [1, 2]})
    table = read(frame).table
    assert table.columns == ["when", "kind", "7"]
    assert table["when"].to_list() == when
    assert table["kind"].to_list() == ["a", "b"]


def test_mixed_cells_become_text() -> None:
    assert read({"a": [1, "x", None, 2.5]}).table["a"].to_list() == ["1", "x", None, "2.5"]


def test_numpy_kinds() -> None:
    table = read({"t": np.array(["2020-01-01"], dtype="datetime64[D]"), "h": np.array([1.5], dtype=np.float16)}).table
    assert table["t"].to_list() == [datetime(2020, 1, 1)]
    assert table["h"].to_list() == [1.5]
    assert table["t"].to_list()[0].replace(tzinfo=UTC).year == 2020


def test_content_hash_follows_the_values_alone() -> None:
    base = read(pl.DataFrame({"a": [1, 2]})).source.sha256
    assert read({"a": [1, 2]}).source.sha256 == base
    assert read({"a": [1, 3]}).source.sha256 != base
    assert read({"b": [1, 2]}).source.sha256 != base


def test_frame_passes_through_and_takes_rows() -> None:
    frame = read(COLUMNS)
    assert read(frame) is frame
    assert frame.take([2, 0]).table["n"].to_list() == [3, 1]
    assert frame.num_rows == 3


@pytest.mark.parametrize(
    ("source", "problem", "fix"),
    [
        (3, "a int is not a table", "make a data frame of it"),
        ([[1, 2]], "a list is not a table", "make a data frame of it"),
        ({"a": [1, 2], "b": [1]}, 'column "b" has 1 values, "a" has 2', 'mend the column "b"'),
        ({"a": 1}, 'column "a" holds int, not a list of values', "{'a': [value]} for a table of one row"),
        ({}, "the table in memory has no columns", "check how the table was made"),
        ({"a": []}, "the table in memory has no rows", "check how the table was made"),
    ],
)
def test_refusals(source: object, problem: str, fix: str) -> None:
    with pytest.raises(DataError) as caught:
        read(source)
    assert (caught.value.problem, caught.value.fix) == (problem, fix)


def test_pandas_columns_of_one_name() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match='two columns are called "a"') as caught:
        read(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    assert caught.value.fix == 'call one of them "a_2"'
