"""How things that go wrong are said: four lines for the user's faults, an apology and a traceback for ours."""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from glasshouse.core.errors import DataError, GlasshouseError, SettingsError, nearest, one_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def show_problem(error: GlasshouseError, *, as_json: bool) -> None:
    """Says what the user can mend: on standard error, or as one JSON object on standard output."""
    if as_json:
        from glasshouse.cli.console import show_json

        show_json(error.fields())
        return
    first, *rest = str(error).splitlines()
    from glasshouse.cli.console import errors

    screen = errors()
    screen.print(first, style="bold red", markup=False, soft_wrap=True)
    for line in rest:
        screen.print(line, markup=False, soft_wrap=True)


def show_defect(error: Exception, *, as_json: bool) -> None:
    """Says that the fault is ours, with the traceback that a report of it needs."""
    if as_json:
        from glasshouse.cli.console import show_json

        show_json({"error": "Defect", "problem": f"{type(error).__name__}: {error}"})
    lines = traceback.format_exception(error)
    sys.stderr.write(
        "".join(lines)
        + "\nThis is a defect of glasshouse, not a mistake of yours; we are sorry. Your files are as they were.\n"
        + "Please report it with the lines above and what `glasshouse doctor` says.\n"
    )


def unknown_command(name: str, commands: Iterable[str]) -> SettingsError:
    """The error for a first word that is no command."""
    meant = nearest(name, commands)
    return SettingsError(
        f"unknown command {name!r}",
        where="glasshouse",
        expected=one_of(commands, most=20),
        fix=f"glasshouse {meant}" if meant else "glasshouse --help",
    )


def explain_system(error: OSError) -> DataError:
    """The error for a path or a disk that refuses."""
    reason = (error.strerror or str(error)).lower()
    where = str(error.filename or "")
    return DataError(f"the system refuses: {reason}", where=where, fix="choose another place, or mend that one")


def explain_usage(error: typer.TyperException) -> SettingsError:
    """Turns what the command-line library found wrong into our four lines.

    Args:
        error: a usage error; its public attributes say which option or argument is meant.
    """
    context: Any = getattr(error, "ctx", None)
    place = context.command_path if context is not None else "glasshouse"
    help_line = f"{place} --help"
    option = getattr(error, "option_name", None)
    if isinstance(option, str):
        return _explain_option(error, option, place=place, help_line=help_line)
    parameter = getattr(error, "param", None)
    if parameter is not None:
        return _explain_parameter(error, parameter, place=place, help_line=help_line)
    extra = re.search(r"unexpected extra argument\S* \((.*)\)", error.format_message())
    if extra is not None:
        return SettingsError(
            f"too many arguments: {extra[1]!r} has no place", where=place, expected=_usage(context), fix=help_line
        )
    return SettingsError(error.format_message(), where=place, fix=help_line)


def _explain_option(error: typer.TyperException, option: str, *, place: str, help_line: str) -> SettingsError:
    context: Any = getattr(error, "ctx", None)
    known = _option_names(context) if context is not None else []
    if option in known or "requires an argument" in error.format_message():
        return SettingsError(f"{option} needs a value", where=place, expected=f"{option} VALUE", fix=help_line)
    meant = nearest(option, known)
    return SettingsError(
        f"unknown option {option}", where=place, expected=one_of(known, most=20), fix=meant or help_line
    )


def _explain_parameter(error: typer.TyperException, parameter: Any, *, place: str, help_line: str) -> SettingsError:
    name = next((text for text in parameter.opts if text.startswith("--")), parameter.metavar or parameter.name)
    message = error.format_message()
    if message.startswith("Missing"):
        return SettingsError(
            f"{name} is missing", where=place, expected=parameter.help or "", fix=_usage(getattr(error, "ctx", None))
        )
    detail = re.sub(r"^(Value error,|Input should be a valid)\s*", "", getattr(error, "message", message)).rstrip(".")
    offending = re.match(r"(?P<value>'.*') is not one of (?P<options>.*)", detail)
    if offending is not None:
        options = [option.strip("'") for option in offending["options"].split(", ")]
        value = offending["value"].strip("'")
        meant = nearest(value, options) or options[0]
        return SettingsError(
            f"{name} cannot be {value!r}", where=place, expected=one_of(options), fix=f"{name} {meant}"
        )
    kind = re.sub(r"[,;].*", "", detail)
    return SettingsError(f"the value of {name} cannot be read", where=f"{place} {name}", expected=kind, fix=help_line)


def _option_names(context: Any) -> list[str]:
    return sorted({name for parameter in context.command.params for name in parameter.opts if name.startswith("--")})


def _usage(context: Any) -> str:
    """The command with what it cannot do without, such as `glasshouse predict MODEL SOURCE --output FILE`."""
    if context is None:
        return "glasshouse --help"
    words: Sequence[str] = []
    for parameter in context.command.params:
        if parameter.required:
            metavar = parameter.metavar or parameter.name.upper()
            options = [name for name in parameter.opts if name.startswith("-")]
            words = [*words, f"{options[0]} {metavar}" if options else metavar]
    return " ".join([context.command_path, *words])
