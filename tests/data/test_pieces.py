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
from tests.data.cells import PARTS

from glasshouse.core.errors import DataError
from glasshouse.core.settings import EncodeSettings, ReadSettings, SplitSettings
from glasshouse.data import (
    align,
    append,
    check,
    encode,
    encode_target,
    fit_encoder,
    infer_schema,
    labels,
    pieces,
    read,
    split_rows,
)
from glasshouse.data.coded import MISSING, as_written
from glasshouse.data.fingerprints import row_hashes
from glasshouse.data.frame import READ, Frame
from glasshouse.data.labels import labels_of, labels_unwritten
from glasshouse.data.values import Reading, parse_times

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
    """The cells as they were written, with blanks for nothing; of numbers that are not whole the number."""
    return pl.DataFrame([column if column.dtype.is_float() else as_written(column) for column in frame.table])


def assert_same_cells(frame: Frame, whole: Frame) -> None:
    assert frame.table.columns == whole.table.columns
    for found, expected in zip(cells(frame), cells(whole), strict=True):
        kept = frame.table[found.name].dtype
        if not isinstance(kept, (pl.String, pl.Enum)):
            expected = expected.set(expected.is_in(MISSING), "")
        if kept.is_float():
            assert found.null_count() == (expected == "").sum()
            assert found.equals(expected.cast(pl.Float64, strict=False)), found.name
        else:
            assert found.equals(expected), found.name


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
    assert {pl.Enum, pl.Float64, pl.Int32, pl.Datetime, pl.String} == kinds
    assert {column.dtype for column in whole.table} == {pl.String()}
    assert_same_cells(frame, whole)
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
        assert_same_cells(frame, whole)
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


BEGIN = st.sampled_from([
    [f"{number}.25" for number in range(12)],
    [f"{number}.50" for number in range(12)],
    [str(number) for number in range(12)],
    [f"2015-01-31 12:30:{number + 10}" for number in range(12)],
])  # fmt: skip


@given(begin=BEGIN, parts=PARTS, seen=st.sampled_from([0, 1]), few=st.sampled_from([3, 256]), quoted=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_column_is_the_same_in_pieces(begin: list[str], parts: list[list[str]], seen: float, few: int, quoted: bool,
                                        tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Whatever its cells become on the way, and wherever they stop being that."""
    lines = ["cell,row,target"]
    for place, part in enumerate([begin, *parts]):
        for cell in part:
            shown = f'"{cell}"' if quoted or "," in cell else cell
            lines.append(f"{shown},{place},{len(lines) * 0.5 + place}")
    path = write(tmp_path, lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", 60)
        patch.setattr("glasshouse.data.coded.SEEN_BEFORE", seen)
        patch.setattr("glasshouse.data.coded._FEW", few)
        whole, frame = in_one_go(path), read(path)
    assert frame.written
    assert_same_cells(frame, whole)
    for asked in (None, "number", "category"):
        said = []
        for one in (whole, frame):
            try:
                said.append(str(infer_schema(one, None, {"cell": asked} if asked else {}).column("cell")))
            except DataError as error:
                said.append(str(error))
        assert said[0] == said[1]


@pytest.mark.parametrize("odd", ["abc", "inf", "+nan", "007", "1,5", "--"])
def test_a_column_that_stops_being_numbers_late_is_read_again(
    odd: str, tmp_path: Path, in_pieces: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    lines = [
        f"{a:.2f};{b:.2f};{c:.2f};{row % 5};{row % 7}"
        for row, (a, b, c) in enumerate(random.normal(size=(ROWS, 3)) * 1e6)
    ]
    path = write(tmp_path, ["a;b;c;d;target", *lines])
    begun = []
    read_whole = pieces._read

    def begin(*args: Any, **how: Any) -> pieces.Text:
        begun.append(how)
        return read_whole(*args, **how)

    in_pieces.setattr(pieces, "_read", begin)
    assert [column.dtype for column in read(path).table][:3] == [pl.Float64()] * 3
    assert len(begun) == 1
    for wrong, times in ((0, 2), (1, 3), (2, 3)):  # the third time no column is trusted any more
        at = 100 + 120 * wrong
        lines[at] = ";".join(odd if place == wrong else cell for place, cell in enumerate(lines[at].split(";")))
        path = write(tmp_path, ["a;b;c;d;target", *lines])
        begun.clear()
        frame, whole = read(path), in_one_go(path)
        assert len(begun) == times
        assert [column.dtype.is_float() for column in frame.table][:3] == [False, wrong == 0, wrong == 0]
        assert_same_cells(frame, whole)
        assert infer_schema(frame, "target") == infer_schema(whole, "target")


def told_types(patch: pytest.MonkeyPatch) -> list[tuple[list[pl.DataType | None], str]]:
    """A list that grows with every piece: what it is to be read as, and why it cannot."""
    asked: list[tuple[list[pl.DataType | None], str]] = []
    typed = pieces._typed

    def look(piece: bytes, types: list[pl.DataType | None], *args: Any, **how: Any) -> Any:
        found = typed(piece, types, *args, **how)
        asked.append((types, found[1]))
        return found

    patch.setattr(pieces, "_typed", look)
    return asked


def test_pieces_are_read_as_what_they_hold(tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    """The quick way is taken, and left where a cell is something else."""
    random = np.random.default_rng(0)
    lines = [f"{value:.3f},{'abcd'[row % 4]},{row % 3}" for row, value in enumerate(random.normal(size=ROWS) * 1e4)]
    asked = told_types(in_pieces)
    in_pieces.setattr(pieces, "PIECE", 300)
    frame = read(write(tmp_path, ["x,y,target", *lines]))
    assert len(asked) > 10
    assert not any(again for _, again in asked)
    assert [type(column.dtype) for column in frame.table] == [pl.Float64, pl.Enum, pl.Enum]
    whole = ["12" + line[line.index(",") :] if row in (200, 300, 392) else line for row, line in enumerate(lines)]
    # A new label says nothing about the numbers; codes with leading zeros make whole ones suspicious.
    new = [line.replace(",a,", f",new{row},") if row in (300, 392) else line for row, line in enumerate(whole)]
    codes = [line.replace(",b,", ",00,") for line in whole]
    for changed, read_at_once in ((new, [True, False, True]), (codes, [False, True, True])):
        asked.clear()
        path = write(tmp_path, ["x,y,target", *changed])
        frame = read(path)
        assert [type(column.dtype) for column in frame.table] == [pl.Float64, pl.Enum, pl.Enum]
        assert_same_cells(frame, in_one_go(path))
        assert sum(bool(again) for _, again in asked) == 1, "once read again, a column is not read so any more"
        assert [type is not None for type in asked[-1][0]] == read_at_once


@pytest.mark.parametrize("odd", ["", "-0", "-07", "007", "+5", "1.5", "NA", "word", "9" * 10, "9" * 20])
def test_whole_numbers_are_read_as_such_until_one_is_none(
    odd: str, tmp_path: Path, in_pieces: pytest.MonkeyPatch
) -> None:
    lines = [f"{row * 7919 % 4001 - 2000},{row % 2},{row / 7}" for row in range(ROWS)]
    asked = told_types(in_pieces)
    in_pieces.setattr(pieces, "PIECE", 300)
    assert read(write(tmp_path, ["x,y,target", *lines])).table["x"].dtype == pl.Int32()
    assert [types[0] for types, _ in asked].count(pl.Int32()) > len(asked) / 2
    for row in (ROWS // 2, ROWS - 1):
        changed = [f"{odd}{line[line.index(',') :]}" if place == row else line for place, line in enumerate(lines)]
        path = write(tmp_path, ["x,y,target", *changed])
        frame, whole = read(path), in_one_go(path)
        assert_same_cells(frame, whole)
        assert frame.table["x"].dtype.is_integer() == (odd in ("", "NA", "9" * 10))
        assert infer_schema(frame, "target") == infer_schema(whole, "target")


@pytest.mark.parametrize(("beside", "at_once"), [("{:02d}/05/2015", True), ("{:02d}:30", True), ("{:03d}", False)])
def test_dates_are_no_codes_beside_which_numbers_have_to_be_proved(
    beside: str, at_once: bool, tmp_path: Path, in_pieces: pytest.MonkeyPatch
) -> None:
    lines = [f"{row * 7919 % 4001},{beside.format(1 + row % 12)},{row / 7}" for row in range(ROWS)]
    asked = told_types(in_pieces)
    in_pieces.setattr(pieces, "PIECE", 600)
    path = write(tmp_path, ["x,y,target", *lines])
    frame = read(path)
    assert asked and ("codes" not in [again for _, again in asked]) == at_once
    assert_same_cells(frame, in_one_go(path))


def moment(row: int) -> str:
    return (
        f"{1990 + row % 30}-{1 + row % 12:02d}-{1 + row % 28:02d} {row % 24:02d}:{row * 7 % 60:02d}:{row * 13 % 60:02d}"
    )


CELLS: dict[str, Any] = {
    "telephones": lambda row: f"+49{10**9 + row * 7919**3 % 10**9}",
    "times": moment,
    "early years": lambda row: f"{100 + row * 2:04d}-01-01 00:00:00",
    "some early years": lambda row: f"{1990 + row if row % 3 else 100 + row:04d}-01-01 00:00:00",
    "sixtieth seconds": lambda row: moment(row)[:-2] + ("60" if row % 3 == 0 else "59"),
    "blanks in times": lambda row: f"{moment(row)[:11]} {row % 10}{moment(row)[13:]}",
    "a target of times": moment,
    "beyond 2**53": lambda row: str(2**53 + row),
    "row numbers as floats": lambda row: f"{3 * row}.0",
    "nearly constant": lambda row: f"{row}.50" if row < 50 else "0.00",
    "NA": lambda row: "NA" if row % 7 == 0 else f"{row * 37 % 401}.25",
}


@pytest.mark.parametrize("what", list(CELLS))
@pytest.mark.parametrize("asked", [None, "category"])
def test_odd_columns_are_the_same_in_pieces(
    what: str, asked: Any, tmp_path: Path, in_pieces: pytest.MonkeyPatch
) -> None:
    rows = 4000 if what == "nearly constant" else ROWS
    path = write(tmp_path, ["c,x,y", *(f"{CELLS[what](row)},{row % 9},{row * 37 % 101 / 8}" for row in range(rows))])
    said = []
    for frame in (in_one_go(path), read(path)):
        try:
            schema = infer_schema(frame, "c" if "target" in what else "y", {"c": asked} if asked else {})
            split = split_rows(frame, schema, SplitSettings(), seed=0)
            said.append((schema, row_hashes(frame, schema, ["c"]).tolist(), check(frame, schema, split)))
        except DataError as error:
            said.append(str(error))  # type: ignore[arg-type]
    assert said[0] == said[1]
    if what == "telephones":
        assert any(finding.check == "personal-data" for finding in said[0][2])


def test_times_in_pieces_go_with_those_of_a_small_table(tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    paths = []
    for name, rows in (("first", ROWS), ("second", 100)):
        (tmp_path / name).mkdir()
        lines = [f"{moment(row * len(name))},{row % 9},{row * 37 % 101 / 8}" for row in range(rows)]
        paths.append(write(tmp_path / name, ["c,x,y", *lines]))
    schema = infer_schema(in_one_go(paths[0]), "y", {"c": "category"})
    ways = [(first, second) for first in (read, in_one_go) for second in (read, in_one_go)]
    tables = {tuple(as_written(append(one(paths[0]), two(paths[1]), schema).table["c"])) for one, two in ways}
    assert len(tables) == 1


def test_a_model_reads_a_large_file_as_its_own_was_read(tmp_path: Path, in_pieces: pytest.MonkeyPatch) -> None:
    """What is a decimal comma and what means "missing" is known from training, and not to be seen in the file."""
    lines = [
        f"{1 + row * row % 7}.{row * 377 % 1000:03d},{row % 9};{moment(row)};{row % 5};{row * 1.5}"
        for row in range(ROWS)
    ]
    path = write(tmp_path, ["a;t;b;y", *lines])
    schema = infer_schema(in_one_go(path, ReadSettings(missing=(moment(0),))), "y")
    assert (schema.column("a").reading.decimal, schema.column("t").missing) == (",", sum(moment(0) in x for x in lines))
    encoder = fit_encoder(in_one_go(path), schema, np.arange(ROWS), EncodeSettings())
    new = [f"{1 + row % 7}.{row * 37 % 1000:03d};{moment(row)};{row % 5};{row * 1.5}" for row in range(ROWS)]
    path = write(tmp_path, ["a;t;b;y", *new])
    found = [encode(align(one, schema), schema, encoder) for one in (
        in_one_go(path, schema.read_settings), read(path, schema.read_settings), in_one_go(path)
    )]  # fmt: skip
    for other in found[1:]:
        assert np.array_equal(found[0].numbers, other.numbers)
        assert np.array_equal(found[0].flags, other.flags)
    assert found[0].flags.any()
    typed = pl.Series("t", [moment(0), moment(1)]).str.to_datetime()
    assert parse_times(typed, schema.column("t").reading).is_null().to_list() == [True, False]


def test_many_labels_are_counted_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_MANY", 10)
    words = pl.Series([f"k{number % 700}" for number in range(2000)])
    assert labels_of(words, Reading()).distinct == 700
    numbers = pl.Series([None, float("nan"), *(number % 700 / 8 for number in range(2000))])
    found = labels_unwritten(numbers, Reading())
    written = labels_of(numbers, Reading())
    assert found is not None
    assert (found.distinct, found.num_missing) == (written.distinct, written.num_missing) == (700, 2)
    assert found.begin.to_list() == written.begin.head(len(found.begin)).to_list()
    assert labels_unwritten(pl.Series([0.0, 1.0] * 50), Reading()) is None, "these may be yes and no"
    for step in (1, 3, 10**15):
        whole = labels_unwritten(pl.Series([None, *(-7 + step * (number % 700) for number in range(2000))]), Reading())
        assert whole is not None
        assert whole.distinct == 700


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adult", "bank_marketing", "bike_sharing", "california_housing", "ett",
                                  "telco_churn", "parkinsons"])  # fmt: skip
def test_real_tables_come_out_alike(name: str, shared_data: Path, in_pieces: pytest.MonkeyPatch) -> None:
    in_pieces.setattr(pieces, "PIECE", 100_000)
    in_pieces.setitem(encode.__globals__, "ROWS_AT_ONCE", 5000)
    path = sorted((shared_data / name).glob("*.csv"))[0]
    whole, frame = in_one_go(path), read(path)
    assert any(isinstance(column.dtype, pl.Enum) for column in frame.table)
    assert_same_cells(frame, whole)
    schemas = [infer_schema(one, frame.table.columns[-1]) for one in (whole, frame)]
    assert schemas[0] == schemas[1]
    features = [
        encode(one, schemas[0], fit_encoder(one, schemas[0], np.arange(0, one.num_rows, 2), EncodeSettings()))
        for one in (whole, frame)
    ]
    for part in ("numbers", "flags", "categories"):
        assert np.array_equal(getattr(features[0], part), getattr(features[1], part))
