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
    target = result.schema.target
    task = f", {target.task} target" if target is not None else ""
    screen.print(f"{result.num_rows:,} rows, {used} of {len(result.schema.columns)} columns used{task}", style="bold")
    for note in result.notes:
        screen.print(note, style="dim", markup=False)
    screen.print()
    _show_columns(screen, result.schema)
    screen.print()
    if not result.findings:
        screen.print("nothing found that speaks against training", style="green")
    _show_findings(screen, result.findings)


def _show_columns(screen: Console, schema: Schema) -> None:
    """One line a column on any screen: the examples, or why it is left out, get the room that is left."""
    from rich.markup import escape

    from glasshouse.cli.console import plain_table

    table = plain_table()
    table.expand = True
    table.add_column("column", no_wrap=True, overflow="ellipsis", max_width=max(12, screen.width // 3))
    table.add_column("kind", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("distinct", justify="right", no_wrap=True)
    table.add_column("such as", no_wrap=True, overflow="ellipsis", ratio=1)
    target = schema.target
    if target is not None:
        classes = ", ".join(target.classes)
        table.add_row(escape(target.name), "target", f"{target.missing:,}", "", escape(classes), style="bold")
    for column in schema.columns:
        note = ", ".join(column.examples) if column.used else f"left out: {column.reason}"
        style = None if column.used else "dim"
        cells = (column.kind, f"{column.missing:,}", f"{column.distinct:,}", escape(note))
        table.add_row(escape(column.name), *cells, style=style)
    screen.print(table)


def _show_findings(screen: Console, findings: tuple[Finding, ...]) -> None:
    """The worst first; the message names its column."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 3, 0, 0))
    for finding in sorted(findings, key=lambda finding: _ORDER.index(finding.severity)):
        table.add_row(Text(finding.severity, style=_COLOURS[finding.severity]), Text(finding.message))
        if finding.advice:
            table.add_row("", Text(finding.advice, style="dim"))
    screen.print(table)
