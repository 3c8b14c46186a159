"""Fills the code and the parity table of a page from the source: `python tests/docs/include.py PAGE`, or `make docs`.

A page says `<!-- code: foundations/tape.py Node -->`, a file of the package and names that it defines; the fenced block
under it is their source. `<!-- parity -->` is followed by the table of `foundations/parity.py`. The tests hold every
block against its source, so a page never shows code that is not there.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src/glasshouse"
CODE = re.compile(r"^<!-- code: (\S+) ([^\n]+?) -->\n(?:\n?```python\n.*?^```\n)?", flags=re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^<!-- parity -->\n(?:\n?(?:\|.*\n)+)?", flags=re.MULTILINE)


def source_of(file: str, names: list[str]) -> str:
    """The source of what a file defines under these names, two blank lines between them.

    Args:
        file: relative to the package.
        names: functions, classes or variables of the file's top level.

    Raises:
        KeyError: the file defines no such name.
    """
    text = (PACKAGE / file).read_text(encoding="utf-8")
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            found[ast.unparse(target)] = node
    lines = text.splitlines()
    parts = []
    for name in names:
        if name not in found:
            raise KeyError(f"{file} defines no {name}; it defines {', '.join(found)}")
        node = found[name]
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        parts.append("\n".join(lines[first - 1 : node.end_lineno]))
    return "\n\n\n".join(parts)


def parity_table() -> str:
    """The rows of `parity.ROWS` as Markdown."""
    from glasshouse.foundations.parity import ROWS

    lines = ["| ours | torch | its derivative | tolerance | note |", "|---|---|---|---|---|"]
    for row in ROWS:
        torch = row.torch.replace("|", "\\|")  # a bar would end the cell
        backward = f"`{row.backward}`" if row.backward else ""
        lines.append(f"| `{row.ours}` | `{torch}` | {backward} | {row.tolerance:.0e} | {row.note} |")
    return "\n".join(lines) + "\n"


def filled(page: str) -> str:
    """The page with every block as its source is now."""
    page = CODE.sub(
        lambda match: (
            f"<!-- code: {match[1]} {match[2]} -->\n```python\n{source_of(match[1], match[2].split())}\n```\n"
        ),
        page,
    )
    return TABLE.sub(lambda match: f"<!-- parity -->\n\n{parity_table()}", page)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
