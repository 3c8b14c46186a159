"""Scores for parts of the rows: every value of a category, or quarters of a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from glasshouse.core.errors import DataError
from glasshouse.core.records import Record, Scores, Task
from glasshouse.data.coded import written
from glasshouse.data.values import is_point_in_time
from glasshouse.evaluation.arrays import Array, check_outputs
from glasshouse.evaluation.scores import score

SMALL = 30  # rows; below, an interval is too wide to conclude from
MOST_SLICES = 20
_QUARTERS = 4
FEW_VALUES = 6  # a number with at most so many distinct values is cut by value


class Slice(Record, frozen=True):
    """The scores of the rows that share a value (or a range) of one column."""

    column: str
    value: str
    rows: int
    small: bool  # fewer than 30 rows: read the interval, not the value
    scores: Scores


def score_slices(
    task: Task,
    actual: NDArray[Any],
    outputs: Array,
    column: pl.Series,
    *,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[Slice, ...]:
    """Scores per value of a column, so that a good average cannot hide a bad part.

    Args:
        task: regression, binary or multiclass.
        actual: (rows,) values, or class codes.
        outputs: (rows,) or (rows, classes).
        column: (rows,) what to cut by. A number or time with more than six values is cut at its quartiles; missing
            values are a slice of their own; beyond 20 values the rarest share one.
        resamples: bootstrap resamples a slice.
        seed: of the resampling.

    Returns:
        Slices in rising order of a number or time, else from most to fewest rows.

    Raises:
        DataError: the column is not as long as the predictions, or those do not fit the answers.
    """
    check_outputs(task, actual, outputs)
    if len(column) != len(actual):
        raise DataError(
            f'column "{column.name}" has {len(column)} rows for {len(actual)} predictions',
            expected="one value for every scored row",
            fix="cut by a column of the table that was scored",
        )
    return tuple(
        Slice(
            column=column.name,
            value=value,
            rows=len(rows),
            small=len(rows) < SMALL,
            scores=score(task, actual[rows], outputs[rows], resamples=resamples, seed=seed),
        )
        for value, rows in _groups(column)
    )


def _groups(column: pl.Series) -> list[tuple[str, NDArray[np.intp]]]:
    """(name, row numbers) of every slice."""
    missing = column.is_null()
    if column.dtype.is_float():
        missing = missing | column.is_nan().fill_null(False)
    known = np.flatnonzero(~missing.to_numpy())
    values = column.gather(known)
    times = is_point_in_time(column)
    words = written(values) if times or isinstance(column.dtype, pl.Enum) else values  # and not its codes
    # A text file's numbers may still be text.
    numbers = (_since_the_first(values) if times else words).cast(pl.Float64, strict=False)
    measured = numbers.null_count() == 0 and bool(numbers.is_finite().all())
    if measured and numbers.n_unique() > FEW_VALUES:
        names = words if times else pl.Series([f"{value:.6g}" for value in numbers])
        groups = _quarters(numbers.to_numpy(), names)
    else:
        groups = _values(words, numbers if measured else None)
    named = [(name, known[places]) for name, places in groups]
    if missing.any():
        named.append(("(missing)", np.flatnonzero(missing.to_numpy())))
    return named


def _quarters(values: Array, names: pl.Series) -> list[tuple[str, NDArray[np.intp]]]:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _QUARTERS + 1)[1:-1], method="inverted_cdf"))
    place = np.searchsorted(edges, values, side="left")
    groups = []
    for index in np.unique(place):
        inside = np.flatnonzero(place == index)
        first, last = (names[int(inside[place])] for place in (values[inside].argmin(), values[inside].argmax()))
        groups.append((f"{first} to {last}", inside))
    return groups


def _since_the_first(times: pl.Series) -> pl.Series:
    """Times as whole numbers small enough for a float to hold."""
    places = times.to_physical()
    return places - (places.min() or 0)


def _values(values: pl.Series, numbers: pl.Series | None) -> list[tuple[str, NDArray[np.intp]]]:
    words = values.cast(pl.String).alias("value")
    text = np.asarray(words.to_list(), dtype=object)
    counts = words.value_counts().sort(["count", "value"], descending=[True, False])
    names = counts.get_column("value").to_list()
    if numbers is not None and len(names) <= MOST_SLICES:
        names = words.gather(numbers.arg_sort()).unique(maintain_order=True).to_list()
    groups = [(name, np.flatnonzero(text == name)) for name in names[:MOST_SLICES]]
    rest = names[MOST_SLICES:]
    if rest:
        groups.append((f"({len(rest)} rarer values)", np.flatnonzero(np.isin(text.astype(str), rest))))
    return groups
