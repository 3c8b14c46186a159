"""From words to settings, and back."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.core.errors import SettingsError
from glasshouse.core.options import (
    build_settings,
    parse_assignments,
    setting_names,
    settings_from_toml,
    settings_to_toml,
)
from glasshouse.core.settings import Activation, Kind, Settings

BASE = {"source": "a.csv", "target": "price"}


def refused(values: dict[str, Any]) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        build_settings(BASE | values)
    return caught.value


def test_the_names_are_those_of_the_records() -> None:
    names = setting_names()
    assert len(names) == len(set(names))
    assert {"columns.NAME", "network.hidden", "run.pace", "split.test"} <= set(names)
    assert {name.partition(".")[0] for name in names} == set(Settings.__struct_fields__) - {"source", "target"}


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("training.epochs=20", "training.epochs", 20),
        (" training.epochs = 20 ", "training.epochs", 20),
        ("network.hidden=[64, 32]", "network.hidden", [64, 32]),
        ("network.skip=true", "network.skip", True),
        ("optimiser.learning_rate=1e-3", "optimiser.learning_rate", 0.001),
        ("columns.zip=category", "columns.zip", "category"),
        ('columns.zip="category"', "columns.zip", "category"),
        ("columns.a.b c=number", "columns.a.b c", "number"),
        ("read.separator=;", "read.separator", ";"),
        ("split.test=more=less.csv", "split.test", "more=less.csv"),
        ("run.seed=", "run.seed", ""),
    ],
)
def test_an_assignment_is_toml_or_text(word: str, name: str, value: object) -> None:
    assert parse_assignments([word]) == {name: value}


@pytest.mark.parametrize(
    ("words", "problem", "fix"),
    [
        (["training.epochs"], "'training.epochs' is not KEY=VALUE", "--set training.epochs=20"),
        (["=3"], "'=3' is not KEY=VALUE", "--set training.epochs=20"),
        (["training.epoch=3"], "unknown setting 'training.epoch'", "--set training.epochs=..."),
        (["hidden=[3]"], "unknown setting 'hidden'", "--set network.hidden=..."),
        (["columns.=number"], "unknown setting 'columns.'", ""),
        (["qqqq=1"], "unknown setting 'qqqq'", ""),
        (["run.seed=1", "run.seed=2"], "run.seed is set twice", "--set run.seed=2"),
    ],
)
def test_a_bad_assignment_is_told_with_its_fix(words: list[str], problem: str, fix: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_assignments(words)
    assert (caught.value.problem, caught.value.where) == (problem, "--set")
    assert caught.value.fix == fix or (not fix and caught.value.fix.startswith("--set columns"))
    assert caught.value.expected


@pytest.mark.parametrize(
    ("name", "value", "shown", "expected"),
    [
        ("training.epochs", "abc", "'abc'", "a whole number"),  # int | null
        ("training.epochs", 1.5, "1.5", "a whole number"),
        ("run.seed", "x", "'x'", "a whole number"),
        ("run.seconds", "soon", "'soon'", "a number"),
        ("network.skip", 1, "1", "true or false"),
        ("network.depth", [1, 2, 3], "[1, 2, 3]", "a whole number or [low, high]"),
        ("network.hidden", "abc", "'abc'", "a list of whole numbers in [ ]"),
        ("network.hidden", [1.5], "[1.5]", "a list of whole numbers in [ ]"),
        ("optimiser.milestones", ["x"], "['x']", "a list of numbers in [ ]"),
        ("read.missing", 3, "3", "a list of texts in [ ]"),
        ("run.pace", 3, "3", "a list of lists in [ ]"),
        ("optimiser.learning_rate", [1], "[1]", "a number or [low, high]"),
        ("split.test", [1], "[1]", "a number or text"),
        ("source", 3, "3", "text"),
        ("columns.zip", "colour", "'colour'", "one of " + ", ".join(get_args(Kind))),
        ("network.activation", "rleu", "'rleu'", "one of " + ", ".join(get_args(Activation))),
        ("network", 3, "3", "settings of that section, such as network.hidden"),
    ],
)
def test_a_value_of_another_kind_is_told_in_words(name: str, value: object, shown: str, expected: str) -> None:
    error = refused({name: value})
    assert error.problem == f"{name} cannot be {shown}"
    assert error.expected == expected


def test_what_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(SettingsError, match="target is not given"):
        build_settings({"source": "a.csv"})
    assert refused({"targte": "x"}).problem == "unknown setting 'targte'"
    error = refused({"training.epoch": 3})
    assert (error.problem, error.fix) == ("unknown setting 'training.epoch'", "--set training.epochs=...")


def test_a_toml_file_is_checked_like_an_option() -> None:
    with pytest.raises(SettingsError, match=r"run\.toml is not TOML") as caught:
        settings_from_toml("source = ", "run.toml")
    assert caught.value.expected == "a run.toml as glasshouse writes it"
    with pytest.raises(SettingsError, match=r"unknown setting 'training\.epoch'") as caught:
        settings_from_toml('source = "a"\ntarget = "b"\n[training]\nepoch = 3', "run.toml")
    assert (caught.value.where, caught.value.fix) == ("run.toml", "--set training.epochs=...")
    with pytest.raises(SettingsError, match=r"run\.seed cannot be -1"):
        settings_from_toml('source = "a"\ntarget = "b"\n[run]\nseed = -1', "run.toml")


fractions = st.floats(0.0, 0.3, allow_nan=False)
counts = st.integers(1, 300)
ranges = st.one_of(st.floats(1e-6, 1.0), st.tuples(st.floats(1e-6, 1e-3), st.floats(1e-2, 1.0)))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "read.missing": st.lists(names, max_size=3).map(tuple),
    "split.test": st.one_of(st.floats(0.01, 0.3), names),
    "split.validation": st.floats(0.01, 0.3),
    "split.group": names,
    "encode.one_hot": counts,
    "network.hidden": st.lists(counts, max_size=5).map(tuple),
    "network.depth": st.one_of(st.integers(1, 9), st.tuples(st.integers(1, 3), st.integers(3, 9))),
    "network.activation": st.sampled_from(get_args(Activation)),
    "network.dropout": st.floats(0, 0.95),
    "network.skip": st.booleans(),
    "pack.members": counts,
    "training.clip_norm": st.floats(1e-9, 1e9),
    "optimiser.learning_rate": ranges,
    "optimiser.weight_decay": ranges,
    "optimiser.milestones": st.lists(fractions, max_size=3).map(tuple),
    "run.seed": st.integers(0, 2**63 - 1),
    "run.seconds": st.floats(1e-3, 1e6),
    "run.pace": st.lists(st.tuples(counts, counts), max_size=3).map(tuple),
}


@given(
    st.fixed_dictionaries({"source": names, "target": names}, optional=VALUES),
    st.dictionaries(names, st.sampled_from(get_args(Kind)), max_size=3),
)
def test_settings_survive_run_toml(values: dict[str, Any], columns: dict[str, str]) -> None:
    settings = build_settings(values | {f"columns.{name}": kind for name, kind in columns.items()})
    assert settings.columns == columns
    for name, value in values.items():
        section, _, field = name.partition(".")
        found = getattr(settings, section)
        assert (getattr(found, field) if field else found) == value
    assert settings_from_toml(settings_to_toml(settings), "run.toml") == settings
