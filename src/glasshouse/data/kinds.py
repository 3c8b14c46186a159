"""What kind a column is, read off its values, its name and how often values repeat."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import numpy as np
import polars as pl

from glasshouse.core.errors import DataError
from glasshouse.core.settings import Kind, ReadSettings
from glasshouse.data.dates import date_format
from glasshouse.data.labels import Labels, labels_of, labels_unwritten
from glasshouse.data.schema import USED_KINDS, Column
from glasshouse.data.values import (
    NO,
    YES,
    Floats,
    Reading,
    is_flat,
    is_number,
    is_point_in_time,
    is_text,
    parse_labels,
    parse_numbers,
    parse_times,
    parse_yesno,
)

ENOUGH = 0.95  # of the values must read as numbers (or times) for the column to be one
MOST = 0.5  # is enough where the others are one or two words
FEW_ROWS = 20  # below this nothing is called an identifier by its values
RUNNING_ROWS = 100  # from here a running number is an identifier whatever its name
_ID_NAME = re.compile(
    r"(^|[^a-z])(id|ids|uuid|guid|pid|index|idx|key|no|nr|number|order|instant|record|row)($|[^a-z])|[a-z](ID|Id|No|Nr)$|^(ID|id)[A-Z_]"
)
# What stands in no number, however it is written: a letter but the e of 1e5, a colon, a minus after a digit.
_NO_NUMBER = r"[^\s\d.,'+\-−$€£%eE]|\d[-−+]"
_TIME_NAME = re.compile(r"year|jahr|date|time|month|day|age|yr", re.IGNORECASE)


def infer_column(series: pl.Series, settings: ReadSettings, asked: Kind | None = None) -> Column:
    """Decides the kind of one column, or follows what the user asked for.

    Raises:
        DataError: the user asks for numbers, times or yes/no and the values are none.
    """
    if not is_flat(series):
        return Column(
            name=series.name, kind="ignore", used=False, reason=f"its cells hold {series.dtype}, not one value each"
        )
    reading = Reading(missing=settings.missing)
    if asked is not None:
        return _as_asked(series, settings, reading, asked)
    labels = labels_unwritten(series, reading) or labels_of(series, reading)
    if labels.distinct == 0:
        return _column(series, labels, "constant", reading, reason="it has no values")
    if labels.distinct == 1 and not labels.num_missing:
        return _column(series, labels, "constant", reading, reason=f'every row says "{labels.begin[0]}"')
    if is_point_in_time(series):
        return _column(series, labels, "datetime", reading)
    if _is_yesno(labels):
        return _yesno(series, labels, reading)
    number = number_reading(series, settings, labels)
    if number is not None:
        return _number(series, labels, number)
    format = date_format(labels) if is_text(series) else ""
    if format:
        return _datetime(series, labels, Reading(missing=settings.missing, format=format))
    return _words(series, labels, reading)


def number_reading(series: pl.Series, settings: ReadSettings, labels: Labels | None = None) -> Reading | None:
    """How to read a column's cells as numbers, or None where fewer than 95 % are numbers or they are zero-padded codes.

    `labels` are the column's own, where they are at hand.
    """
    plain = Reading(missing=settings.missing)
    if is_number(series) and series.dtype != pl.Boolean:
        return plain
    if not is_text(series):
        return None
    labels = labels_of(series, plain) if labels is None else labels
    cells = labels.cells
    if not len(cells) or cells.filter(cells.str.starts_with("0")).str.contains(r"^0\d+$").any():
        return None
    # The first labels say no for nearly every column that holds no numbers.
    if settings.decimal != "," and all(_finite(some) for some in (labels.begin, cells)):
        return plain
    if labels.share(~cells.str.contains(_NO_NUMBER)) < MOST or labels.share(cells.str.contains(r"\d")) < MOST:
        return None
    shares = [
        (labels.share(np.isfinite(parse_numbers(cells, reading))), reading) for reading in _candidates(cells, settings)
    ]
    share, best = max(shares, key=lambda pair: pair[0])  # the first of equals: the plainest
    return best if share >= ENOUGH or (share >= MOST and _only_a_word_or_two(cells, best)) else None


def _finite(cells: pl.Series) -> bool:
    """Whether all cells are finite numbers, plainly written."""
    return bool(np.isfinite(cells.cast(pl.Float64, strict=False).to_numpy()).all())


def _only_a_word_or_two(cells: pl.Series, reading: Reading) -> bool:
    """Whether many different numbers are broken by one or two words alone, such as "not measured"."""
    unread = np.isnan(parse_numbers(cells, reading))
    return cells.filter(pl.Series(unread)).n_unique() <= 2 and cells.n_unique() > 20


def integer_valued(values: Floats) -> bool:
    """Whether every finite value is a whole number."""
    finite = values[np.isfinite(values)]
    begin = finite[:1000]  # enough for nearly every column that holds others
    return bool((begin == np.round(begin)).all() and (finite == np.round(finite)).all())


def label_reading(series: pl.Series, settings: ReadSettings, labels: Labels | None = None) -> Reading:
    """How to read a column's cells as labels, so that 1, "1" and 1.0 agree, and 20 finds "020".

    `labels` are the column's own, plainly read, where they are at hand.
    """
    plain = Reading(missing=settings.missing)
    if not is_text(series):
        return Reading(missing=settings.missing, numeric=series.dtype.is_numeric())
    cells = (labels_of(series, plain) if labels is None else labels).cells.unique()
    if not len(cells):
        return plain
    if cells.str.contains(r"^\d+$").all():
        lengths = cells.str.len_chars().unique()
        padded = len(lengths) == 1 and cells.str.starts_with("0").any() and lengths[0] > 1
        if cells.str.contains(r"^0\d").any():
            return Reading(missing=settings.missing, numeric=bool(padded), width=int(lengths[0]) if padded else 0)
    numeric = bool(np.isfinite(parse_numbers(cells, plain)).all())
    return Reading(missing=settings.missing, numeric=numeric)


def _candidates(cells: pl.Series, settings: ReadSettings) -> list[Reading]:
    codes = settings.missing
    plain = Reading(missing=codes)
    if settings.decimal == "," or (settings.decimal == "auto" and not cells.str.contains(",", literal=True).any()):
        readings = [plain] if settings.decimal == "auto" else []
    else:
        readings = [plain, Reading(thousands=",", missing=codes)]
    comma = [Reading(decimal=",", thousands=sign, missing=codes) for sign in (".", " ", "'")]
    if settings.decimal == ",":
        return comma
    if settings.decimal == "auto" and len(readings) > 1:
        # "1,234" alone is ambiguous; a file that separates by ";" does so because its comma is the decimal sign.
        readings = [plain, *comma, *readings[1:]] if settings.separator == ";" else [*readings, *comma]
    return [*readings, *(Reading(thousands=sign, missing=codes) for sign in (" ", "'"))]


def _is_yesno(labels: Labels) -> bool:
    if not 2 <= labels.distinct <= 6:  # yes, Yes and YES are one
        return False
    seen = {_plain_label(value) for value in labels.cells.unique()}
    return any(seen == {yes, no} for yes, no in zip(YES, NO, strict=True))


def _plain_label(value: str) -> str:
    folded = value.lower()
    return folded[:-2] if folded in ("0.0", "1.0") else folded


def _yesno(series: pl.Series, labels: Labels, reading: Reading) -> Column:
    seen = {_plain_label(value) for value in labels.cells.unique()}
    yes, no = next(pair for pair in zip(YES, NO, strict=True) if set(pair) == seen)
    return _column(series, labels, "yesno", Reading(missing=reading.missing, yes=yes, no=no))


def _number(series: pl.Series, labels: Labels, reading: Reading) -> Column:
    # Where values repeat, each is looked at once, and the column numbers no rows.
    repeats = labels.weights is not None and labels.distinct < labels.num_rows
    values = parse_numbers(labels.cells if repeats else series, reading)
    unread = labels.count(np.isnan(values)) if repeats else int(np.isnan(values).sum()) - labels.num_missing
    found = _numbers(series, labels, reading, values, unread)
    if labels.distinct == labels.num_rows and _is_running(series.name, values):
        return msgspec.structs.replace(found, kind="identifier", used=False, reason="it numbers the rows")
    if labels.distinct > 1 and not np.isfinite(values).any():
        return _column(series, labels, "constant", reading, reason="it has no finite values")
    return found


def _numbers(series: pl.Series, labels: Labels, reading: Reading, values: Floats, unread: int) -> Column:
    """A column of numbers, described by what was read and not by how it was written: 1.50 and 1.5 are one number."""
    note = (
        f"{unread} value{'s' if unread > 1 else ''} could not be read as a number and count as missing"
        if unread > 0
        else ""
    )
    kept = labels.cells.dtype.is_float() or (labels.cells.dtype.is_integer() and _are_exact(labels.cells))
    distinct = labels.distinct if kept else pl.Series(values[np.isfinite(values)]).n_unique()
    begin = parse_labels(labels.begin, msgspec.structs.replace(reading, numeric=True))
    return _column(
        series,
        replace(labels, begin=begin.drop_nulls()),
        "number",
        reading,
        note=note,
        missing=labels.num_missing + unread,
        distinct=distinct,
    )


def _are_exact(whole: pl.Series) -> bool:
    """Whether none of these whole numbers changes when it becomes a float."""
    return whole.dtype == pl.Int32 or bool(whole.is_between(-(2**53), 2**53).all())


def _datetime(series: pl.Series, labels: Labels, reading: Reading) -> Column:
    times = parse_times(labels.cells if is_text(series) else series, reading)
    missing = labels.num_missing + labels.count(times.is_null()) if is_text(series) else times.null_count()
    unread = missing - labels.num_missing
    note = (
        f"{unread} value{'s' if unread > 1 else ''} could not be read as a date and count as missing"
        if unread > 0
        else ""
    )
    return _column(series, labels, "datetime", reading, note=note, missing=missing)


def _is_running(name: str, values: Floats) -> bool:
    """Whether whole numbers only number the rows: all distinct, and in sequence or called an ID."""
    count = len(values)
    if (
        count < FEW_ROWS
        or not np.isfinite(values).all()
        or not integer_valued(values)
        or len(np.unique(values)) < count
    ):
        return False
    called_id = bool(_ID_NAME.search(name) or _ID_NAME.search(name.lower()))
    steps = np.diff(values)
    sequence = bool((steps == steps[0]).all()) or values.max() - values.min() == count - 1
    if called_id:
        return sequence or count >= RUNNING_ROWS or bool((steps > 0).all())
    return sequence and count >= RUNNING_ROWS and not _TIME_NAME.search(name)


def _words(series: pl.Series, labels: Labels, reading: Reading) -> Column:
    """Strings that are neither numbers nor dates: free text, an identifier or a category."""
    distinct, num_filled = labels.distinct, labels.num_filled
    share = distinct / num_filled
    words = _mean(labels.begin.str.count_matches(r"\S+"))
    length = _mean(labels.begin.str.len_chars())
    if share > 0.5 and ((words >= 4 and length >= 20) or length >= 60) and num_filled > 4:
        reason = f"it is free text (about {words:.0f} words a row), which is not read yet"
        return _column(series, labels, "text", reading, reason=reason)
    if share >= ENOUGH and num_filled >= FEW_ROWS:
        kept = f"{distinct:,} different values in {num_filled:,} rows"
        return _column(series, labels, "identifier", reading, reason=f"it has {kept}, so nothing repeats to learn from")
    return _category(series, labels, reading)


def _category(series: pl.Series, labels: Labels, reading: Reading) -> Column:
    decided = label_reading(series, ReadSettings(missing=reading.missing), labels)
    return _column(series, labels if decided == reading else labels_of(series, decided), "category", decided)


def _as_asked(series: pl.Series, settings: ReadSettings, reading: Reading, asked: Kind) -> Column:
    labels = labels_of(series, reading)
    if asked not in USED_KINDS:
        return _column(series, labels, asked, reading, reason=f"{asked}, as asked")
    if not labels.num_filled:
        return _column(series, labels, "constant", reading, reason="it has no values")
    if asked == "category":
        return _category(series, labels, reading)
    if asked == "number":
        return _asked_number(series, labels, settings)
    if asked == "datetime":
        decided = (
            reading if series.dtype.is_temporal() else Reading(missing=settings.missing, format=date_format(labels))
        )
        if parse_times(series, decided).null_count() == len(series):
            raise _contradicted(series, labels, "a date or time", "datetime")
        return _datetime(series, labels, decided)
    return _asked_yesno(series, labels, reading)


def _asked_number(series: pl.Series, labels: Labels, settings: ReadSettings) -> Column:
    candidates = _candidates(labels.cells, settings) if is_text(series) else [Reading(missing=settings.missing)]
    best = max(candidates, key=lambda reading: int(np.isfinite(parse_numbers(series, reading)).sum()))
    values = parse_numbers(series, best)
    if not np.isfinite(values).any():
        raise _contradicted(series, labels, "a number", "number")
    return _numbers(series, labels, best, values, int(np.isnan(values).sum()) - labels.num_missing)


def _asked_yesno(series: pl.Series, labels: Labels, reading: Reading) -> Column:
    plain = np.isfinite(parse_yesno(series, reading)).sum()
    seen = sorted({_plain_label(value) for value in labels.cells.unique()})
    if plain == labels.num_filled:
        decided = reading
    elif len(seen) == 2:
        decided = Reading(missing=reading.missing, no=seen[0], yes=seen[1])
    else:
        raise _contradicted(series, labels, "one of two values", "yesno")
    return _column(series, labels, "yesno", decided)


def _contradicted(series: pl.Series, labels: Labels, wanted: str, kind: str) -> DataError:
    shown = labels.begin[0]
    return DataError(
        f'column "{series.name}" was called {kind}, but holds values such as "{shown}"',
        where=f"columns.{series.name}",
        expected=wanted,
        fix=f"--set columns.{series.name}=category",
    )


def _column(series: pl.Series, labels: Labels, kind: Kind, reading: Reading, *, reason: str = "", note: str = "",
            missing: int | None = None, distinct: int | None = None) -> Column:  # fmt: skip
    examples = tuple(str(value)[:60] for value in labels.begin.head(200).unique(maintain_order=True).head(3))
    return Column(
        name=series.name,
        kind=kind,
        used=not reason,
        reason=reason,
        note=note,
        distinct=labels.distinct if distinct is None else distinct,
        missing=labels.num_missing if missing is None else missing,
        examples=examples,
        reading=reading,
    )


def _mean(values: pl.Series) -> float:
    mean = values.cast(pl.Float64).mean()
    return float(mean) if isinstance(mean, (int, float)) else 0.0
