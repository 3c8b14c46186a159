"""The report's sections about the making: what was asked, the data, the split, the learning, how to repeat it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from glasshouse.core.records import (
    AnyEvent,
    EpochEnd,
    Finished,
    LayerStatistics,
    Manifest,
    MemberInfo,
    MemberStopped,
    Metrics,
    Started,
)
from glasshouse.core.settings import Settings
from glasshouse.report import charts, words
from glasshouse.report.markup import Html, element, folded, join, paragraph, table, text
from glasshouse.report.sections import drawing, section

_MANY_ROWS = 30  # of a table; a longer one is folded away
_SEVERITIES = {"problem": "Problem", "warning": "Warning", "info": "Note"}
_REASONS = {
    "schedule": "the planned epochs were done",
    "patience": "no network was getting better",
    "seconds": "the time budget was used up",
    "interrupted": "it was interrupted; the best so far was kept",
}


def pairs(entries: Iterable[tuple[str, Html]]) -> Html:
    """A list of names and what they stand for."""
    return element(
        "dl", join(Html(f"<dt>{text(name)}</dt><dd>{value}</dd>") for name, value in entries), class_="facts"
    )


def asked(settings: Settings, manifest: Manifest, metrics: Metrics) -> Html:
    """What the run was asked to do."""
    budget = f", within {words.duration(settings.run.seconds)}" if settings.run.seconds else ""
    return section(
        "asked",
        "What was asked",
        pairs(
            [
                ("Column to predict", element("b", text(metrics.target))),
                ("From", text(manifest.source.name)),
                ("Kind of question", text(words.task_words(metrics.task, metrics.classes))),
                ("Effort", text(settings.run.effort + budget)),
                ("Answered by", text(_pack_words(settings, metrics))),
                ("Training took", text(words.duration(metrics.seconds))),
            ]
        ),
    )


def _pack_words(settings: Settings, metrics: Metrics) -> str:
    folds = settings.pack.folds or 1
    each = f" of {words.count(folds, 'network')} each" if folds > 1 else ""
    return f"a pack of {words.count(metrics.members, 'member')}{each}, trained side by side"


def data(manifest: Manifest, target: str) -> Html:
    """The columns beside the target, what became of each, and what the checks found."""
    columns = [column for column in manifest.columns if column.get("name") != target]
    used = sum(1 for column in columns if column.get("used", True))
    source = manifest.source
    said = f"{source.name} holds {words.count(source.rows, 'row')} and {words.count(source.columns, 'column')}."
    if columns:
        said += f" {used:,} of {words.count(len(columns), 'column')} beside the target were used."
    rows = [_column_cells(column, source.rows) for column in columns]
    body = table(
        "Columns of the table, and what became of them",
        ["Column", "Kind", "Used", "Missing", "Distinct values", "Examples"],
        rows,
        numeric=(3, 4),
    )
    columns_part = folded(f"All {words.count(len(columns), 'column')}", body, unfolded=len(columns) <= _MANY_ROWS)
    parts = [paragraph(said), columns_part] if columns else [paragraph(said)]
    return section("data", "The data", *parts, _findings(manifest.findings))


def _column_cells(column: dict[str, Any], num_rows: int) -> list[Html]:
    missing = int(column.get("missing", 0))
    share = f" ({words.percent(missing / num_rows)})" if missing and num_rows else ""
    used = column.get("used", True)
    reason = column.get("reason", "")
    return [
        text(column.get("name", "")),
        text(column.get("kind", "")),
        text("yes" if used else f"no: {reason}" if reason else "no"),
        text(f"{missing:,}{share}"),
        text(f"{int(column.get('distinct', 0)):,}"),
        text(", ".join(str(example) for example in column.get("examples", ()))),
    ]


def _findings(findings: Sequence[dict[str, Any]]) -> Html:
    heading = Html("<h3>What the checks found</h3>")
    if not findings:
        return join([heading, paragraph("Nothing: no leaking column, no duplicates, no imbalance worth a word.")])
    order = list(_SEVERITIES)
    ranked = sorted(
        findings, key=lambda one: order.index(one["severity"]) if one.get("severity") in order else len(order)
    )
    items = []
    for one in ranked:
        severity = str(one.get("severity", "info"))
        advice = f' <span class="advice">{text(one["advice"])}</span>' if one.get("advice") else ""
        label = element("b", text(_SEVERITIES.get(severity, severity)))
        items.append(
            element("li", Html(f"{label} {text(one.get('message', ''))}{advice}"), class_=f"finding {severity}")
        )
    return join([heading, element("ul", join(items), class_="findings")])


def split(settings: Settings, metrics: Metrics) -> Html:
    """How many rows went where, and why a test row cannot have been seen."""
    counts = metrics.rows
    parts = [
        ("Train", counts.train, "the networks learn from these"),
        ("Validation", counts.validation, "decide when to stop and which networks answer"),
        ("Calibration", counts.calibration, "measure how far answers are off, for intervals and probabilities"),
        ("Test", counts.test, "judge the result; used once, for this report"),
    ]
    # With folds known rows calibrate the networks that were trained without them, and none is kept for it alone.
    parts = [part for part in parts if part[1] or part[0] != "Calibration"]
    total = max(sum(number for _, number, _ in parts), 1)
    bar = join(
        Html(f'<span class="part {name.lower()}" style="flex-grow:{max(number, 1)}"></span>')
        for name, number, _ in parts
    )
    rows = [
        [
            Html(f'<span class="key {name.lower()}"></span>{text(name)}'),
            text(f"{number:,}"),
            text(words.percent(number / total)),
            text(use),
        ]
        for name, number, use in parts
    ]
    dropped = (
        f" {words.count(counts.dropped, 'row')} without a value of {metrics.target} "
        f"{'was' if counts.dropped == 1 else 'were'} left out."
        if counts.dropped
        else ""
    )
    return section(
        "split",
        "The split",
        Html(f'<div class="bar" aria-hidden="true">{bar}</div>'),
        table("Rows of each part", ["Part", "Rows", "Share", "What they do"], rows, numeric=(1, 2)),
        paragraph(_split_words(settings, metrics) + dropped),
    )


def _split_words(settings: Settings, metrics: Metrics) -> str:
    said = []
    chosen = settings.split
    if isinstance(chosen.test, str):
        said.append(f"The test rows are those of {Path(chosen.test).name}.")
    if chosen.time is not None:
        said.append(f"Rows were sorted by {chosen.time}: the earliest train, the latest test.")
    elif metrics.task == "regression":
        said.append("Rows were drawn at random, so that small and large values are alike in every part.")
    else:
        said.append("Rows were drawn at random, so that every class is equally frequent in every part.")
    if chosen.group is not None:
        said.append(f"Rows that share a value of {chosen.group} stayed in one part.")
    said.append(
        "Rows that are exact copies of one another stayed in one part, so none could be learnt by heart and tested."
    )
    if (folds := settings.pack.folds or 1) > 1:
        said.append(
            f"Train and validation rows were pooled in {folds} folds. A member is {folds} "
            "networks, each learnt without one fold, and every row was judged by the one that had not seen it."
        )
    said.append("Scales, categories and missing-value rules were learnt from the training rows alone.")
    return " ".join(said)


def learning(history: Sequence[AnyEvent]) -> Html:
    """How the pack trained: curves, members, layers."""
    epochs = [event for event in history if isinstance(event, EpochEnd)]
    started = next((event for event in history if isinstance(event, Started)), None)
    finished = next((event for event in reversed(history) if isinstance(event, Finished)), None)
    if not epochs:
        return section("learning", "How it learnt", paragraph("No epoch was recorded."))
    votes = Counter(finished.ensemble_members if finished else epochs[-1].ensemble_members)
    parts = [drawing(charts.curves_chart(epochs, frozenset(votes), finished.best_epoch if finished else None))]
    if finished:
        parts.insert(0, paragraph(_training_words(finished, votes)))
    if started:
        parts.append(_members(started.members, votes, epochs, history))
    layers = next((event.layers for event in reversed(epochs) if event.layers), ())
    if layers:
        parts.append(_layers(layers))
    return section("learning", "How it learnt", *parts)


def _training_words(finished: Finished, votes: Counter[int]) -> str:
    snapshots = sum(votes.values())
    return (
        f"Training ended after {words.count(finished.epochs, 'epoch')} and {words.duration(finished.seconds)}, because "
        f"{_REASONS[finished.reason]}. {words.count(snapshots, 'snapshot')} of {words.count(len(votes), 'member')} "
        f"answer together: their validation loss is {words.figure(finished.ensemble_loss)}, that of the best single "
        f"member {words.figure(finished.best_loss)}."
    )


def _members(
    members: Sequence[MemberInfo], votes: Counter[int], epochs: Sequence[EpochEnd], history: Sequence[AnyEvent]
) -> Html:
    stopped = {event.member: event for event in history if isinstance(event, MemberStopped)}
    total = max(sum(votes.values()), 1)
    best: dict[int, float] = {}
    for end in epochs:
        for member, loss in zip(end.members, end.validation_loss, strict=True):
            if math.isfinite(loss):
                best[member] = min(loss, best.get(member, loss))
    rows = []
    for one in sorted(members, key=lambda member: (-votes[member.member], best.get(member.member, float("inf")))):
        gone = stopped.get(one.member)
        rows.append(
            [
                text(one.member),
                text(words.percent(votes[one.member] / total, 0) if votes[one.member] else "–"),
                text(words.figure(best[one.member]) if one.member in best else "–"),
                text(" → ".join(str(size) for size in one.hidden) or "none"),
                text(f"{one.num_parameters:,}"),
                text(words.figure(one.learning_rate, 2)),
                text(words.figure(one.weight_decay, 2)),
                text(words.figure(one.dropout, 2)),
                text(one.optimiser or "–"),
                text(f"epoch {gone.epoch} ({gone.reason.replace('_', ' ')})" if gone else "the end"),
            ]
        )
    headings = [
        "Member", "Share of the answer", "Best loss", "Hidden layers", "Weights", "Learning rate", "Weight decay",
        "Dropout", "Optimiser", "Trained until",
    ]  # fmt: skip
    body = table("The members of the pack", headings, rows, numeric=range(1, 8))
    return folded(f"The {words.count(len(rows), 'member')}, one by one", body, unfolded=len(rows) <= 8)


def _layers(layers: Sequence[LayerStatistics]) -> Html:
    rows = []
    for layer in layers:
        rows.append(
            [
                text(layer.layer),
                text(words.percent(median(layer.dead), 0)),
                text(words.percent(median(layer.saturated), 0)),
                text(f"{words.figure(median(layer.mean), 2)} ± {words.figure(median(layer.spread), 2)}"),
                text(words.figure(median(layer.gradient_norm), 2)),
                text(words.figure(median(layer.update_ratio), 2)),
            ]
        )
    dead = max((max(layer.dead), layer.layer) for layer in layers)
    worst = (
        f"The most in one network: {words.percent(dead[0], 0)} of the units of layer {dead[1]} are dead."
        if dead[0] > 0
        else "No unit of any network is dead."
    )
    reading = (
        "Medians over the networks at the last recorded epoch. A dead unit is zero for every row and learns nothing; a "
        f"saturated one is stuck at its limit; an update of about 0.001 of the weights a step is healthy. {worst}"
    )
    headings = ["Layer", "Dead units", "Saturated", "Activation", "Gradient norm", "Update / weights"]
    body = table("The state of the layers", headings, rows, numeric=range(1, 6))
    return join([Html("<h3>The health of the layers</h3>"), body, paragraph(reading, class_="reading")])


def repeat(settings: Settings, manifest: Manifest) -> Html:
    """Everything that is needed to do it again."""
    entries = [
        ("Command", element("code", text(manifest.command))),
        ("Seed", text(settings.run.seed)),
        ("Made", text(manifest.created)),
        ("Data (SHA-256)", element("code", text(manifest.source.sha256))),
        *((f"Rows: {part} (SHA-256)", element("code", text(digest))) for part, digest in manifest.split_sha256.items()),
        ("Weights (SHA-256)", element("code", text(manifest.weights_sha256))),
        ("glasshouse", text(manifest.glasshouse + (f" ({manifest.commit})" if manifest.commit else ""))),
        ("Versions", text(", ".join(f"{name} {version}" for name, version in manifest.versions.items()))),
        ("Machine", text(", ".join(f"{name}: {value}" for name, value in manifest.machine.items()))),
    ]
    return section(
        "repeat",
        "How to repeat it",
        paragraph(
            "The same command on the same machine gives the same network to the last bit. `glasshouse reproduce` on "
            "the run’s folder does it and says what matched.".replace("`", "")
        ),
        pairs(entries),
    )
