"""Members stand side by side and never touch each other; they can be cut out, taken out and put together again."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from glasshouse.core.errors import NetworkError
from glasshouse.core.settings import NetworkSettings
from glasshouse.network.layers import PackDropout
from glasshouse.network.pack import Pack, build, initialise, set_pieces, stack
from glasshouse.network.spec import FeatureSpec, PackSpec, tensor_shapes

from .packs import ROWS, drawn, small_spec, table

CARDS = (4, 9)
KINDS = [("relu", "none", "none"), ("prelu", "periodic", "layer"), ("gelu", "piecewise", "batch")]


def outputs(pack: Pack) -> torch.Tensor:
    with torch.no_grad():
        return pack.eval().predict(*table(CARDS))


def made(kind: tuple[str, str, str]) -> Pack:
    activation, embedding, normalisation = kind
    return drawn(small_spec(activation, embedding, CARDS, normalisation=normalisation, skip=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_members_loss_has_no_gradient_in_another_members_parameters(kind: tuple[str, str, str]) -> None:
    pack = made(kind).train()
    numbers, flags, codes = table(CARDS)
    own_rows = torch.stack([torch.randperm(ROWS) for _ in range(4)])
    for member in range(4):
        pack.zero_grad()
        losses = pack(pack.prepare(numbers, flags)[own_rows], codes[own_rows]).square().mean((1, 2))
        losses[member].backward()
        touched = 0
        for parameter in pack.parameters():
            if parameter.grad is None:  # a layer that only deeper members have
                continue
            for other in range(parameter.shape[0]):
                count = int(torch.count_nonzero(parameter.grad[other]))
                assert count == 0 or other == member
                touched += count
        assert touched > 20, "its own parameters do have one"


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_is_not_a_number_leaves_the_others_alone(kind: tuple[str, str, str]) -> None:
    pack, broken = made(kind).train(), made(kind).train()
    broken.head.weight.data[1] = float("nan")
    gradients = []
    for one in (pack, broken):
        numbers, flags, codes = table(CARDS)
        one(one.prepare(numbers, flags), codes).square().mean((1, 2)).sum().backward()
        gradients.append(
            {name: parameter.grad for name, parameter in one.named_parameters() if parameter.grad is not None}
        )
    for name, gradient in gradients[0].items():
        others = [place for place in range(gradient.shape[0]) if place != 1]
        assert torch.equal(gradient[others], gradients[1][name][others])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stay", [[0], [1, 3], [0, 1, 2, 3], [3]])
def test_members_that_stay_predict_what_they_did(kind: tuple[str, str, str], stay: list[int]) -> None:
    pack = made(kind)
    pack.dropout = PackDropout(torch.tensor([0.0, 0.25, 0.5, 0.75]), torch.Generator())
    before = outputs(pack)
    kept = pack.keep(torch.tensor(stay))
    torch.testing.assert_close(outputs(pack), before[stay], rtol=1e-5, atol=1e-5)
    assert pack.spec.depths == tuple((3, 2, 2, 1)[place] for place in stay)
    assert {name: tuple(tensor.shape) for name, tensor in pack.tensors().items()} == tensor_shapes(pack.spec)
    assert pack.dropout.thresholds.tolist() == [64 * place for place in stay]
    assert all(parameter.shape[0] == len(kept[parameter]) for parameter in pack.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_members_taken_out_and_put_together_are_the_same(kind: tuple[str, str, str]) -> None:
    pack = made(kind)
    order = [0, 2, 1, 3]  # 1 and 2 are equally deep
    members = [(pack.spec.depths[place], pack.member_tensors(place)) for place in order]
    for (_, one), together in zip(members, pack.members_tensors(order), strict=True):
        assert one.keys() == together.keys() and all(torch.equal(one[name], together[name]) for name in one)
    again = stack(pack.spec, members, pack.tensors())
    torch.testing.assert_close(outputs(again), outputs(pack)[order], rtol=1e-5, atol=1e-5)
    members[0][1]["head.weight"].fill_(0)
    assert torch.count_nonzero(pack.head.weight[0]) > 0, "what is taken out is a copy"


def test_shared_rows_and_own_rows_give_the_same() -> None:
    pack = made(KINDS[1]).eval()
    numbers, flags, codes = table(CARDS)
    prepared = pack.prepare(numbers, flags)
    own = pack(prepared.expand(4, -1, -1), codes.expand(4, -1, -1))
    torch.testing.assert_close(pack(prepared, codes), own)


def test_a_row_alone_is_the_row_in_a_batch() -> None:
    for kind in KINDS:
        pack = made(kind).eval()
        whole = outputs(pack)
        for row in (0, 17, ROWS - 1):
            alone = pack.predict(*(part[row : row + 1] for part in table(CARDS)))
            torch.testing.assert_close(alone[:, 0], whole[:, row], rtol=1e-6, atol=1e-6)


def test_tensors_go_in_and_out() -> None:
    pack, empty = made(KINDS[2]), build(made(KINDS[2]).spec)
    empty.load_tensors(pack.tensors())
    assert torch.equal(outputs(empty), outputs(pack))


@pytest.mark.parametrize(
    ("spoil", "told", "expected"),
    [
        (lambda t: t.pop("head.bias"), r"tensor 'head\.bias' does not fit: nothing", "(4, 1, 2)"),
        (lambda t: t.update(extra=torch.zeros(1)), r"tensor 'extra' does not fit: \(1,\)", "no such tensor"),
        (
            lambda t: t.update({"head.bias": torch.zeros(4, 2)}),
            r"tensor 'head\.bias' does not fit: \(4, 2\)",
            "(4, 1, 2)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    spoil: Callable[[dict[str, torch.Tensor]], object], told: str, expected: str
) -> None:
    pack = made(KINDS[0])
    tensors = pack.tensors()
    spoil(tensors)
    with pytest.raises(NetworkError, match=told) as caught:
        pack.load_tensors(tensors)
    assert caught.value.expected == expected


def test_dropout_is_off_in_evaluation_and_on_in_training() -> None:
    pack = made(KINDS[0])
    plain = outputs(pack)
    pack.dropout = PackDropout(torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.Generator().manual_seed(0))
    assert torch.equal(outputs(pack), plain)
    numbers, flags, codes = table(CARDS)
    trained = pack.train()(pack.prepare(numbers, flags), codes).detach()
    torch.testing.assert_close(trained[2:], plain[2:])
    assert float((trained[:2] - plain[:2]).abs().max()) > 0.01


PIECED = PackSpec(
    features=FeatureSpec(num_numbers=2, num_flags=1), outputs=1, hidden=(4,), depths=(1, 1, 1, 1),
    embedding="piecewise", pieces=(3, 2),
)  # fmt: skip
EDGES = [np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.5, 1.0])]


def half_blind() -> Pack:
    """Four members, of which the second and the last see no pieces."""
    pack = build(PIECED)
    pack.hide_pieces(torch.tensor([False, True, False, True]))
    initialise(pack, NetworkSettings(), torch.Generator().manual_seed(0))
    assert pack.pieces is not None
    set_pieces(pack.pieces, EDGES)
    return pack


def test_who_sees_no_pieces_never_does() -> None:
    pack = half_blind()
    optimiser = torch.optim.AdamW(pack.parameters(), lr=0.1)
    for seed in range(5):
        x = torch.rand(20, 3, generator=torch.Generator().manual_seed(seed))
        optimiser.zero_grad()
        (pack(pack.prepare(x[:, :2], x[:, 2:])) - x.sum(1).view(1, -1, 1)).square().mean((1, 2)).sum().backward()
        optimiser.step()
    pieces = pack.first.weight.detach()[:, pack.pieces_at]
    assert pieces.shape == (4, 5, 4)
    assert not pieces[[1, 3]].any() and pieces[[0, 2]].all()
    assert (pack.first.weight.detach()[:, :3] != 0).all()


def test_who_sees_no_pieces_starts_as_a_network_that_has_none() -> None:
    bound = half_blind().first.weight.detach()[1, :3].abs().max()
    assert 1 / math.sqrt(8) < bound < 1 / math.sqrt(3)  # torch's bound is one over the root of the inputs: 3, not 8


def test_a_pack_that_is_cut_still_knows_who_sees_what() -> None:
    pack = half_blind()
    pack.keep(torch.tensor([1, 2]))
    x = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    pack(pack.prepare(x[:, :2], x[:, 2:])).square().sum().backward()
    assert pack.first.weight.grad is not None
    seen = pack.first.weight.grad[:, pack.pieces_at].abs().sum((1, 2)) > 0
    assert seen.tolist() == [False, True]
    assert "hidden" not in pack.tensors()
