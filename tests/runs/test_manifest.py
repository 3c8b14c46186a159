"""The recorded command asks for exactly what was asked for."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from glasshouse.core.options import build_settings, parse_assignments
from glasshouse.core.settings import Settings
from glasshouse.runs.manifest import FLAGS, command_of

from .conftest import Make, people


def asked_again(command: str) -> Settings:
    """What a command line asks for, read word by word."""
    words = shlex.split(command)
    assert words[:2] == ["glasshouse", "train"] and words[3] == "--target"
    values: dict[str, Any] = {"source": words[2], "target": words[4]}
    flags = {flag: name for name, flag in FLAGS.items()}
    assignments = []
    for flag, text in zip(words[5::2], words[6::2], strict=True):
        assignments.append(text if flag == "--set" else f"{flags[flag]}={text}")
    return build_settings(values | parse_assignments(assignments))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"run.effort": "quick", "run.seconds": 2.5, "run.seed": 7},
        {"network.hidden": [64, 32], "network.skip": True, "optimiser.learning_rate": [0.001, 0.01]},
        {"columns.zip code": "category", "columns.it's": "number", "read.missing": ["-", "n/a"]},
        {"split.test": 0.25, "split.group": "house hold", "split.time": "when", "network.depth": 2},
        {"read.separator": ";", "read.decimal": ",", "encode.scaling": "quantile", "pack.folds": 3},
        {"split.test": "/a place/test rows.csv", "training.clip_norm": 1.0},
    ],
)
def test_a_command_asks_for_the_settings_it_was_made_of(values: dict[str, Any]) -> None:
    settings = build_settings({"source": "my table.csv", "target": "the price", **values})
    assert asked_again(command_of(settings)) == settings


def test_nothing_that_was_decided_later_is_in_the_command(small: Make, tmp_path: Any) -> None:
    people().write_csv(tmp_path / "people.csv", separator=";")
    run = small(tmp_path / "people.csv", "income", settings={"read.separator": ";"}, seed=2)
    asked = asked_again(run.manifest.command)
    assert asked.read.separator == ";" and asked.run.seed == 2 and asked.training.epochs == 12
    assert asked.encode.scaling is None and asked.optimiser.name is None and asked.pack.folds is None
    assert asked.read.header == "auto" != run.settings.read.header


def test_a_table_in_memory_has_no_path(small: Make) -> None:
    assert shlex.split(small(people(), "income").manifest.command)[:3] == ["glasshouse", "train", "TABLE"]
