"""Tables that cannot be learnt from are refused in one clear error; odd ones that can are learnt from."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from .conftest import QUICK, Refuse, Run, people


def _bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _csv(text: str) -> Callable[[Path], Path]:
    return _bytes("table.csv", text.encode())


def _table(name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        table = change(people())
        path = folder / name
        match path.suffix:
            case ".parquet":
                table.write_parquet(path)
            case ".jsonl":
                table.write_ndjson(path)
            case ".arrow":
                table.write_ipc(path)
            case _:
                table.write_csv(path)
        return path

    return make


def _cut(name: str, keep: float) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = _table(name, lambda table: table)(folder)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * keep)])
        return path

    return make


def _loop(folder: Path) -> Path:
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    return folder / "loop.csv"


def _folder(folder: Path) -> Path:
    (folder / "tables.csv").mkdir()
    return folder / "tables.csv"


def _zipped(folder: Path) -> Path:
    import zipfile

    with zipfile.ZipFile(folder / "zipped.csv", "w") as archive:
        archive.writestr("people.csv", people().write_csv())
    return folder / "zipped.csv"


ROWS = "\n".join(f"{i},{i * i % 7},{'yes' if i % 3 else 'no'}" for i in range(40))
NOISE = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()

# What is wrong, the file, the target that is asked for, and words that the error must hold.
REFUSED: dict[str, tuple[Callable[[Path], Path], str, tuple[str, ...]]] = {
    "empty file": (_csv(""), "buys", ("empty",)),
    "blank lines only": (_csv("\n \n\n"), "buys", ("table.csv",)),
    "byte order mark only": (_bytes("table.csv", b"\xef\xbb\xbf"), "buys", ("table.csv",)),
    "header only": (_csv("age,city,buys\n"), "buys", ("table.csv",)),
    "one row": (_csv("age,city,buys\n1,Bonn,yes\n"), "buys", ("fix:",)),
    "two rows": (_csv("age,city,buys\n1,Bonn,yes\n2,Ulm,no\n"), "buys", ("fix:",)),
    "one column": (_csv("buys\nyes\nno\n" * 20), "buys", ("column",)),
    "one class": (_table("t.csv", lambda t: t.with_columns(buys=pl.lit("yes"))), "buys", ("buys", "yes")),
    "constant target": (_table("t.csv", lambda t: t.with_columns(income=pl.lit(7.5))), "income", ("income", "7.5")),
    "target all missing": (_table("t.csv", lambda t: t.with_columns(buys=pl.lit(None, pl.String))), "buys", ("buys",)),
    "target all nan": (
        _table("t.parquet", lambda t: t.with_columns(income=pl.lit(float("nan")))), "income", ("income",)
    ),
    "target at the end of float": (
        _table("t.parquet", lambda t: t.with_columns(income=pl.col("income") * 1e300)), "income", ("income", "e+303")
    ),
    "target never the same": (
        _table("t.csv", lambda t: t.with_columns(buys=pl.Series([f"id-{i:04x}z" for i in range(len(t))]))),
        "buys",
        ("buys",),
    ),
    "target misspelt": (_table("t.csv", lambda t: t), "byus", ('column "byus" is not in t.csv', "--target buys")),
    "every feature missing": (
        _table("t.csv", lambda t: t.select(pl.lit(None, pl.String).alias("a"), pl.lit("").alias("b"), "buys")),
        "buys",
        ("column",),
    ),
    "every feature constant": (_table("t.csv", lambda t: t.select(pl.lit(1).alias("a"), "buys")), "buys", ("column",)),
    "file is not there": (lambda folder: folder / "poeple.csv", "buys", ("poeple.csv", "people.csv")),
    "folder without tables": (_folder, "buys", ("tables.csv",)),
    "loop of links": (_loop, "buys", ("loop.csv",)),
    "path too long": (lambda folder: folder / ("x" * 5000), "buys", ("fix:",)),
    "unknown example": (lambda folder: Path("example:breast-cancre"), "diagnosis", ("breast-cancer",)),
    "noise": (_bytes("noise.csv", NOISE), "buys", ("noise.csv",)),
    "zeros": (_bytes("zeros.csv", bytes(4096)), "buys", ("zeros.csv",)),
    "zero bytes in the text": (
        _bytes("t.csv", b"age,city,buys\n" + b"1,Bo\x00nn,yes\n2,Ulm,no\n" * 30), "buys", ("t.csv",)
    ),
    "pickle": (_bytes("table.csv", pickle.dumps({"a": [1, 2, 3]}, protocol=4)), "a", ("table.csv",)),
    "pickle named parquet": (_bytes("t.parquet", pickle.dumps({"a": [1]})), "a", ("t.parquet",)),
    "zip": (_zipped, "buys", ("zipped.csv",)),
    "csv named parquet": (_bytes("t.parquet", ROWS.encode()), "buys", ("t.parquet",)),
    "empty parquet": (_bytes("t.parquet", b""), "buys", ("t.parquet",)),
    "truncated parquet": (_cut("t.parquet", 0.7), "buys", ("t.parquet",)),
    "truncated arrow": (_cut("t.arrow", 0.5), "buys", ("t.arrow",)),
    "truncated jsonl": (_cut("t.jsonl", 0.51), "buys", ("t.jsonl",)),
    "parquet without rows": (_table("t.parquet", lambda t: t.head(0)), "buys", ("t.parquet",)),
    "parquet with lists only": (
        _table("t.parquet", lambda t: t.select(pl.concat_list("age", "height").alias("both"), "buys")),
        "buys",
        ("both",),
    ),
    "target of lists": (
        _table("t.parquet", lambda t: t.with_columns(buys=pl.concat_list("age", "height"))), "buys", ("buys",)
    ),
    "jsonl that is an array of numbers": (_bytes("t.jsonl", b"[1, 2, 3]\n"), "buys", ("t.jsonl",)),
    "jsonl bomb": (_bytes("t.jsonl", b"[" * 100_000), "buys", ("t.jsonl",)),
    "column names twice": (_csv("age,age,buys\n" + ROWS), "buys", ("age",)),
    "ragged rows": (_csv("age,city,buys\n" + ROWS + "\n1,2,3,4,5\n" + ROWS), "buys", ("42",)),
    "spreadsheet": (_bytes("t.xlsx", b"PK\x03\x04" + NOISE), "buys", ("t.xlsx",)),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("command", ["check", "train"])
def test_what_cannot_be_learnt_from_is_refused(place: Path, refuse: Refuse, what: str, command: str) -> None:
    make, target, words = REFUSED[what]
    source = make(place)
    out = ("--out", place / "run") if command == "train" else ()
    told = refuse(command, source, "--target", target, *out)
    for word in words:
        assert word in told, told


def test_json_says_the_same(place: Path, run: Run) -> None:
    import json

    ended = run("train", "people.csv", "--target", "byus", "--json")
    told = json.loads(ended.out)
    assert ended.status == 2
    assert (told["error"], told["fix"]) == ("DataError", "--target buys")
    assert not list(place.glob("runs"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(place: Path, refuse: Refuse) -> None:
    (place / "people.csv").chmod(0)
    try:
        assert "people.csv" in refuse("train", "people.csv", "--target", "buys", "--out", "run")
    finally:
        (place / "people.csv").chmod(0o600)


def _odd_names(table: pl.DataFrame) -> pl.DataFrame:
    return table.rename({"age": "<script>alert(1)</script>", "height": "größe 身長 [m]", "city": "a\"b'c;--"})


# Odd, but nothing that a person would want refused.
WORKS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "infinite and missing numbers": (
        _table("t.csv", lambda t: t.with_columns(
            age=pl.when(pl.col("age") > 55).then(float("inf")).when(pl.col("age") < 25).then(float("-inf"))
            .when(pl.col("age") < 30).then(float("nan")).otherwise("age"))),
        "buys",
    ),
    "infinite target": (
        _table("t.parquet", lambda t: t.with_columns(
            income=pl.when(pl.col("age") > 60).then(float("inf")).otherwise("income"))),
        "income",
    ),
    "numbers at the end of float": (_table("t.parquet", lambda t: t.with_columns(age=pl.col("age") * 1e306)), "buys"),
    "a column without values": (_table("t.csv", lambda t: t.with_columns(nothing=pl.lit(None, pl.String))), "buys"),
    "10,000 categories": (
        lambda folder: _table("t.csv", lambda t: people(12_000).with_columns(
            code=pl.Series([f"c{i % 10_000}" for i in range(12_000)])))(folder),
        "buys",
    ),
    "latin-1": (_bytes("t.csv", ("größe,stadt,kauft\n" + "".join(
        f"{150 + i},Köln,ja\n{180 - i},Düren,nein\n" for i in range(40))).encode("latin-1")), "kauft"),
    "utf-16": (_bytes("t.csv", people().write_csv().encode("utf-16")), "buys"),
    "one of a class": (
        _table("t.csv", lambda t: t.with_columns(
            city=pl.when(pl.int_range(pl.len()) == 3).then(pl.lit("Rom")).otherwise("city"))),
        "city",
    ),
    "names that are code": (_table("t.csv", _odd_names), "buys"),
    "a list beside numbers": (
        _table("t.parquet", lambda t: t.with_columns(both=pl.concat_list("age", "height"))), "buys"
    ),
    "mostly missing target": (
        _table("t.csv", lambda t: t.with_columns(buys=pl.when(pl.int_range(pl.len()) % 3 > 0).then("buys"))), "buys"
    ),
    "a quote that never closes": (_csv('age,city,buys\n1,2,yes\n3,"4,no\n' + ROWS), "buys"),
    "every row twice": (_table("t.csv", lambda t: pl.concat([t, t])), "buys"),
    "25 rows": (_table("t.csv", lambda t: t.head(25)), "buys"),
}  # fmt: skip


@pytest.mark.parametrize("what", WORKS)
def test_what_is_only_odd_is_learnt_from(place: Path, run: Run, what: str) -> None:
    make, target = WORKS[what]
    source = make(place)
    ended = run("train", source, "--target", target, "--out", "out", *QUICK)
    assert ended.status == 0, ended.err
    assert {"model.glass", "metrics.json", "report.html", "run.toml"} <= {path.name for path in Path("out").iterdir()}
    assert run("predict", "out", source, "-o", "p.csv").status == 0
    predicted = pl.read_csv(io.BytesIO(Path("p.csv").read_bytes()), infer_schema_length=None)
    assert predicted["prediction"].null_count() == 0
