"""One small network against the textbook's loop and scikit-learn: 1,000 rows, 10-64-32-1, batches of 32, 100 epochs.

    python benchmarks/bench_textbook.py [--json] [--repeats N] [--epochs N]

Ratios above 1 are in our favour: `textbook_over_ours` is the textbook's seconds over ours. The three do the same work,
which is checked: the losses of the last epoch, 0.02 to 0.03, agree within a factor of two (the first weights are drawn
differently; that the numbers are the same to 1e-5 from the same draws is held by tests/training/test_textbook.py).
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROWS, COLUMNS, HIDDEN, BATCH = 1000, 10, (64, 32), 32


def measure(repeats: int, epochs: int) -> dict[str, Any]:
    """Seconds of each contender, the ratios, and where it was measured."""
    from benchmarks.textbook import machine, ours, table, textbook, timed
    from sklearn.neural_network import MLPRegressor

    x, y = table(ROWS, COLUMNS)

    def scikit_learn() -> list[float]:
        network = MLPRegressor(
            hidden_layer_sizes=HIDDEN,
            batch_size=BATCH,
            max_iter=epochs,
            alpha=0.0,
            tol=0.0,
            n_iter_no_change=epochs,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged is meant
            return [2.0 * loss for loss in network.fit(x, y).loss_curve_]  # it reports half the squared error

    contenders = {
        "textbook": lambda: textbook(x, y, HIDDEN, BATCH, epochs),
        "sklearn": scikit_learn,
        "ours": lambda: ours(x, y, HIDDEN, BATCH, epochs),
    }
    seconds, losses = timed(contenders, repeats)
    last = {name: float(np.mean(curve[-3:])) for name, curve in losses.items()}
    if epochs >= 50 and max(last.values()) > 2.0 * min(last.values()):
        raise SystemExit(f"the contenders did not do the same work: {last}")
    return {
        "textbook_over_ours": seconds["textbook"] / seconds["ours"],
        "sklearn_over_ours": seconds["sklearn"] / seconds["ours"],
        "seconds": seconds,
        "last_losses": last,
        "epochs": epochs,
        **machine(),
    }


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "src")]
    from benchmarks.textbook import tell

    tell(measure, __doc__, repeats=5, epochs=100)
