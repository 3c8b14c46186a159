"""The losses, one number a member; torch computes them, the pack only keeps members apart."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from glasshouse.core.records import Task

RowLoss = Callable[[Tensor, Tensor], Tensor]  # outputs (..., outputs), targets (...) to losses (...)


def row_loss(name: str, label_smoothing: float = 0.0) -> RowLoss:
    """The loss of every row by name: mse, l1, huber, bce (on a logit), cross_entropy (on logits).

    Args:
        name: as in `training.loss`.
        label_smoothing: how much of the target's mass is spread over all classes (Szegedy et al. 2016).

    Returns:
        A function of outputs (..., outputs) and targets (...) that gives losses (...).

    Example:
        >>> row_loss("mse")(torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 3.0]))
        tensor([1., 0.])
    """

    def bce(outputs: Tensor, targets: Tensor) -> Tensor:
        smooth = targets * (1 - label_smoothing) + label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs.squeeze(-1), smooth, reduction="none")

    def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
        flat = functional.cross_entropy(
            outputs.flatten(0, -2), targets.flatten(), reduction="none", label_smoothing=label_smoothing
        )
        return flat.view(targets.shape)

    losses: dict[str, RowLoss] = {
        "mse": lambda outputs, targets: (outputs.squeeze(-1) - targets).square(),
        "l1": lambda outputs, targets: (outputs.squeeze(-1) - targets).abs(),
        "huber": lambda outputs, targets: functional.huber_loss(outputs.squeeze(-1), targets, reduction="none"),
        "bce": bce,
        "cross_entropy": cross_entropy,
    }
    return losses[name]


def member_losses(losses: Tensor, weights: Tensor | None) -> Tensor:
    """The mean loss of every member: (members, rows) to (members,); with weights, as torch's own losses divide.

    A weight counts the whole row, its smoothed part too; torch's `CrossEntropyLoss(weight, label_smoothing)` weighs the
    smoothed part by the classes that it is spread over.
    """
    if weights is None:
        return losses.mean(-1)
    return (losses * weights).sum(-1) / weights.sum(-1)


def class_weights(targets: Tensor, num_classes: int) -> Tensor:
    """A weight for every row, such that all classes weigh the same together and the mean weight is 1.

    Args:
        targets: (rows,) class codes.
        num_classes: how many classes there are.
    """
    counts = torch.bincount(targets.long(), minlength=num_classes).clamp_min(1).double()
    present = (torch.bincount(targets.long(), minlength=num_classes) > 0).sum()
    return (targets.numel() / (present * counts))[targets.long()].float()


def default_loss(task: Task) -> str:
    """The proper loss of a task."""
    return {"regression": "mse", "binary": "bce", "multiclass": "cross_entropy"}[task]
