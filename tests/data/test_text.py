"""Cells as they stand in the text; what is made of whole files is in test_read.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.data import text


@given(
    st.text(alphabet='ab ,\t\n\r";', min_size=1, max_size=14),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from([1, 3, 99]),
)
def test_blank_edges_are_found_wherever_the_pieces_are_cut(body: str, separator: str, at_once: int) -> None:
    blanks = " " if separator == "\t" else " \t"
    expected = re.search(rf'(^|[\n\r"{separator}])[{blanks}]|[{blanks}]([\n\r"{separator}]|\Z)', body) is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "LETTERS_AT_ONCE", at_once)
        assert text.has_blank_edges(body.encode(), separator) is expected


CODES = [
    "007,1\n", "1,2\n00,1\n", '1,"01"\n', "1,2\n3,04", "-01,1", "5,-0", "-0,5\n", '"-0"', "1,+7\n",
    "+7", "a\n+", "01.02.2015",
]  # fmt: skip
NO_CODES = [
    "0,0\n0.1,10\n", "-0.5,-10\n", "0", "", "1,0", "a01,2:00", "-", "1,-", "a+7,a-07",
    "01/31/2015", "5,09:30\n", "01-31-2015",
]  # fmt: skip


@pytest.mark.parametrize(("body", "found"), [*((body, True) for body in CODES), *((body, False) for body in NO_CODES)])
@pytest.mark.parametrize("at_once", [1, 3, 1 << 18])
def test_codes_are_found(body: str, found: bool, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glasshouse.data.text.LETTERS_AT_ONCE", at_once)
    assert text.has_codes(body.encode(), ",", quoted='"' in body) == found


@pytest.mark.parametrize("separator", [":", "/", "-"])
def test_what_separates_cells_makes_no_date_of_a_code(separator: str) -> None:
    assert text.has_codes(f"5{separator}6\n01{separator}7\n".encode(), separator, quoted=False)
    assert not text.has_codes(f"5{separator}6\n10{separator}7\n".encode(), separator, quoted=False)


@given(
    st.text(alphabet='01.+-/:,;a\n"', max_size=14),
    st.sampled_from([",", ";", ":", "/", "-"]),
    st.booleans(),
    st.sampled_from([1, 3, 99]),
)
def test_codes_are_found_wherever_the_pieces_are_cut(body: str, separator: str, quoted: bool, at_once: int) -> None:
    borders, in_dates = re.escape("\n" + separator) + '"' * quoted, "/:-".replace(separator, "")
    code = rf"(\A|[{borders}])(\+|0\d(?![{in_dates}])|-0(?!\.))"
    expected = re.search(code, body) is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "LETTERS_AT_ONCE", at_once)
        assert text.has_codes(body.encode(), separator, quoted=quoted) is expected
