"""The fixture that watches over threads, dtype, environment and working directory notices each of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PLANTED = """
import os
import random
import torch

def test_environment(): os.environ["GLASSHOUSE_PLANTED"] = "1"
def test_folder(tmp_path): os.chdir(tmp_path)
def test_threads(): torch.set_num_threads(torch.get_num_threads() + 1)
def test_dtype(): torch.set_default_dtype(torch.float64)
def test_gradients(): torch.set_grad_enabled(False)
def test_draw_once(): globals()["drawn"] = (random.random(), torch.rand(1).item())
def test_draw_twice(): assert globals()["drawn"] == (random.random(), torch.rand(1).item())
"""


def test_each_planted_change_is_noticed(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "tests/conftest.py", tmp_path / "conftest.py")
    (tmp_path / "test_planted.py").write_text(PLANTED, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    noticed = [name for name in ("environment", "folder", "threads", "dtype", "gradients", "draw_twice", "draw_once")
               if f"ERROR test_planted.py::test_{name} " in finished.stdout]  # fmt: skip
    assert noticed == ["environment", "folder", "threads", "dtype", "gradients"], finished.stdout
    assert "7 passed" in finished.stdout
