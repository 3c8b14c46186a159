"""The arguments that several commands share, so that a word means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glasshouse.core.errors import SettingsError, one_of

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="a table: csv, tsv, parquet, arrow or jsonl file, or example:NAME "
        "(breast-cancer, diabetes, wine, digits, iris)",
    ),
]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="a .glass file or a run folder")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder")]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="COLUMN", help="the column to predict; an example brings its own"),
]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="COLUMN", help="keep rows with the same value here on one side of the split"),
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="COLUMN", help="train on earlier rows, judge on later ones"),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="any setting of run.toml, such as network.hidden=[64,32]"),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]


def resolve_target(source: str, target: str | None, command: str) -> str:
    """The target column: as asked, or an example's own.

    Args:
        source: what was given as SOURCE.
        target: what was given as --target.
        command: the command's name, for the fix.

    Raises:
        SettingsError: no target was named and the source has none of its own.
        DataError: the source cannot be read.
    """
    if target is not None:
        return target
    if source.startswith("example:"):
        from glasshouse.data.examples import example_target

        return example_target(source.removeprefix("example:"))
    import shlex

    from glasshouse.data import read

    columns = read(source).table.columns
    raise SettingsError(
        "--target is missing: which column shall be predicted?",
        where=f"glasshouse {command}",
        expected=one_of(columns, most=8),
        fix=f"glasshouse {command} {shlex.quote(source)} --target {shlex.quote(columns[-1])}",
    )


def given(**options: Any) -> dict[str, Any]:
    """Only the options that were given, so that one left out is decided where the settings are."""
    return {name: value for name, value in options.items() if value is not None}


def parse_settings(assignments: list[str] | None) -> dict[str, Any] | None:
    """The `--set` words as dotted names and values, or None where there are none.

    Raises:
        SettingsError: a word is not KEY=VALUE, or the key is unknown.
    """
    if not assignments:
        return None
    from glasshouse.core.options import parse_assignments

    return parse_assignments(assignments)


def as_path(text: str) -> Path:
    """The path as typed, with `~` meaning the home folder."""
    return Path(text).expanduser()
