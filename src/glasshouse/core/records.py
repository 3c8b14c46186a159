"""The records that leave a run: scores, metrics, manifest, and the events of training.

All are frozen; they are what `metrics.json`, `manifest.json` and `history.jsonl` hold, and what the
report, the command line and later the lab read. Nobody reads those files in another shape.
"""

from __future__ import annotations

from typing import Any, Literal, dataclass_transform

import msgspec

Task = Literal["regression", "binary", "multiclass"]


# Type checkers do not know that msgspec's `frozen` passes on to subclasses, unless this says so.
@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen value with named fields; an unknown field is an error."""


# --- metrics.json ---------------------------------------------------------------------------------------------------


class Score(Record):
    """One score on the test rows with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


Scores = dict[str, Score]  # accuracy, log_loss, roc_auc, f1 | rmse, mae, r2


class RowCounts(Record):
    """How many rows went where."""

    train: int
    validation: int
    calibration: int
    test: int
    dropped: int = 0  # rows whose target was missing


class Coverage(Record):
    """Whether the promised intervals (or label sets) held on the test rows.

    `size` is the mean interval width in the target's unit, or the mean number of labels in a set.
    """

    confidence: float
    covered: float
    low: float
    high: float
    size: float


class Calibration(Record):
    """The temperature, and what it did to held-out log-loss.

    `bins` is the reliability curve on the test rows: (mean predicted probability, observed frequency, rows).
    """

    temperature: float
    accepted: bool
    log_loss_before: float
    log_loss_after: float
    error_before: float  # expected calibration error on the test rows, a fraction
    error_after: float
    bins: tuple[tuple[float, float, int], ...] = ()


class Mistake(Record):
    """One of the rows that the model got most wrong. `row` counts data rows from 1, as the file has them."""

    row: int
    actual: str
    predicted: str
    error: float  # regression: predicted - actual; classification: minus log probability of the true class
    values: dict[str, str] = {}


class Diagnostics(Record):
    """What the report draws beside the scores."""

    scatter: tuple[tuple[float, float], ...] = ()  # (actual, predicted), at most 2,000 test rows
    error_edges: tuple[float, ...] = ()  # histogram of predicted - actual, or of the true class's probability
    error_counts: tuple[int, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()  # (actual class, predicted class)
    mistakes: tuple[Mistake, ...] = ()


class Metrics(Record):
    """`metrics.json`: every number of a run, measured on the test rows by one prediction path."""

    task: Task
    target: str
    metric: str  # the score that leads the tables: accuracy or rmse
    rows: RowCounts
    seconds: float
    members: int
    baseline: Scores
    linear: Scores
    best_single: Scores
    ensemble: Scores
    classes: tuple[str, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    calibration: Calibration | None = None
    diagnostics: Diagnostics = Diagnostics()
    warnings: tuple[str, ...] = ()


# --- events of training, one line each in history.jsonl ---------------------------------------------------------------


class Event(Record, tag_field="event"):
    """Something that happened while a pack trained."""


class Stage(Event, tag="stage"):
    """The run entered a stage: read, check, split, encode, train, evaluate, report, save."""

    stage: str
    detail: str = ""


class MemberInfo(Record):
    """What one member was given."""

    member: int
    hidden: tuple[int, ...]
    num_parameters: int
    learning_rate: float
    weight_decay: float
    dropout: float
    embedding: str = "none"  # how it reads numbers
    optimiser: str = ""  # what moves it; runs of before do not say


class Started(Event, tag="started"):
    """Training is about to begin. `seconds` is the budget, where there is one."""

    members: tuple[MemberInfo, ...]
    epochs: int
    steps_per_epoch: int
    batch_size: int
    device: str
    precision: str
    seconds: float | None = None
    folds: int = 1  # networks a member consists of; per-member numbers are means over them


class LayerStatistics(Record):
    """The state of one layer over a probe batch, one number a member, in the order of `EpochEnd.members`.

    `dead`: fraction of units that are zero on every probe row. `saturated`: fraction of activations within 1 % of a
    bound of a bounded activation. `update_ratio`: length of the last update over the length of the weights.
    Members that are too shallow to have the layer are not listed; `members` says who is.
    """

    layer: str
    members: tuple[int, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    dead: tuple[float, ...]
    saturated: tuple[float, ...]
    gradient_norm: tuple[float, ...]
    update_ratio: tuple[float, ...]


class EpochEnd(Event, tag="epoch"):
    """One pass over the training rows is done. Losses are nats per row, or squared error in target deviations."""

    epoch: int  # counts from 1
    epochs: int  # as planned now; a time budget moves it
    seconds: float  # since the start
    progress: float  # of the schedule, in [0, 1]
    members: tuple[int, ...]  # still training; every per-member tuple below is in this order
    train_loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    learning_rate: tuple[float, ...]
    ensemble_loss: float
    ensemble_members: tuple[int, ...]  # one entry a snapshot; a member may appear twice
    layers: tuple[LayerStatistics, ...] = ()


class MemberStopped(Event, tag="member_stopped"):
    """A member left the pack; its best weights are kept."""

    member: int
    epoch: int
    best_epoch: int
    best_loss: float
    reason: Literal["patience", "halving", "not_finite"]


class Finished(Event, tag="finished"):
    """Training is over; the ensemble is chosen."""

    reason: Literal["schedule", "patience", "seconds", "interrupted"]
    epochs: int
    seconds: float
    ensemble_members: tuple[int, ...]
    ensemble_loss: float
    best_member: int
    best_epoch: int
    best_loss: float


AnyEvent = Stage | Started | EpochEnd | MemberStopped | Finished


# --- manifest.json ----------------------------------------------------------------------------------------------------


class SourceRecord(Record):
    """One input: what was read, and its hash."""

    name: str
    rows: int
    columns: int
    size_bytes: int
    sha256: str


class Manifest(Record):
    """`manifest.json`: what a run was made of, enough to say what differs when it is repeated."""

    glasshouse: str
    created: str  # ISO 8601, UTC
    command: str
    source: SourceRecord
    split_sha256: dict[str, str]  # of each part's row hashes, in order
    weights_sha256: str
    seeds: dict[str, int]
    versions: dict[str, str]
    machine: dict[str, str]  # os, processor, device, threads, precision
    commit: str = ""
    columns: tuple[dict[str, Any], ...] = ()  # the schema as it was read, one object a column
    findings: tuple[dict[str, Any], ...] = ()  # what the data checks said
