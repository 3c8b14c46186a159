"""`reproduce`: runs a run again from its `run.toml`, and says what came out the same."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from glasshouse.core.errors import DataError
from glasshouse.core.records import Record
from glasshouse.core.settings import Settings
from glasshouse.runs.compare import flat_settings
from glasshouse.runs.folder import Run, open_run
from glasshouse.runs.prepare import MEMORY, Watch
from glasshouse.runs.train import train


class Check(Record):
    """One thing that should be the same."""

    what: str
    was: str
    now: str
    matches: bool


class Reproduction(Record):
    """What a second run of the same settings gave."""

    rows: tuple[Check, ...]

    @property
    def everything(self) -> bool:
        """Whether nothing differs."""
        return all(row.matches for row in self.rows)


def reproduce(folder: str | Path, *, source: object = None, watch: Watch | None = None) -> Reproduction:
    """Trains again exactly as a run was, and compares data, split, weights and scores.

    The same machine, versions and number of threads give the same weights to the bit; elsewhere the rows say what
    differs. A run under a time budget is repeated step by step, not by the clock.

    Args:
        folder: of a finished run.
        source: the table, where it was one in memory or has moved.
        watch: called with every event.

    Raises:
        SettingsError: the folder is not that of a finished run.
        DataError: the table is no longer there.
    """
    run = open_run(folder)
    if source is None and run.settings.source == MEMORY:
        raise DataError(
            "the run learnt from a table in memory, which is gone",
            where=str(run.folder),
            expected="the table",
            fix="glasshouse.runs.reproduce(folder, source=table)",
        )
    with tempfile.TemporaryDirectory() as place:
        again = train(
            run.settings.source if source is None else source, target=run.settings.target, watch=watch,
            out=Path(place) / "again", settings=_assignments(run.settings),
        )  # fmt: skip
        return Reproduction(rows=tuple(_compared(run, again)))


def _assignments(settings: Settings) -> dict[str, object]:
    flat = flat_settings(msgspec.to_builtins(settings))
    return {name: value for name, value in flat.items() if name not in ("source", "target") and value is not None}


def _compared(was: Run, now: Run) -> list[Check]:
    pairs: list[tuple[str, str, str]] = [("data", was.manifest.source.sha256, now.manifest.source.sha256)]
    for part, digest in was.manifest.split_sha256.items():
        pairs.append((f"{part} rows", digest, now.manifest.split_sha256.get(part, "")))
    pairs.append(("weights", was.manifest.weights_sha256, now.manifest.weights_sha256))
    pairs += [
        (name, repr(score.value), repr(now.metrics.ensemble[name].value))
        for name, score in was.metrics.ensemble.items()
    ]
    for name, value in (was.manifest.versions | was.manifest.machine | {"glasshouse": was.manifest.glasshouse}).items():
        there = now.manifest.versions | now.manifest.machine | {"glasshouse": now.manifest.glasshouse}
        if there.get(name) != value:  # only what differs is worth a line
            pairs.append((name, value, there.get(name, "")))
    return [Check(what=what, was=before, now=after, matches=before == after) for what, before, after in pairs]
