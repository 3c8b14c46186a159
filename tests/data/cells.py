"""What the cells of a text column may be, part after part of a file: numbers, times, gaps, and what looks like them."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st

NUMBERS = st.one_of(st.integers(-(10**20), 10**20).map(str), st.floats(-1e9, 1e9).map(repr), st.just(""))
MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(2999, 12, 31)).map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}")
ODD = st.sampled_from([
    *("-0.0", "0.0", "0", "-0", "1.50", "007", "007.5", "-07", "+3", "+.5", "1e5", "5.", "nan", "inf", "NA", "a"),
    *("1,5", "99999999999999999999", "0.1234567890123456789"),
    *("2015-01-31 12:30", "2015-02-31 12:30:00", "2015-1-031 12:30:00"),
])  # fmt: skip
PARTS = st.lists(
    st.one_of(*(st.lists(cell, min_size=1, max_size=6) for cell in (NUMBERS, MOMENTS, MOMENTS | ODD, NUMBERS | ODD))),
    min_size=1,
    max_size=6,
)
