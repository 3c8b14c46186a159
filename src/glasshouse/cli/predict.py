"""`glasshouse predict`: a model's answers for a table, into a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glasshouse.cli.options import Json, Model, Source
from glasshouse.core.errors import SettingsError
from glasshouse.core.files import write_atomically

if TYPE_CHECKING:
    import polars as pl

_SUFFIXES = (".csv", ".parquet", ".jsonl")


def predict(
    model: Model,
    source: Source,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="a .csv, .parquet or .jsonl file")],
    interval: Annotated[
        float | None,
        typer.Option(metavar="CONFIDENCE", help="also an interval that holds the truth this often, such as 0.9"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict every row of a table, into a file."""
    check_output(output)
    if interval is not None and not 0 < interval < 1:
        raise SettingsError(
            f"--interval cannot be {interval:g}",
            where="glasshouse predict",
            expected="a confidence between 0 and 1, both excluded",
            fix="--interval 0.9",
        )
    from glasshouse.runs import predict as run_prediction

    table = run_prediction(model, source, interval=interval)
    write_table(table, output)
    from glasshouse.cli import console

    if as_json:
        console.show_json({"file": output, "rows": table.height, "columns": table.columns})
        return
    screen = console.output()
    counted = "1 row" if table.height == 1 else f"{table.height:,} rows"
    screen.print(f"{counted} predicted, written to {output}", markup=False, soft_wrap=True)


def check_output(path: Path) -> None:
    """Refuses a place that cannot take the answers, before any work is done.

    Raises:
        SettingsError: another suffix than we write, a folder, or a folder that is not there.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise SettingsError(
            f"{path.name!r} is no file that can be written",
            where="--output",
            expected=f"a name that ends in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}",
            fix=f"-o {path.with_suffix('.csv')}",
        )
    if path.is_dir():
        raise SettingsError(
            f"{path} is a folder", where="--output", expected="a file", fix=f"-o {path}/predictions.csv"
        )
    if not path.parent.is_dir():
        raise SettingsError(
            f"there is no folder {path.parent}",
            where="--output",
            expected="a file in a folder that exists",
            fix=f"mkdir -p {path.parent}",
        )


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Writes a table whole or not at all, in the form that the suffix says.

    Raises:
        OSError: the place cannot be written.
    """
    buffer = io.BytesIO()
    match path.suffix.lower():
        case ".csv":
            table.write_csv(buffer)
        case ".parquet":
            table.write_parquet(buffer)
        case _:
            table.write_ndjson(buffer)
    write_atomically(path, buffer.getvalue())
