"""Folds: every row in one, of about equal size, with every class; what belongs together stays together."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.core.settings import SplitSettings
from glasshouse.data.encode import encode_target
from glasshouse.data.folds import assign_folds
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read
from glasshouse.data.split import split_rows


def dealt(table: pl.DataFrame, target: str, num_folds: int, seed: int = 0, group: str | None = None) -> np.ndarray:
    frame = read(table)
    schema = infer_schema(frame, target, {group: "ignore"} if group else {})
    units = (
        split_rows(frame, schema, SplitSettings(group=group), 0).units if len(table) >= 10 else np.arange(len(table))
    )
    return assign_folds(encode_target(frame, schema), units, num_folds, seed)


def table_of(rows: int, seed: int = 0) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "x": draw.normal(size=rows),
            "house": draw.integers(0, max(2, rows // 4), rows).astype(str),
            "y": draw.normal(size=rows),
            "label": draw.choice(["a", "b", "c"], rows, p=[0.7, 0.2, 0.1]),
        }
    )


@given(st.integers(40, 200), st.integers(2, 8), st.integers(0, 1000))
def test_sizes_and_shares_are_even(rows: int, num_folds: int, seed: int) -> None:
    table = table_of(rows, seed)
    for target in ("y", "label"):
        folds = dealt(table, target, num_folds, seed)
        counts = np.bincount(folds, minlength=num_folds)
        assert len(counts) == num_folds and counts.max() - counts.min() <= 1
    for label in "abc":
        own = np.bincount(folds[(table["label"] == label).to_numpy()], minlength=num_folds)
        assert own.max() - own.min() <= 1, "every fold has its share of every class"


def test_a_numbers_stretches_are_shared_out() -> None:
    table = table_of(500)
    folds = dealt(table, "y", 5)
    means = [table["y"].to_numpy()[folds == fold].mean() for fold in range(5)]
    assert np.ptp(means) < 0.1, "plain chance would give about 0.3"


def test_copies_and_groups_stay_together() -> None:
    table = table_of(60)
    doubled = pl.concat([table, table]).sample(fraction=1.0, shuffle=True, seed=0)
    folds = dealt(doubled, "label", 4)
    together = doubled.with_columns(fold=pl.Series(folds)).group_by(table.columns).agg(pl.col("fold").n_unique())
    assert together["fold"].max() == 1
    folds = dealt(table, "y", 4, group="house")
    assert table.with_columns(fold=pl.Series(folds)).group_by("house").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert len(set(folds)) == 4


def test_a_row_without_a_group_is_one_of_its_own_however_it_says_so() -> None:
    table = table_of(90).with_columns(house=pl.Series(["NA", "", None, "7", "8", "9.0"] * 15))
    folds = dealt(table, "y", 3, group="house")
    numbers = table.with_columns(house=pl.col("house").cast(pl.Float64, strict=False))
    assert (dealt(numbers, "y", 3, group="house") == folds).all(), "typed, or kept as numbers from a large file"
    assert [len(set(folds[place::6])) for place in range(6)] == [3, 3, 3, 1, 1, 1]


def test_copies_join_groups() -> None:
    table = pl.concat([table_of(60), table_of(60)[:8]]).with_columns(house=pl.int_range(68).cast(pl.String))
    folds = dealt(table, "y", 5, group="house")
    assert (folds[60:] == folds[:8]).all(), "or a network would be judged by a row that it has learnt"


def test_large_units_are_spread_first() -> None:
    sizes = [300, 60, 60, 60, 60, 5, 5, 5, 5]
    units = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(5):
        folds = assign_folds(np.random.default_rng(seed).normal(size=len(units)), units, 3, seed)
        assert sorted(np.bincount(folds).tolist()) == [130, 130, 300], "and not two of the larger ones to the largest"
        assert all(len(set(folds[units == unit])) == 1 for unit in range(len(sizes)))


def test_the_seed_deals() -> None:
    table = table_of(80)
    assert (dealt(table, "y", 5, 3) == dealt(table, "y", 5, 3)).all()
    assert (dealt(table, "y", 5, 3) != dealt(table, "y", 5, 4)).any()


@pytest.mark.parametrize("rows", [2, 5])
def test_fewer_rows_than_folds_are_still_dealt_out(rows: int) -> None:
    folds = dealt(table_of(40)[:rows], "y", 20)
    assert len(set(folds.tolist())) == rows
