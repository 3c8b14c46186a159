"""Kinds: what a column is taken for, and how to say otherwise."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.tables import houses, known

from glasshouse.core.errors import DataError
from glasshouse.core.settings import ReadSettings
from glasshouse.data import kinds
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read
from glasshouse.data.schema import Column, Schema
from glasshouse.data.values import Reading, parse_numbers, parse_times

MANY = 60


def column_of(values: list[object], name: str = "c", **settings: object) -> Column:
    rest = {"y": [i + 0.5 for i in range(len(values))], "other": [float(i * i) for i in range(len(values))]}
    frame = read({name: values, **rest}, ReadSettings(**settings))  # type: ignore[arg-type]
    return infer_schema(frame, "y").column(name)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1.5", "2", "-3e2"], "number"),
        ([1, 2, 3], "number"),
        (["1", "2", "1", "3"], "number"),
        (["a", "b", "a"], "category"),
        (["020", "060", "020"], "category"),
        (["0", "1", "1"], "yesno"),
        ([0.0, 1.0, None], "yesno"),
        (["Yes", "no", ""], "yesno"),
        (["T", "F", "T"], "yesno"),
        ([True, False, True], "yesno"),
        (["yes", "false", "yes"], "category"),
        (["male", "female", "male"], "category"),
        (["2020-01-31", "2021-02-01", ""], "datetime"),
        ([date(2020, 1, 1), date(2021, 1, 1), None], "datetime"),
        (["x", "x", "x"], "constant"),
        (["", "NA", "?"], "constant"),
        (["x", "", "x"], "category"),
        ([[1], [2], [3]], "ignore"),
        (["the quick brown fox jumps", "over the lazy old dog", "and then it runs away", "far into the dark wood",
          "a b c d e f g h i j k"], "text"),
    ],
)  # fmt: skip
def test_kinds(values: list[object], kind: str) -> None:
    column = column_of(values)
    assert column.kind == kind
    assert column.used == (kind in ("number", "category", "yesno", "datetime"))
    assert bool(column.reason) == (not column.used)


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "nan", "null", "None", "?", "-", "."])
def test_spellings_of_missing(missing: str) -> None:
    assert column_of(["1.5", missing, "2.5", "3.5"]).missing == 1
    assert column_of(["a", missing, "b", "a"]).missing == 1


@pytest.mark.parametrize("label", ["unknown", "none", "no"])
def test_words_that_are_labels(label: str) -> None:
    assert column_of(["a", label, "b", "a"]).missing == 0


@pytest.mark.parametrize(
    "values", [[1.5, -999.0, 2.5, 3.5], [1, -999, 2, 3], ["1.5", "-999", "2.5", "3.5"], ["a", "-999", "b", "a"]]
)
def test_codes_given_by_setting_are_missing(values: list[object]) -> None:
    assert column_of(values, missing=("-999",)).missing == 1
    assert column_of(values).missing == 0


def test_a_few_words_among_numbers_are_missing_and_said() -> None:
    column = column_of([str(i + 0.5) for i in range(97)] + ["oops", "err", "12,x"])
    assert (column.kind, column.missing) == ("number", 3)
    assert column.note.startswith("3 values could not be read as a number")
    assert column_of([str(i + 0.5) for i in range(94)] + ["oops"] * 6).kind == "number"
    assert column_of([str(i % 40 + 0.5) for i in range(94)] + list("abcdef")).kind == "category"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,234.5", "2,000", "12"], [1234.5, 2000, 12]),
        (["1.234,5", "2.000,25", "12,5"], [1234.5, 2000.25, 12.5]),
        (["1,5", "2,25", "0,125"], [1.5, 2.25, 0.125]),
        (["1 234", "12 345 678", "1"], [1234, 12345678, 1]),
        (["1'234.5", "2'000", "7"], [1234.5, 2000, 7]),
        (["$1,200", "-$3", "$4.5"], [1200, -3, 4.5]),
        (["12%", "7.5 %", "3%"], [12, 7.5, 3]),
        (["−1.5", "2", "3"], [-1.5, 2, 3]),
        ([" 1.5 ", "2 ", " 3"], [1.5, 2, 3]),
    ],
)
def test_ways_to_write_numbers(cells: list[str], expected: list[float]) -> None:
    column = column_of(list(cells))
    assert column.kind == "number"
    assert parse_numbers(pl.Series(cells), column.reading).tolist() == expected


def test_ambiguous_comma_follows_setting_and_separator(tmp_path) -> None:
    assert parse_numbers(pl.Series(["1,234"]), column_of(["1,234", "5,678"]).reading).tolist() == [1234]
    assert parse_numbers(pl.Series(["1,234"]), column_of(["1,234", "5,678"], decimal=",").reading).tolist() == [1.234]
    (tmp_path / "t.csv").write_text("a;b\n1,234;2\n5,678;3\n")
    schema = infer_schema(read(tmp_path / "t.csv"), "b")
    assert parse_numbers(pl.Series(["1,234"]), schema.column("a").reading).tolist() == [1.234]


def test_infinities_are_missing() -> None:
    column = column_of(["1.5", "inf", "-inf", "2.5"] * 10)
    assert column.kind == "category"  # half the values are no numbers
    assert column_of([1.5, float("inf"), float("nan"), 2.5]).missing == 2


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1/2/2011", "1/31/2011"], datetime(2011, 1, 2)),
        (["1/2/2011", "31/1/2011"], datetime(2011, 2, 1)),
        (["1.2.2011", "3.4.2011"], datetime(2011, 2, 1)),
        (["1/2/11", "12/31/11"], datetime(2011, 1, 2)),
        (["2011-01-02 10:30", "2011-01-03 11:00"], datetime(2011, 1, 2, 10, 30)),
        (["2011-01-02T10:30:05.5", "2011-01-03T11:00:00"], datetime(2011, 1, 2, 10, 30, 5, 500_000)),
        (["2011-01-02T10:30:00+02:00", "2011-01-03T11:00:00Z"], datetime(2011, 1, 2, 8, 30)),
        (["2 Jan 2011", "13 Feb 2012"], datetime(2011, 1, 2)),
        (["January 2, 2011", "May 13, 2012"], datetime(2011, 1, 2)),
    ],
)
def test_ways_to_write_dates(cells: list[str], expected: datetime) -> None:
    column = column_of(list(cells))
    assert column.kind == "datetime"
    assert parse_times(pl.Series(cells), column.reading)[0] == expected


def test_day_and_month_are_decided_by_all_values() -> None:
    cells = ["1/2/2011", "3/4/2012"] * 1500 + ["25/4/2012"]
    assert parse_times(pl.Series(cells[:1]), column_of(list(cells)).reading)[0] == datetime(2011, 2, 1)


def test_times_are_points_and_durations_are_seconds() -> None:
    assert column_of([time(1, 2), time(3, 4), time(5, 6)]).kind == "datetime"
    assert column_of([timedelta(hours=1), timedelta(hours=2), timedelta(hours=3)]).kind == "number"
    assert parse_numbers(pl.Series([timedelta(minutes=1)]), Reading()).tolist() == [60.0]


@pytest.mark.parametrize(
    ("name", "values", "left_out"),
    [
        ("Order", list(range(1, MANY + 1)), True),
        ("PassengerId", list(range(1, MANY + 1)), True),
        ("instant", [str(i) for i in range(MANY)], True),
        ("x", list(range(150)), True),
        ("x", list(range(MANY)), False),  # a short table: it may be a measurement
        ("year", list(range(1850, 2000)), False),
        ("x", [i * i for i in range(150)], False),
        ("x", [i + 0.25 for i in range(150)], False),
        ("id", [1, 2, 3], False),
        ("customer", [f"{i:04}-XYZ" for i in range(MANY)], True),
        ("ticket", [f"A{i % 30}" for i in range(MANY)], False),
        ("rides", [f"{i}" for i in np.random.default_rng(0).permutation(500)[:MANY]], False),
    ],
)
def test_identifiers(name: str, values: list[object], left_out: bool) -> None:
    column = column_of(values, name)
    assert (column.kind == "identifier") is left_out
    assert column.used is not left_out


def test_kinds_can_be_overridden() -> None:
    columns: dict[str, Any] = {"a": ["1", "2", "x", "1"], "b": ["m", "f", "m", "f"], "c": [1, 2, 1, 2],
                               "d": ["1/2/2020"] * 3 + [""],
                                        "e": [1, 2, 3, 4], "y": [0.5, 1.5, 2.5, 3.5]}  # fmt: skip
    _, schema = known(columns, "y", a="number", b="yesno", c="category", d="datetime", e="ignore")
    assert [column.kind for column in schema.columns] == ["number", "yesno", "category", "datetime", "ignore"]
    assert [column.used for column in schema.columns] == [True, True, True, True, False]
    assert schema.column("a").missing == 1
    assert schema.column("e").reason == "ignore, as asked"


@pytest.mark.parametrize(
    ("kinds", "problem", "fix"),
    [
        ({"zpi": "category"}, 'column "zpi" is not in table in memory', "--set columns.zip=category"),
        ({"zip": "categroy"}, '"categroy" is not a kind of column', "--set columns.zip=category"),
        (
            {"zip": "number"},
            'column "zip" was called number, but holds values such as "ab"',
            "--set columns.zip=category",
        ),
        (
            {"zip": "datetime"},
            'column "zip" was called datetime, but holds values such as "ab"',
            "--set columns.zip=category",
        ),
        (
            {"zip": "yesno"},
            'column "zip" was called yesno, but holds values such as "ab"',
            "--set columns.zip=category",
        ),
    ],
)
def test_overrides_that_cannot_be_followed(kinds: dict[str, str], problem: str, fix: str) -> None:
    with pytest.raises(DataError) as caught:
        known({"zip": ["ab", "cd", "ef", "ab"], "y": [0.5, 1.5, 2.5, 3.5]}, "y", **kinds)
    assert (caught.value.problem, caught.value.fix) == (problem, fix)


def test_nothing_to_learn_from() -> None:
    with pytest.raises(DataError, match="has no column to learn from") as caught:
        known({"a": ["x", "x", "x"], "y": [1.5, 2.5, 3.5]}, "y")
    assert caught.value.fix.startswith("--set columns.NAME=category")
    assert 'a: every row says "x"' in caught.value.where


def test_column_that_is_not_known() -> None:
    _, schema = known({"area": [1.5, 2.5, 3.5], "y": [1.5, 2.5, 3.5]}, "y")
    with pytest.raises(DataError, match='column "aera" is not known') as caught:
        schema.column("aera")
    assert caught.value.fix == "area"


def test_schema_survives_json_and_types() -> None:
    typed = infer_schema(read(houses()), "price")
    assert msgspec.json.decode(msgspec.json.encode(typed), type=Schema) == typed
    assert [column.kind for column in typed.columns] == [
        "number",
        "number",
        "yesno",
        "category",
        "category",
        "datetime",
    ]
    assert typed.column("area").examples == tuple(str(value) for value in houses()["area"].drop_nulls()[:3])
    untargeted = infer_schema(read(houses()), None)
    assert untargeted.target is None
    assert len(untargeted.columns) == 7


@given(st.text("0123456789.,'+-−$€£%eE :/aNi_", min_size=1, max_size=8))
def test_what_is_said_to_be_no_number_is_none_in_any_spelling(cell: str) -> None:
    cells = pl.Series([cell.strip()])
    if cells.str.contains(kinds._NO_NUMBER).all():
        for decimal, signs in ((".", ("", ",", " ", "'")), (",", (".", " ", "'"))):
            for sign in signs:
                assert np.isnan(parse_numbers(cells, Reading(decimal=decimal, thousands=sign))).all()
