"""The table of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from glasshouse.cli.check import check
from glasshouse.cli.compare import compare
from glasshouse.cli.doctor import doctor
from glasshouse.cli.evaluate import evaluate
from glasshouse.cli.learn import learn
from glasshouse.cli.predict import predict
from glasshouse.cli.report import report
from glasshouse.cli.reproduce import reproduce
from glasshouse.cli.train import train

# In the order in which a newcomer meets them.
_COMMANDS = (train, check, evaluate, predict, compare, reproduce, report, learn, doctor)
COMMANDS = tuple(command.__name__ for command in _COMMANDS)

# Plain help: half the start-up time of the boxed one, and the same text in every terminal.
app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Grow neural networks where you can see them: from a raw table to a trained, explained network.",
    epilog="Start with: glasshouse train example:breast-cancer",
)
for _command in _COMMANDS:
    app.command()(_command)


def _show_version(wanted: bool) -> None:
    if wanted:
        from glasshouse import __version__

        typer.echo(f"glasshouse {__version__}")
        raise typer.Exit()


@app.callback()
def glasshouse(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Holds the options that stand before any command."""
