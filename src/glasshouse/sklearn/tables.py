"""From what scikit-learn's users hand over (arrays, frames, labels, weights) to the house's tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from glasshouse.core.errors import DataError
from glasshouse.core.records import SourceRecord
from glasshouse.core.settings import Kind
from glasshouse.data import Frame
from glasshouse.data.frame import READ
from glasshouse.data.kinds import label_reading
from glasshouse.data.memory import to_polars
from glasshouse.data.values import parse_labels

FEW_REPEATS = 10_000  # rows that a table may grow to by repeating some, whatever its size


def is_frame(rows: Any) -> bool:
    """Whether the rows have columns with names and types of their own, as those of pandas and polars do."""
    return hasattr(rows, "columns")


def to_table(rows: Any) -> pl.DataFrame:
    """The rows as polars; the columns of an array are called x1, x2, ...

    Raises:
        DataError: two columns share a name.
    """
    if is_frame(rows):
        return to_polars(rows)
    return pl.DataFrame(rows, schema=[f"x{place + 1}" for place in range(rows.shape[1])])


def to_frame(table: pl.DataFrame) -> Frame:
    """A table as the house reads it, but for its hash, which takes longer than all else and which nobody sees."""
    size = int(table.estimated_size())
    source = SourceRecord(name="table in memory", rows=table.height, columns=table.width, size_bytes=size, sha256="")
    return Frame(table=table, source=source)


def known_kinds(rows: Any, table: pl.DataFrame) -> dict[str, Kind]:
    """What is known of the columns before their values are looked at.

    The columns of an array are numbers. Those of a frame that are declared categories are categories, even of numbers;
    one of more than two different numbers is numbers, even where it looks like a number of the row: whoever hands over
    features has left those out.

    Args:
        rows: as the user gave them.
        table: the same as polars.
    """
    if not is_frame(rows):
        return dict.fromkeys(table.columns, "number")
    schema = nw.from_native(rows).schema
    declared = {str(name) for name, kind in schema.items() if isinstance(kind, nw.Categorical | nw.Enum)}
    kinds: dict[str, Kind] = dict.fromkeys((name for name in table.columns if name in declared), "category")
    for column in table.iter_columns():
        if column.name not in declared and column.dtype.is_numeric():
            filled = column.drop_nulls()
            filled = filled.drop_nans() if column.dtype.is_float() else filled
            if filled.n_unique() > 2 and np.isfinite(filled.to_numpy()).any():
                kinds[column.name] = "number"
    return kinds


def class_labels(classes: NDArray[Any]) -> tuple[str, ...]:
    """A label for each class that the house reads back as itself: its own, or its place where that cannot be.

    Args:
        classes: (classes,) all different.

    Example:
        >>> class_labels(np.array([1.0, 2.0])), class_labels(np.array(["", "NA"]))
        (('1', '2'), ('0', '1'))
    """
    series = pl.Series(classes.tolist(), strict=False)
    labels = parse_labels(series, label_reading(series, READ)).to_list()
    if None in labels or len(set(labels)) < len(labels):
        return tuple(str(place) for place in range(len(labels)))
    return tuple(labels)


def target_name(target: Any, taken: Sequence[str]) -> str:
    """What to call the target: as the user does, if no feature is called so."""
    own = getattr(target, "name", None)
    name = own if isinstance(own, str) and own else "target"
    while name in taken:
        name += "_"
    return name


def counted(weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    """The rows to learn from, and how much each counts; None where all count the same.

    A row of weight 0 is left out. Whole weights are taken at their word as long as the table stays small: a row of
    weight 2 is there twice, in the scaling, the folds, the choice and the calibration as well as in the losses.

    Args:
        weights: (rows,) of all rows.

    Raises:
        DataError: a weight is negative, or all are 0.

    Example:
        >>> counted(np.array([0.0, 1.0, 2.0])), counted(np.array([0.0, 0.5, 2.0]))
        ((array([1, 2, 2]), None), (array([1, 2]), array([0.5, 2. ])))
    """
    if (weights < 0).any() or not weights.any():
        found = f"a weight of {weights.min():g}" if weights.any() else "no weight above 0"
        raise DataError(f"sample_weight holds {found}", where="sample_weight",
                        expected="0 or more, and more than 0 in some rows")  # fmt: skip
    rows = np.flatnonzero(weights)
    kept = weights[rows]
    if (kept == np.round(kept)).all() and kept.sum() <= max(FEW_REPEATS, 2 * len(weights)):
        return np.repeat(rows, kept.astype(np.int64)), None
    return rows, None if (kept == kept[0]).all() else kept
