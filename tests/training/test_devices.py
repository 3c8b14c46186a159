"""Where a run computes, and how it leaves torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from glasshouse.core.errors import SettingsError, TrainingError
from glasshouse.core.options import build_settings
from glasshouse.core.settings import Settings
from glasshouse.training.devices import clock_of, computing, device_of, generator_on
from glasshouse.training.judging import Judge

from .plans import planned, run


def asked(device: str) -> Settings:
    return build_settings({"source": "none", "target": "y", "run.device": device})


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "klingon", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=f"device '{name}' is not there") as caught:
        device_of(asked(name))
    assert (caught.value.where, caught.value.fix) == ("run.device", "--set run.device=auto")
    assert caught.value.expected.startswith("one of auto, cpu")


def test_devices_that_are_there() -> None:
    assert device_of(asked("cpu")) == torch.device("cpu")
    assert device_of(asked("auto")).type in {"cpu", "cuda", "mps"}


def test_torch_is_left_as_it_was_also_after_an_error() -> None:
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    wanted = build_settings({"source": "none", "target": "y", "run.threads": 3, "run.precision": "bfloat16"}).run
    with pytest.raises(ZeroDivisionError), computing(torch.device("cpu"), wanted):
        assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (3, "medium")
        raise ZeroDivisionError
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


def test_runs_side_by_side_give_torch_back_together() -> None:
    before, found = torch.get_float32_matmul_precision(), torch.get_float32_matmul_precision
    wanted = {"source": "none", "target": "y", "run.precision": "bfloat16"}
    whole, half = (build_settings({**wanted, "run.precision": name}).run for name in ("float32", "bfloat16"))
    runs = [computing(torch.device("cpu"), each) for each in (half, half, whole)]
    try:
        torch.set_float32_matmul_precision("high")
        for run_, precision in zip(runs, ("medium", "medium", "highest"), strict=True):
            run_.__enter__()
            assert found() == precision
        for run_, precision in zip(runs, ("highest", "highest", "high"), strict=True):
            run_.__exit__(None, None, None)
            assert found() == precision, "the first to begin is the first to end, and takes nothing from the others"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        torch.AcceleratorError("CUDA error: out of memory"),
    ],
    ids=["torch's", "the products'", "the graph's"],
)
def test_a_full_memory_is_one_clear_error(error: RuntimeError, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> torch.Tensor:
        raise error

    monkeypatch.setattr(Judge, "quality", full)
    with pytest.raises(TrainingError, match="the memory of device cpu is full") as caught:
        run(*planned())
    assert caught.value.where == "run.device" and "run.device=cpu" in (caught.value.fix or "")


def test_another_error_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> torch.Tensor:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(Judge, "quality", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        run(*planned())


def test_a_processor_draws_from_its_own_generator_and_needs_no_waiting() -> None:
    cpu = torch.device("cpu")
    assert generator_on(cpu, 3).device == cpu and generator_on(cpu, 3).initial_seed() == 3
    assert clock_of(cpu)() <= clock_of(cpu)()


@pytest.mark.gpu
def test_the_clock_waits_for_the_card() -> None:
    card = torch.device("cuda")
    assert generator_on(card, 3).device.type == "cuda"
    a = torch.randn(8192, 8192, device=card)
    (a @ a).sum().item()
    begin = clock_of(card)()
    for _ in range(20):
        a @ a
    assert clock_of(card)() - begin > 20 * 2 * 8192**3 / 2e15, "no card is as fast as that"
