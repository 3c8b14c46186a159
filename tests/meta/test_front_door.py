"""Looking in costs nothing: no torch and no polars for a version, an error class or a help text."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import glasshouse

SOURCES = Path(glasshouse.__file__).parents[1]
HEAVY = {"torch", "polars", "numpy", "scipy", "sklearn", "pandas", "pyarrow", "plotly", "narwhals", "safetensors"}
HELP = "from glasshouse.cli.main import main; main(['--help'])"


def run(code: str) -> str:
    """The standard error of a fresh interpreter."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True, timeout=60
    )
    return finished.stderr


def loaded(code: str) -> set[str]:
    """The packages that a fresh interpreter has loaded after some code."""
    seen = run(f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)")
    return set(seen.split())


def seconds(code: str) -> float:
    """Processor time of a fresh interpreter, the best of five: waiting for other processes does not count."""
    best = float("inf")
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


@pytest.mark.parametrize(
    "code", ["import glasshouse", HELP, "from glasshouse.cli.main import main; main(['train', '-h'])"]
)
def test_looking_in_loads_nothing_heavy(code: str) -> None:
    assert loaded(code) & HEAVY == set()


def test_the_check_can_fail() -> None:
    assert loaded("import glasshouse, numpy") & HEAVY == {"numpy"}


def test_import_takes_less_than_50_ms() -> None:
    assert seconds("import glasshouse") - seconds("pass") < 0.050


def test_help_takes_less_than_200_ms() -> None:
    assert seconds(HELP) < 0.200


def test_every_public_name_is_there() -> None:
    for name in glasshouse.__all__:
        assert getattr(glasshouse, name) is not None
        assert name in dir(glasshouse)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = glasshouse.trian
