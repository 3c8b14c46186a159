"""JSON that was made to harm is refused before it becomes objects; ours comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.core.records import Record
from glasshouse.model import strict_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Point(Record, frozen=True):
    x: float
    name: str = ""


@given(VALUES)
def test_what_is_written_comes_back(value: Any) -> None:
    assert strict_json.decode(strict_json.encode(value)) == value


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=6))
def test_the_order_of_insertion_does_not_show(value: dict[str, int]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert strict_json.encode(value) == strict_json.encode(backwards)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', 'the key "a" is there twice'),
        (b'{"x": {"a": 1, "a": 2}}', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),  # two spellings of one key
        (b"[NaN]", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not"),
        (b"[1e999]", "1e999 is too large"),
        (b"[1" + b"0" * 5000 + b"]", "4300"),
        (b"[" * 65 + b"]" * 65, "64 deep"),
        (b"[" * 100_000, "64 deep"),
        (b'{"a":' * 100_000, "64 deep"),
        (b"[" + b"[]," * 1_500_000 + b"1]", "2,000,000 values"),
        (b'"\xff"', "byte 1 is not UTF-8"),
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"[1] [2]", "Extra data"),
        (b"\x80\x04\x95cos\nsystem\n", "UTF-8"),
    ],
)
def test_harmful_json_is_refused_with_its_reason(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        strict_json.decode(text)


def test_numpy_becomes_plain_and_other_things_are_named() -> None:
    assert strict_json.encode({"a": np.float64(0.5), "b": np.arange(3), "c": np.float32(np.nan)}) == (
        b'{"a":0.5,"b":[0,1,2],"c":null}'
    )
    with pytest.raises(TypeError, match="function cannot be written as JSON"):
        strict_json.encode([make := lambda: None, make])


def test_brackets_inside_strings_do_not_count() -> None:
    text = "[" * 500 + '\\"' + "{" * 500
    assert strict_json.decode(json.dumps([text]).encode()) == [text]


def test_64_levels_are_still_allowed() -> None:
    value = strict_json.decode(b"[" * 64 + b"]" * 64)
    assert isinstance(value, list)


@pytest.mark.parametrize("text", [b'{"x": "1"}', b'{"x": 1, "y": 2}', b'{"name": "a"}', b"[1]", b'{"x": 1, "x": 2}'])
def test_a_record_takes_nothing_but_its_fields(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expected|unknown field|missing required|twice"):
        strict_json.decode_as(text, Point)
    assert strict_json.decode_as(b'{"x": 1}', Point) == Point(x=1.0)
