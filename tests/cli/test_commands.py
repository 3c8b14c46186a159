"""The other commands: what they hand on, and what they show."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from glasshouse.cli.doctor import missing_packages
from glasshouse.cli.main import main
from glasshouse.core.records import Coverage, Score

TABLE = pl.DataFrame({"prediction": ["a", "b"], "probability_a": [0.9, 0.2]})


@pytest.mark.parametrize(
    ("name", "read"), [("p.csv", pl.read_csv), ("p.parquet", pl.read_parquet), ("p.jsonl", pl.read_ndjson)]
)
def test_predictions_go_into_a_file(
    runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, read: Any
) -> None:
    runs.answers["predict"] = TABLE
    assert main(["predict", "runs/a", "x.csv", "-o", str(tmp_path / name), "--interval", "0.9"]) == 0
    assert runs.calls == [("predict", (Path("runs/a"), "x.csv"), {"interval": 0.9})]
    assert read(tmp_path / name).equals(TABLE)
    assert capsys.readouterr().out == f"2 rows predicted, written to {tmp_path / name}\n"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_predictions_as_json_say_where_they_are(runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.answers["predict"] = TABLE
    assert main(["predict", "runs/a", "x.csv", "-o", str(tmp_path / "p.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(tmp_path / "p.csv"), "rows": 2, "columns": ["prediction", "probability_a"]
    }  # fmt: skip


def test_a_folder_is_not_overwritten(runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "p.csv"
    folder.mkdir()
    assert main(["predict", "runs/a", "x.csv", "-o", str(folder)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{folder} is a folder"
    assert lines[-1] == f"  fix:      -o {folder}/predictions.csv"
    assert runs.calls == []


def test_a_failed_prediction_leaves_no_file(runs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.failure = RuntimeError("planted")
    assert main(["predict", "runs/a", "x.csv", "-o", str(tmp_path / "p.csv")]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "planted" in capsys.readouterr().err


def checked(*findings: Any) -> Any:
    columns = (
        SimpleNamespace(name="age [years]", kind="number", used=True, reason="", missing=3, distinct=40,
                        examples=("7",)),
        SimpleNamespace(name="id", kind="identifier", used=False, reason="a number a row", missing=0, distinct=99,
                        examples=("1",)),
    )  # fmt: skip
    schema = SimpleNamespace(
        columns=columns, target=SimpleNamespace(name="y", task="binary", missing=2, classes=("no", "yes"))
    )
    return SimpleNamespace(schema=schema, findings=findings, num_rows=1234, notes=("no header",))


def test_check_shows_columns_and_findings_the_worst_first(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.answers["check"] = checked(
        SimpleNamespace(check="small", severity="info", column="", message="few rows", advice=""),
        SimpleNamespace(
            check="leakage", severity="problem", column="id", message="id tells the target", advice="drop it"
        ),
    )
    assert main(["check", "a.csv", "--target", "y", "--group", "g"]) == 0
    assert runs.calls == [("check", ("a.csv",), {"target": "y", "group": "g"})]
    out = capsys.readouterr().out
    assert "1,234 rows, 1 of 2 columns used, binary target" in out
    assert "age [years]" in out
    assert "left out: a number a row" in out
    assert "target" in out
    assert out.index("id tells the target") < out.index("drop it") < out.index("few rows")


def test_check_says_when_nothing_was_found(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.answers["check"] = checked()
    assert main(["check", "a.csv", "--target", "y"]) == 0
    assert "nothing found that speaks against training" in capsys.readouterr().out


@pytest.mark.parametrize(("now", "verdict"), [("abc", "everything matches"), ("xyz", "1 of 2 match")])
def test_reproduce_says_what_matches(runs: Any, capsys: pytest.CaptureFixture[str], now: str, verdict: str) -> None:
    rows = [
        SimpleNamespace(what="data", was="f" * 64, now="f" * 64, matches=True),
        SimpleNamespace(what="weights", was="abc", now=now, matches=now == "abc"),
    ]
    runs.answers["reproduce"] = SimpleNamespace(rows=rows)
    assert main(["reproduce", "runs/a"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == verdict
    assert any(line.split() == ["same", "data", "ffffffffffff…", "ffffffffffff…"] for line in lines)


def test_report_says_where_the_page_is(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.answers["report"] = Path("runs/a/report.html")
    assert main(["report", "runs/a"]) == 0
    assert main(["report", "runs/a", "--json"]) == 0
    assert capsys.readouterr().out == 'runs/a/report.html\n{"report":"runs/a/report.html"}\n'


def test_doctor_knows_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"] == importlib.metadata.version("torch")
    assert "cpu" in found["devices"]
    assert main(["doctor"]) == 0
    assert found["versions"]["torch"] in capsys.readouterr().out


def test_doctor_names_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["torch>=2", "no-such-base>=1", 'no-such-extra[x]>=1; extra == "serve"', 'pytest; extra == "serve"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    assert missing_packages() == {
        "required": {"packages": ["no-such-base"], "fix": "pip install glasshouse"},
        "serve": {"packages": ["no-such-extra"], "fix": "pip install 'glasshouse[serve]'"},
    }


def score(value: float) -> Score:
    return Score(value=value, low=value - 0.1, high=value + 0.1)


def test_evaluate_shows_scores_coverage_and_parts(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"rmse": score(2.0), "r2": score(0.5)}
    runs.answers["evaluate"] = SimpleNamespace(
        target="price [kEUR]", task="regression", metric="rmse", rows=1200, scores=scores,
        coverage=(Coverage(confidence=0.9, covered=0.915, low=0.88, high=0.94, size=3.0),),
        notes=("the model learnt from a.csv itself",), slices=(
            SimpleNamespace(column="sex", value="[male]", rows=900, small=False, scores=scores),
            SimpleNamespace(column="sex", value="female", rows=9, small=True, scores=scores),
        ),
    )  # fmt: skip
    assert main(["evaluate", "runs/a", "x.csv", "--by", "sex"]) == 0
    assert runs.calls == [("evaluate", (Path("runs/a"), "x.csv"), {"by": "sex"})]
    captured = capsys.readouterr()
    lines = [line.rstrip() for line in captured.out.splitlines()]
    assert lines[0] == "price [kEUR]: scores on 1,200 rows (95 % interval)"
    assert "all rows   2.000 (1.900 – 2.100)   0.500 (0.400 – 0.600)" in lines
    assert "90 % intervals held the truth in 91.5 % of the rows (88.0 – 94.0 %)" in lines
    assert "note: the model learnt from a.csv itself" in captured.err
    assert "by sex" in lines
    assert any(line.startswith("[male], 900 rows ") for line in lines)
    assert any(line.startswith("female, 9 rows (few) ") for line in lines)


def test_compare_shows_the_best_first_and_what_differs(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        SimpleNamespace(name="runs/b", scores={"accuracy": score(0.9)}),
        SimpleNamespace(name="runs/a", scores={"accuracy": score(0.8)}),
    )
    difference = SimpleNamespace(setting="network.hidden", values=("[64,32]", "[5]"))
    runs.answers["compare"] = SimpleNamespace(
        metric="accuracy", rows=rows, best=0, differences=(difference,), notes=("other test rows",)
    )
    assert main(["compare", "runs/a", "runs/b"]) == 0
    assert runs.calls == [("compare", ([Path("runs/a"), Path("runs/b")],), {})]
    out = capsys.readouterr().out
    assert out.index("0.900 (0.800 – 1.000)") < out.index("0.800 (0.700 – 0.900)")
    assert "note: other test rows" in out
    assert out.splitlines()[-1].split() == ["network.hidden", "[64,32]", "[5]"]
