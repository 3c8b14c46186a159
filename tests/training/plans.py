"""Small plans, tables and whole trainings that several tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from glasshouse.core.options import build_settings
from glasshouse.core.records import EpochEnd, Task
from glasshouse.data.encode import Features
from glasshouse.network.spec import FeatureSpec
from glasshouse.training.fit import Trained, TrainingData, fit
from glasshouse.training.plan import Plan, decide_folds, make_plan

TINY = {
    "network.width": 12, "pack.members": 4, "training.epochs": 6, "training.batch_size": 32, "pack.folds": 1,
    "run.device": "cpu",  # also where there is a graphics card, which has tests of its own
}  # fmt: skip


def features(numbers: np.ndarray, cardinalities: tuple[int, ...] = ()) -> Features:
    """Features of numbers, and of categories that say roughly how large the first of them is."""
    rows = len(numbers)
    codes = [np.digitize(numbers[:, 0], np.linspace(-2, 2, count - 1)) for count in cardinalities]
    categories = np.stack(codes, axis=1) if codes else np.zeros((rows, 0), np.int64)
    return Features(numbers.astype(np.float32), np.zeros((rows, 0), np.int8), categories)


def table(task: Task, rows: int, seed: int = 0, columns: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and a target that follows from them, with some noise."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, columns)).astype(np.float32)
    signal = 3 * numbers[:, 0] - 2 * numbers[:, 1] + numbers[:, 2] ** 2 + 0.5 * random.normal(size=rows)
    if task == "regression":
        return numbers, (signal - signal.mean()) / signal.std()
    edges = [0.5] if task == "binary" else [-1.0, 2.0]
    return numbers, np.digitize(signal, edges).astype(np.int64)


def planned(
    task: Task = "regression", rows: int = 160, cardinalities: tuple[int, ...] = (), **settings: Any
) -> tuple[Plan, TrainingData]:
    """A plan and its data; settings by dotted name, `__` for the dot."""
    given = {name.replace("__", "."): value for name, value in settings.items()}
    asked = build_settings({"source": "none", "target": "y", **TINY, **given})
    numbers, target = table(task, rows)
    held, held_target = table(task, 80, seed=1)
    asked = decide_folds(asked, rows)
    classes = {"regression": 0, "binary": 2, "multiclass": 3}[task]
    spec = FeatureSpec(num_numbers=numbers.shape[1], num_flags=0, cardinalities=cardinalities)
    plan = make_plan(asked, task, classes, spec, numbers)
    return plan, TrainingData(features(numbers, cardinalities), target, features(held, cardinalities), held_target)


def run(plan: Plan, data: TrainingData, watch: Callable[[Any], None] | None = None) -> tuple[list[Any], Trained]:
    """Every event but the steps, and what training left."""
    events: list[Any] = []
    stream = fit(plan, data)
    while True:
        try:
            event = next(stream)
        except StopIteration as end:
            return events, end.value
        if watch is not None:
            watch(event)
        if not isinstance(event, tuple):
            events.append(event)


def epochs(events: list[Any]) -> list[EpochEnd]:
    """The ends of epochs among some events."""
    return [event for event in events if isinstance(event, EpochEnd)]
