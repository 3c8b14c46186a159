"""Targets: numbers or classes, and labels that are spelled a little differently."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from tests.data.tables import known

from glasshouse.core.errors import DataError
from glasshouse.core.settings import ReadSettings
from glasshouse.data import infer_schema, read
from glasshouse.data.schema import TargetSchema
from glasshouse.data.targets import read_target


def target_of(values: list[object], asked: str | None = None) -> TargetSchema:
    kinds = {"y": asked} if asked else {}
    _, schema = known({"x": [i * 0.5 for i in range(len(values))], "y": values}, "y", **kinds)
    assert schema.target is not None
    return schema.target


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([0, 1, 1, 0], "binary", ("0", "1")),
        (["1.0", "0.0", "1.0"], "binary", ("0", "1")),
        ([-1, 1, 1], "binary", ("-1", "1")),
        (["yes", "no", "yes"], "binary", ("no", "yes")),
        ([True, False, True], "binary", ("false", "true")),
        ([1.5, 2.5, 1.5, 2.5], "binary", ("1.5", "2.5")),
        (["b", "a", "c"] * 3, "multiclass", ("a", "b", "c")),
        ([3, 10, 9] * 5, "multiclass", ("3", "9", "10")),
        (["3", "10", "9"] * 5, "multiclass", ("3", "9", "10")),
        (list(range(11)) * 5, "regression", ()),
        ([0.5, 1.0, 1.5] * 5, "regression", ()),
        ([100_000, 200_000, 300_000] * 5, "regression", ()),
        ([5, 7, 9, 4], "regression", ()),  # too few rows for so many classes
        (["1,5", "2,25", "3,75", "0,5"], "regression", ()),
        ([1, 2, 3, 4, "many"] * 4, "multiclass", ("1", "2", "3", "4", "many")),
    ],
)
def test_tasks(values: list[object], task: str, classes: tuple[str, ...]) -> None:
    target = target_of(values)
    assert (target.task, target.classes) == (task, classes)


def test_task_can_be_asked_for() -> None:
    assert target_of([3, 10, 9] * 5, "number").task == "regression"
    assert target_of(list(range(11)) * 5, "category").task == "multiclass"
    assert target_of([0, 1, 1, 0], "number").task == "regression"


def test_missing_targets_are_counted() -> None:
    assert target_of(["a", "", "b", "?"]).missing == 2
    assert target_of([1.5, None, float("nan"), float("inf"), 2.5, 3.5]).missing == 3


@pytest.mark.parametrize(
    ("values", "asked", "problem", "fix"),
    [
        (["", "NA", ""], None, 'target "y" has no values in table in memory', "--target with another column"),
        (
            ["a", "a", "a"],
            None,
            'target "y" is "a" in every row: there is nothing to tell apart',
            "--target with another column, or add rows of another kind",
        ),
        (
            [f"label {i}" for i in range(50)],
            None,
            'target "y" has 50 different labels in 50 rows',
            "--target with another column, or --set columns.y=number",
        ),
        (
            ["a", "b", "a"],
            "number",
            'target "y" was called number, but holds values such as "a"',
            "--set columns.y=category",
        ),
        (["a", "b", "a"], "text", 'target "y" cannot be of kind text', "--set columns.y=category"),
        (
            [date(2020, 1, 1), date(2020, 1, 2)],
            None,
            'target "y" holds Date values',
            "--target with another column, or turn it into a number first",
        ),
        (["1.5"] * 40 + ["oops"], "number", 'target "y" has no two different numbers', "--target with another column"),
    ],
)
def test_targets_that_cannot_be_predicted(values: list[object], asked: str | None, problem: str, fix: str) -> None:
    with pytest.raises(DataError) as caught:
        target_of(values, asked)
    assert (caught.value.problem, caught.value.fix) == (problem, fix)


def test_wrong_target_names_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        known({"area": [1.5, 2.5], "price": [1.5, 2.5]}, "pirce")
    assert str(caught.value).splitlines() == [
        'column "pirce" is not in table in memory',
        "  where:    --target",
        "  expected: one of area, price",
        "  fix:      --target price",
    ]


def test_labels_are_matched_without_case_spaces_and_last_dot() -> None:
    target = target_of(["<=50K", ">50K", "<=50K"])
    assert read_target(pl.Series([" <=50k.", ">50K", None, "?"]), target).tolist() == [0, 1, -1, -1]


def test_classes_that_differ_in_case_are_told_apart() -> None:
    target = target_of(["a", "A", "b"] * 3)
    assert read_target(pl.Series(["A", "a", "B"]), target).tolist() == [0, 1, 2]
    with pytest.raises(DataError, match=r'holds "A\.", which the model does not know'):
        read_target(pl.Series(["A."]), target)


def test_numeric_labels_of_any_type_are_one() -> None:
    target = target_of(["3", "10", "9"] * 5)
    for series in (pl.Series([9, 3]), pl.Series([9.0, 3.0]), pl.Series(["9", "3.0"])):
        assert read_target(series, target).tolist() == [1, 0]


def test_unknown_labels_are_named() -> None:
    target = target_of(["a", "b", "a"])
    with pytest.raises(DataError) as caught:
        read_target(pl.Series(["c", "a", "d"]), target)
    assert caught.value.problem == 'target "y" holds "c", "d", which the model does not know'
    assert caught.value.fix == "mend the labels, or train on a table that has them"


def test_regression_targets_keep_their_unit() -> None:
    values = read_target(pl.Series(["1,234.5", "", "2"]), target_of(["1,234.5", "2,000", "3.25", "7"]))
    np.testing.assert_array_equal(values, [1234.5, np.nan, 2.0])


def test_a_class_that_equals_a_code_for_missing_as_a_number_keeps_its_place() -> None:
    labels = [f"{number:03d}" for number in (100, 99, 98, 7)] * 30
    frame = read({"code": labels, "x": list(range(120))}, ReadSettings(missing=("99",)))
    target = infer_schema(frame, "code").target
    assert target is not None
    assert target.classes == ("007", "098", "099", "100")
