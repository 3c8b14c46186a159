"""Real tables, straight from the raw file: kinds, targets, what is left out, a split and features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glasshouse.core.settings import EncodeSettings, SplitSettings
from glasshouse.data.align import append
from glasshouse.data.encode import encode, encode_target, fit_encoder
from glasshouse.data.infer import infer_schema
from glasshouse.data.read import read
from glasshouse.data.split import split_rows

ID = frozenset[str]()
TABLES = [
    # file, rows, columns, target, task or classes, left out
    ("adult/adult-train.csv", 32561, 15, "column_15", 2, ID),
    ("bank_marketing/bank.csv", 45211, 17, "deposit", 2, ID),
    ("telco_churn/Telco-Customer-Churn.csv", 7043, 21, "Churn", 2, {"customerID"}),
    ("california_housing/housing.csv", 20640, 10, "median_house_value", 0, ID),
    ("diamonds/diamonds.csv", 53940, 10, "price", 0, ID),
    ("credit_default/UCI_Credit_Card.csv", 30000, 25, "default.payment.next.month", 2, {"ID"}),
    ("german_credit/GermanCredit.csv", 1000, 21, "credit_risk", 2, ID),
    ("abalone/abalone.csv", 4177, 9, "column_9", 0, ID),
    ("wine_quality/wine.csv", 6497, 13, "quality", 7, ID),
    ("bike_sharing/bike.csv", 17379, 15, "cnt", 0, {"instant"}),
    ("titanic/train.csv", 891, 12, "Survived", 2, {"PassengerId", "Name"}),
    ("ames_housing/AmesHousing.csv", 2930, 82, "SalePrice", 0, {"Order", "PID"}),
    ("higgs_small/binary.train", 7000, 29, "column_1", 2, ID),
    ("insurance/insurance.csv", 1338, 7, "charges", 0, ID),
    ("penguins/penguins.csv", 344, 7, "species", 3, ID),
    ("mushrooms/mushrooms.csv", 8124, 23, "type", 2, {"veil_type"}),
    ("concrete/concrete.csv", 1030, 9, "strength", 0, ID),
    (
        "compas/compas-scores-two-years.csv", 7214, 51, "two_year_recid", 2,
        {"id", "name", "c_case_number", "r_case_number", "vr_case_number", "violent_recid", "type_of_assessment",
         "v_type_of_assessment"},
    ),
    ("letter/letterdata.csv", 20000, 17, "letter", 26, ID),
    ("electrical_grid/electrical_grid.csv", 10000, 13, "stabf", 2, ID),
    ("parkinsons/parkinsons.csv", 5875, 22, "total_UPDRS", 0, ID),
    ("spambase/spambase.data", 4601, 58, "column_58", 2, ID),
    ("phoneme/phoneme.csv", 5404, 6, "column_6", 2, ID),
    ("mammography/mammography.csv", 11183, 7, "column_7", 2, ID),
    ("uci_power_plant/data.txt", 9568, 5, "column_5", 0, ID),
    ("uci_yacht/data.txt", 308, 7, "column_7", 0, ID),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "rows", "columns", "target", "classes", "left_out"), TABLES, ids=[t[0] for t in TABLES]
)
def test_raw_file_to_features(
    shared_data: Path, file: str, rows: int, columns: int, target: str, classes: int, left_out: set[str]
) -> None:
    frame = read(shared_data / file)
    assert frame.table.shape == (rows, columns)
    schema = infer_schema(frame, target)
    assert schema.target is not None
    assert len(schema.target.classes) == classes
    assert (schema.target.task == "regression") is (classes == 0)
    assert {column.name for column in schema.columns if not column.used} == left_out
    split = split_rows(frame, schema, SplitSettings(), 0)
    fractions = [len(part) / rows for part in (split.train, split.validation, split.calibration, split.test)]
    choice = min(0.15, max(0.1, 500 / rows), 2000 / rows)
    calibration = min(0.1, max(0.05, 300 / rows), 1000 / rows)
    np.testing.assert_allclose(fractions, [0.8 - choice - calibration, choice, calibration, 0.2], atol=0.005)
    features = encode(frame, schema, fit_encoder(frame, schema, split.train, EncodeSettings()))
    assert np.isfinite(features.numbers).all()
    assert np.isfinite(features.flags).all()
    assert np.abs(features.numbers).max(initial=0) <= 3


def test_kinds_that_a_person_would_give(shared_data: Path) -> None:
    expected = {
        "ames_housing/AmesHousing.csv": {"MS SubClass": "category", "Overall Qual": "number", "Central Air": "yesno"},
        "telco_churn/Telco-Customer-Churn.csv": {"SeniorCitizen": "yesno", "TotalCharges": "number"},
        "bike_sharing/bike.csv": {"dteday": "datetime", "holiday": "yesno", "hr": "number"},
        "titanic/train.csv": {"Ticket": "category", "Cabin": "category", "Name": "text", "Pclass": "number"},
        "compas/compas-scores-two-years.csv": {"dob": "datetime", "c_jail_in": "datetime", "race": "category"},
    }
    targets = {file: target for file, _, _, target, _, _ in TABLES}
    for file, kinds in expected.items():
        schema = infer_schema(read(shared_data / file), targets[file])
        assert {name: schema.column(name).kind for name in kinds} == kinds
    assert (
        infer_schema(read(shared_data / "telco_churn/Telco-Customer-Churn.csv"), "Churn").column("TotalCharges").missing
        == 11
    )


@pytest.mark.parametrize(
    ("folder", "train", "test", "target", "num_test"),
    [
        ("adult", "adult-train.csv", "adult-test.csv", "column_15", 16281),
        ("higgs_small", "binary.train", "binary.test", "column_1", 500),
    ],
)
def test_separate_test_files(shared_data: Path, folder: str, train: str, test: str, target: str, num_test: int) -> None:
    frame = read(shared_data / folder / train)
    schema = infer_schema(frame, target)
    both = append(frame, read(shared_data / folder / test), schema)
    split = split_rows(both, schema, SplitSettings(test=test), 0, num_test_rows=num_test)
    assert len(split.test) == num_test
    assert set(np.unique(encode_target(both, schema)[split.test])) == {0, 1}
