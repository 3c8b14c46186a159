"""`compare`: runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from glasshouse.core.errors import SettingsError
from glasshouse.core.records import Record, Scores
from glasshouse.runs.folder import Run, open_run

LOWER_IS_BETTER = ("rmse", "mae", "log_loss")


class ComparedRun(Record):
    """One run's scores on its own test rows."""

    name: str
    scores: Scores
    members: int
    seconds: float


class Difference(Record):
    """A setting that not all runs share, with what each had."""

    setting: str
    values: tuple[str, ...]


class Comparison(Record):
    """Runs, the best first. `notes` says what makes them hard to compare."""

    metric: str
    rows: tuple[ComparedRun, ...]
    best: int
    differences: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()


def compare(folders: Sequence[str | Path]) -> Comparison:
    """Puts the scores of runs side by side, and what was set differently.

    Raises:
        SettingsError: a folder is not that of a finished run, or the runs predict different things.
    """
    if not folders:
        raise SettingsError(
            "there is no run to compare", where="RUN", expected="the folders of at least one finished run"
        )
    runs = [open_run(folder) for folder in folders]
    tasks = {(run.metrics.target, run.metrics.task) for run in runs}
    if len(tasks) > 1:
        asked = "; ".join(f"{run.folder.name}: {run.metrics.target} ({run.metrics.task})" for run in runs[:5])
        raise SettingsError("the runs predict different things", where=asked, expected="runs of one target")
    metric = runs[0].metrics.metric
    sign = 1 if metric in LOWER_IS_BETTER else -1
    runs.sort(key=lambda run: sign * run.metrics.ensemble[metric].value)
    notes = []
    if len({run.manifest.source.sha256 for run in runs}) > 1:
        notes.append("the runs read different tables")
    if len({run.manifest.split_sha256.get("test") for run in runs}) > 1:
        notes.append("the runs were judged on different test rows: small differences may come from that")
    rows = tuple(
        ComparedRun(
            name=str(run.folder), scores=run.metrics.ensemble, members=run.metrics.members, seconds=run.metrics.seconds
        )
        for run in runs
    )
    return Comparison(metric=metric, rows=rows, best=0, differences=_differences(runs), notes=tuple(notes))


def _differences(runs: list[Run]) -> tuple[Difference, ...]:
    flat = [flat_settings(msgspec.to_builtins(run.settings)) for run in runs]
    names = dict.fromkeys(name for settings in flat for name in settings)
    found = []
    for name in names:
        values = tuple(_shown(settings.get(name)) for settings in flat)
        if len(set(values)) > 1 and name != "run.pace":
            found.append(Difference(setting=name, values=values))
    return tuple(found)


def flat_settings(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name.

    Example:
        >>> flat_settings({"run": {"seed": 0}})
        {'run.seed': 0}
    """
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        flat |= flat_settings(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _shown(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
