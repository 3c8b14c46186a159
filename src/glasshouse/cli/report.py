"""`glasshouse report`: the page of a run, written again from its folder."""

from __future__ import annotations

from glasshouse.cli.options import Json, RunFolder


def report(run: RunFolder, as_json: Json = False) -> None:
    """Write a run's report.html again."""
    from glasshouse.cli import console
    from glasshouse.runs import report as write_report

    path = write_report(run)
    if as_json:
        console.show_json({"report": path})
        return
    console.output().print(str(path), markup=False, soft_wrap=True)
