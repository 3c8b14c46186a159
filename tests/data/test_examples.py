"""The bundled tables."""

from __future__ import annotations

import pytest

from glasshouse.core.errors import DataError
from glasshouse.data.examples import EXAMPLES, example_target
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read


@pytest.mark.parametrize(
    ("name", "rows", "columns", "task"),
    [
        ("breast-cancer", 569, 31, "binary"),
        ("diabetes", 442, 11, "regression"),
        ("wine", 178, 14, "multiclass"),
        ("digits", 1797, 65, "multiclass"),
        ("iris", 150, 5, "multiclass"),
    ],
)
def test_examples_have_a_target_and_no_surprise(name: str, rows: int, columns: int, task: str) -> None:
    frame = read(f"example:{name}")
    schema = infer_schema(frame, example_target(f"example:{name}"))
    assert frame.table.shape == (rows, columns)
    assert schema.target is not None
    assert schema.target.task == task
    assert {column.kind for column in schema.columns} <= {"number", "yesno", "category", "constant"}


def test_breast_cancer_is_about_malignant_ones() -> None:
    schema = infer_schema(read("example:breast-cancer"), "diagnosis")
    assert schema.target is not None
    assert schema.target.classes == ("benign", "malignant")


def test_unknown_example_names_the_nearest() -> None:
    assert set(EXAMPLES) == {"breast-cancer", "diabetes", "wine", "digits", "iris"}
    with pytest.raises(DataError, match='there is no example "irsi"') as caught:
        read("example:irsi")
    assert caught.value.fix == "example:iris"
