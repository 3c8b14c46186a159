"""The step written out does what autograd's does: losses, parameters, gradients, and all that is shown of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from glasshouse.data.batches import Batch
from glasshouse.network.pack import build, initialise
from glasshouse.training import passes, written
from glasshouse.training.crews import Threads
from glasshouse.training.fit import Trained
from glasshouse.training.losses import member_losses, row_loss
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.plan import Plan
from glasshouse.training.written import WrittenStep, can_be_written, multiplies_in_half

from .plans import epochs, planned, run

DENSE = {
    "network__hidden": [12, 8], "network__dropout": 0.0, "network__embedding": "none", "pack__members": 3,
    "optimiser__name": "adam", "training__epochs": 8, "training__batch_size": 48, "training__patience": 0,
}  # fmt: skip


# What a run does unless told otherwise: three depths, a way around, rows normalised, units dropped, half of the
# members without pieces, and own learning rates.
DEFAULT: dict[str, Any] = {
    "network__hidden": None, "network__width": 12, "network__dropout": None, "network__embedding": None,
    "pack__members": 8, "optimiser__name": None,
}  # fmt: skip


def both_ways(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[tuple[Any, Trained], tuple[Any, Trained]]:
    """The events and the end of a training by the written step, and by autograd."""
    plan, data = planned(**{**DENSE, **settings})
    assert can_be_written(plan)
    by_hand = run(plan, data)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["glasshouse.training.fit"], "can_be_written", lambda plan: False)
        return by_hand, run(plan, data)


def assert_alike(ours: Any, theirs: Any, train: float, validation: float, shown: float) -> None:
    """Each epoch has the same losses, and shows the same gradients and updates, as nearly as asked."""
    for mine, other in zip(epochs(ours), epochs(theirs), strict=True):
        assert mine.train_loss == pytest.approx(other.train_loss, rel=train)
        assert mine.validation_loss == pytest.approx(other.validation_loss, rel=validation)
        for layer, twin in zip(mine.layers, other.layers, strict=True):
            assert layer.gradient_norm == pytest.approx(twin.gradient_norm, rel=shown)
            assert layer.update_ratio == pytest.approx(twin.update_ratio, rel=shown)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_a_training_is_autograds(task: str, activation: str, optimiser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # 160 rows in batches of 48: the last batch is shorter. Every member has its own rate and decay.
    settings = {"network__activation": activation, "optimiser__name": optimiser, "optimiser__schedule": "flat_cosine",
                "optimiser__learning_rate": [1e-3, 1e-2], "optimiser__weight_decay": [1e-3, 0.3]}  # fmt: skip
    (ours, end), (theirs, their_end) = both_ways(monkeypatch, task=task, **settings)
    assert_alike(ours, theirs, train=1e-5, validation=1e-4, shown=1e-3)
    assert end.best_single.origins == their_end.best_single.origins
    for name, tensor in end.best_single.pack.tensors().items():
        torch.testing.assert_close(tensor, their_end.best_single.pack.tensors()[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("cardinalities", [(), (9, 40)])
@pytest.mark.parametrize(("together", "threads"), [(1 << 20, 1), (4000, 1), (1 << 20, 3)])
def test_a_training_without_any_settings_is_autograds(
    task: str, cardinalities: tuple[int, ...], together: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["glasshouse.training.written"], "TOGETHER", together)
    settings = {**DEFAULT, "task": task, "cardinalities": cardinalities, "pack__halvings": 1, "run__threads": threads}
    monkeypatch.setattr(written, "WORTH_SHARING", 0.0)
    plan, _ = planned(**{**DENSE, **settings})
    seen = {(member.embedding, len(member.hidden), member.dropout > 0) for member in plan.members}
    assert len({reading for reading, _, _ in seen}) == 2 and len({depth for _, depth, _ in seen}) == 3
    assert {drops for _, _, drops in seen} == {True, False}
    assert (plan.spec.normalisation, plan.spec.skip, plan.settings.optimiser.name) == ("layer", True, "adamw")
    (ours, end), (theirs, their_end) = both_ways(monkeypatch, **settings)
    assert epochs(ours)[-1].members == epochs(theirs)[-1].members != epochs(ours)[0].members
    assert_alike(ours, theirs, train=1e-4, validation=1e-3, shown=1e-2)
    for name, tensor in end.best_single.pack.tensors().items():
        torch.testing.assert_close(tensor, their_end.best_single.pack.tensors()[name], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("name", ["muon", "mixed"])
@pytest.mark.parametrize("cardinalities", [(), (9, 40)])
@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("threads", [1, 3])
def test_muon_is_written_out_too(
    name: str, cardinalities: tuple[int, ...], alike: bool, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"optimiser__learning_rate": 0.01, "optimiser__weight_decay": 0.1} if alike else {}
    settings = {**DEFAULT, "cardinalities": cardinalities, "pack__halvings": 1, "optimiser__name": name, **rates}
    settings["run__threads"] = threads
    monkeypatch.setattr(written, "WORTH_SHARING", 0.0)
    (ours, end), (theirs, their_end) = both_ways(monkeypatch, **settings)
    assert epochs(ours)[-1].members == epochs(theirs)[-1].members != epochs(ours)[0].members
    assert_alike(ours, theirs, train=1e-4, validation=1e-3, shown=1e-2)
    for tensor_name, tensor in end.best_single.pack.tensors().items():
        torch.testing.assert_close(tensor, their_end.best_single.pack.tensors()[tensor_name], rtol=1e-2, atol=1e-4)
    (plain, _), _ = both_ways(monkeypatch, **{**settings, "optimiser__name": "adamw"})
    assert epochs(plain)[0].train_loss != epochs(ours)[0].train_loss


def test_one_network_by_itself_is_moved_by_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    (ours, _), (theirs, _) = both_ways(monkeypatch, pack__members=1, optimiser__name="muon")
    assert_alike(ours, theirs, train=1e-4, validation=1e-3, shown=1e-2)


def test_members_that_stop_leave_the_others_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "training__patience": 2,
        "training__epochs": 40,
        "optimiser__learning_rate": [1e-3, 0.3],
        "pack__members": 6,
    }
    (ours, _), (theirs, _) = both_ways(monkeypatch, **settings)
    members = [end.members for end in epochs(ours)]
    assert len(set(members)) > 2, "nobody stopped"
    assert members == [end.members for end in epochs(theirs)]
    for mine, other in zip(epochs(ours), epochs(theirs), strict=True):
        assert mine.train_loss == pytest.approx(other.train_loss, rel=1e-3)


def test_a_schedule_may_part_members_that_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"optimiser__schedule": "plateau", "optimiser__every": 1, "optimiser__learning_rate": 0.05,
                "training__epochs": 25, "pack__members": 4}  # fmt: skip
    (ours, _), (theirs, _) = both_ways(monkeypatch, **settings)
    assert any(len(set(end.learning_rate)) > 1 for end in epochs(ours)), "nobody was parted"
    for mine, other in zip(epochs(ours), epochs(theirs), strict=True):
        assert mine.train_loss == pytest.approx(other.train_loss, rel=1e-3)
        for layer, twin in zip(mine.layers, other.layers, strict=True):
            assert layer.update_ratio == pytest.approx(twin.update_ratio, rel=1e-2)


def test_the_last_of_members_that_were_parted_goes_on_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"optimiser__schedule": "plateau", "optimiser__every": 1, "optimiser__learning_rate": 0.05,
                "training__epochs": 60, "training__patience": 4, "pack__members": 2, "run__seed": 0}  # fmt: skip
    (ours, _), (theirs, _) = both_ways(monkeypatch, **settings)
    left = [len(end.members) for end in epochs(ours)]
    assert left.count(1) > 5 < left.count(2), "nobody was left alone"
    assert left == [len(end.members) for end in epochs(theirs)]
    assert_alike(ours, theirs, train=1e-3, validation=1e-3, shown=2e-2)


def test_what_a_schedule_has_parted_can_still_be_differentiated() -> None:
    plan, _ = planned(**{**DENSE, "optimiser__learning_rate": 1e-3, "optimiser__weight_decay": 0.0})
    pack = build(plan.spec)
    initialise(pack, plan.settings.network, torch.Generator().manual_seed(0))
    ones = torch.ones(3)
    step = WrittenStep(pack, PackOptimiser(pack.named_parameters(), plan.settings.optimiser, ones, 0 * ones), "mse")
    batch = a_batch(plan, "regression", 20)
    step.step(batch, torch.tensor([1.0, 0.5, 1.0]))
    gradients = torch.autograd.grad(pack(batch.prepared).sum(), list(pack.parameters()))
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_folds_are_members_too(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, data = planned(**{**DENSE, "pack__folds": 3})
    if data.fold is None:
        data = data._replace(
            fold=np.arange(len(data.train_target)) % plan.folds,
            validation=data.train,
            validation_target=data.train_target,
        )
    assert can_be_written(plan)
    ours, _ = run(plan, data)
    monkeypatch.setattr(sys.modules["glasshouse.training.fit"], "can_be_written", lambda plan: False)
    theirs, _ = run(plan, data)
    for mine, other in zip(epochs(ours), epochs(theirs), strict=True):
        assert mine.train_loss == pytest.approx(other.train_loss, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "written_out"),
    [
        ({}, True),
        ({"optimiser__name": "adamw"}, True),
        ({"optimiser__name": "muon"}, True),
        ({"optimiser__name": "sgd"}, False),
        ({"optimiser__name": "rmsprop"}, False),
        ({"network__activation": "gelu"}, False),
        (DEFAULT, True),
        ({**DEFAULT, "network__activation": "tanh"}, False),
        ({**DEFAULT, "network__embedding": "periodic"}, False),
        ({"network__activation": "tanh", "network__normalisation": "layer"}, True),
        ({"network__normalisation": "batch"}, False),
        ({"network__skip": True}, True),
        ({"network__hidden": [5, 5], "network__skip": True}, False),
        ({"network__hidden": []}, False),
        ({"training__clip_norm": 1.0}, False),
        ({"training__loss": "huber"}, False),
        ({"task": "multiclass", "training__label_smoothing": 0.1}, False),
        ({"task": "binary", "training__class_weights": "balanced"}, False),
    ],
    ids=str,
)
def test_what_it_cannot_do_is_left_to_autograd(settings: dict[str, Any], written_out: bool) -> None:
    plan, _ = planned(**{**DENSE, **settings})
    assert can_be_written(plan) is written_out


def stepped(
    loss: str, activation: str, *, rows: int = 20, tolerance: float = 1e-6, half: bool = False, **settings: Any
) -> tuple[Callable[[], Any], list[torch.Tensor], torch.Tensor, torch.Tensor]:
    """(one written step, autograd's gradients for it, its losses, autograd's)."""
    task = {"mse": "regression", "bce": "binary", "cross_entropy": "multiclass"}[loss]
    plan, _ = planned(**{**DENSE, "task": task, "network__activation": activation, **settings})
    pack = build(plan.spec)
    initialise(pack, plan.settings.network, torch.Generator().manual_seed(0))
    batch = a_batch(plan, task, rows)
    losses = member_losses(row_loss(loss)(pack(batch.prepared), batch.targets), None)
    gradients = list(torch.autograd.grad(losses.sum(), list(pack.parameters())))
    ones = torch.ones(plan.spec.num_members)
    optimiser = PackOptimiser(pack.named_parameters(), plan.settings.optimiser, 1e-3 * ones, 0.0 * ones)
    step = WrittenStep(pack, optimiser, loss, half=half)

    def gradients_of_a_step() -> list[torch.Tensor]:
        found = step.step(batch, 1.0)
        torch.testing.assert_close(found, losses.detach(), rtol=tolerance, atol=1e-7)
        return [parameter.grad for parameter in optimiser.parameters if parameter.grad is not None]

    return gradients_of_a_step, gradients, losses, ones


def a_batch(plan: Plan, task: str, rows: int) -> Batch:
    """Rows of every member's own."""
    random = torch.Generator().manual_seed(1)
    members = plan.spec.num_members
    x = torch.randn(members, rows, plan.spec.in_features, generator=random)
    targets = {
        "regression": torch.randn(members, rows, generator=random),
        "binary": torch.randint(2, (members, rows), generator=random).float(),
        "multiclass": torch.randint(3, (members, rows), generator=random),
    }
    return Batch(x, None, targets[task], None)


@pytest.mark.parametrize("loss", ["mse", "bce", "cross_entropy"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_the_gradients_of_a_step_are_autograds(loss: str, activation: str) -> None:
    take_step, expected, _, _ = stepped(loss, activation)
    for found, gradient in zip(take_step(), expected, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The length of the difference, in lengths of what is expected."""
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("loss", ["mse", "bce", "cross_entropy"])
def test_the_gradients_are_autograds_with_onednns_products(loss: str) -> None:
    # Large enough for torch to take them ("medium"), which round to bfloat16 where the processor is faster so.
    take_step, expected, _, _ = stepped(loss, "tanh", rows=256, tolerance=0.02, network__hidden=[96, 128])
    torch.set_float32_matmul_precision("medium")
    try:
        found = take_step()
    finally:
        torch.set_float32_matmul_precision("highest")
    assert [apart(gradient, other) for gradient, other in zip(found, expected, strict=True)] == pytest.approx(
        [0.0] * len(expected), abs=0.02
    )


# --- members shared out among threads ---------------------------------------------------------------------------------

ALIKE = {"optimiser__learning_rate": 0.01, "optimiser__weight_decay": 0.1}


def shared_out(threads: int, half: bool, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[Any, Trained, int]:
    """The events and the end of a training by so many threads, and how many crews there were at most."""
    crews: list[list[slice]] = []
    cut = sys.modules["glasshouse.training.written"].balanced

    def counted(*given: Any) -> list[slice]:
        crews.append(cut(*given))
        return crews[-1]

    monkeypatch.setattr(written, "WORTH_SHARING", 0.0)
    monkeypatch.setattr(written, "balanced", counted)
    monkeypatch.setattr(sys.modules["glasshouse.training.fit"], "multiplies_in_half", lambda precision: half)
    plan, data = planned(**{**DENSE, **DEFAULT, "cardinalities": (9, 40), "pack__halvings": 2, **settings,
                            "run__threads": threads})  # fmt: skip
    events, trained = run(plan, data)
    return epochs(events), trained, max(map(len, crews))


@pytest.mark.parametrize("settings", [{}, {"optimiser__name": "mixed"}, ALIKE, {"optimiser__name": "muon", **ALIKE}])
@pytest.mark.parametrize("half", [False, True])
def test_threads_change_nothing(settings: dict[str, Any], half: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, trained, one = shared_out(1, half, monkeypatch, **settings)
    ours, end, several = shared_out(3, half, monkeypatch, **settings)
    again, same, _ = shared_out(3, half, monkeypatch, **settings)
    assert (one, several) == (1, 3)
    assert_alike(ours, alone, train=1e-5, validation=1e-5, shown=1e-4)
    assert end.ensemble.origins == trained.ensemble.origins
    for name, tensor in end.ensemble.pack.tensors().items():
        torch.testing.assert_close(tensor, trained.ensemble.pack.tensors()[name], rtol=1e-4, atol=1e-6)
        assert torch.equal(tensor, same.ensemble.pack.tensors()[name]), "twice the same to the bit"
    assert [end.train_loss for end in again] == [end.train_loss for end in ours]


@pytest.mark.parametrize("cut", [[slice(0, 5), slice(4, 8)], [slice(0, 4), slice(5, 8)]], ids=["twice", "nobody"])
def test_a_member_that_is_taken_twice_or_by_nobody_is_seen(cut: list[slice], monkeypatch: pytest.MonkeyPatch) -> None:
    alone, _, _ = shared_out(1, False, monkeypatch, pack__halvings=0, training__epochs=2)
    monkeypatch.setattr(written, "balanced", lambda *given: cut)
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        ours, _, _ = shared_out(2, False, monkeypatch, pack__halvings=0, training__epochs=2)
        assert_alike(ours, alone, train=1e-5, validation=1e-5, shown=1e-4)


def test_a_short_step_is_not_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = planned(**{**DENSE, "pack__members": 4})
    pack = build(plan.spec)
    ones, threads = torch.ones(4), Threads(2)
    initialise(pack, plan.settings.network, torch.Generator().manual_seed(0))
    optimiser = PackOptimiser(pack.named_parameters(), plan.settings.optimiser, ones, ones)
    step = WrittenStep(pack, optimiser, "mse", threads)
    step.step(a_batch(plan, "regression", 20), 1.0)
    assert len(step.crews) == 1
    monkeypatch.setattr(written, "WORTH_SHARING", 0.0)
    step._lay_out(*[[torch.zeros_like(parameter) for parameter in pack.parameters()]] * 2)
    step.step(a_batch(plan, "regression", 20), 1.0)
    assert len(step.crews) == 2
    threads.close()


# --- hidden layers in bfloat16 ----------------------------------------------------------------------------------------

# A hidden layer's gradients go through a rounding to 8 bits at every product: 2^-9 of each number, and a few of these.
ROUNDED = 0.03
WAYS_AROUND = {"network__hidden": [9, 9, 7], "network__skip": True, "network__normalisation": "layer"}


@pytest.mark.parametrize("loss", ["mse", "bce", "cross_entropy"])
@pytest.mark.parametrize("settings", [{}, WAYS_AROUND, {"pack__members": 1}], ids=["plain", "default", "lone"])
def test_half_as_many_bits_change_the_gradients_by_little(loss: str, settings: dict[str, Any]) -> None:
    take_step, expected, _, _ = stepped(loss, "tanh", tolerance=0.02, half=True, **settings)
    found = [apart(gradient, other) for gradient, other in zip(take_step(), expected, strict=True)]
    assert 1e-5 < max(found) < ROUNDED, "rounded, and not by more"


def test_relu_in_half_is_torchs_for_every_number() -> None:
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    z = every[~every.isnan()]
    bend, back = passes._RELU_IN_HALF
    a, grad = z.clone(), z.flip(0)
    bend(a)
    assert torch.equal(a, torch.relu(z)), "both infinities, both zeros and what is denormal among them"
    back(grad, a)
    assert torch.equal(grad, torch.where(z > 0, z.flip(0), 0.0))


@pytest.mark.parametrize("loss", ["mse", "bce", "cross_entropy"])
def test_a_step_in_half_takes_relu_as_torch_does(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**WAYS_AROUND, "network__dropout": 0.0}
    found = stepped(loss, "relu", tolerance=0.02, half=True, **settings)[0]()
    used: list[torch.dtype] = []
    bend, back = passes.BENDS["relu"]

    def noted(z: torch.Tensor) -> torch.Tensor:
        used.append(z.dtype)
        return bend(z)

    monkeypatch.setattr(passes, "_RELU_IN_HALF", (noted, back))
    expected = stepped(loss, "relu", tolerance=0.02, half=True, **settings)[0]()
    assert set(used) == {torch.bfloat16}
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_a_slope_that_is_off_is_seen_behind_the_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    bend, back = passes.BENDS["tanh"]
    monkeypatch.setitem(passes.BENDS, "tanh", (bend, lambda grad, a: back(grad, a).mul_(1.1)))
    take_step, expected, _, _ = stepped("mse", "tanh", tolerance=0.02, half=True)
    found = [apart(gradient, other) for gradient, other in zip(take_step(), expected, strict=True)]
    assert max(found) > 2 * ROUNDED


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("optimiser", ["adamw", "mixed"])
def test_a_training_in_half_ends_where_others_do(task: str, optimiser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**DEFAULT, "task": task, "cardinalities": (9, 40), "pack__halvings": 1, "optimiser__name": optimiser}
    plan, data = planned(**{**DENSE, **settings})
    whole, _ = run(plan, data)
    monkeypatch.setattr(sys.modules["glasshouse.training.fit"], "multiplies_in_half", lambda precision: True)
    half, trained = run(plan, data)
    assert epochs(half)[0].train_loss != epochs(whole)[0].train_loss
    assert epochs(half)[0].train_loss == pytest.approx(epochs(whole)[0].train_loss, rel=0.02)
    assert epochs(half)[-1].ensemble_loss == pytest.approx(epochs(whole)[-1].ensemble_loss, rel=0.05)
    assert all(tensor.dtype == torch.float32 for tensor in trained.ensemble.pack.tensors().values())


@pytest.mark.parametrize(
    ("precision", "able", "half"),
    [
        ("bfloat16", {"avx512_bf16": True}, True),
        ("bfloat16", {"amx_bf16": True, "avx512_bf16": False}, True),
        ("bfloat16", {"avx512_f": True}, False),
        ("bfloat16", {}, False),
        ("float32", {"avx512_bf16": True}, False),
    ],
)
def test_half_is_for_processors_that_are_faster_so(
    precision: str, able: dict[str, bool], half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert multiplies_in_half(precision) is half


# --- what a step is made of -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("normalisation", ["none", "layer"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_ways_around_and_norms_have_autograds_gradients(skip: bool, normalisation: str, activation: str) -> None:
    settings = {"network__hidden": [9, 9, 7], "network__skip": skip, "network__normalisation": normalisation}
    take_step, expected, _, _ = stepped("mse", activation, **settings)
    for found, gradient in zip(take_step(), expected, strict=True):
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


def test_a_norm_that_is_a_little_off_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "_norm_back", lambda *arguments: [torch.ops.aten.native_layer_norm_backward(
        *arguments)[0] * 1.001])  # fmt: skip
    take_step, expected, _, _ = stepped("mse", "relu", network__normalisation="layer")
    with pytest.raises(AssertionError, match="not close"):
        for found, gradient in zip(take_step(), expected, strict=True):
            torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)


def test_a_slope_that_is_a_little_off_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    bend, back = passes.BENDS["tanh"]
    monkeypatch.setitem(passes.BENDS, "tanh", (bend, lambda grad, a: back(grad, a).mul_(1.001)))
    take_step, expected, _, _ = stepped("mse", "tanh")
    with pytest.raises(AssertionError, match="not close"):
        for found, gradient in zip(take_step(), expected, strict=True):
            torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-6)
