"""From cells of any type to numbers, labels, times and yes/no: one way for training and for prediction.

A cell may arrive as text (CSV), as a number (pandas, arrow) or as JSON. Each function here gives the same value for
all of
them, guided by the `Reading` that was decided once, when the schema was inferred.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from glasshouse.core.records import Record
from glasshouse.data.coded import MISSING, coded, written

Floats = npt.NDArray[np.float64]

YES = ("1", "yes", "true", "t", "y", "on")
NO = ("0", "no", "false", "f", "n", "off")
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d-%b-%y",
)
TIME_FORMATS = ("", " %H:%M:%S%.f", " %H:%M", "T%H:%M:%S%.f", "T%H:%M", " %I:%M %p", " %I:%M:%S %p")
TIME_UNIT = pl.Datetime("us")
_CURRENCY = r"^[$€£]\s*|\s*[$€£%]$"


class Reading(Record):
    """How the cells of one column are read; decided on the training table and used unchanged ever after."""

    decimal: str = "."
    thousands: str = ""
    format: str = ""  # of dates and times, in strptime's letters; "" where the column came typed
    yes: str = ""
    no: str = ""
    numeric: bool = False  # labels that are numbers: 1, "1" and 1.0 are the same label
    width: int = 0  # labels padded with zeros to this many digits
    missing: tuple[str, ...] = ()  # codes that mean "no value", besides the usual spellings


def is_text(series: pl.Series) -> bool:
    """Whether the cells are strings of some kind."""
    return series.dtype in (pl.String, pl.Categorical, pl.Enum) or isinstance(series.dtype, pl.Enum)


def is_number(series: pl.Series) -> bool:
    """Whether the cells are numbers of some kind; a duration is its seconds."""
    return series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Null, pl.Duration)


def is_point_in_time(series: pl.Series) -> bool:
    """Whether the cells are dates, times or both."""
    return series.dtype.is_temporal() and series.dtype != pl.Duration


def is_flat(series: pl.Series) -> bool:
    """Whether a cell holds one value, not a list or a record."""
    return not (series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary))


def text(series: pl.Series, reading: Reading) -> pl.Series:
    """Strings without surrounding spaces; null where the value is missing in any spelling."""
    stripped = written(series).str.strip_chars()
    return stripped.set(stripped.is_in([*MISSING, *reading.missing]), None)


def parse_numbers(series: pl.Series, reading: Reading) -> Floats:
    """Numbers, with NaN for what is missing, infinite or not a number.

    Shapes:
        returns: (rows,) float64
    """
    if (codes := coded(series)) is not None:
        return np.take(parse_numbers(codes.values, reading), codes.codes)
    if is_text(series):
        values = _numbers_from_text(series.cast(pl.String), reading)
    elif is_number(series):
        values = _floats(series)
    else:
        values = np.full(len(series), np.nan)
    endless = np.isinf(values)
    result = np.where(endless, np.nan, values) if endless.any() else values
    gaps = [code for code in (_as_float(text) for text in reading.missing) if code is not None]
    return np.where(np.isin(result, gaps), np.nan, result) if gaps else result


def parse_labels(series: pl.Series, reading: Reading) -> pl.Series:
    """Labels as canonical strings, null where missing: 3, 3.0 and "3" are one label where labels are numbers."""
    if (codes := coded(series)) is not None:
        return parse_labels(codes.values, reading)[codes.codes]
    if is_text(series):
        plain = text(series, reading)
        if not reading.numeric:
            return plain
        return _number_labels(_numbers_from_text(plain, reading), reading).fill_null(plain).alias(series.name)
    if series.dtype == pl.Boolean:
        return series.cast(pl.String)
    if is_number(series):
        labels = _number_labels(_floats(series), reading).alias(series.name)
        return text(labels, Reading(missing=reading.missing))
    return text(series, reading)


def parse_times(series: pl.Series, reading: Reading) -> pl.Series:
    """Points in time without a zone (UTC where one was given), null where missing or unreadable."""
    if is_point_in_time(series):
        times = naive(series)
        return times.set(written(series).is_in(reading.missing), None) if reading.missing else times
    if (codes := coded(series)) is not None:
        return parse_times(codes.values, reading)[codes.codes]
    if not is_text(series):
        return pl.Series(series.name, [None] * len(series), dtype=TIME_UNIT)
    # Whole seconds are nearly always all there is, and are read in a quarter of the time.
    own = [format for format in dict.fromkeys((reading.format.removesuffix("%.f"), reading.format)) if format]
    times = pl.Series(series.name, [None] * len(series), dtype=TIME_UNIT)
    if own and not reading.missing:
        times = _times(series.cast(pl.String), own[0])
        if not times.null_count():
            return times  # every cell is a time as it stands
    plain = text(series, reading)
    # A value in another spelling (JSON writes ISO where the training file had 1/31/2011) is still a time.
    for format in (*own, *all_formats()):
        open_cells = plain.is_not_null() & times.is_null()
        if not open_cells.any():
            break
        found = _times(plain.set(~open_cells, None), format)
        times = times.fill_null(found if format in own else plausible(found))
    return times


def _times(cells: pl.Series, format: str) -> pl.Series:
    return naive(cells.str.to_datetime(format, strict=False, time_unit="us"))


def parse_yesno(series: pl.Series, reading: Reading) -> Floats:
    """1 for yes, 0 for no, NaN for anything else.

    Shapes:
        returns: (rows,) float64
    """
    if (codes := coded(series)) is not None:
        return np.take(parse_yesno(codes.values, reading), codes.codes)
    numeric = Reading(numeric=True, missing=reading.missing)
    folded = parse_labels(series, numeric).str.to_lowercase()
    own = bool(reading.yes) and reading.yes.lower() not in YES
    yes, no = ([reading.yes.lower()], [reading.no.lower()]) if own else (list(YES), list(NO))
    values = np.full(len(series), np.nan)
    values[folded.is_in(no).fill_null(False).to_numpy()] = 0.0
    values[folded.is_in(yes).fill_null(False).to_numpy()] = 1.0
    return values


def all_formats() -> tuple[str, ...]:
    """The formats of dates and times that are tried, in their order."""
    plain = tuple(date + time for date in DATE_FORMATS for time in TIME_FORMATS)
    return (*plain, "%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")


def plausible(times: pl.Series) -> pl.Series:
    """strptime reads the year "11" of 1/2/11 as the year 11: such a time is no reading at all."""
    return times.set((times.dt.year() < 1000).fill_null(False), None)


def naive(series: pl.Series) -> pl.Series:
    """Points in time without a zone, UTC where they had one."""
    if series.dtype == pl.Time:
        return (series.cast(pl.Int64) // 1000).cast(TIME_UNIT)
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone:
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return series.cast(TIME_UNIT)


def _floats(series: pl.Series) -> Floats:
    if series.dtype == pl.Duration:
        series = series.cast(pl.Duration("us")).cast(pl.Int64) / 1_000_000
    values = series.cast(pl.Float64)
    if values.null_count():
        values = values.fill_null(float("nan"))  # which to_numpy does as well, but alone on Python's lock, and slower
    return np.asarray(values.to_numpy(), dtype=np.float64)


def _numbers_from_text(series: pl.Series, reading: Reading) -> Floats:
    """The plain cast does nearly all cells; only what it could not read is cleaned."""
    values = series.cast(pl.Float64, strict=False)
    unread = series.is_not_null() & values.is_null()
    if reading.decimal == ",":
        unread = series.is_not_null()
    result = values.to_numpy().copy()
    if unread.any():
        result[unread.to_numpy()] = _clean(series.filter(unread), reading).cast(pl.Float64, strict=False).to_numpy()
    return result


def _clean(cells: pl.Series, reading: Reading) -> pl.Series:
    """Cells without spaces, currency, percent and thousands signs, with a decimal point."""
    cells = text(cells, reading).str.replace_all("−", "-", literal=True)
    cells = cells.str.replace(r"^([+-])\s*[$€£]\s*", "$1").str.replace_all(_CURRENCY, "")
    if reading.thousands:
        sign, point = _escape(reading.thousands), _escape(reading.decimal)
        grouped = cells.str.contains(rf"^[+-]?[1-9]\d{{0,2}}(?:{sign}\d{{3}})+(?:{point}\d*)?$").fill_null(False)
        cells = cells.str.replace_all(sign, "").zip_with(grouped, cells)
    if reading.decimal == ",":
        cells = cells.str.replace(",", ".", literal=True)
    return cells


def _escape(sign: str) -> str:
    return r"[\s\u00a0\u202f]" if sign == " " else "\\" + sign if sign in ".'" else sign


def _number_labels(values: Floats, reading: Reading) -> pl.Series:
    floats = pl.Series(np.where(np.isfinite(values), values, np.nan)).fill_nan(None)
    whole = (floats == floats.round()) & (floats.abs() < 2**53)
    whole_text = floats.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
    if reading.width:
        whole_text = whole_text.str.zfill(reading.width)
    return whole_text.fill_null(floats.cast(pl.String))


def _as_float(code: str) -> float | None:
    try:
        return float(code)
    except ValueError:
        return None
