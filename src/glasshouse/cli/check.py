"""`glasshouse check`: what the data is like, and what is wrong with it, before any training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glasshouse.cli.options import Assignments, Group, Json, Source, Target, Time, given, parse_settings, resolve_target

if TYPE_CHECKING:
    from rich.console import Console

    from glasshouse.data import Finding, Schema
    from glasshouse.runs import CheckResult

_COLOURS = {"problem": "bold red", "warning": "yellow", "info": "dim"}
_ORDER = ("problem", "warning", "info")


def check(
    source: Source,
    target: Target = None,
    group: Group = None,
    time: Time = None,
    assignments: Assignments = None,
    as_json: Json = False,
) -> None:
    """Check a table before any training.

    Shows the kind of each column, and finds leakage, duplicates, constants, what is missing, what is personal.
    """
    column = resolve_target(source, target, "check")
    settings = parse_settings(assignments)

    from glasshouse.runs import check as run_check

    result = run_check(source, target=column, **given(settings=settings, group=group, time=time))
    if as_json:
        from glasshouse.cli.console import show_json

        show_json(
            {
                "rows": result.num_rows,
                "columns": result.schema.columns,
                "target": result.schema.target,
                "findings": result.findings,
                "notes": result.notes,
            }
        )
        return
    _show(result)


def _show(result: CheckResult) -> None:
    from glasshouse.cli.console import output

    screen = output()
    used = sum(column.used for column in result.schema.columns)
    screen.print(f"{result.num_rows:,} rows, {len(result.schema.columns)} columns, {used} of them used", style="bold")
    for note in result.notes:
        screen.print(note, style="dim", markup=False)
    screen.print()
    _show_columns(screen, result.schema)
    screen.print()
    if not result.findings:
        screen.print("nothing found that speaks against training", style="green")
    for finding in sorted(result.findings, key=lambda finding: _ORDER.index(finding.severity)):
        _show_finding(screen, finding)


def _show_columns(screen: Console, schema: Schema) -> None:
    from rich.markup import escape

    from glasshouse.cli.console import plain_table

    table = plain_table()
    for title, align in (("column", "left"), ("kind", "left"), ("missing", "right"), ("distinct", "right")):
        table.add_column(title, justify="right" if align == "right" else "left", overflow="fold")
    table.add_column("such as", overflow="ellipsis", no_wrap=True)
    target = schema.target
    if target is not None:
        table.add_row(escape(target.name), f"target, {target.task}", f"{target.missing:,}", "", "", style="bold")
    for column in schema.columns:
        note = ", ".join(column.examples) if column.used else f"left out: {column.reason}"
        table.add_row(
            escape(column.name), column.kind, f"{column.missing:,}", f"{column.distinct:,}", escape(note),
            style=None if column.used else "dim",
        )  # fmt: skip
    screen.print(table)


def _show_finding(screen: Console, finding: Finding) -> None:
    screen.print(f"{finding.severity:<8} ", style=_COLOURS[finding.severity], end="")
    screen.print(f"{finding.column}: {finding.message}" if finding.column else finding.message, markup=False)
    if finding.advice:
        screen.print(f"         {finding.advice}", style="dim", markup=False)
