"""What the benches of training share: the textbook's loop, ours on the same rows, how both are timed and told."""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from benchmarks.telling import show
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from glasshouse.core.options import build_settings
from glasshouse.core.records import EpochEnd, Task
from glasshouse.data.encode import Features
from glasshouse.network.spec import FeatureSpec
from glasshouse.training.devices import clock_of
from glasshouse.training.fit import TrainingData, fit
from glasshouse.training.plan import decide_folds, make_plan

Array = np.ndarray[Any, Any]


def table(rows: int, columns: int, classes: int = 0, seed: int = 0) -> tuple[Array, Array]:
    """Numbers and a target that follows from them, with some noise: a number of spread 1, or a class."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, columns)).astype(np.float32)
    signal = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * random.normal(size=rows)
    if classes:
        return x, np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes)).astype(np.int64)
    return x, ((signal - signal.mean()) / signal.std()).astype(np.float32)


def textbook(
    x: Array, y: Array, hidden: tuple[int, ...], batch_size: int, epochs: int, seed: int = 0, device: str = "cpu"
) -> list[float]:
    """The textbook's complete example: Sequential, DataLoader, Adam, the five steps; the mean loss of each epoch."""
    torch.manual_seed(seed)
    outputs = 1 if y.dtype.kind == "f" else int(y.max()) + 1
    sizes = [x.shape[1], *hidden, outputs]
    layers = [part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())][:-1]
    model = nn.Sequential(*layers).to(device)
    criterion = nn.MSELoss() if y.dtype.kind == "f" else nn.CrossEntropyLoss()
    target = torch.from_numpy(y).reshape(-1, 1) if y.dtype.kind == "f" else torch.from_numpy(y)
    loader = DataLoader(TensorDataset(torch.from_numpy(x), target), batch_size=batch_size, shuffle=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch_x, batch_y in loader:
            optimiser.zero_grad()
            loss = criterion(model(batch_x.to(device)), batch_y.to(device))
            loss.backward()
            optimiser.step()
            total += loss.item()
        losses.append(total / len(loader))
    return losses


def ours(
    x: Array,
    y: Array,
    hidden: tuple[int, ...],
    batch_size: int,
    epochs: int,
    members: int = 1,
    device: str = "cpu",
    **settings: Any,
) -> list[float]:
    """A pack of the same network through `training.fit`: the mean loss of each epoch, over its members.

    What is timed is all that the estimators do between the encoded table and the trained pack: the plan, the network,
    the loop, each epoch's scores on the validation rows (as few as it takes, since the textbook has none) and the
    choice of what to keep. Nobody looks into the layers, as nobody does in the textbook's loop.
    """
    asked = build_settings({
        "source": "none", "target": "y", "network.hidden": list(hidden), "pack.members": members, "pack.folds": 1,
        "training.batch_size": batch_size, "training.epochs": epochs, "training.patience": 0,
        "optimiser.name": "adam", "optimiser.learning_rate": 1e-3, "optimiser.schedule": "constant",
        "optimiser.weight_decay": 0.0, "network.dropout": 0.0, "network.embedding": "none", "run.device": device,
        **settings,
    })  # fmt: skip
    task: Task = "regression" if y.dtype.kind == "f" else "multiclass"
    classes = 0 if task == "regression" else int(y.max()) + 1
    spec = FeatureSpec(num_numbers=x.shape[1], num_flags=0)
    plan = make_plan(decide_folds(asked, len(x)), task, classes, spec, x)
    data = TrainingData(_features(x), y, _features(x[:32]), y[:32])
    return [float(np.mean(event.train_loss)) for event in fit(plan, data, watched=False) if isinstance(event, EpochEnd)]


def _features(x: Array) -> Features:
    return Features(x, np.zeros((len(x), 0), np.float32), np.zeros((len(x), 0), np.int64))


def timed(contenders: dict[str, Callable[[], Any]], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Each contender in turn, again and again, so that a slow moment of the machine hits all alike.

    Returns:
        (the median seconds of each, what each returned last).
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    results: dict[str, Any] = {}
    for name, run in contenders.items():  # once unmeasured: imports, caches, first allocations
        results[name] = run()
    for _ in range(repeats):
        for name, run in contenders.items():
            start = time.perf_counter()
            results[name] = run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}, results


def peak_gigaflops(size: int, device: str = "cpu", repeats: int = 20) -> float:
    """What plain float32 matrix products reach there, in 10⁹ operations a second: the best of several."""
    clock = clock_of(torch.device(device))
    a, b, out = (torch.randn(size, size, device=device) for _ in range(3))
    best = float("inf")
    for _ in range(repeats):
        start = clock()
        torch.mm(a, b, out=out)
        best = min(best, clock() - start)
    return 2.0 * size**3 / best / 1e9


def tell(measure: Callable[[int, int], dict[str, Any]], description: str | None, repeats: int, epochs: int) -> None:
    """Reads the command line, measures, and prints what was found: one JSON object, or a line a figure."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--epochs", type=int, default=epochs)
    arguments = parser.parse_args()
    show(measure(arguments.repeats, arguments.epochs), as_json=arguments.json)


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "capability": torch.backends.cpu.get_cpu_capability(),
    }
