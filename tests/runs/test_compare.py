"""Runs beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from glasshouse.core.errors import SettingsError
from glasshouse.runs import Run, compare
from glasshouse.runs.compare import flat_settings

from .conftest import Make, people


def test_the_best_comes_first_and_the_differences_are_named(small: Make) -> None:
    good = small("example:diabetes", "progression", "good")
    bad = small("example:diabetes", "progression", "bad", {"training.epochs": 1, "network.activation": "tanh"})
    found = compare([bad.folder, good.folder])
    assert found.metric == "rmse" and found.best == 0
    assert [row.name for row in found.rows] == [str(good.folder), str(bad.folder)]
    assert found.rows[0].scores["rmse"].value < found.rows[1].scores["rmse"].value
    differences = {row.setting: row.values for row in found.differences}
    assert differences["network.activation"] == ("relu", "tanh") and differences["training.epochs"] == ("12", "1")
    assert "source" not in differences and found.notes == ()


def test_what_makes_runs_hard_to_compare_is_noted(small: Make, tmp_path: Path) -> None:
    people().write_csv(tmp_path / "a.csv")
    people(seed=1).write_csv(tmp_path / "b.csv")
    runs = [small(tmp_path / name, "income", name[0]) for name in ("a.csv", "b.csv")]
    runs.append(small(tmp_path / "a.csv", "income", "c", seed=1))
    assert len(compare([run.folder for run in runs[:2]]).notes) == 2
    assert [note for note in compare([runs[0].folder, runs[2].folder]).notes if "test rows" in note]


def test_accuracy_is_better_when_higher(iris: Run, small: Make) -> None:
    poor = small("example:iris", "species", settings={"training.epochs": 1})
    found = compare([poor.folder, iris.folder])
    assert found.metric == "accuracy"
    values = [row.scores["accuracy"].value for row in found.rows]
    assert values == sorted(values, reverse=True)


def test_runs_of_different_targets_are_refused(iris: Run, diabetes: Run, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the runs predict different things") as caught:
        compare([iris.folder, diabetes.folder])
    assert "species" in caught.value.where and caught.value.expected == "runs of one target"
    with pytest.raises(SettingsError, match="there is no run to compare") as caught:
        compare([])
    assert caught.value.expected == "the folders of at least one finished run"
    with pytest.raises(SettingsError, match="is not there"):
        compare([iris.folder, tmp_path / "nowhere"])


def test_settings_by_dotted_name() -> None:
    assert flat_settings({"a": {"b": {"c": 1}}, "d": None}) == {"a.b.c": 1, "d": None}
