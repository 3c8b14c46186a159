"""A large text table read in pieces is the table that is read in one go, and what follows from it is the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasshouse.core.errors import DataError
from glasshouse.core.settings import EncodeSettings, ReadSettings, SplitSettings
from glasshouse.data import check, encode, encode_target, fit_encoder, infer_schema, labels, pieces, read, split_rows
from glasshouse.data.coded import Gathering, as_written, coded, how_often
from glasshouse.data.fingerprints import row_hashes
from glasshouse.data.frame import READ, Frame
from glasshouse.data.labels import labels_of, labels_of_numbers
from glasshouse.data.values import Reading

ROWS = 400


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Files of any size are read in pieces of about a dozen lines; many threads and few rows at a time follow."""
    monkeypatch.setattr(pieces, "LARGE", 1)
    monkeypatch.setattr(pieces, "PIECE", 1000)
    monkeypatch.setattr("glasshouse.data.frame.MANY_ROWS", 1)
    monkeypatch.setattr("glasshouse.data.labels._MANY", 10)
    monkeypatch.setitem(encode.__globals__, "ROWS_AT_ONCE", 64)
    return monkeypatch


def in_one_go(path: Path, settings: ReadSettings = READ) -> Frame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "LARGE", 1 << 40)
        return read(path, settings)


def cells(frame: Frame) -> pl.DataFrame:
    """The cells as they were written, with blanks for nothing."""
    return pl.DataFrame([as_written(column) for column in frame.table])


def mixed_lines() -> list[str]:
    random = np.random.default_rng(0)
    lines = ["number,zeros,fixed,whole,running,few,many,code,yes,day,moment,late,target"]
    for row in range(ROWS):
        value = random.normal()
        number = "" if row % 17 == 3 else repr(round(value, 4))
        zeros = "-0.0" if row == 30 else "0.0" if row == 31 else repr(round(value, 5))
        late = f"{row * 7919 % 4001}" if row < 300 else "unknown" if row == 300 else repr(row / 7)
        lines.append(
            f"{number},{zeros},{value:.2f},{random.integers(0, 10**6)},{row + 1},{'abc'[row % 3]},label{row % 40},"
            f"{row % 60:03d},{'yes' if row % 5 else 'no'},{1 + row % 12}/{1 + row % 28}/2015,"
            f"2015-01-{1 + row % 28:02d} {row % 24:02d}:{row % 60:02d}:{row * 7 % 60:02d},{late},"
            f"{round(2 * value, 3)}"
        )
    return lines


def write(folder: Path, lines: list[str], end: str = "\n", encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


def outcome(frame: Frame, target: str) -> dict[str, Any]:
    schema = infer_schema(frame, target)
    rows = np.random.default_rng(1).permutation(frame.num_rows)[: frame.num_rows * 2 // 3]
    found: dict[str, Any] = {"schema": schema, "hashes": row_hashes(frame, schema).tolist()}
    for scaling in ("robust", "standard", "quantile"):
        for chosen in (rows, np.arange(frame.num_rows)):
            encoder = fit_encoder(frame, schema, chosen, EncodeSettings(scaling=scaling, one_hot=5))
            features = encode(frame, schema, encoder)
            arrays = (features.numbers, features.flags, features.categories)
            found[f"{scaling}, {len(chosen)} rows"] = (encoder, *(array.tolist() for array in arrays))
    found["target"] = encode_target(frame, schema).tolist()
    found["check"] = check(frame, schema, split_rows(frame, schema, SplitSettings(), seed=0))
    return found


def test_what_follows_from_a_table_in_pieces_is_the_same(tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, mixed_lines())
    whole, frame = in_one_go(path), read(path)
    kinds = {type(column.dtype) for column in frame.table}
    assert {pl.Enum, pl.Float64, pl.Int64, pl.String} == kinds
    assert {column.dtype for column in whole.table} == {pl.String()}
    assert cells(frame).equals(cells(whole))
    assert (frame.source, frame.notes, frame.settings) == (whole.source, whole.notes, whole.settings)
    for target in ("target", "many"):
        expected = outcome(whole, target)
        for name, found in outcome(frame, target).items():
            assert found == expected[name], f"{name} of {target}"


@pytest.mark.parametrize("scaling", ["robust", "quantile", "standard"])
def test_a_zero_has_no_sign_however_it_is_kept(scaling: Any, tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    zeros = ("-0.0", "0.0", "1.0", "0.0", "0.0", "-0.0", "0.0")
    path = write(tmp_path, ["x,y", *(f"{zeros[row % 7]},{row % 5}.5" for row in range(120))])
    for frame in (in_one_go(path), read(path)):
        schema = infer_schema(frame, "y")
        number = fit_encoder(frame, schema, np.arange(120), EncodeSettings(scaling=scaling)).numbers[0]
        assert "-0.0" not in map(str, (number.center, *number.quantiles))


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("line", [1, 7, 64, 1000])
def test_pieces_end_where_lines_do(line: int, end: str, tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    in_pieces.setattr(pieces, "LINE", line)  # the longest line here is longer, and longer than a piece
    random = np.random.default_rng(line)
    text = "\n".join("x" * int(length) for length in [*random.integers(1, 90, 200), 3000, 1, 999, 1000, 1001]) + end
    path = tmp_path / "table.csv"
    path.write_text(text)
    found = list(pieces._whole_lines(path))
    assert b"".join(found) == text.encode()
    assert all(piece.endswith(b"\n") for piece in found[:-1])
    assert sorted(map(len, found))[-2] <= 2000, "one line more than a piece"
    assert len(found) < 25


@pytest.mark.parametrize("asked", ["category", "number", "datetime", "text"])
def test_what_is_asked_for_is_followed_alike(asked: Any, tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, mixed_lines())
    for name in ("zeros", "whole", "code", "moment"):
        said = []
        for frame in (in_one_go(path), read(path)):
            try:
                said.append(str(infer_schema(frame, "target", {name: asked}).column(name)))
            except DataError as error:
                said.append(str(error))
        assert said[0] == said[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0], *(line.replace("label", " label") for line in lines[1:])],
        lambda lines: [line.replace(",", ";") for line in lines],
        lambda lines: [line.replace("label", "läbel") for line in lines],
        lambda lines: [line.replace(",label3,", ',"la,bel",') for line in lines],
        lambda lines: [re.sub(",([abc]),", r",'\1',", line) for line in lines],
        lambda lines: lines[1:],
        lambda lines: [*lines, ""],
    ],
)
def test_spaces_separators_quotes_and_letters(change: Any, tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    for end in ("\n", "\r\n"):
        path = write(tmp_path, change(mixed_lines()), end)
        assert pieces.read_in_pieces(path, ReadSettings()) is not None
        whole, frame = in_one_go(path), read(path)
        assert cells(frame).equals(cells(whole))
        assert (frame.source, frame.notes, frame.settings) == (whole.source, whole.notes, whole.settings)


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda lines: [*lines[:200], lines[200] + ",more", *lines[201:]], "utf-8"),
        (lambda lines: [*lines[:200], lines[200].rpartition(",")[0], *lines[201:]], "utf-8"),
        (lambda lines: [*lines[:200], "", *lines[200:]], "utf-8"),
        (lambda lines: [*lines[:200], lines[200].replace("label", '"two\nlines'), *lines[201:]], "utf-8"),
        (lambda lines: [*lines[:200], lines[200].replace("label", '"two\nlines"'), *lines[201:]], "utf-8"),
        (lambda lines: [lines[0].replace("few", "many"), *lines[1:]], "utf-8"),
        (lambda lines: ["", *lines], "utf-8"),
        (lambda lines: [line.replace("label", "läbel") for line in lines], "cp1252"),
        (lambda lines: lines, "utf-16"),
        (lambda lines: lines, "utf-8-sig"),
        (lambda lines: [line.replace(",", "  ") for line in lines], "utf-8"),
        (lambda lines: [line.partition(",")[0] or "x" for line in lines], "utf-8"),
    ],
)
def test_what_is_not_plain_is_left_to_the_whole_file(
    change: Any, encoding: str, tmp_path: Path, in_pieces: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, change(mixed_lines()), encoding=encoding)
    said = []
    for reader in (in_one_go, read):
        try:
            frame = reader(path)
            said.append((cells(frame).rows(), frame.source, frame.notes, frame.settings))
        except DataError as error:
            said.append(str(error))
    assert said[0] == said[1]


def test_only_a_number_that_is_nothing_else_is_kept_as_one(tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, mixed_lines())
    for asked in (ReadSettings(decimal=","), ReadSettings(missing=("77",))):
        frame = read(path, asked)
        assert not any(column.dtype.is_numeric() for column in frame.table)
        assert cells(frame).equals(cells(in_one_go(path, asked)))


NUMBERS = st.one_of(st.integers(-(10**20), 10**20).map(str), st.floats(-1e9, 1e9).map(repr), st.just(""))
ODD = st.sampled_from(
    ["-0.0", "0.0", "1.50", "007", "+3", "1e5", "nan", "inf", " 4", "a", "1,5", "99999999999999999999"]
)


@given(
    parts=st.lists(st.lists(NUMBERS | ODD, min_size=1, max_size=6), min_size=1, max_size=5),
    seen=st.sampled_from([0, 1]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_gathered_cells_are_the_cells(parts: list[list[str]], seen: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glasshouse.data.coded.SEEN_BEFORE", seen)
        column = Gathering(numbers=True)
        for part in parts:
            column.add(pl.Series(part, dtype=pl.String))
        whole = column.column("a")
    assert as_written(whole).to_list() == [cell for part in parts for cell in part]
    assert whole.n_chunks() == 1
    if seen == 1:
        assert isinstance(whole.dtype, pl.Enum)


@pytest.mark.parametrize(
    ("parts", "kept"),
    [
        ([["1", "2"], ["3", ""]], pl.Int64()),
        ([["1.5", "2.0"], ["-0.0", ""]], pl.Float64()),
        ([["1", "2"], ["3.5"]], pl.String()),
        ([["", ""], ["3.5"], ["4.25"]], pl.Float64()),
        ([["1", "02"]], pl.String()),
        ([["1.5"], ["inf"]], pl.String()),
        ([["1.5"], ["1.50"]], pl.String()),
    ],
)
def test_numbers_are_kept_where_they_say_all(
    parts: list[list[str]], kept: pl.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasshouse.data.coded.SEEN_BEFORE", 0)
    column = Gathering(numbers=True)
    for part in parts:
        column.add(pl.Series(part, dtype=pl.String))
    assert column.column("a").dtype == kept


def test_codes_know_gaps_and_values_that_no_row_has() -> None:
    series = pl.Series("a", ["x", None, "y", "x"], dtype=pl.Enum(["unused", "x", "y"]))
    codes = coded(series)
    assert codes is not None
    assert codes.values[codes.codes].to_list() == ["x", None, "y", "x"]
    assert how_often(codes.codes, len(codes.values)).tolist() == [0, 2, 1, 1]
    assert coded(series.head(2)) is None, "fewer rows than values"
    found = labels_of(series, Reading())
    assert (found.distinct, found.num_filled, found.num_missing) == (2, 3, 1)
    assert found.begin.to_list() == ["x", "y", "x"]
    assert found.share(found.cells == "x") == pytest.approx(2 / 3)


def test_many_labels_are_counted_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_MANY", 10)
    words = pl.Series([f"k{number % 700}" for number in range(2000)])
    assert labels_of(words, Reading()).distinct == 700
    numbers = pl.Series([None, float("nan"), *(number % 700 / 8 for number in range(2000))])
    found = labels_of_numbers(numbers, Reading())
    written = labels_of(numbers, Reading())
    assert found is not None
    assert (found.distinct, found.num_missing) == (written.distinct, written.num_missing) == (700, 2)
    assert found.begin.to_list() == written.begin.head(len(found.begin)).to_list()
    assert labels_of_numbers(pl.Series([0.0, 1.0] * 50), Reading()) is None, "these may be yes and no"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adult", "bank_marketing", "bike_sharing", "california_housing", "ett",
                                  "telco_churn", "parkinsons"])  # fmt: skip
def test_real_tables_come_out_alike(name: str, shared_data: Path, in_pieces: pytest.MonkeyPatch) -> None:
    in_pieces.setattr(pieces, "PIECE", 100_000)
    in_pieces.setitem(encode.__globals__, "ROWS_AT_ONCE", 5000)
    path = sorted((shared_data / name).glob("*.csv"))[0]
    whole, frame = in_one_go(path), read(path)
    assert any(isinstance(column.dtype, pl.Enum) for column in frame.table)
    assert cells(frame).equals(cells(whole))
    schemas = [infer_schema(one, frame.table.columns[-1]) for one in (whole, frame)]
    assert schemas[0] == schemas[1]
    features = [
        encode(one, schemas[0], fit_encoder(one, schemas[0], np.arange(0, one.num_rows, 2), EncodeSettings()))
        for one in (whole, frame)
    ]
    for part in ("numbers", "flags", "categories"):
        assert np.array_equal(getattr(features[0], part), getattr(features[1], part))
