"""Each import contract of pyproject.toml holds, and breaks when its rule is broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FLOW = "imports go down the house"
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

VIOLATIONS = [
    (FLOW, "core/planted.py", "import glasshouse.data"),
    (FLOW, "data/planted.py", "import glasshouse.network"),
    (FLOW, "training/planted.py", "import glasshouse.evaluation"),
    (FLOW, "training/planted.py", "import glasshouse.model"),
    (FLOW, "model/planted.py", "def f():\n    import glasshouse.training"),
    (FLOW, "runs/planted.py", "import glasshouse.cli"),
    (FLOW, "runs/planted.py", "import glasshouse.sklearn"),
    (FLOW, "sklearn/planted.py", "import glasshouse.cli"),
    (FLOW, "newroom/__init__.py", '"""A room without a floor."""'),
    ("a model, its scores and its report do without training", "report/planted.py", "import glasshouse.training"),
    ("core stands on NumPy and msgspec", "core/planted.py", "import polars"),
    ("foundations stand on NumPy and the standard library", "foundations/planted.py", "def f():\n    import torch"),
    ("foundations stand on NumPy and the standard library", "foundations/planted.py", "import glasshouse.core.errors"),
    ("foundations are imported by learn alone", "training/planted.py", "import glasshouse.foundations.softmax"),
    ("foundations are imported by learn alone", "cli/planted.py", "from glasshouse.foundations import tape"),
    ("data does without torch, but for its batches", "data/planted.py", "def f():\n    import torch"),
    ("network and training stand on torch alone", "training/planted.py", "import sklearn.metrics"),
    ("the command line loads torch only where it asks for devices", "cli/planted.py", "import torch"),
    ("only the command line speaks to a terminal", "runs/planted.py", "import rich.console"),
    ("only the command line speaks to a terminal", "sklearn/planted.py", "import rich"),
    ("only the report draws", "evaluation/planted.py", "import plotly"),
    ("only the report draws", "sklearn/planted.py", "import plotly"),
]


def broken_contracts(folder: Path) -> set[str]:
    """The names of the contracts that a copy of the house breaks."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "PYTHONWARNINGS": "default"}
    finished = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "Contracts:" in finished.stdout, finished.stdout + finished.stderr
    return set(re.findall(r"^(.+) BROKEN(?: \(.*\))?$", finished.stdout, flags=re.MULTILINE))


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house to break things in."""
    shutil.copytree(REPOSITORY / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_house_keeps_its_contracts(house: Path) -> None:
    assert broken_contracts(house) == set()


@pytest.mark.parametrize(("contract", "file", "line"), VIOLATIONS, ids=[f"{v[1]} {v[2]}" for v in VIOLATIONS])
def test_a_planted_violation_breaks_its_contract(house: Path, contract: str, file: str, line: str) -> None:
    planted = house / "src/glasshouse" / file
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(line + "\n", encoding="utf-8")
    assert contract in broken_contracts(house)
