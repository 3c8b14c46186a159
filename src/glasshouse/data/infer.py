"""From a table as it was read to its schema: what every column is, and what the target asks for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from glasshouse.core.errors import DataError, nearest, one_of
from glasshouse.core.settings import Kind
from glasshouse.data.coded import MOMENT, as_written
from glasshouse.data.frame import Frame, cost_of, side_by_side
from glasshouse.data.kinds import infer_column
from glasshouse.data.schema import KINDS, Column, Schema, TargetSchema, quoted
from glasshouse.data.targets import infer_target
from glasshouse.data.values import is_point_in_time, is_text


def infer_schema(frame: Frame, target: str | None, kinds: Mapping[str, Kind] | None = None) -> Schema:
    """Decides what every column is: its kind, its missing values, whether the network can use it.

    Args:
        frame: the whole table, as it was read.
        target: the column to predict, or None where there is none to predict.
        kinds: what the user says a column is; overrides what is seen. For the target, "number" asks for regression
            and "category" for classes.

    Raises:
        DataError: no such column, a kind that the values contradict, nothing left to learn from, or a target that
            cannot be predicted (no values, one value only, nearly as many labels as rows).

    Example:
        >>> from glasshouse.data.read import read
        >>> frame = read({"area": [50.5, 80.0, 95.5], "kind": ["a", "b", "a"], "price": [1.5, 2.5, 3.5]})
        >>> schema = infer_schema(frame, "price")
        >>> [(column.name, column.kind) for column in schema.used], schema.target.task
        ([('area', 'number'), ('kind', 'category')], 'regression')
    """
    asked = dict(kinds or {})
    names = frame.table.columns
    if target is not None and target not in names:
        close = nearest(target, names)
        raise DataError(
            f'column "{target}" is not in {frame.source.name}',
            where="--target",
            expected=one_of(names),
            fix=f"--target {quoted(close)}" if close else "",
        )
    for name, kind in asked.items():
        _check_override(name, kind, names, frame.source.name)
    features = [name for name in names if name != target]

    def look(name: str) -> Column | TargetSchema:
        return infer_target(frame, name, asked.get(name)) if name == target else _column(frame, name, asked.get(name))

    # The target last: what is wrong with a column is said first.
    every = features if target is None else [*features, target]
    looked = side_by_side(look, every, frame.num_rows, cost=lambda name: cost_of(frame.table[name]))
    columns = tuple(found for found in looked if isinstance(found, Column))
    goal = next((found for found in looked if isinstance(found, TargetSchema)), None)
    if not any(column.used for column in columns):
        raise DataError(
            f"{frame.source.name} has no column to learn from",
            where=_why_none(columns),
            expected="at least one column of numbers, categories, yes/no or dates besides the target",
            fix="--set columns.NAME=category keeps a column that was left out",
        )
    return Schema(columns=columns, target=goal)


def _column(frame: Frame, name: str, asked: Kind | None) -> Column:
    series = frame.table[name]
    if not frame.written or is_text(series):
        return infer_column(series, frame.settings, asked)
    if asked is not None:
        return infer_column(as_written(series), frame.settings, asked)
    found = infer_column(series, frame.settings)
    if is_point_in_time(series):
        return msgspec.structs.replace(found, reading=msgspec.structs.replace(found.reading, format=MOMENT))
    return found


def _why_none(columns: tuple[Column, ...]) -> str:
    return "; ".join(f"{column.name}: {column.reason}" for column in columns[:5])


def _check_override(name: str, kind: Kind, names: list[str], source: str) -> None:
    if name not in names:
        close = nearest(name, names)
        raise DataError(
            f'column "{name}" is not in {source}',
            where=f"columns.{name}",
            expected=one_of(names),
            fix=f"--set columns.{close}={kind}" if close else "",
        )
    if kind not in KINDS:
        close = nearest(str(kind), KINDS)
        raise DataError(
            f'"{kind}" is not a kind of column',
            where=f"columns.{name}",
            expected=one_of(KINDS, most=8),
            fix=f"--set columns.{name}={close or 'category'}",
        )
