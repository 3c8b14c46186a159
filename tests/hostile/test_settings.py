"""Options and settings that make no sense are refused before any work is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import QUICK, Refuse, Run

# One assignment each; the error must name the setting.
BAD_VALUES = (
    "network.hiden=[64]", "network.hidden=[0]", "network.hidden=[-5]", "network.hidden=abc", "network.hidden=[[1]]",
    "network.activation=rleu", "network.dropout=1.5", "network.dropout=-0.1", "network.dropout=nan",
    "network.width=0", "network.depth=-1", "network.depth=[3, 1]", "network.depth=1000", "network.embedding=waves",
    "network.embedding_size=0", "network.initialisation=random", "network.normalisation=group", "pack.members=0",
    "pack.members=-3", "pack.members=10000000", "pack.members=1.5", "pack.ensemble=0", "pack.selection=worst",
    "training.epochs=0", "training.epochs=-1", "training.batch_size=0", "training.patience=-1",
    "training.clip_norm=0", "training.clip_norm=-1", "training.label_smoothing=2", "training.loss=mse",
    "training.class_weights=heavy", "optimiser.name=adma", "optimiser.learning_rate=-1", "optimiser.learning_rate=0",
    "optimiser.learning_rate=inf", "optimiser.learning_rate=[1, 0.1]", "optimiser.weight_decay=-1",
    "optimiser.momentum=1.5", "optimiser.schedule=wave", "optimiser.factor=0", "optimiser.every=0",
    "optimiser.milestones=[2.0]", "run.seconds=-1", "run.threads=0", "run.threads=-2", "run.device=gpu",
    "run.device=cuda:99", "run.precision=float8", "run.effort=maximal", "run.seed=1.5", "split.test=0",
    "split.test=1", "split.test=-0.5", "split.calibration=2", "split.group=nobody", "split.time=never",
    "split.time=city", "encode.scaling=log", "encode.one_hot=-1", "encode.rare=0", "read.separator=ab",
    "read.decimal=;", "read.encoding=klingon", "read.header=maybe", "columns.nobody=category", "columns.age=colour",
    "columns.city=number", "columns=3", "network=3", "nothing", "=3", "run.seed=", "network.hidden=[64", "source.x=1",
)  # fmt: skip


@pytest.mark.parametrize("assignment", BAD_VALUES)
def test_a_bad_setting_is_named(refuse: Refuse, assignment: str) -> None:
    told = refuse("train", "people.csv", "--target", "buys", "--out", "run", "--effort", "quick", "--set", assignment)
    key = assignment.partition("=")[0]
    assert (key.split(".")[-1] or "=") in told


def test_a_network_larger_than_any_machine(refuse: Refuse) -> None:
    told = refuse("train", "people.csv", "--target", "buys", "--out", "run", "--set", "network.hidden=[100000, 100000]")
    assert "more than 1,000,000,000 parameters" in told


def test_fractions_that_leave_nothing_to_train_on(refuse: Refuse) -> None:
    told = refuse("train", "people.csv", "--target", "buys", "--out", "run", "--set", "split.validation=0.9")
    assert "at least 5 % of the rows" in told


BAD_OPTIONS = (
    ("--seconds", "-1"), ("--seconds", "0"), ("--seconds", "nan"), ("--seconds", "soon"), ("--seed", "x"),
    ("--seed", "1.5"), ("--effort", "lots"), ("--test", "1.5"), ("--test", "0"), ("--test", "nan"),
    ("--test", "nowhere.csv"), ("--group", "nobody"), ("--group", "buys"), ("--time", "city"), ("--time", "nobody"),
    ("--targte", "buys"), ("--set", ""),
)  # fmt: skip


@pytest.mark.parametrize("option", BAD_OPTIONS, ids=" ".join)
def test_a_bad_option_is_named(refuse: Refuse, option: tuple[str, str]) -> None:
    assert option[0].strip("-") in refuse("train", "people.csv", "--target", "buys", "--out", "run", *option)


@pytest.mark.parametrize("arguments", [("trian", "people.csv"), ("train",), ("train", "a", "b"), ("predict", "x")])
def test_a_bad_command_is_explained(refuse: Refuse, arguments: tuple[str, ...]) -> None:
    assert "glasshouse" in refuse(*arguments)


def test_a_missing_target_names_the_columns(refuse: Refuse) -> None:
    assert "--target buys" in refuse("train", "people.csv")


def test_a_file_where_the_run_folder_should_be(place: Path, refuse: Refuse) -> None:
    (place / "taken").write_text("precious")
    assert "taken" in refuse("train", "people.csv", "--target", "buys", "--out", "taken", *QUICK)
    assert "taken" in refuse("train", "people.csv", "--target", "buys", "--out", "taken/inside/it", *QUICK)


def test_a_folder_with_something_else_in_it(place: Path, refuse: Refuse) -> None:
    """A run never writes over what is there."""
    (place / "photos").mkdir()
    (place / "photos" / "model.glass").write_text("precious")
    assert "photos" in refuse("train", "people.csv", "--target", "buys", "--out", "photos", *QUICK)


def test_a_missing_parent_is_made(place: Path, run: Run) -> None:
    ended = run("train", "people.csv", "--target", "buys", "--out", "new/deeper/run", *QUICK)
    assert ended.status == 0, ended.err
    assert (place / "new" / "deeper" / "run" / "model.glass").is_file()
