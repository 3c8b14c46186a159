"""What is decided before training: nothing stays open, members differ as they should, contradictions are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from glasshouse.core.errors import SettingsError
from glasshouse.core.options import build_settings
from glasshouse.core.settings import Settings
from glasshouse.network.spec import FeatureSpec
from glasshouse.training.plan import Plan, decide_folds, make_plan, step_seconds

from .plans import table


def asked(**settings: Any) -> Settings:
    return build_settings({"source": "none", "target": "y", **{k.replace("__", "."): v for k, v in settings.items()}})


def planned(rows: int = 300, **settings: Any) -> Plan:
    numbers, _ = table("regression", rows)
    features = FeatureSpec(num_numbers=5, num_flags=0)
    return make_plan(decide_folds(asked(**settings), rows), "regression", 0, features, numbers)


@pytest.mark.parametrize("effort", ["quick", "standard", "thorough"])
@pytest.mark.parametrize("rows", [60, 3000])
def test_every_effort_gives_a_plan_that_can_be_built(effort: str, rows: int) -> None:
    plan = planned(rows, run__effort=effort)
    settings = plan.settings
    for value in (settings.network.width, settings.network.embedding_size, settings.pack.members, settings.pack.folds,
                  settings.training.epochs, settings.training.batch_size, settings.training.patience,
                  settings.training.loss, settings.optimiser.name, settings.optimiser.schedule,
                  settings.run.threads):  # fmt: skip
        assert value is not None
    assert plan.spec.num_members == len(plan.members) * plan.folds
    assert len(plan.members) == settings.pack.members
    assert list(plan.spec.depths) == sorted(plan.spec.depths, reverse=True)
    for place, member in enumerate(plan.members):
        assert member.member == place and len(member.hidden) == plan.spec.depths[place * plan.folds]


def test_a_longer_effort_is_more_work() -> None:
    plans = [planned(30_000, run__effort=effort) for effort in ("quick", "standard", "thorough")]
    work = [plan.spec.num_members * (plan.settings.training.epochs or 0) * plan.spec.hidden[0] for plan in plans]
    assert work == sorted(work) and len(set(work)) == 3


def test_members_draw_from_the_ranges_on_a_logarithmic_scale() -> None:
    plan = planned(
        pack__members=400, optimiser__learning_rate=[1e-4, 1e-1], optimiser__weight_decay=[1e-3, 10],
        network__dropout=[0.0, 0.6],
    )  # fmt: skip
    for name, low, high in (("learning_rate", 1e-4, 1e-1), ("weight_decay", 1e-3, 10)):
        drawn = np.array([getattr(member, name) for member in plan.members])
        assert drawn.min() >= low and drawn.max() <= high
        places = (np.log(drawn) - np.log(low)) / np.log(high / low)  # uniform in [0, 1]: deviation of the mean 0.0144
        assert places.mean() == pytest.approx(0.5, abs=0.06) and places.std() == pytest.approx(0.289, abs=0.03)
    dropout = np.array([member.dropout for member in plan.members])
    assert 0.4 < (dropout == 0).mean() < 0.6 and 0 <= dropout.max() <= 0.6
    one = planned(pack__members=1, optimiser__learning_rate=[1e-4, 1e-2])
    assert one.members[0].learning_rate == pytest.approx(1e-3), "the middle of the range"


def test_one_value_is_the_same_for_all_members() -> None:
    plan = planned(optimiser__learning_rate=0.02, optimiser__weight_decay=0.3, network__dropout=0.25)
    assert {(m.learning_rate, m.weight_decay, m.dropout) for m in plan.members} == {(0.02, 0.3, 0.25)}


def test_every_depth_is_tried_and_the_seed_draws_the_rest() -> None:
    plan = planned(network__depth=[1, 4], pack__members=8, pack__folds=1)
    assert plan.spec.depths == (4, 4, 3, 3, 2, 2, 1, 1)
    assert set(planned(network__depth=3).spec.depths) == {3}
    assert planned(network__depth=[1, 3], pack__members=1).spec.depths == (2,)
    rates = [[m.learning_rate for m in planned(run__seed=seed).members] for seed in (0, 0, 1)]
    assert rates[0] == rates[1] != rates[2]


def test_a_fixed_architecture_is_kept() -> None:
    plan = planned(network__hidden=[9, 4], pack__members=3, pack__folds=1)
    assert plan.spec.hidden == (9, 4) and plan.spec.depths == (2, 2, 2) and plan.spec.embedding == "none"
    linear = planned(network__hidden=[], pack__members=1)
    assert linear.spec.hidden == () and linear.members[0].num_parameters == 6


def test_what_was_decided_decides_nothing_else_again() -> None:
    """A run repeats from its resolved settings: deciding on them once more changes nothing."""
    for options in (
        {},
        {"run__seconds": 3.0},
        {"network__hidden": [8, 8], "pack__members": 1},
        {"run__effort": "quick"},
    ):
        plan = planned(**options)
        numbers, _ = table("regression", 300)
        again = make_plan(decide_folds(plan.settings, 300), "regression", 0, plan.spec.features, numbers)
        assert again == plan


@pytest.mark.parametrize(
    ("task", "options", "problem", "expected"),
    [
        ("regression", {"training__loss": "bce"}, "loss bce does not fit a regression target", "mse or l1 or huber"),
        ("binary", {"training__loss": "mse"}, "loss mse does not fit a binary target", "bce"),
        ("multiclass", {"training__loss": "bce"}, "loss bce does not fit a multiclass target", "cross_entropy"),
        ("regression", {"training__label_smoothing": 0.1}, "a number has no classes", "a target with classes"),
        ("regression", {"training__class_weights": "balanced"}, "a number has no classes", "a target with classes"),
        ("regression", {"network__hidden": [3], "network__depth": 2}, "network.depth has no effect", ""),
        ("regression", {"network__hidden": [], "optimiser__name": "muon"}, "optimiser.name muon has no effect", ""),
        ("binary", {"pack__members": 1, "optimiser__name": "mixed"}, "one member cannot be moved in two ways", ""),
        ("binary", {"optimiser__momentum": 0.9}, "optimiser.momentum has no effect beside optimiser.name mixed",
         "0 unless the optimiser is sgd or rmsprop"),
    ],
)  # fmt: skip
def test_contradictions_are_told(task: Any, options: dict[str, Any], problem: str, expected: str) -> None:
    numbers, _ = table(task, 100)
    settings = decide_folds(asked(**options), 100)
    classes = {"regression": 0, "binary": 2, "multiclass": 3}[task]
    with pytest.raises(SettingsError) as caught:
        make_plan(settings, task, classes, FeatureSpec(num_numbers=5, num_flags=0), numbers)
    assert caught.value.problem.startswith(problem) and caught.value.expected == expected
    assert caught.value.where.startswith(("training", "network", "optimiser"))


@pytest.mark.parametrize(
    ("effort", "rows", "folds", "members", "width"),
    [
        ("quick", 1_900, 5, 16, 64),
        ("quick", 3_000, 5, 8, 128),
        ("quick", 10_001, 1, 16, 128),
        ("standard", 3_000, 5, 8, 128),
        ("standard", 6_000, 5, 8, 192),
        ("standard", 50_001, 1, 32, 192),
    ],
)
def test_the_size_of_a_table_decides_folds_members_and_width(
    effort: Any, rows: int, folds: int, members: int, width: int
) -> None:
    settings = decide_folds(asked(run__effort=effort), rows)
    numbers = np.zeros((rows, 2), dtype=np.float32)
    plan = make_plan(settings, "regression", 0, FeatureSpec(num_numbers=2, num_flags=0), numbers)
    assert (plan.folds, len(plan.members), plan.settings.network.width) == (folds, members, width)
    assert plan.spec.num_members == folds * members


def test_less_time_leaves_fewer_rows_to_fold() -> None:
    def folds(seconds: float, rows: int) -> int | None:
        return decide_folds(asked(run__effort="quick", run__seconds=seconds), rows).pack.folds

    assert [folds(9, 5_000), folds(36, 5_000), folds(72, 15_000)] == [1, 5, 5]
    assert folds(1, 2_000) == 5  # a small table needs them
    assert folds(3_600, 50_001) == 1  # however long


def test_folds_and_time_do_not_go_together() -> None:
    with pytest.raises(SettingsError, match="folds would train on later rows and judge earlier ones") as caught:
        decide_folds(asked(split__time="when", pack__folds=3), 100)
    assert caught.value.fix == "--set pack.folds=1"
    assert decide_folds(asked(split__time="when"), 100).pack.folds == 1


@pytest.mark.parametrize(("halvings", "share"), [(1, 0.6), (2, 0.4625), (3, 0.3125)])
def test_members_that_leave_make_room_for_more_epochs(halvings: int, share: float) -> None:
    few, more = (
        planned(20_000, pack__halvings=often, run__effort="quick", network__width=512) for often in (0, halvings)
    )
    # Twice, say: a fifth of the training with all, a quarter with half, the rest with a quarter: 0.4625 of the work.
    epochs = [plan.settings.training.epochs or 0 for plan in (few, more)]
    assert epochs[1] / epochs[0] == pytest.approx(1 / share, rel=0.1)


def test_a_pack_of_single_networks_halves_three_times_where_time_is_short() -> None:
    assert planned(20_000).settings.pack.halvings == 2
    assert planned(20_000, run__effort="quick", run__seconds=10.0).settings.pack.halvings == 3
    assert planned(20_000, run__effort="quick", run__seconds=60.0).settings.pack.halvings == 2
    assert planned(20_000, run__effort="quick", run__seconds=10.0, pack__members=8).settings.pack.halvings == 2
    assert planned(20_000, run__effort="quick", run__seconds=10.0, pack__folds=5).settings.pack.halvings == 2
    assert planned(20_000, run__effort="quick", run__seconds=10.0, pack__halvings=0).settings.pack.halvings == 0


def test_a_pack_reads_numbers_in_both_ways_unless_it_is_told_otherwise() -> None:
    assert planned(500).settings.network.embedding == "mixed"
    assert planned(500).settings.pack.halvings == 2
    assert planned(500, pack__members=1).settings.network.embedding == "piecewise"
    assert planned(500, pack__members=4).settings.pack.halvings == 0
    textbook = planned(500, network__hidden=[8])
    assert textbook.settings.network.embedding == "none" and textbook.settings.pack.halvings == 0


def test_layers_are_normalised_and_passed_by_unless_they_are_fixed() -> None:
    own, textbook = planned(500).spec, planned(500, network__hidden=[8]).spec
    assert (own.normalisation, own.skip) == ("layer", True)
    assert (textbook.normalisation, textbook.skip) == ("none", False)
    assert planned(500, network__skip=False, network__normalisation="none").spec.skip is False


def test_packs_of_folds_are_moved_by_muon_and_adamw_in_larger_batches() -> None:
    folded, single = planned(3_000).settings, planned(3_000, pack__folds=1).settings
    assert (folded.optimiser.name, folded.training.batch_size) == ("mixed", 128)
    assert (single.optimiser.name, single.training.batch_size) == ("adamw", 64)
    assert planned(3_000, optimiser__name="adamw").settings.training.batch_size == 64
    assert planned(300, network__hidden=[8], pack__members=3, pack__folds=5).settings.optimiser.name == "adamw"
    assert planned(300, pack__members=1, pack__folds=5).settings.optimiser.name == "adamw"


def test_what_muon_costs_is_counted() -> None:
    plan = planned(3_000, run__effort="standard")
    spec, batch = plan.spec, plan.settings.training.batch_size or 0
    moved = [depth for depth, member in zip(spec.depths[:: plan.folds], plan.members, strict=True)
             if member.optimiser == "muon"] * plan.folds  # fmt: skip
    assert moved and step_seconds(spec, batch, moved) > 1.1 * step_seconds(spec, batch)
    dear = {"network__width": 512, "training__batch_size": 256}
    few, many = (planned(30_000, optimiser__name=name, **dear).settings.training.epochs for name in ("muon", "adamw"))
    assert (few or 0) < 0.9 * (many or 0)


def test_small_steps_take_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    plain = {"network__hidden": [32, 16], "pack__members": 1}
    assert planned(300, **plain).settings.run.threads == 1
    assert planned(3000, **{**plain, "network__hidden": [512, 512]}).settings.run.threads == 2
    assert planned(300, run__effort="quick").settings.run.threads == 1, "norms and dropout gain little by threads"
    assert planned(30_000, run__effort="quick").settings.run.threads == 2
    assert planned(300, run__threads=3).settings.run.threads == 3
