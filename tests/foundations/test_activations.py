from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from glasshouse.foundations import activations as ours

NAMES = "linear step sigmoid tanh relu leaky_relu elu gelu gelu_tanh silu".split()
TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda x: x, "step": lambda x: (x >= 0).double(), "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "relu": torch.relu, "leaky_relu": functional.leaky_relu, "elu": functional.elu, "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"), "silu": functional.silu,
}  # fmt: skip
EXTREMES = np.array([-1e3, -710.0, -40.0, -0.0, 0.0, 1e-300, 40.0, 710.0, 1e3])


@pytest.mark.parametrize("name", NAMES)
def test_extremes_are_as_torch_has_them_and_nothing_overflows(name: str) -> None:
    found = getattr(ours, name)(EXTREMES)
    np.testing.assert_allclose(found, TORCH[name](torch.from_numpy(EXTREMES)).numpy(), rtol=1e-12, atol=1e-300)
    assert np.all(np.isfinite(found))
    assert np.all(np.isfinite(getattr(ours, f"{name}_derivative")(EXTREMES)))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "step"])
def test_the_slope_at_a_kink_is_torchs(name: str) -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    TORCH[name](x).sum().backward()
    assert x.grad is not None
    assert ours.__dict__[f"{name}_derivative"](np.zeros(1)) == pytest.approx(x.grad.numpy())


@pytest.mark.parametrize("name", NAMES)
def test_infinities_and_nan_are_not_hidden(name: str) -> None:
    with np.errstate(invalid="ignore"):
        found = getattr(ours, name)(np.array([np.inf, np.nan]))
    assert found[0] == (1.0 if name in ("step", "sigmoid", "tanh") else np.inf)
    if name != "step":
        assert np.isnan(found[1])


@pytest.mark.parametrize("name", NAMES)
def test_minus_infinity_is_as_torch_has_it(name: str) -> None:
    x = torch.tensor([-math.inf], dtype=torch.float64, requires_grad=True)
    expected = TORCH[name](x)
    with np.errstate(invalid="ignore"):  # x · Φ(x) is -∞ · 0 = nan, in torch as here
        found, slope = getattr(ours, name)(x.detach().numpy()), getattr(ours, f"{name}_derivative")(x.detach().numpy())
    np.testing.assert_array_equal(found, expected.detach().numpy())
    if name != "step":
        (wanted,) = torch.autograd.grad(expected.sum(), x)
        np.testing.assert_array_equal(slope, wanted.numpy())


@pytest.mark.parametrize("name", NAMES)
def test_any_shape_is_kept(name: str) -> None:
    for shape in ((), (0,), (1, 1), (2, 3, 4)):
        assert getattr(ours, name)(np.zeros(shape)).shape == shape
        assert getattr(ours, f"{name}_derivative")(np.zeros(shape)).shape == shape


def test_the_plain_sigmoid_overflows_where_ours_does_not() -> None:
    with warnings.catch_warnings(), pytest.raises(RuntimeWarning, match="overflow"):
        warnings.simplefilter("error")
        1.0 / (1.0 + np.exp(-np.array([-1000.0])))
    assert ours.sigmoid(np.array([-1000.0])) == 0.0


def test_identities() -> None:
    x = np.linspace(-20.0, 20.0, 401)
    np.testing.assert_allclose(ours.tanh(x), 2.0 * ours.sigmoid(2.0 * x) - 1.0, atol=1e-15)
    np.testing.assert_allclose(ours.sigmoid(x) + ours.sigmoid(-x), 1.0, rtol=1e-15)
    np.testing.assert_allclose(ours.gelu(x) - ours.gelu(-x), x, atol=1e-12)
    np.testing.assert_allclose(ours.prelu(x[:, None], np.array([0.01]))[:, 0], ours.leaky_relu(x))


def test_the_textbooks_values() -> None:
    assert ours.sigmoid_derivative(np.zeros(1)) == 0.25
    assert ours.sigmoid_derivative(np.array([2.0])).round(4) == 0.105
    assert ours.leaky_relu(np.array([-3.0])) == -0.03
    assert ours.elu(np.array([-1.0])).round(3) == -0.632
    assert ours.gelu_tanh(np.array([1.0])).round(3) == 0.841
    assert ours.silu(np.array([1.0])).round(3) == 0.731


def test_try_this_whose_slope_is_above_one() -> None:
    x = np.linspace(-6.0, 6.0, 120_001)
    largest = {name: getattr(ours, f"{name}_derivative")(x) for name in NAMES}
    assert {name for name, slope in largest.items() if slope.max() > 1.0} == {"gelu", "gelu_tanh", "silu"}
    assert x[largest["gelu"].argmax()] == pytest.approx(np.sqrt(2.0), abs=1e-3)
    assert largest["gelu"].max() == pytest.approx(1.129, abs=1e-3)
    assert x[largest["silu"].argmax()] == pytest.approx(2.4, abs=1e-3)
    assert largest["silu"].max() == pytest.approx(1.0998, abs=1e-4)


def test_the_numbers_in_the_comments() -> None:
    x = np.linspace(-8.0, 8.0, 100_001)
    apart = np.abs(ours.gelu_tanh_derivative(x) - ours.gelu_derivative(x)).max()
    assert 0.0005 < apart < 0.0013
    negative = x[ours.gelu_derivative(x) < 0.0]
    assert negative.max() == pytest.approx(-0.75, abs=0.01)
    far = np.array([37.0])
    assert ours.sigmoid_derivative(far) > 0.0 == 1.0 - ours.sigmoid(far)
    assert ours.tanh_derivative(np.array([20.0])) > 0.0 == 1.0 - np.tanh(20.0) ** 2
    lost = 1.0 - np.tanh([1.0, 8.0]) ** 2 - ours.tanh_derivative(np.array([1.0, 8.0]))
    assert abs(lost[0]) < 1e-15 * ours.tanh_derivative(np.array(1.0))
    assert abs(lost[1]) > 1e-11 * ours.tanh_derivative(np.array(8.0))
    assert np.isfinite(math.cosh(710.0))
    with pytest.raises(OverflowError):
        math.cosh(711.0)
    assert np.all(np.isfinite(ours.tanh_derivative(np.array([711.0]))))
    assert ours.sigmoid_derivative(np.zeros(1)) ** 10 < 1e-6
    x = np.linspace(1.0, 2.0, 10_001)
    assert x[ours.gelu_derivative(x).argmax()] == pytest.approx(1.41, abs=0.005)


def test_prelu_at_a_kink_gives_the_slope_no_gradient() -> None:
    x_grad, slope_grad = ours.prelu_backward(np.ones((2, 1)), np.array([[0.0], [-2.0]]), np.array([0.25]))
    assert x_grad[:, 0].tolist() == [0.25, 0.25]
    assert slope_grad.tolist() == [-2.0]
