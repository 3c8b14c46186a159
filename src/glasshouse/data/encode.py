"""From the columns of a table to the three arrays that a network sees: numbers, flags and category codes.

What is fitted (centres, scales, quantiles, the labels of a category) is plain numbers and strings, comes from the
training
rows alone, and is stored with the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from glasshouse.core.errors import DataError, SettingsError, nearest, one_of
from glasshouse.core.records import Record
from glasshouse.core.settings import EncodeSettings
from glasshouse.data.coded import Coded, coded
from glasshouse.data.frame import Frame, cost_of, side_by_side
from glasshouse.data.labels import Labels, labels_of
from glasshouse.data.parts import DATE_PARTS, Part, Repeated, parts_of
from glasshouse.data.schema import Column, Schema
from glasshouse.data.targets import read_target
from glasshouse.data.values import Floats, parse_labels, parse_yesno

_Codes = tuple[tuple["NumberCode", ...], tuple["FlagCode", ...], tuple["CategoryCode", ...]]
_Number = TypeVar("_Number", bound=np.generic)
Scaling = Literal["robust", "standard", "quantile"]
MOST_LABELS = 10_000  # of one embedded category; rarer ones share the place of the unseen
MOST_QUANTILES = 1000
ROWS_AT_ONCE = 1 << 15  # when a table is encoded: what is made on the way stays small
_SMALLEST_TAIL = 1e-7


class NumberCode(Record):
    """One numeric feature. `quantiles` (rising) replace centre and scale where the scaling is by quantiles."""

    column: str
    part: Part = "value"
    center: float = 0.0
    scale: float = 1.0
    quantiles: tuple[float, ...] = ()


class FlagCode(Record):
    """One feature of a few fixed values: yes/no (-1, 1; 0 unknown), "is missing" (0, 1), "has this label" (0, 1)."""

    column: str
    what: Literal["yes", "missing", "is"]
    label: str = ""


class CategoryCode(Record):
    """One embedded category: code 0 for missing, unseen and rare labels, then 1, 2, ... for these, commonest first."""

    column: str
    labels: tuple[str, ...]


class Encoder(Record):
    """Everything that turns rows into features."""

    scaling: Scaling
    numbers: tuple[NumberCode, ...]
    flags: tuple[FlagCode, ...]
    categories: tuple[CategoryCode, ...]
    target_center: float = 0.0  # mean and standard deviation of the training target; 0 and 1 for classes
    target_scale: float = 1.0

    @property
    def num_numbers(self) -> int:
        """How many numeric features a row has."""
        return len(self.numbers)

    @property
    def num_flags(self) -> int:
        """How many flags a row has."""
        return len(self.flags)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """How many codes each embedded category has, code 0 counted in."""
        return tuple(len(category.labels) + 1 for category in self.categories)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The user's column behind each feature: numbers, then flags, then categories."""
        numbers, flags = (code.column for code in self.numbers), (code.column for code in self.flags)
        return (*numbers, *flags, *(code.column for code in self.categories))


@dataclass(frozen=True)
class Features:
    """What the network sees.

    Shapes:
        numbers: (rows, num_numbers) float32
        flags: (rows, num_flags) int8: -1, 0 or 1
        categories: (rows, num_categories) int64
    """

    numbers: npt.NDArray[np.float32]
    flags: npt.NDArray[np.int8]
    categories: npt.NDArray[np.int64]

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return int(self.numbers.shape[0])

    def take(self, rows: npt.NDArray[np.integer]) -> Features:
        """The given rows, in the given order."""
        places = rows.astype(np.intp, copy=False)  # by which NumPy takes three times as fast as by two bytes
        return Features(_taken(self.numbers, places), _taken(self.flags, places), _taken(self.categories, places))


def _taken(part: npt.NDArray[_Number], places: npt.NDArray[np.intp]) -> npt.NDArray[_Number]:
    """Some rows; three times as fast as by `part[places]`, but for rows of nothing."""
    return part.take(places, axis=0) if part.shape[1] else part[places]


def fit_encoder(frame: Frame, schema: Schema, rows: npt.NDArray[np.int64], settings: EncodeSettings) -> Encoder:
    """Learns scales and labels from the training rows, and from nothing else.

    Robust scaling subtracts the median, divides by the distance between the quartiles (half the range where that is 0)
    and
    bends outliers smoothly towards +-3.

    Args:
        frame: a table with the columns of the schema.
        schema: what the columns are.
        rows: (training rows,) row numbers.
        settings: the scaling, and from which size a category is embedded.

    Raises:
        DataError: no column varies over the training rows.
        SettingsError: a setting out of range.

    Source:
        Holzmueller, Grinsztajn, Steinwart: Better by Default (RealMLP), 2024, section 3.1: robust scale and smooth
        clip, one-hot
        up to 8 labels. As there; a missing number is the median (0) plus a flag of its own.
    """
    _check_settings(settings)
    scaling: Scaling = settings.scaling or "robust"
    every = len(rows) == frame.num_rows and bool((rows == np.arange(len(rows))).all())

    def fit(column: Column) -> _Codes:
        series = frame.table[column.name]
        return _fit_column(series if every else series[rows], column, settings, scaling)

    def cost(column: Column) -> int:
        parts = len(DATE_PARTS) if column.kind == "datetime" else 1
        return parts * cost_of(frame.table[column.name])

    found = side_by_side(fit, schema.used, frame.num_rows, cost)
    numbers = tuple(code for codes, _, _ in found for code in codes)
    flags = tuple(code for _, codes, _ in found for code in codes)
    categories = tuple(code for _, _, codes in found for code in codes)
    if not (numbers or flags or categories):
        raise DataError(
            "no column varies over the training rows",
            where=frame.source.name,
            expected="at least one column that does",
            fix="more rows, or --set encode.rare=1 where every label is rare",
        )
    center, spread = _fit_target(frame, schema, rows)
    return Encoder(
        scaling=scaling,
        numbers=numbers,
        flags=flags,
        categories=categories,
        target_center=center,
        target_scale=spread,
    )


def encode(frame: Frame, schema: Schema, encoder: Encoder) -> Features:
    """The features of every row. A row gives the same features alone, in a table, and from any type of table.

    Args:
        frame: a table with (at least) the used columns of the schema, as `align` gives it.
        schema: of the training table.
        encoder: fitted on the training rows.
    """
    whole = Features(
        numbers=np.empty((frame.num_rows, encoder.num_numbers), dtype=np.float32),
        flags=np.empty((frame.num_rows, encoder.num_flags), dtype=np.int8),
        categories=np.empty((frame.num_rows, len(encoder.categories)), dtype=np.int64),
    )
    sources = [_source(frame.table[part.column.name], part, encoder) for part in _shares(schema, encoder)]

    def fill(start: int) -> None:
        rows = slice(start, start + ROWS_AT_ONCE)
        numbers = np.empty_like(whole.numbers[rows], order="F")  # column after column: a third of the time
        for source in sources:
            source.fill(Features(numbers, whole.flags[rows], whole.categories[rows]), rows)
        whole.numbers[rows] = numbers

    side_by_side(fill, range(0, frame.num_rows, ROWS_AT_ONCE), frame.num_rows)
    return whole


def encode_target(frame: Frame, schema: Schema) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
    """The target of every row.

    Shapes:
        returns: (rows,) float64 with NaN for missing (regression), or int64 class numbers with -1 for missing

    Raises:
        DataError: a label that is none of the classes. Surrounding spaces, letter case and one "." at the end do not
        matter.
    """
    if schema.target is None:
        raise DataError(
            "the schema has no target",
            where="target",
            expected="a schema inferred with a target",
            fix="name the target",
        )
    return read_target(frame.table[schema.target.name], schema.target)


def _check_settings(settings: EncodeSettings) -> None:
    scalings = ("robust", "standard", "quantile")
    if settings.scaling is not None and settings.scaling not in scalings:
        raise SettingsError(
            f'"{settings.scaling}" is not a scaling',
            where="encode.scaling",
            expected=one_of(scalings),
            fix=f"--set encode.scaling={nearest(settings.scaling, scalings) or 'robust'}",
        )


@dataclass(frozen=True)
class _Share:
    """The features that come from one column, and their places among all."""

    column: Column
    numbers: tuple[int, ...]
    flags: tuple[int, ...]
    categories: tuple[int, ...]


def _shares(schema: Schema, encoder: Encoder) -> list[_Share]:
    def places(codes: Sequence[NumberCode | FlagCode | CategoryCode], name: str) -> tuple[int, ...]:
        return tuple(place for place, code in enumerate(codes) if code.column == name)

    shares = [
        _Share(column, *(places(codes, column.name) for codes in (encoder.numbers, encoder.flags, encoder.categories)))
        for column in schema.used
    ]
    return [share for share in shares if share.numbers or share.flags or share.categories]


@dataclass(frozen=True)
class _Source:
    """Where one column's features come from: its cells, or by their codes the features of its different values."""

    share: _Share
    encoder: Encoder
    cells: pl.Series
    coded: Coded | None
    values: Features | None

    def fill(self, features: Features, rows: slice) -> None:
        """Puts the features of some rows in their places among the features of these rows."""
        if self.coded is not None and self.values is not None:
            found = self.values.take(self.coded.codes[rows])
        else:
            found = _features(self.cells[rows], self.share, self.encoder)
        features.numbers[:, _span(self.share.numbers)] = found.numbers
        features.flags[:, _span(self.share.flags)] = found.flags
        features.categories[:, _span(self.share.categories)] = found.categories


def _source(cells: pl.Series, share: _Share, encoder: Encoder) -> _Source:
    codes = coded(cells)
    return _Source(share, encoder, cells, codes, _features(codes.values, share, encoder) if codes is not None else None)


def _span(places: tuple[int, ...]) -> slice | list[int]:
    """The places as a slice where they lie side by side, which is written faster."""
    first, end = (places[0], places[-1] + 1) if places else (0, 0)
    return slice(first, end) if places == tuple(range(first, end)) else list(places)


def _features(series: pl.Series, share: _Share, encoder: Encoder) -> Features:
    """The features of one column's cells, in the order of its places."""
    numbers = np.empty((len(series), len(share.numbers)), dtype=np.float32, order="F")
    flags = np.empty((len(series), len(share.flags)), dtype=np.int8)
    categories = np.empty((len(series), len(share.categories)), dtype=np.int64)
    reading = share.column.reading
    codes = [encoder.flags[place] for place in share.flags]
    if share.numbers or any(code.what == "missing" for code in codes):
        wanted = [encoder.numbers[place] for place in share.numbers]
        parts = dict(parts_of(series, share.column, tuple(code.part for code in wanted) or DATE_PARTS))
        for place, number in enumerate(wanted):
            found = parts[number.part]
            numbers[:, place] = Repeated(_scaled(found.values, number, encoder.scaling), found.codes).rows()
    labels = parse_labels(series, reading) if share.categories or any(code.what == "is" for code in codes) else None
    for place, flag in enumerate(codes):
        if flag.what == "missing":
            flags[:, place] = np.isnan(next(iter(parts.values())).rows())
        elif flag.what == "yes":
            flags[:, place] = np.nan_to_num(2 * parse_yesno(series, reading) - 1, nan=0.0)
        elif labels is not None:
            flags[:, place] = (labels == flag.label).fill_null(False).to_numpy()
    for place, index in enumerate(share.categories):
        if labels is not None:
            categories[:, place] = _codes(labels, encoder.categories[index].labels)
    return Features(numbers=numbers, flags=flags, categories=categories)


def _fit_column(series: pl.Series, column: Column, settings: EncodeSettings, scaling: Scaling) -> _Codes:
    """The features that one column of training rows gives."""
    name = column.name
    if column.kind == "yesno":
        return (), (FlagCode(column=name, what="yes"),), ()
    if column.kind in ("number", "datetime"):
        numbers = []
        for part, found in parts_of(series, column):
            number = _fit_number(name, part, found, scaling)
            numbers += [number] if number is not None else []
        missing = int(np.isnan(found.rows()).sum())  # the same in every part
        gaps = 0 < missing < len(series)
        return tuple(numbers), (FlagCode(column=name, what="missing"),) if gaps else (), ()
    labels = _common_labels(labels_of(series, column.reading), settings.rare)
    if len(labels) <= settings.one_hot:
        return (), tuple(FlagCode(column=name, what="is", label=label) for label in sorted(labels)), ()
    return (), (), (CategoryCode(column=name, labels=labels),)


def _fit_number(column: str, part: Part, found: Repeated, scaling: Scaling) -> NumberCode | None:
    """The centre and scale of one feature; None where it does not vary."""
    # A sum's last bit hangs on its order: it is that of the rows, however a column's cells are kept.
    in_order = scaling == "standard" and part in ("value", "days")
    values, counts = Repeated(found.rows()).counted() if in_order else found.counted()
    if not len(values) or values.min() == values.max():
        return None
    if scaling == "quantile":
        few = (len(values) if counts is None else int(counts.sum())) <= MOST_QUANTILES
        shares = np.linspace(0, 1, MOST_QUANTILES)
        quantiles = np.sort(_every(values, counts)) if few else _quantiles(values, counts, shares)
        return NumberCode(column=column, part=part, quantiles=tuple((quantiles + 0.0).tolist()))  # no -0.0
    with np.errstate(over="ignore", invalid="ignore"):
        if scaling == "standard":
            center = float(np.average(values, weights=counts))
            scale = float(np.sqrt(np.average((values - center) ** 2, weights=counts)))
        else:
            low, center, high = _quantiles(values, counts, np.array([0.25, 0.5, 0.75])).tolist()
            scale = high - low or (float(values.max()) - float(values.min())) / 2
    if not np.isfinite([center, scale]).all() or scale <= 0:
        # Values near the largest float overflow a sum or a difference: halve them first, to the same centre and scale.
        center, scale = float(np.median(_every(values, counts))), float(values.max() / 2 - values.min() / 2)
    return NumberCode(column=column, part=part, center=center + 0.0, scale=scale)  # of zeros, the one without a sign


def _every(values: Floats, counts: npt.NDArray[np.int64] | None) -> Floats:
    return values if counts is None else np.repeat(values, counts)


def _quantiles(values: Floats, counts: npt.NDArray[np.int64] | None, shares: Floats) -> Floats:
    """The quantiles as `np.quantile` finds them; of rising values, where it is counted how many rows hold each.

    Shapes:
        returns: (shares,) float64
    """
    if counts is None:
        return np.asarray(np.quantile(values, shares))
    ends = np.cumsum(counts)
    places = shares * (ends[-1] - 1)
    below = np.floor(places)
    left, right = (
        values[np.searchsorted(ends, np.minimum(row, ends[-1] - 1), side="right")] for row in (below, below + 1)
    )
    share = places - below
    found: Floats = np.where(share < 0.5, left + (right - left) * share, right - (right - left) * (1 - share))
    return found


def _scaled(values: Floats, code: NumberCode, scaling: Scaling) -> Floats:
    if scaling == "quantile":
        scaled = _to_normal(values, np.asarray(code.quantiles))
    else:
        with np.errstate(over="ignore"):
            scaled = (
                values / code.scale - code.center / code.scale
                if code.scale > 1e300
                else (values - code.center) / code.scale
            )
        if scaling == "robust":
            scaled = np.clip(scaled, -1e150, 1e150)
            scaled = scaled / np.sqrt(1 + (scaled / 3) ** 2)
        else:
            scaled = np.clip(scaled, -1e30, 1e30)  # float32 ends at 3e38
    return np.where(np.isnan(values), 0.0, scaled)


def _to_normal(values: Floats, quantiles: Floats) -> Floats:
    """The place of each value among the quantiles, as the normal deviate of that place.

    A run of equal quantiles is a step: the middle of the step is taken, as scikit-learn does, by averaging the
    interpolation from the left and from the right.
    """
    from scipy.special import ndtri

    shares = np.linspace(0, 1, len(quantiles))
    left = np.interp(values, quantiles, shares)
    right = 1 - np.interp(-values, -quantiles[::-1], shares)
    return np.asarray(ndtri(np.clip((left + right) / 2, _SMALLEST_TAIL, 1 - _SMALLEST_TAIL)), dtype=np.float64)


def _common_labels(labels: Labels, rare: int) -> tuple[str, ...]:
    """The labels of at least `rare` training rows, commonest first, equals in alphabetical order."""
    weights = np.ones(len(labels.cells), dtype=np.int64) if labels.weights is None else labels.weights
    table = pl.DataFrame({"label": labels.cells, "count": weights}).group_by("label").sum()
    ordered = table.filter(pl.col("count") >= rare).sort(["count", "label"], descending=[True, False])
    return tuple(ordered["label"].head(MOST_LABELS).to_list())


def _codes(labels: pl.Series, known: tuple[str, ...]) -> npt.NDArray[np.int64]:
    codes = labels.replace_strict(list(known), list(range(1, len(known) + 1)), default=0, return_dtype=pl.Int64)
    return codes.fill_null(0).to_numpy().astype(np.int64)


def _fit_target(frame: Frame, schema: Schema, rows: npt.NDArray[np.int64]) -> tuple[float, float]:
    if schema.target is None or schema.target.task != "regression":
        return 0.0, 1.0
    values = encode_target(frame, schema)[rows]
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise DataError(
            f'target "{schema.target.name}" has no values in the training rows',
            where="--target",
            expected="numbers",
            fix="more rows with a target",
        )
    return float(finite.mean()), float(finite.std()) or 1.0
