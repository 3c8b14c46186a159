"""A stand-in for the room that does the work, so that the command line is judged by itself and in milliseconds."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasshouse.core.records import (
    AnyEvent,
    EpochEnd,
    Finished,
    MemberInfo,
    Metrics,
    RowCounts,
    Score,
    Scores,
    Stage,
    Started,
)


def scores(accuracy: float) -> Scores:
    return {
        "accuracy": Score(value=accuracy, low=accuracy - 0.03, high=accuracy + 0.02),
        "log_loss": Score(value=1.1 - accuracy, low=1.0 - accuracy, high=1.2 - accuracy),
        "roc_auc": Score(value=accuracy, low=accuracy - 0.02, high=accuracy + 0.01),
        "f1": Score(value=accuracy, low=accuracy - 0.04, high=accuracy + 0.03),
    }


def metrics(**changes: Any) -> Metrics:
    values: dict[str, Any] = {
        "task": "binary",
        "target": "diagnosis",
        "metric": "accuracy",
        "rows": RowCounts(train=320, validation=80, calibration=55, test=114),
        "seconds": 12.3,
        "members": 16,
        "baseline": scores(0.632),
        "linear": scores(0.947),
        "best_single": scores(0.956),
        "ensemble": scores(0.974),
    }
    return Metrics(**{**values, **changes})


def events(num_members: int = 16, epochs: int = 20) -> Iterator[AnyEvent]:
    """What a run says of itself."""
    yield Stage(stage="read", detail="569 rows, 31 columns")
    yield Stage(stage="split", detail="stratified: 320 train, 80 validation, 55 calibration, 114 test rows")
    yield Stage(stage="train")
    infos = tuple(
        MemberInfo(member=i, hidden=(64,), num_parameters=4000 + 100 * i, learning_rate=0.01, weight_decay=0, dropout=0)
        for i in range(num_members)
    )
    yield Started(members=infos, epochs=epochs, steps_per_epoch=2, batch_size=64, device="cpu", precision="float32")
    for epoch in range(1, epochs + 1):
        training = tuple(range(num_members - (epoch * num_members) // (2 * epochs)))
        each = (0.5 / epoch,) * len(training)
        yield EpochEnd(
            epoch=epoch, epochs=epochs, seconds=0.5 * epoch, progress=epoch / epochs, members=training, train_loss=each,
            validation_loss=each, learning_rate=each, ensemble_loss=0.4 / epoch, ensemble_members=(0, 0, 1),
        )  # fmt: skip
    yield Finished(
        reason="patience", epochs=epochs, seconds=10.2, ensemble_members=(0, 0, 3, 5), ensemble_loss=0.0712,
        best_member=3, best_epoch=9, best_loss=0.081,
    )  # fmt: skip
    yield Stage(stage="evaluate", detail="114 test rows")


class Runs(types.ModuleType):
    """The verbs of `glasshouse.runs`: each notes its arguments and answers with what the test has set."""

    def __init__(self) -> None:
        super().__init__("glasshouse.runs")
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        self.failure: BaseException | None = None

    def _answer(self, name: str, *arguments: Any, **options: Any) -> Any:
        watch = options.pop("watch", None)
        self.calls.append((name, arguments, options))
        if watch is not None:
            for event in events():
                watch(event)
        if self.failure is not None:
            raise self.failure
        return self.answers[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments, **options: self._answer(name, *arguments, **options)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    """The stand-in, in place of the room, with a training run to answer with."""
    stand_in = Runs()
    stand_in.answers["train"] = types.SimpleNamespace(folder=tmp_path / "a run", metrics=metrics())
    monkeypatch.setitem(sys.modules, "glasshouse.runs", stand_in)
    return stand_in


@pytest.fixture
def cli_events() -> list[AnyEvent]:
    """What a run of 16 networks says of itself."""
    return list(events())


@pytest.fixture
def cli_metrics() -> Metrics:
    """The scores of a run."""
    return metrics()
