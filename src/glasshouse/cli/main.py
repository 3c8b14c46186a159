"""The entrance: runs one command, and turns every way it can end into an exit status.

0: done. 2: the user's input is at fault, said in four lines. 1: ours is, with an apology and the traceback.
130: stopped with Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import typer

from glasshouse.cli.app import COMMANDS, app
from glasshouse.cli.problems import explain_system, explain_usage, show_defect, show_problem, unknown_command
from glasshouse.core.errors import GlasshouseError

# Faults of the machine or of a path that the user chose, not of ours; any other OSError is a defect.
_SYSTEM_FAULTS = frozenset({errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENAMETOOLONG})
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `glasshouse ARGUMENTS` and returns the exit status.

    Args:
        arguments: what follows the program's name; `sys.argv` where it is left out.

    Returns:
        0, 1, 2 or 130, as the module says.

    Example:
        >>> main(["--version"])
        glasshouse 0.1.0
        0
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words and not words[0].startswith("-") and words[0] not in COMMANDS:
            raise unknown_command(words[0], COMMANDS)
        status = typer.main.get_command(app)(words or ["--help"], prog_name="glasshouse", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        if not isinstance(error, BrokenPipeError) and not isinstance(error.__context__, BrokenPipeError):
            raise
        # The reader (`| head`) has gone: nobody is left to tell, and Python must not complain while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the outermost door: nothing is swallowed, everything is shown
        return _explain(error, as_json="--json" in words)
    # The library answers Ctrl-C with this number, and a finished command with nothing.
    if status == _INTERRUPTED:
        typer.echo("stopped", err=True)
        return _INTERRUPTED
    return 0


def _explain(error: Exception, *, as_json: bool) -> int:
    """Shows an error in its own way and says which exit status it means."""
    if isinstance(error, GlasshouseError):
        show_problem(error, as_json=as_json)
    elif isinstance(error, typer.TyperException):
        show_problem(explain_usage(error), as_json=as_json)
    elif isinstance(error, OSError) and error.errno in _SYSTEM_FAULTS:
        show_problem(explain_system(error), as_json=as_json)
    else:
        show_defect(error, as_json=as_json)
        return 1
    return 2
