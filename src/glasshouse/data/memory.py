"""Tables that are in memory already: polars, pandas, arrow, NumPy, mappings and lists of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from glasshouse.core.errors import DataError, one_of
from glasshouse.core.files import sha256
from glasshouse.core.records import SourceRecord
from glasshouse.core.settings import ReadSettings
from glasshouse.data.frame import Frame
from glasshouse.data.values import is_flat

ACCEPTED = "a path, example:NAME, a data frame (polars, pandas, arrow), a 2-D NumPy array or a mapping of columns"


def from_memory(source: object, settings: ReadSettings) -> Frame:
    """A frame from a table in memory; its types are kept.

    Raises:
        DataError: it is no table, has no rows or no columns, or two columns share a name.
    """
    table = to_polars(source)
    if table.height == 0 or table.width == 0:
        what = "rows" if table.width else "columns"
        raise DataError(
            f"the table in memory has no {what}",
            where=type(source).__name__,
            expected="at least one row and one column",
            fix="check how the table was made",
        )
    record = SourceRecord(
        name="table in memory",
        rows=table.height,
        columns=table.width,
        size_bytes=int(table.estimated_size()),
        sha256=content_hash(table),
    )
    notes = (
        (f"no header: the columns are called column_1 ... column_{table.width}",)
        if isinstance(source, np.ndarray)
        else ()
    )
    return Frame(table=table, source=record, notes=notes, settings=settings)


def content_hash(table: pl.DataFrame) -> str:
    """A hash of names and values, whatever the types that hold them."""
    return sha256(table.select(_hashable(column) for column in table.iter_columns()).write_csv().encode())


def _hashable(column: pl.Series) -> pl.Series:
    """What CSV can hold: a list's content is not looked at, since nobody uses it."""
    if not is_flat(column):
        return column.is_null()
    return column.cast(pl.Int64) if column.dtype == pl.Duration else column


def to_polars(source: object) -> pl.DataFrame:
    """The table alone, its content not looked at.

    Raises:
        DataError: it is no table, or two columns share a name.
    """
    if isinstance(source, pl.DataFrame):
        return source
    if isinstance(source, pl.LazyFrame):
        return source.collect()
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Mapping):
        return _from_columns({str(name): values for name, values in source.items()})
    if (
        isinstance(source, Sequence)
        and not isinstance(source, (str, bytes))
        and all(isinstance(row, Mapping) for row in source)
    ):
        names = dict.fromkeys(str(name) for row in source for name in row)
        return _from_columns({name: [row.get(name) for row in source] for name in names})
    return _from_other(source)


def _from_array(array: np.ndarray) -> pl.DataFrame:
    if array.ndim != 2:
        raise DataError(
            f"the array has shape {array.shape}",
            where="ndarray",
            expected="two axes: (rows, columns)",
            fix="array.reshape(-1, 1) for a single column",
        )
    return _from_columns({f"column_{place + 1}": array[:, place] for place in range(array.shape[1])})


def _from_columns(columns: Mapping[str, Any]) -> pl.DataFrame:
    series = [_series(name, values) for name, values in columns.items()]
    lengths = {len(column) for column in series}
    if len(lengths) > 1:
        first = next(column for column in series if len(column) != len(series[0]))
        raise DataError(
            f'column "{first.name}" has {len(first)} values, "{series[0].name}" has {len(series[0])}',
            where="the mapping",
            expected="as many values in every column",
            fix=f'mend the column "{first.name}"',
        )
    return pl.DataFrame(series)


def _series(name: str, values: Any) -> pl.Series:
    """One column; a mixture of types becomes text, as a CSV file would have it."""
    if isinstance(values, pl.Series):
        return values.alias(name)
    array = values if isinstance(values, np.ndarray) else None
    if array is not None and array.ndim == 1 and array.dtype.kind in "biuf":
        return pl.Series(name, array.astype(np.float64) if array.dtype == np.float16 else array)
    if array is not None and array.ndim == 1 and array.dtype.kind == "M":
        return pl.Series(name, array.astype("datetime64[us]"))
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise DataError(
            f'column "{name}" holds {type(values).__name__}, not a list of values',
            where="the mapping",
            expected="one value a row",
            fix=f"{{{name!r}: [value]}} for a table of one row",
        )
    cells = [None if _is_empty(cell) else cell for cell in (values.tolist() if array is not None else values)]
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds <= {int, float}:
        return pl.Series(name, cells, dtype=pl.Float64 if float in kinds else None, strict=False)
    if len(kinds) == 1:
        return pl.Series(name, cells)
    return pl.Series(name, [None if cell is None else str(cell) for cell in cells], dtype=pl.String)


def _is_empty(cell: object) -> bool:
    return (
        cell is None or (isinstance(cell, float) and math.isnan(cell)) or type(cell).__name__ in ("NAType", "NaTType")
    )


def _from_other(source: object) -> pl.DataFrame:
    """Any other data frame, through narwhals; pandas columns are taken one by one, so that pyarrow is not needed."""
    import narwhals as nw

    # Asked before narwhals is: it would refuse two columns of one name in its own words.
    names = [str(name) for name in getattr(source, "columns", ()) if isinstance(name, (str, int))]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise DataError(
            f'two columns are called "{doubles[0]}"',
            where="the columns of the table",
            expected=one_of(dict.fromkeys(names)),
            fix=f'call one of them "{doubles[0]}_2"',
        )
    try:
        frame = nw.from_native(source, eager_only=True)  # type: ignore[call-overload]
    except TypeError as error:
        raise DataError(
            f"a {type(source).__name__} is not a table",
            where="SOURCE",
            expected=ACCEPTED,
            fix="make a data frame of it",
        ) from error
    return _from_columns({str(name): _plain(frame.get_column(name)) for name in frame.columns})


def _plain(column: Any) -> Any:
    """A narwhals column as an array where it is numbers without gaps, else as a list."""
    if column.dtype.is_numeric() and not column.is_null().any():
        return column.to_numpy()
    if str(column.dtype).startswith("Datetime") or str(column.dtype) == "Date":
        return pl.Series([None if _is_empty(cell) else cell for cell in column.to_list()])
    return column.to_list()
