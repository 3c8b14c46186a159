"""`glasshouse reproduce`: runs a run again and says what came out the same."""

from __future__ import annotations

import re

from glasshouse.cli.options import Json, RunFolder


def reproduce(run: RunFolder, as_json: Json = False) -> None:
    """Run a run again and say what matches.

    Compares the hashes of data, split and weights, and every score.
    """
    from glasshouse.cli import console
    from glasshouse.cli.progress import watching

    with watching(f"again: {run}") as watch:
        from glasshouse.runs import reproduce as run_again

        result = run_again(run, watch=watch)
    if as_json:
        console.show_json(result)
        return
    from rich.markup import escape

    screen = console.output()
    table = console.plain_table()
    for title in ("", "what", "was", "now"):
        table.add_column(title, overflow="fold")
    for row in result.rows:
        mark = "[green]same[/]" if row.matches else "[bold red]differs[/]"
        table.add_row(mark, escape(row.what), escape(_short(row.was)), escape(_short(row.now)))
    screen.print()
    screen.print(table)
    same = sum(row.matches for row in result.rows)
    screen.print()
    everything = same == len(result.rows)
    verdict = "everything matches" if everything else f"{same} of {len(result.rows)} match"
    screen.print(verdict, style="bold green" if everything else "bold red")


def _short(text: str) -> str:
    """The beginning of a hash is enough to see that it differs; anything else is shown whole."""
    return f"{text[:12]}…" if re.fullmatch("[0-9a-f]{64}", text) else text
