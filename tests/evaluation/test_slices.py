"""Slices hold every row once, and score what a filter by hand scores."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from glasshouse.core.errors import DataError
from glasshouse.evaluation.scores import score
from glasshouse.evaluation.slices import MOST_SLICES, score_slices


def answers(rows: int):
    generator = np.random.default_rng(0)
    actual = generator.normal(size=rows)
    return actual, actual + generator.normal(size=rows)


def test_a_category_is_cut_by_value_from_the_largest():
    actual, outputs = answers(100)
    column = pl.Series("city", ["Ulm"] * 60 + ["Bern"] * 30 + ["Graz"] * 10)
    slices = score_slices("regression", actual, outputs, column)
    assert [(one.value, one.rows, one.small) for one in slices] == [
        ("Ulm", 60, False),
        ("Bern", 30, False),
        ("Graz", 10, True),
    ]
    assert slices[2].scores == score("regression", actual[90:], outputs[90:], resamples=500)


def test_a_column_kept_as_codes_is_cut_by_its_words():
    actual, outputs = answers(100)
    words = [str(number % 50) for number in range(100)]
    kept = pl.Series("age", words, dtype=pl.Enum(sorted(set(words), reverse=True)))
    slices = score_slices("regression", actual, outputs, kept)
    assert slices == score_slices("regression", actual, outputs, kept.cast(pl.String))


@pytest.mark.parametrize("kind", [pl.Datetime("us"), pl.Datetime("ns"), pl.Date])
def test_times_are_cut_into_quarters_and_few_by_value(kind):
    actual, outputs = answers(96)
    tail = "" if kind == pl.Date else " 12:30:00"
    for different, quarters in ((48, True), (6, False)):
        places = np.arange(96)[::-1] % different
        words = pl.Series("at", [f"20{place + 10}-01-31 12:30:00" for place in places])
        slices = score_slices("regression", actual, outputs, words.str.to_datetime().cast(kind), resamples=50)
        if quarters:
            spans = [(10, 21), (22, 33), (34, 45), (46, 57)]
            assert [one.value for one in slices] == [f"20{a}-01-31{tail} to 20{b}-01-31{tail}" for a, b in spans]
            assert [one.rows for one in slices] == [24] * 4
        else:
            assert [(one.value, one.rows) for one in slices] == [(f"20{10 + one}-01-31{tail}", 16) for one in range(6)]


def test_nanoseconds_are_told_apart():
    actual, outputs = answers(80)
    at = pl.Series("at", 1_600_000_000_000_000_000 + 10 * np.arange(80)).cast(pl.Datetime("ns"))
    assert [one.rows for one in score_slices("regression", actual, outputs, at, resamples=50)] == [20] * 4


@pytest.mark.parametrize("as_text", [False, True], ids=["numbers", "numbers as text"])
def test_a_number_is_cut_into_quarters(as_text):
    actual, outputs = answers(100)
    column = pl.Series("age", np.random.default_rng(1).permutation(100))
    slices = score_slices("regression", actual, outputs, column.cast(pl.String) if as_text else column)
    assert [one.value for one in slices] == ["0 to 24", "25 to 49", "50 to 74", "75 to 99"]
    assert [one.rows for one in slices] == [25] * 4


def test_missing_values_and_many_values_keep_every_row():
    actual, outputs = answers(200)
    names = [f"v{i % 50}" for i in range(190)] + [None] * 10
    slices = score_slices("regression", actual, outputs, pl.Series("code", names), resamples=50)
    assert sum(one.rows for one in slices) == 200
    assert [one.value for one in slices][MOST_SLICES:] == ["(30 rarer values)", "(missing)"]
    floats = pl.Series("x", [float("nan")] * 100 + list(range(100)), strict=False)
    assert score_slices("regression", actual, outputs, floats, resamples=50)[-1].value == "(missing)"


def test_few_numbers_are_cut_by_value_in_order():
    actual, outputs = answers(60)
    slices = score_slices("regression", actual, outputs, pl.Series("rooms", [3, 1, 2] * 20), resamples=50)
    assert [one.value for one in slices] == ["1", "2", "3"]


def test_a_slice_of_one_class_is_scored():
    outputs = np.tile([0.3, 0.7], (40, 1))
    slices = score_slices("binary", np.repeat([0, 1], 20), outputs, pl.Series("g", ["a"] * 20 + ["b"] * 20))
    assert all("roc_auc" not in one.scores for one in slices)


def test_a_column_of_another_length_is_refused():
    actual, outputs = answers(3)
    with pytest.raises(DataError, match='column "city" has 2 rows for 3 predictions') as caught:
        score_slices("regression", actual, outputs, pl.Series("city", ["a", "b"]))
    assert caught.value.fix == "cut by a column of the table that was scored"
