"""Looks at the first lines of a text table: what separates the cells, and whether the first line names the columns."""

from __future__ import annotations

import csv
import re
from collections import Counter

from glasshouse.data.coded import MISSING

SEPARATORS = ("\t", ";", "|", ",")  # of two that fit equally well the rarer one in prose is meant
WHITESPACE = "whitespace"
_NUMERIC = re.compile(r"^[-+$€£]?\s*(\d[\d.,:/ '%eE+-]*|\.\d+)([eE][-+]?\d+)?$|^\d{4}-\d\d-\d\d.*$")

Rows = list[list[str]]


def sniff_separator(sample: str) -> str:
    r"""The separator of a sample of whole lines: tab, semicolon, bar, comma, or "whitespace" for runs of blanks.

    Example:
        >>> sniff_separator("a;b\n1,5;2\n"), sniff_separator("1.5  2\n  3   4\n")
        (';', 'whitespace')
    """
    best, best_share = ",", 0.0
    for separator in SEPARATORS:
        counts = Counter(len(row) for row in split_rows_of(sample, separator))
        share = max((count / counts.total() for width, count in counts.items() if width > 1), default=0.0)
        if share > best_share:
            best, best_share = separator, share
    if best_share < 0.9 and _is_blank_separated(sample):
        return WHITESPACE
    return best


def split_rows_of(sample: str, separator: str) -> Rows:
    """The cells of some lines, without blank lines and surrounding spaces."""
    lines = sample.splitlines(keepends=True)
    if separator == WHITESPACE:
        return [line.split() for line in lines if line.strip()]
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    rows = []
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip()):
                rows.append([cell.strip() for cell in row])
    except csv.Error:  # a cell longer than the reader allows: what was read so far is sample enough
        return rows
    return rows


def has_header(rows: Rows) -> bool:
    """Whether the first row names the columns: its cells are unlike the cells below them.

    Where a column below is numbers (or dates), a name stands above it and not a number. Where it is words that repeat,
    a
    name is none of those words. The columns vote; without evidence a first row of distinct words is taken for names.

    Example:
        >>> has_header([["sex", "age"], ["m", "31"], ["f", "40"]]), has_header([["m", "31"], ["f", "40"], ["m", "22"]])
        (True, False)
    """
    first, body = rows[0], rows[1:]
    if all(cell in MISSING or _NUMERIC.match(cell) for cell in first):
        return False
    if len(set(first)) < len(first) and not body:
        return False
    votes = [_vote(cell, [row[place] for row in body if place < len(row)]) for place, cell in enumerate(first)]
    if any(votes):
        return sum(votes) > 0
    words = [cell for cell in first if not _NUMERIC.match(cell)]
    return len(words) == len(first) and len(set(first)) == len(first) and "" not in first


def _vote(cell: str, below: list[str]) -> int:
    """+1 where a cell is unlike those below it, -1 where it is like them, 0 where nothing can be said."""
    filled = [value for value in below if value not in MISSING]
    if not filled or cell in MISSING:
        return 0
    numeric = sum(bool(_NUMERIC.match(value)) for value in filled) / len(filled)
    if numeric >= 0.9:
        return -1 if _NUMERIC.match(cell) else 1
    distinct = len(set(filled))
    if cell in filled:
        return -1
    return 1 if len(filled) >= 4 and distinct <= len(filled) / 2 and numeric == 0 else 0


def _is_blank_separated(sample: str) -> bool:
    rows = [line.split() for line in sample.splitlines() if line.strip()]
    widths = Counter(len(row) for row in rows)
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    if width < 2 or count < 0.9 * len(rows):
        return False
    cells = [cell for row in rows[1:] or rows for cell in row]
    return sum(bool(_NUMERIC.match(cell)) for cell in cells) >= 0.5 * len(cells)
