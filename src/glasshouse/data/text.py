"""From the bytes of a text table to columns of strings."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl

from glasshouse.core.errors import DataError, SettingsError
from glasshouse.core.settings import ReadSettings
from glasshouse.data.sniff import WHITESPACE, Rows, has_header, sniff_separator, split_rows_of
from glasshouse.data.values import is_text

SAMPLE_BYTES = 1 << 17
SAMPLE_ROWS = 500
_IN_DATES = b"/:-"  # follow two digits in 01/31/2015 and 09:30, and in no number
LETTERS_AT_ONCE = 1 << 17  # so that what is made on the way stays in the cache
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "space": WHITESPACE}
_ENCODINGS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
              codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}  # fmt: skip
_CONTROL = bytes(code for code in range(1, 32) if code not in b"\t\n\f\r")

Notes = list[str]


def parse_text(name: str, data: bytes, settings: ReadSettings) -> tuple[pl.DataFrame, tuple[str, ...], ReadSettings]:
    """Takes a text table apart; every cell stays a string.

    Args:
        name: of the file, for messages.
        data: its bytes.
        settings: `auto` fields are decided by looking at the text.

    Returns:
        The table, what was noticed, and the settings with every decision written in.

    Raises:
        DataError: it is not text, is empty, has no rows, or a line has too many or too few cells.
        SettingsError: an encoding or a separator that does not exist.
    """
    notes: Notes = []
    body, encoding = _decode(name, data, settings.encoding, notes)
    sample = sample_of(body)
    rows = [] if not body[:4096].strip() and not body.strip() else split_rows_of(sample, ",")
    if not rows:
        raise DataError(
            f"{name} is empty",
            where=name,
            expected="a table with a line of column names and rows below it",
            fix="check that the file was written completely",
        )
    separator = separator_of(settings.separator, sample)
    if separator == WHITESPACE:
        body = re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+(?=\r?$)", b"", body))
        sample, cell_separator = sample_of(body), "\t"
    else:
        cell_separator = separator
    rows = split_rows_of(sample, cell_separator)[:SAMPLE_ROWS]
    header = has_header(rows) if settings.header == "auto" else settings.header == "yes"
    table = _columns(name, body, cell_separator, header=header, notes=notes)
    table = _tidy(table, body, cell_separator, notes)
    if not header:
        notes.append(f"no header: the columns are called column_1 ... column_{table.width}")
    if table.height == 0:
        raise DataError(
            f"{name} has column names but no rows",
            where=name,
            expected="at least one row below the names",
            fix="--set read.header=no if the only line is a row",
        )
    decided = msgspec.structs.replace(
        settings, header="yes" if header else "no", separator=separator, encoding=encoding
    )
    return table, tuple(notes), decided


def _decode(name: str, data: bytes, encoding: str, notes: Notes) -> tuple[bytes, str]:
    """The text as UTF-8 bytes with plain line ends."""
    if encoding == "auto":
        data, encoding = guess_encoding(name, data, notes)
    try:
        text = "" if encoding == "utf-8" and data.isascii() else data.decode(encoding)
    except LookupError as error:
        raise SettingsError(
            f'"{encoding}" is not an encoding',
            where="read.encoding",
            expected="utf-8, utf-16, latin-1, ...",
            fix="--set read.encoding=auto",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not written in {encoding}",
            where=f"{name}, byte {error.start + 1:,}",
            expected=f"{encoding} text",
            fix="--set read.encoding=auto, or the encoding it was written in",
        ) from error
    body = data if encoding == "utf-8" else text.encode()
    body = body.removeprefix(codecs.BOM_UTF8)
    if b"\r" in body and b"\n" not in body:
        body = body.replace(b"\r", b"\n")
    return body, encoding


def guess_encoding(name: str, data: bytes, notes: Notes) -> tuple[bytes, str]:
    """The encoding that the bytes are in.

    Raises:
        DataError: they are no text.
    """
    for mark, encoding in _ENCODINGS.items():
        if data.startswith(mark):
            return data, encoding
    head = data[: 1 << 20]
    control = len(head) - len(head.translate(None, _CONTROL))
    if b"\0" in head or control > len(head) / 100:
        raise DataError(
            f"{name} is not a text file",
            where=name,
            expected="csv, tsv, parquet, arrow, feather or jsonl",
            fix=_binary_fix(head),
        )
    if data.isascii():
        return data, "utf-8"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        encoding = _western(data)
        notes.append(f"the text is not UTF-8 and was read as {encoding}; --set read.encoding=... names another")
        return data, encoding
    return data, "utf-8"


def _western(data: bytes) -> str:
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"


def _binary_fix(head: bytes) -> str:
    if head.startswith(b"PK"):
        return "if it is a spreadsheet, save it as CSV"
    if head.startswith(b"\x1f\x8b"):
        return "unpack it first (gunzip)"
    return "--set read.encoding=utf-16-le if it is text in that encoding"


def sample_of(body: bytes) -> str:
    """The first lines of a text, whole."""
    head = body[:SAMPLE_BYTES]
    if len(body) > SAMPLE_BYTES and b"\n" in head:
        head = head[: head.rindex(b"\n") + 1]
    return head.decode("utf-8", errors="ignore")


def separator_of(asked: str, sample: str) -> str:
    """The separator as asked for, or as the sample has it.

    Raises:
        SettingsError: no separator that could be.
    """
    if asked == "auto":
        return sniff_separator(sample)
    separator = _NAMED.get(asked, asked)
    if separator != WHITESPACE and (len(separator) != 1 or not separator.isascii() or separator in '"\n\r'):
        raise SettingsError(
            f'"{asked}" cannot separate cells',
            where="read.separator",
            expected="one character, tab or whitespace",
            fix="--set read.separator=auto",
        )
    return separator


def _columns(name: str, body: bytes, separator: str, *, header: bool, notes: Notes) -> pl.DataFrame:
    """Every cell as a string; polars where the file is plain, the slower and stricter csv module where it is not."""
    quoted = b'"' in body
    spaced_quotes = quoted and has_spaced_quotes(body, separator)
    body = body.lstrip(b"\r\n")
    table = None if spaced_quotes else read_plain(body, separator, quoted=quoted)
    if table is None and not quoted:
        table = read_plain(re.sub(rb"\n(?:[ \t]*\r?\n)+", b"\n", body), separator, quoted=quoted)
    if table is None:
        table = _read_slowly(name, body, separator, notes)
    names = [f"column_{place + 1}" for place in range(table.width)]
    if header:
        names = [cell.strip() for cell in table.row(0)]
        table = table.slice(1)
    return put_names(name, table, names, notes)


def has_spaced_quotes(body: bytes, separator: str) -> bool:
    """Whether a blank stands between a separator and a quotation mark, which polars takes for the cell's first sign."""
    return re.search(rb"(?:^|\n|" + re.escape(separator.encode()) + rb') +"', body) is not None


def read_plain(
    body: bytes, separator: str, *, quoted: bool, types: Sequence[pl.DataType] | None = None
) -> pl.DataFrame | None:
    """None where the file is not plain: the slower reader then says what is wrong, and where.

    polars fills a short row up with empty cells, so where the last cell of any row is empty the separators are counted.

    Args:
        body: the text.
        separator: of its cells.
        quoted: whether there are quotation marks in it.
        types: of the columns, strings where they are left out; None as well where a cell is not of its type.
    """
    schema = None if types is None else {f"column_{place}": type for place, type in enumerate(types)}
    try:
        table = pl.read_csv(
            body, has_header=False, separator=separator, infer_schema=False, schema=schema, empty_string_is_null=False
        )
    except pl.exceptions.PolarsError:
        return None
    last = table.to_series(table.width - 1)
    if not last.null_count() and not (last.dtype == pl.String and (last == "").any()):
        return table
    inside = 0
    if quoted:
        words = [column.cast(pl.String) for column in table if is_text(column)]
        inside = sum(int(column.str.count_matches(separator, literal=True).sum()) for column in words)
    letters = np.frombuffer(body, dtype=np.uint8)  # which NumPy counts faster than bytes.count does
    blocks = (letters[first : first + LETTERS_AT_ONCE] for first in range(0, len(letters), LETTERS_AT_ONCE))
    signs = sum(int(np.count_nonzero(block == ord(separator))) for block in blocks)
    return table if signs == (table.width - 1) * table.height + inside else None


def has_codes(body: bytes, separator: str, *, quoted: bool) -> bool:
    """Whether a cell begins as no number is written: +7, 007, -007, or the zero -0; not 01/31/2015, which is none.

    Args:
        body: the text.
        separator: of its cells.
        quoted: whether there are quotation marks in it.
    """
    ends = (b"\n" + body[:3] + b"\n\n")[:4], body[-3:] + b"\n\n\n"
    return any(_has_codes_inside(part, separator, quoted=quoted) for part in (*ends, body))


def _has_codes_inside(body: bytes, separator: str, *, quoted: bool) -> bool:
    """The same of cells that follow another letter and are followed by two more."""
    letters, plus = np.frombuffer(body, dtype=np.uint8), b"+" in body
    in_dates = list(_IN_DATES.replace(separator.encode(), b""))
    for first in range(0, len(letters) - 3, LETTERS_AT_ONCE):
        last = min(first + LETTERS_AT_ONCE, len(letters) - 3)
        before, sign, digit, after = (letters[first + step : last + step] for step in range(4))
        begins = before == ord(separator)
        begins |= before == ord("\n")
        if quoted:
            begins |= before == ord('"')
        if plus and (begins & (sign == ord("+"))).any():
            return True
        zeros = begins & (sign == ord("0"))
        zeros &= digit - ord("0") < 10
        if zeros.any() and np.isin(after[zeros], in_dates, invert=True).any():
            return True
        begins &= sign == ord("-")
        begins &= digit == ord("0")
        begins &= after != ord(".")
        if begins.any():
            return True
    return False


def _read_slowly(name: str, body: bytes, separator: str, notes: Notes) -> pl.DataFrame:
    text = body.decode("utf-8", errors="replace")
    try:
        rows, lines = _csv_rows(text, separator)
    except csv.Error as error:
        cells = [line.split(separator) for line in text.splitlines() if line.strip()]
        if len({len(row) for row in cells}) > 1:
            raise DataError(
                f"the quotation marks of {name} do not add up: {error}",
                where=name,
                expected='"..." around a whole cell',
                fix="close the quotation, or write it twice inside a quoted cell",
            ) from error
        rows, lines = cells, list(range(1, len(cells) + 1))
        notes.append("quotation marks are read as ordinary characters")
    width = len(rows[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise DataError(
                f"line {line:,} of {name} has {len(row)} cells, the first line has {width}",
                where=f"{name}, line {line:,}",
                expected=f"{width} cells in every line",
                fix="mend that line, or --set read.separator=...",
            )
    columns = [f"column_{place + 1}" for place in range(width)]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _csv_rows(text: str, separator: str) -> tuple[Rows, list[int]]:
    """The rows that are not blank, and the line on which each ends."""
    spaced = separator != "\t"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=spaced, strict=True)
    rows, lines = [], []
    for row in reader:
        if row:
            rows.append(row)
            lines.append(reader.line_num)
    return rows, lines


def put_names(name: str, table: pl.DataFrame, names: list[str], notes: Notes) -> pl.DataFrame:
    """Puts the names on; a name that stands twice is fine where both columns say the same.

    Args:
        name: of the file, for messages.
        table: its columns, under any names.
        names: to put on, by their places; an empty one becomes column_1, column_2, ...
        notes: is told what was left out.

    Raises:
        DataError: two different columns have one name.
    """
    filled = [text or f"column_{place + 1}" for place, text in enumerate(names)]
    keep: dict[str, str] = {}
    for old, new in zip(table.columns, filled, strict=True):
        if new not in keep:
            keep[new] = old
        elif table[keep[new]].equals(table[old]):
            notes.append(f'column "{new}" stands twice with the same values; one is left out')
        else:
            raise DataError(
                f'{name} has two different columns called "{new}"',
                where=f"{name}, line 1",
                expected="a name of its own for every column",
                fix=f'call one of them "{new}_2"',
            )
    return table.select(pl.col(old).alias(new) for new, old in keep.items())


def _tidy(table: pl.DataFrame, body: bytes, separator: str, notes: Notes) -> pl.DataFrame:
    """Cells without surrounding blanks, and without the single quotes that some exports put around them."""
    if has_blank_edges(body, separator):
        table = table.with_columns(pl.all().str.strip_chars())
    return without_single_quotes(table, notes)


def without_single_quotes(table: pl.DataFrame, notes: Notes) -> pl.DataFrame:
    """The table without the single quotes that stand around every value of a column."""
    singles = [column.name for column in table if is_text(column) and _in_single_quotes(column)]
    if singles:
        notes.append(f"single quotes around the values of {', '.join(singles[:5])} are left out")
        table = table.with_columns(pl.col(singles).cast(pl.String).str.replace(r"^'(.*)'$", "$1"))
    return table


def has_blank_edges(body: bytes, separator: str) -> bool:
    """Whether a blank stands at the edge of any cell."""
    blanks = [blank for blank in (b" " if separator == "\t" else b" \t") if blank in body]
    if blanks and (body[0] in blanks or body[-1] in blanks):
        return True
    is_border = np.zeros(256, dtype=bool)
    is_border[list(b'\n\r"' + separator.encode())] = True
    letters = np.frombuffer(body, dtype=np.uint8)
    for first in range(0, len(letters), LETTERS_AT_ONCE):
        piece = letters[first : first + LETTERS_AT_ONCE + 2]  # with the letter on either side
        for blank in blanks:
            places = np.flatnonzero(piece[1:-1] == blank) + 1
            if is_border[piece[places - 1]].any() or is_border[piece[places + 1]].any():
                return True
    return False


def _in_single_quotes(column: pl.Series) -> bool:
    # The first value that is there says no for nearly every column.
    first = (column != "").arg_max()
    if first is None or not str(column[first]).startswith("'"):
        return False
    filled = column.filter(column != "").cast(pl.String)
    return bool(filled.str.contains(r"^'.*'$").all())
