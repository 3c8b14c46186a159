"""A step that is recorded as a CUDA graph trains as the loop does that is written down."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from glasshouse.core.records import Finished, MemberStopped
from glasshouse.data.batches import Drawn, Epochs, Rows
from glasshouse.network.pack import Pack
from glasshouse.training import fit as room
from glasshouse.training.captured import FIRST, CapturedStep
from glasshouse.training.fit import TrainingData, fit
from glasshouse.training.judging import Judge
from glasshouse.training.loop import Policies, train_epoch
from glasshouse.training.pace import Pace
from glasshouse.training.plan import Plan

from .plans import epochs, planned, run
from .test_fit import same

CASES: dict[str, dict[str, Any]] = {
    "plain": {"network__hidden": [16, 8], "pack__members": 3},
    "as it comes": {},
    "in pieces": {"network__embedding": "piecewise"},
    "waves": {"network__embedding": "periodic"},
    "categories": {"cardinalities": (4, 7)},
    "many labels at once": {"cardinalities": (4, 7), "pack__members": 40},
    "two classes": {"task": "binary", "training__label_smoothing": 0.1},
    "classes": {"task": "multiclass", "training__class_weights": "balanced"},
    "batch norm": {"network__normalisation": "batch"},
    "folds": {"pack__folds": 3},
    "no layer": {"network__hidden": []},
    "huber": {"training__loss": "huber", "network__activation": "prelu"},
    "l1": {"training__loss": "l1", "network__activation": "gelu"},
    "clipped": {"training__clip_norm": 0.5, "network__activation": "silu"},
    "sgd": {"optimiser__name": "sgd", "optimiser__momentum": 0.9, "optimiser__learning_rate": 0.01},
    "rmsprop": {"optimiser__name": "rmsprop", "optimiser__momentum": 0.5, "optimiser__learning_rate": 0.001},
    "muon": {"optimiser__name": "muon", "network__depth": [1, 3]},
    "mixed": {"optimiser__name": "mixed", "pack__folds": 2, "pack__members": 8},
    "one": {"pack__members": 1, "network__hidden": [16]},
}


class Given:
    """A schedule of one factor."""

    def __init__(self, factor: float | Tensor) -> None:
        self.given = factor

    def factor(self, progress: float, epoch: int) -> float | Tensor:
        return self.given


class Begun(NamedTuple):
    """A training before its first step."""

    pack: Pack
    rows: Rows
    policies: Policies

    def step(self, places: Tensor, factor: float | Tensor) -> Tensor:
        """One step on rows at (networks, batch) places: the losses."""
        drawn, policies = Drawn(self.rows, places.to(self.rows.prepared.device)), self.policies
        if policies.own_way is not None:
            return policies.own_way.step(drawn, factor).cpu()
        once = policies._replace(schedule=Given(factor), pace=Pace(1))
        return next(train_epoch(self.pack, [drawn], once, 1)).losses

    def keep(self, positions: Tensor) -> None:
        """Lets the other networks leave."""
        kept = self.pack.keep(positions.to(self.rows.prepared.device))
        self.policies.optimiser.keep(positions, kept)
        if self.policies.own_way is not None:
            self.policies.own_way.keep(kept)


def begun(plan: Plan, data: TrainingData, where: str) -> Begun:
    """On a card ("cuda"), on a processor that pretends to be one, or as the loop is written down ("cpu")."""
    pack = room._new_pack(plan, data.train.numbers, torch.device("cuda" if where == "cuda" else "cpu"))
    rows = room._rows(plan, pack, data.train, data.train_target, data.train_weight)
    judge = Judge(plan.task, plan.settings.training.loss or "", rows, None)
    state = room._begin(plan, pack, judge, (torch.arange(rows.num_rows),), None, weighted=rows.weights is not None)
    plain = state.policies._replace(own_way=None)
    if where == "cuda":
        assert isinstance(state.policies.own_way, CapturedStep)
        return Begun(pack, rows, state.policies)
    return Begun(pack, rows, plain._replace(own_way=CapturedStep(pack, plain)) if where == "pretended" else plain)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that records steps as a card does, so far as Python has to do with it.

    A recorded step is not done when it is recorded, reads the tensors that it was recorded with, and leaves its losses
    where it left them before.
    """
    recording: list[PretendedGraph] = []
    learn = CapturedStep._learn

    def watched(self: CapturedStep, drawn: Drawn) -> Tensor:
        if not recording:
            return learn(self, drawn)
        losses, factors = torch.full((self.pack.spec.num_members,), torch.nan), self.factors

        def again() -> None:
            assert self.factors is factors, "it goes on reading the factors that it was recorded with"
            losses.copy_(learn(self, drawn))

        recording[-1].replay = again
        return losses

    @contextmanager
    def graph(made: PretendedGraph, **_: Any) -> Iterator[None]:
        recording.append(made)
        yield
        recording.pop()

    monkeypatch.setattr(CapturedStep, "_learn", watched)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", PretendedGraph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
    monkeypatch.setattr(torch.cuda, "Stream", PretendedStream)
    monkeypatch.setattr(torch.cuda, "current_stream", PretendedStream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())


class PretendedStream:
    def wait_stream(self, other: PretendedStream) -> None: ...


class PretendedGraph:
    replay: Callable[[], None]

    def register_generator_state(self, generator: torch.Generator) -> None: ...


def folded(plan: Plan, data: TrainingData) -> tuple[Plan, TrainingData]:
    """With folds where the plan has some: then all rows train and are judged by."""
    if plan.folds == 1:
        return plan, data
    fold = np.arange(len(data.train_target)) % plan.folds
    return plan, data._replace(fold=fold, validation=data.train, validation_target=data.train_target)


def undropped(plan: Plan) -> Plan:
    """Without dropout, whose draws are each device's own."""
    return dataclasses.replace(plan, members=tuple(msgspec.structs.replace(m, dropout=0.0) for m in plan.members))


def train(plan: Plan, data: TrainingData, device: str, factors: Callable[[int, int], float | Tensor]) -> Any:
    """Three passes in batches of 48 and a rest, with a member leaving after each: the pack and all losses."""
    training, losses = begun(undropped(plan), data, device), []
    generator = torch.Generator().manual_seed(5)
    for _ in range(3):
        networks, rows = training.pack.spec.num_members, training.rows.num_rows
        order = torch.stack([torch.randperm(rows, generator=generator) for _ in range(networks)])
        for number, places in enumerate((*order.split(48, dim=1), *order.flip(1).split(48, dim=1))):
            losses.append(training.step(places, factors(number, networks)))
        if networks > plan.folds:
            training.keep(torch.arange(networks)[plan.folds :])
    return training.pack.cpu(), losses


def falling(number: int, networks: int) -> float:
    return 1.0 / (1 + number % 3)


def each_its_own(number: int, networks: int) -> Tensor:
    return 1.0 / (1 + number + torch.arange(networks))


def check_alike(one: Any, two: Any, tolerance: float = 2e-3) -> None:
    for place, (a, b) in enumerate(zip(one[1], two[1], strict=True)):
        torch.testing.assert_close(
            a, b, rtol=tolerance, atol=tolerance, msg=lambda text, place=place: f"{place}: {text}"
        )
    for (name, a), b in zip(one[0].tensors().items(), two[0].tensors().values(), strict=True):
        if name.endswith(("linear.bias", "running_mean")) and one[0].spec.normalisation == "batch":
            continue  # the norm takes the bias out again: its gradient is roundings, which Adam makes large
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}")


def exact(where: str, **settings: Any) -> tuple[Plan, TrainingData]:
    """A plan for a place, without TF32."""
    return planned(**{"run__precision": "float32", "run__device": "cuda" if where == "cuda" else "cpu", **settings})


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("case", CASES)
def test_what_is_recorded_trains_as_the_loop_does(case: str) -> None:
    plan, data = exact("cpu", **CASES[case])
    check_alike(train(plan, data, "pretended", falling), train(plan, data, "cpu", falling), tolerance=0.0)


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_the_card_trains_as_the_processor_does(case: str) -> None:
    plan, data = exact("cuda", **CASES[case])
    check_alike(train(plan, data, "cuda", falling), train(plan, data, "cpu", falling))


@pytest.mark.gpu
def test_members_may_have_rates_that_fall_by_themselves_on_the_card() -> None:
    plan, data = exact("cuda")

    def rates(device: str) -> Callable[[int, int], Tensor]:
        return lambda number, networks: each_its_own(number, networks).to(device)

    check_alike(train(plan, data, "cuda", rates("cuda")), train(plan, data, "cpu", rates("cpu")))


@pytest.mark.usefixtures("pretended")
def test_members_may_have_rates_that_fall_by_themselves() -> None:
    plan, data = exact("cpu")
    pair = (train(plan, data, where, each_its_own) for where in ("pretended", "cpu"))
    check_alike(*pair, tolerance=0.0)


def spoilt(monkeypatch: pytest.MonkeyPatch, spoil: str) -> None:
    """A step that is not told of its rows, of its rate, or of members that left."""
    if spoil == "factors":
        monkeypatch.setattr(CapturedStep, "_set_factors", lambda self, factor: None)
        return
    if spoil == "members":
        monkeypatch.setattr(CapturedStep, "keep", lambda self, kept: None)
        return
    record, read = CapturedStep._record, []

    def elsewhere(self: CapturedStep, drawn: Drawn) -> Any:
        recording = record(self, drawn)
        read.append(recording.places)  # the graph goes on reading them
        return recording._replace(places=drawn.places.clone())

    monkeypatch.setattr(CapturedStep, "_record", elsewhere)


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("spoil", ["places", "factors", "members"])
def test_the_comparison_sees_a_step_that_is_not_told(spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt(monkeypatch, spoil)
    plan, data = exact("cpu")
    with pytest.raises((AssertionError, RuntimeError)):
        check_alike(train(plan, data, "pretended", falling), train(plan, data, "cpu", falling))


@pytest.mark.gpu
@pytest.mark.parametrize("spoil", ["places", "factors"])
def test_the_comparison_sees_a_card_that_is_not_told(spoil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt(monkeypatch, spoil)
    plan, data = exact("cuda")
    with pytest.raises(AssertionError):
        check_alike(train(plan, data, "cuda", falling), train(plan, data, "cpu", falling))


@pytest.mark.usefixtures("pretended")
def test_there_is_one_recording_for_each_size_of_batch() -> None:
    plan, data = exact("cpu", rows=160)
    training = begun(plan, data, "pretended")
    own_way, networks = training.policies.own_way, training.pack.spec.num_members
    assert isinstance(own_way, CapturedStep)
    for number in range(FIRST + 9):
        training.step(torch.arange(48 if number % 3 else 16).expand(networks, -1), 1.0)
        assert len(own_way.recordings) == (0 if number < FIRST else 1 if number == FIRST else 2)
    training.keep(torch.arange(1, networks))
    assert not own_way.recordings and len(own_way.factors) == networks - 1
    training.step(torch.arange(48).expand(networks - 1, -1), 1.0)
    assert [*own_way.recordings] == [48]


@pytest.mark.gpu
def test_a_recorded_step_draws_other_units_to_drop_each_time() -> None:
    plan, data = planned(run__device="cuda", network__dropout=0.5, optimiser__learning_rate=1e-9)
    training = begun(plan, data, "cuda")
    places = torch.arange(48).expand(training.pack.spec.num_members, -1)
    losses = torch.stack([training.step(places, 1.0) for _ in range(FIRST + 20)])
    assert len({float(loss) for loss in losses[:, 0]}) == FIRST + 20


@pytest.mark.gpu
def test_what_the_last_step_left_is_shown() -> None:
    plan, data = planned(run__device="cuda", run__precision="float32", rows=120)
    card, processor = begun(undropped(plan), data, "cuda"), begun(undropped(plan), data, "cpu")
    networks = card.pack.spec.num_members
    sizes = [48, 48, 48, 48, 24, 48, 24, 24, 48]  # two recordings by turns: the one shown is the last
    for number, size in enumerate(sizes):
        places = (torch.arange(size) + 7 * number).expand(networks, -1) % 120
        card.step(places, 1.0), processor.step(places, 1.0)
    assert card.policies.own_way is not None
    card.policies.own_way.show()
    for name in ("directions", "parameters"):
        pairs = zip(getattr(card.policies.optimiser, name), getattr(processor.policies.optimiser, name), strict=True)
        for mine, theirs in pairs:
            a, b = (mine.grad.cpu(), theirs.grad) if name == "parameters" else (mine.cpu(), theirs)
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("case", ["as it comes", "categories", "folds", "mixed", "classes"])
def test_the_same_seed_gives_the_same_bits(case: str) -> None:
    settings = {"rows": 900, "training__batch_size": 450, "run__device": "cuda", **CASES[case]}
    if case == "categories":
        settings["cardinalities"] = (4, 700)
    (_, one), (_, two), (_, other) = (run(*folded(*planned(**settings, run__seed=seed))) for seed in (1, 1, 2))
    assert same(one.ensemble, two.ensemble) and not same(one.ensemble, other.ensemble)


@pytest.mark.gpu
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_run_is_told_as_on_the_processor_where_every_batch_is_all_rows(task: Any) -> None:
    """Then the order of the rows, which each device draws for itself, changes nothing but roundings."""
    for folds in (1, 2):
        told = []
        for device in ("cuda", "cpu"):
            plan, data = planned(
                task, rows=160, training__batch_size=160, run__device=device, run__precision="float32",
                pack__folds=folds, network__dropout=0.0, training__epochs=20, optimiser__name="adamw",
            )  # fmt: skip
            told.append(run(*folded(plan, data)))
        (card, trained), (processor, expected) = told
        for mine, theirs in zip(epochs(card), epochs(processor), strict=True):
            assert mine.train_loss == pytest.approx(theirs.train_loss, rel=1e-3, abs=1e-4)
            assert mine.validation_loss == pytest.approx(theirs.validation_loss, rel=1e-3, abs=1e-4)
            assert mine.ensemble_loss == pytest.approx(theirs.ensemble_loss, rel=1e-3, abs=1e-4)
            for one, two in zip(mine.layers, theirs.layers, strict=True):
                for name in ("mean", "spread", "gradient_norm", "update_ratio"):
                    assert getattr(one, name) == pytest.approx(getattr(two, name), rel=2e-2, abs=1e-3), name
        assert trained.ensemble.pack.head.weight.device.type == "cpu"
        assert trained.ensemble.origins == expected.ensemble.origins


@pytest.mark.gpu
def test_members_leave_on_the_card_too() -> None:
    plan, data = planned(
        run__device="cuda", pack__members=12, pack__halvings=3, training__epochs=12, training__patience=2, rows=400
    )
    events, trained = run(plan, data)
    stopped = [event for event in events if isinstance(event, MemberStopped)]
    assert len(stopped) >= 8 and trained.members == 12


@pytest.mark.gpu
def test_a_time_budget_is_kept_by_the_card() -> None:
    plan, data = planned(run__device="cuda", run__seconds=1.5, rows=2000, pack__members=16, network__width=256)
    stream = fit(plan, data, deadline=time.perf_counter() + 1.5)
    events = [event for event in stream if not isinstance(event, tuple)]
    finished = events[-1]
    assert isinstance(finished, Finished) and finished.reason == "seconds" and 0.7 < finished.seconds < 2.5


@pytest.mark.gpu
def test_an_interrupt_keeps_the_best_so_far() -> None:
    plan, data = planned(run__device="cuda", training__epochs=50)
    stream = fit(plan, data)
    for event in stream:
        if not isinstance(event, tuple) and getattr(event, "epoch", 0) == 3:
            break
    with pytest.raises(StopIteration) as ended:
        stream.throw(KeyboardInterrupt)
        next(stream)
    assert ended.value.value.interrupted


@pytest.mark.gpu
def test_every_member_goes_through_all_of_its_rows_in_an_order_of_its_own() -> None:
    rows = Rows(torch.arange(50.0, device="cuda").unsqueeze(1), None, torch.arange(50.0, device="cuda"), None)
    own = (torch.arange(0, 40), torch.arange(9, 50), torch.arange(0, 40))
    generator = torch.Generator("cuda").manual_seed(3)
    passes = [torch.cat([part.places for part in Epochs(rows, 16, generator).next(own)], 1).cpu() for _ in range(2)]
    for order in passes:
        assert order.shape == (3, 40)
        for places, allowed in zip(order, own, strict=True):
            assert len(set(places.tolist())) == 40 and set(places.tolist()) <= set(allowed.tolist())
        assert not torch.equal(order[0], order[2])
    assert not torch.equal(passes[0], passes[1])
    left_out = {int(place) for place in own[1]} - set(passes[0][1].tolist())
    assert len(left_out) == 1
