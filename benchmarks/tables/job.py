"""One contender on one split, in a process of its own: prints one JSON line with its scores, seconds and memory.

python -m benchmarks.tables.job TABLE CONTENDER SEED FOLDER [--most-rows N] [--validation] [--seconds S]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.tables.catalogue import BY_NAME, split
from benchmarks.tables.peers import OURS, PEERS
from sklearn import metrics


def scores(task: str, actual: Any, model: Any, frame: Any) -> dict[str, float]:
    """scikit-learn's scores of the test rows, by our names."""
    if task == "regression":
        predicted = model.predict(frame)
        return {
            "rmse": float(metrics.root_mean_squared_error(actual, predicted)),
            "mae": float(metrics.mean_absolute_error(actual, predicted)),
            "r2": float(metrics.r2_score(actual, predicted)),
        }
    probabilities = np.asarray(model.predict_proba(frame), dtype=np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    classes = np.arange(probabilities.shape[1])
    found = {
        "accuracy": float(metrics.accuracy_score(actual, probabilities.argmax(axis=1))),
        "log_loss": float(metrics.log_loss(actual, probabilities, labels=classes)),
    }
    if task == "binary":
        found["roc_auc"] = float(metrics.roc_auc_score(actual, probabilities[:, 1]))
    return found


def run(
    table: str, contender: str, seed: int, folder: Path, most_rows: int | None = None, *,
    validation: bool = False, seconds: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Trains and judges; the seconds are those of fitting and of predicting the rows to judge on, imports left out."""
    wanted = BY_NAME[table]
    rows = split(wanted, folder, seed, most_rows, validation=validation)
    model = {**PEERS, **OURS}[contender](wanted.task, seed)
    if seconds is not None:  # which only ours has
        model.set_params(seconds=seconds)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    model.fit(rows.train, rows.train_target.to_numpy())
    fitted = time.perf_counter()
    found = scores(wanted.task, rows.test_target.to_numpy(), model, rows.test)
    ended = time.perf_counter()
    return {
        "table": table, "task": wanted.task, "contender": contender, "seed": seed, "most_rows": most_rows,
        "train_rows": len(rows.train), "test_rows": len(rows.test), "scores": found,
        "fit_seconds": fitted - start, "predict_seconds": ended - fitted,
        "memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }  # fmt: skip


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the peers' own; ours are tested elsewhere
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table")
    parser.add_argument("contender")
    parser.add_argument("seed", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most-rows", type=int, help="at most so many training rows")
    parser.add_argument("--validation", action="store_true", help="judge on a quarter of the training rows")
    parser.add_argument("--seconds", type=float, help="the budget of one of ours")
    json.dump(run(**vars(parser.parse_args())), sys.stdout)
