"""A member taken out is the member in the pack, and an ordinary network."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
import torch
from torch import nn

from glasshouse.core.errors import NetworkError
from glasshouse.core.settings import Activation
from glasshouse.network.pack import Pack
from glasshouse.network.single import to_sequential

from .packs import drawn, small_spec, table


def largest_difference(pack: Pack, cards: tuple[int, ...]) -> float:
    """Between each member in the pack and the same taken out, over a table."""
    numbers, flags, codes = table(cards)
    with torch.no_grad():
        inside = pack.eval().predict(numbers, flags, codes)
        row = torch.cat([numbers, flags, codes.float()], 1)
        return max(float((to_sequential(pack, place)(row) - own).abs().max()) for place, own in enumerate(inside))


COMBINATIONS = [
    *itertools.product(
        ["relu", "prelu"], ["none", "periodic", "piecewise"], ["none", "layer", "batch"], [False, True], [(), (4, 9)]
    )
]


@pytest.mark.parametrize(("activation", "embedding", "normalisation", "skip", "cards"), COMBINATIONS)
def test_every_combination(
    activation: str, embedding: str, normalisation: str, skip: bool, cards: tuple[int, ...]
) -> None:
    pack = drawn(small_spec(activation, embedding, cards, normalisation=normalisation, skip=skip))
    assert largest_difference(pack, cards) < 2e-5


@pytest.mark.parametrize("activation", get_args(Activation))
def test_every_activation(activation: str) -> None:
    assert largest_difference(drawn(small_spec(activation)), ()) < 2e-5


@pytest.mark.parametrize("depths", [(0, 0), (1,), (2, 1, 1)])
def test_every_depth(depths: tuple[int, ...]) -> None:
    assert largest_difference(drawn(small_spec(depths=depths)), ()) < 2e-5


@pytest.mark.parametrize(
    "name", ["layers.1.linear.weight", "layers.0.norm.running_var", "pieces.low", "tables.weight", "head.bias"]
)
def test_the_comparison_sees_a_small_defect(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pack = drawn(small_spec("relu", "piecewise", (4, 9), normalisation="batch"))
    whole = drawn(small_spec("relu", "piecewise", (4, 9), normalisation="batch"))
    whole.state_dict()[name].mul_(1.01).add_(0.001)
    assert largest_difference(pack, (4, 9)) < 2e-5
    monkeypatch.setattr(f"{__name__}.to_sequential", lambda _, place: to_sequential_of(whole, place))
    assert largest_difference(pack, (4, 9)) > 1e-4


to_sequential_of = to_sequential


def test_the_textbooks_network_is_nothing_but_linear_layers_and_activations() -> None:
    kinds = [type(module) for module in to_sequential(drawn(small_spec(depths=(2,))), 0)]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]


def test_a_member_taken_out_is_a_copy() -> None:
    pack = drawn(small_spec())
    before = {name: tensor.clone() for name, tensor in pack.tensors().items()}
    single = to_sequential(pack, 0)
    assert not single.training
    for parameter in single.parameters():
        parameter.data.fill_(7)
    assert all(torch.equal(tensor, before[name]) for name, tensor in pack.tensors().items())


@pytest.mark.parametrize("place", [-1, 4])
def test_there_is_no_such_member(place: int) -> None:
    with pytest.raises(NetworkError, match=f"there is no member {place}") as caught:
        to_sequential(drawn(small_spec()), place)
    assert caught.value.expected == "0 to 3"
