"""Models that were damaged or made to harm, and tables that do not fit a model, are refused in one clear error."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from glasshouse.core.files import sha256

from .conftest import Refuse, Run, people

Entries = dict[str, bytes]


def _zip(entries: Entries, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A file with honest hashes, so that only what it holds can give it away."""
    if "manifest.json" in entries:
        manifest = json.loads(entries["manifest.json"])
        manifest["entries"] = {
            name: {"size_bytes": len(data), "sha256": sha256(data)}
            for name, data in entries.items()
            if name != "manifest.json"
        }
        entries = {**entries, "manifest.json": json.dumps(manifest).encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _config(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes, Entries], bytes]:
    def forge(whole: bytes, entries: Entries) -> bytes:
        config = json.loads(entries["config.json"])
        change(config)
        return _zip({**entries, "config.json": json.dumps(config).encode()})

    return forge


def _put(name: str, data: bytes) -> Callable[[bytes, Entries], bytes]:
    return lambda whole, entries: _zip({**entries, name: data})


def _flip(whole: bytes, entries: Entries) -> bytes:
    at = whole.index(entries["model.safetensors"][-64:]) + 17
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


def _lying_header(whole: bytes, entries: Entries) -> bytes:
    return _zip({**entries, "model.safetensors": struct.pack("<Q", 2**62) + entries["model.safetensors"][8:]})


def _not_finite(whole: bytes, entries: Entries) -> bytes:
    data = entries["model.safetensors"]
    start = 8 + struct.unpack("<Q", data[:8])[0]
    return _zip({**entries, "model.safetensors": data[:start] + b"\xff" * (len(data) - start)})


def _bomb(whole: bytes, entries: Entries) -> bytes:
    return _zip({**entries, "sections/zeros.json": bytes(30_000_000)}, zipfile.ZIP_DEFLATED)


def _terabyte(config: dict[str, Any]) -> None:
    config["spec"]["hidden"] = [600_000 for _ in config["spec"]["hidden"]]


class Harmful:
    """A pickle that would leave a file behind."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (os.mkdir, ("executed",))


MODELS: dict[str, tuple[Callable[[bytes, Entries], bytes], str]] = {
    "empty": (lambda whole, entries: b"", "empty"),
    "text": (lambda whole, entries: b"hello", "not a .glass file"),
    "cut in the middle": (lambda whole, entries: whole[: len(whole) // 2], "end of the file is missing"),
    "one byte short": (lambda whole, entries: whole[:-1], "end of the file is missing"),
    "one bit changed": (_flip, "CRC"),
    "pickle": (lambda whole, entries: pickle.dumps(Harmful()), "not a .glass file"),
    "pickle inside": (_put("model.pkl", pickle.dumps(Harmful())), "unknown entry"),
    "pickle for tensors": (_put("model.safetensors", pickle.dumps(Harmful())), "header of the tensors"),
    "pickle for config": (_put("config.json", pickle.dumps(Harmful())), "cannot be read"),
    "path that climbs": (_put("../../climbed.json", b"{}"), "unknown entry"),
    "absolute path": (_put("/tmp/climbed.json", b"{}"), "unknown entry"),
    "bomb": (_bomb, "compressed"),
    "json bomb": (_put("sections/metrics.json", b"[" * 1_000_000), "nested"),
    "json that repeats itself": (_put("config.json", b'{"schema": 1, "schema": 2}'), "twice"),
    "tensor header that lies": (_lying_header, "header of the tensors claims"),
    "weights that are no numbers": (_not_finite, "not a finite number"),
    "network of a terabyte": (_config(_terabyte), "parameters"),
    "ensemble weights that do not add up": (_config(lambda c: c.update(weights=[9.0] * len(c["weights"]))), "sum to"),
    "another activation": (_config(lambda c: c["spec"].update(activation="__import__('os')")), "activation"),
    "from the future": (
        lambda whole, entries: _zip(
            {**entries, "manifest.json": json.dumps({**json.loads(entries["manifest.json"]), "format": 99}).encode()}
        ),
        "pip install --upgrade glasshouse",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MODELS)
@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_a_bad_model_is_refused(trained: Path, place: Path, refuse: Refuse, what: str, command: str) -> None:
    forge, words = MODELS[what]
    whole = (trained / "model.glass").read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (place / "bad.glass").write_bytes(forge(whole, entries))
    output = ("-o", "p.csv") if command == "predict" else ()
    told = refuse(command, "bad.glass", "people.csv", *output)
    assert words in told
    assert "bad.glass" in told
    assert not (place / "executed").exists()


@pytest.mark.parametrize(
    ("model", "words"),
    [("nowhere.glass", "there is no file"), (".", "is a folder without a model"), ("people.csv", "not a .glass file"),
     ("loop.glass", "loop.glass"), ("a" * 3000, "fix:")],
)  # fmt: skip
def test_what_is_no_model_is_refused(place: Path, refuse: Refuse, model: str, words: str) -> None:
    (place / "loop.glass").symlink_to(place / "loop.glass")
    assert words in refuse("predict", model, "people.csv", "-o", "p.csv")


def test_an_unchanged_model_predicts(trained: Path, place: Path, run: Run) -> None:
    """What is refused above is refused for its fault alone."""
    assert run("predict", trained, "people.csv", "-o", "p.csv").status == 0
    shutil.copy(trained / "model.glass", place / "copy.glass")
    assert run("predict", "copy.glass", "people.csv", "-o", "q.csv").status == 0
    assert (place / "p.csv").read_bytes() == (place / "q.csv").read_bytes()


# --- tables that do not fit the model -------------------------------------------------------------------------------


def _write(place: Path, table: pl.DataFrame) -> str:
    table.write_csv(place / "rows.csv")
    return "rows.csv"


def test_a_missing_column_is_named(trained: Path, place: Path, refuse: Refuse) -> None:
    assert "height" in refuse("predict", trained, _write(place, people().drop("height")), "-o", "p.csv")
    told = refuse("predict", trained, _write(place, people().rename({"height": "heigth"})), "-o", "p.csv")
    assert "height" in told
    assert "heigth" in told


def test_words_where_numbers_were(trained: Path, place: Path, refuse: Refuse) -> None:
    table = people().with_columns(height=pl.lit("tall"))
    assert "tall" in refuse("predict", trained, _write(place, table), "-o", "p.csv")


@pytest.mark.parametrize("table", [b"", b"age,height,city,income\n", b"\x00" * 100])
def test_an_empty_table(trained: Path, place: Path, refuse: Refuse, table: bytes) -> None:
    (place / "rows.csv").write_bytes(table)
    assert "rows.csv" in refuse("predict", trained, "rows.csv", "-o", "p.csv")
    assert "rows.csv" in refuse("evaluate", trained, "rows.csv")


def test_evaluation_needs_the_target(trained: Path, place: Path, refuse: Refuse) -> None:
    assert "buys" in refuse("evaluate", trained, _write(place, people().drop("buys")))
    unknown = people().with_columns(buys=pl.lit("perhaps"))
    assert "perhaps" in refuse("evaluate", trained, _write(place, unknown))
    nothing = people().with_columns(buys=pl.lit(None, pl.String))
    assert "buys" in refuse("evaluate", trained, _write(place, nothing))
    assert "citty" in refuse("evaluate", trained, "people.csv", "--by", "citty")


def test_extra_columns_and_one_row_are_no_fault(trained: Path, place: Path, run: Run) -> None:
    table = people().head(1).with_columns(more=pl.lit("x"))
    assert run("predict", trained, _write(place, table), "-o", "p.csv", "--interval", "0.9").status == 0
    assert len(pl.read_csv(place / "p.csv")) == 1


# --- places that cannot be written to -------------------------------------------------------------------------------


def test_places_for_predictions(trained: Path, place: Path, refuse: Refuse) -> None:
    (place / "folder.csv").mkdir()
    (place / "file").write_text("precious")
    for output in ("folder.csv", "nowhere/p.csv", "file/p.csv", "p.exe", "p", "x" * 300 + ".csv"):
        told = refuse("predict", trained, "people.csv", "-o", output)
        assert "fix:" in told
    for interval in ("0", "1", "90", "-0.1", "nan", "high"):
        assert "interval" in refuse("predict", trained, "people.csv", "-o", "p.csv", "--interval", interval)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(trained: Path, place: Path, refuse: Refuse) -> None:
    (place / "locked").mkdir(mode=0o500)
    assert "locked" in refuse("predict", trained, "people.csv", "-o", "locked/p.csv")


# --- run folders that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("reproduce",), ("report",), ("compare", "also-none")])
def test_what_is_no_run_is_refused(place: Path, refuse: Refuse, command: tuple[str, ...]) -> None:
    (place / "none").mkdir()
    (place / "also-none").mkdir()
    for folder in ("none", "nowhere", "people.csv"):
        assert folder in refuse(command[0], folder, *command[1:])


@pytest.mark.parametrize(
    ("command", "name"),
    [("compare", "metrics.json"), ("report", "metrics.json"), ("report", "history.jsonl"), ("reproduce", "run.toml")],
)
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[[[[", b'{"a": 1}', b"x = ["])
def test_a_spoilt_run_is_refused(
    trained: Path, place: Path, refuse: Refuse, command: str, name: str, content: bytes
) -> None:
    if name == "history.jsonl" and not content:
        pytest.skip("a run without events has a report without curves")
    shutil.copytree(trained, place / "spoilt")
    (place / "spoilt" / name).write_bytes(content)
    more = (trained,) if command == "compare" else ()
    assert name in refuse(command, "spoilt", *more)
