"""Which rows train, select, calibrate and judge: decided before anything is fitted.

Rows that belong together (exact copies, one group, one moment) form a *unit* and go the same way. Units are laid out
in an
order (by class or target at random, by group at random, or by time) and cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from glasshouse.core.errors import DataError, SettingsError, nearest, one_of
from glasshouse.core.settings import SplitSettings
from glasshouse.data.dates import date_format
from glasshouse.data.encode import encode_target
from glasshouse.data.fingerprints import hash_of, row_hashes
from glasshouse.data.frame import Frame
from glasshouse.data.labels import labels_of
from glasshouse.data.schema import Schema
from glasshouse.data.values import Reading, is_text, parse_labels, parse_numbers, parse_times

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
PARTS = ("train", "validation", "calibration", "test")
FEWEST_ROWS = 10
_GOLDEN = 0.6180339887498949
_TRIES = 64


@dataclass(frozen=True)
class Split:
    """The rows of each part, as rising row numbers.

    Args:
        dropped: rows without a target.
        units: (rows of the table,) alike where rows stay together; -1 without a target, and of a test file.
        method: in words, for the report.
        hashes: of each part's rows (used columns and target), in order.
    """

    train: Rows
    validation: Rows
    calibration: Rows
    test: Rows
    dropped: Rows
    units: Rows
    method: str
    hashes: dict[str, str]

    @property
    def known(self) -> Rows:
        """The rows that train or choose, in order: folds deal them out together."""
        return np.sort(np.concatenate([self.train, self.validation]))


def decide_fractions(settings: SplitSettings, num_rows: int) -> SplitSettings:
    """The settings with the open shares decided: a tenth to choose and half of that to calibrate.

    A small table needs more for either to mean anything: up to 15 and 10 %. Beyond 2,000 rows a choice, and beyond
    1,000 a calibration, hardly gains; the network does from every row more.

    Args:
        settings: as asked for.
        num_rows: of the table, without a separate test table.

    Example:
        >>> [decide_fractions(SplitSettings(), rows).validation for rows in (1_000, 10_000, 100_000)]
        [0.15, 0.1, 0.02]
        >>> [decide_fractions(SplitSettings(), rows).calibration for rows in (1_000, 10_000, 100_000)]
        [0.1, 0.05, 0.01]
    """
    validation, calibration = settings.validation, settings.calibration
    if validation is None:
        validation = _share(num_rows, most=0.15, usual=0.1, fewest=500, enough=2_000)
    if calibration is None:
        calibration = _share(num_rows, most=0.1, usual=0.05, fewest=300, enough=1_000)
    return msgspec.structs.replace(settings, validation=validation, calibration=calibration)


def _share(num_rows: int, *, most: float, usual: float, fewest: int, enough: int) -> float:
    """The usual share, but not less than the fewest rows, nor more than are enough, nor ever above the most."""
    return min(most, max(usual, fewest / max(1, num_rows)), enough / max(1, num_rows))


def split_rows(
    frame: Frame, schema: Schema, settings: SplitSettings, seed: int, num_test_rows: int = 0, *, tested: bool = True
) -> Split:
    """Divides the rows into train, validation, calibration and test.

    Exact copies of a row always go together. Without group and time the parts have the same shares of every class (or
    of every
    stretch of the target). With `settings.group` all rows of a group go together; with `settings.time` earlier rows
    train and
    later ones judge, and rows of one moment go together.

    Args:
        frame: all rows; the last `num_test_rows` are those of a separate test file, where there is one.
        schema: with a target.
        settings: the fractions are of all rows, or of those that do not come from a test file.
        seed: the same seed gives the same split.
        num_test_rows: how many rows were appended to test on.
        tested: whether rows are kept to test on.

    Raises:
        DataError: no such group or time column, a time that is missing, or too few rows or groups for the parts.
        SettingsError: fractions that are no fractions or leave nothing to train on.
    """
    settings = decide_fractions(settings, frame.num_rows - num_test_rows)
    fractions = _fractions(settings, num_test_rows, tested=tested)
    hashes = row_hashes(frame, schema)
    target = encode_target(frame, schema)
    known = np.isfinite(target) & (target >= 0) if target.dtype == np.int64 else np.isfinite(target)
    appended = np.zeros(frame.num_rows, dtype=bool)
    appended[frame.num_rows - num_test_rows :] = num_test_rows > 0
    rows = np.flatnonzero(known & ~appended)
    if len(rows) < FEWEST_ROWS:
        raise DataError(
            f"{frame.source.name} has {len(rows)} rows with a target, too few to split",
            where=frame.source.name,
            expected=f"at least {FEWEST_ROWS} rows",
            fix="more rows",
        )
    units, method = _units(frame, schema, settings, rows, hashes)
    num_units, needed = int(units.max()) + 1, int((fractions > 0).sum())
    if num_units < needed:
        raise _too_few(frame, settings, num_units, needed)
    random = np.random.default_rng(seed)
    if settings.time is not None:
        unit_parts = _cut(np.arange(num_units), np.bincount(units), fractions)
    elif settings.group is not None:
        unit_parts = _by_group(units, _strata(target[rows], random), fractions, random)
    else:
        unit_parts = _stratified(units, _strata(target[rows], random), fractions, random)
    unit_parts = _fill_empty(unit_parts, fractions, in_order=settings.time is not None)
    parts = unit_parts[units]
    divided = [rows[parts == place] for place in range(len(PARTS))]
    if num_test_rows:
        divided[3] = np.flatnonzero(known & appended)
        method += "; the test rows are a table of their own"
        if not len(divided[3]):
            raise DataError(
                "no test row has a target",
                where="--test",
                expected="at least one",
                fix="a test file with the target column",
            )
    named = dict(zip(PARTS, divided, strict=True))
    every = np.full(frame.num_rows, -1)
    every[rows] = units
    return Split(
        **named,
        dropped=np.flatnonzero(~known),
        units=every,
        method=method,
        hashes={name: hash_of(hashes[part]) for name, part in named.items()},
    )


def _fractions(settings: SplitSettings, num_test_rows: int, *, tested: bool) -> Floats:
    """The share of each part, in the order of PARTS."""
    test: float = 0.0
    if tested and not num_test_rows:
        if isinstance(settings.test, str):
            raise SettingsError(
                f"the test rows of {settings.test} are not among the rows",
                where="split.test",
                expected="a fraction, or rows appended from that file",
                fix="--test 0.2",
            )
        test = settings.test
    validation, calibration = settings.validation or 0.0, settings.calibration or 0.0
    rest = 1 - test - validation - calibration
    if rest < 0.04:  # the settings see to it where the test rows are a fraction
        raise SettingsError(
            f"validation and calibration take {1 - rest:.0%} of the rows",
            where="split",
            expected="fractions that leave rows to train on",
            fix="--set split.validation=0.15",
        )
    return np.array([rest, validation, calibration, test])


def _units(
    frame: Frame, schema: Schema, settings: SplitSettings, rows: Rows, hashes: npt.NDArray[np.uint64]
) -> tuple[Rows, str]:
    """The unit of each row, numbered from 0 (by time, where there is one), and the method in words."""
    units, apart = _together(frame, rows, hashes[rows], settings.group)
    if settings.group is None and settings.time is None:
        kind = "by class" if schema.target is not None and schema.target.task != "regression" else "by target value"
        return units, f"at random, stratified {kind}; exact copies stay together"
    words = []
    if settings.group is not None:
        words.append(f'rows of one "{settings.group}" stay together')
        words.append("exact copies in different groups may part" if apart else "exact copies stay together")
    if settings.time is not None:
        times = _times_of(frame, settings.time, rows)
        if settings.group is None:
            units = _numbered(times)
        units = _in_time(units, times)
        words.insert(0, f'earlier rows by "{settings.time}" train, later ones judge')
    return units, "; ".join(words)


def _together(frame: Frame, rows: Rows, hashes: npt.NDArray[np.uint64], group: str | None) -> tuple[Rows, bool]:
    """The unit of each row (exact copies, and rows of one group); whether copies in two groups may part after all."""
    copies = _numbered(hashes)
    if group is None:
        return copies, False
    groups = _group_of(frame, group, rows)
    joined = _joined(groups, copies)
    # Copies that chain nearly all groups into one lump would leave nothing to divide: the group comes first then.
    lump = bool(np.bincount(joined).max() > max(0.5 * len(rows), 2 * np.bincount(groups).max()))
    return (groups if lump else joined), lump


def _numbered(values: npt.NDArray[np.uint64] | Floats) -> Rows:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _joined(group: Rows, copies: Rows) -> Rows:
    """Groups that share an exact copy of a row become one unit (connected components)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    num_groups, size = int(group.max()) + 1, int(group.max()) + int(copies.max()) + 2
    links = coo_array((np.ones(len(group), dtype=np.int8), (group, copies + num_groups)), shape=(size, size))
    return np.unique(connected_components(links, directed=False)[1][group], return_inverse=True)[1].astype(np.int64)


def _in_time(units: Rows, times: Floats) -> Rows:
    """Units renumbered by their latest moment."""
    latest = np.full(int(units.max()) + 1, -np.inf)
    np.maximum.at(latest, units, times)
    place = np.empty(len(latest), dtype=np.int64)
    place[np.argsort(latest, kind="stable")] = np.arange(len(latest))
    return place[units]


def _column(frame: Frame, name: str, option: str) -> pl.Series:
    if name not in frame.table.columns:
        close = nearest(name, frame.table.columns)
        raise DataError(
            f'column "{name}" is not in {frame.source.name}',
            where=option,
            expected=one_of(frame.table.columns),
            fix=f"{option} {close}" if close else "",
        )
    return frame.table[name]


def _group_of(frame: Frame, name: str, rows: Rows) -> Rows:
    """The group of each row; a row whose group is missing is a group of its own."""
    labels = parse_labels(_column(frame, name, "--group")[rows], Reading(numeric=True, missing=frame.settings.missing))
    alone = pl.Series([f"\0{row}" for row in rows]) if labels.null_count() else labels
    return labels.fill_null(alone).rank("dense").to_numpy().astype(np.int64) - 1


def _times_of(frame: Frame, name: str, rows: Rows) -> Floats:
    series = _column(frame, name, "--time")[rows]
    reading = Reading(missing=frame.settings.missing)
    values = parse_numbers(series, reading)
    if not np.isfinite(values).all():
        format = date_format(labels_of(series, reading)) if is_text(series) else ""
        times = parse_times(series, Reading(format=format, missing=frame.settings.missing))
        values = times.cast(pl.Int64).cast(pl.Float64).fill_null(np.nan).to_numpy()
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise DataError(
            f'column "{name}" has no readable time in {bad:,} of {len(rows):,} rows',
            where="--time",
            expected="a date, a time or a number in every row",
            fix="another --time column, or leave those rows out",
        )
    return np.asarray(values, dtype=np.float64)


def _too_few(frame: Frame, settings: SplitSettings, num_units: int, needed: int) -> DataError:
    what = "moments" if settings.time is not None else "groups" if settings.group is not None else "different rows"
    where = "--time" if settings.time is not None else "--group" if settings.group is not None else frame.source.name
    return DataError(
        f"{num_units} {what} cannot be divided into {needed} parts",
        where=where,
        expected=f"at least {needed} {what}",
        fix="--set split.calibration=0 needs one fewer" if settings.calibration else f"more {what}",
    )


def _strata(target: npt.NDArray[np.float64] | npt.NDArray[np.int64], random: np.random.Generator) -> Rows:
    """Rows that should be spread evenly over the parts: a class, or one of up to 20 stretches of the target."""
    if target.dtype == np.int64:
        return target.astype(np.int64)
    bins = max(1, min(20, len(target) // 10))
    order = np.lexsort((random.random(len(target)), target))
    strata = np.empty(len(target), dtype=np.int64)
    strata[order] = np.arange(len(target)) * bins // len(target)
    return strata


def _stratified(units: Rows, strata: Rows, fractions: Floats, random: np.random.Generator) -> Rows:
    """The part of each unit. Units lie side by side by stratum; steps of the golden ratio then spread any
    neighbourhood evenly
    over the parts, so that even classes of a few rows get their share, and the whole is cut exactly.
    """
    sizes = np.bincount(units)
    first = np.zeros(len(sizes), dtype=np.int64)
    first[units[::-1]] = np.arange(len(units))[::-1]  # the first row of each unit speaks for it
    stratum = strata[first]
    parts = np.zeros(len(sizes), dtype=np.int64)
    free = np.flatnonzero(~_lumps(sizes, fractions))
    order = free[np.lexsort((random.random(len(free)), sizes[free], stratum[free]))]
    spread = (np.arange(len(free)) * _GOLDEN + random.random()) % 1
    laid_out = order[np.argsort(spread, kind="stable")]
    # What the lumps add to training is taken from what else would train.
    judged = fractions[1:] * sizes.sum() / sizes[free].sum()
    shares = np.array([1 - judged.sum(), *judged]) if judged.sum() <= 0.9 else fractions
    edges = np.cumsum(shares)[:-1]
    parts[laid_out] = np.searchsorted(edges, _middles(sizes[laid_out]), side="right")
    return _train_has_all(parts, stratum)


def _lumps(sizes: npt.NDArray[np.int64], fractions: Floats) -> npt.NDArray[np.bool_]:
    """Rows with so many copies that they would fill a part on their own: they train, as far as the training share
    goes.
    """
    total = sizes.sum()
    order = np.argsort(-sizes, kind="stable")
    before = np.cumsum(sizes[order]) - sizes[order]
    large = sizes[order] > max(2.0, 0.1 * total * fractions[fractions > 0].min())
    lumps = np.zeros(len(sizes), dtype=bool)
    lumps[order[large & (before < fractions[0] * total)]] = True
    return lumps if int((~lumps).sum()) >= len(PARTS) else np.zeros(len(sizes), dtype=bool)


def _by_group(units: Rows, strata: Rows, fractions: Floats, random: np.random.Generator) -> Rows:
    """The part of each group: of several random divisions the one whose parts are nearest to the asked shares of every
    class.
    """
    sizes = np.bincount(units)
    table = np.zeros((len(sizes), int(strata.max()) + 1))
    np.add.at(table, (units, strata), 1.0)
    wanted = fractions[:, None] * table.sum(axis=0)
    best, best_miss = np.zeros(len(sizes), dtype=np.int64), np.inf
    for _ in range(_TRIES if len(sizes) < 10_000 else 4):
        parts = _fill_empty(_cut(random.permutation(len(sizes)), sizes, fractions), fractions, in_order=False)
        held = np.zeros_like(wanted)
        np.add.at(held, parts, table)
        miss = float(
            (np.abs(held - wanted) / (1 + table.sum(axis=0))).sum()
            + 4 * np.abs(held - wanted).sum(axis=1).sum() / len(units)
        )
        miss += 10.0 * float(((held[0] == 0) & (table.sum(axis=0) > 0)).sum())
        if miss < best_miss:
            best, best_miss = parts, miss
    return best


def _cut(order: Rows, sizes: npt.NDArray[np.int64], fractions: Floats) -> Rows:
    """Cuts units in a given order where the shares of rows are reached; a unit goes where its middle lies."""
    parts = np.empty(len(order), dtype=np.int64)
    parts[order] = np.searchsorted(np.cumsum(fractions)[:-1], _middles(sizes[order]), side="right")
    return parts


def _middles(sizes: npt.NDArray[np.int64]) -> Floats:
    """Where the middle of each unit lies when units of these sizes stand in a row from 0 to 1."""
    ends = np.cumsum(sizes)
    return np.asarray((ends - sizes / 2) / ends[-1], dtype=np.float64)


def _train_has_all(parts: Rows, stratum: Rows) -> Rows:
    """Moves one unit of each stratum that training lacks."""
    parts = parts.copy()
    for lacking in np.setdiff1d(stratum, stratum[parts == 0]):
        parts[np.flatnonzero(stratum == lacking)[-1]] = 0
    return parts


def _fill_empty(parts: Rows, fractions: Floats, *, in_order: bool) -> Rows:
    """Gives every part that was asked for at least one unit, from the largest part; in order of time by shifting the
    cuts.
    """
    wanted = np.flatnonzero(fractions > 0)
    counts = np.bincount(parts, minlength=len(PARTS))
    if (counts[wanted] > 0).all():
        return parts
    if in_order:
        counts[wanted] = np.maximum(counts[wanted], 1)
        counts[np.argmax(counts)] -= counts.sum() - len(parts)
        return np.repeat(np.arange(len(PARTS)), counts)
    parts = parts.copy()
    for part in wanted[counts[wanted] == 0]:
        largest = np.argmax(np.bincount(parts, minlength=len(PARTS)))
        parts[np.flatnonzero(parts == largest)[-1]] = part
    return parts
