"""Every layer of a pack is torch's own layer, a member at a time: values, gradients and running statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glasshouse.network.layers import (
    PackActivation,
    PackBatchNorm,
    PackBlock,
    PackDropout,
    PackLayerNorm,
    PackLinear,
    PackPReLU,
)

MEMBERS, ROWS, IN, OUT = 3, 11, 5, 4


def shaken(layer: nn.Module) -> nn.Module:
    """The layer in float64, its parameters anywhere but where they begin."""
    layer = layer.double()
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, dtype=torch.float64)
    return layer


def member_of(layer: nn.Module, place: int) -> nn.Module:
    """torch's own layer with one member's parameters."""
    own = {name: value[place].squeeze(0) for name, value in layer.state_dict().items()}
    kinds: dict[type, nn.Module] = {
        PackLinear: nn.Linear(IN, OUT),
        PackPReLU: nn.PReLU(IN),
        PackLayerNorm: nn.LayerNorm(IN),
        PackBatchNorm: nn.BatchNorm1d(IN),
    }
    if isinstance(layer, PackLinear):
        own["weight"] = own["weight"].T
    single = kinds[type(layer)].double()
    single.load_state_dict({name: value.clone() for name, value in own.items()}, strict=False)
    return single


def grad_of(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def differences(layer: nn.Module, x: Tensor) -> dict[str, float]:
    """How far the layer is from torch's own, a member at a time: output, input gradient, parameter gradients, state."""
    singles = [member_of(layer, place) for place in range(MEMBERS)]
    x = x.clone().requires_grad_()
    for single in singles:
        single.train(layer.training)
    out = layer(x)
    push = torch.randn(out.shape, dtype=torch.float64)
    out.backward(push)
    assert x.grad is not None
    found: dict[str, float] = {}

    def note(name: str, ours: Tensor, torchs: Tensor) -> None:
        found[name] = max(found.get(name, 0.0), float((ours.squeeze(0) - torchs).detach().abs().max()))

    for place, single in enumerate(singles):
        own = x[place].detach().clone().requires_grad_()
        single_out = single(own)
        single_out.backward(push[place])
        note("output", out[place], single_out)
        note("input gradient", x.grad[place], own.grad)
        named = dict(single.named_parameters())
        for name, parameter in layer.named_parameters():
            gradient = named[name].grad
            note(name, grad_of(parameter)[place], gradient.T if name == "weight" and gradient.dim() == 2 else gradient)
        for name, buffer in layer.named_buffers():
            note(name, buffer[place], single.get_buffer(name))
    return found


LAYERS = {
    "linear": lambda: PackLinear(MEMBERS, IN, OUT),
    "prelu": lambda: PackPReLU(MEMBERS, IN),
    "layer norm": lambda: PackLayerNorm(MEMBERS, IN),
    "batch norm": lambda: PackBatchNorm(MEMBERS, IN),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_torchs_own_for_every_member(name: str, training: bool) -> None:
    torch.manual_seed(0)
    layer = shaken(LAYERS[name]()).train(training)
    for _ in range(3):  # the running statistics move on
        layer.zero_grad()
        found = differences(layer, 2 + 3 * torch.randn(MEMBERS, ROWS, IN, dtype=torch.float64))
    assert {"output", "input gradient", "weight"} <= found.keys()
    assert max(found.values()) < 1e-12, found


@pytest.mark.parametrize(
    ("name", "defect", "seen"),
    [
        ("linear", lambda layer, x: layer.weight.data[1].mul_(1.001), "output"),
        ("batch norm", lambda layer, x: layer.running_mean[2].add_(0.001), "running_mean"),
        ("prelu", lambda layer, x: layer.weight.data[0].add_(0.001), "output"),
    ],
)
def test_the_comparison_sees_a_small_difference(
    name: str, defect: Callable[[Any, Any], object], seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer = shaken(LAYERS[name]())
    singles = [member_of(layer, place) for place in range(MEMBERS)]
    monkeypatch.setattr(f"{__name__}.member_of", lambda _, place: singles[place])
    defect(layer, None)
    assert differences(layer, torch.randn(MEMBERS, ROWS, IN, dtype=torch.float64))[seen] > 1e-5


def test_the_first_members_of_a_linear_layer_alone() -> None:
    layer = PackLinear(MEMBERS, IN, OUT)
    shaken(layer)
    x = torch.randn(MEMBERS, ROWS, IN, dtype=torch.float64)
    assert torch.equal(layer.part(x[1:3], 1, 3), layer(x)[1:3])


@pytest.mark.parametrize("rows", [1, 2])
def test_batch_norm_of_hardly_any_rows_stays_finite(rows: int) -> None:
    layer = PackBatchNorm(2, 3)
    layer(torch.randn(2, rows, 3))
    assert all(bool(torch.isfinite(value).all()) for value in layer.state_dict().values())


# --- dropout ----------------------------------------------------------------------------------------------------------


def dropout(*probabilities: float, seed: int = 0) -> PackDropout:
    return PackDropout(torch.tensor(probabilities), torch.Generator().manual_seed(seed))


def test_dropout_drops_its_rate_and_keeps_the_expectation_of_each_member() -> None:
    probabilities = (0.0, 0.1, 0.25, 0.5, 0.9)
    out = dropout(*probabilities)(torch.ones(5, 500, 200))
    count = 500 * 200
    for place, probability in enumerate(probabilities):
        exact = round(probability * 256) / 256
        assert abs(exact - probability) <= 1 / 512
        dropped = float((out[place] == 0).float().mean())
        assert abs(dropped - exact) <= 5 * math.sqrt(exact * (1 - exact) / count), (
            "beyond five deviations of a binomial"
        )
        kept = out[place][out[place] > 0]
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - exact)))
        spread = math.sqrt(exact / (1 - exact) / count)
        assert abs(float(out[place].mean()) - 1) <= 5 * spread + 1e-6


def test_masks_of_members_units_and_rows_are_independent() -> None:
    out = (dropout(0.5, 0.5)(torch.ones(2, 400, 50)) > 0).double()
    for a, b in [(out[0], out[1]), (out[0, 1:], out[0, :-1]), (out[0, :, 1:], out[0, :, :-1])]:
        correlation = float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])
        assert abs(correlation) < 5 / math.sqrt(a.numel())


def test_dropout_is_off_in_evaluation_and_repeats_by_its_own_generator() -> None:
    x = torch.randn(2, 30, 8)
    assert torch.equal(dropout(0.5, 0.5).eval()(x), x)
    assert torch.equal(dropout(0.0, 0.0)(x), x)
    before = torch.get_rng_state()
    first, again, other = dropout(0.5, 0.3)(x), dropout(0.5, 0.3)(x), dropout(0.5, 0.3, seed=1)(x)
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state()), "torch's global stream is not drawn from"


def test_dropout_for_the_first_members_only() -> None:
    out = dropout(0.9, 0.0, 0.5)(torch.ones(2, 100, 100))
    assert float((out[0] == 0).float().mean()) > 0.8 and torch.equal(out[1], torch.ones(100, 100))


def test_gradients_pass_where_units_were_kept() -> None:
    x = torch.ones(2, 30, 8, requires_grad=True)
    out = dropout(0.5, 0.25)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


# --- a whole block ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(5, 5), (5, 4)])
@pytest.mark.parametrize("skip", [True, False])
def test_a_block_goes_around_where_widths_agree(widths: tuple[int, int], skip: bool) -> None:
    torch.manual_seed(0)
    block = PackBlock(2, *widths, activation="tanh", normalisation="layer", skip=skip)
    nn.init.normal_(block.linear.weight)
    x = torch.randn(2, 6, 5)
    plain = torch.tanh(nn.functional.layer_norm(torch.baddbmm(block.linear.bias, x, block.linear.weight), widths[1:]))
    expected = x + plain if skip and widths[0] == widths[1] else plain
    torch.testing.assert_close(block(x), expected)


def test_activations_stand_alone_in_a_layer() -> None:
    x = torch.linspace(-3, 3, 7)
    assert torch.equal(PackActivation("tanh")(x), torch.tanh(x))
