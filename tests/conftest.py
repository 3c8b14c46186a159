"""What every test stands on: the real data folder, and a process left as it was found."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent

# pytest keeps the name of the running test in the environment, and polars, scikit-learn and torch put settings of their
# own there when they are imported or first used.
NOT_OURS = frozenset(
    {"PYTEST_CURRENT_TEST", "_RJEM_MALLOC_CONF", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK", "TORCHINDUCTOR_CACHE_DIR"}
)

# A slow machine is not a defect, so no deadline; few examples, since there are many properties.
settings.register_profile("glasshouse", deadline=None, max_examples=40)
settings.load_profile("glasshouse")


def _data_folder() -> Path:
    return Path(os.environ.get("GLASSHOUSE_DATA") or REPOSITORY.parent / "shared" / "data")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets (one folder each); the test is skipped where it is absent."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"no real data sets here ({folder}); set GLASSHOUSE_DATA to their folder")
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test for a graphics card is skipped where there is none."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device here")


def process_state() -> dict[str, Any]:
    """What a test may change only for its own time."""
    state: dict[str, Any] = {f"environment {name}": value for name, value in os.environ.items() if name not in NOT_OURS}
    state["working directory"] = str(Path.cwd())
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch threads"] = torch.get_num_threads()
        state["torch default dtype"] = torch.get_default_dtype()
        state["torch determinism"] = torch.are_deterministic_algorithms_enabled()
        state["torch gradients"] = torch.is_grad_enabled()
    return state


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One line for each thing that differs; what was not known before (torch not yet imported) is not compared."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if name.startswith("torch") and name not in before:
            continue
        if before.get(name) != after.get(name):
            lines.append(f"{name}: {before.get(name)!r} before, {after.get(name)!r} after")
    return lines


@pytest.fixture(autouse=True)
def leave_no_trace() -> Iterator[None]:
    """Fails a test that leaves threads, default dtype, environment or working directory changed.

    Draws from the global random generators are undone, so that no test depends on the ones before it.
    """
    before = process_state()
    torch = sys.modules.get("torch")
    numpy = sys.modules.get("numpy")
    python_randomness = random.getstate()
    numpy_randomness = numpy.random.get_state() if numpy is not None else None
    torch_randomness = torch.get_rng_state() if torch is not None else None
    yield
    random.setstate(python_randomness)
    if numpy is not None and numpy_randomness is not None:
        numpy.random.set_state(numpy_randomness)
    if torch is not None and torch_randomness is not None:
        torch.set_rng_state(torch_randomness)
    changed = differences(before, process_state())
    assert not changed, "the test left the process changed:\n" + "\n".join(changed)
