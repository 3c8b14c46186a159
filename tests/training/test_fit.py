"""A pack from its first weights to a chosen ensemble."""

from __future__ import annotations

import dataclasses
import gc
import math
import weakref
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from glasshouse.core.errors import TrainingError
from glasshouse.core.records import Finished, MemberStopped, Started
from glasshouse.network.pack import Pack
from glasshouse.training import fit as room
from glasshouse.training import passes
from glasshouse.training.fit import Ensemble, Trained, TrainingData, fit
from glasshouse.training.loop import Step
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.plan import Plan
from glasshouse.training.written import WrittenStep

from .plans import epochs, planned, run


def same(one: Ensemble, two: Ensemble) -> bool:
    """Whether two ensembles are the same to the bit."""
    a, b = one.pack.tensors(), two.pack.tensors()
    return (
        (one.weights, one.origins) == (two.weights, two.origins)
        and a.keys() == b.keys()
        and all(torch.equal(a[name], b[name]) for name in a)
    )


def with_member(plan: Plan, place: int, **changes: float) -> Plan:
    """The plan with other values for one member."""
    members = list(plan.members)
    members[place] = msgspec.structs.replace(members[place], **changes)
    return dataclasses.replace(plan, members=tuple(members))


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_events_tell_the_whole_story(task: Any) -> None:
    plan, data = planned(task)
    stream, events, trained = fit(plan, data), [], None
    while trained is None:
        try:
            events.append(next(stream))
        except StopIteration as end:
            trained = end.value
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished)
    assert events[0].members == plan.members and events[0].epochs == 6 and events[0].steps_per_epoch == 5
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.step for step in steps] == list(range(1, 31)) and {step.total_steps for step in steps} == {30}
    ends = epochs(events)
    assert [end.epoch for end in ends] == [1, 2, 3, 4, 5, 6]
    assert [end.progress for end in ends] == pytest.approx([e / 6 for e in range(1, 7)])
    for end in ends:
        own = torch.stack([step.losses for step in steps if step.epoch == end.epoch])
        assert list(end.train_loss) == pytest.approx(own.mean(0).tolist(), rel=1e-5)
        assert end.ensemble_loss <= min(min(e.validation_loss) for e in ends[: end.epoch]) + 1e-6
        assert set(end.ensemble_members) <= {0, 1, 2, 3} and len(end.layers) == plan.spec.depths[0] + 1
    falling = [end.ensemble_loss for end in ends]
    assert falling == sorted(falling, reverse=True)
    assert min(ends[-1].train_loss) < min(ends[0].train_loss), "it learns"
    finished = events[-1]
    assert (finished.reason, finished.epochs) == ("schedule", 6)
    assert finished.ensemble_loss == pytest.approx(falling[-1])
    assert sum(trained.ensemble.weights) == pytest.approx(1) and trained.members == 4 and not trained.interrupted


def loss_of(ensemble: Ensemble, data: TrainingData) -> float:
    """The ensemble's squared error on the validation rows, computed anew."""
    numbers = torch.from_numpy(data.validation.numbers)
    with torch.no_grad():
        said = ensemble.pack.predict(numbers, numbers[:, :0], torch.zeros(len(numbers), 0, dtype=torch.int64))[..., 0]
    mean = (said * torch.tensor(ensemble.weights).unsqueeze(1)).sum(0)
    return float((mean - torch.from_numpy(data.validation_target)).square().mean())


@pytest.mark.parametrize("selection", ["greedy", "best", "all"])
def test_the_returned_networks_have_the_losses_that_were_told(selection: str) -> None:
    plan, data = planned(optimiser__learning_rate=0.05, optimiser__schedule="constant", pack__selection=selection)
    events, trained = run(plan, data)
    ends = epochs(events)
    lowest = min(loss for end in ends for loss in end.validation_loss)
    assert loss_of(trained.best_single, data) == pytest.approx(lowest, rel=1e-4)
    assert loss_of(trained.ensemble, data) == pytest.approx(events[-1].ensemble_loss, rel=1e-4)
    member, epoch = trained.best_single.origins[0]
    end = ends[epoch - 1]
    assert end.validation_loss[end.members.index(member)] == pytest.approx(lowest)
    if selection == "all":
        assert sorted(member for member, _ in trained.ensemble.origins) == [0, 1, 2, 3]


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    results = []
    for seed in (0, 0, 1):
        plan, data = planned(run__seed=seed, network__dropout=[0.0, 0.5])
        results.append(run(plan, data)[1])
    assert same(results[0].ensemble, results[1].ensemble)
    assert not same(results[0].ensemble, results[2].ensemble)


def test_torchs_settings_are_as_they_were() -> None:
    plan, data = planned(run__threads=1, run__precision="bfloat16", training__epochs=1)
    before = (torch.get_num_threads(), torch.get_float32_matmul_precision(), torch.get_rng_state())
    inside = []
    run(plan, data, lambda event: inside.append(torch.get_float32_matmul_precision()))
    assert set(inside) == {"medium"}
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2]), "the global stream is not drawn from"


# --- members that fail ------------------------------------------------------------------------------------------------


def test_a_member_that_breaks_is_cut_out_and_the_others_are_as_without_it() -> None:
    plan, data = planned(optimiser__learning_rate=0.01, optimiser__name="sgd")
    whole, _ = run(plan, data)
    events, trained = run(with_member(plan, 1, learning_rate=1e30), data)
    stopped = [event for event in events if isinstance(event, MemberStopped)]
    assert [(s.member, s.epoch, s.reason, s.best_epoch) for s in stopped] == [(1, 1, "not_finite", 0)]
    first, usual = epochs(events)[0], epochs(whole)[0]
    assert math.isnan(first.validation_loss[1])
    for place in (0, 2, 3):
        assert first.train_loss[place] == usual.train_loss[place]
        assert first.validation_loss[place] == usual.validation_loss[place]
    assert [end.members for end in epochs(events)] == [(0, 1, 2, 3)] + [(0, 2, 3)] * 5
    assert 1 not in {member for member, _ in trained.ensemble.origins}
    assert math.isfinite(events[-1].ensemble_loss)


def test_when_all_break_it_is_said_with_a_way_out() -> None:
    plan, data = planned(optimiser__name="sgd", optimiser__learning_rate=900.0)
    for place in range(4):
        plan = with_member(plan, place, learning_rate=1e30)
    with pytest.raises(TrainingError, match="the loss of all 4 members stopped being finite in epoch 1") as caught:
        run(plan, data)
    assert caught.value.where == "training" and caught.value.expected == "a loss that is a number"
    assert caught.value.fix.startswith("--set optimiser.learning_rate=")


def test_patience_stops_a_member_and_keeps_its_best() -> None:
    plan, data = planned(
        optimiser__learning_rate=0.02, training__patience=3, training__epochs=150, optimiser__schedule="constant"
    )
    events, trained = run(plan, data)
    stopped = {event.member: event for event in events if isinstance(event, MemberStopped)}
    assert stopped.keys() == {0, 1, 2, 3} and events[-1].reason == "patience"
    for member, event in stopped.items():
        losses = [end.validation_loss[end.members.index(member)] for end in epochs(events) if member in end.members]
        assert len(losses) == event.epoch == event.best_epoch + 3, "three epochs without a better one"
        assert event.best_loss == pytest.approx(min(losses)) == losses[event.best_epoch - 1]
    assert len(epochs(events)) < 150 and not trained.interrupted


# --- clipping ---------------------------------------------------------------------------------------------------------


def moved(clip_norm: float | None) -> tuple[float, list[torch.Tensor]]:
    """How far a plain SGD run moved each epoch at most (by the told update ratio), and the weights it left."""
    options = {} if clip_norm is None else {"training__clip_norm": clip_norm}
    plan, data = planned(
        optimiser__name="sgd", optimiser__learning_rate=0.05, optimiser__schedule="constant", **options
    )
    events, trained = run(plan, data)
    norms = [norm for end in epochs(events) for layer in end.layers for norm in layer.gradient_norm]
    return max(norms), list(trained.best_single.pack.tensors().values())


def assert_clipping_clips() -> None:
    longest, plain = moved(None)
    shortest, clipped = moved(1e-3)
    assert longest > 1e-2 and shortest <= 1e-3 * 1.001
    assert any(not torch.equal(a, b) for a, b in zip(plain, clipped, strict=False))
    loose, same_weights = moved(1e6)
    assert loose == longest and all(torch.equal(a, b) for a, b in zip(plain, same_weights, strict=True))


def test_clipping_really_clips() -> None:
    assert_clipping_clips()


def test_a_clip_that_does_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackOptimiser, "clip", lambda self, norm: self.gradient_norms())
    with pytest.raises(AssertionError):
        assert_clipping_clips()


# --- interrupted, and run again ---------------------------------------------------------------------------------------


def interrupted_at(plan: Plan, data: TrainingData, step: int) -> tuple[list[Any], Trained]:
    """Ctrl-C right after some step."""
    stream, events, trained = fit(plan, data), [], None
    while trained is None:
        try:
            event = next(stream)
            events.append(event)
            if isinstance(event, Step) and event.step == step:
                events.append(stream.throw(KeyboardInterrupt()))
        except StopIteration as end:
            trained = end.value
    return events, trained


def test_ctrl_c_keeps_the_best_so_far_and_a_replay_ends_there() -> None:
    plan, data = planned(training__epochs=20)
    events, trained = interrupted_at(plan, data, 18)  # in the fourth epoch of five steps
    assert trained.interrupted and events[-1].reason == "interrupted" and len(epochs(events)) == 3
    assert trained.decisions == ((15, 15),)
    lowest = min(loss for end in epochs(events) for loss in end.validation_loss)
    assert loss_of(trained.best_single, data) == pytest.approx(lowest, rel=1e-4)
    again, data = planned(training__epochs=20, run__pace=[list(pair) for pair in trained.decisions])
    replayed, result = run(again, data)
    assert same(result.ensemble, trained.ensemble) and same(result.best_single, trained.best_single)
    assert [end.validation_loss for end in epochs(replayed)] == [end.validation_loss for end in epochs(events)]


def test_ctrl_c_before_the_first_judgement_goes_through() -> None:
    plan, data = planned()
    with pytest.raises(KeyboardInterrupt):
        interrupted_at(plan, data, 4)


# --- folds ------------------------------------------------------------------------------------------------------------


def with_folds(task: Any = "regression", **settings: Any) -> tuple[Plan, TrainingData]:
    plan, data = planned(task, pack__folds=4, **settings)
    fold = np.arange(data.train.num_rows) % 4
    return plan, TrainingData(data.train, data.train_target, data.train, data.train_target, fold)


def test_every_row_is_judged_by_a_network_that_has_not_seen_it() -> None:
    """Targets of pure noise: they can be learnt by heart, but not foretold."""
    options = {"network__width": 256, "network__depth": 2, "training__epochs": 120, "optimiser__learning_rate": 0.01}
    plan, data = with_folds(
        network__dropout=0, training__patience=0, optimiser__weight_decay=0, pack__members=1, **options
    )
    noise = np.random.default_rng(0).normal(size=data.train.num_rows)
    blind = data._replace(train_target=noise, validation_target=noise)
    ends = epochs(run(plan, blind)[0])
    assert ends[-1].train_loss[0] < 0.1, "learnt by heart"
    assert min(end.validation_loss[0] for end in ends) > 0.7, "and yet not foretold"
    leaking = blind._replace(fold=None)  # the same rows train and judge
    leaked, _ = run(dataclasses.replace(plan, settings=planned(pack__members=1, **options)[0].settings,
                                        spec=planned(pack__members=1, **options)[0].spec), leaking)  # fmt: skip
    assert min(end.validation_loss[0] for end in epochs(leaked)) < 0.3, "a leak would be seen"


def test_a_member_of_folds_is_several_networks_of_equal_weight() -> None:
    plan, data = with_folds()
    events, trained = run(plan, data)
    assert events[0].folds == 4 and len(plan.members) == 4 and plan.spec.num_members == 16
    assert all(len(end.validation_loss) == len(end.train_loss) == len(end.learning_rate) == 4 for end in epochs(events))
    assert len(trained.best_single.origins) == 4 and trained.best_single.weights == (0.25,) * 4
    assert sum(trained.ensemble.weights) == pytest.approx(1)
    assert trained.ensemble.pack.spec.num_members == len(trained.ensemble.origins) == len(trained.ensemble.weights)


def test_folds_leave_together() -> None:
    plan, data = with_folds(optimiser__learning_rate=0.01, optimiser__name="sgd")
    events, _ = run(with_member(plan, 2, learning_rate=1e30), data)
    assert [end.members for end in epochs(events)][1:] == [(0, 1, 3)] * 5
    assert all(math.isfinite(loss) for end in epochs(events)[1:] for loss in end.validation_loss)


def test_a_row_that_weighs_two_is_two_rows() -> None:
    # All rows in every batch, so that only the weights can matter.
    settings = {"training__epochs": 30, "training__batch_size": 1000, "network__hidden": [8], "network__dropout": 0.0,
                "network__embedding": "none", "optimiser__schedule": "constant"}  # fmt: skip
    weight = np.arange(160) % 3 + 1
    plan, data = planned(**settings)
    weighed, _ = run(plan, data._replace(train_weight=weight.astype(np.float32)))
    again = np.repeat(np.arange(160), weight)
    twice, _ = run(plan, data._replace(train=data.train.take(again), train_target=data.train_target[again]))
    plain, _ = run(plan, data)
    for one, other in zip(epochs(weighed), epochs(twice), strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-3)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-3)
    assert epochs(plain)[-1].validation_loss != pytest.approx(epochs(weighed)[-1].validation_loss, rel=1e-2)


def test_a_heavy_row_pulls_as_hard_as_many_light_ones_in_whatever_batch_it_falls() -> None:
    # No number to go by: the best guess is the weighted mean of the targets, 0.5.
    settings = {"training__epochs": 60, "training__batch_size": 16, "training__patience": 0, "network__hidden": [4],
                "network__dropout": 0.0, "network__embedding": "none", "optimiser__learning_rate": 5e-3}  # fmt: skip
    plan, data = planned(**settings)
    target, weight = np.zeros(160), np.ones(160, np.float32)
    target[:8], weight[:8] = 1.0, 19.0
    empty = dataclasses.replace(data.train, numbers=np.zeros_like(data.train.numbers))
    heavy = TrainingData(empty, target, empty, target, None, weight, weight)
    _, trained = run(plan, heavy)
    said = trained.ensemble.pack(torch.zeros(1, empty.numbers.shape[1]))
    assert said.mean().item() == pytest.approx(0.5, abs=0.07)


def test_validation_weights_judge_the_snapshots() -> None:
    plan, data = planned(training__epochs=4)
    weight = np.ones(80, np.float32)
    weight[40:] = 1e-6
    half = data._replace(validation=data.validation.take(np.arange(40)), validation_target=data.validation_target[:40])
    weighed, kept = (run(plan, one)[0] for one in (data._replace(validation_weight=weight), half))
    for one, other in zip(epochs(weighed), epochs(kept), strict=True):
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-4)


def test_nobody_watching_changes_nothing_but_what_is_told() -> None:
    plan, data = planned(training__epochs=3)
    seen, told = list(fit(plan, data)), list(fit(plan, data, watched=False))
    assert any(isinstance(event, tuple) for event in seen) and not any(isinstance(event, tuple) for event in told)
    for one, other in zip(epochs(seen), epochs(told), strict=True):
        assert (one.train_loss, one.validation_loss) == (other.train_loss, other.validation_loss)
        assert one.layers and not other.layers


def test_the_worse_half_leaves_twice() -> None:
    settings = {"training__epochs": 20, "pack__members": 8, "optimiser__learning_rate": (1e-5, 0.03)}
    (events, trained), (whole, _) = (
        run(*planned(pack__halvings=halvings, training__patience=0, **settings)) for halvings in (2, 0)
    )
    ends = epochs(events)
    assert [len(end.members) for end in ends] == [8] * 4 + [4] * 5 + [2] * 11  # at 20 and 45 % of the epochs
    gone = [event for event in events if isinstance(event, MemberStopped)]
    assert [event.reason for event in gone] == ["halving"] * 6 and [event.epoch for event in gone] == [4] * 4 + [9] * 2
    best = {member: min(end.validation_loss[end.members.index(member)] for end in ends[:4]) for member in range(8)}
    assert {event.member for event in gone[:4]} == set(sorted(best, key=lambda member: best[member])[4:])
    assert trained.members == 8 and not any(isinstance(event, MemberStopped) for event in whole)


def test_a_pack_in_a_hurry_halves_three_times() -> None:
    events, trained = run(*planned(pack__halvings=3, training__patience=0, training__epochs=22, pack__members=16))
    ends = epochs(events)
    assert [len(end.members) for end in ends] == [16] * 3 + [8] * 3 + [4] * 8 + [2] * 8  # at 10, 25 and 60 %
    assert trained.members == 16 and math.isfinite(ends[-1].ensemble_loss)


def test_a_mixed_pack_reads_numbers_in_both_ways() -> None:
    plan, data = planned(network__embedding="mixed", network__embedding_size=8, pack__members=4)
    assert [member.embedding for member in plan.members] == ["piecewise", "none"] * 2
    _, trained = run(plan, data)
    for snapshot, (member, _) in enumerate(trained.ensemble.origins):
        pack = trained.ensemble.pack
        assert bool(pack.first.weight[snapshot, pack.pieces_at].any()) is (member % 2 == 0)


@pytest.mark.parametrize("embedding", ["none", "mixed"])
def test_a_pack_is_let_go_at_once_when_its_training_is_over(embedding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graphics card's memory is not what makes Python look for circles."""
    packs: list[weakref.ref[Pack]] = []
    begin = room._begin

    def seen(plan: Plan, pack: Pack, *rest: Any, **options: Any) -> Any:
        packs.append(weakref.ref(pack))
        return begin(plan, pack, *rest, **options)

    monkeypatch.setattr(room, "_begin", seen)
    gc.collect()
    gc.disable()
    try:
        run(*planned(network__embedding=embedding, pack__members=8))
        assert len(packs) == 1 and packs[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("half", [False, True])
def test_a_pack_is_let_go_after_an_interrupt_in_the_middle_of_a_step(
    half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[weakref.ref[WrittenStep]] = []
    draw, drawn = passes._Masks.draw, 0

    def interrupted(*given: Any) -> None:
        nonlocal drawn
        drawn += 1
        if drawn == 60:
            raise KeyboardInterrupt
        draw(*given)

    def noted(step: WrittenStep, *given: Any) -> torch.Tensor:
        if not steps:
            steps.append(weakref.ref(step))
        return take(step, *given)

    take = WrittenStep.step
    monkeypatch.setattr(passes._Masks, "draw", interrupted)
    monkeypatch.setattr(WrittenStep, "step", noted)
    monkeypatch.setattr(room, "multiplies_in_half", lambda precision: half)
    settings: dict[str, Any] = {"network__dropout": 0.2, "pack__members": 8, "run__threads": 1}
    gc.collect()
    gc.disable()
    try:
        _, trained = run(*planned(**settings))
        assert trained.interrupted and drawn == 60
        assert len(steps) == 1 and steps[0]() is None
    finally:
        gc.enable()
