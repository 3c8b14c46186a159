"""What goes on inside the layers: activations over a probe batch, gradients and updates of the last step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from glasshouse.core.records import LayerStatistics
from glasshouse.network.activations import BOUNDS, ZERO_WHEN_DEAD
from glasshouse.network.layers import PackLinear
from glasshouse.network.pack import Pack
from glasshouse.training.optimiser import PackOptimiser


@contextmanager
def listening(modules: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Collects the outputs of some modules while inside; the hooks are gone afterwards, also after an error."""
    heard: dict[str, Tensor] = {}

    def listen(name: str) -> object:
        return modules[name].register_forward_hook(lambda _module, _inputs, output: heard.update({name: output}))

    handles = [listen(name) for name in modules]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()  # type: ignore[attr-defined]


@torch.no_grad()
def layer_statistics(
    pack: Pack,
    optimiser: PackOptimiser,
    prepared: Tensor,
    categories: Tensor | None,
    members: tuple[int, ...],
    folds: int = 1,
) -> tuple[LayerStatistics, ...]:
    """The state of every hidden layer and of the head.

    Args:
        pack: in evaluation mode.
        optimiser: just after a step, so that gradients and directions are those of it.
        prepared: (rows, features) of the probe rows.
        categories: (rows, columns) of the same.
        members: the names of the members in the pack's order.
        folds: networks a member consists of, side by side in the pack; their mean is what is said of it.
    """
    blocks = {f"layers.{place}": block for place, block in enumerate(pack.layers)}
    with listening({name: block.activation for name, block in blocks.items()}) as heard:  # type: ignore[misc]
        outputs = pack(prepared, categories)
    updates = {id(p): d for p, d in zip(optimiser.parameters, optimiser.directions, strict=True)}
    found = [
        _describe(name, heard[name], block.linear, updates, pack.spec.activation, members, folds)  # type: ignore[arg-type]
        for name, block in blocks.items()
    ]
    return (*found, _describe("head", outputs, pack.head, updates, "linear", members, folds))


def _describe(
    name: str,
    activations: Tensor,
    linear: PackLinear,
    updates: dict[int, Tensor],
    activation: str,
    members: tuple[int, ...],
    folds: int,
) -> LayerStatistics:
    count, flat = activations.shape[0], activations.flatten(1)
    none = torch.zeros(count)
    # A mean and a length each, in one pass over the memory; torch.std_mean and all() take ten times as long.
    mean = flat.mean(1)
    spread = torch.linalg.vector_norm(flat - mean.view(-1, 1), dim=1) / (flat.shape[1] - 1) ** 0.5
    dead = saturated = none
    if activation in ZERO_WHEN_DEAD:
        dead = ((activations.amax(1) == 0) & (activations.amin(1) == 0)).float().mean(1)
    if activation in BOUNDS:
        low, high = BOUNDS[activation]
        margin = 0.01 * (high - low)
        saturated = ((flat < low + margin) | (flat > high - margin)).float().mean(1)
    weight = linear.weight
    gradient = torch.linalg.vector_norm(weight.grad, dim=(1, 2)) if weight.grad is not None else none
    length = torch.linalg.vector_norm(weight, dim=(1, 2)).clamp_min(1e-12)
    ratio = torch.linalg.vector_norm(updates[id(weight)], dim=(1, 2)) / length
    values = torch.stack([part.cpu() for part in (mean, spread, dead, saturated, gradient, ratio)])
    mean_, spread_, dead_, saturated_, gradient_, ratio_ = _plain(values.view(6, -1, folds).mean(2))
    return LayerStatistics(
        layer=name, members=members[: count // folds], mean=mean_, spread=spread_, dead=dead_, saturated=saturated_,
        gradient_norm=gradient_, update_ratio=ratio_,
    )  # fmt: skip


def _plain(values: Tensor) -> list[tuple[float, ...]]:
    return [tuple(float(f"{value:.6g}") for value in row) for row in values.tolist()]
