"""`glasshouse compare`: runs beside each other, the best first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glasshouse.cli.options import Json


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="two run folders or more")],
    as_json: Json = False,
) -> None:
    """Compare runs: scores and settings."""
    from glasshouse.core.errors import SettingsError

    if len(runs) < 2:
        raise SettingsError(
            f"only one run to compare: {runs[0]}",
            where="glasshouse compare",
            expected="two run folders or more",
            fix=f"glasshouse compare {runs[0]} ANOTHER_RUN",
        )
    from glasshouse.cli import console
    from glasshouse.runs import compare as run_comparison

    comparison = run_comparison(runs)
    if as_json:
        console.show_json(comparison)
        return
    from rich.markup import escape

    from glasshouse.cli.tables import scores_by_row

    screen = console.output()
    rows = [(row.name, row.scores) for row in comparison.rows]
    screen.print(scores_by_row(rows, comparison.metric, screen.width, emphasis=rows[comparison.best][0]))
    for note in comparison.notes:
        screen.print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)
    if comparison.differences:
        screen.print()
        table = console.plain_table()
        for title in ("set differently", *(escape(row.name) for row in comparison.rows)):
            table.add_column(title, overflow="fold")
        for difference in comparison.differences:
            table.add_row(escape(difference.setting), *(escape(value) for value in difference.values))
        screen.print(table)
