"""`glasshouse train` hands on what was asked, and shows what came out."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from glasshouse.cli.main import main


def test_only_what_was_given_is_handed_on(runs: Any) -> None:
    assert main(["train", "a.csv", "--target", "y"]) == 0
    assert runs.calls == [("train", ("a.csv",), {"target": "y"})]


def test_everything_given_is_handed_on(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    core_options = types.ModuleType("glasshouse.core.options")
    core_options.parse_assignments = lambda words: dict(word.split("=") for word in words)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "glasshouse.core.options", core_options)
    words = "train a.csv --target y --out d --effort quick --seconds 5 --seed 3 --test 0.3 --group g --time t"
    assert main([*words.split(), "--set", "pack.members=1", "--set", "run.threads=2"]) == 0
    ((_, _, options),) = runs.calls
    assert options == {
        "target": "y", "out": Path("d"), "effort": "quick", "seconds": 5.0, "seed": 3, "test": 0.3, "group": "g",
        "time": "t", "settings": {"pack.members": "1", "run.threads": "2"},
    }  # fmt: skip


def test_the_test_rows_may_be_a_file(runs: Any) -> None:
    assert main(["train", "a.csv", "--target", "y", "--test", "b.csv"]) == 0
    assert runs.calls[0][2]["test"] == "b.csv"


def test_the_end_shows_scores_places_and_next_steps(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "a b.csv", "--target", "y"]) == 0
    said = capsys.readouterr()
    folder = runs.answers["train"].folder
    names = [line.split("  ")[0] for line in said.out.splitlines()]
    for name in ("naive baseline", "linear model", "best single member", "ensemble"):
        assert name in names
    assert "0.974 (0.944 – 0.994)" in said.out
    assert f"report  {folder}/report.html" in said.out
    commands = [line.strip() for line in said.out.splitlines() if line.startswith("  glasshouse ")]
    assert commands == [
        f"glasshouse predict '{folder}' 'a b.csv' -o predictions.csv",
        f"glasshouse evaluate '{folder}' 'a b.csv'",
        f"glasshouse reproduce '{folder}'",
    ]
    assert "validation loss 0.0712" in said.err


def test_json_is_one_object_and_progress_goes_elsewhere(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "a.csv", "--target", "y", "--json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["run"] == str(runs.answers["train"].folder)
    assert found["ensemble"]["accuracy"] == pytest.approx({"value": 0.974, "low": 0.944, "high": 0.994})
    assert found["rows"]["test"] == 114
    assert "diagnostics" not in found
    assert "evaluate" in said.err


def test_warnings_are_said(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    import msgspec

    run = runs.answers["train"]
    run.metrics = msgspec.structs.replace(run.metrics, warnings=("stopped by Ctrl-C: the best so far is kept",))
    assert main(["train", "a.csv", "--target", "y"]) == 0
    assert "note: stopped by Ctrl-C: the best so far is kept" in capsys.readouterr().err


def test_a_run_that_is_whole_but_for_its_report_is_said_to_be_there(
    runs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.failure = KeyboardInterrupt()
    runs.failure.add_note("the run is in runs/a, without its report: glasshouse report runs/a")
    assert main(["train", "a.csv", "--target", "y"]) == 130
    said = capsys.readouterr().err.splitlines()
    assert said[-2:] == ["the run is in runs/a, without its report: glasshouse report runs/a", "stopped"]


def fake_data(monkeypatch: pytest.MonkeyPatch, columns: list[str]) -> None:
    """A data room that reads any table as these columns."""
    data = types.ModuleType("glasshouse.data")
    examples = types.ModuleType("glasshouse.data.examples")
    frame = types.SimpleNamespace(table=pl.DataFrame({name: [1] for name in columns}))
    data.read = lambda source: frame  # type: ignore[attr-defined]
    examples.example_target = lambda name: f"the target of {name}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "glasshouse.data", data)
    monkeypatch.setitem(sys.modules, "glasshouse.data.examples", examples)


def test_an_example_brings_its_target(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_data(monkeypatch, [])
    assert main(["train", "example:wine"]) == 0
    assert runs.calls == [("train", ("example:wine",), {"target": "the target of wine"})]


def test_a_missing_target_names_the_columns(
    runs: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_data(monkeypatch, ["area", "rooms", "the price"])
    assert main(["train", "a b.csv"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "--target is missing: which column shall be predicted?",
        "  where:    glasshouse train",
        "  expected: one of area, rooms, the price",
        "  fix:      glasshouse train 'a b.csv' --target 'the price'",
    ]
    assert runs.calls == []
