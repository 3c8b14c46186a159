"""Tables that come with scikit-learn, under names that people can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from glasshouse.core.errors import DataError, nearest, one_of
from glasshouse.core.records import SourceRecord
from glasshouse.data.frame import Frame
from glasshouse.data.memory import content_hash

_DIABETES = {"bp": "blood_pressure", "s1": "total_cholesterol", "s2": "low_density_lipoproteins", "s3":
"high_density_lipoproteins",
             "s4": "cholesterol_ratio", "s5": "log_triglycerides", "s6": "blood_sugar"}  # fmt: skip


def _breast_cancer() -> pl.DataFrame:
    from sklearn.datasets import load_breast_cancer

    return _labelled(load_breast_cancer(), "diagnosis")


def _wine() -> pl.DataFrame:
    from sklearn.datasets import load_wine

    return _labelled(load_wine(), "cultivar")


def _iris() -> pl.DataFrame:
    from sklearn.datasets import load_iris

    return _labelled(load_iris(), "species")


def _digits() -> pl.DataFrame:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    return _features(bunch.data, names).with_columns(digit=pl.Series(bunch.target))


def _diabetes() -> pl.DataFrame:
    from sklearn.datasets import load_diabetes

    # The unscaled table: years, mg/dl and the like, which a person can read.
    bunch = load_diabetes(scaled=False)
    table = _features(bunch.data, [_DIABETES.get(name, name) for name in bunch.feature_names])
    sex = pl.when(pl.col("sex") == 1).then(pl.lit("sex 1")).otherwise(pl.lit("sex 2"))
    return table.with_columns(sex.alias("sex"), progression=pl.Series(bunch.target))


EXAMPLES: Mapping[str, tuple[Callable[[], pl.DataFrame], str]] = {
    "breast-cancer": (_breast_cancer, "diagnosis"),
    "diabetes": (_diabetes, "progression"),
    "wine": (_wine, "cultivar"),
    "digits": (_digits, "digit"),
    "iris": (_iris, "species"),
}


def load_example(name: str) -> Frame:
    """One of the bundled tables.

    Raises:
        DataError: there is no example of that name.

    Example:
        >>> load_example("iris").table.columns[-1]
        'species'
    """
    load, _ = _find(name)
    table = load()
    record = SourceRecord(
        name=f"example:{name}",
        rows=table.height,
        columns=table.width,
        size_bytes=int(table.estimated_size()),
        sha256=content_hash(table),
    )
    return Frame(table=table, source=record)


def example_target(name: str) -> str:
    """The column that an example is usually asked to predict; `name` may start with "example:".

    Raises:
        DataError: there is no example of that name.
    """
    return _find(name.removeprefix("example:"))[1]


def _find(name: str) -> tuple[Callable[[], pl.DataFrame], str]:
    if name not in EXAMPLES:
        close = nearest(name, EXAMPLES)
        raise DataError(
            f'there is no example "{name}"',
            where="SOURCE",
            expected=one_of(EXAMPLES),
            fix=f"example:{close or 'breast-cancer'}",
        )
    return EXAMPLES[name]


def _labelled(bunch: Any, target: str) -> pl.DataFrame:
    names = [name.replace(" (cm)", "_cm").replace(" ", "_").replace("/", "_per_") for name in bunch.feature_names]
    labels = [str(bunch.target_names[code]) for code in bunch.target]
    return _features(bunch.data, names).with_columns(pl.Series(target, labels))


def _features(data: Any, names: list[str]) -> pl.DataFrame:
    return pl.DataFrame({name: data[:, place] for place, name in enumerate(names)})
