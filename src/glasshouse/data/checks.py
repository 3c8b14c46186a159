"""What a careful colleague would say about a table before anyone trains on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from glasshouse.core.records import Record
from glasshouse.data.fingerprints import row_hashes
from glasshouse.data.frame import Frame
from glasshouse.data.leakage import single_column_scores
from glasshouse.data.schema import Column, Schema, quoted
from glasshouse.data.split import Split
from glasshouse.data.targets import read_target
from glasshouse.data.values import is_flat, is_text, parse_labels, text
from glasshouse.data.words import PATTERNS, personal_data, protected_attribute

Severity = Literal["info", "warning", "problem"]
SUSPICIOUS = {"binary": 0.9, "multiclass": 0.9, "regression": 0.9}  # of single_column_scores
CERTAIN = 0.995
NEAR_CONSTANT = 0.99
SMALL = 200
MANY_LABELS = 1000


class Finding(Record):
    """One thing worth knowing, in plain words, and what can be done about it. `column` is "" for the table as a whole."""

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
    found = [*_columns(frame, schema), *_personal(frame, schema), *_size(frame, schema), *_duplicates(frame, schema)]
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
            yield Finding(check="unreadable", severity="warning", column=name, message=f'"{name}": {column.note}',
                          advice=f"look at these cells, or --set columns.{quoted(name)}=category")  # fmt: skip
        if share > 0.2:
            yield Finding(check="missing", severity="warning" if share > 0.5 else "info", column=name,
                          message=f'"{name}" has no value in {share:.0%} of the rows',
                          advice="that a value is missing is given to the network; ask why it is missing")  # fmt: skip
        labels = parse_labels(frame.table[name], column.reading)
        yield from _dominant(column, labels)
        if column.kind == "category" and column.distinct > MANY_LABELS:
            yield Finding(check="many-labels", severity="info", column=name, message=f'"{name}" has {column.distinct:,} different labels',
                          advice="labels seen in few rows are treated as one")  # fmt: skip


def _left_out(column: Column) -> Finding:
    kept = f"--set columns.{quoted(column.name)}=category keeps it"
    asked = column.reason.endswith("as asked")
    if column.kind == "text":
        return Finding(check="text-left-out", severity="info" if asked else "warning", column=column.name,
                       message=f'"{column.name}" is left out: {column.reason}', advice=kept)  # fmt: skip
    return Finding(check=column.kind, severity="info", column=column.name, message=f'"{column.name}" is left out: {column.reason}',
                   advice="" if asked or column.kind == "constant" else kept)  # fmt: skip


def _dominant(column: Column, labels: pl.Series) -> Iterator[Finding]:
    if not len(labels) or column.distinct < 2:
        return
    counts = labels.drop_nulls().alias("label").value_counts(name="count").sort("count", "label", descending=[True, False])
    label, count = counts.row(0)
    if count / len(labels) >= NEAR_CONSTANT:
        yield Finding(check="near-constant", severity="info", column=column.name,
                      message=f'"{column.name}" is "{label}" in {count / len(labels):.1%} of the rows',
                      advice=f"--set columns.{quoted(column.name)}=ignore leaves it out")  # fmt: skip


def _personal(frame: Frame, schema: Schema) -> Iterator[Finding]:
    """Suspected personal data and protected attributes, by name and by pattern; the target is looked at as well."""
    names = [column.name for column in schema.columns] + ([schema.target.name] if schema.target else [])
    for name in names:
        attribute = protected_attribute(name)
        if attribute:
            yield Finding(check="protected", severity="info", column=name, message=f'"{name}" looks like {attribute}',
                          advice=f"check whether the model treats these groups alike: glasshouse fairness MODEL SOURCE --sensitive {quoted(name)}")  # fmt: skip
        kind = _personal_kind(frame.table[name])
        if kind:
            yield Finding(check="personal-data", severity="warning", column=name, message=f'"{name}" seems to hold {kind}',
                          advice=f"--set columns.{quoted(name)}=ignore, and share neither the table nor its report without need")  # fmt: skip


def _personal_kind(series: pl.Series) -> str:
    """By pattern where at least a fifth of the values look so; by name only where the values are many and different."""
    if not is_flat(series) or not is_text(series):
        return ""
    values = text(series, Column(name=series.name, kind="text", used=False).reading).drop_nulls().unique(maintain_order=True).head(1000)
    if not len(values):
        return ""
    for kind, pattern in PATTERNS.items():
        if int(values.str.contains(pattern).sum()) >= max(2, 0.2 * len(values)):
            return kind
    words = bool(values.str.contains(r"[^\W\d_]{2,}").mean() or 0)
    return personal_data(series.name) if len(values) > 20 and (words or personal_data(series.name) != "names of people") else ""


def _size(frame: Frame, schema: Schema) -> Iterator[Finding]:
    if frame.num_rows < SMALL:
        yield Finding(check="small", severity="warning", column="", message=f"there are only {frame.num_rows} rows",
                      advice="scores on so few rows are uncertain: read their intervals, not their values")  # fmt: skip
    if len(schema.used) > frame.num_rows:
        yield Finding(check="small", severity="warning", column="", message=f"there are more columns ({len(schema.used)}) than rows",
                      advice="leave out columns that cannot matter")  # fmt: skip


def _duplicates(frame: Frame, schema: Schema) -> Iterator[Finding]:
    """Exact copies, and how many test rows a careless split would have shown to the training."""
    sizes = np.unique(row_hashes(frame, schema), return_counts=True)[1]
    copies = int((sizes - 1).sum())
    if not copies:
        return
    twins = sizes[sizes > 1]
    straddling = float((0.2 * twins * (1 - 0.2 ** (twins - 1.0))).sum())
    share = copies / frame.num_rows
    yield Finding(check="duplicates", severity="warning" if share > 0.01 else "info", column="",
                  message=f"{copies:,} of {frame.num_rows:,} rows ({share:.1%}) are exact copies of another; a careless split would have put about "
                  f"{straddling:,.0f} test rows among the training rows as well",
                  advice="copies are kept on one side of the split; ask whether they are real")  # fmt: skip


def _target(frame: Frame, schema: Schema) -> Iterator[Finding]:
    target = schema.target
    assert target is not None
    if target.missing:
        yield Finding(check="missing-target", severity="warning", column=target.name,
                      message=f"{target.missing:,} of {frame.num_rows:,} rows have no {target.name} and are dropped", advice=target.note)  # fmt: skip
    if not target.classes:
        return
    codes = read_target(frame.table[target.name], target)
    counts = np.bincount(codes[codes >= 0], minlength=len(target.classes))
    rare = [label for label, count in zip(target.classes, counts, strict=True) if count < 10]
    if rare:
        shown = ", ".join(f'"{label}"' for label in rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
        yield Finding(check="imbalance", severity="warning", column=target.name, message=f"fewer than 10 rows of class {shown}",
                      advice="such a class can hardly be learned or judged: merge it with another, or find more rows")  # fmt: skip
    least, most = int(counts.argmin()), int(counts.argmax())
    share, fair = counts[least] / counts.sum(), 1 / len(counts)
    if share < 0.2 * fair or counts[most] / counts.sum() > 0.9:
        yield Finding(check="imbalance", severity="warning", column=target.name,
                      message=f'class "{target.classes[least]}" is {share:.1%} of the rows, "{target.classes[most]}" is {counts[most] / counts.sum():.1%}',
                      advice="accuracy alone says little here: look at log-loss, ROC AUC and F1; --set training.class_weights=balanced")  # fmt: skip


def _leakage(frame: Frame, schema: Schema) -> Iterator[Finding]:
    target = schema.target
    assert target is not None
    for name, score in single_column_scores(frame, schema).items():
        if score < SUSPICIOUS[target.task]:
            continue
        number = {"binary": f"ROC AUC {(score + 1) / 2:.3f}", "multiclass": f"{score:.0%} of the errors avoided", "regression": f"R² {score:.3f}"}
        certain = score >= CERTAIN
        yield Finding(check="leakage", severity="problem" if certain else "warning", column=name,
                      message=f'"{name}" alone tells "{target.name}" {"almost perfectly" if certain else "very well"} ({number[target.task]} on held-out rows)',
                      advice=f"if it is not known at the time of prediction: --set columns.{quoted(name)}=ignore")  # fmt: skip


def _unseen(frame: Frame, schema: Schema, split: Split) -> Iterator[Finding]:
    for column in schema.used:
        if column.kind != "category":
            continue
        labels = parse_labels(frame.table[column.name], column.reading)
        known = labels[split.train].drop_nulls().unique()
        judged = labels[split.test].drop_nulls()
        count = int((~judged.is_in(known.to_list())).sum())
        if count:
            yield Finding(check="unseen", severity="info", column=column.name,
                          message=f'{count:,} of {len(split.test):,} test rows have a "{column.name}" that no training row has',
                          advice="they are read as a missing value")  # fmt: skip
