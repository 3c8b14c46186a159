"""One fixed network is trained exactly as the textbook's loop does it: the same losses, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from glasshouse.core.options import build_settings
from glasshouse.core.seeds import derive_seed
from glasshouse.network.pack import build, initialise
from glasshouse.network.single import to_sequential
from glasshouse.network.spec import FeatureSpec
from glasshouse.training.fit import TrainingData
from glasshouse.training.plan import Plan, decide_folds, make_plan

from .plans import epochs, features, run, table

ROWS, EPOCHS = 800, 100
Make = Callable[[nn.Sequential], torch.optim.Optimizer]


def textbook() -> tuple[Plan, TrainingData]:
    """What `--set network.hidden=[64,32] --set pack.members=1` asks for, for a table of 800 rows and 10 numbers."""
    asked = build_settings(
        {"source": "none", "target": "y", "network.hidden": [64, 32], "pack.members": 1, "run.device": "cpu"}
    )
    numbers, target = table("regression", ROWS, columns=10)
    held, held_target = table("regression", 200, seed=1, columns=10)
    spec = FeatureSpec(num_numbers=10, num_flags=0)
    plan = make_plan(decide_folds(asked, ROWS), "regression", 0, spec, numbers)
    return plan, TrainingData(features(numbers), target, features(held), held_target)


def plain_loop(plan: Plan, data: TrainingData, make: Make) -> list[float]:
    """The textbook's loop in plain torch, from the same first weights and through the same batches."""
    pack = build(plan.spec)
    initialise(pack, plan.settings.network, torch.Generator().manual_seed(derive_seed(0, "initialise")))
    network = to_sequential(pack, 0).train()
    order = torch.Generator().manual_seed(derive_seed(0, "batches"))
    optimiser, criterion = make(network), nn.MSELoss()
    x, y = torch.from_numpy(data.train.numbers), torch.from_numpy(data.train_target).float().reshape(-1, 1)
    losses = []
    for _ in range(EPOCHS):
        total, batches = 0.0, torch.randperm(ROWS, generator=order).split(32)
        for places in batches:
            loss = criterion(network(x[places]), y[places])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        losses.append(total / len(batches))
    return losses


def test_the_textbooks_network_and_loop() -> None:
    plan, data = textbook()
    settings = plan.settings
    assert (plan.spec.hidden, plan.spec.depths, plan.spec.activation, plan.folds) == ((64, 32), (2,), "relu", 1)
    assert (plan.spec.embedding, plan.spec.normalisation, plan.spec.skip) == ("none", "none", False)
    assert (settings.optimiser.name, settings.optimiser.learning_rate, settings.optimiser.schedule) == (
        "adam",
        1e-3,
        "constant",
    )
    assert (settings.training.loss, settings.training.batch_size, settings.training.epochs) == ("mse", 32, EPOCHS)
    assert (settings.optimiser.weight_decay, settings.network.dropout, settings.training.patience) == (0.0, 0.0, 0)
    assert settings.training.clip_norm is None
    assert plan.members[0].num_parameters == 10 * 64 + 64 + 64 * 32 + 32 + 32 + 1

    events, trained = run(plan, data)
    ours = [end.train_loss[0] for end in epochs(events)]
    theirs = plain_loop(plan, data, lambda network: torch.optim.Adam(network.parameters(), lr=1e-3))
    assert len(ours) == EPOCHS
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert ours[-1] < 0.2 * ours[0], "and it learns"

    best = min(epochs(events), key=lambda end: end.validation_loss[0])
    assert trained.best_single.origins == ((0, best.epoch),)
    network = to_sequential(trained.best_single.pack, 0)
    with torch.no_grad():
        said = network(torch.from_numpy(data.validation.numbers))[:, 0]
    loss = float((said - torch.from_numpy(data.validation_target)).square().mean())
    assert loss == pytest.approx(best.validation_loss[0], rel=1e-5), "the best weights are restored, not the last"


def test_the_comparison_sees_another_learning_rate() -> None:
    plan, data = textbook()
    events, _ = run(plan, data)
    theirs = plain_loop(plan, data, lambda network: torch.optim.Adam(network.parameters(), lr=1.001e-3))
    assert [end.train_loss[0] for end in epochs(events)] != pytest.approx(theirs, abs=1e-5)
