"""Brings another table to the columns a schema knows: for prediction, evaluation and a separate file of test rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from glasshouse.core.errors import DataError, nearest, one_of
from glasshouse.core.files import sha256
from glasshouse.core.records import SourceRecord
from glasshouse.data.coded import written
from glasshouse.data.frame import Frame
from glasshouse.data.schema import Column, Schema
from glasshouse.data.values import Reading, is_flat, is_number, is_text, parse_labels, parse_numbers, parse_times, text


def align(frame: Frame, schema: Schema, *, need_target: bool = False) -> Frame:
    """Keeps the columns of the schema, in its order, and makes sure that what the network needs is there.

    A column that the network does not use may be absent. Columns that nobody knows are dropped, with a note.

    Args:
        frame: new rows, in any types.
        schema: of the training table.
        need_target: whether the target must be there too.

    Raises:
        DataError: a column is missing, or holds values of another nature (words where numbers were).
    """
    names = frame.table.columns
    target = [schema.target.name] if schema.target is not None else []
    known = [column.name for column in schema.columns] + target
    extra = [name for name in names if name not in known]
    needed = [column.name for column in schema.used] + (target if need_target else [])
    missing = [name for name in needed if name not in names]
    if missing:
        raise _missing(frame, missing, extra)
    for column in schema.used:
        _check_nature(frame, column)
    notes = list(frame.notes)
    if extra:
        notes.append(
            f"not known to the model and left out: {', '.join(extra[:5])}"
            + (f" and {len(extra) - 5} more" if len(extra) > 5 else "")
        )
    return replace(frame, table=frame.table.select(name for name in known if name in names), notes=tuple(notes))


def append(frame: Frame, other: Frame, schema: Schema) -> Frame:
    """The rows of one table and below them those of another, as one frame.

    Columns that the other table lacks and the network does not use are empty in its rows. Where the types differ
    (numbers in one, text in the other), the column becomes text; it is read the same way.

    Args:
        frame: the training table.
        other: more rows with the target, such as a file of test rows.
        schema: of the training table.

    Raises:
        DataError: the other table lacks a column.

    Returns:
        A frame whose last `other.num_rows` rows are those of the other table.
    """
    below = align(other, schema, need_target=True)
    readings = {column.name: column.reading for column in schema.columns}
    if schema.target is not None:
        readings[schema.target.name] = schema.target.reading
    columns = []
    for name in frame.table.columns:
        first = frame.table[name]
        second = (
            below.table[name]
            if name in below.table.columns
            else pl.Series(name, [None] * other.num_rows, dtype=first.dtype)
        )
        columns.append(_stack(first, second, readings.get(name, Reading())))
    a, b = frame.source, other.source
    source = SourceRecord(
        name=f"{a.name} + {b.name}",
        rows=a.rows + b.rows,
        columns=a.columns,
        size_bytes=a.size_bytes + b.size_bytes,
        sha256=sha256(f"{a.sha256}{b.sha256}".encode()),
    )
    notes = dict.fromkeys((*frame.notes, *(note for note in below.notes)))
    return replace(frame, table=pl.DataFrame(columns), source=source, notes=tuple(notes))


def _stack(first: pl.Series, second: pl.Series, reading: Reading) -> pl.Series:
    if first.dtype == second.dtype:
        return pl.concat([first, second])
    if first.dtype.is_numeric() and second.dtype.is_numeric():
        return pl.concat([first.cast(pl.Float64), second.cast(pl.Float64)])
    if not (is_flat(first) and is_flat(second)):
        return pl.concat([first, pl.Series(second.name, [None] * len(second), dtype=first.dtype)])
    return pl.concat([_as_text(first, reading), _as_text(second, reading)])


def _as_text(series: pl.Series, reading: Reading) -> pl.Series:
    if is_text(series) or not is_number(series):
        return written(series)
    labels = parse_labels(series, Reading(width=reading.width))
    return labels.str.replace(".", reading.decimal, literal=True)


def _missing(frame: Frame, missing: list[str], extra: list[str]) -> DataError:
    plural = "s" if len(missing) > 1 else ""
    shown = ", ".join(f'"{name}"' for name in missing[:5]) + (
        f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    )
    pairs = [(nearest(name, extra), name) for name in missing]
    renames = [f'rename "{close}" to "{name}"' for close, name in pairs if close]
    verb = "are" if plural else "is"
    return DataError(
        f"column{plural} {shown} {verb} not in {frame.source.name}",
        where=frame.source.name,
        expected=f"the columns that the model was trained on; found {one_of(frame.table.columns)}",
        fix="; ".join(renames[:3]) or f"add the column{plural}; leave the cells empty where the value is not known",
    )


def _check_nature(frame: Frame, column: Column) -> None:
    """A column that was numbers (or times) and now has values but not one of them readable is a mistake, not missing
    data.
    """
    series = frame.table[column.name]
    if not is_flat(series):
        raise DataError(
            f'column "{column.name}" holds {series.dtype}',
            where=frame.source.name,
            expected=f"a {column.kind} in every cell",
            fix="one value a cell",
        )
    wanted = {"number": "numbers", "datetime": "dates or times"}.get(column.kind)
    if wanted is None:
        return
    if column.kind == "number" and is_number(series):
        return
    filled = text(series, column.reading).drop_nulls()
    if not len(filled):
        return
    sample = filled.head(1000) if is_text(series) else series.drop_nulls().head(1000)
    if column.kind == "number":
        readable = bool(np.isfinite(parse_numbers(sample, column.reading)).any())
    else:
        readable = parse_times(sample, column.reading).null_count() < len(sample)
    if not readable:
        raise DataError(
            f'column "{column.name}" holds "{filled[0]}"',
            where=frame.source.name,
            expected=f"{wanted}, such as {', '.join(column.examples)}",
            fix=f'mend the column "{column.name}"',
        )
