"""What the target is: numbers to estimate or classes to tell apart."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from glasshouse.core.errors import DataError, one_of
from glasshouse.core.records import Task
from glasshouse.core.settings import Kind
from glasshouse.data.coded import as_written
from glasshouse.data.frame import Frame
from glasshouse.data.kinds import integer_valued, label_reading, number_reading
from glasshouse.data.labels import Labels, labels_of, labels_unwritten
from glasshouse.data.schema import TargetSchema, quoted
from glasshouse.data.values import Floats, Reading, is_flat, is_point_in_time, is_text, parse_labels, parse_numbers

MOST_INTEGER_CLASSES = 10  # whole numbers with more distinct values are a quantity
LARGEST = 1e100  # of a target: sums of squared errors stay far below the end of float
MOST_CLASSES = 1000


def infer_target(frame: Frame, name: str, asked: Kind | None = None) -> TargetSchema:
    """Decides between regression, two classes and many classes.

    Args:
        frame: the whole table.
        name: the target column, which exists.
        asked: "number" for regression, "category" or "yesno" for classes, None to look.

    Raises:
        DataError: the target has no values, one value only, or as many labels as rows.
    """
    series = frame.table[name]
    if frame.written and is_point_in_time(series):
        series = as_written(series)
    if asked not in (None, "number", "category", "yesno"):
        raise DataError(
            f'target "{name}" cannot be of kind {asked}',
            where=f"columns.{name}",
            expected="number or category",
            fix=f"--set columns.{name}=category",
        )
    if not is_flat(series) or is_point_in_time(series):
        raise DataError(
            f'target "{name}" holds {series.dtype} values',
            where="--target",
            expected="numbers or labels",
            fix="--target with another column, or turn it into a number first",
        )
    plain = Reading(missing=frame.settings.missing)
    seen = labels_of(series, plain) if is_text(series) else None
    labels = label_reading(series, frame.settings, seen)
    filled = (seen if labels == plain else None) or labels_unwritten(series, labels) or labels_of(series, labels)
    _check_values(frame, name, filled)
    number = number_reading(series, frame.settings, seen)
    if asked == "number" and number is None:
        raise DataError(
            f'target "{name}" was called number, but holds values such as "{filled.begin[0]}"',
            where=f"columns.{name}",
            expected="numbers",
            fix=f"--set columns.{name}=category",
        )
    values = parse_numbers(series, number) if number is not None else None
    if (
        number is not None
        and values is not None
        and (asked == "number" or (asked is None and _is_quantity(values, filled)))
    ):
        return _regression(frame, name, number, values, filled.num_filled)
    return _classes(frame, name, labels, filled)


def read_target(series: pl.Series, target: TargetSchema) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
    """The target of every row, as numbers (NaN for missing) or class numbers (-1 for missing).

    Shapes:
        returns: (rows,) float64 or int64

    Raises:
        DataError: a label that is none of the classes. Surrounding spaces, letter case and one "." at the end do not
        matter.
    """
    if target.task == "regression":
        return parse_numbers(series, target.reading)
    labels = parse_labels(series, target.reading)
    codes = {label: code for code, label in enumerate(target.classes)}
    folded: dict[str, int] = {}
    for label, code in codes.items():
        # Where two classes differ in case alone, only the exact spelling tells them apart.
        folded[_fold(label)] = -2 if _fold(label) in folded else code
    seen = labels.drop_nulls().unique().sort().to_list()
    found = {label: codes.get(label, folded.get(_fold(label), -2)) for label in seen}
    unknown = [label for label, code in found.items() if code == -2]
    if unknown:
        shown = ", ".join(f'"{label}"' for label in unknown[:5]) + (
            f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        )
        raise DataError(
            f'target "{target.name}" holds {shown}, which the model does not know',
            where=f'column "{target.name}"',
            expected=one_of(target.classes),
            fix="mend the labels, or train on a table that has them",
        )
    known = labels.replace_strict(list(found), list(found.values()), default=-1, return_dtype=pl.Int64)
    return known.fill_null(-1).to_numpy().astype(np.int64)


def _fold(label: str) -> str:
    return label.strip().casefold().removesuffix(".")


def _check_values(frame: Frame, name: str, filled: Labels) -> None:
    if not filled.num_filled:
        raise DataError(
            f'target "{name}" has no values in {frame.source.name}',
            where="--target",
            expected="a column with a value in at least some rows",
            fix="--target with another column",
        )
    if filled.distinct == 1:
        raise DataError(
            f'target "{name}" is "{filled.begin[0]}" in every row: there is nothing to tell apart',
            where="--target",
            expected="at least two different values",
            fix="--target with another column, or add rows of another kind",
        )


def _is_quantity(values: Floats, filled: Labels) -> bool:
    """Whether numbers are amounts and not the names of classes."""
    finite = values[np.isfinite(values)]
    if filled.distinct == 2:
        return False
    words = len(finite) < filled.num_filled
    if not words and not integer_valued(values):
        return True
    distinct = len(np.unique(finite))
    if words:  # a few among the numbers: amounts only if there are many different ones
        return distinct > MOST_INTEGER_CLASSES
    codes = distinct <= MOST_INTEGER_CLASSES and finite.max() - finite.min() <= 3 * MOST_INTEGER_CLASSES
    return not (codes and len(finite) >= 3 * distinct)


def _regression(frame: Frame, name: str, reading: Reading, values: Floats, num_filled: int) -> TargetSchema:
    finite = values[np.isfinite(values)]
    if not len(finite) or finite.min() == finite.max():
        raise DataError(
            f'target "{name}" has no two different numbers',
            where="--target",
            expected="at least two different values",
            fix="--target with another column",
        )
    if np.abs(finite).max() > LARGEST:
        raise DataError(
            f'target "{name}" holds {finite[np.abs(finite).argmax()]:.3g}',
            where="--target",
            expected=f"numbers up to {LARGEST:g}: squares of larger ones overflow",
            fix=f'divide "{name}" by a power of ten, or predict its logarithm',
        )
    unread = num_filled - len(finite)
    note = f"{unread} values could not be read as a number; their rows are dropped" if unread > 0 else ""
    return TargetSchema(name=name, task="regression", missing=frame.num_rows - len(finite), note=note, reading=reading)


def _classes(frame: Frame, name: str, reading: Reading, filled: Labels) -> TargetSchema:
    cells = filled.cells if filled.cells.dtype == pl.String else parse_labels(filled.cells, reading)
    classes = cells.unique().to_list()
    num_filled = filled.num_filled
    if len(classes) > MOST_CLASSES or (len(classes) > 20 and len(classes) > num_filled / 2):
        raise DataError(
            f'target "{name}" has {len(classes):,} different labels in {num_filled:,} rows',
            where="--target",
            expected=f"numbers, or at most {MOST_CLASSES:,} labels that repeat",
            fix=f"--target with another column, or --set columns.{quoted(name)}=number",
        )
    # A code for "missing" that a label happens to equal as a number (99 and "099") must not leave it without a place.
    plain = msgspec.structs.replace(reading, missing=())
    numbers = parse_numbers(pl.Series(classes), plain) if reading.numeric else np.zeros(len(classes))
    ordered = tuple(label for _, label in sorted(zip(numbers.tolist(), classes, strict=True)))
    task: Task = "binary" if len(ordered) == 2 else "multiclass"
    return TargetSchema(name=name, task=task, classes=ordered, missing=frame.num_rows - num_filled, reading=reading)
