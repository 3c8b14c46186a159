"""The tables, and how their quirks are handled: once, here, alike for everybody.

A table leaves this file as a pandas frame whose columns are numbers (NaN where missing) or categories (pandas' own
kind, missing where missing), with exact duplicate rows dropped, identifiers, free text and known leaks left out, and a
split drawn from the seed: a quarter of the rows for the test (at most 10,000), stratified by class; by group where
rows belong together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

TEST_FRACTION, MOST_TEST_ROWS = 0.25, 10_000
Task = Literal["regression", "binary", "multiclass"]


@dataclass(frozen=True)
class Table:
    """One data set.

    Args:
        name: its folder in the folder of data sets.
        files: read and put under each other.
        target: the column to predict; a number counts columns of a file without header, from the end if negative.
        task: what is predicted.
        drop: columns that nobody gets: identifiers, free text, leaks.
        keep: if given, the only columns that are used.
        categories: columns of numbers that are names in truth.
        group: the column whose rows stay on one side of the split; it is dropped afterwards.
        options: for `pandas.read_csv`.
        clean: what must be done before anything else.
    """

    name: str
    files: tuple[str, ...]
    target: str | int
    task: Task
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    group: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    clean: Callable[[pd.DataFrame], pd.DataFrame] | None = None


@dataclass(frozen=True)
class Split:
    """What every contender gets: the same rows in the same order."""

    train: pd.DataFrame
    train_target: pd.Series
    test: pd.DataFrame
    test_target: pd.Series


def _without_dots(frame: pd.DataFrame) -> pd.DataFrame:
    """The classes of adult's test file end with a full stop."""
    return frame.assign(**{"14": frame["14"].str.rstrip(".")})


def _telco(frame: pd.DataFrame) -> pd.DataFrame:
    """Eleven new customers have a blank for what they have paid so far."""
    return frame.assign(TotalCharges=pd.to_numeric(frame["TotalCharges"], errors="coerce"))


_BARE = {"header": None}
_COMPAS = (
    "age",
    "sex",
    "race",
    "priors_count",
    "juv_fel_count",
    "juv_misd_count",
    "juv_other_count",
    "c_charge_degree",
)

TABLES: tuple[Table, ...] = (
    Table("penguins", ("penguins.csv",), "species", "multiclass"),
    Table("titanic", ("train.csv",), "Survived", "binary", drop=("PassengerId", "Name", "Ticket", "Cabin")),
    Table("german_credit", ("GermanCredit.csv",), "credit_risk", "binary"),
    Table("concrete", ("concrete.csv",), -1, "regression"),
    Table("insurance", ("insurance.csv",), "charges", "regression"),
    Table("ames_housing", ("AmesHousing.csv",), "SalePrice", "regression", drop=("Order", "PID"),
          categories=("MS SubClass",)),
    Table("abalone", ("abalone.csv",), -1, "regression", options=_BARE),
    Table("spambase", ("spambase.data",), -1, "binary", options=_BARE),
    Table("phoneme", ("phoneme.csv",), -1, "binary", options=_BARE),
    Table("parkinsons", ("parkinsons.csv",), "total_UPDRS", "regression", drop=("motor_UPDRS",), group="subject#"),
    Table("wine_quality", ("wine.csv",), "quality", "regression"),
    Table("telco_churn", ("Telco-Customer-Churn.csv",), "Churn", "binary", drop=("customerID",), clean=_telco),
    Table("compas", ("compas-scores-two-years.csv",), "two_year_recid", "binary", keep=_COMPAS),
    Table("higgs_small", ("binary.train", "binary.test"), 0, "binary", options={**_BARE, "sep": "\t"}),
    Table("mushrooms", ("mushrooms.csv",), "type", "binary", options={"na_values": "?"}),
    Table("uci_power_plant", ("data.txt",), -1, "regression", options={**_BARE, "sep": r"\s+"}),
    Table("electrical_grid", ("electrical_grid.csv",), "stabf", "binary"),
    Table("mammography", ("mammography.csv",), -1, "binary", options=_BARE),
    Table("bike_sharing", ("bike.csv",), "cnt", "regression", drop=("instant", "dteday")),
    Table("letter", ("letterdata.csv",), "letter", "multiclass"),
    Table("california_housing", ("housing.csv",), "median_house_value", "regression"),
    Table("credit_default", ("UCI_Credit_Card.csv",), "default.payment.next.month", "binary", drop=("ID",),
          categories=("SEX", "EDUCATION", "MARRIAGE")),
    Table("bank_marketing", ("bank.csv",), "deposit", "binary", drop=("duration",)),
    Table("adult", ("adult-train.csv", "adult-test.csv"), -1, "binary", clean=_without_dots,
          options={**_BARE, "na_values": "?", "skipinitialspace": True}),
    Table("diamonds", ("diamonds.csv",), "price", "regression"),
)  # fmt: skip
KEPT_OUT: tuple[Table, ...] = (
    Table("sacramento", ("sacramento.csv",), "price", "regression"),
    Table("oj", ("oj.csv",), "Purchase", "binary"),
    Table("attrition", ("attrition.csv",), "Attrition", "binary"),
    Table("saratoga_houses", ("saratoga_houses.csv",), "price", "regression"),
    Table("leaf_id_flavia", ("leaf_id_flavia.csv",), "species", "multiclass"),
    Table("cells", ("cells.csv",), "class", "binary", drop=("case",)),  # case: the authors' own split
    Table("wage", ("wage.csv",), "wage", "regression", drop=("logwage",)),
    Table("hpc_data", ("hpc_data.csv",), "class", "multiclass"),
    Table("credit_data", ("credit_data.csv",), "Status", "binary"),
    Table("mlc_churn", ("mlc_churn.csv",), "churn", "binary"),
    Table("stackoverflow", ("stackoverflow.csv",), "Remote", "binary"),
    Table("chicago", ("chicago.csv",), "ridership", "regression", drop=("date",)),
    Table("caravan", ("caravan.csv",), "Purchase", "binary"),
    Table("lending_club", ("lending_club.csv",), "Class", "binary"),
    Table("taxi", ("taxi.csv",), "tip", "binary"),
    Table("deliveries", ("deliveries.csv",), "time_to_delivery", "regression"),
    Table("check_times", ("check_times.csv",), "check_time", "regression", drop=("package",)),
    Table("hotel_rates", ("hotel_rates.csv",), "avg_price_per_room", "regression", drop=("arrival_date",)),
)
BY_NAME = {table.name: table for table in (*TABLES, *KEPT_OUT)}


def load(table: Table, folder: Path) -> tuple[pd.DataFrame, pd.Series, pd.Series | None]:
    """(columns, target, group or None) of a table, cleaned as the module says.

    Args:
        table: which.
        folder: the folder of data sets.
    """
    places = [next((folder / table.name).rglob(name)) for name in table.files]
    frame = pd.concat([pd.read_csv(place, **table.options) for place in places], ignore_index=True)
    # Before columns are left out: people who are alike in a few columns are not the same person twice.
    frame = frame.drop_duplicates(ignore_index=True)
    target = str(frame.columns[table.target]) if isinstance(table.target, int) else table.target
    frame.columns = [str(name) for name in frame.columns]
    if table.clean is not None:
        frame = table.clean(frame)
    if table.keep:
        frame = frame[[*table.keep, target]]
    frame = frame.drop(columns=list(table.drop)).dropna(subset=[target])
    for name in frame.columns.drop(target):
        if frame[name].dtype.kind not in "iufb" or name in table.categories:
            # The categories are the table's own, so that no contender meets a value that its library cannot name.
            frame[name] = frame[name].map(lambda value: value if pd.isna(value) else str(value)).astype("category")
    actual = frame[target]
    if table.task == "regression":
        actual = actual.astype(float)
    else:
        actual = pd.Series(np.unique(actual.astype(str), return_inverse=True)[1], index=frame.index)
    group = frame[table.group] if table.group else None
    return frame.drop(columns=[target, *([table.group] if table.group else [])]), actual, group


def split(table: Table, folder: Path, seed: int, most_rows: int | None = None, *, validation: bool = False) -> Split:
    """The rows of a table for one seed.

    Args:
        table: which.
        folder: the folder of data sets.
        seed: of the split.
        most_rows: at most so many training rows, for a quick look; None for all.
        validation: whether the training rows are divided once more, and the test rows left alone.
    """
    columns, actual, group = load(table, folder)
    train, test = _divided(np.arange(len(columns)), actual, group, table.task, seed)
    if validation:
        train, test = _divided(train, actual, group, table.task, seed)
    train = train[:most_rows]
    return Split(*(part.iloc[rows].reset_index(drop=True) for rows in (train, test) for part in (columns, actual)))


def _divided(
    rows: np.ndarray, actual: pd.Series, group: pd.Series | None, task: Task, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to judge on."""
    if group is not None:
        chooser = GroupShuffleSplit(n_splits=1, test_size=TEST_FRACTION, random_state=seed)
        train, test = next(chooser.split(rows, groups=group.iloc[rows]))
        return rows[train], rows[test]
    size = min(int(len(rows) * TEST_FRACTION), MOST_TEST_ROWS)
    strata = None if task == "regression" else actual.iloc[rows]
    train, test = train_test_split(rows, test_size=size, random_state=seed, stratify=strata)
    return train, test
