"""What a careful colleague would say about a table before anyone trains on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from glasshouse.core.records import Record
from glasshouse.data.coded import as_written
from glasshouse.data.fingerprints import row_hashes
from glasshouse.data.frame import Frame
from glasshouse.data.leakage import single_column_scores
from glasshouse.data.schema import Column, Schema, quoted
from glasshouse.data.split import Split
from glasshouse.data.targets import read_target
from glasshouse.data.values import Reading, is_flat, is_text, parse_labels, text
from glasshouse.data.words import GROUPS, PATTERNS, personal_data, protected_attribute, tokens

Severity = Literal["info", "warning", "problem"]
SUSPICIOUS = {"binary": 0.9, "multiclass": 0.9, "regression": 0.9}  # of single_column_scores
CERTAIN = 0.995
NEAR_CONSTANT = 0.99
SMALL = 200
MANY_LABELS = 1000
PEEK_ROWS = 20_000  # enough to see what a column's values look like


class Finding(Record):
    """One thing worth knowing, in plain words, and what can be done about it. `column` is "" for the table as a
    whole.
    """

    check: str
    severity: Severity
    column: str
    message: str
    advice: str = ""


def check(frame: Frame, schema: Schema, split: Split | None = None) -> tuple[Finding, ...]:
    """Looks for what makes a model wrong, unfair or unlawful: leaks, copies, imbalance, identifiers, personal data...

    Args:
        frame: the whole table.
        schema: of that table.
        split: adds what can only be said once the rows are divided.

    Returns:
        The findings, the gravest first.
    """
    found = [
        *_columns(frame, schema),
        *_personal(frame, schema),
        *_size(frame, schema),
        *_structure(frame, schema),
        *_duplicates(frame, schema),
    ]
    if schema.target is not None:
        found += [*_target(frame, schema), *_leakage(frame, schema)]
    if split is not None:
        found += _unseen(frame, schema, split)
    grave = {"problem": 0, "warning": 1, "info": 2}
    return tuple(sorted(found, key=lambda finding: grave[finding.severity]))


def _columns(frame: Frame, schema: Schema) -> Iterator[Finding]:
    """What the kinds, the missing values and the most common value of each column say."""
    for column in schema.columns:
        name, share = column.name, column.missing / frame.num_rows
        if not column.used:
            yield _left_out(column)
            continue
        if column.note:
            yield Finding(
                check="unreadable",
                severity="warning",
                column=name,
                message=f'"{name}": {column.note}',
                advice=f"look at these cells, or --set columns.{quoted(name)}=category",
            )
        if share > 0.2:
            yield Finding(
                check="missing",
                severity="warning" if share > 0.5 else "info",
                column=name,
                message=f'"{name}" has no value in {_percent(share)} of the rows',
                advice="that a value is missing is given to the network; ask why it is missing",
            )
        if 2 <= column.distinct <= 2 + (1 - NEAR_CONSTANT) * frame.num_rows:
            reading = msgspec.structs.replace(column.reading, numeric=column.reading.numeric or column.kind == "number")
            yield from _dominant(column, parse_labels(frame.table[name], reading))
        if column.kind == "category" and column.distinct > MANY_LABELS:
            yield Finding(
                check="many-labels",
                severity="info",
                column=name,
                message=f'"{name}" has {column.distinct:,} different labels',
                advice="labels seen in few rows are treated as one",
            )


def _percent(share: float) -> str:
    return f"{share:.0%}" if 0.01 <= share <= 0.99 else f"{share:.1%}"


def _left_out(column: Column) -> Finding:
    kept = f"--set columns.{quoted(column.name)}=category keeps it"
    asked = column.reason.endswith("as asked")
    if column.kind == "text":
        return Finding(
            check="text-left-out",
            severity="info" if asked else "warning",
            column=column.name,
            message=f'"{column.name}" is left out: {column.reason}',
            advice=kept,
        )
    return Finding(
        check=column.kind,
        severity="info",
        column=column.name,
        message=f'"{column.name}" is left out: {column.reason}',
        advice="" if asked or column.kind == "constant" else kept,
    )


def _dominant(column: Column, labels: pl.Series) -> Iterator[Finding]:
    counts = (
        labels.drop_nulls().alias("label").value_counts(name="count").sort("count", "label", descending=[True, False])
    )
    label, count = counts.row(0)
    if count / len(labels) >= NEAR_CONSTANT:
        yield Finding(
            check="near-constant",
            severity="info",
            column=column.name,
            message=f'"{column.name}" is "{label}" in {count / len(labels):.1%} of the rows',
            advice=f"--set columns.{quoted(column.name)}=ignore leaves it out",
        )


def _personal(frame: Frame, schema: Schema) -> Iterator[Finding]:
    """Suspected personal data and protected attributes, by name and by pattern; the target is looked at as well."""
    names = [column.name for column in schema.columns] + ([schema.target.name] if schema.target else [])
    for name in names:
        attribute = protected_attribute(name)
        if attribute:
            yield Finding(
                check="protected",
                severity="info",
                column=name,
                message=f'"{name}" looks like {attribute}',
                advice=(
                    f"check whether the model treats these groups alike: "
                    f"glasshouse evaluate MODEL SOURCE --by {quoted(name)}"
                ),
            )
        series = frame.table[name].head(PEEK_ROWS)
        kind = _personal_kind(as_written(series) if frame.written else series)
        if kind:
            yield Finding(
                check="personal-data",
                severity="warning",
                column=name,
                message=f'"{name}" seems to hold {kind}',
                advice=f"--set columns.{quoted(name)}=ignore, and share neither the table nor its report without need",
            )


def _personal_kind(series: pl.Series) -> str:
    """By pattern where at least a fifth of the values look so; by name only where the values are many and different."""
    if not is_flat(series) or not is_text(series):
        return ""
    values = text(series, Reading()).drop_nulls().unique(maintain_order=True).head(1000)
    if not len(values):
        return ""
    for kind, pattern in PATTERNS.items():
        if int(values.str.contains(pattern).sum()) >= max(2, 0.2 * len(values)):
            return kind
    kind = personal_data(series.name)
    wordy = bool(values.str.contains(r"[^\W\d_]{2,}").any())
    numbered = kind in ("telephone numbers", "official numbers")
    repeats = len(values) < min(1000, 0.5 * len(series))
    return kind if len(values) > 20 and (wordy or kind != "names of people") and not (numbered and repeats) else ""


def _size(frame: Frame, schema: Schema) -> Iterator[Finding]:
    if frame.num_rows < SMALL:
        yield Finding(
            check="small",
            severity="warning",
            column="",
            message=f"there are only {frame.num_rows} rows",
            advice="scores on so few rows are uncertain: read their intervals, not their values",
        )
    if len(schema.used) > frame.num_rows:
        yield Finding(
            check="small",
            severity="warning",
            column="",
            message=f"there are more columns ({len(schema.used)}) than rows",
            advice="leave out columns that cannot matter",
        )


def _duplicates(frame: Frame, schema: Schema) -> Iterator[Finding]:
    """Exact copies, and how many test rows a careless split would have shown to the training."""
    sizes = np.unique(row_hashes(frame, schema), return_counts=True)[1]
    copies = int((sizes - 1).sum())
    if not copies:
        return
    twins = sizes[sizes > 1]
    straddling = float((0.2 * twins * (1 - 0.2 ** (twins - 1.0))).sum())
    share = copies / frame.num_rows
    twice = (
        f"; a careless split would have put about {straddling:,.0f} test rows among the training rows as well"
        if straddling >= 1
        else ""
    )
    yield Finding(
        check="duplicates",
        severity="warning" if share > 0.01 else "info",
        column="",
        message=f"{copies:,} of {frame.num_rows:,} rows ({share:.1%}) are exact copies of another{twice}",
        advice="copies are kept on one side of the split; ask whether they are real",
    )


def _target(frame: Frame, schema: Schema) -> Iterator[Finding]:
    target = schema.target
    assert target is not None
    if target.missing:
        yield Finding(
            check="missing-target",
            severity="warning",
            column=target.name,
            message=f"{target.missing:,} of {frame.num_rows:,} rows have no {target.name} and are dropped",
            advice=target.note,
        )
    if not target.classes:
        return
    codes = read_target(frame.table[target.name], target)
    counts = np.bincount(codes[codes >= 0], minlength=len(target.classes))
    rare = [label for label, count in zip(target.classes, counts, strict=True) if count < 10]
    if rare:
        shown = ", ".join(f'"{label}"' for label in rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
        yield Finding(
            check="imbalance",
            severity="warning",
            column=target.name,
            message=f"fewer than 10 rows of class {shown}",
            advice="such a class can hardly be learned or judged: merge it with another, or find more rows",
        )
    least, most = int(counts.argmin()), int(counts.argmax())
    share, fair = counts[least] / counts.sum(), 1 / len(counts)
    if share < 0.2 * fair or counts[most] / counts.sum() > 0.9:
        yield Finding(
            check="imbalance",
            severity="warning",
            column=target.name,
            message=(
                f'class "{target.classes[least]}" is {share:.1%} of the rows, '
                f'"{target.classes[most]}" is {counts[most] / counts.sum():.1%}'
            ),
            advice=(
                "accuracy alone says little here: look at log-loss, ROC AUC and F1; --set "
                "training.class_weights=balanced"
            ),
        )


def _leakage(frame: Frame, schema: Schema) -> Iterator[Finding]:
    target = schema.target
    assert target is not None
    for name, score in single_column_scores(frame, schema).items():
        if score < SUSPICIOUS[target.task]:
            continue
        number = {
            "binary": f"ROC AUC {(score + 1) / 2:.3f}",
            "multiclass": f"{score:.0%} of the errors avoided",
            "regression": f"R² {score:.3f}",
        }
        certain = score >= CERTAIN
        yield Finding(
            check="leakage",
            severity="problem" if certain else "warning",
            column=name,
            message=(
                f'"{name}" alone tells "{target.name}" '
                f"{'almost perfectly' if certain else 'very well'} ({number[target.task]} on held-out rows)"
            ),
            advice=f"if it is not known at the time of prediction: --set columns.{quoted(name)}=ignore",
        )


def _structure(frame: Frame, schema: Schema) -> Iterator[Finding]:
    """Rows that belong together, and rows in time: a random split would flatter the model."""
    for column in schema.columns:
        repeats = 10 <= column.distinct <= (frame.num_rows - column.missing) / 2
        if repeats and set(tokens(column.name)) & GROUPS:
            yield Finding(
                check="group",
                severity="warning",
                column=column.name,
                message=(
                    f'"{column.name}" has {column.distinct:,} values in {frame.num_rows:,} rows: '
                    "rows seem to belong together"
                ),
                advice=f"--group {quoted(column.name)} judges the model on groups that it has never seen",
            )
        if column.used and column.kind == "datetime" and column.distinct > 1 and tokens(column.name)[-1:] != ("dob",):
            yield Finding(
                check="time",
                severity="info",
                column=column.name,
                message=f'"{column.name}" gives the rows an order in time',
                advice=(
                    f"--time {quoted(column.name)} judges the model on the latest rows, if it will predict the future"
                ),
            )


def _unseen(frame: Frame, schema: Schema, split: Split) -> Iterator[Finding]:
    """Labels that only the test rows have; columns with few of them share one finding."""
    few: list[str] = []
    for column in schema.used:
        if column.kind != "category":
            continue
        labels = parse_labels(frame.table[column.name], column.reading)
        known = labels[split.train].drop_nulls().unique()
        judged = labels[split.test].drop_nulls()
        count = int((~judged.is_in(known.to_list())).sum())
        if count >= 0.05 * len(split.test) and count:
            yield Finding(
                check="unseen",
                severity="info",
                column=column.name,
                message=(
                    f'in {count:,} of {len(split.test):,} test rows "{column.name}" has a label '
                    "that no training row has"
                ),
                advice="it is read as a missing value",
            )
        elif count:
            few.append(f'"{column.name}" ({count:,})')
    if few:
        shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more columns" if len(few) > 5 else "")
        yield Finding(
            check="unseen",
            severity="info",
            column="",
            message=f"a few test rows have labels that no training row has: {shown}",
            advice="they are read as missing values",
        )
