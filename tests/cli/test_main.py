"""Every way a command can end has its exit status and its words."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import glasshouse
from glasshouse.cli.main import main
from glasshouse.core.errors import DataError

SOURCES = Path(glasshouse.__file__).parents[1]

MISTAKES = [
    (["trian"], "unknown command 'trian'", "glasshouse train"),
    (["xyzzy"], "unknown command 'xyzzy'", "glasshouse --help"),
    (["train"], "SOURCE is missing", "glasshouse train SOURCE"),
    (["train", "x", "--efort", "quick"], "unknown option --efort", "--effort"),
    (["train", "x", "--zzz"], "unknown option --zzz", "glasshouse train --help"),
    (["train", "x", "--target", "y", "--effort", "quik"], "--effort cannot be 'quik'", "--effort quick"),
    (["train", "x", "--target", "y", "z"], "too many arguments: 'z' has no place", "glasshouse train --help"),
    (["train", "x", "--seconds", "abc"], "the value of --seconds cannot be read", "glasshouse train --help"),
    (["train", "x", "--seconds"], "--seconds needs a value", "glasshouse --help"),
    (["predict", "m", "x"], "--output is missing", "glasshouse predict MODEL SOURCE -o FILE"),
    (["predict", "m", "x", "-o", "a.txt"], "'a.txt' is no file that can be written", "-o a.csv"),
    (["predict", "m", "x", "-o", "no/a.csv"], "there is no folder no", "mkdir -p no"),
    (["predict", "m", "x", "-o", "a.csv", "--interval", "90"], "--interval cannot be 90", "--interval 0.9"),
    (["compare", "a"], "only one run to compare: a", "glasshouse compare a ANOTHER_RUN"),
]


@pytest.mark.parametrize(("words", "problem", "fix"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES])
def test_a_mistake_in_the_arguments_is_said_in_our_words(
    words: list[str], problem: str, fix: str, capsys: pytest.CaptureFixture[str], runs: Any
) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == ""
    assert lines[0] == problem
    assert lines[-1] == f"  fix:      {fix}"
    assert any(line.startswith("  where: ") for line in lines)
    assert runs.calls == []


@pytest.mark.parametrize(("words", "problem", "fix"), MISTAKES, ids=[" ".join(case[0]) for case in MISTAKES])
def test_the_same_mistake_as_json(
    words: list[str], problem: str, fix: str, capsys: pytest.CaptureFixture[str], runs: Any
) -> None:
    # Before the rest: an option at the end may be missing its value.
    words = [words[0], "--json", *words[1:]]
    assert main(words) == 2
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert (found["error"], found["problem"], found["fix"]) == ("SettingsError", problem, fix)
    assert said.err == ""


def test_no_words_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "glasshouse train example:breast-cancer" in capsys.readouterr().out


def test_an_error_of_the_user_ends_with_2(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.failure = DataError("the file is empty", where="a.csv", expected="a table", fix="another file")
    assert main(["check", "a.csv", "--target", "y"]) == 2
    assert capsys.readouterr().err == (
        "the file is empty\n  where:    a.csv\n  expected: a table\n  fix:      another file\n"
    )


def test_a_defect_of_ours_ends_with_1_and_an_apology(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.failure = ZeroDivisionError("planted")
    assert main(["check", "a.csv", "--target", "y", "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out) == {"error": "Defect", "problem": "ZeroDivisionError: planted"}
    assert "Traceback (most recent call last)" in said.err
    assert "a defect of glasshouse, not a mistake of yours" in said.err


def test_a_place_that_refuses_is_no_defect(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.failure = PermissionError(errno.EACCES, "Permission denied", "/locked/run")
    assert main(["report", "runs/a"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["the system refuses: permission denied", "  where:    /locked/run"]
    assert lines[-1] == "  fix:      choose another place, or mend that one"


def test_another_fault_of_the_system_is_a_defect(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.failure = OSError(errno.EBADF, "Bad file descriptor")
    assert main(["report", "runs/a"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.failure = KeyboardInterrupt()
    assert main(["report", "runs/a"]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_brackets_in_a_name_are_shown_as_they_are(runs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    runs.failure = DataError('column "[red]x[/red]" is not in a.csv', fix="--target [bold]")
    assert main(["check", "a.csv", "--target", "[red]x[/red]"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        'column "[red]x[/red]" is not in a.csv', "  fix:      --target [bold]"
    ]  # fmt: skip


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -m glasshouse train --help | true; echo ${{PIPESTATUS[0]}}'
    finished = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert finished.stdout == "0\n"
    assert finished.stderr == ""
