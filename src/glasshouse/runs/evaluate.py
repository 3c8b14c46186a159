"""What a finished model says of other rows: predictions, and scores of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from glasshouse.core.errors import DataError, SettingsError, nearest, one_of
from glasshouse.core.records import Coverage, Record, Scores, Task
from glasshouse.data import Frame, align, encode_target, read
from glasshouse.data.kinds import infer_column
from glasshouse.data.values import is_flat, is_point_in_time, is_text, parse_labels, parse_numbers, parse_times
from glasshouse.evaluation.conformal import measure_coverage
from glasshouse.evaluation.scores import leading_metric, score
from glasshouse.evaluation.slices import FEW_VALUES, Slice, score_slices
from glasshouse.model import Model, load


class Evaluation(Record):
    """How good a model is on a table; `slices` where a column was named."""

    target: str
    task: Task
    metric: str
    rows: int
    scores: Scores
    coverage: tuple[Coverage, ...] = ()
    slices: tuple[Slice, ...] = ()
    notes: tuple[str, ...] = ()  # what makes the scores mean less than they seem to


def evaluate(model: Model | str | Path, source: object, *, by: str | None = None, seed: int = 0) -> Evaluation:
    """Scores a model on a table that has the target column.

    Args:
        model: a model, a `.glass` file or a run folder.
        source: anything that `glasshouse.read` takes.
        by: also the scores for each value (or quarter) of this column, used by the model or not.
        seed: of the bootstrap.

    Raises:
        ModelFileError: the model cannot be opened.
        DataError: the table lacks a column, or has no row with a target.
        SettingsError: there is no column of the name `by`.
    """
    model = model if isinstance(model, Model) else load(model)
    frame = read(source, model.schema.read_settings)
    aligned = align(frame, model.schema, need_target=True)
    target = encode_target(aligned, model.schema)
    known = np.flatnonzero(target >= 0 if target.dtype == np.int64 else np.isfinite(target))
    if not len(known):
        raise DataError(
            f'no row of {frame.source.name} has a value in "{model.parts.target.name}"',
            where=model.parts.target.name,
            expected="rows with a known target",
        )
    said = model.outputs(aligned.take(known))
    actual = target[known]
    return Evaluation(
        target=model.parts.target.name, task=model.task, metric=leading_metric(model.task), rows=len(known),
        scores=score(model.task, actual, said.outputs, seed=seed),
        coverage=measure_coverage(model.task, actual, said.outputs, said.spread, model.parts.uncertainty),
        slices=score_slices(model.task, actual, said.outputs, _column(frame, model, by)[known]) if by else (),
        notes=_learnt_from(model, frame),
    )  # fmt: skip


def predict(model: Model | str | Path, source: object, *, interval: float | None = None) -> pl.DataFrame:
    """A model's answers for a table, one row a row.

    Args:
        model: a model, a `.glass` file or a run folder.
        source: anything that `glasshouse.read` takes.
        interval: also what holds the truth this often: `lower` and `upper`, or for classes `labels`, joined by " | ".

    Returns:
        `prediction`; for classes also `probability of LABEL` for each.

    Raises:
        ModelFileError: the model cannot be opened.
        DataError: the table lacks a column.
        SettingsError: the model has no calibration rows to make intervals from.
    """
    model = model if isinstance(model, Model) else load(model)
    frame = align(read(source, model.schema.read_settings), model.schema)
    said = model.outputs(frame).outputs
    if model.task == "regression":
        table = pl.DataFrame({"prediction": said})
        if interval is None:
            return table
        bounds = model.predict_interval(frame, interval)
        return table.with_columns(lower=pl.Series(bounds[:, 0]), upper=pl.Series(bounds[:, 1]))
    labels = np.asarray(model.classes, dtype=np.str_)
    chosen = {"prediction": labels[said.argmax(1)].tolist()}
    table = pl.DataFrame(chosen | {f"probability of {label}": said[:, place] for place, label in enumerate(labels)})
    if interval is None:
        return table
    sets = model.predict_interval(frame, interval)
    return table.with_columns(labels=pl.Series([" | ".join(labels[row]) for row in sets.astype(bool)]))


def _learnt_from(model: Model, frame: Frame) -> tuple[str, ...]:
    """Says so where the table is the one that the model was trained on: most of its rows are no test."""
    manifest, metrics = model.sections.get("manifest") or {}, model.sections.get("metrics") or {}
    if (manifest.get("source") or {}).get("sha256") != frame.source.sha256:
        return ()
    test = (metrics.get("rows") or {}).get("test")
    judged = f"; its scores on the {test:,} test rows alone are in the run's report" if isinstance(test, int) else ""
    return (f"the model learnt from {frame.source.name} itself, so these scores flatter it{judged}",)


def _column(frame: Frame, model: Model, name: str) -> pl.Series:
    """A column to cut by, read as the model reads it: times, numbers where there are many, or what stands there."""
    table = frame.table
    if name not in table.columns:
        near = nearest(name, table.columns)
        raise SettingsError(
            f'column "{name}" is not in the table',
            where="--by",
            expected=one_of(table.columns),
            fix=f"--by {near}" if near else "",
        )
    column = table[name]
    if not is_flat(column):
        raise SettingsError(
            f'column "{name}" holds {column.dtype}, which cannot be cut into parts',
            where="--by",
            expected="a column with one value in a cell",
        )
    reading, kind = model.parts.target.reading, ""
    if name != model.parts.target.name:
        learnt = next((one for one in model.schema.columns if one.name == name and one.used), None)
        one = learnt or infer_column(column, frame.settings)
        reading, kind = one.reading, one.kind
    if column.dtype == pl.Time:
        return column
    if kind == "datetime" or is_point_in_time(column):
        times = parse_times(column, reading)
        return times if bool((times.dt.truncate("1d") != times).any()) else times.dt.date()
    if kind != "number" and is_text(column):
        whatever = msgspec.structs.replace(reading, missing=())  # a code may be a number as well
        labels = parse_labels(column, reading)
        if bool((labels.is_not_null() & pl.Series(parse_numbers(column, whatever)).is_nan()).any()):
            return labels  # some of them are words
    numbers = pl.Series(name, parse_numbers(column, reading)).fill_nan(None)
    if numbers.drop_nulls().n_unique() > FEW_VALUES:
        return numbers
    labels = parse_labels(column, msgspec.structs.replace(reading, numeric=True))
    return labels.set(numbers.is_null(), None)
