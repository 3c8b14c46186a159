"""A pack's optimiser is torch's own, a member at a time."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glasshouse.core.settings import OptimiserSettings
from glasshouse.training.optimiser import PackOptimiser

RATES, DECAYS = (0.01, 0.003, 0.03), (0.1, 0.0, 0.5)
CASES: dict[str, tuple[dict[str, Any], type[torch.optim.Optimizer], dict[str, Any]]] = {
    "sgd": ({"name": "sgd"}, torch.optim.SGD, {}),
    "sgd with momentum": ({"name": "sgd", "momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    "adam": ({"name": "adam"}, torch.optim.Adam, {}),
    "adamw": ({"name": "adamw"}, torch.optim.AdamW, {}),
    "rmsprop": ({"name": "rmsprop"}, torch.optim.RMSprop, {}),
    "rmsprop with momentum": ({"name": "rmsprop", "momentum": 0.8}, torch.optim.RMSprop, {"momentum": 0.8}),
}


class Toy(nn.Module):
    """Two layers of parameters, the first held by the first members only."""

    def __init__(self, members: int, deep: int) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(1)
        self.first = nn.Module()
        self.first.linear = nn.Module()
        self.first.linear.weight = nn.Parameter(torch.randn(members, 4, 3, generator=stream)[:deep].double())
        self.first.linear.bias = nn.Parameter(torch.randn(members, 1, 3, generator=stream)[:deep].double())
        self.head = nn.Module()
        self.head.weight = nn.Parameter(torch.randn(members, 3, 2, generator=stream).double())
        self.head.bias = nn.Parameter(torch.randn(members, 1, 2, generator=stream).double())

    def keep(self, positions: Tensor) -> dict[nn.Parameter, Tensor]:
        kept = {}
        for parameter in self.parameters():
            kept[parameter] = positions[positions < parameter.shape[0]]
            parameter.data, parameter.grad = parameter.data[kept[parameter]], None
        return kept


def push(parameters: dict[str, Tensor], step: int, member: int) -> dict[str, Tensor]:
    """A gradient that depends on where the parameters are, and changes from step to step."""
    stream = torch.Generator().manual_seed(1000 * step + member)
    return {
        name: 0.3 * value + torch.randn(value.shape, generator=stream, dtype=torch.float64)
        for name, value in parameters.items()
    }


class Single:
    """torch's own optimiser on one member; weight decay only on matrices."""

    def __init__(self, toy: Toy, member: int, case: str) -> None:
        _, kind, options = CASES[case]
        self.member = member
        self.own = {
            name: nn.Parameter(value[member].detach().clone())
            for name, value in toy.named_parameters()
            if member < value.shape[0]
        }
        matrices = [value for name, value in self.own.items() if name.endswith("weight")]
        others = [value for name, value in self.own.items() if not name.endswith("weight")]
        groups = [{"params": matrices, "weight_decay": DECAYS[member]}, {"params": others, "weight_decay": 0.0}]
        self.optimiser = kind(groups, lr=RATES[member], **options)

    def step(self, step: int, factor: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = RATES[self.member] * factor
        for name, gradient in push(
            {name: value.detach() for name, value in self.own.items()}, step, self.member
        ).items():
            self.own[name].grad = gradient
        self.optimiser.step()


def ours(toy: Toy, members: int, case: str) -> PackOptimiser:
    rates, decays = (torch.tensor(values[:members], dtype=torch.float64) for values in (RATES, DECAYS))
    return PackOptimiser(toy.named_parameters(), OptimiserSettings(**CASES[case][0]), rates, decays)


def move(toy: Toy, optimiser: PackOptimiser, step: int, names: list[int], factor: float | Tensor) -> None:
    """One step of all members that are left, with the same gradients as the singles get."""
    optimiser.zero_gradients()
    for place, member in enumerate(names):
        own = {name: value[place].detach() for name, value in toy.named_parameters() if place < value.shape[0]}
        for name, gradient in push(own, step, member).items():
            parameter = toy.get_parameter(name)
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            parameter.grad[place] = gradient
    optimiser.step(factor)


def distance(toy: Toy, singles: list[Single]) -> float:
    """How far the members are from torch's."""
    return max(
        float((toy.get_parameter(name)[place] - value).detach().abs().max())
        for place, single in enumerate(singles)
        for name, value in single.own.items()
    )


@pytest.mark.parametrize("case", CASES)
def test_a_pack_of_one_is_torchs_own_over_200_steps(case: str) -> None:
    toy = Toy(1, 1)
    optimiser, single = ours(toy, 1, case), Single(toy, 0, case)
    for step in range(200):
        factor = 0.5 + 0.5 / (1 + step)
        move(toy, optimiser, step, [0], factor)
        single.step(step, factor)
    assert distance(toy, [single]) < 1e-6


@pytest.mark.parametrize("case", CASES)
def test_members_have_their_own_rates_and_decays_also_after_some_have_left(case: str) -> None:
    toy = Toy(3, 2)
    optimiser, singles = ours(toy, 3, case), [Single(toy, member, case) for member in range(3)]
    names = [0, 1, 2]
    for step in range(90):
        if step in (30, 60):
            stay = {30: [0, 2], 60: [1]}[step]
            optimiser.keep(torch.tensor(stay), toy.keep(torch.tensor(stay)))
            singles, names = [singles[place] for place in stay], [names[place] for place in stay]
        factors = torch.tensor([1.0 / (1 + name + step) for name in names], dtype=torch.float64)
        move(toy, optimiser, step, names, factors)
        for single, factor in zip(singles, factors.tolist(), strict=True):
            single.step(step, factor)
        assert distance(toy, singles) < 1e-9
    assert names == [2] and len(optimiser.parameters) == 2, "the layer that nobody has any more is gone"


@pytest.mark.parametrize("case", CASES)
def test_in_pieces_as_on_a_graphics_card_it_is_the_same(case: str) -> None:
    toy, other = Toy(3, 2), Toy(3, 2)
    whole, cut = ours(toy, 3, case), ours(other, 3, case)
    cut.pieces = 5
    names = [0, 1, 2]
    for step in range(60):
        if step in (20, 40):
            stay = torch.tensor({20: [0, 2], 40: [1]}[step])
            whole.keep(stay, toy.keep(stay)), cut.keep(stay, other.keep(stay))
            names = [names[place] for place in stay]
        for pack, optimiser in ((toy, whole), (other, cut)):
            move(pack, optimiser, step, names, 0.5)
        for one, two in zip(toy.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)
    assert len(whole.steps) == 1 < len(cut.steps)


@pytest.mark.parametrize("case", CASES)
def test_the_comparison_sees_another_rate_and_another_decay(case: str) -> None:
    for spoil in ("learning_rate", "weight_decay"):
        toy = Toy(1, 1)
        optimiser, single = ours(toy, 1, case), Single(toy, 0, case)
        getattr(optimiser, spoil).mul_(1.01)
        for step in range(50):
            move(toy, optimiser, step, [0], 1.0)
            single.step(step, 1.0)
        assert distance(toy, [single]) > 1e-6, spoil


def gradients(toy: Toy, lengths: tuple[float, ...]) -> None:
    """Gives every member a gradient of about that length."""
    for name, parameter in toy.named_parameters():
        stream = torch.Generator().manual_seed(len(name))
        parameter.grad = torch.randn(parameter.shape, generator=stream, dtype=torch.float64)
        parameter.grad *= torch.tensor(lengths, dtype=torch.float64)[: parameter.shape[0]].view(-1, 1, 1)


def test_clipping_is_torchs_own_for_each_member() -> None:
    toy = Toy(3, 2)
    optimiser = ours(toy, 3, "sgd")
    gradients(toy, (10.0, 0.001, 1.0))
    singles = []
    for member in range(3):
        own = [nn.Parameter(value[member].detach()) for value in toy.parameters() if member < value.shape[0]]
        for parameter, whole in zip(own, (v for v in toy.parameters() if member < v.shape[0]), strict=True):
            assert whole.grad is not None
            parameter.grad = whole.grad[member].clone()
        singles.append((own, float(nn.utils.clip_grad_norm_(own, 0.5))))
    lengths = optimiser.clip(0.5)
    torch.testing.assert_close(lengths, torch.tensor([length for _, length in singles], dtype=torch.float64))
    for member, (own, length) in enumerate(singles):
        mine = [v.grad[member] for v in toy.parameters() if member < v.shape[0] and v.grad is not None]
        for gradient, parameter in zip(mine, own, strict=True):
            assert parameter.grad is not None
            torch.testing.assert_close(gradient, parameter.grad)
        after = torch.cat([gradient.flatten() for gradient in mine]).norm()
        assert float(after) == pytest.approx(min(length, 0.5), rel=1e-5)
    assert singles[0][1] > 0.5 > singles[1][1], "one is clipped and one is not"


def test_gradients_of_the_step_before_are_forgotten() -> None:
    toy = Toy(2, 1)
    optimiser = ours(toy, 2, "adam")
    gradients(toy, (1.0, 1.0))
    optimiser.zero_gradients()
    assert all(parameter.grad is None for parameter in toy.parameters())
    assert optimiser.gradient_norms().tolist() == [0, 0]


def test_only_matrices_and_tables_decay() -> None:
    named = [
        (name, nn.Parameter(torch.ones(2, 1, 3)))
        for name in ("layers.0.linear.weight", "head.weight", "tables.weight", "layers.0.linear.bias", "head.bias",
                     "layers.0.norm.weight", "layers.0.activation.weight", "waves.frequency")
    ]  # fmt: skip
    optimiser = PackOptimiser(named, OptimiserSettings(name="adamw"), torch.ones(2), torch.tensor([0.25, 0.5]))
    for _, parameter in named:
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    moved = {name: parameter.detach()[:, 0, 0].tolist() for name, parameter in named}
    assert [name for name, values in moved.items() if values == [0.75, 0.5]] == [name for name, _ in named[:3]]
    assert all(values == [1.0, 1.0] for name, values in moved.items() if name not in dict(named[:3]))


def test_stepping_loads_no_compiler() -> None:
    # torch's optimiser classes do, on first use: 1.7 s of every process that trains.
    code = """
import sys, torch
from glasshouse.core.settings import OptimiserSettings
from glasshouse.training.optimiser import PackOptimiser
for name in ("sgd", "rmsprop", "adam", "adamw"):
    weight = torch.nn.Parameter(torch.ones(1, 2, 2))
    weight.grad = torch.ones_like(weight)
    PackOptimiser([("head.weight", weight)], OptimiserSettings(name=name), torch.ones(1), torch.zeros(1)).step()
print("torch._dynamo" in sys.modules)
if len(sys.argv) > 1:
    torch.optim.SGD([weight])
    print("torch._dynamo" in sys.modules)
"""
    ours = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ours.stdout.split() == ["False"], ours.stderr
    theirs = subprocess.run([sys.executable, "-c", code, "class"], capture_output=True, text=True, check=True)
    assert theirs.stdout.split() == ["False", "True"], "torch no longer does: its classes may come back"
