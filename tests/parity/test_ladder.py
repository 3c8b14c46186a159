"""Every function agrees with torch, every derivative climbs the ladder, and no rung lets an error of 1e-5 through."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.parity.ladder import (
    RUNGS,
    assert_agrees_with_torch,
    function_of,
    our_gradients,
    outputs_like,
)
from torch.nn import functional

from glasshouse.foundations import activations, losses
from glasshouse.foundations.parity import ROWS, Row

FOUNDATIONS = Path(__file__).resolve().parents[2] / "src/glasshouse/foundations"
IDEAS = sorted(path for path in FOUNDATIONS.glob("*.py") if path.stem not in ("__init__", "parity", "drawing"))
DIFFERENTIATED = [row for row in ROWS if row.backward]
SUFFIXES = ("_derivative", "_gradient", "_backward")
ERROR = 1e-5


def name(row: Row) -> str:
    return row.ours


@pytest.mark.parametrize("row", ROWS, ids=name)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_function_agrees_with_torch(row: Row, seed: int) -> None:
    assert_agrees_with_torch(row, seed)


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.__name__)
@pytest.mark.parametrize("row", DIFFERENTIATED, ids=name)
def test_a_derivative_climbs_the_ladder(row: Row, rung: Callable[..., None]) -> None:
    rung(row)


def off(value: Any, place: int) -> Any:
    """The value with one number of one leaf a hundred-thousandth too large: its smallest that is not zero."""
    counter = iter(range(10**6))

    def walk(item: Any) -> Any:
        if dataclasses.is_dataclass(item):
            return walk(tuple(vars(item).values()))
        if isinstance(item, tuple | list):
            return type(item)(walk(one) for one in item)
        if next(counter) != place:
            return item
        numbers = np.array(item, dtype=np.float64)
        sizes = np.where(numbers == 0.0, np.inf, np.abs(numbers))
        numbers.flat[np.argmin(sizes)] *= 1.0 + ERROR
        return numbers

    return walk(value)


def planted_errors() -> list[tuple[Row, int]]:
    """Each gradient that a derivative returns, but for those that are zero everywhere (they have no relative error)."""
    planted = []
    for row in DIFFERENTIATED:
        random = np.random.default_rng(0)
        inputs = row.inputs(random)
        found = our_gradients(row, inputs, outputs_like(function_of(row)(**inputs), random))
        planted += [(row, place) for place, gradient in enumerate(found) if np.any(gradient)]
    return planted


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.__name__)
@pytest.mark.parametrize(("row", "place"), planted_errors(), ids=lambda value: getattr(value, "ours", value))
def test_no_rung_lets_a_small_error_through(
    row: Row, place: int, rung: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, function_of(row, row.backward), place)
    with pytest.raises((AssertionError, RuntimeError), match=r"off|Jacobian mismatch"):
        rung(row)


def plant(monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any], place: int) -> None:
    """Makes one number in one result of a function of ours a hundred-thousandth too large."""
    wrong = functools.wraps(function)(lambda *args, **named: off(function(*args, **named), place))
    monkeypatch.setattr(importlib.import_module(function.__module__), function.__name__, wrong)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_a_function_that_is_a_little_off_is_seen(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, function_of(row), 0)
    with pytest.raises(AssertionError, match="off"):
        assert_agrees_with_torch(row)


def public_functions(path: Path) -> list[str]:
    """The names of a file's public functions, in the order in which they stand."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


def rowless(path: Path, rows: tuple[Row, ...]) -> list[str]:
    """The public functions of a file that no row names."""
    covered = {row.ours for row in rows} | {f"{row.ours.split('.')[0]}.{row.backward}" for row in rows}
    return [f"{path.stem}.{name}" for name in public_functions(path) if f"{path.stem}.{name}" not in covered]


@pytest.mark.parametrize("path", IDEAS, ids=lambda path: path.stem)
def test_every_public_function_has_a_row(path: Path) -> None:
    assert rowless(path, ROWS) == []


def test_a_function_without_a_row_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "activations.py"
    planted.write_text("def relu(x): ...\ndef relu_derivative(x): ...\ndef mish(x): ...\ndef _own(x): ...\n")
    assert rowless(planted, ROWS) == ["activations.mish"]


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """What a function takes where nothing is said."""
    parameters = inspect.signature(function).parameters.items()
    return {name: one.default for name, one in parameters if one.default is not inspect.Parameter.empty}


@pytest.mark.parametrize("row", DIFFERENTIATED, ids=name)
def test_a_derivative_has_the_defaults_of_its_function(row: Row) -> None:
    assert defaults(function_of(row)) == defaults(function_of(row, row.backward))


def test_the_defaults_are_torchs() -> None:
    x = np.linspace(-3.0, 3.0, 25)
    tensor = torch.from_numpy(x)
    np.testing.assert_allclose(activations.leaky_relu(x), functional.leaky_relu(tensor), rtol=1e-12)
    np.testing.assert_allclose(activations.elu(x), functional.elu(tensor), rtol=1e-12)
    assert losses.huber(x, 0.0 * x) == pytest.approx(functional.huber_loss(tensor, 0.0 * tensor).item(), rel=1e-12)


@pytest.mark.parametrize("path", IDEAS, ids=lambda path: path.stem)
def test_a_derivative_stands_under_its_function(path: Path) -> None:
    names = public_functions(path)
    for row in DIFFERENTIATED:
        file, function = row.ours.split(".")
        if file == path.stem:
            assert names[names.index(function) + 1] == row.backward
            assert row.backward.removeprefix(function) in SUFFIXES
    derivatives = {row.backward for row in DIFFERENTIATED if row.ours.startswith(f"{path.stem}.")}
    assert {name for name in names if name.endswith(SUFFIXES)} - {"numerical_gradient"} == derivatives
