"""What goes on inside the layers, against a direct computation; and nothing stays behind."""

from __future__ import annotations

import pytest
import torch

from glasshouse.core.settings import NetworkSettings, OptimiserSettings
from glasshouse.network.pack import Pack, build, initialise
from glasshouse.network.single import to_sequential
from glasshouse.network.spec import FeatureSpec, PackSpec
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.statistics import layer_statistics, listening

MEMBERS, ROWS = (7, 5, 2), 50


def stepped(activation: str, depths: tuple[int, ...] = (2, 2, 1)) -> tuple[Pack, PackOptimiser, torch.Tensor]:
    """A pack after one step, and the weights before it."""
    features = FeatureSpec(num_numbers=4, num_flags=0)
    hidden = (6,) * depths[0]
    pack = build(PackSpec(features=features, outputs=2, hidden=hidden, depths=depths, activation=activation))  # type: ignore[arg-type]
    initialise(pack, NetworkSettings(), torch.Generator().manual_seed(0))
    count = len(depths)
    optimiser = PackOptimiser(
        pack.named_parameters(), OptimiserSettings(name="sgd"), torch.linspace(0.1, 0.3, count), torch.zeros(count)
    )
    x = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(1)) * 2
    pack(x).square().mean((1, 2)).sum().backward()
    optimiser.step()
    return pack.eval(), optimiser, x


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu"])
def test_statistics_are_those_of_every_member_alone(activation: str) -> None:
    pack, optimiser, x = stepped(activation)
    if activation == "relu":
        pack.get_parameter("layers.0.linear.bias").data[1, 0, :2] = -100.0  # two units die
    if activation in ("tanh", "sigmoid"):
        pack.get_parameter("layers.0.linear.bias").data[1, 0, :3] = 50.0  # half of the units saturate
    found = {entry.layer: entry for entry in layer_statistics(pack, optimiser, x, None, MEMBERS)}
    assert {name: entry.members for name, entry in found.items()} == {
        "layers.0": MEMBERS, "layers.1": MEMBERS[:2], "head": MEMBERS,
    }  # fmt: skip
    for place in range(3):
        layers = list(to_sequential(pack, place))
        h = x
        for depth in range((2, 2, 1)[place]):
            h = layers[2 * depth + 1](layers[2 * depth](h)).detach()
            check_layer(found[f"layers.{depth}"], place, h, activation, pack.layers[depth].linear, optimiser)
        check_layer(found["head"], place, layers[-1](h).detach(), "linear", pack.head, optimiser)


def check_layer(entry, place: int, h: torch.Tensor, activation: str, linear, optimiser: PackOptimiser) -> None:
    """One layer of one member, each number by its definition."""
    assert entry.mean[place] == pytest.approx(float(h.mean()), rel=1e-4, abs=1e-6)
    assert entry.spread[place] == pytest.approx(float(h.std()), rel=1e-4)
    dead = sum(bool((h[:, unit] == 0).all()) for unit in range(h.shape[1])) / h.shape[1]
    assert entry.dead[place] == pytest.approx(dead if activation == "relu" else 0, abs=1e-5)
    beyond = {"tanh": h.abs() > 0.98, "sigmoid": (h < 0.01) | (h > 0.99)}.get(activation, torch.zeros_like(h))
    assert entry.saturated[place] == pytest.approx(float(beyond.float().mean()), abs=1e-5)
    gradient, weight = linear.weight.grad[place], linear.weight[place].detach()
    assert entry.gradient_norm[place] == pytest.approx(float(gradient.norm()), rel=1e-4)
    moved = float(optimiser.learning_rate[place]) * float(gradient.norm())  # plain sgd
    assert entry.update_ratio[place] == pytest.approx(moved / float(weight.norm()), rel=1e-4)


def test_planted_dead_and_saturated_units_are_counted() -> None:
    pack, optimiser, x = stepped("relu")
    pack.get_parameter("layers.0.linear.bias").data[1, 0, :3] = -100.0
    assert layer_statistics(pack, optimiser, x, None, MEMBERS)[0].dead[1] >= 0.5
    pack, optimiser, x = stepped("tanh")
    pack.get_parameter("layers.0.linear.bias").data[2] = 50.0
    assert layer_statistics(pack, optimiser, x, None, MEMBERS)[0].saturated[2] == 1.0


def test_folds_are_told_by_their_mean() -> None:
    pack, optimiser, x = stepped("relu", (2, 2, 1, 1))
    alone = layer_statistics(pack, optimiser, x, None, (0, 1, 2, 3))
    together = layer_statistics(pack, optimiser, x, None, (0, 1), 2)
    assert [entry.members for entry in together] == [(0, 1), (0,), (0, 1)]
    for one, two in zip(alone, together, strict=True):
        for name in ("mean", "spread", "dead", "gradient_norm", "update_ratio"):
            values = getattr(one, name)
            pairs = [(values[place] + values[place + 1]) / 2 for place in range(0, len(values), 2)]
            assert list(getattr(two, name)) == pytest.approx(pairs, rel=1e-4, abs=1e-6)


def hooks(pack: Pack) -> int:
    return sum(len(module._forward_hooks) for module in pack.modules())


def test_no_hook_stays_behind_also_after_a_failure() -> None:
    pack, optimiser, x = stepped("relu")
    layer_statistics(pack, optimiser, x, None, MEMBERS)
    assert hooks(pack) == 0
    with pytest.raises(RuntimeError):
        layer_statistics(pack, optimiser, x[:, :2], None, MEMBERS)
    assert hooks(pack) == 0
    modules = {"a": pack.layers[0].activation}
    with pytest.raises(KeyError, match="stop"), listening(modules) as heard:
        pack(x)
        assert hooks(pack) == 1 and heard["a"].shape == (3, ROWS, 6)
        raise KeyError("stop")
    assert hooks(pack) == 0
