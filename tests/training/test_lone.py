"""One network by itself: every way of computing its layers has autograd's losses and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from glasshouse.data.batches import Batch, Drawn, Rows
from glasshouse.training import lone
from glasshouse.training.lone import LonePasses

ROWS = 30


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def rows(loss: str, features: int, outputs: int) -> Rows:
    """Rows of a table with their targets."""
    random = torch.Generator().manual_seed(1)
    targets = {
        "mse": torch.randn(ROWS, generator=random),
        "bce": torch.randint(2, (ROWS,), generator=random).float(),
        "cross_entropy": torch.randint(outputs, (ROWS,), generator=random),
    }
    return Rows(torch.randn(ROWS, features, generator=random), None, targets[loss], None)


def both(loss: str, sizes: tuple[int, ...], drawn: bool) -> tuple[list[Tensor], list[Tensor], list[str]]:
    """(our loss and gradients, autograd's, how our layers were computed)."""
    random = torch.Generator().manual_seed(0)
    wholes = [torch.randn(a + 1, b, generator=random) / a**0.5 for a, b in pairwise(sizes)]
    grads = [torch.full_like(whole, torch.nan) for whole in wholes]
    table = rows(loss, sizes[0], sizes[-1])
    places = torch.randperm(ROWS, generator=random)[:21].unsqueeze(0)
    batch: Batch | Drawn = Drawn(table, places) if drawn else table.at(places)
    passes = LonePasses(wholes, grads, "tanh", loss)
    kinds: list[str] = []
    product = lone._product

    def noted(*args: Tensor) -> lone._Product:
        made = product(*args)
        kinds.append(type(made).__name__)
        return made

    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(lone, "_product", noted)
        found = passes.run(batch).clone()
    learnt = [whole.clone().requires_grad_() for whole in wholes]
    a = table.prepared[places[0]]
    for whole in learnt[:-1]:
        a = torch.tanh(a @ whole[:-1] + whole[-1])
    outputs, targets = a @ learnt[-1][:-1] + learnt[-1][-1], table.targets[places[0]]
    criterion = {"mse": nn.MSELoss(), "bce": nn.BCEWithLogitsLoss(), "cross_entropy": nn.CrossEntropyLoss()}[loss]
    value = criterion(outputs if loss == "cross_entropy" else outputs[:, 0], targets)
    return [found[0], *grads], [value.detach(), *torch.autograd.grad(value, learnt)], kinds


@pytest.mark.parametrize("loss", ["mse", "bce", "cross_entropy"])
@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("sizes", [(12, 9, 6), (12, 1), (12, 18, 20)], ids=str)
def test_a_step_is_autograds(
    loss: str, drawn: bool, sizes: tuple[int, ...], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loss != "cross_entropy":
        sizes = (*sizes[:-1], 1)
    monkeypatch.setattr(lone, "WIDE", 0)
    ours, theirs, kinds = both(loss, sizes, drawn)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    split = [threads > 1 and not reads % threads for reads in sizes[:-1]]
    assert [kind == "_Wide" for kind in kinds] == split


def test_few_classes_are_computed_in_rows_and_what_is_small_by_all_threads_as_it_is(threads: int) -> None:
    kinds = {sizes: both("cross_entropy", sizes, False)[2] for sizes in ((12, 9, 6), (12, 9, 16), (12, 9, 2))}
    assert kinds == {
        (12, 9, 6): ["_Narrow", "_Narrow"], (12, 9, 16): ["_Narrow", "_Product"], (12, 9, 2): ["_Narrow", "_Narrow"],
    }  # fmt: skip
    assert both("mse", (12, 20, 1), False)[2] == ["_Product", "_Product"]


@pytest.mark.parametrize("defect", ["bias", "part"])
def test_a_part_that_is_forgotten_is_seen(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    multiply = lone._Wide._multiply

    def wrong(self: lone._Wide) -> None:
        if defect == "part":
            self.weights = torch.cat([self.weights[:-1], 0 * self.weights[-1:]])
        else:
            self.bias = 0 * self.bias
        multiply(self)

    monkeypatch.setattr(lone, "WIDE", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(lone._Wide, "_multiply", wrong)
    ours, theirs, kinds = both("mse", (12, 9, 1), False)
    assert kinds == ["_Wide", "_Product"] and not torch.allclose(ours[0], theirs[0], rtol=1e-3)
