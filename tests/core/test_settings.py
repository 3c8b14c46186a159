"""Every setting has its range, and says so."""

from __future__ import annotations

from typing import Any

import pytest

from glasshouse.core.errors import SettingsError
from glasshouse.core.options import build_settings

# Setting, the values at the edge of its range, values beyond it.
RANGES: list[tuple[str, list[Any], list[Any]]] = [
    ("read.separator", ["auto", ";", "\t"], [""]),
    ("split.test", [0.01, 0.6, "test.csv"], [0, 1, -0.1, 1.5, float("nan")]),
    ("split.validation", [0.01, 0.3], [0, -0.1, 1.0, float("nan")]),
    ("split.calibration", [0, 0.3], [-0.1, 1.0, float("nan")]),
    ("encode.one_hot", [0, 100], [-1]),
    ("encode.rare", [1, 100], [0]),
    ("network.hidden", [[], [1], [5] * 64], [[0], [3, -1], [5] * 65]),
    ("network.depth", [1, 64, [1, 1], [2, 64]], [0, 65, [0, 1], [3, 2], [1, 65]]),
    ("network.width", [1, 500], [0, -1]),
    ("network.embedding_size", [1, 500], [0, -1]),
    ("network.dropout", [0, 0.95, [0, 0.95], [0.1, 0.1]], [-0.1, 0.96, [0.5, 0.1], float("nan"), [0, 1.5]]),
    ("pack.members", [1, 4096], [0, -1, 4097]),
    ("pack.ensemble", [1, 1000], [0, 1001]),
    ("training.label_smoothing", [0, 0.99], [-0.1, 1.0, float("nan")]),
    ("training.epochs", [1, 10_000], [0, -1]),
    ("training.batch_size", [1, 10_000], [0, -1]),
    ("training.patience", [0, 5], [-1]),
    ("training.clip_norm", [1e-9, 1e9], [0, -1, float("nan")]),
    ("optimiser.learning_rate", [1e-9, 1e3, [1e-4, 1e-2]], [0, -1, 1e4, float("inf"), float("nan"), [1e-2, 1e-4]]),
    ("optimiser.weight_decay", [0, 1e3, [1e-4, 1]], [-1, 1e4, float("nan"), [1, 0.1], [0, 1]]),
    ("optimiser.momentum", [0, 0.99], [-0.1, 1.0]),
    ("optimiser.factor", [0.01, 0.99], [0, 1, -1]),
    ("optimiser.milestones", [[], [0.0, 0.99]], [[1.0], [0.5, -0.1]]),
    ("optimiser.every", [1, 100], [0, -1]),
    ("run.seconds", [0.001, 1e6], [0, -1, float("nan")]),
    ("run.seed", [0, 2**63 - 1], [-1, 2**63]),
    ("run.threads", [1, 1024], [0, -1, 1025]),
]


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, good, _ in RANGES for value in good])
def test_the_edges_are_inside(name: str, value: Any) -> None:
    build_settings({"source": "a.csv", "target": "y", name: value})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, _, bad in RANGES for value in bad])
def test_what_is_beyond_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        build_settings({"source": "a.csv", "target": "y", name: value})
    assert caught.value.problem.startswith((name, name.partition(".")[0])) and "cannot be" in caught.value.problem
    assert caught.value.expected


def test_fractions_leave_rows_to_train_on() -> None:
    with pytest.raises(SettingsError, match=r"split cannot be 0\.95") as caught:
        build_settings(
            {"source": "a", "target": "y", "split.test": 0.5, "split.validation": 0.25, "split.calibration": 0.2}
        )
    assert caught.value.expected == "fractions that leave at least 5 % of the rows to train on"
