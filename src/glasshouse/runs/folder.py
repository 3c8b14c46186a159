"""A run folder: what is in it, how it comes to be, and how it is opened again."""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from glasshouse.core.errors import SettingsError
from glasshouse.core.files import write_atomically
from glasshouse.core.options import settings_from_toml, settings_to_toml
from glasshouse.core.records import AnyEvent, Event, Manifest, Metrics
from glasshouse.core.settings import Settings
from glasshouse.model import Model, ModelParts, load, save_parts
from glasshouse.runs.prepare import Prepared, Watch

SETTINGS, MANIFEST, HISTORY, METRICS, MODEL, REPORT = (
    "run.toml", "manifest.json", "history.jsonl", "metrics.json", "model.glass", "report.html",
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A finished run. The model is opened when it is first asked for.

    Attributes:
        folder: where everything is.
        settings: as resolved; enough to repeat the run.
        metrics: every number, measured on the test rows.
        manifest: what the run was made of.
    """

    folder: Path
    settings: Settings
    metrics: Metrics
    manifest: Manifest

    @cached_property
    def model(self) -> Model:
        """What predicts."""
        return load(self.folder / MODEL)

    @property
    def history(self) -> list[AnyEvent]:
        """The events of training, in order."""
        return _history(self.folder)


@dataclass
class OpenFolder:
    """A folder that a run is being written into."""

    path: Path
    history: TextIOWrapper

    def tell(self, event: Any, watch: Watch) -> None:
        """Keeps an event that belongs in the history, and hands every one on."""
        if isinstance(event, Event):
            self.history.write(msgspec.json.encode(event).decode() + "\n")
            self.history.flush()
        watch(event)


@contextmanager
def claim_folder(out: str | Path | None, prepared: Prepared) -> Iterator[OpenFolder]:
    """Makes the run's folder; whatever goes wrong inside takes it away again, so that no half run is left behind.

    A run that lacks nothing but its report is no half run: it stays, and `glasshouse report` can try again.

    Raises:
        SettingsError: the place cannot be used.
    """
    path = Path(out).expanduser() if out is not None else _new_name(prepared)
    existed = path.is_dir()
    _check_place(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        history = (path / HISTORY).open("w", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"the run folder {path} cannot be made: {error.strerror}",
            where="--out",
            expected="a place that can be written",
            fix="--out runs/NAME",
        ) from error
    try:
        with history:
            yield OpenFolder(path, history)
    except BaseException as error:
        if (path / METRICS).is_file():
            error.add_note(f"the run is in {path}, without its report: glasshouse report {shlex.quote(str(path))}")
            raise
        if existed:
            for name in (SETTINGS, MANIFEST, HISTORY, METRICS, MODEL, REPORT):
                (path / name).unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)
        raise


def finish_folder(
    folder: OpenFolder, settings: Settings, metrics: Metrics, manifest: Manifest, parts: ModelParts
) -> Run:
    """Writes everything that a finished run holds, each file whole or not at all, and the metrics last."""
    folder.history.flush()
    path = folder.path
    sections = {"metrics": metrics, **_portable(settings, manifest)}
    save_parts(path / MODEL, dataclasses.replace(parts, sections=msgspec.to_builtins(sections)))
    write_atomically(path / SETTINGS, settings_to_toml(settings))
    write_atomically(path / MANIFEST, _pretty(manifest))
    write_atomically(path / METRICS, _pretty(metrics))
    run = Run(path, settings, metrics, manifest)
    _write_report(run)
    return run


def open_run(folder: str | Path) -> Run:
    """Opens a finished run.

    Raises:
        SettingsError: the folder is not there, or not that of a finished run.
    """
    path = Path(folder).expanduser()
    if not (path / METRICS).is_file():
        what = "is not there" if not path.exists() else "is not the folder of a finished run"
        raise SettingsError(
            f"{path} {what}",
            where="RUN",
            expected=f"a folder with {SETTINGS}, {METRICS} and {MODEL}",
            fix="glasshouse train makes one",
        )
    try:
        settings = settings_from_toml((path / SETTINGS).read_text("utf-8"), str(path / SETTINGS))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path / SETTINGS, error) from error
    return Run(path, settings, _decoded(path / METRICS, Metrics), _decoded(path / MANIFEST, Manifest))


def report(folder: str | Path) -> Path:
    """Writes a run's report again, from the files in its folder.

    Returns:
        Where it is.

    Raises:
        SettingsError: the folder is not that of a finished run.
    """
    return _write_report(open_run(folder))


def _portable(settings: Settings, manifest: Manifest) -> dict[str, Settings | Manifest]:
    """The model travels: it says what it learnt from by name, not where that lies on this machine."""
    names = {settings.source: manifest.source.name}
    split = settings.split
    if isinstance(split.test, str):
        names[split.test] = Path(split.test).name
        split = msgspec.structs.replace(split, test=names[split.test])
    command = shlex.join(names.get(word, word) for word in shlex.split(manifest.command))
    return {
        "settings": msgspec.structs.replace(settings, source=manifest.source.name, split=split),
        "manifest": msgspec.structs.replace(manifest, command=command),
    }


def _write_report(run: Run) -> Path:
    from glasshouse.report import render

    path = run.folder / REPORT
    write_atomically(path, render(run.settings, run.manifest, run.metrics, run.history))
    return path


def _history(folder: Path) -> list[AnyEvent]:
    path = folder / HISTORY
    try:
        lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
        return [msgspec.convert(_measured(line), AnyEvent) for line in lines]
    except (OSError, msgspec.MsgspecError) as error:
        raise _unreadable(path, error) from error


def _measured(value: Any, name: str = "") -> Any:
    """What was written as null because it is no number, as not a number again: losses and the state of layers."""
    if isinstance(value, dict):
        return {key: _measured(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [float("nan") if part is None else _measured(part) for part in value]
    return float("nan") if value is None and name.endswith("_loss") else value


def _decoded(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SettingsError:
    return SettingsError(
        f"{path.name} cannot be read: {error}",
        where=str(path),
        expected="the file as glasshouse wrote it",
        fix="train again",
    )


def _pretty(record: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def _check_place(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise SettingsError(
            f"{path} is a file", where="--out", expected="a folder, new or empty", fix=f"--out {path}-run"
        )
    if path.is_dir() and any(path.iterdir()):
        raise SettingsError(
            f"the folder {path} is not empty",
            where="--out",
            expected="a folder, new or empty",
            fix=f"--out {_free(path)}",
        )


def _new_name(prepared: Prepared) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", Path(prepared.frame.source.name).stem.lower()).strip("-") or "table"
    stamp = datetime.now(UTC).astimezone().strftime("%Y%m%d-%H%M%S")
    return _free(Path("runs") / f"{name}-{stamp}")


def _free(path: Path) -> Path:
    return next(
        candidate
        for number in _numbers()
        if not (candidate := path if not number else path.with_name(f"{path.name}-{number}")).exists()
    )


def _numbers() -> Iterator[int]:
    yield 0
    number = 2
    while True:
        yield number
        number += 1


__all__: Sequence[str] = ("OpenFolder", "Run", "claim_folder", "finish_folder", "open_run", "report")
