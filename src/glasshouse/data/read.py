"""The door: any table, from a path, a bundled example or memory, becomes a Frame."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from glasshouse.core.errors import DataError, nearest, one_of
from glasshouse.core.files import sha256
from glasshouse.core.records import SourceRecord
from glasshouse.core.settings import ReadSettings
from glasshouse.data.frame import READ, Frame
from glasshouse.data.memory import from_memory
from glasshouse.data.pieces import read_in_pieces
from glasshouse.data.text import parse_text

EXAMPLE = "example:"
_JSON_LINES = (".jsonl", ".ndjson")
_ARROW = (".arrow", ".feather", ".ipc")
_TYPED = (".parquet", ".json", *_JSON_LINES, *_ARROW)


def read(source: object, settings: ReadSettings = READ) -> Frame:
    """Reads a table as it is; kinds and missing values are decided later, by `infer_schema`.

    Args:
        source: a path (csv, tsv, txt, data, parquet, arrow, feather, ipc, jsonl, ndjson, json), "example:NAME", a
        polars,
            pandas or arrow table, a two-dimensional NumPy array, a mapping of columns, or a list of rows.
        settings: how a text file is taken apart; `auto` looks at the file.

    Raises:
        DataError: there is no such file, or it holds no table.
        SettingsError: a setting that cannot be followed.

    Example:
        >>> read({"age": [31, 40], "sex": ["f", "m"]}).table.columns
        ['age', 'sex']
    """
    if isinstance(source, Frame):
        return source
    if isinstance(source, str) and source.startswith(EXAMPLE):
        from glasshouse.data.examples import load_example

        return load_example(source.removeprefix(EXAMPLE))
    if isinstance(source, (str, Path)):
        return _read_path(Path(source), settings)
    return from_memory(source, settings)


def _read_path(path: Path, settings: ReadSettings) -> Frame:
    name, suffix = path.name, path.suffix.lower()
    text = read_in_pieces(path, settings) if suffix not in _TYPED else None
    if text is not None:
        rows, columns = text.table.shape
        record = SourceRecord(name=name, rows=rows, columns=columns, size_bytes=text.size, sha256=text.sha256)
        return Frame(table=text.table, source=record, notes=text.notes, settings=text.settings, written=True)
    data = _bytes(path)
    if not data:
        raise DataError(
            f"{name} is empty",
            where=str(path),
            expected="a table with a line of column names and rows below it",
            fix="check that the file was written completely",
        )
    notes: tuple[str, ...] = ()
    if data.startswith(b"PAR1") or suffix == ".parquet":
        table = _binary(path, data, "parquet")
    elif data.startswith((b"ARROW1", b"\xff\xff\xff\xff")) or suffix in _ARROW:
        table = _binary(path, data, "arrow")
    elif suffix in _JSON_LINES or suffix == ".json":
        table = _json(path, data, lines=suffix in _JSON_LINES)
    else:
        table, notes, settings = parse_text(name, data, settings)
    if table.height == 0 or table.width == 0:
        raise DataError(
            f"{name} has no rows", where=str(path), expected="at least one row", fix="check how the file was written"
        )
    record = SourceRecord(name=name, rows=table.height, columns=table.width, size_bytes=len(data), sha256=sha256(data))
    return Frame(table=table, source=record, notes=notes, settings=settings)


def _bytes(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise DataError(
                f"{path} is a folder", where="SOURCE", expected="a file that holds a table", fix=_file_in(path)
            )
        return path.read_bytes()
    except DataError:  # ours, and a ValueError too
        raise
    except FileNotFoundError as error:
        raise _not_there(path) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(
            f"{str(path)!r} cannot be read: {reason}",
            where="SOURCE",
            expected="a file that you may read",
            fix="check the path and its permissions",
        ) from error


def _file_in(folder: Path) -> str:
    tables = (".csv", ".tsv", ".parquet", *_ARROW, *_JSON_LINES)
    names = sorted(child.name for child in folder.iterdir() if child.suffix.lower() in tables)
    return f"name a file in it, such as {folder / names[0]}" if names else "name a file"


def _not_there(path: Path) -> DataError:
    folder = path.parent
    if not folder.is_dir():
        return DataError(
            f"there is no folder {folder}", where="SOURCE", expected="the path of a file", fix=f"check the path {path}"
        )
    names = sorted(child.name for child in folder.iterdir() if child.is_file() and not child.name.startswith("."))
    close = nearest(path.name, names)
    return DataError(
        f"there is no file {path}",
        where="SOURCE",
        expected=one_of(names),
        fix=str(folder / close) if close else "check the path, or try example:breast-cancer",
    )


def _binary(path: Path, data: bytes, kind: str) -> pl.DataFrame:
    try:
        if kind == "parquet":
            return pl.read_parquet(io.BytesIO(data))
        return pl.read_ipc(io.BytesIO(data)) if data.startswith(b"ARROW1") else pl.read_ipc_stream(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise DataError(
            f"{path.name} is not a whole {kind} file",
            where=str(path),
            expected=f"a complete {kind} file",
            fix="copy or write it again; its end may be missing",
        ) from error


def _json(path: Path, data: bytes, *, lines: bool) -> pl.DataFrame:
    try:
        if lines:
            return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
        return pl.read_json(io.BytesIO(data), infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        first = str(error).splitlines()[0][:120]
        what = "one JSON object a line" if lines else "a JSON list of objects"
        raise DataError(
            f"{path.name} cannot be read as JSON: {first}",
            where=str(path),
            expected=what,
            fix='write lines such as {"area": 50, "price": 1.5}'
            if lines
            else "rename it .jsonl if it has an object a line",
        ) from error
