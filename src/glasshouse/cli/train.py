"""`glasshouse train`: from a table to a run folder with a network, its scores and its report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from glasshouse.cli.options import Assignments, Group, Json, Source, Target, Time, given, parse_settings, resolve_target

if TYPE_CHECKING:
    from glasshouse.runs import Run


def train(
    source: Source,
    target: Target = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="the run folder; a new one under runs/ if left out"),
    ] = None,
    effort: Annotated[
        Literal["quick", "standard", "thorough"] | None, typer.Option(help="how much to try  [default: standard]")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", help="end within about N seconds, with the best found by then")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="same seed, same network  [default: 0]")] = None,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="FRACTION|FILE", help="the rows that judge: a share of the table or a file  [default: 0.2]"
        ),
    ] = None,
    group: Group = None,
    time: Time = None,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Train networks on a table and report on them.

    Reads, checks, splits, trains, evaluates, writes a report; all of it into one run folder.

    Ctrl-C ends the training early and keeps the best network so far.
    """
    from glasshouse.cli.progress import watching

    column = resolve_target(source, target, "train")
    settings = parse_settings(assignments)
    options = given(
        out=out, effort=effort, seconds=seconds, seed=seed, test=_fraction_or_file(test), group=group, time=time,
        settings=settings,
    )  # fmt: skip
    try:
        with watching(f"{source} → {column}") as watch:
            from glasshouse.runs import train as run_training

            run = run_training(source, target=column, watch=watch, **options)
    except KeyboardInterrupt as stopped:  # of which typer says no more than that it was one
        for note in getattr(stopped, "__notes__", ()):
            typer.echo(note, err=True)
        raise
    _show(run, source, as_json=as_json)


def _fraction_or_file(text: str | None) -> float | str | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text


def _show(run: Run, source: str, *, as_json: bool) -> None:
    """What came out: the scores beside simple ways to predict, where everything is, what to do next."""
    import shlex

    from glasshouse.cli.console import errors, output, show_json
    from glasshouse.cli.tables import score_table

    if as_json:
        import msgspec

        # metrics.json but for what only the report draws.
        numbers = {name: value for name, value in msgspec.to_builtins(run.metrics).items() if name != "diagnostics"}
        show_json({"run": run.folder, **numbers})
        return
    screen = output()
    screen.print()
    screen.print(score_table(run.metrics, screen.width))
    for warning in run.metrics.warnings:
        errors().print(f"note: {warning}", style="yellow", markup=False, soft_wrap=True)
    folder, table = shlex.quote(str(run.folder)), shlex.quote(source)
    screen.print()
    for name, path in (("run", str(run.folder)), ("report", str(run.folder / "report.html"))):
        screen.print(f"[dim]{name:<8}[/]", end="")
        screen.print(path, markup=False, soft_wrap=True)
    screen.print()
    screen.print("next", style="dim")
    for command in (
        f"glasshouse predict {folder} {table} -o predictions.csv",
        f"glasshouse evaluate {folder} {table}",
        f"glasshouse reproduce {folder}",
    ):
        screen.print(f"  {command}", markup=False, soft_wrap=True)
