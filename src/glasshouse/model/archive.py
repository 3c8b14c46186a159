"""The container of a `.glass` file: a zip of stored entries, written bit for bit alike and read with suspicion.

Nothing is ever unpacked to disk and nothing is compressed, so an entry can neither land in another folder nor be larger
than the file that holds it.
"""

from __future__ import annotations

import difflib
import io
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from glasshouse.core.errors import ModelFileError
from glasshouse.core.files import sha256, write_atomically
from glasshouse.core.records import Record
from glasshouse.model import strict_json

FORMAT = 1  # rises when an older reader could not read the file
MANIFEST = "manifest.json"
CONFIG = "config.json"
TENSORS = "model.safetensors"
SECTION = re.compile(r"sections/([a-z][a-z0-9_]{0,63})\.json")

MOST_ENTRIES = 64
MOST_FILE_BYTES = 10 * 2**30
MOST_JSON_BYTES = 32 * 2**20
MOST_DIRECTORY_BYTES = 64 * 2**10
AGAIN = "copy the file again from where it came, or train the model again"

_END = b"PK\x05\x06"
_END_BYTES = 22
_LOCATOR = b"PK\x06\x07"
_LOCATOR_BYTES = 20
_ZIP64_FROM = 2**31 - 1
_DATE = (1980, 1, 1, 0, 0, 0)
_BAD_ZIP = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, OverflowError)


class EntryRecord(Record, frozen=True):
    """Size and hash of one entry."""

    size_bytes: int
    sha256: str


class FileManifest(Record, frozen=True):
    """`manifest.json` of a `.glass` file: which format, written by what, and every other entry's hash."""

    format: int
    glasshouse: str
    entries: dict[str, EntryRecord]


def broken(problem: str, where: str, expected: str = "", fix: str = AGAIN) -> ModelFileError:
    """The error of this room, with the advice that nearly always holds."""
    return ModelFileError(problem, where=where, expected=expected, fix=fix)


def write_archive(path: Path, entries: Mapping[str, bytes], version: str) -> None:
    """Writes entries and their manifest as one file, whole or not at all; the same entries give the same bytes.

    Args:
        path: where the file will be.
        entries: content by name, without the manifest.
        version: of glasshouse, for the manifest.

    Raises:
        ModelFileError: an entry could not be read back, or the file cannot be written.
    """
    listed = {name: EntryRecord(size_bytes=len(data), sha256=sha256(data)) for name, data in entries.items()}
    manifest = FileManifest(format=FORMAT, glasshouse=version, entries=listed)
    whole = {**entries, MANIFEST: strict_json.encode(manifest)}
    for name, data in whole.items():
        _check_name(name, str(path))
        _check_size(name, len(data), str(path))
    _check_count(len(whole), str(path))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(whole):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3  # else it would be the writing machine's
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, whole[name])
    try:
        write_atomically(path, buffer.getvalue())
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def read_archive(path: Path) -> dict[str, bytes]:
    """Reads a file's entries, each as large as it says and with the hash that the manifest gives.

    A hash detects damage. It is no trust in the author: whoever changes an entry can change its hash with it, so
    every entry is checked again for what it holds.

    Returns:
        Content by name, without the manifest.

    Raises:
        ModelFileError: the file is not there, not a `.glass` file, damaged, too new, or made to harm.
    """
    source = str(path)
    try:
        if not path.is_file():
            raise _not_a_file(path)
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            _check_container(file, size, source)
            contents = _read_entries(file, size, source)
    except _BAD_ZIP as error:
        if isinstance(error, ModelFileError):
            raise
        raise broken(f"the file cannot be read: {error}", source, "a whole .glass file") from error
    _check_manifest(contents, source)
    return {name: data for name, data in contents.items() if name != MANIFEST}


def _not_a_file(path: Path) -> ModelFileError:
    if path.is_dir():
        return broken(f"{path} is a folder without a model", str(path), "a .glass file or a run folder",
                      "name the .glass file, or train into this folder first")  # fmt: skip
    if path.exists():
        return broken(f"{path} is not a regular file", str(path), "a .glass file or a run folder", "name a .glass file")
    folder = path.parent if path.parent.is_dir() else Path()
    names = difflib.get_close_matches(path.name, [entry.name for entry in folder.iterdir()], n=1)
    fix = f"perhaps {folder / names[0]} was meant" if names else "check the path; `glasshouse train` makes such a file"
    return broken(f"there is no file {path}", str(path), "a .glass file or a run folder", fix)


def _cannot_write(path: Path, error: Exception) -> ModelFileError:
    if isinstance(error, IsADirectoryError):
        return broken("the path is a folder", str(path), "the name of a file", f"save to {path / 'model.glass'}")
    if isinstance(error, FileNotFoundError):
        return broken(f"the folder {path.parent} does not exist", str(path), "an existing folder",
                      f"mkdir -p '{path.parent}'")  # fmt: skip
    return broken(f"the file cannot be written: {error}", str(path), "a folder that can be written to, and room on it",
                  "choose another folder")  # fmt: skip


def _check_container(file: BinaryIO, size: int, source: str) -> None:
    """Looks at both ends of the file before a zip reader believes them."""
    expected = "a zip file made by `glasshouse train` or `model.save`"
    if size == 0:
        raise broken("the file is empty", source, expected)
    if size > MOST_FILE_BYTES:
        raise broken(f"the file has {size:,} bytes", source, f"at most {MOST_FILE_BYTES:,} bytes")
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        raise broken("this is not a .glass file", source, expected, "name a file that ends in .glass")
    tail_bytes = min(size, _END_BYTES + _LOCATOR_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    end = tail[-_END_BYTES:]
    if not end.startswith(_END):
        raise broken("the end of the file is missing", source, "a whole .glass file")
    _check_count(int.from_bytes(end[10:12], "little"), source)
    directory_bytes = int.from_bytes(end[12:16], "little")
    if directory_bytes > MOST_DIRECTORY_BYTES:
        raise broken(f"the table of contents has {directory_bytes:,} bytes", source, "a short one")
    # A second, 64-bit table of contents would overrule the one just checked; small files have no need of it.
    if tail.startswith(_LOCATOR) and size < _ZIP64_FROM:
        raise broken("the file has two tables of contents", source, "one")


def _read_entries(file: BinaryIO, size: int, source: str) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        _check_count(len(infos), source)
        for info in infos:
            _check_entry(info, source)
        if sum(info.file_size for info in infos) > size:
            raise broken("the entries claim to be larger than the file", source, "entries as large as they are")
        for info in infos:
            if info.filename in contents:
                raise broken(f'the entry "{info.filename}" is there twice', f"{source}, {info.filename}", "once")
            with archive.open(info) as entry:
                data = entry.read(info.file_size + 1)
            if len(data) != info.file_size:
                raise broken(f"the entry has {len(data):,} bytes", f"{source}, {info.filename}", f"{info.file_size:,}")
            contents[info.filename] = data
    return contents


def _check_entry(info: zipfile.ZipInfo, source: str) -> None:
    _check_name(info.orig_filename, source)
    where = f"{source}, {info.filename}"
    if info.flag_bits & 0x1:
        raise broken("the entry is encrypted", where, "an entry that anyone can read")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise broken("the entry is compressed", where, "a stored entry: no .glass file holds compressed ones")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise broken("the entry is a link or a device", where, "a plain entry")
    _check_size(info.filename, info.file_size, source)


def _check_name(name: str, source: str) -> None:
    if name not in (MANIFEST, CONFIG, TENSORS) and not SECTION.fullmatch(name):
        raise broken(f"unknown entry {name[:80]!r}", source, f"{MANIFEST}, {CONFIG}, {TENSORS} and sections/NAME.json")


def _check_size(name: str, size: int, source: str) -> None:
    if name != TENSORS and size > MOST_JSON_BYTES:
        raise broken(f"the entry has {size:,} bytes", f"{source}, {name}", f"at most {MOST_JSON_BYTES:,} bytes")


def _check_count(count: int, source: str) -> None:
    if count > MOST_ENTRIES:
        raise broken(f"the file has {count:,} entries", source, f"at most {MOST_ENTRIES}")


def _check_manifest(contents: Mapping[str, bytes], source: str) -> None:
    for name in (MANIFEST, CONFIG, TENSORS):
        if name not in contents:
            raise broken(f'the entry "{name}" is missing', source, f"{MANIFEST}, {CONFIG} and {TENSORS}")
    where = f"{source}, {MANIFEST}"
    try:
        raw = strict_json.decode(contents[MANIFEST])
        version = raw.get("format") if isinstance(raw, dict) else None
        # Asked first, and of the bare JSON: a newer format may well have fields that this one does not know.
        if isinstance(version, int) and version > FORMAT:
            raise broken(f"the file has format {version}", where, f"format {FORMAT} or older",
                         "pip install --upgrade glasshouse")  # fmt: skip
        manifest = strict_json.decode_as(contents[MANIFEST], FileManifest)
    except ValueError as error:
        if isinstance(error, ModelFileError):
            raise
        raise broken(f"the manifest cannot be read: {error}", where, "a manifest that glasshouse wrote") from error
    if manifest.format != FORMAT:
        raise broken(f"the file has format {manifest.format}", where, f"format {FORMAT}")
    if set(manifest.entries) != set(contents) - {MANIFEST}:
        odd = sorted(set(manifest.entries) ^ (set(contents) - {MANIFEST}))[0]
        raise broken(f"manifest and content disagree on {odd[:80]!r}", where, "every entry listed, and no other")
    for name, record in manifest.entries.items():
        found = EntryRecord(size_bytes=len(contents[name]), sha256=sha256(contents[name]))
        if found != record:
            raise broken("the entry is damaged: it is not the one that was written", f"{source}, {name}",
                         f"{record.size_bytes:,} bytes with SHA-256 {record.sha256[:16]}...")  # fmt: skip
