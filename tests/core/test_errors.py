"""The errors a user meets: their text, their fields and their helpers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.core import errors
from glasshouse.core.errors import DataError, GlasshouseError, nearest, one_of

KINDS = {
    "SettingsError": ValueError,
    "DataError": ValueError,
    "NetworkError": ValueError,
    "TrainingError": RuntimeError,
    "ModelFileError": ValueError,
    "ServingError": RuntimeError,
}


@pytest.mark.parametrize(("name", "builtin"), KINDS.items())
def test_every_kind_is_ours_and_a_built_in(name: str, builtin: type[Exception]) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, GlasshouseError) and issubclass(kind, builtin)
    with pytest.raises(builtin, match="broken"):
        raise kind("broken", fix="mend it")


def test_the_text_shows_the_filled_lines_in_order() -> None:
    told = DataError("no column", where="--target", expected="one of a, b", fix="--target a")
    assert str(told) == "no column\n  where:    --target\n  expected: one of a, b\n  fix:      --target a"
    assert str(DataError("no column", fix="add it")) == "no column\n  fix:      add it"
    assert str(DataError("no column")) == "no column"


def test_the_fields_are_the_filled_ones() -> None:
    told = DataError("no column", where="--target", fix="--target a")
    assert told.fields() == {"error": "DataError", "problem": "no column", "where": "--target", "fix": "--target a"}
    assert (told.problem, told.where, told.expected, told.fix) == ("no column", "--target", "", "--target a")


@pytest.mark.parametrize(
    ("options", "most", "told"),
    [
        (["a", "b"], 5, "one of a, b"),
        (["a", "b", "c"], 2, "one of a, b (and 1 more)"),
        (list("abcdefgh"), 5, "one of a, b, c, d, e (and 3 more)"),
        ([], 5, "nothing: there is none"),
    ],
)
def test_one_of(options: list[str], most: int, told: str) -> None:
    assert one_of(options, most) == told


def test_nearest_ignores_case_and_gives_up_on_strangers() -> None:
    assert nearest("PIRCE", ["area", "Price"]) == "Price"
    assert nearest("price", []) == ""
    assert nearest("qqqqq", ["area", "price"]) == ""


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8))
def test_nearest_finds_a_name_that_is_there_up_to_case(names: list[str]) -> None:
    assert nearest(names[0], names).casefold() == names[0].casefold()
