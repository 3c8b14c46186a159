"""From a prepared table to a calibrated model; with folds each row calibrates what was trained without it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasshouse.core.options import build_settings
from glasshouse.data import read
from glasshouse.model import Model
from glasshouse.runs import learn as learn_room
from glasshouse.runs.learn import _unseen, calibrated, data_for, learn, parts_of, plan_for
from glasshouse.runs.prepare import Prepared, ignore, prepare
from glasshouse.training.fit import Trained, fit

BRIEF = {"source": "none", "target": "y", "training.epochs": 8, "pack.members": 3, "network.width": 16, "pack.folds": 4,
         "training.batch_size": 32, "pack.ensemble": 3}  # fmt: skip


def prepared(rows: int, **settings: object) -> Prepared:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 3))
    y = x[:, 0] + x[:, 1] ** 2 + 0.5 * random.normal(size=rows)
    table = {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y}
    asked = build_settings({**BRIEF, **{name.replace("__", "."): value for name, value in settings.items()}})
    return prepare(read(table), asked, ignore)


def trained_on(table: Prepared) -> Trained:
    data = data_for(table)
    events = fit(plan_for(table, data), data, watched=False)
    while True:
        try:
            next(events)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def test_with_folds_every_row_is_judged_by_the_networks_that_have_not_seen_it() -> None:
    table = prepared(300)
    assert table.folds is not None and len(table.split.calibration) == 0
    ensemble = trained_on(table).ensemble
    parts = parts_of(table, ensemble)
    model = Model(parts)
    rows, said = _unseen(table, ensemble)
    assert sorted([*rows, *table.split.test]) == list(range(300))
    features = table.features.take(rows)
    x = torch.from_numpy(np.hstack([features.numbers, features.flags]))
    with torch.no_grad():
        each = np.stack([model.member(place)(x)[:, 0].numpy() for place in range(len(parts.weights))])
    values = each * parts.encoder.target_scale + parts.encoder.target_center
    weights = np.array(parts.weights)
    fold_of = dict(zip(table.split.known, table.folds, strict=True))
    for place, row in enumerate(rows):
        own = np.arange(len(weights)) % 4 == fold_of[row]
        mean = np.average(values[own, place], weights=weights[own])
        assert said.outputs[place] == pytest.approx(mean, abs=1e-4)
        apart = np.sqrt(np.average((values[own, place] - mean) ** 2, weights=weights[own]))
        assert said.spread[place] == pytest.approx(apart, abs=1e-4)


def test_a_large_table_calibrates_on_some_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn_room, "MOST_TO_CALIBRATE", 50)
    table = prepared(300)
    rows, said = _unseen(table, trained_on(table).ensemble)
    assert len(set(rows)) == len(rows) == len(said.outputs) == 50 and not set(rows) & set(table.split.test)


@pytest.mark.parametrize("groups", [2, 3, 4])
def test_there_are_no_more_folds_than_groups(groups: int) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=120)
    table = {"a": x, "g": np.arange(120) % groups, "y": x + 0.1 * random.normal(size=120)}
    asked = build_settings({**BRIEF, "pack.folds": 5, "split.group": "g"})
    learnt = prepare(read(table), asked, ignore, judged=False)
    assert learnt.settings.pack.folds == groups
    assert learn(read(table), asked).num_members % groups == 0


def test_few_different_rows_make_few_folds() -> None:
    corners = {"a": [0, 0, 1, 1] * 10, "b": [0, 1, 0, 1] * 10, "y": ["no", "yes", "yes", "no"] * 10}
    kinds = {"columns.a": "number", "columns.b": "number"}
    model = learn(read(corners), build_settings({**BRIEF, "pack.folds": 5, "training.epochs": 60, **kinds}))
    assert model.num_members % 4 == 0


def test_a_table_of_embedded_categories_alone_can_be_folded() -> None:
    words = [f"word{place % 30}" for place in range(300)]
    model = learn(read({"c": words, "y": [float(len(word) + place % 30) for place, word in enumerate(words)]}),
                  build_settings(BRIEF))  # fmt: skip
    assert not model.parts.encoder.numbers and not model.parts.encoder.flags
    assert model.parts.uncertainty.num_rows == 300


def test_an_asked_for_calibration_part_is_kept_and_used() -> None:
    table = prepared(300, split__calibration=0.2)
    assert len(table.split.calibration) == 60
    parts, _ = calibrated(table, trained_on(table))
    assert parts.uncertainty.num_rows == 60


def test_intervals_of_a_small_table_hold_what_they_promise() -> None:
    # 400 tables would be a test of the method; here a gross error of scale or of who has seen what would show.
    random = np.random.default_rng(1)
    x = random.normal(size=(2400, 3))
    y = x[:, 0] + x[:, 1] ** 2 + 0.5 * random.normal(size=2400)
    held = []
    for first in range(0, 1600, 400):
        here, there = slice(first, first + 400), slice(1600, 2400)
        frame = read({"a": x[here, 0], "b": x[here, 1], "c": x[here, 2], "y": y[here]})
        model = learn(frame, build_settings({**BRIEF, "training.epochs": 20}))
        assert model.parts.uncertainty.num_rows == 400
        bounds = model.predict_interval({"a": x[there, 0], "b": x[there, 1], "c": x[there, 2]}, confidence=0.8)
        held.append(np.mean((bounds[:, 0] <= y[there]) & (y[there] <= bounds[:, 1])))
    assert 0.75 < np.mean(held) < 0.9, held
