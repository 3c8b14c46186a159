"""Judging a pack on rows that its networks have not learnt from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from glasshouse.core.settings import NetworkSettings
from glasshouse.data.batches import Rows
from glasshouse.network.pack import Pack, build, initialise
from glasshouse.network.spec import FeatureSpec, PackSpec
from glasshouse.training import judging
from glasshouse.training.crews import Threads
from glasshouse.training.judging import Judge

ROWS, FOLDS, MEMBERS, CLASSES = 23, 3, 2, 4


def made(task: Any) -> tuple[Pack, Rows]:
    """A pack of 6 networks, two members of three, and rows with a category to judge them on."""
    features = FeatureSpec(num_numbers=3, num_flags=1, cardinalities=(5,))
    outputs = CLASSES if task == "multiclass" else 1
    spec = PackSpec(features=features, outputs=outputs, hidden=(6, 6), depths=(2, 2, 2, 1, 1, 1))
    pack = build(spec)
    generator = torch.Generator().manual_seed(1)
    initialise(pack, NetworkSettings(), generator, torch.zeros(1, 3).numpy())
    draw = {"regression": torch.randn(ROWS), "binary": (torch.rand(ROWS) > 0.5).float(),
            "multiclass": torch.randint(CLASSES, (ROWS,))}  # fmt: skip
    codes = torch.randint(5, (ROWS, 1))
    return pack.eval(), Rows(torch.randn(ROWS, 4), codes, draw[task], torch.rand(ROWS) + 0.5)


def said(task: Any, pack: Pack, rows: Rows) -> torch.Tensor:
    """(networks, rows) by torch's own words: the value, or what the loss takes for the true class's probability."""
    outputs: torch.Tensor = pack(rows.prepared, rows.categories)
    if task == "regression":
        return outputs[..., 0]
    if task == "binary":
        losses = [functional.binary_cross_entropy_with_logits(o[:, 0], rows.targets, reduction="none") for o in outputs]
    else:
        losses = [functional.cross_entropy(o, rows.targets, reduction="none") for o in outputs]
    return torch.exp(-torch.stack(losses))


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_without_folds_every_network_judges_every_row(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, rows = made(task)
    monkeypatch.setattr(judging, "ROWS_AT_ONCE", 7)
    judge = Judge(task, "mse", rows, None)
    torch.testing.assert_close(judge.quality(pack), said(task, pack, rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("folds", [0, FOLDS])
@pytest.mark.parametrize("most", [2, 3, 50])
def test_threads_judge_as_one_does(folds: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, rows = made("multiclass")
    monkeypatch.setattr(judging, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(judging, "NUMBERS_AT_ONCE", 6 * 4 * 2)
    fold = torch.arange(ROWS) % folds if folds else None
    threads = Threads(most)
    assert torch.equal(
        Judge("multiclass", "", rows, fold, threads).quality(pack), Judge("multiclass", "", rows, fold).quality(pack)
    )
    threads.close()


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_with_folds_a_row_is_judged_by_the_network_that_has_not_seen_it(
    task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack, rows = made(task)
    monkeypatch.setattr(judging, "NUMBERS_AT_ONCE", 6 * 4 * 2)  # two rows of every network at once
    fold = torch.tensor([0, 1, 1, 1, 2] * 5)[:ROWS]  # of unequal sizes
    every = said(task, pack, rows).view(MEMBERS, FOLDS, ROWS)
    own = torch.stack([every[:, left_out, row] for row, left_out in enumerate(fold.tolist())], 1)
    torch.testing.assert_close(Judge(task, "mse", rows, fold).quality(pack), own, rtol=1e-5, atol=1e-6)
    swapped = Judge(task, "mse", rows, (fold + 1) % FOLDS).quality(pack)
    assert not torch.allclose(swapped, own, atol=1e-3)  # networks that have seen the rows say something else


def test_losses_are_those_of_the_task() -> None:
    quality = torch.tensor([[0.5, 0.25], [1.0, 0.0]])
    rows = Rows(torch.zeros(2, 1), None, torch.tensor([1.0, 0.0]), None)
    logarithms = Judge("binary", "bce", rows, None).losses(quality)
    assert logarithms.tolist() == pytest.approx([1.5 * 0.693147, 27.631021 / 2], rel=1e-5)
    assert Judge("regression", "l1", rows, None).losses(quality).tolist() == pytest.approx([0.375, 0.0])
    heavy = rows._replace(weights=torch.tensor([3.0, 1.0]))
    assert Judge("regression", "l1", heavy, None).losses(quality)[0].item() == pytest.approx((3 * 0.5 + 0.25) / 4)
