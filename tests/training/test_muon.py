"""Muon's step is torch's own, a member at a time, and its directions are what the singular values say."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from glasshouse.core.settings import NetworkSettings, OptimiserSettings
from glasshouse.network.pack import Pack, build, initialise
from glasshouse.network.spec import FeatureSpec, PackSpec
from glasshouse.training import muon as room
from glasshouse.training.muon import COEFFICIENTS, ITERATIONS, Muon, orthogonal
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.plan import Plan

from .plans import epochs, planned, run

RATES, DECAYS = (0.01, 0.003, 0.03), (0.1, 0.0, 0.5)


def by_singular_values(matrices: Tensor) -> Tensor:
    """What the iterations make of matrices, from their singular values one by one."""
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    values = values / values.square().sum(-1, keepdim=True).sqrt()
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        values = a * values + b * values**3 + c * values**5
    found: Tensor = left @ torch.diag_embed(values) @ right
    return found


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (3, 7, 7), (2, 12, 20), (2, 20, 12), (2, 60, 9), (2, 5, 40), (4, 128, 64)]
)
def test_directions_are_what_the_singular_values_say(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(orthogonal(matrices), by_singular_values(matrices), rtol=1e-10, atol=1e-12)
    single = orthogonal(matrices.float())
    torch.testing.assert_close(single, by_singular_values(matrices).float(), rtol=1e-3, atol=1e-5)


def test_singular_values_come_near_one_and_nothing_stays_nothing() -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(5, 100, 16, generator=torch.Generator().manual_seed(0))))
    assert float(values.min()) > 0.5 and float(values.max()) < 1.25
    assert orthogonal(torch.zeros(2, 4, 3)).abs().max() == 0


def test_a_coefficient_that_is_a_little_off_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    matrices = torch.randn(2, 60, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = by_singular_values(matrices)
    monkeypatch.setattr(room, "COEFFICIENTS", (3.4445, -4.776, 2.0315))
    assert float((orthogonal(matrices) - expected).abs().max()) > 1e-5


def a_pack(hidden: Tensor | None = None) -> Pack:
    """Three members of two, two and one layers that read three numbers, nine pieces of them, and one category."""
    features = FeatureSpec(num_numbers=3, num_flags=1, cardinalities=(4,))
    spec = PackSpec(
        features=features, outputs=1, hidden=(6, 6), depths=(2, 2, 1), embedding="piecewise", pieces=(3, 3, 3),
        normalisation="layer", category_size=2,
    )  # fmt: skip
    pack = build(spec)
    if hidden is not None:
        pack.hide_pieces(hidden)
    initialise(pack, NetworkSettings(), torch.Generator().manual_seed(0))
    return pack.double()


class Single:
    """torch's own optimisers on one member's tensors: Muon for the layers' matrices if asked for, AdamW otherwise."""

    def __init__(self, pack: Pack, member: int, *, by_muon: bool, seen: list[int] | None) -> None:
        self.member, self.seen = member, seen
        self.own: dict[str, nn.Parameter] = {}
        for name, whole in pack.named_parameters():
            if member < whole.shape[0]:
                self.own[name] = nn.Parameter(self._cut(name, whole[member].detach()).clone())
        matrices = [name for name in self.own if name.endswith("linear.weight")] if by_muon else []
        decaying = [name for name in self.own if name.endswith("weight") and "norm" not in name]
        left = [name for name in self.own if name not in matrices]
        groups = [
            {"params": [self.own[name] for name in left if name in decaying], "weight_decay": DECAYS[member]},
            {"params": [self.own[name] for name in left if name not in decaying], "weight_decay": 0.0},
        ]
        self.optimisers: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=RATES[member])]
        if by_muon:
            self.optimisers.append(torch.optim.Muon(
                [self.own[name] for name in matrices], lr=RATES[member], weight_decay=DECAYS[member],
                ns_steps=ITERATIONS, adjust_lr_fn="match_rms_adamw",
            ))  # fmt: skip

    def _cut(self, name: str, value: Tensor) -> Tensor:
        return value[self.seen] if self.seen is not None and name == "layers.0.linear.weight" else value

    def step(self, gradients: dict[str, Tensor], factor: float) -> None:
        for name, parameter in self.own.items():
            parameter.grad = self._cut(name, gradients[name])
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = RATES[self.member] * factor
            optimiser.step()

    def distance(self, pack: Pack, place: int) -> float:
        wholes = {name: self._cut(name, pack.get_parameter(name)[place].detach()) for name in self.own}
        return max(float((wholes[name] - value.detach()).abs().max()) for name, value in self.own.items())


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch iterates in bfloat16 whatever it is given; here it gets the exact answer."""
    monkeypatch.setattr(torch.optim._muon, "_zeropower_via_newtonschulz", lambda x, *_: by_singular_values(x[None])[0])


def stepped(pack: Pack, chosen: list[bool], steps: int, spoil: str = "") -> float:
    """How far a pack is from torch's own optimisers after some steps, with a member leaving on the way."""
    hidden = pack.hidden.tolist() if pack.hidden is not None else [False] * 3
    cut = pack.pieces_at
    rows = [row for row in range(pack.spec.in_features) if not cut.start <= row < cut.stop]
    singles = [
        Single(pack, member, by_muon=chosen[member], seen=rows if hidden[member] else None) for member in range(3)
    ]
    rates, decays = torch.tensor(RATES, dtype=torch.float64), torch.tensor(DECAYS, dtype=torch.float64)
    if spoil:
        {"rate": rates, "decay": decays}[spoil].mul_(1.01)
    muon = Muon(pack, torch.tensor(chosen))
    optimiser = PackOptimiser(pack.named_parameters(), OptimiserSettings(name="mixed"), rates, decays, muon)
    for step in range(steps):
        if step == steps // 2:
            positions = torch.tensor([0, 2])
            optimiser.keep(positions, pack.keep(positions))
            singles = [singles[0], singles[2]]
        stream, factor = torch.Generator().manual_seed(step), 1.0 / (1 + step)
        for name, parameter in pack.named_parameters():
            parameter.grad = torch.randn(parameter.shape, generator=stream, dtype=torch.float64)
            if name == "layers.0.linear.weight" and pack.hidden is not None:
                parameter.grad[pack.hidden, cut] = 0.0
        for place, single in enumerate(singles):
            own = {name: value.grad[place] for name, value in pack.named_parameters()
                   if value.grad is not None and place < value.shape[0]}  # fmt: skip
            single.step(own, factor)
        optimiser.step(factor)
    return max(single.distance(pack, place) for place, single in enumerate(singles))


@pytest.mark.parametrize(
    "chosen", [[True, True, True], [True, False, True], [False, True, False], [False, False, True]]
)
@pytest.mark.parametrize("hidden", [None, [False, True, True], [True, False, False]])
@pytest.mark.usefixtures("exact")
def test_a_pack_is_torchs_own_also_after_a_member_has_left(chosen: list[bool], hidden: list[bool] | None) -> None:
    pack = a_pack(None if hidden is None else torch.tensor(hidden))
    assert stepped(pack, chosen, steps=30) < 1e-9


@pytest.mark.parametrize("spoil", ["rate", "decay"])
@pytest.mark.usefixtures("exact")
def test_the_comparison_sees_another_rate_and_another_decay(spoil: str) -> None:
    assert stepped(a_pack(), [True, True, True], steps=30, spoil=spoil) > 1e-6


def test_a_layer_that_nobody_has_any_more_is_forgotten() -> None:
    pack = a_pack()
    rates, decays = torch.tensor(RATES, dtype=torch.float64), torch.tensor(DECAYS, dtype=torch.float64)
    muon = Muon(pack, torch.tensor([True, True, True]))
    optimiser = PackOptimiser(pack.named_parameters(), OptimiserSettings(name="muon"), rates, decays, muon)
    for staying in ([2], [0], [0]):
        for parameter in optimiser.parameters:
            parameter.grad = torch.ones_like(parameter)
        optimiser.step()
        optimiser.keep(torch.tensor(staying), pack.keep(torch.tensor(staying)))
    assert list(optimiser.momenta) == [pack.first.weight]


def test_members_of_all_depths_may_leave_one_after_the_other() -> None:
    settings = {"optimiser__name": "muon", "network__activation": "gelu", "network__depth": [1, 2], "pack__members": 8}
    for seed in range(3):
        plan, data = planned(**settings, pack__halvings=3, run__seed=seed)
        events, _ = run(plan, data)
        assert len(epochs(events)[-1].members) < 8


def test_torch_itself_is_not_further_than_its_roundings() -> None:
    assert stepped(a_pack(), [True, True, True], steps=4) < 0.02 * RATES[2] * math.sqrt(14)


@pytest.mark.parametrize("shape", [(128, 128), (520, 128), (25, 128), (200, 128)])
def test_the_operations_are_those_that_are_done(shape: tuple[int, int]) -> None:
    with FlopCounterMode(display=False) as counted:
        orthogonal(torch.randn(1, *shape))
    assert room.turning_operations(*shape) == counted.get_total_flops()


def movers(**settings: Any) -> Plan:
    return planned(**{"pack__members": 12, "network__embedding": "mixed", **settings})[0]


def test_every_second_of_those_that_read_pieces_is_moved_by_muon() -> None:
    plan = movers(optimiser__name="mixed")
    kinds: dict[tuple[str, int], list[str]] = {}
    for member in plan.members:
        kinds.setdefault((member.embedding, len(member.hidden)), []).append(member.optimiser)
    for depth in (1, 2, 3):
        assert sorted(kinds["piecewise", depth]) == ["adamw", "muon"] and kinds["none", depth] == ["adamw"] * 2
    plain = movers(optimiser__name="mixed", network__embedding="none")
    assert sorted(member.optimiser for member in plain.members) == ["adamw"] * 6 + ["muon"] * 6
    assert {member.optimiser for member in movers(optimiser__name="muon").members} == {"muon"}
    assert {member.optimiser for member in movers(optimiser__name="adam").members} == {"adam"}


def test_those_that_are_moved_alike_stand_side_by_side() -> None:
    plan = movers(optimiser__name="mixed")
    by_depth: dict[int, list[bool]] = {}
    for member in plan.members:
        by_depth.setdefault(len(member.hidden), []).append(member.optimiser == "muon")
    for moved in by_depth.values():
        assert sum(here != after for here, after in pairwise(moved)) <= 2
