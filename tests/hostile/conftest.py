"""The command line, run in this process, and the one way in which it may refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from glasshouse.cli.main import main

QUICK = ("--effort", "quick", "--seconds", "2", "--set", "pack.members=2", "--set", "training.epochs=3")


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]
Refuse = Callable[..., str]


def everything_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content, hidden ones too, and every folder."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        plain = path.is_file() and not path.is_symlink() and path.stat().st_size < 50_000_000
        found[str(path.relative_to(folder))] = path.read_bytes() if plain else b""
    return found


def people(num_rows: int = 120, seed: int = 0) -> pl.DataFrame:
    """A table that trains: two numbers, a category, a number and two classes to predict."""
    draw = np.random.default_rng(seed)
    age, height = draw.normal(40, 12, num_rows).round(1), draw.normal(170, 9, num_rows).round(1)
    return pl.DataFrame(
        {
            "age": age,
            "height": height,
            "city": draw.choice(["Bonn", "Kiel", "Ulm"], num_rows).tolist(),
            "income": (age * 100 + draw.normal(0, 200, num_rows)).round(2),
            "buys": np.where(height + draw.normal(0, 4, num_rows) > 170, "yes", "no").tolist(),
        }
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with nothing in it but a good table, people.csv."""
    people().write_csv(tmp_path / "people.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command."""

    def run_command(*arguments: object) -> Ended:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ended(status, told.out, told.err)

    return run_command


@pytest.fixture
def refuse(run: Run, place: Path) -> Refuse:
    """Runs a command that must be refused: one clear error, status 2, no traceback, the folder as it was."""

    def refuse_command(*arguments: object) -> str:
        before = everything_in(place)
        ended = run(*arguments)
        assert_refusal(ended)
        assert everything_in(place) == before, "the refused command left something behind"
        return ended.err

    return refuse_command


def assert_refusal(ended: Ended) -> None:
    """One problem, then at least a place, an expectation or a way out; nothing else on either stream."""
    assert ended.status == 2, f"status {ended.status}\n{ended.err}"
    assert "Traceback" not in ended.err
    assert ended.out == ""
    lines = ended.err.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith(("  where:", "  expected:", "  fix:"))]
    assert starts, f"the error does not say what to do:\n{ended.err}"
    assert len(lines) - starts[0] <= 3, f"more than one error:\n{ended.err}"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run folder of a small network that predicts who buys; read only."""
    folder = tmp_path_factory.mktemp("trained")
    people().write_csv(folder / "people.csv")
    status = main(["train", str(folder / "people.csv"), "--target", "buys", "--out", str(folder / "run"), *QUICK])
    assert status == 0
    before = everything_in(folder)
    yield folder / "run"
    assert everything_in(folder) == before, "a test changed the trained run"
