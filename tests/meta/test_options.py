"""Every setting matters: each has another value, and that value changes something that can be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from glasshouse.core.errors import DataError
from glasshouse.core.settings import Settings
from glasshouse.data import fit_encoder, infer_schema, read
from glasshouse.runs import train
from glasshouse.runs.compare import flat_settings
from glasshouse.training.devices import device_of
from glasshouse.training.loop import Step
from glasshouse.training.schedules import FixedSchedule

# Another value for every setting than the one it has by default. A new setting without a line here fails the test.
ALTERNATES: dict[str, Any] = {
    "source": "example:diabetes",
    "target": "mean_radius",
    "columns": {"mean_radius": "ignore"},
    "read.header": "no",
    "read.separator": ",",
    "read.decimal": ".",
    "read.encoding": "latin-1",
    "read.missing": ["-999"],
    "split.test": 0.3,
    "split.validation": 0.2,
    "split.calibration": 0.2,
    "split.group": "mean_radius",
    "split.time": "mean_radius",
    "encode.scaling": "quantile",
    "encode.one_hot": 2,
    "encode.rare": 50,
    "network.hidden": [5, 3],
    "network.depth": 2,
    "network.width": 7,
    "network.activation": "tanh",
    "network.embedding": "periodic",
    "network.embedding_size": 3,
    "network.dropout": 0.3,
    "network.normalisation": "batch",
    "network.skip": False,
    "network.initialisation": "he_normal",
    "pack.members": 3,
    "pack.ensemble": 1,
    "pack.selection": "all",
    "pack.folds": 3,
    "pack.halvings": 1,
    "training.loss": "l1",
    "training.class_weights": "balanced",
    "training.label_smoothing": 0.2,
    "training.epochs": 2,
    "training.batch_size": 17,
    "training.patience": 1,
    "training.clip_norm": 0.01,
    "optimiser.name": "rmsprop",
    "optimiser.learning_rate": 0.05,
    "optimiser.weight_decay": 0.5,
    "optimiser.momentum": 0.9,
    "optimiser.schedule": "exponential",
    "optimiser.factor": 0.5,
    "optimiser.milestones": [0.2, 0.3],
    "optimiser.every": 1,
    "run.effort": "quick",
    "run.seconds": 0.05,
    "run.seed": 1,
    "run.device": "meta",
    "run.precision": "bfloat16",
    "run.threads": 2,
    "run.pace": [[1, 40]],
}


# A run of a second, and for the settings that act only beside others, those others.
BASE: dict[str, Any] = {
    "source": "example:breast-cancer",
    "target": "diagnosis",
    "network": {"width": 8},
    "pack": {"members": 2, "folds": 1},
    "training": {"epochs": 3, "batch_size": 64},
    "run": {"threads": 1},
}
BESIDE: dict[str, dict[str, Any]] = {
    "encode.one_hot": {"source": "people.csv", "target": "tall"},
    "encode.rare": {"source": "people.csv", "target": "tall"},
    "pack.ensemble": {"pack.members": 6, "training.epochs": 15, "optimiser.learning_rate": 0.02},
    "training.loss": {"source": "example:diabetes", "target": "progression"},
    "training.patience": {"training.epochs": 12, "optimiser.learning_rate": 0.3, "optimiser.schedule": "constant"},
    "optimiser.momentum": {"optimiser.name": "sgd"},
    "optimiser.factor": {"optimiser.schedule": "exponential"},
    "optimiser.milestones": {"optimiser.schedule": "multistep"},
    "optimiser.every": {"optimiser.schedule": "step"},
    "run.effort": {"network.width": None, "pack.members": None, "training.epochs": 1},
}
READ_FROM = "weight;city\n" + "1,5;München\n2,5;Köln\n-999;Köln\n3,5;Ulm\n4;Ulm\n5;Ulm\n6,25;Ulm\n" * 4


def leaves(record: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, default) of every field that is not itself a record of fields."""
    for field in msgspec.structs.fields(record):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from leaves(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field.default


def with_value(base: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A nested mapping with one dotted name changed."""
    head, _, rest = name.partition(".")
    return {**base, head: with_value(base.get(head, {}), rest, value) if rest else value}


def unmoved(
    record: type[msgspec.Struct],
    base: Mapping[str, Any],
    alternates: Mapping[str, Any],
    observe: Callable[[str, Any], object],
) -> list[str]:
    """The settings whose alternate value changes nothing that `observe(name, settings)` shows.

    Args:
        record: the record of all settings.
        base: its values to start from, nested.
        alternates: another value for each dotted name.
        observe: what can be seen of a run with some settings; it is told which setting is in question, so that it
            can look where that one acts.
    """
    silent = []
    for name, _ in leaves(record):
        before = observe(name, msgspec.convert(base, record))
        after = observe(name, msgspec.convert(with_value(base, name, alternates[name]), record))
        if before == after:
            silent.append(name)
    return silent


def test_every_setting_has_an_alternate() -> None:
    assert {name for name, _ in leaves(Settings)} == ALTERNATES.keys()


@pytest.mark.parametrize("name", ALTERNATES)
def test_the_alternate_is_another_value_and_a_valid_one(name: str) -> None:
    base = {"source": "example:breast-cancer", "target": "diagnosis"}
    assert msgspec.convert(with_value(base, name, ALTERNATES[name]), Settings) != msgspec.convert(base, Settings)


class Observer:
    """What can be seen of a run, but for the settings themselves: those would always differ."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: dict[str, object] = {}
        (folder / "read.csv").write_text(READ_FROM, encoding="utf-8")
        people = [f"{150 + 7 * i % 45},city {i * i % 11},{'yes' if 7 * i % 45 > 22 else 'no'}" for i in range(150)]
        (folder / "people.csv").write_text("\n".join(["height,city,tall", *people]), encoding="utf-8")

    def __call__(self, name: str, settings: Settings) -> object:
        section = name.partition(".")[0]
        if section == "read":
            return self._read(settings)
        if name == "source":
            return read(settings.source).source.sha256
        if name == "run.device":
            return device_of(settings)
        values = {
            key: value for key, value in flat_settings(msgspec.to_builtins(settings)).items() if value is not None
        }
        values = {key: value for key, value in (values | self._beside(name, values)).items() if value is not None}
        known = repr(sorted(values.items(), key=str))
        if known not in self.seen:
            self.seen[known] = self._train(values)
        return self.seen[known]

    def _beside(self, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """What else has to be set, so that the setting can act; never the setting itself."""
        beside = {key: value for key, value in BESIDE.get(name, {}).items() if key != name}
        if beside.get("source") == "people.csv":
            beside["source"] = str(self.folder / "people.csv")
        return beside

    def _read(self, settings: Settings) -> object:
        try:
            frame = read(self.folder / "read.csv", settings.read)
            encoder = fit_encoder(frame, infer_schema(frame, None, {}), np.arange(frame.num_rows), settings.encode)
        except DataError as error:  # taken apart at the wrong sign there is no table, or nothing to learn from
            return str(error)
        return frame.table.rows(), frame.table.columns, encoder

    def _train(self, values: dict[str, Any]) -> object:
        inside: set[object] = set()

        def watch(event: object) -> None:
            if isinstance(event, Step):
                inside.add((torch.get_num_threads(), torch.get_float32_matmul_precision()))

        given = {key: value for key, value in values.items() if key not in ("source", "target")}
        run = train(
            values["source"], target=values["target"], watch=watch, settings=given,
            out=self.folder / f"run{len(self.seen)}",
        )  # fmt: skip
        parts, manifest = run.model.parts, run.manifest
        events = [msgspec.structs.replace(e, seconds=0.0) if hasattr(e, "seconds") else e for e in run.history]
        network = (
            manifest.weights_sha256,
            manifest.split_sha256,
            parts.encoder,
            parts.spec,
            parts.weights,
            parts.origins,
        )
        return repr((network, events, sorted(inside, key=str)))


@pytest.mark.slow
def test_every_setting_matters(tmp_path: Path) -> None:
    """Each alternate value changes the table read, the split, the features, the network or how it is trained."""
    assert unmoved(Settings, BASE, ALTERNATES, Observer(tmp_path)) == []


def test_a_run_that_ignores_a_setting_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a schedule that forgets its factor."""
    monkeypatch.setattr(FixedSchedule, "factor", lambda self, progress, epoch: 1.0)
    observe = Observer(tmp_path)
    found = [
        observe("optimiser.factor", msgspec.convert(with_value(BASE, "optimiser.factor", value), Settings))
        for value in (0.1, 0.5)
    ]
    assert found[0] == found[1]


class _Inner(msgspec.Struct, frozen=True):
    used: int = 1
    unused: int = 1


class _Toy(msgspec.Struct, frozen=True):
    inner: _Inner = _Inner()
    outer: int = 1


def test_a_setting_without_effect_is_found() -> None:
    alternates = {"inner.used": 2, "inner.unused": 2, "outer": 2}
    assert unmoved(_Toy, {}, alternates, lambda name, toy: toy) == []
    assert unmoved(_Toy, {}, alternates, lambda name, toy: (toy.inner.used, toy.outer)) == ["inner.unused"]
    with pytest.raises(KeyError, match=r"inner\.used"):
        unmoved(_Toy, {}, {}, lambda name, toy: toy)
