"""A large text table, read piece by piece: never the whole file in memory, and columns that repeat as codes.

Only plain files are read so: anything else, wrong or merely unusual, is left to `glasshouse.data.text`, which takes the
whole file, gives the same cells, and says what is wrong with them and where.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import msgspec
import polars as pl
import polars.selectors as cs

from glasshouse.core.errors import GlasshouseError
from glasshouse.core.files import sha256_file
from glasshouse.core.settings import ReadSettings
from glasshouse.data.coded import Again, Gathering, any_whole
from glasshouse.data.frame import MANY_ROWS, side_by_side
from glasshouse.data.sniff import WHITESPACE, has_header, split_rows_of
from glasshouse.data.text import (
    SAMPLE_BYTES,
    SAMPLE_ROWS,
    guess_encoding,
    has_blank_edges,
    has_codes,
    has_spaced_quotes,
    read_plain,
    sample_of,
    separator_of,
    without_single_quotes,
)

LARGE = 1 << 24  # bytes; smaller files are read in one go, and stay strings
PIECE = 1 << 23  # bytes: little memory, and still some ten thousand rows for one call of polars
LINE = 1 << 16  # bytes that hold nearly every line: where one ends is looked for in so many
_AHEAD = 2
_BLANK_LINE = (b"\n\n", b"\n\r\n")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\r", b"\n")

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


class Text(NamedTuple):
    """What a text file held."""

    table: pl.DataFrame
    notes: tuple[str, ...]
    settings: ReadSettings
    size: int
    sha256: str


class _Shape(NamedTuple):
    """How every piece is taken apart."""

    separator: str
    width: int
    strip: bool


class _Spaced(Exception):
    """There are blanks around cells after all: begin again, and take them off."""


class _Spoilt(Exception):
    """Columns that were kept as numbers hold something else after all: begin again, and keep them as text."""

    def __init__(self, places: frozenset[int]) -> None:
        """`places` are those of the columns."""
        super().__init__(places)
        self.places = places


class _Unusual(Exception):
    """Not a file that can be read in pieces."""


def read_in_pieces(path: Path, settings: ReadSettings) -> Text | None:
    """A large, plain text table, or None for one that is small, unusual or wrong.

    Args:
        path: of the file.
        settings: `auto` fields are decided by looking at the first lines.
    """
    try:
        if path.stat().st_size < LARGE:
            return None
        # A decimal comma or a code for "missing" may make something else of what looks like a number.
        plain, words, strip = settings.decimal != "," and not settings.missing, frozenset[int](), False
        while True:
            try:
                return _read(path, settings, plain=plain, words=words, strip=strip)
            except _Spaced:
                strip = True
            except _Spoilt as found:
                plain, words = not words, found.places  # the second time no column is trusted any more
    except (_Unusual, GlasshouseError, OSError, ValueError):
        return None  # whoever reads the whole file says what is the matter


def _read(path: Path, settings: ReadSettings, *, plain: bool, words: frozenset[int], strip: bool) -> Text:
    """The table; `plain` columns may be kept as numbers and times, but not those at the places of `words`."""
    with path.open("rb") as file:
        head = file.read(max(1 << 20, SAMPLE_BYTES + 1))
    notes: list[str] = []
    encoding = guess_encoding(path.name, head.rpartition(b"\n")[0], notes)[1] if settings.encoding == "auto" else ""
    if (encoding or settings.encoding) != "utf-8" or notes or head.startswith(_MARKS) or b"\n" not in head:
        raise _Unusual
    sample = sample_of(head)
    separator = separator_of(settings.separator, sample)
    rows = split_rows_of(sample, separator)[:SAMPLE_ROWS]
    if separator == WHITESPACE or not rows or len(rows[0]) < 2:
        raise _Unusual
    header = has_header(rows) if settings.header == "auto" else settings.header == "yes"
    shape = _Shape(separator, len(rows[0]), strip)
    columns = [Gathering(plain=plain and place not in words) for place in range(shape.width)]
    names, first = [], header
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(sha256_file, path)  # the file is in the system's cache, and this leaves Python's lock
        todo = ((piece, [column.type for column in columns]) for piece in _whole_lines(path))
        for table, again in _ahead(partial(_parsed, shape=shape), todo):
            if first:
                names = [cell.strip() for cell in table.row(0)]
                table, first = table.slice(1), False
            pairs = zip(columns, table.iter_columns(), strict=True)
            side_by_side(partial(_add, again=again), pairs, MANY_ROWS, lambda pair: pair[0].cost)
            if spoilt := frozenset(place for place, column in enumerate(columns) if column.spoilt):
                raise _Spoilt(spoilt)
    names = [name or f"column_{place + 1}" for place, name in enumerate(names or [""] * len(columns))]
    if len(set(names)) < len(names):
        raise _Unusual
    whole = side_by_side(lambda pair: pair[0].column(pair[1]), zip(columns, names, strict=True), MANY_ROWS)
    table = pl.DataFrame(whole)
    table = without_single_quotes(table, notes)
    if not header:
        notes.append(f"no header: the columns are called column_1 ... column_{table.width}")
    decided = msgspec.structs.replace(settings, header="yes" if header else "no", separator=separator, encoding="utf-8")
    return Text(table, tuple(notes), decided, path.stat().st_size, digest.result())


def _add(pair: tuple[Gathering, pl.Series], again: Again) -> None:
    gathering, cells = pair
    gathering.add(cells, again)


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The file in pieces that end where a line does; blank lines at its end are left out, others are unusual."""
    size, start, piece = path.stat().st_size, 0, b""
    with path.open("rb") as file:
        while start < size:
            end = _line_end(file, start, size)
            if piece.endswith(_BLANK_LINE):
                raise _Unusual
            if piece:
                yield piece
            file.seek(start)
            piece, start = file.read(end - start), end
    yield piece.rstrip(b"\r\n") + b"\n" if piece.endswith(_BLANK_LINE) else piece


def _line_end(file: BinaryIO, start: int, size: int) -> int:
    """Where the last line ends that fits into a piece; found first, so that nothing is read that must be moved."""
    end = start + PIECE
    while end < size:
        begin = max(start, end - LINE)
        file.seek(begin)
        if length := file.read(end - begin).rfind(b"\n") + 1:
            return begin + length
        end += LINE
    return size


def _parsed(piece_and_types: tuple[bytes, list[pl.DataType | None]], shape: _Shape) -> tuple[pl.DataFrame, Again]:
    """The cells of a piece, read as what its columns held before where they can be, and why they could not."""
    piece, types = piece_and_types
    # A blank line, or a quotation that runs on from one piece to the next, is for those who see the whole file.
    if piece.startswith((b"\n", b"\r")):
        raise _Unusual
    if not piece.isascii():
        piece.decode("utf-8")
    quoted = b'"' in piece
    if quoted and (piece.count(b'"') % 2 or has_spaced_quotes(piece, shape.separator)):
        raise _Unusual
    if not shape.strip and has_blank_edges(piece, shape.separator):
        raise _Spaced
    again: Again = ""
    if any(types) and not shape.strip:
        found, again = _typed(piece, types, shape, quoted=quoted)
        if found is not None:
            return found, again
    table = read_plain(piece, shape.separator, quoted=quoted)
    if table is None or table.width != shape.width:
        raise _Unusual
    return table.with_columns(pl.all().str.strip_chars()) if shape.strip else table, again


def _typed(
    piece: bytes, types: list[pl.DataType | None], shape: _Shape, *, quoted: bool
) -> tuple[pl.DataFrame | None, Again]:
    """The cells of a piece as what its columns held before; or why any cell is, or may be, something else."""
    table = read_plain(piece, shape.separator, quoted=quoted, types=[type or pl.String() for type in types])
    if table is None:
        return None, "type"
    if not all(column.all() for column in table.select(cs.float().is_finite().all())):
        return None, "type"
    numbers = [column for column in table if column.dtype.is_numeric()]
    if any(map(any_whole, numbers)) and has_codes(piece, shape.separator, quoted=quoted):
        return None, "codes"  # of which one might have become a whole number
    return table, ""


def _ahead(function: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made]:
    """What a function makes of each item, in order; the next ones are made meanwhile."""
    waiting: deque[Future[_Made]] = deque()
    with ThreadPoolExecutor(_AHEAD) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
