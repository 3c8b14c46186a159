"""The losses are torch's own, a member at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_sample_weight
from torch import Tensor, nn

from glasshouse.training.losses import class_weights, default_loss, member_losses, row_loss

MEMBERS, ROWS, CLASSES = 3, 30, 4


def draws(name: str) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(3)
    outputs = torch.randn(MEMBERS, ROWS, CLASSES if name == "cross_entropy" else 1, generator=stream) * 3
    if name == "cross_entropy":
        return outputs, torch.randint(0, CLASSES, (MEMBERS, ROWS), generator=stream)
    if name == "bce":
        return outputs, torch.randint(0, 2, (MEMBERS, ROWS), generator=stream).float()
    return outputs, torch.randn(MEMBERS, ROWS, generator=stream) * 3


TORCHS = {"mse": nn.MSELoss(), "l1": nn.L1Loss(), "huber": nn.HuberLoss(), "bce": nn.BCEWithLogitsLoss()}


@pytest.mark.parametrize("name", [*TORCHS, "cross_entropy"])
def test_a_loss_is_torchs_own(name: str) -> None:
    outputs, targets = draws(name)
    outputs.requires_grad_()
    ours = member_losses(row_loss(name)(outputs, targets), None)
    assert ours.shape == (MEMBERS,)
    ours.sum().backward()
    for member in range(MEMBERS):
        own = outputs[member].detach().clone().requires_grad_()
        torchs = nn.CrossEntropyLoss() if name == "cross_entropy" else TORCHS[name]
        loss = torchs(own if name == "cross_entropy" else own[:, 0], targets[member])
        loss.backward()
        torch.testing.assert_close(ours[member].detach(), loss.detach())
        assert outputs.grad is not None
        torch.testing.assert_close(outputs.grad[member], own.grad)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_label_smoothing_is_torchs(smoothing: float) -> None:
    outputs, targets = draws("cross_entropy")
    ours = member_losses(row_loss("cross_entropy", smoothing)(outputs, targets), None)
    torchs = nn.CrossEntropyLoss(label_smoothing=smoothing)
    torch.testing.assert_close(ours, torch.stack([torchs(o, t) for o, t in zip(outputs, targets, strict=True)]))


def test_smoothing_one_logit_is_smoothing_two_classes() -> None:
    """Binary: the same number as cross-entropy over the logits (0, z)."""
    outputs, targets = draws("bce")
    two = torch.cat([torch.zeros_like(outputs), outputs], -1)
    ours = row_loss("bce", 0.2)(outputs, targets)
    torch.testing.assert_close(ours, row_loss("cross_entropy", 0.2)(two, targets.long()))


def test_class_weights_are_torchs() -> None:
    outputs, targets = draws("cross_entropy")
    by_class = torch.tensor([0.2, 1.0, 3.0, 0.7])
    ours = member_losses(row_loss("cross_entropy")(outputs, targets), by_class[targets])
    torchs = nn.CrossEntropyLoss(weight=by_class)
    torch.testing.assert_close(ours, torch.stack([torchs(o, t) for o, t in zip(outputs, targets, strict=True)]))


def test_balanced_weights_are_scikit_learns() -> None:
    targets = np.random.default_rng(0).choice(5, 300, p=[0.6, 0.2, 0.1, 0.06, 0.04])
    weights = class_weights(torch.from_numpy(targets), 5)
    np.testing.assert_allclose(weights.numpy(), compute_sample_weight("balanced", targets), rtol=1e-6)
    assert float(weights.mean()) == pytest.approx(1, rel=1e-5)
    assert [float(weights[torch.from_numpy(targets) == c].sum()) for c in range(5)] == pytest.approx([60] * 5, rel=1e-4)


def test_a_class_that_is_not_there_takes_nothing_from_the_others() -> None:
    assert class_weights(torch.tensor([0, 0, 2]), 3).tolist() == [0.75, 0.75, 1.5]


def test_every_task_has_its_proper_loss() -> None:
    assert [default_loss(task) for task in ("regression", "binary", "multiclass")] == ["mse", "bce", "cross_entropy"]


def test_a_huge_logit_stays_finite() -> None:
    for name, target in (("bce", torch.tensor([0.0, 1.0])), ("cross_entropy", torch.tensor([0, 1]))):
        outputs = torch.tensor([[1e4], [-1e4]]) if name == "bce" else torch.tensor([[-1e4, 1e4], [1e4, -1e4]])
        assert bool(torch.isfinite(row_loss(name)(outputs, target)).all())
