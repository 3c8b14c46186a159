"""The command line grows by decision: its commands and options are written down here."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import typer

from glasshouse.cli.app import COMMANDS, app
from glasshouse.cli.train import train
from glasshouse.core.settings import Effort

REPOSITORY = Path(__file__).resolve().parents[2]
PLANNED = ("explain", "fairness", "card", "resume", "export", "serve", "lab")

FROZEN = {
    "train": "SOURCE --effort --group --json --out --seconds --seed --set --target --test --time",
    "check": "SOURCE --group --json --set --target --time",
    "evaluate": "MODEL SOURCE --by --json",
    "predict": "MODEL SOURCE --interval --json --output",
    "compare": "RUN RUN... --json",
    "reproduce": "RUN --json",
    "report": "RUN --json",
    "learn": "TOPIC --code --json --list --plot --seed",
    "doctor": "--json",
}


def test_the_commands_and_their_options_are_the_frozen_ones() -> None:
    group: typing.Any = typer.main.get_command(app)
    found = {}
    for name, command in group.commands.items():
        arguments = [parameter.metavar for parameter in command.params if parameter.param_type_name == "argument"]
        options = sorted(
            word for parameter in command.params for word in parameter.opts
            if word.startswith("--") and word != "--help"
        )  # fmt: skip
        found[name] = " ".join([*arguments, *options])
    assert found == FROZEN
    assert tuple(FROZEN) == COMMANDS


def test_every_command_and_option_says_what_it_is_for() -> None:
    group: typing.Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert command.help, name
        first = command.help.splitlines()[0]
        assert len(first) <= 60, f"{name}: the first line is cut in the list of commands"
        assert all(parameter.help for parameter in command.params), name


def test_effort_has_the_same_levels_as_the_settings() -> None:
    annotation = typing.get_type_hints(train)["effort"]
    (levels,) = [option for option in typing.get_args(annotation) if option is not type(None)]
    assert typing.get_args(levels) == typing.get_args(Effort)


def test_nobody_is_sent_to_a_command_that_does_not_exist() -> None:
    missing = [name for name in PLANNED if name not in COMMANDS]
    pattern = re.compile(rf"glasshouse ({'|'.join(missing)}) [-A-Z{{\"'`]")
    files = [*REPOSITORY.glob("src/**/*.py"), *REPOSITORY.glob("*.md")]
    sent = [path.name for path in files if pattern.search(path.read_text(encoding="utf-8"))]
    assert sent == []
    assert pattern.search("compare groups: glasshouse fairness MODEL SOURCE")
