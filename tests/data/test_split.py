"""Splits: every row once, what belongs together together, shares kept, the same for the same seed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.tables import as_text, houses, known

from glasshouse.core.errors import DataError, SettingsError
from glasshouse.core.settings import SplitSettings
from glasshouse.data.align import append
from glasshouse.data.encode import encode_target
from glasshouse.data.fingerprints import row_hashes
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read
from glasshouse.data.split import Split, split_rows

FRAME = read(houses())
SCHEMA = infer_schema(FRAME, "price")


def parts_of(split: Split) -> list[np.ndarray]:
    return [split.train, split.validation, split.calibration, split.test]


def assert_apart(split: Split, ids: np.ndarray) -> None:
    """No value of ids is in two parts."""
    owners: dict[object, int] = {}
    for place, part in enumerate(parts_of(split)):
        for value in np.unique(ids[part]):
            assert owners.setdefault(value, place) == place, f"{value} is in parts {owners[value]} and {place}"


def test_apart_helper_sees_a_straddler() -> None:
    rows = [np.array([place]) for place in range(4)]
    split = Split(*rows, dropped=np.array([]), units=np.array([]), method="", hashes={})
    assert_apart(split, np.array([1, 2, 3, 4]))
    with pytest.raises(AssertionError, match="7 is in parts 0 and 3"):
        assert_apart(split, np.array([7, 2, 3, 7]))


def test_parts_are_exact_rising_and_complete() -> None:
    split = split_rows(FRAME, SCHEMA, SplitSettings(), seed=0)
    assert [len(part) for part in parts_of(split)] == [110, 30, 20, 40]
    assert sorted(np.concatenate(parts_of(split)).tolist()) == list(range(200))
    assert all((np.diff(part) > 0).all() and part.dtype == np.int64 for part in parts_of(split))
    assert split.method == "at random, stratified by target value; exact copies stay together"


def test_seed_decides() -> None:
    first, again, other = (split_rows(FRAME, SCHEMA, SplitSettings(), seed=seed) for seed in (0, 0, 1))
    assert first.hashes == again.hashes != other.hashes
    assert (first.train == again.train).all()


def test_hashes_follow_values_not_types() -> None:
    text = read(as_text(houses()))
    schema = infer_schema(text, "price")
    assert (row_hashes(text, schema) == row_hashes(FRAME, SCHEMA)).all()
    assert split_rows(text, schema, SplitSettings(), 0).hashes == split_rows(FRAME, SCHEMA, SplitSettings(), 0).hashes
    changed = read(houses().with_columns(rooms=pl.col("rooms") + (pl.int_range(200) == 7)))
    assert np.flatnonzero(row_hashes(changed, SCHEMA) != row_hashes(FRAME, SCHEMA)).tolist() == [7]


@given(
    counts=st.lists(st.integers(4, 60), min_size=2, max_size=6),
    copies=st.integers(0, 30),
    seed=st.integers(0, 1000),
)
def test_any_table_of_classes(counts: list[int], copies: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.repeat([f"class {code}" for code in range(len(counts))], counts)
    x = random.normal(size=len(labels))
    rows = np.concatenate([np.arange(len(labels)), random.integers(0, len(labels), copies)])
    frame, schema = known({"x": x[rows].tolist(), "y": labels[rows].tolist()}, "y")
    if len(rows) < 10:
        return
    split = split_rows(frame, schema, SplitSettings(), seed)
    assert sorted(np.concatenate(parts_of(split)).tolist()) == list(range(len(rows)))
    assert all(len(part) for part in parts_of(split))
    assert_apart(split, x[rows])
    assert set(labels[rows][split.train]) == set(labels)
    if not copies:
        for label, count in zip(np.unique(labels), counts, strict=True):
            held = [(labels[part] == label).sum() for part in parts_of(split)]
            assert np.abs(held - count * np.array([0.55, 0.15, 0.1, 0.2])).max() <= 3


def test_regression_parts_have_the_same_spread_of_targets() -> None:
    split = split_rows(FRAME, SCHEMA, SplitSettings(), seed=3)
    prices = houses()["price"].to_numpy()
    quarter = np.quantile(prices, [0.25, 0.5, 0.75])
    for part in parts_of(split):
        shares = np.bincount(np.searchsorted(quarter, prices[part]), minlength=4) / len(part)
        assert np.abs(shares - 0.25).max() < 0.08


@pytest.mark.parametrize("rows", [10, 25])
def test_small_tables(rows: int) -> None:
    frame, schema = known(
        {"x": [i * 0.5 for i in range(rows)], "y": ["a", "b"] * (rows // 2) + ["a"] * (rows % 2)}, "y"
    )
    split = split_rows(frame, schema, SplitSettings(), 0)
    assert all(len(part) for part in parts_of(split))


def test_a_class_of_one_row_trains() -> None:
    frame, schema = known({"x": [i * 0.5 for i in range(41)], "y": ["a", "b"] * 20 + ["c"]}, "y")
    for seed in range(10):
        assert 40 in split_rows(frame, schema, SplitSettings(), seed).train


def test_one_row_copied_endlessly_does_not_fill_a_part() -> None:
    x = [0.0] * 300 + [i + 0.5 for i in range(700)]
    frame, schema = known({"x": x, "y": ["a", "b"] * 500}, "y")
    split = split_rows(frame, schema, SplitSettings(), 0)
    assert [len(part) for part in parts_of(split)] == [550, 150, 100, 200]
    assert (np.array(x)[split.test] > 0).all()


@given(seed=st.integers(0, 100), groups=st.integers(5, 40))
def test_groups_stay_together(seed: int, groups: int) -> None:
    random = np.random.default_rng(seed)
    rows = 300
    who = random.integers(0, groups, rows)
    who[:groups] = np.arange(groups)
    frame, schema = known(
        {
            "who": [f"p{g}" for g in who],
            "x": random.normal(size=rows).tolist(),
            "y": random.choice(["a", "b"], rows).tolist(),
        },
        "y",
    )
    split = split_rows(frame, schema, SplitSettings(group="who"), seed)
    assert_apart(split, who)
    assert all(len(part) for part in parts_of(split))
    assert 'rows of one "who" stay together' in split.method


def test_copies_in_different_groups_stay_together_unless_all_would() -> None:
    group = [f"g{i // 10}" for i in range(200)]
    x = [float(i) for i in range(200)]
    x[10] = x[0]  # groups 0 and 1 share a row
    y = [i * 0.5 for i in range(200)]
    y[10] = y[0]
    frame, schema = known({"group": group, "x": x, "y": y}, "y", group="ignore")
    split = split_rows(frame, schema, SplitSettings(group="group"), 0)
    assert_apart(split, np.array(x))
    frame, schema = known(
        {"group": group, "x": [i % 10 * 0.5 for i in range(200)], "y": [i % 10 * 0.25 for i in range(200)]},
        "y",
        group="ignore",
    )
    split = split_rows(frame, schema, SplitSettings(group="group"), 0)
    assert_apart(split, np.array(group))
    assert "may part" in split.method


@pytest.mark.parametrize("kind", ["date", "text", "number"])
def test_time_is_respected(kind: str) -> None:
    days = np.random.default_rng(0).integers(0, 40, 300)
    when = {"date": pl.Series(days + 18_000).cast(pl.Int32).cast(pl.Date), "number": pl.Series(days),
            "text": (pl.Series(days + 18_000).cast(pl.Int32).cast(pl.Date)).dt.strftime("%d/%m/%Y")}[kind]  # fmt: skip
    frame = read(
        pl.DataFrame({"when": when, "x": np.random.default_rng(1).normal(size=300), "y": np.arange(300) * 0.5})
    )
    split = split_rows(frame, infer_schema(frame, "y"), SplitSettings(time="when"), 0)
    ends = [(days[part].min(), days[part].max()) for part in parts_of(split)]
    assert all(earlier[1] < later[0] for earlier, later in pairwise(ends))
    assert abs(len(split.test) - 60) < 20


def test_time_with_groups_orders_groups_by_their_end() -> None:
    who = np.repeat(np.arange(20), 10)
    frame, schema = known(
        {
            "who": [f"p{g}" for g in who],
            "when": [float(i) for i in range(200)],
            "x": [i * 0.5 for i in range(200)],
            "y": [i * 0.25 for i in range(200)],
        },
        "y",
    )
    split = split_rows(frame, schema, SplitSettings(group="who", time="when"), 0)
    assert_apart(split, who)
    assert split.train.max() < split.validation.min() < split.test.min()


def test_few_moments_still_fill_every_part() -> None:
    when = [1.0] * 90 + [2.0] * 4 + [3.0] * 3 + [4.0] * 3
    frame, schema = known({"when": when, "x": [i * 0.5 for i in range(100)], "y": [i * 0.25 for i in range(100)]}, "y")
    split = split_rows(frame, schema, SplitSettings(time="when"), 0)
    assert [len(part) for part in parts_of(split)] == [90, 4, 3, 3]


def test_missing_targets_are_dropped() -> None:
    frame, schema = known({"x": [i * 0.5 for i in range(40)], "y": ["a", "", "b", "a"] * 10}, "y")
    split = split_rows(frame, schema, SplitSettings(), 0)
    assert split.dropped.tolist() == list(range(1, 40, 4))
    assert sum(len(part) for part in parts_of(split)) == 30


def test_appended_rows_are_the_test() -> None:
    frame = append(FRAME, read(houses(50, seed=1)), SCHEMA)
    split = split_rows(frame, SCHEMA, SplitSettings(test="test.csv"), 0, num_test_rows=50)
    assert split.test.tolist() == list(range(200, 250))
    assert [len(part) for part in parts_of(split)] == [150, 30, 20, 50]
    assert split.method.endswith("the test rows are a table of their own")


def test_hashes_cover_the_target() -> None:
    changed = read(houses().with_columns(price=pl.col("price") + (pl.int_range(200) == 3)))
    assert (row_hashes(changed, SCHEMA) != row_hashes(FRAME, SCHEMA)).sum() == 1
    assert (row_hashes(changed, SCHEMA, with_target=False) == row_hashes(FRAME, SCHEMA, with_target=False)).all()
    assert len(encode_target(changed, SCHEMA)) == 200


def test_fractions_that_leave_nothing() -> None:
    with pytest.raises(SettingsError, match=r"the test rows of t\.csv are not among the rows") as apart:
        split_rows(FRAME, SCHEMA, SplitSettings(test="t.csv"), 0)
    assert apart.value.fix == "--test 0.2"
    with pytest.raises(SettingsError, match="validation and calibration take 100% of the rows") as full:
        split_rows(FRAME, SCHEMA, SplitSettings(test="t.csv", validation=0.6, calibration=0.4), 0, num_test_rows=20)
    assert full.value.fix == "--set split.validation=0.15"


def refusal(columns: dict[str, Any], **settings: object) -> DataError:
    frame, schema = known(columns, "y")
    with pytest.raises(DataError) as caught:
        split_rows(frame, schema, SplitSettings(**settings), 0)  # type: ignore[arg-type]
    return caught.value


def test_too_little_to_split() -> None:
    short = refusal({"x": [1.5, 2.5, 3.5], "y": ["a", "b", "a"]})
    assert short.problem == "table in memory has 3 rows with a target, too few to split"
    assert short.expected == "at least 10 rows"
    assert short.fix == "more rows"
    same = refusal({"x": [1.5, 2.5] * 10, "y": ["a", "b"] * 10})
    assert same.problem == "2 different rows cannot be divided into 4 parts"
    assert same.fix == "--set split.calibration=0 needs one fewer"
    base: dict[str, Any] = {
        "x": [i * 0.5 for i in range(20)],
        "y": [i * 0.25 for i in range(20)],
        "g": ["a", "b"] * 10,
    }
    group = refusal(base, group="g", calibration=0.0)
    assert (group.problem, group.where, group.fix) == (
        "2 groups cannot be divided into 3 parts",
        "--group",
        "more groups",
    )


def test_columns_that_cannot_divide() -> None:
    base: dict[str, Any] = {
        "x": [i * 0.5 for i in range(20)],
        "y": [i * 0.25 for i in range(20)],
        "when": ["1", "2"] * 9 + ["", "x"],
    }
    absent = refusal(base, group="whne")
    assert (absent.problem, absent.fix) == ('column "whne" is not in table in memory', "--group when")
    unreadable = refusal(base, time="when")
    assert unreadable.problem.startswith('column "when" has no readable time in ')
    assert unreadable.fix == "another --time column, or leave those rows out"


def test_test_rows_without_targets() -> None:
    frame, schema = known({"x": [i * 0.5 for i in range(40)], "y": [0.5, 1.5, 2.5] * 10 + [None] * 10}, "y")
    with pytest.raises(DataError, match="no test row has a target") as caught:
        split_rows(frame, schema, SplitSettings(), 0, num_test_rows=10)
    assert caught.value.fix == "a test file with the target column"
