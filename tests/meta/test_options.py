"""Every setting matters: each has another value, and that value changes something that can be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest

from glasshouse.core.settings import Settings

# Another value for every setting than the one it has by default. A new setting without a line here fails the test.
ALTERNATES: dict[str, Any] = {
    "source": "example:diabetes",
    "target": "progression",
    "columns": {"mean_radius": "ignore"},
    "read.header": "no",
    "read.separator": ";",
    "read.decimal": ",",
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
    "network.normalisation": "layer",
    "network.skip": True,
    "network.initialisation": "he_normal",
    "pack.members": 3,
    "pack.ensemble": 1,
    "pack.selection": "all",
    "training.loss": "cross_entropy",
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
    "run.seconds": 1.0,
    "run.seed": 1,
    "run.device": "meta",
    "run.precision": "bfloat16",
    "run.threads": 1,
    "run.pace": [[1, 40]],
}


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
