"""The container is written bit for bit alike, and a lying one is refused with a reason and a way out."""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from glasshouse.core.errors import ModelFileError
from glasshouse.model.archive import CONFIG, MANIFEST, TENSORS, read_archive, write_archive

ENTRIES = {CONFIG: b"{}", TENSORS: b"12345678", "sections/metrics.json": b"[1]"}


@pytest.fixture
def box(tmp_path: Path) -> Path:
    path = tmp_path / "box.glass"
    write_archive(path, ENTRIES, "0.1.0")
    return path


def refused(path: Path) -> ModelFileError:
    """The error of reading a file; it must name the file and say what to do."""
    with pytest.raises(ModelFileError) as caught:
        read_archive(path)
    assert str(path) in caught.value.where
    assert caught.value.fix
    assert caught.value.expected
    return caught.value


def test_entries_come_back_and_the_order_of_writing_does_not_show(box: Path, tmp_path: Path) -> None:
    assert read_archive(box) == ENTRIES
    other = tmp_path / "other.glass"
    write_archive(other, dict(reversed(ENTRIES.items())), "0.1.0")
    assert other.read_bytes() == box.read_bytes()
    with zipfile.ZipFile(box) as archive:
        assert archive.testzip() is None  # an ordinary zip for everybody else
        assert archive.namelist() == sorted(archive.namelist())
        assert json.loads(archive.read(MANIFEST))["format"] == 1


def test_every_truncation_is_refused(box: Path, tmp_path: Path) -> None:
    whole = box.read_bytes()
    short = tmp_path / "short.glass"
    for length in range(len(whole)):
        short.write_bytes(whole[:length])
        refused(short)


def test_no_flipped_bit_changes_what_is_read(box: Path, tmp_path: Path) -> None:
    """Every byte once: either refused, or it was one that says nothing about the content (a date, a mode)."""
    whole = box.read_bytes()
    flipped = tmp_path / "flipped.glass"
    num_refused = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x41
        flipped.write_bytes(damaged)
        try:
            assert read_archive(flipped) == ENTRIES
        except ModelFileError:
            num_refused += 1
    assert num_refused > len(whole) * 0.7


def test_wrong_hash_names_the_entry_and_what_to_do(box: Path, forge) -> None:
    error = refused(replace(forge.of(box).put(CONFIG, b"[]"), rehash=False).write(box))
    assert error.problem == "the entry is damaged: it is not the one that was written"
    assert error.where == f"{box}, {CONFIG}"
    assert error.fix == "copy the file again from where it came, or train the model again"


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/passwd", "sections/../config.json", "sections/A.json", "model.pkl", "sections/x.py",
             "C:\\evil.json", "sections/", "sections/inner.glass", "sections/" + "a" * 65 + ".json"]
)  # fmt: skip
def test_unknown_names_are_refused(box: Path, forge, name: str) -> None:
    assert "unknown entry" in refused(forge.of(box).put(name, b"{}").write(box)).problem
    assert not (box.parent.parent / "evil.json").exists()


def test_an_entry_that_is_there_twice_is_refused(box: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(box, "a") as archive:
        archive.writestr(CONFIG, b"{}")
    assert "twice" in refused(box).problem


@pytest.mark.parametrize("name", [MANIFEST, CONFIG, TENSORS])
def test_a_missing_entry_is_named(box: Path, forge, name: str) -> None:
    assert refused(forge.of(box).drop(name).write(box)).problem == f'the entry "{name}" is missing'


def test_manifest_and_content_must_agree(box: Path, forge) -> None:
    whole = forge.of(box)
    unlisted = replace(whole.put("sections/more.json", b"{}"), rehash=False)
    assert "'sections/more.json'" in refused(unlisted.write(box)).problem
    listed = replace(whole.drop("sections/metrics.json"), rehash=False)
    assert "'sections/metrics.json'" in refused(listed.write(box)).problem


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(box: Path, forge, mode: int) -> None:
    error = refused(replace(forge.of(box), modes={CONFIG: mode | 0o777}).write(box))
    assert error.problem == "the entry is a link or a device"


def test_compressed_entries_are_refused_so_there_is_no_bomb(box: Path, forge) -> None:
    bomb = replace(forge.of(box).put("sections/metrics.json", b" " * 30_000_000), compression=zipfile.ZIP_DEFLATED)
    assert "compressed" in refused(bomb.write(box)).problem
    assert box.stat().st_size < 50_000


@pytest.mark.parametrize(
    ("name", "problem"), [(CONFIG, "has 3,000,000,000 bytes"), (TENSORS, "claim to be larger than the file")]
)
def test_a_size_that_lies_is_refused(box: Path, name: str, problem: str) -> None:
    """The table of contents claims 3 GB for an entry of a few bytes."""
    data = bytearray(box.read_bytes())
    at = data.index(name.encode(), data.index(b"PK\x01\x02")) - 46
    data[at + 20 : at + 28] = struct.pack("<II", 3 * 10**9, 3 * 10**9)
    box.write_bytes(data)
    assert problem in refused(box).problem


def test_entries_that_share_their_bytes_are_refused(box: Path) -> None:
    """Overlapping entries make a small file large (Fifield's bomb); here the config points at the tensors' bytes."""
    data = bytearray(box.read_bytes())
    config = data.index(b"PK\x01\x02")
    tensors = data.index(TENSORS.encode(), config) - 46
    data[config + 42 : config + 46] = data[tensors + 42 : tensors + 46]
    box.write_bytes(data)
    refused(box)


def test_encrypted_entries_are_refused(box: Path) -> None:
    data = bytearray(box.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 0x1
    box.write_bytes(data)
    assert refused(box).problem == "the entry is encrypted"


def test_too_many_entries_are_refused_before_they_are_listed(box: Path, forge) -> None:
    whole = forge.of(box)
    for number in range(70):
        whole = whole.put(f"sections/s{number}.json", b"1")
    assert refused(whole.write(box)).problem == "the file has 74 entries"


def test_a_second_table_of_contents_is_refused(box: Path) -> None:
    data = box.read_bytes()
    end = data.index(b"PK\x05\x06")
    box.write_bytes(data[:end] + b"PK\x06\x07" + bytes(16) + data[end:])
    assert refused(box).problem == "the file has two tables of contents"


def test_a_huge_table_of_contents_is_refused(box: Path) -> None:
    data = bytearray(box.read_bytes())
    end = data.index(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", 2**30)
    box.write_bytes(data)
    assert "table of contents has 1,073,741,824 bytes" in refused(box).problem


def test_a_newer_format_says_how_to_read_it(box: Path, forge) -> None:
    def newer(manifest: dict) -> None:
        manifest.update(format=2, invented_later=True)

    error = refused(forge.of(box).edit(MANIFEST, newer).write(box))
    assert error.problem == "the file has format 2"
    assert error.fix == "pip install --upgrade glasshouse"


@pytest.mark.parametrize("value", [0, -1, True, "1", None, 1.0])
def test_a_format_that_never_was_is_refused(box: Path, forge, value: object) -> None:
    refused(forge.of(box).edit(MANIFEST, lambda manifest: manifest.update(format=value)).write(box))


@pytest.mark.parametrize("text", [b"[]", b"{}", b"null", b"\xff", b"[" * 10_000, b'{"format": 1, "format": 1}'])
def test_a_manifest_that_is_none_is_refused(box: Path, forge, text: bytes) -> None:
    assert "manifest" in refused(replace(forge.of(box), rehash=False).put(MANIFEST, text).write(box)).where


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"PK\x05\x06" + bytes(18), b"\x80\x04\x95\x00cos\nsystem\n", b"PK\x03\x04" + bytes(100)]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "renamed.glass"
    path.write_bytes(content)
    refused(path)


def test_a_missing_file_names_the_nearest(box: Path) -> None:
    error = refused(box.parent / "bxo.glass")
    assert error.problem == f"there is no file {box.parent / 'bxo.glass'}"
    assert error.fix == f"perhaps {box} was meant"
    assert "glasshouse train" in refused(box.parent / "nowhere" / "completely.else").fix


def test_folders_and_pipes_are_no_model(tmp_path: Path) -> None:
    assert "is a folder without a model" in refused(tmp_path).problem
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(tmp_path / "pipe").problem


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop.glass"
    loop.symlink_to(loop)
    refused(loop)


def test_a_file_in_the_way_leaves_the_old_model_whole(box: Path, tmp_path: Path) -> None:
    before = box.read_bytes()
    for bad, problem in [
        (box / "inside.glass", "cannot be written"),
        (tmp_path / "nowhere" / "x.glass", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / ("n" * 300), "cannot be written"),
    ]:
        with pytest.raises(ModelFileError) as caught:
            write_archive(bad, ENTRIES, "0.1.0")
        assert problem in caught.value.problem
        assert caught.value.fix
    assert [entry.name for entry in tmp_path.iterdir()] == ["box.glass"]
    assert box.read_bytes() == before


def test_nothing_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.glass"
    for entries in ({**ENTRIES, "model.pkl": b""}, {**ENTRIES, CONFIG: b" " * (32 * 2**20 + 1)}):
        with pytest.raises(ModelFileError):
            write_archive(path, entries, "0.1.0")
    with pytest.raises(ModelFileError, match="73 entries"):
        write_archive(path, {f"sections/s{number}.json": b"1" for number in range(72)}, "0.1.0")
    assert not path.exists()
