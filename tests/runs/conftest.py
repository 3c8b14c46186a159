"""Real runs, as small as they get; each is made once and only read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from glasshouse.runs import Run, train

SMALL = {"training.epochs": 12, "pack.members": 4, "network.width": 16, "training.batch_size": 32, "run.threads": 1}
Make = Callable[..., Run]


def people(num_rows: int = 160, seed: int = 0) -> pl.DataFrame:
    """A table with numbers, a category of many labels, groups, a date, and targets of every kind."""
    draw = np.random.default_rng(seed)
    age, height = draw.normal(40, 12, num_rows).round(1), draw.normal(170, 9, num_rows).round(1)
    tall = height + draw.normal(0, 4, num_rows) > 170
    return pl.DataFrame(
        {
            "age": age,
            "height": height,
            "city": [f"city {place}" for place in draw.integers(0, 12, num_rows)],
            "household": [f"house {place}" for place in draw.integers(0, 40, num_rows)],
            "seen": pl.Series(19_000 + np.arange(num_rows)).cast(pl.Int32).cast(pl.Date),
            "income": (age * 100 + draw.normal(0, 200, num_rows)).round(2),
            "tall": tall,
            "size": np.where(height > 176, "large", np.where(height > 165, "middling", "small")).tolist(),
        }
    )


@pytest.fixture
def small(tmp_path: Path) -> Make:
    """Trains a tiny run into a new folder of this test."""

    def make(
        source: object, target: str, name: str = "run", settings: dict[str, Any] | None = None, **others: Any
    ) -> Run:
        return train(source, target=target, out=tmp_path / name, settings={**SMALL, **(settings or {})}, **others)

    return make


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on flowers: three classes."""
    folder = tmp_path_factory.mktemp("runs") / "iris"
    return train("example:iris", target="species", effort="quick", seed=3, out=folder, settings=SMALL)


@pytest.fixture(scope="session")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on patients: a number."""
    folder = tmp_path_factory.mktemp("runs") / "diabetes"
    return train("example:diabetes", target="progression", effort="quick", out=folder, settings=SMALL)


@pytest.fixture(scope="session")
def buyers(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a CSV file with categories: yes or no."""
    folder = tmp_path_factory.mktemp("a folder")
    people().write_csv(folder / "people.csv")
    return train(
        folder / "people.csv", target="tall", effort="quick", test=0.25, out=folder / "run",
        settings={**SMALL, "columns.household": "ignore"},
    )  # fmt: skip
