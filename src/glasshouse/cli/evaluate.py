"""`glasshouse evaluate`: how good a model is on a table, and on each part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glasshouse.cli.options import Json, Model, Source

if TYPE_CHECKING:
    from glasshouse.runs import Evaluation


def evaluate(
    model: Model,
    source: Source,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="scores for each value of this column, or each quarter of it")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score a model on a table."""
    from glasshouse.runs import evaluate as run_evaluation

    result = run_evaluation(model, source, by=by)
    if as_json:
        from glasshouse.cli.console import show_json

        show_json(result)
        return
    _show(result)


def _show(result: Evaluation) -> None:
    from glasshouse.cli.console import errors, output
    from glasshouse.cli.tables import scores_by_row

    screen = output()
    screen.print(f"{result.target}: scores on {result.rows:,} rows (95 % interval)", style="bold", markup=False)
    screen.print(scores_by_row([("all rows", result.scores)], result.metric, screen.width))
    what = "intervals" if result.task == "regression" else "label sets"
    for held in result.coverage:
        measured = f"{100 * held.covered:.1f} % of the rows ({100 * held.low:.1f} – {100 * held.high:.1f} %)"
        screen.print(f"{100 * held.confidence:.0f} % {what} held the truth in {measured}", style="dim")
    for note in result.notes:
        errors().print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)
    if result.slices:
        screen.print()
        # A small part is marked: its interval says more than its score.
        rows = [
            (f"{part.value}, {part.rows:,} rows{' (few)' if part.small else ''}", part.scores) for part in result.slices
        ]
        screen.print(f"by {result.slices[0].column}", style="bold", markup=False)
        screen.print(scores_by_row(rows, result.metric, screen.width))
