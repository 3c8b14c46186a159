"""From arrays, frames, labels and weights to the house's tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.core.errors import DataError
from glasshouse.sklearn.tables import FEW_REPEATS, class_labels, counted, known_kinds, target_name, to_frame, to_table


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50).filter(any))
def test_whole_weights_are_repeats(weights: list[int]) -> None:
    rows, left = counted(np.asarray(weights, dtype=np.float64))
    assert left is None and np.bincount(rows, minlength=len(weights)).tolist() == weights


def test_many_repeats_and_broken_weights_stay_weights() -> None:
    heavy = np.array([1.0, FEW_REPEATS])
    for weights in (heavy, np.array([1.0, 0.0, 0.5])):
        rows, left = counted(weights)
        np.testing.assert_array_equal(rows, np.flatnonzero(weights))
        np.testing.assert_array_equal(left, weights[weights > 0])
    assert counted(np.full(4, 0.3))[1] is None, "all count the same"


@pytest.mark.parametrize(("weights", "problem"), [([1.0, -2.0], "a weight of -2"), ([0.0, 0.0], "no weight above 0")])
def test_weights_that_cannot_be_are_refused(weights: list[float], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        counted(np.asarray(weights))
    assert problem in caught.value.problem and caught.value.expected.startswith("0 or more")


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (np.array([0, 1]), ("0", "1")),
        (np.array([False, True]), ("false", "true")),
        (np.array(["a", "b"]), ("a", "b")),
        (np.array([" a", "a"]), ("0", "1")),
        (np.array(["?", "yes"]), ("0", "1")),
        (np.array([1.5, 2.0]), ("1.5", "2")),
    ],
)
def test_a_class_is_called_what_the_house_reads_back(classes: np.ndarray, labels: tuple[str, ...]) -> None:
    assert class_labels(classes) == labels


def test_kinds_are_those_that_are_known() -> None:
    frame = pd.DataFrame({
        "a": pd.Categorical([1, 2, 1]), "b": [1, 2, 3], "c": [0.0, 1.0, np.nan], "d": list("xyz"), "e": [np.inf] * 3,
    })  # fmt: skip
    assert known_kinds(frame, to_table(frame)) == {"a": "category", "b": "number"}
    array = np.zeros((2, 2))
    assert known_kinds(array, to_table(array)) == {"x1": "number", "x2": "number"}
    assert known_kinds(pl.DataFrame({"z": pl.Series(["u"], dtype=pl.Enum(["u"]))}), pl.DataFrame({"z": ["u"]})) == {
        "z": "category"
    }


def test_the_target_keeps_its_name_unless_a_feature_has_it() -> None:
    assert target_name(pd.Series([1], name="price"), ["area"]) == "price"
    assert target_name(pd.Series([1], name="area"), ["area", "area_"]) == "area__"
    assert target_name(np.zeros(1), []) == target_name(pd.Series([1], name=0), []) == "target"


def test_a_frame_is_not_hashed() -> None:
    frame = to_frame(pl.DataFrame({"a": [1, 2]}))
    assert frame.source.sha256 == "" and (frame.source.rows, frame.source.columns) == (2, 1)
