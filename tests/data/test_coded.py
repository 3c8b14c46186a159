"""A column is put together from its pieces: as codes, numbers, times or strings, and is what it was."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.cells import PARTS

from glasshouse.data.coded import MISSING, Gathering, as_written, coded, how_often
from glasshouse.data.labels import labels_of
from glasshouse.data.values import Reading


@given(parts=PARTS, seen=st.sampled_from([0, 1]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_gathered_cells_are_the_cells(parts: list[list[str]], seen: float) -> None:
    every = [cell for part in parts for cell in part]
    filled = [cell for cell in every if cell not in MISSING]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glasshouse.data.coded.SEEN_BEFORE", seen)
        column = Gathering(plain=True)
        for part in parts:
            column.add(pl.Series(part, dtype=pl.String))
        if column.spoilt:
            numbers = all(re.fullmatch(r"[-+]?\d*\.?\d*(e[-+]?\d+)?", cell) for cell in filled) and "007" not in every
            assert not numbers, "as numbers they could have stayed"
            return
        whole = column.column("a")
    if whole.dtype.is_float():
        assert whole.to_list() == [float(cell) if cell in filled else None for cell in every]
    elif isinstance(whole.dtype, (pl.String, pl.Enum)):
        assert as_written(whole).to_list() == every
    else:
        assert as_written(whole).to_list() == [cell if cell in filled else "" for cell in every]
    assert whole.n_chunks() == 1
    if seen == 1:
        assert isinstance(whole.dtype, pl.Enum)


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ([["1", "2"], ["3", ""]], pl.Int32()),
        ([["1.5", "2.0"], ["-0.0", ""]], pl.Float64()),
        ([["1", "2"], ["3.5"]], pl.Float64()),
        ([["", ""], ["3.5"], ["4.25"]], pl.Float64()),
        ([["1", "02"]], pl.String()),
        ([["1.5", "007"]], pl.String()),
        ([["1.5", "inf"]], pl.String()),
        ([["1.5", "NA"], ["nan", "", "?"]], pl.Float64()),
        ([["15", "NA"], ["nan", "", "?"]], pl.Int32()),
        ([["1", "2"], ["3000000000", ""]], pl.Int64()),
        ([["-2147483648"], ["2147483647"]], pl.Int32()),
        ([["15", "none"]], pl.String()),
        ([["1.5", "+nan"]], pl.String()),
        ([["2015-01-31 12:30:00", "NULL"], ["NaT"]], pl.Datetime("us")),
        ([["1.5"], ["1.50"]], pl.Float64()),
        ([["2015-01-31 12:30:00"], ["", "2016-01-31 00:00:00"]], pl.Datetime("us")),
        ([["2015-01-31 12:30:00"], ["2016-01-31 00:00"]], pl.String()),
        ([["2015-01-31 12:30:00"], ["2016-1-31 00:00:00"]], pl.String()),
        ([["2015-01-31 12:30:00"], ["2016-02-31 00:00:00"]], pl.String()),
    ],
)
def test_numbers_and_times_are_kept_where_all_cells_are(
    parts: list[list[str]], kept: pl.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasshouse.data.coded.SEEN_BEFORE", 0)
    column = Gathering(plain=True)
    for part in parts:
        column.add(pl.Series(part, dtype=pl.String))
    assert column.column("a").dtype == kept


def test_a_column_says_what_its_next_cells_may_be_read_as() -> None:
    column = Gathering(plain=True)
    assert column.type is None
    column.add(pl.Series(["a", "b", "a", "b"]))
    assert column.type is None, "these were new"
    column.add(pl.Series(["a", "", "b"]))
    assert column.type == pl.Enum(["", "a", "b"])
    earlier = column.type
    column.add(pl.Series(["b", None], dtype=earlier))
    assert column.type == earlier, "an empty cell is nothing new"
    column.add(pl.Series([f"new{row}" for row in range(100)]))
    assert column.type is None, "too many to be numbered"
    column.add(pl.Series(["a", None], dtype=earlier))  # which was on its way
    whole = column.column("a")
    assert whole.dtype == pl.String
    assert whole.to_list()[:9] == ["a", "b", "a", "b", "a", "", "b", "b", ""]
    assert whole.to_list()[-2:] == ["a", ""]


def test_labels_may_become_too_many_while_some_are_on_their_way() -> None:
    column = Gathering(plain=True)
    column.add(pl.Series(["a", "b", "a", "b"]))
    column.add(pl.Series(["a", "b"]))
    earlier = column.type
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glasshouse.data.coded.MOST_DISTINCT", 1)
        column.add(pl.Series(["c", "d"]))
    assert isinstance(earlier, pl.Enum)
    column.add(pl.Series(["b", None], dtype=earlier))
    assert column.column("a").to_list() == ["a", "b", "a", "b", "a", "b", "c", "d", "b", ""]


@pytest.mark.parametrize(
    ("cells", "kept", "at_once"),
    [
        ([str(number) for number in range(-5, 5)], pl.Int32(), pl.Int32()),
        ([str(number * 10**9) for number in range(9)], pl.Int64(), pl.Int64()),
        (["", *(f"{number}.50" for number in range(9))], pl.Enum, None),
        (["NA", *(str(number) for number in range(9))], pl.Enum, None),
        (["007", *(str(number) for number in range(9))], pl.Enum, None),
        (["word", *(f"{number}.5" for number in range(9))], pl.Enum, None),
    ],
)
def test_many_labels_that_are_whole_numbers_become_numbers(
    cells: list[str], kept: pl.DataType, at_once: pl.DataType | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasshouse.data.coded._FEW", 7)
    column = Gathering(plain=True)
    column.add(pl.Series(cells[:5] * 4))
    assert isinstance(column._type, pl.Enum)
    column.add(pl.Series(cells[:5]))
    earlier = column.type
    column.add(pl.Series(cells * 2))
    assert column.type == at_once
    column.add(pl.Series(cells[:5], dtype=earlier))  # which were on their way
    column.add(pl.Series(cells))
    assert column.type == at_once
    whole = column.column("a")
    assert whole.dtype == kept
    every = pl.Series([*cells[:5] * 5, *cells * 2, *cells[:5], *cells])
    expected = every.set(every == "", None).cast(kept) if at_once else every
    assert (whole if at_once else as_written(whole)).to_list() == expected.to_list()


@pytest.mark.parametrize("odd", ["word", "007", "-0"])
def test_whole_numbers_that_repeat_are_codes_again_after_something_else(
    odd: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasshouse.data.coded._FEW", 7)
    cells = [str(number) for number in range(10)] * 4
    column = Gathering(plain=True)
    for part in (cells, ["", *cells], [odd, *cells], cells):
        column.add(pl.Series(part))
    whole = column.column("a")
    assert isinstance(whole.dtype, pl.Enum) and whole.n_chunks() == 1
    assert as_written(whole).to_list() == [*cells, "", *cells, odd, *cells, *cells]
    column = Gathering(plain=True)
    for part in ([str(number) for number in range(100)], [odd]):
        column.add(pl.Series(part))
    assert column.column("a").dtype == (pl.Float64() if odd == "-0" else pl.String()), "these repeat too little"


def test_whole_numbers_on_their_way_become_what_the_column_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glasshouse.data.coded.SEEN_BEFORE", 0)
    for odd, value, kept in (
        ("1.5", 1.5, pl.Float64()),
        ("5000000000", 5 * 10**9, pl.Int64()),
        ("word", "", pl.String()),
    ):
        column = Gathering(plain=True)
        column.add(pl.Series(["1", "-2"]))
        assert column.type == pl.Int32()
        column.add(pl.Series([odd]), "type")
        column.add(pl.Series([3, None], dtype=pl.Int32()))
        whole = column.column("a")
        assert whole.dtype == kept
        assert whole.to_list() == ([1, -2, value, 3, None] if value else ["1", "-2", odd, "3", ""])


def test_codes_know_gaps_and_values_that_no_row_has() -> None:
    series = pl.Series("a", ["x", None, "y", "x"], dtype=pl.Enum(["unused", "x", "y"]))
    codes = coded(series)
    assert codes is not None
    assert codes.values[codes.codes].to_list() == ["x", None, "y", "x"]
    assert how_often(codes.codes, len(codes.values)).tolist() == [0, 2, 1, 1]
    assert coded(series.head(2)) is None, "fewer rows than values"
    found = labels_of(series, Reading())
    assert (found.distinct, found.num_filled, found.num_missing) == (2, 3, 1)
    assert found.begin.to_list() == ["x", "y", "x"]
    assert found.share(found.cells == "x") == pytest.approx(2 / 3)
