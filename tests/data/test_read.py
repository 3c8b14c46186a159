"""Reading: what a file says is what the frame holds, and what is no table is refused in words."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given

from glasshouse.core.errors import DataError, SettingsError
from glasshouse.core.files import sha256
from glasshouse.core.settings import ReadSettings
from glasshouse.data.frame import Frame
from glasshouse.data.read import read


def table_of(tmp_path: Path, content: str | bytes, name: str = "t.csv", **settings: object) -> pl.DataFrame:
    return frame_of(tmp_path, content, name, **settings).table


def frame_of(tmp_path: Path, content: str | bytes, name: str = "t.csv", **settings: object) -> Frame:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(path, ReadSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_seen(tmp_path: Path, separator: str) -> None:
    rows = [["name", "size", "price"], ["a", "1", "2.5"], ["b", "2", "3.5"], ["a", "3", "4.5"]]
    frame = frame_of(tmp_path, "\n".join(separator.join(row) for row in rows))
    assert frame.table.rows() == [tuple(row) for row in rows[1:]]
    assert frame.table.columns == rows[0]
    assert frame.settings.separator == separator


def test_runs_of_blanks_separate(tmp_path: Path) -> None:
    table = table_of(tmp_path, "  1.0   2\t3 \n4   5.5 6\n\n7 8  9\n", "t.data")
    assert table.rows() == [("1.0", "2", "3"), ("4", "5.5", "6"), ("7", "8", "9")]
    assert table.columns == ["column_1", "column_2", "column_3"]


def test_comma_in_semicolon_file_is_a_decimal_sign(tmp_path: Path) -> None:
    assert table_of(tmp_path, "a;b\n1,5;2,5\n3,5;4,5\n").rows() == [("1,5", "2,5"), ("3,5", "4,5")]


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("sex,age\nm,31\nf,40\n", True),
        ("m,31\nf,40\nm,22\n", False),
        ("1,2\n3,4\n", False),
        ("type,odor\np,x\ne,y\np,x\ne,y\np,x\n", True),
        ("p,x\ne,y\np,x\ne,y\np,x\n", False),
        ("a,b\nx,y\n", True),
        ("ham\tGo there\nspam\tWin now\nham\tOk then\n", False),
        ("day,what\n2020-01-01,x\n2020-01-02,y\n", True),
        ("2020-01-01,x\n2020-01-02,y\n2020-01-03,z\n", False),
        ("country,2019,2020\nCH,1,2\nDE,3,4\n", None),
        (",a,b\n0,1.5,2\n1,2.5,3\n", True),
    ],
)
def test_header_is_told_from_the_cells_below(tmp_path: Path, content: str, header: bool | None) -> None:
    frame = frame_of(tmp_path, content)
    if header is None:  # numbers above numbers look like data: the setting decides
        assert frame_of(tmp_path, content, header="yes").table.columns == ["country", "2019", "2020"]
        return
    assert frame.settings.header == ("yes" if header else "no")
    assert any("no header" in note for note in frame.notes) is not header


def test_header_setting_wins(tmp_path: Path) -> None:
    assert table_of(tmp_path, "a,b\n1,2\n", header="no").rows() == [("a", "b"), ("1", "2")]
    assert table_of(tmp_path, "1,2\n3,4\n", header="yes").columns == ["1", "2"]


def test_blanks_around_cells_are_left_out(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a, b ,c\n x, 1, 2\ny ,3 ,4 \n")
    assert (table.columns, table.rows()) == (["a", "b", "c"], [("x", "1", "2"), ("y", "3", "4")])


def test_quotes_protect_separators_line_ends_and_quotes(tmp_path: Path) -> None:
    table = table_of(tmp_path, 'a,b\n"x, y","1\n2"\n"say ""hi""",3\n')
    assert table.rows() == [("x, y", "1\n2"), ('say "hi"', "3")]


def test_quotes_after_a_blank_still_protect(tmp_path: Path) -> None:
    assert table_of(tmp_path, 'a, b\n1, "x, y"\n2, "z"\n').rows() == [("1", "x, y"), ("2", "z")]


def test_stray_quotes_are_ordinary_where_cells_add_up(tmp_path: Path) -> None:
    frame = frame_of(tmp_path, 'k\ttext\n1\t"quite so\n2\tfine\n')
    assert frame.table.rows() == [("1", '"quite so'), ("2", "fine")]
    assert "quotation marks are read as ordinary characters" in frame.notes


def test_single_quotes_around_every_value_are_left_out(tmp_path: Path) -> None:
    frame = frame_of(tmp_path, "0.5,'-1'\n0.7,'1'\n0.9,'-1'\n")
    assert frame.table["column_2"].to_list() == ["-1", "1", "-1"]
    assert "single quotes" in frame.notes[0]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, ending: str) -> None:
    assert table_of(tmp_path, ending.join(["a,b", "1,2", "3,4", ""])).rows() == [("1", "2"), ("3", "4")]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert table_of(tmp_path, "\n\na,b\n1,2\n\n \n3,4\n\n").rows() == [("1", "2"), ("3", "4")]
    assert table_of(tmp_path, 'a,b\n"1",2\n\n3,4\n\n').rows() == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    frame = frame_of(tmp_path, "ville,prix\nGenève,1\nZürich,2\nGenève,3\n".encode(encoding))
    assert frame.table["ville"].to_list() == ["Genève", "Zürich", "Genève"]
    assert any("not UTF-8" in note for note in frame.notes) is (encoding == "latin-1")


def test_named_encoding(tmp_path: Path) -> None:
    data = "a,b\nпривет,1\nмир,2\n".encode("cp1251")
    assert table_of(tmp_path, data, encoding="cp1251")["a"].to_list() == ["привет", "мир"]


def test_source_record_holds_the_file_hash(tmp_path: Path) -> None:
    frame = frame_of(tmp_path, "a,b\n1,2\n")
    assert (frame.source.name, frame.source.rows, frame.source.columns, frame.source.size_bytes) == ("t.csv", 1, 2, 8)
    assert frame.source.sha256 == sha256(b"a,b\n1,2\n")


def test_equal_columns_of_one_name_are_one(tmp_path: Path) -> None:
    frame = frame_of(tmp_path, "a,b,a\n1,2,1\n3,4,3\n")
    assert frame.table.columns == ["a", "b"]
    assert 'column "a" stands twice with the same values; one is left out' in frame.notes


def test_typed_files_keep_their_types(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"n": [1, 2], "x": [0.5, None], "when": [datetime(2020, 1, 1, tzinfo=UTC), None], "s": ["a", "b"]}
    )
    table.write_parquet(tmp_path / "t.parquet")
    table.write_ipc(tmp_path / "t.arrow")
    for name in ("t.parquet", "t.arrow"):
        assert read(tmp_path / name).table.equals(table)


def test_json_lines_and_json(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    for name, content in (("t.jsonl", "\n".join(map(json.dumps, rows))), ("t.json", json.dumps(rows))):
        assert table_of(tmp_path, content, name).to_dicts() == rows


cells = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="'"), max_size=8).map(str.strip)


@given(
    rows=st.lists(st.tuples(cells, cells, st.integers(-99, 99).map(str)), min_size=1, max_size=20),
    separator=st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_csv_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows, separator: str) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([("first", "second", "third"), *rows])
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    table = read(path, ReadSettings(separator=separator, header="yes")).table
    assert table.rows() == rows


@given(
    numbers=st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers()), min_size=2, max_size=30
    )
)
def test_plain_numbers_are_read_back_without_any_setting(tmp_path_factory: pytest.TempPathFactory, numbers) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_text("x,n\n" + "".join(f"{x},{n}\n" for x, n in numbers))
    assert [(float(x), int(n)) for x, n in read(path).table.rows()] == numbers


# --- refusals -------------------------------------------------------------------------------------------------------


def refusal(tmp_path: Path, content: str | bytes, name: str = "t.csv", **settings: object) -> DataError:
    with pytest.raises(DataError) as caught:
        frame_of(tmp_path, content, name, **settings)
    return caught.value


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf", b'""\n'])
def test_empty_file(tmp_path: Path, content: bytes) -> None:
    error = refusal(tmp_path, content)
    assert error.problem == "t.csv is empty"
    assert "written completely" in error.fix


def test_header_alone(tmp_path: Path) -> None:
    error = refusal(tmp_path, "name,size\n")
    assert error.problem == "t.csv has column names but no rows"
    assert error.fix.startswith("--set read.header=no")


@pytest.mark.parametrize(("cells", "line"), [("1,2,3\n4,5", 4), ("1,2,3\n4,5,6,7", 4), ('"1",2,3\n4,5', 4)])
def test_ragged_rows_name_the_line(tmp_path: Path, cells: str, line: int) -> None:
    error = refusal(tmp_path, f"a,b,c\n7,8,9\n{cells}\n1,2,3\n")
    assert error.problem.startswith(f"line {line} of t.csv has ")
    assert error.problem.endswith("cells, the first line has 3")
    assert error.fix == "mend that line, or --set read.separator=..."


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a,b,a\n1,2,3\n4,5,6\n")
    assert error.problem == 't.csv has two different columns called "a"'
    assert error.fix == 'call one of them "a_2"'


def test_quotation_that_never_ends(tmp_path: Path) -> None:
    error = refusal(tmp_path, 'a,b\n"x,1\ny,2\nz,3,4\n')
    assert error.problem.startswith("the quotation marks of t.csv do not add up")
    assert error.fix.startswith("close the quotation")


@pytest.mark.parametrize(
    ("head", "fix"),
    [(b"PK\3\4\0\0", "save it as CSV"), (b"\x1f\x8b\x08\0", "gunzip"), (b"\x89PNG\0\0", "read.encoding")],
)
def test_binary_files(tmp_path: Path, head: bytes, fix: str) -> None:
    error = refusal(tmp_path, head + bytes(range(256)))
    assert error.problem == "t.csv is not a text file"
    assert fix in error.fix


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_truncated_typed_files(tmp_path: Path, name: str) -> None:
    table = pl.DataFrame({"n": range(1000)})
    table.write_parquet(tmp_path / name) if name == "t.parquet" else table.write_ipc(tmp_path / name)
    error = refusal(tmp_path, (tmp_path / name).read_bytes()[:-40], name)
    assert error.problem.startswith(f"{name} is not a whole ")
    assert "its end may be missing" in error.fix


def test_broken_json(tmp_path: Path) -> None:
    error = refusal(tmp_path, '{"a": 1}\n{"a": \n', "t.jsonl")
    assert error.problem.startswith("t.jsonl cannot be read as JSON")
    assert error.fix == 'write lines such as {"area": 50, "price": 1.5}'


def test_parquet_without_rows(tmp_path: Path) -> None:
    pl.DataFrame({"a": []}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet has no rows") as caught:
        read(tmp_path / "t.parquet")
    assert caught.value.fix == "check how the file was written"


def test_file_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path / "huoses.csv")
    assert caught.value.problem == f"there is no file {tmp_path / 'huoses.csv'}"
    assert caught.value.fix == str(tmp_path / "houses.csv")
    with pytest.raises(DataError, match="there is no folder") as caught:
        read(tmp_path / "no" / "huoses.csv")
    assert str(tmp_path / "no" / "huoses.csv") in caught.value.fix


def test_folder_names_a_file_in_it(tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is a folder") as caught:
        read(tmp_path)
    assert str(tmp_path / "houses.csv") in caught.value.fix


def test_path_that_no_system_accepts() -> None:
    with pytest.raises(DataError, match="cannot be read") as caught:
        read("a\0b.csv")
    assert caught.value.fix == "check the path and its permissions"


def test_settings_that_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='"klingon" is not an encoding') as unknown:
        frame_of(tmp_path, "a,b\n1,2\n", encoding="klingon")
    assert unknown.value.fix == "--set read.encoding=auto"
    with pytest.raises(SettingsError, match='"ab" cannot separate cells') as separator:
        frame_of(tmp_path, "a,b\n1,2\n", separator="ab")
    assert separator.value.fix == "--set read.separator=auto"
    error = refusal(tmp_path, b"a,b\n\xff\xfe,2\n", encoding="utf-8")
    assert error.problem == "t.csv is not written in utf-8"
    assert error.fix.startswith("--set read.encoding=auto")


@given(st.binary(max_size=400))
def test_any_bytes_are_a_table_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("junk") / "t.csv"
    path.write_bytes(content)
    try:
        frame = read(path)
    except DataError as error:
        assert error.fix
    else:
        assert frame.num_rows >= 1


@given(st.text('a1,;"\n\t |', max_size=60))
def test_any_text_is_a_table_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.mktemp("junk") / "t.csv"
    path.write_text(content)
    try:
        frame = read(path)
    except DataError as error:
        assert error.fix
    else:
        assert len(set(frame.table.columns)) == frame.table.width >= 1


def test_arrays_have_two_axes() -> None:
    assert read(np.array([[1.5, 2.0], [3.0, 4.0]])).table.columns == ["column_1", "column_2"]
    with pytest.raises(DataError, match=r"the array has shape \(3,\)") as caught:
        read(np.arange(3.0))
    assert caught.value.fix.startswith("array.reshape(-1, 1)")
