"""Where a run computes: the device that the settings name, and torch as the run wants it there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock

import torch

from glasshouse.core.errors import SettingsError, TrainingError
from glasshouse.core.settings import RunSettings, Settings
from glasshouse.training.crews import set_own_threads

# What torch, CUDA and its library of products say when a card's memory is full.
_FULL = ("CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


def device_of(settings: Settings) -> torch.device:
    """The device that the settings name; `auto` takes CUDA, then Apple's, then the CPU.

    Raises:
        SettingsError: the device is not known or not there.
    """
    name = settings.run.device
    if name == "auto":
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["auto", "cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
        raise SettingsError(
            f"device {name!r} is not there",
            where="run.device",
            expected=f"one of {', '.join(there)}",
            fix="--set run.device=auto",
        ) from error
    return device


def generator_on(device: torch.device, seed: int) -> torch.Generator:
    """Draws what every step or epoch needs anew: on a graphics card itself, for other devices on the processor."""
    return torch.Generator(device if device.type == "cuda" else "cpu").manual_seed(seed)


def clock_of(device: torch.device) -> Callable[[], float]:
    """Seconds, once the device has done all that it was asked for: a graphics card does not keep the asker waiting."""

    def when_done() -> float:
        # Not the whole device: another thread may be recording, which that would break.
        torch.cuda.current_stream(device).synchronize()
        return time.perf_counter()

    return when_done if device.type == "cuda" else time.perf_counter


@contextmanager
def computing(device: torch.device, run: RunSettings) -> Iterator[None]:
    """torch as this run wants it, and as it was afterwards.

    "bfloat16" lets the products of float32 tensors be computed in bfloat16 where the processor is faster so, and the
    written step keep hidden layers in it; weights, the last layer, losses and the optimiser stay float32. On a graphics
    card it lets them be computed in TF32.

    Raises:
        TrainingError: the device's memory is full.
    """
    before = torch.get_num_threads()
    if run.threads is not None:
        set_own_threads(run.threads)
    try:
        with (
            _products("medium" if run.precision == "bfloat16" else "highest"),
            torch.cuda.device(device) if device.type == "cuda" else nullcontext(),
        ):
            yield
    except RuntimeError as error:
        if not any(words in str(error) for words in _FULL):
            raise
        raise TrainingError(
            f"the memory of device {device} is full", where="run.device",
            expected="a table and a pack that fit into it together", fix="--set run.device=cpu (or fewer pack.members)",
        ) from error  # fmt: skip
    finally:
        set_own_threads(before)


_ONE_AT_A_TIME = Lock()
_WANTED: dict[object, str] = {}  # by the runs that are computing, in the order of their beginning
_BEFORE: list[str] = []  # what held before the first of them


@contextmanager
def _products(precision: str) -> Iterator[None]:
    """How exact torch's products of float32 are. It holds for the whole process: of runs side by side the last one that
    began says it for all, and the last one that ends gives back what was before them.
    """
    run = object()
    try:
        with _ONE_AT_A_TIME:
            if not _WANTED:
                _BEFORE[:] = [torch.get_float32_matmul_precision()]
            _WANTED[run] = precision
            torch.set_float32_matmul_precision(precision)
        yield
    finally:
        with _ONE_AT_A_TIME:
            if _WANTED.pop(run, None):
                torch.set_float32_matmul_precision([*_BEFORE, *_WANTED.values()][-1])
