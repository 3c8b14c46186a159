"""`train`: from a table to a run folder with a network, its scores and its report."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar, Unpack

import msgspec
import numpy as np

from glasshouse.core.records import Metrics, RowCounts, Stage
from glasshouse.core.seeds import derive_seed
from glasshouse.evaluation.baselines import linear_outputs, naive_outputs
from glasshouse.evaluation.judge import Judged, judge
from glasshouse.evaluation.scores import score
from glasshouse.model import Model, ModelParts
from glasshouse.model.uncertainty import apply_temperature
from glasshouse.runs.folder import Run, claim_folder, finish_folder
from glasshouse.runs.learn import calibrated, data_for, parts_of, plan_for
from glasshouse.runs.manifest import make_manifest
from glasshouse.runs.prepare import Prepared, Watch, ignore, prepare, settings_for
from glasshouse.training.fit import Trained, fit

T = TypeVar("T")
SCORED_AT_FIRST = 2_000  # test rows that the cost of judging is measured on
SCORED_SETS = 5  # sets of predictions that are scored in the end, about
MOST_RESAMPLED = 40_000  # rows from which the bootstrap draws fewer resamples, and costs no more
INTERRUPTED = "training was interrupted: the networks are the best until then"


class TrainOptions(TypedDict, total=False):
    """The options of `train`, with the command line's words."""

    out: str | Path | None  # the run folder; a new one under runs/ if left out
    effort: str | None  # quick, standard or thorough
    seconds: float | None  # end within about so many
    seed: int | None
    test: float | str | Path | None  # a fraction, or a file of test rows
    group: str | None  # a column whose rows stay together
    time: str | None  # a column whose early rows train and late rows judge
    settings: Mapping[str, Any] | None  # everything else, by dotted name


def train(source: object, *, target: str, watch: Watch | None = None, **options: Unpack[TrainOptions]) -> Run:
    """Trains a pack of networks on a table, and judges, calibrates, reports and keeps what came of it.

    Args:
        source: a path, "example:NAME", or a table in memory (polars, pandas, arrow, NumPy, a mapping of columns).
        target: the column to predict.
        watch: called with every event of the run; it must change nothing.
        options: see `TrainOptions`.

    Returns:
        The run: its folder, model, metrics, settings and manifest.

    Raises:
        DataError: the table cannot be read, or cannot answer the question.
        SettingsError: an option is wrong.
        TrainingError: no network could be trained.

    Example:
        >>> import tempfile, glasshouse as gh
        >>> run = gh.train("example:iris", target="species", seconds=2, out=tempfile.mkdtemp() + "/run")
        >>> run.metrics.ensemble["accuracy"].value > 0.8
        True
    """
    begin = time.perf_counter()
    watch = watch or ignore
    asked = settings_for(source, target, options)
    prepared = prepare(source, asked, watch)
    data = data_for(prepared)
    plan = plan_for(prepared, data)
    simple = _simple(prepared)
    with claim_folder(options.get("out"), prepared) as folder:
        watch(Stage(stage="train", detail=str(folder.path)))
        trained = _drain(
            fit(plan, data, _deadline(prepared, begin, simple.judging)),
            lambda event: folder.tell(event, watch),
        )
        settings = plan.settings
        if trained.decisions:
            settings = msgspec.structs.replace(
                settings, run=msgspec.structs.replace(settings.run, pace=trained.decisions)
            )
        watch(Stage(stage="evaluate"))
        parts, uncalibrated = calibrated(prepared, trained)
        warnings = (INTERRUPTED,) * trained.interrupted + prepared.frame.notes
        metrics = _judged(prepared, trained, parts, uncalibrated, warnings, simple)
        metrics = msgspec.structs.replace(metrics, seconds=time.perf_counter() - begin)
        manifest = make_manifest(prepared, asked, settings, parts)
        watch(Stage(stage="report"))
        return finish_folder(folder, settings, metrics, manifest, parts)


class Simple(NamedTuple):
    """What simple ways to predict say of the test rows, and how long judging the networks there will take."""

    naive: np.ndarray  # (rows,) or (rows, classes)
    linear: np.ndarray
    judging: float  # seconds, estimated


def _simple(prepared: Prepared) -> Simple:
    """Before training, so that whoever has little time knows how much of it the judgement needs."""
    split, target, features = prepared.split, prepared.target, prepared.features
    assert prepared.schema.target is not None, "a run has a target"
    task, classes = prepared.schema.target.task, len(prepared.schema.target.classes)
    known = np.concatenate([split.train, split.validation])
    seed = derive_seed(prepared.settings.run.seed, "bootstrap")
    naive = naive_outputs(task, target[known], len(split.test), classes)
    linear = linear_outputs(task, features.take(known), target[known], features.take(split.test), seed, classes)
    if prepared.settings.run.seconds is None:
        return Simple(naive, linear, 0.0)
    few = min(len(split.test), SCORED_AT_FIRST)
    begin = time.perf_counter()
    score(task, target[split.test[:few]], linear[:few], seed=seed)
    judging = (time.perf_counter() - begin) * min(len(split.test), MOST_RESAMPLED) / few
    return Simple(naive, linear, SCORED_SETS * judging)


def _deadline(prepared: Prepared, begin: float, judging: float) -> float | None:
    """When training has to end, so that judging and reporting fit into the budget too."""
    seconds = prepared.settings.run.seconds
    if seconds is None:
        return None
    return begin + seconds - min(0.5 * seconds, max(0.5, 0.1 * seconds, 0.05 * seconds + judging))


def _drain(events: Generator[Any, None, T], tell: Watch) -> T:
    """Hands every event on and returns what the generator returns."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            tell(event)
        except KeyboardInterrupt as interrupt:  # Ctrl-C while somebody watches: training is told, as if it were there
            try:
                tell(events.throw(interrupt))
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]


def _judged(
    prepared: Prepared,
    trained: Trained,
    parts: ModelParts,
    uncalibrated: Model,
    warnings: tuple[str, ...],
    simple: Simple,
) -> Metrics:
    split, target, task = prepared.split, prepared.target, uncalibrated.task
    test = prepared.frame.take(split.test)
    said = uncalibrated.outputs(test)
    single = Model(parts_of(prepared, trained.best_single)).outputs(test)
    outputs = said.outputs
    if task != "regression":
        outputs = apply_temperature(outputs, parts.uncertainty.temperature)
    private = {finding.column for finding in prepared.findings if finding.check == "personal-data"}
    shown = [column.name for column in prepared.schema.used if column.name not in private]
    counts = {part: len(getattr(split, part)) for part in ("train", "validation", "calibration", "test", "dropped")}
    return judge(Judged(
        task=task, target=parts.target.name, classes=uncalibrated.classes, actual=target[split.test], outputs=outputs,
        uncalibrated=said.outputs, spread=said.spread, best_single=single.outputs,
        naive=simple.naive, linear=simple.linear,
        uncertainty=parts.uncertainty, row_numbers=split.test + 1, table=test.table.select(shown),
        counts=RowCounts(**counts), seconds=0.0, members=trained.members,
        seed=derive_seed(prepared.settings.run.seed, "bootstrap"), warnings=warnings,
    ))  # fmt: skip
