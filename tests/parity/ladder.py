"""The ladder that every hand-written derivative climbs: differences, autograd, gradcheck.

Each rung is an `assert_` function that returns nothing; `test_ladder.py` shows each of them to reject an error of 1e-5.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tests.parity import twins
from torch import Tensor, nn
from torch.nn import functional

from glasshouse.foundations.differences import numerical_gradient
from glasshouse.foundations.drawing import Inputs
from glasshouse.foundations.parity import Row

Array = NDArray[np.float64]
DIFFERENCES_TOLERANCE = 1e-7
AUTOGRAD_TOLERANCE = 1e-9


def function_of(row: Row, name: str = "") -> Callable[..., Any]:
    """Our function of a row, or another of the same file."""
    file, function = row.ours.split(".")
    found: Callable[..., Any] = getattr(importlib.import_module(f"glasshouse.foundations.{file}"), name or function)
    return found


def is_float(value: Any) -> bool:
    """Whether a value is an array of floats."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def is_differentiated(value: Any) -> bool:
    """Whether a value is an array of floats, or a list of them."""
    return is_float(value) or (isinstance(value, list) and bool(value) and all(is_float(item) for item in value))


def leaves(value: Any) -> Iterator[Any]:
    """The arrays (or numbers) in a value, in order: tuples, lists and records are opened."""
    if dataclasses.is_dataclass(value):
        value = tuple(vars(value).values())
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def differentiated(row: Row, inputs: Inputs) -> list[str]:
    """The names of the arguments that the row's derivative is with regard to, in order.

    A `_gradient` is with regard to the first argument alone.
    """
    names = [name for name, value in inputs.items() if is_differentiated(value)]
    return names[:1] if row.backward.endswith("_gradient") else names


def outputs_like(result: Any, random: np.random.Generator) -> Any:
    """Random gradients with regard to a result: an array, or a tuple of them."""
    if isinstance(result, tuple):
        return tuple(outputs_like(item, random) for item in result)
    return random.normal(size=np.shape(result))


def our_gradients(row: Row, inputs: Inputs, grad: Any) -> list[Array]:
    """What our derivative says: an array for each leaf of each differentiated argument."""
    derivative = function_of(row, row.backward)
    if row.backward.endswith("_derivative"):
        return [grad * derivative(**inputs)]
    if row.backward.endswith("_gradient"):
        return [grad * leaf for leaf in leaves(derivative(**inputs))]
    return list(leaves(derivative(grad, **inputs)))


def weighted(result: Any, grad: Any) -> float:
    """The number whose gradient with regard to the result is `grad`."""
    return float(sum(np.sum(one * two) for one, two in zip(leaves(result), leaves(grad), strict=True)))


def replaced(inputs: Inputs, name: str, place: int, value: Array) -> Inputs:
    """The inputs with one leaf of one argument replaced."""
    if isinstance(inputs[name], list):
        return {**inputs, name: [*inputs[name][:place], value, *inputs[name][place + 1 :]]}
    return {**inputs, name: value}


def named_leaves(row: Row, inputs: Inputs) -> list[tuple[str, int, Array]]:
    """(argument, place in its list, array) for each gradient that the derivative returns, in order."""
    return [
        (name, place, leaf) for name in differentiated(row, inputs) for place, leaf in enumerate(leaves(inputs[name]))
    ]


def assert_close(found: Array, expected: Array, tolerance: float, what: str) -> None:
    """Every element within the tolerance, relative to itself; one far below the largest, relative to that."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, not {expected.shape}"
    largest = float(np.max(np.abs(expected), initial=0.0))
    allowed = tolerance * np.maximum(np.abs(expected), 1e-3 * largest) + 1e-13
    worst = float(np.max(np.abs(found - expected) / allowed, initial=0.0))
    assert worst <= 1.0, f"{what}: {worst * tolerance:.1e} off, {tolerance:.0e} allowed"


def assert_agrees_with_differences(row: Row, seed: int = 0) -> None:
    """Our derivative against central differences of our own function, element by element."""
    random = np.random.default_rng(seed)
    inputs = row.inputs(random)
    ours = function_of(row)
    grad = outputs_like(ours(**inputs), random)
    found = our_gradients(row, inputs, grad)
    places = named_leaves(row, inputs)
    assert len(found) == len(places), f"{row.ours}: {len(found)} gradients for {len(places)} arrays"
    for gradient, (name, place, leaf) in zip(found, places, strict=True):

        def moved(value: Array, name: str = name, place: int = place) -> float:
            return weighted(ours(**replaced(inputs, name, place, value)), grad)

        assert_close(gradient, numerical_gradient(moved, leaf), DIFFERENCES_TOLERANCE, f"{row.ours} by {name}")


def torch_value(value: Any) -> Any:
    """Arrays as tensors, lists of arrays as lists of tensors, the rest as it is."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, list):
        return [torch_value(item) for item in value]
    return value


def torch_result(row: Row, tensors: dict[str, Any]) -> Any:
    """The counterpart's value."""
    return eval(row.torch, {"torch": torch, "F": functional, "nn": nn, "twins": twins, **tensors})  # noqa: S307


def assert_agrees_with_torch(row: Row, seed: int = 0) -> None:
    """Our function against its counterpart, leaf by leaf."""
    inputs = row.inputs(np.random.default_rng(seed))
    before = [np.array(leaf) for leaf in leaves(list(inputs.values())) if isinstance(leaf, np.ndarray)]
    found = list(leaves(function_of(row)(**inputs)))
    after = [leaf for leaf in leaves(list(inputs.values())) if isinstance(leaf, np.ndarray)]
    assert all(np.array_equal(one, two) for one, two in zip(before, after, strict=True)), (
        f"{row.ours} writes on its inputs"
    )
    tensors = {name: torch_value(value) for name, value in inputs.items()}
    expected = list(leaves(torch_result(row, tensors)))
    assert len(found) == len(expected), f"{row.ours}: {len(found)} results, torch has {len(expected)}"
    for place, (one, two) in enumerate(zip(found, expected, strict=True)):
        two = two.detach().numpy() if isinstance(two, Tensor) else np.asarray(two)
        assert_close(np.asarray(one), two, row.tolerance, f"{row.ours}, result {place}")


def assert_agrees_with_autograd(row: Row, seed: int = 0) -> None:
    """Our derivative against autograd of the counterpart, element by element."""
    random = np.random.default_rng(seed)
    inputs = row.inputs(random)
    grad = outputs_like(function_of(row)(**inputs), random)
    found = our_gradients(row, inputs, grad)
    tensors = {name: torch_value(value) for name, value in inputs.items()}
    wanted = [leaf.requires_grad_(True) for name in differentiated(row, inputs) for leaf in leaves(tensors[name])]
    results = list(leaves(torch_result(row, tensors)))
    loss = sum((result * torch.as_tensor(one)).sum() for result, one in zip(results, leaves(grad), strict=True))
    # A step function has no path back to its input: autograd then says None, which means zero.
    expected = torch.autograd.grad(loss, wanted, allow_unused=True) if loss.requires_grad else [None] * len(wanted)
    for one, two, (name, _, leaf) in zip(found, expected, named_leaves(row, inputs), strict=True):
        wanted_gradient = np.zeros_like(leaf) if two is None else two.numpy()
        assert_close(one, wanted_gradient, AUTOGRAD_TOLERANCE, f"{row.ours} by {name}, against autograd")


def assert_passes_gradcheck(row: Row, seed: int = 0) -> None:
    """Our function and derivative as one torch function, through `gradcheck` with tolerances that catch small errors.

    Its defaults accept a derivative that is 0.1 % wrong, and a zero one where the true one is 5e-6.
    """
    random = np.random.default_rng(seed)
    inputs = row.inputs(random)
    places = named_leaves(row, inputs)
    ours = function_of(row)

    def with_leaves(tensors: tuple[Tensor, ...]) -> Inputs:
        filled = inputs
        for (name, place, _), tensor in zip(places, tensors, strict=True):
            filled = replaced(filled, name, place, tensor.detach().numpy().copy())
        return filled

    class Ours(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, *tensors: Tensor) -> Any:
            context.save_for_backward(*tensors)
            result = ours(**with_leaves(tensors))
            made = tuple(torch.as_tensor(np.asarray(leaf, dtype=np.float64)) for leaf in leaves(result))
            return made if isinstance(result, tuple) else made[0]

        @staticmethod
        def backward(context: Any, *grads: Tensor) -> Any:
            filled = with_leaves(context.saved_tensors)
            whole = tuple(grad.numpy().copy() for grad in grads)
            result = ours(**filled)
            found = our_gradients(row, filled, whole if isinstance(result, tuple) else whole[0])
            return tuple(torch.as_tensor(np.array(one, dtype=np.float64)) for one in found)

    tensors = tuple(torch.from_numpy(leaf.copy()).requires_grad_(True) for _, _, leaf in places)
    torch.autograd.gradcheck(Ours.apply, tensors, eps=1e-5, rtol=1e-6, atol=1e-9)


RUNGS = (assert_agrees_with_differences, assert_agrees_with_autograd, assert_passes_gradcheck)
