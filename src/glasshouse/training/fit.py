"""A pack from its first weights to a chosen ensemble, as a stream of events.

Whoever watches (progress bar, recorder, and later a web page or a tracker) reads the events and changes nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from glasshouse.core.errors import TrainingError
from glasshouse.core.records import EpochEnd, Finished, LayerStatistics, MemberStopped, Record, Started
from glasshouse.core.seeds import derive_seed
from glasshouse.data.batches import Batch, Epochs, Rows
from glasshouse.data.encode import Features
from glasshouse.network.layers import PackDropout
from glasshouse.network.pack import Pack, build, initialise, stack
from glasshouse.network.spec import PackSpec
from glasshouse.training.captured import CapturedStep
from glasshouse.training.crews import Threads
from glasshouse.training.devices import clock_of, computing, device_of, generator_on
from glasshouse.training.judging import Judge
from glasshouse.training.loop import Policies, Step, train_epoch
from glasshouse.training.losses import class_weights, row_loss
from glasshouse.training.muon import Muon
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.pace import Pace
from glasshouse.training.plan import HALVED_AT, Plan
from glasshouse.training.schedules import make_schedule
from glasshouse.training.selection import Later, Selector, Snapshot
from glasshouse.training.statistics import layer_statistics
from glasshouse.training.written import WrittenStep, can_be_written, multiplies_in_half

PROBE_ROWS = 256


class TrainingData(NamedTuple):
    """What a pack learns from and what chooses among its snapshots. Targets are class codes, or standardised values.

    With folds both are the same rows: a member is one network a fold, which learns from the rows of the others, and
    every row is judged by the network that has not seen it.
    """

    train: Features
    train_target: np.ndarray  # (rows,)
    validation: Features
    validation_target: np.ndarray  # (rows,)
    fold: np.ndarray | None = None  # (rows,) which fold a row is left out of; None without folds
    train_weight: np.ndarray | None = None  # (rows,) how much each counts; None where all count the same
    validation_weight: np.ndarray | None = None  # (rows,)


class Ensemble(NamedTuple):
    """Networks that predict together: a pack, each member's weight in the mean, and where each came from."""

    pack: Pack
    weights: tuple[float, ...]
    origins: tuple[tuple[int, int], ...]  # (member, epoch)


class Trained(NamedTuple):
    """What training leaves."""

    ensemble: Ensemble
    best_single: Ensemble
    members: int  # how many were trained
    decisions: tuple[tuple[int, int], ...]  # of the pace, for a replay
    interrupted: bool


Event = Record | Step


@dataclass
class _State:
    """What changes while a pack trains."""

    pack: Pack
    policies: Policies
    judge: Judge
    selector: Selector
    members: tuple[int, ...]  # still training, in the pack's order
    own: tuple[Tensor, ...]  # the places of the rows that each of a member's networks learns from
    epoch: int = 0
    judged_step: int = 0  # the last one after which the members were judged
    bad_epochs: dict[int, int] = field(default_factory=dict)


def fit(
    plan: Plan, data: TrainingData, deadline: float | None = None, watched: bool = True
) -> Generator[Event, None, Trained]:
    """Trains a pack, event by event.

    Args:
        plan: all that was decided before.
        data: the rows.
        deadline: `time.perf_counter()` at which training should be over; None trains the planned epochs.
        watched: whether anybody looks at single steps and into the layers; if not, neither is told. The numbers that
            come out are the same.

    Yields:
        Started; then Step after every update, EpochEnd and MemberStopped after every pass; Finished.

    Returns:
        The ensemble and the best single member. A KeyboardInterrupt keeps the best so far once one epoch is done.

    Raises:
        TrainingError: every member's loss stopped being finite, or the device's memory is full.
    """
    settings = plan.settings
    device = device_of(settings)
    with (
        computing(device, settings.run),
        closing(Threads(_threads(plan, device))) as threads,
    ):
        pack = _new_pack(plan, data.train.numbers, device)
        train = _rows(plan, pack, data.train, data.train_target, data.train_weight)
        validation = train  # with folds every row trains and is judged by
        if data.fold is None:
            validation = _rows(plan, pack, data.validation, data.validation_target, data.validation_weight)
        fold = torch.from_numpy(data.fold) if data.fold is not None else None
        loss = settings.training.loss or ""
        judge = Judge(plan.task, loss, validation, None if fold is None else fold.to(device), threads)
        if deadline is not None and not settings.run.pace:
            deadline -= _judging_seconds(judge, pack, device)
        state = _begin(plan, pack, judge, _own_rows(plan, train, fold), deadline, weighted=train.weights is not None)
        started = Started(
            members=plan.members, epochs=settings.training.epochs or 0, steps_per_epoch=plan.steps_per_epoch,
            batch_size=settings.training.batch_size or 0, device=str(device), precision=settings.run.precision,
            seconds=settings.run.seconds, folds=plan.folds,
        )  # fmt: skip
        yield started
        reason = "schedule"
        begin = state.policies.pace.clock()
        try:
            yield from _epochs(plan, state, train, begin, watched)
            if not state.members:
                reason = "patience"
            elif settings.run.seconds is not None and not settings.run.pace:
                reason = "seconds"
        except KeyboardInterrupt:
            if not state.selector.ensemble:
                raise
            # What came after the last judgement is lost: a replay has to end there, or it would judge once more.
            state.policies.pace.stop(state.judged_step)
            reason = "interrupted"
        yield _finished(state, reason, state.policies.pace.clock() - begin)
        shared = state.pack.tensors()
        ensemble = assemble(plan.spec, state.selector.ensemble, shared)
        single = assemble(plan.spec, [state.selector.single], shared)
        return Trained(
            ensemble, single, len(plan.members), tuple(state.policies.pace.decisions), reason == "interrupted"
        )


def assemble(spec: PackSpec, snapshots: list[Snapshot], shared: dict[str, Tensor]) -> Ensemble:
    """Snapshots as one pack: a snapshot chosen twice stands once, with twice the weight; a fold weighs its share."""
    unique = {(s.member, s.epoch): s for s in snapshots}
    ordered = sorted(unique.values(), key=lambda s: (-s.depth, s.member, s.epoch))
    counts = {key: sum((s.member, s.epoch) == key for s in snapshots) for key in unique}
    on_cpu = {name: tensor.detach().cpu() for name, tensor in shared.items()}
    members = [(s.depth, {name: own.cpu() for name, own in one.items()}) for s in ordered for one in s.copied]
    pack = stack(spec, members, on_cpu).eval()
    shares = [(s, counts[(s.member, s.epoch)] / len(snapshots) / len(s.copied)) for s in ordered]
    weights = tuple(share for s, share in shares for _ in s.copied)
    return Ensemble(pack, weights, tuple((s.member, s.epoch) for s in ordered for _ in s.copied))


def _new_pack(plan: Plan, numbers: np.ndarray, device: torch.device) -> Pack:
    """The pack with its first weights drawn."""
    seed = plan.settings.run.seed
    pack = build(plan.spec)
    if plan.settings.network.embedding == "mixed":
        plain = [member.embedding == "none" for member in plan.members]
        pack.hide_pieces(torch.tensor(plain).repeat_interleave(plan.folds))
    initialise(pack, plan.settings.network, torch.Generator().manual_seed(derive_seed(seed, "initialise")), numbers)
    drops = _each([member.dropout for member in plan.members], plan)
    if bool((drops > 0).any()):
        pack.dropout = PackDropout(drops, generator_on(device, derive_seed(seed, "dropout")))
    return pack.to(device)


@torch.no_grad()
def _rows(plan: Plan, pack: Pack, features: Features, target: np.ndarray, weight: np.ndarray | None) -> Rows:
    """Rows as the pack reads them, on its device; whatever has nothing to learn is computed here, once."""
    device = pack.head.weight.device
    numbers, flags = (torch.from_numpy(part).to(device) for part in (features.numbers, features.flags))
    categories = torch.from_numpy(features.categories).to(device) if features.categories.shape[1] else None
    targets = torch.from_numpy(target.astype(np.int64 if plan.task == "multiclass" else np.float32)).to(device)
    weights = torch.from_numpy(weight / weight.mean()).to(device) if weight is not None else None
    if plan.settings.training.class_weights == "balanced":
        by_class = class_weights(torch.from_numpy(target), max(2, plan.spec.outputs)).to(device)
        weights = by_class if weights is None else by_class * weights
    return Rows(pack.prepare(numbers, flags), categories, targets, weights)


def _each(values: list[float], plan: Plan) -> Tensor:
    """A value of every member as one of every network."""
    return torch.tensor(values).repeat_interleave(plan.folds)


def _begin(
    plan: Plan, pack: Pack, judge: Judge, own: tuple[Tensor, ...], deadline: float | None, *, weighted: bool
) -> _State:
    settings, device = plan.settings, pack.head.weight.device
    rates = _each([member.learning_rate for member in plan.members], plan).to(device)
    decays = _each([member.weight_decay for member in plan.members], plan).to(device)
    by_row = row_loss(settings.training.loss or "", settings.training.label_smoothing)

    def loss(outputs: Tensor, batch: Batch) -> Tensor:
        losses = by_row(outputs, batch.targets)
        # The weights of all rows have the mean 1. Divided by those of its own batch instead, a heavy row would pull
        # no harder than a light one wherever it outweighs the rows beside it.
        return losses.mean(-1) if batch.weights is None else (losses * batch.weights).mean(-1)

    chosen = torch.tensor([member.optimiser == "muon" for member in plan.members]).repeat_interleave(plan.folds)
    muon = Muon(pack, chosen) if bool(chosen.any()) else None
    optimiser = PackOptimiser(pack.named_parameters(), settings.optimiser, rates, decays, muon)
    policies = Policies(
        loss=loss,
        optimiser=optimiser,
        schedule=make_schedule(settings.optimiser, len(rates), device),
        pace=Pace(
            (settings.training.epochs or 1) * plan.steps_per_epoch, deadline, settings.run.pace, clock_of(device)
        ),
        clip_norm=settings.training.clip_norm,
    )
    if device.type == "cuda":
        policies = policies._replace(own_way=CapturedStep(pack, policies))
    elif can_be_written(plan) and not weighted:
        half = multiplies_in_half(settings.run.precision)
        written = WrittenStep(pack, optimiser, settings.training.loss or "", judge.threads, half=half)
        policies = policies._replace(own_way=written)
    selector = Selector(judge.losses, settings.pack.ensemble, settings.pack.selection)
    return _State(pack, policies, judge, selector, tuple(member.member for member in plan.members), own)


def _epochs(plan: Plan, state: _State, train: Rows, begin: float, watched: bool) -> Iterator[Event]:
    settings, pace = plan.settings, state.policies.pace
    device = train.prepared.device
    order = generator_on(device, derive_seed(settings.run.seed, "batches"))
    probe = torch.randperm(
        train.num_rows, generator=torch.Generator().manual_seed(derive_seed(settings.run.seed, "probe"))
    )
    probe = probe[:PROBE_ROWS].to(device)
    own_way, taught = state.policies.own_way, train
    if own_way is not None and own_way.half:  # rounded once here instead of at every step
        taught = train._replace(prepared=train.prepared.bfloat16())
    epochs = Epochs(taught, settings.training.batch_size or 1, order)
    while state.members and not pace.over:
        state.epoch += 1
        step_losses = []
        batches = epochs.next(state.own * len(state.members))
        for step in train_epoch(state.pack, batches, state.policies, state.epoch):
            step_losses.append(step.losses)
            if watched:
                yield step
        if state.pack.training:  # the written step asks no module, so that the mode stays
            state.pack.eval()
        quality = state.judge.quality(state.pack)
        losses = state.judge.losses(quality)
        latest = _snapshots(plan, state, quality, losses)
        improved = state.selector.update(latest) if latest else []
        state.judged_step = pace.step
        statistics = _statistics(plan, state, train, probe) if watched else ()
        state.policies.schedule.observe(losses.repeat_interleave(plan.folds))
        factor = state.policies.schedule.factor(pace.progress, state.epoch)  # of the next step, as torch's get_last_lr
        rates = state.policies.optimiser.learning_rate * factor
        yield EpochEnd(
            epoch=state.epoch,
            epochs=max(state.epoch, -(-pace.total // plan.steps_per_epoch)),
            seconds=pace.clock() - begin,
            progress=pace.progress,
            members=state.members,
            train_loss=_listed(torch.stack(step_losses).mean(0).view(-1, plan.folds).mean(1)),
            validation_loss=_listed(losses),
            learning_rate=_listed(rates[:: plan.folds]),
            ensemble_loss=state.selector.loss,
            ensemble_members=tuple(s.member for s in state.selector.ensemble),
            layers=statistics,
        )
        yield from _stop_members(plan, state, [s.member for s in latest], improved)


def _statistics(plan: Plan, state: _State, train: Rows, probe: Tensor) -> tuple[LayerStatistics, ...]:
    """What the layers make of some training rows, and what the last step did to them."""
    if state.policies.own_way is not None:
        state.policies.own_way.show()
    categories = train.categories[probe] if train.categories is not None else None
    return layer_statistics(
        state.pack, state.policies.optimiser, train.prepared[probe], categories, state.members, plan.folds
    )


def _own_rows(plan: Plan, train: Rows, fold: Tensor | None) -> tuple[Tensor, ...]:
    """The places of the rows that each network of a member learns from: all, or those of the other folds."""
    if fold is None:
        return (torch.arange(train.num_rows),)
    return tuple(torch.nonzero(fold != left_out)[:, 0] for left_out in range(plan.folds))


def _stop_members(plan: Plan, state: _State, finite: list[int], improved: list[bool]) -> Iterator[MemberStopped]:
    """Cuts out members whose loss is not finite and, with a patience, those that have stopped getting better."""
    patience = plan.settings.training.patience or 0
    for member, better in zip(finite, improved, strict=True):
        state.bad_epochs[member] = 0 if better else state.bad_epochs.get(member, 0) + 1
    broken = [member for member in state.members if member not in finite]
    tired = [member for member in finite if patience and state.bad_epochs[member] >= patience]
    hopeless = _hopeless(plan, state, [member for member in finite if member not in tired])
    reasons = (
        dict.fromkeys(broken, "not_finite") | dict.fromkeys(tired, "patience") | dict.fromkeys(hopeless, "halving")
    )
    if not reasons:
        return
    if len(broken) == len(state.members) and not state.selector.best:
        raise TrainingError(
            f"the loss of all {len(broken)} members stopped being finite in epoch {state.epoch}",
            where="training",
            expected="a loss that is a number",
            fix="--set optimiser.learning_rate=0.0005 (or training.clip_norm=1)",
        )
    stay = [place for place, member in enumerate(state.members) if member not in reasons]
    for member, reason in reasons.items():
        best = state.selector.best.get(member)
        yield MemberStopped(
            member=member, epoch=state.epoch, best_epoch=best.epoch if best else 0,
            best_loss=best.loss if best else float("inf"), reason=reason,  # type: ignore[arg-type]
        )  # fmt: skip
    state.members = tuple(state.members[place] for place in stay)
    if not stay:
        return
    positions = torch.tensor([place * plan.folds + fold for place in stay for fold in range(plan.folds)])
    kept = state.pack.keep(positions.to(state.pack.head.weight.device))
    state.policies.optimiser.keep(positions, kept)
    if state.policies.own_way is not None:
        state.policies.own_way.keep(kept)
    state.policies.schedule.keep(positions)
    state.policies.pace.remeasure()


def _hopeless(plan: Plan, state: _State, running: list[int]) -> list[int]:
    """The members beyond the share that may still run at this point of the training, worst best losses first."""
    due = sum(state.policies.pace.progress >= point for point in HALVED_AT[plan.settings.pack.halvings or 0])
    keep = -(-len(plan.members) // 2**due)
    return sorted(running, key=lambda member: state.selector.best[member].loss)[keep:] if due else []


def _snapshots(plan: Plan, state: _State, quality: Tensor, losses: Tensor) -> list[Snapshot]:
    """One of every member whose loss is finite."""
    found = []
    for place, (member, loss) in enumerate(zip(state.members, losses.tolist(), strict=True)):
        if np.isfinite(loss):
            networks = range(place * plan.folds, (place + 1) * plan.folds)
            depth = state.pack.spec.depths[networks[0]]
            tensors = Later(state.pack.members_tensors, networks)
            found.append(Snapshot(member, state.epoch, depth, loss, tensors, quality[place]))
    return found


def _judging_seconds(judge: Judge, pack: Pack, device: torch.device) -> float:
    """How long it takes to judge all members once: after the last step it has to be done once more."""
    clock = clock_of(device)
    if device.type == "cuda":  # where the first time loads the kernels
        judge.quality(pack.eval())
    begin = clock()
    judge.quality(pack.eval())
    return clock() - begin


def _finished(state: _State, reason: str, seconds: float) -> Finished:
    selector = state.selector
    best = selector.single
    return Finished(
        reason=reason, epochs=state.epoch, seconds=seconds, ensemble_loss=selector.loss,  # type: ignore[arg-type]
        ensemble_members=tuple(s.member for s in selector.ensemble), best_member=best.member, best_epoch=best.epoch,
        best_loss=best.loss,
    )  # fmt: skip


def _listed(values: Tensor) -> tuple[float, ...]:
    return tuple(float(f"{value:.7g}") for value in values.tolist())


def _threads(plan: Plan, device: torch.device) -> int:
    """How many threads may each take some of the members; on other devices than a processor none does."""
    return min(torch.get_num_threads(), plan.spec.num_members) if device.type == "cpu" else 1
