"""Checks: each finds the fault that was planted, and is silent where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.data.tables import houses, known

from glasshouse.core.settings import SplitSettings
from glasshouse.data.checks import Finding, check
from glasshouse.data.infer import infer_schema
from glasshouse.data.leakage import single_column_scores
from glasshouse.data.read import read
from glasshouse.data.split import split_rows
from glasshouse.data.words import personal_data, protected_attribute, tokens

RANDOM = np.random.default_rng(0)
ROWS = 400


def base(**columns: list[object]) -> dict[str, Any]:
    """Noise, a target of two classes, and what is planted."""
    return {"x": RANDOM.normal(size=ROWS).tolist(), "y": (["a", "b"] * (ROWS // 2)), **columns}


def findings(columns: dict[str, Any], name: str, **kinds: str) -> list[Finding]:
    frame, schema = known(columns, "y", **kinds)
    return [finding for finding in check(frame, schema) if finding.check == name]


def test_a_clean_table_has_nothing_to_say() -> None:
    frame, schema = known(base(), "y")
    assert check(frame, schema, split_rows(frame, schema, SplitSettings(), 0)) == ()


def test_findings_come_gravest_first_and_advise() -> None:
    y = ["a", "b"] * (ROWS // 2)
    frame, schema = known(base(copy=y, email=[f"p{i}@mail.org" for i in range(ROWS)], flat=["v"] * ROWS), "y")
    found = check(frame, schema)
    order = ["problem", "warning", "info"]
    severities = [order.index(finding.severity) for finding in found]
    assert severities == sorted(severities)
    assert {finding.check for finding in found} == {"leakage", "personal-data", "identifier", "constant"}
    assert all(finding.advice for finding in found if finding.severity != "info")


@pytest.mark.parametrize("kind", ["copy", "label", "missing", "number"])
def test_leaks_of_a_class(kind: str) -> None:
    y = ["a", "b"] * (ROWS // 2)
    options: dict[str, Any] = {
        "copy": list(y),
        "label": [f"{label}{i // 100}" for i, label in enumerate(y)],
        "missing": [None if label == "a" else i * 0.7 for i, label in enumerate(y)],
        "number": [(label == "b") * 10 + value for label, value in zip(y, RANDOM.normal(size=ROWS), strict=True)],
    }
    found = findings(base(leak=options[kind]), "leakage")
    assert [(finding.column, finding.severity) for finding in found] == [("leak", "problem")]
    assert "--set columns.leak=ignore" in found[0].advice


def test_leaks_of_many_classes_and_of_numbers() -> None:
    y = [f"c{i}" for i in RANDOM.integers(0, 5, ROWS)]
    x = RANDOM.normal(size=ROWS).tolist()
    frame, schema = known({"x": x, "code": [f"k{label}" for label in y], "y": list(y)}, "y")
    scores = single_column_scores(frame, schema)
    assert scores["code"] == 1.0
    assert scores["x"] < 0.2
    price = RANDOM.normal(size=ROWS)
    frame, schema = known(
        {
            "x": x,
            "twice": (price * 2 + 1).tolist(),
            "half": (price + RANDOM.normal(size=ROWS)).tolist(),
            "y": price.tolist(),
        },
        "y",
    )
    scores = single_column_scores(frame, schema)
    assert scores["twice"] > 0.95
    assert scores["half"] < 0.7
    assert scores["x"] < 0.1


def test_too_few_rows_for_a_verdict() -> None:
    frame, schema = known({"x": RANDOM.normal(size=60).tolist(), "y": [f"c{i % 20}" for i in range(60)]}, "y")
    assert single_column_scores(frame, schema) == {}
    frame, schema = known({"x": RANDOM.normal(size=29).tolist(), "y": RANDOM.normal(size=29).tolist()}, "y")
    assert single_column_scores(frame, schema) == {}


def test_single_column_scores_agree_with_scikit_learn() -> None:
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeRegressor

    frame = read(houses(2000))
    mine = single_column_scores(frame, infer_schema(frame, "price"))["rooms"]
    tree = DecisionTreeRegressor(max_leaf_nodes=64, min_samples_leaf=5)
    theirs = cross_val_score(tree, frame.table[["rooms"]].to_numpy(), frame.table["price"].to_numpy(), cv=3).mean()
    assert mine == pytest.approx(theirs, abs=0.02)


def test_duplicates_and_how_many_would_have_straddled() -> None:
    columns = base()
    columns = {name: values + values[:40] for name, values in columns.items()}
    found = findings(columns, "duplicates")
    # 40 pairs: each of the two is in the test part with probability 0.2, its twin outside with 0.8.
    assert found[0].message.startswith("40 of 440 rows (9.1%) are exact copies of another")
    assert "about 13 test rows" in found[0].message


def test_near_constant_and_missing_columns() -> None:
    found = findings(base(flat=["v"] * (ROWS - 2) + ["w"] * 2), "near-constant")
    assert found[0].message == '"flat" is "v" in 99.5% of the rows'
    assert findings(base(half=["v", "w"] * (ROWS // 2)), "near-constant") == []
    gap: list[object] = [None if i % 4 else i * 0.5 for i in range(ROWS)]
    assert findings(base(gap=gap), "missing")[0].message == '"gap" has no value in 75% of the rows'


def test_imbalance_and_rare_classes() -> None:
    columns = base()
    columns["y"] = ["a"] * (ROWS - 8) + ["b"] * 8
    messages = [finding.message for finding in findings(columns, "imbalance")]
    assert messages == ['fewer than 10 rows of class "b"', 'class "b" is 2.0% of the rows, "a" is 98.0%']


def test_missing_targets_and_unreadable_cells() -> None:
    columns = base(area=["n/k"] * 8 + [str(i + 0.5) for i in range(ROWS - 8)])
    columns["y"] = ["", *columns["y"][1:]]
    assert findings(columns, "missing-target")[0].message == "1 of 400 rows have no y and are dropped"
    assert "8 values could not be read as a number" in findings(columns, "unreadable")[0].message


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("contact", [f"p{i}@mail.org" for i in range(ROWS)]),
        ("contact", [f"+41 79 {i:03} 12 34" for i in range(ROWS)]),
        ("contact", [f"10.0.{i % 250}.7" for i in range(ROWS)]),
        ("contact", [f"{i:03}-12-{i + 1000}" for i in range(ROWS)]),
        ("passenger", [f"Smith{'a' * (i % 7)}, Mr. John the {i}th" for i in range(ROWS)]),
        ("surname", [f"Meier{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(ROWS)]),
    ],
)
def test_personal_data(name: str, values: list[object]) -> None:
    found = findings(base(**{name: values}), "personal-data")
    assert [finding.column for finding in found] == [name]


def test_what_only_sounds_personal() -> None:
    assert findings(base(street=["Pave", "Grvl"] * (ROWS // 2)), "personal-data") == []
    assert findings(base(telephone=["yes", "no"] * (ROWS // 2)), "personal-data") == []


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("sex", "sex or gender"),
        ("Geschlecht", "sex or gender"),
        ("personal_status_sex", "sex or gender"),
        ("native-country", "nationality or origin"),
        ("foreign_worker", "nationality or origin"),
        ("SeniorCitizen", "age"),
        ("AGE", "age"),
        ("age_cat", "age"),
        ("MARRIAGE", "marital status"),
        ("race", "race or ethnicity"),
        ("religion", "religion"),
        ("housing_median_age", ""),
        ("average", ""),
        ("Essex", ""),
        ("message", ""),
    ],
)
def test_protected_attributes_by_name(name: str, attribute: str) -> None:
    assert protected_attribute(name) == attribute


def test_words_in_names() -> None:
    assert tokens("customerID_no.2") == ("customer", "id", "no")
    assert personal_data("e-mail") == "e-mail addresses"


def test_protected_columns_are_shown_with_the_next_command() -> None:
    found = findings(base(sex=["m", "f"] * (ROWS // 2)), "protected")
    assert found[0].advice.endswith("glasshouse evaluate MODEL SOURCE --by sex")


def test_text_and_identifiers_are_said_to_be_left_out() -> None:
    words: list[object] = [f"the {i}th of many words that nobody reads" for i in range(ROWS)]
    assert findings(base(review=words), "text-left-out")[0].severity == "warning"
    assert findings(base(review=words), "text-left-out", review="text")[0].severity == "info"
    assert findings(base(id=list(range(ROWS))), "identifier")[0].advice == "--set columns.id=category keeps it"


def test_groups_and_time_are_suggested() -> None:
    found = findings(base(**{"patient id": [f"p{i // 8}" for i in range(ROWS)]}), "group")
    assert found[0].advice.startswith('--group "patient id"')
    days: list[object] = [f"2020-01-{i % 28 + 1:02}" for i in range(ROWS)]
    assert findings(base(day=days), "time")[0].advice.startswith("--time day")


def test_small_tables_and_wide_ones() -> None:
    found = findings({**{f"x{i}": RANDOM.normal(size=12).tolist() for i in range(20)}, "y": ["a", "b"] * 6}, "small")
    assert [finding.message for finding in found] == ["there are only 12 rows", "there are more columns (20) than rows"]


def test_labels_that_only_test_rows_have() -> None:
    columns = base(town=[f"t{i // 2}" for i in range(ROWS)], village=["v"] * (ROWS - 12) + [f"w{i}" for i in range(12)])
    frame, schema = known(columns, "y")
    village = np.array(columns["village"])
    splits = (split_rows(frame, schema, SplitSettings(), seed) for seed in range(50))
    split = next(split for split in splits if 0 < (~np.isin(village[split.test], village[split.train])).sum() < 4)
    found = {finding.column: finding.message for finding in check(frame, schema, split) if finding.check == "unseen"}
    labels = np.array(columns["town"])
    count = (~np.isin(labels[split.test], labels[split.train])).sum()
    assert found["town"] == f'in {count} of {len(split.test)} test rows "town" has a label that no training row has'
    assert '"village"' in found[""]
