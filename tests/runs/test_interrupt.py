"""Ctrl-C keeps the best so far, once there is one; a time budget is kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from glasshouse.core.records import EpochEnd, Finished, Stage
from glasshouse.model import load
from glasshouse.runs import open_run, reproduce
from glasshouse.training.loop import Step

from .conftest import Make
from .test_train import FILES

SOURCE = Path(__file__).resolve().parents[2] / "src"


def interrupt_at(epoch: int, kind: Any) -> Any:
    """A watcher that presses Ctrl-C once, at the first such event of an epoch."""
    pressed: list[Any] = []

    def watch(event: Any) -> None:
        if isinstance(event, kind) and event.epoch == epoch and not pressed:
            pressed.append(event)
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("kind", [Step, EpochEnd])
def test_ctrl_c_in_the_third_epoch_keeps_the_best_so_far(small: Make, kind: type) -> None:
    run = small("example:iris", "species", watch=interrupt_at(3, kind), settings={"training.epochs": 400})
    assert {path.name for path in run.folder.iterdir()} == FILES
    assert any("interrupted" in warning for warning in run.metrics.warnings)
    ends = [event for event in run.history if isinstance(event, EpochEnd)]
    judged = 2 if kind is Step else 3
    assert len(ends) == judged and run.history[-1].reason == "interrupted"
    assert len(run.model.predict("example:iris")) == 150
    assert max(origin.epoch for origin in run.model.parts.origins) <= judged
    result = reproduce(run.folder)
    assert result.everything, [row for row in result.rows if not row.matches]


@pytest.mark.parametrize("stage", ["read", "train"])
def test_ctrl_c_before_there_is_a_network_leaves_nothing(small: Make, tmp_path: Path, stage: str) -> None:
    def watch(event: Any) -> None:
        if isinstance(event, Stage) and event.stage == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small("example:iris", "species", watch=watch)
    assert not list(tmp_path.iterdir())


def test_ctrl_c_in_the_first_epoch_leaves_nothing(small: Make, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        small("example:iris", "species", watch=interrupt_at(1, Step))
    assert not list(tmp_path.iterdir())


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """`glasshouse train` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-m",
        "glasshouse",
        "train",
        "example:diabetes",
        "--target",
        "progression",
        "--out",
        "run",
    ]
    return subprocess.Popen(
        [*command, *words], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_real_ctrl_c_on_the_command_line(tmp_path: Path) -> None:
    started = start(tmp_path, "--effort", "quick", "--set", "training.epochs=100000", "--set", "training.patience=0")
    history = tmp_path / "run" / "history.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (history.exists() and history.read_text().count('"epoch"') > 2):
        assert started.poll() is None, started.communicate()
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 0, err
    assert "interrupted" in err and "Traceback" not in err + out
    run = open_run(tmp_path / "run")
    assert run.history[-1].reason == "interrupted"
    assert len(load(tmp_path / "run").predict("example:diabetes")) == 442


def test_a_budget_ends_the_run_with_its_schedule_finished_and_can_be_repeated(small: Make) -> None:
    begin = time.perf_counter()
    options = {"training.epochs": 100_000, "training.patience": 0, "optimiser.schedule": "cosine"}
    run = small("example:diabetes", "progression", seconds=2.5, settings=options)
    took = time.perf_counter() - begin
    ends = [event for event in run.history if isinstance(event, EpochEnd)]
    assert 0.8 < took < 6, "a loaded machine may be late; the strict measurement is the slow test"
    assert run.history[-1].reason == "seconds" and ends[-1].progress == 1.0
    assert max(ends[-1].learning_rate) < 1e-9 < max(ends[0].learning_rate), "the cosine has come to its end"
    assert all(a.progress <= b.progress for a, b in pairwise(ends))
    assert run.settings.run.pace and run.settings.run.seconds == 2.5
    result = reproduce(run.folder)
    assert result.everything, [row for row in result.rows if not row.matches]


def test_a_slow_judgement_leaves_less_of_the_budget_to_training(small: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring that is slow on a few rows will be slow in the end: training has to make room for it."""
    monkeypatch.setattr(sys.modules["glasshouse.runs.train"], "score", lambda *_, **__: time.sleep(0.3))
    options = {"training.epochs": 100_000, "training.patience": 0}
    run = small("example:diabetes", "progression", seconds=4.0, settings=options)
    last = run.history[-1]
    assert isinstance(last, Finished) and last.seconds < 3.0, "four seconds less five times 0.3"


@pytest.mark.slow
def test_twenty_seconds_are_kept_and_only_starting_comes_on_top(tmp_path: Path) -> None:
    begin = time.perf_counter()
    started = start(tmp_path, "--seconds", "20", "--effort", "thorough", "--set", "training.patience=0")
    _, err = started.communicate(timeout=120)
    took = time.perf_counter() - begin
    assert started.returncode == 0, err
    run = open_run(tmp_path / "run")
    ends = [event for event in run.history if isinstance(event, EpochEnd)]
    assert ends[-1].progress == 1.0
    # What lies outside its own clock is starting up: as long as it takes here and now, on this machine with its load.
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch, sklearn, polars, glasshouse.runs"], check=True)
    starting = time.perf_counter() - begin
    assert run.metrics.seconds <= 22
    assert took - run.metrics.seconds <= 2.0 + 3.0 * starting, (
        f"{took:.1f} s in all, {run.metrics.seconds:.1f} s by its own clock, {starting:.1f} s to start"
    )
