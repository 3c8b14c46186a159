"""Which format the dates and times of a column of text are written in."""

from __future__ import annotations

import polars as pl

from glasshouse.data.labels import Labels
from glasshouse.data.values import all_formats, naive, plausible

_SAMPLE = 2000


def date_format(labels: Labels) -> str:
    """The format that reads at least 95 % of some labels as times, or "" where there is none.

    Between month/day and day/month the values decide; where both read everything, month/day is taken for "/" and "-",
    day/month for ".".
    """
    sample = labels.begin.head(_SAMPLE)
    if not len(sample) or sample.str.contains(r"\d.*[-/:. ,].*\d").mean() < 0.95:  # type: ignore[operator]
        return ""
    best, share = "", 0.0
    for format in all_formats():
        read = plausible(naive(sample.str.to_datetime(format, strict=False, time_unit="us"))).is_not_null().mean()
        if isinstance(read, float) and read > share:
            best, share = format, read
        if share == 1.0:
            break
    if share < 0.95:
        return ""
    return best if labels.num_filled <= len(sample) else _settle_on_all(labels, best)


def _settle_on_all(labels: Labels, best: str) -> str:
    """The first rows may all be before the 13th: looks at every value before month and day are decided."""
    swapped = best.replace("%m", "%_").replace("%d", "%m").replace("%_", "%d")
    known = [format for format in dict.fromkeys((best, swapped)) if format in all_formats()]
    if len(known) == 1:
        return best

    def read(format: str) -> pl.Series:
        return labels.cells.str.to_datetime(format, strict=False, time_unit="us").is_not_null()

    return max(known, key=lambda format: labels.count(read(format)))
