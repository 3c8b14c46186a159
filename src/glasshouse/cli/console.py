"""The two streams: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def output() -> Console:
    """The console for results."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, emoji=False)


def errors() -> Console:
    """The console for progress, notes and problems."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, emoji=False)


def show_json(value: Any) -> None:
    """Writes one JSON object on one line of standard output.

    Args:
        value: a record, a mapping, or anything made of them; a path becomes its text.
    """
    import msgspec

    sys.stdout.write(msgspec.json.encode(value, enc_hook=_as_text).decode() + "\n")
    sys.stdout.flush()


def plain_table() -> Table:
    """A table without lines: columns told apart by space, as every command shows it."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")


def _as_text(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    # NumPy scalars and arrays of results know how to become plain Python.
    if hasattr(value, "tolist"):
        return value.tolist()
    raise NotImplementedError(f"a {type(value).__name__} has no place in JSON")
