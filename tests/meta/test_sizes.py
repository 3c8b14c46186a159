"""Nothing grows until nobody reads it: limits on files, functions, signatures and classes.

Lines are counted without docstrings, comments and blanks, so that explaining costs nothing.
"""

from __future__ import annotations

import ast
import io
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LIMITS = {"code lines of the file": 400, "code lines": 80, "parameters": 8, "public methods": 15}
MOST_EXCEPTIONS = 0  # lower it when an exception goes; it is never raised


def code_lines(source: str) -> set[int]:
    """The numbers of the lines that hold code: no comment, no blank line, no docstring."""
    nothing = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER
    }  # fmt: skip
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in nothing:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                lines.difference_update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def sizes(source: str) -> Iterator[tuple[str, str, int]]:
    """(limit, name, size) of everything in a file that has a limit."""
    lines = code_lines(source)
    yield "code lines of the file", "", len(lines)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            yield "code lines", node.name, len(lines.intersection(body))
            named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield "parameters", node.name, sum(argument.arg not in ("self", "cls") for argument in named)
        if isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name[0] != "_"]
            yield "public methods", node.name, len(methods)


def too_large(path: str, source: str) -> dict[str, int]:
    """What in a file is beyond its limit, and how large it is."""
    return {f"{path}: {limit} {name}".rstrip(): size for limit, name, size in sizes(source) if size > LIMITS[limit]}


def is_command(path: Path) -> bool:
    """The signature of a command is its list of options: tests/meta/test_flags.py freezes that instead."""
    return path.parent.name == "cli"


def test_nothing_is_too_large_but_the_exceptions() -> None:
    found: dict[str, int] = {}
    for path in sorted([*REPOSITORY.glob("src/**/*.py"), *REPOSITORY.glob("tests/**/*.py")]):
        large = too_large(path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8"))
        found.update({what: size for what, size in large.items() if not (is_command(path) and ": parameters" in what)})
    listed = tomllib.loads((REPOSITORY / "tests/meta/allowed_sizes.toml").read_text(encoding="utf-8")).get(
        "allowed", []
    )
    assert all(entry["reason"].strip() for entry in listed)
    assert len(listed) <= MOST_EXCEPTIONS
    assert found == {entry["what"]: entry["size"] for entry in listed}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n" * 401, {"f.py: code lines of the file": 401}),
        ("x = 1\n" * 400 + "# a comment\n\n" * 50, {}),
        ('"""A\n' + "long\n" * 500 + 'docstring."""\n', {}),
        ("def f():\n" + "    x = 1\n" * 80, {"f.py: code lines f": 81}),
        ("def f():\n" + "    x = 1\n" * 79, {}),
        ("def f(a, b, c, d, e, *, f, g, h, i): pass\n", {"f.py: parameters f": 9}),
        ("class A:\n    def f(self, a, b, c, d, e, f, g, h): pass\n", {}),
        ("class A:\n" + "".join(f"    def f{i}(self): pass\n" for i in range(16)), {"f.py: public methods A": 16}),
        ("class A:\n" + "".join(f"    def _f{i}(self): pass\n" for i in range(16)), {}),
    ],
)
def test_the_counter_counts(source: str, expected: dict[str, int]) -> None:
    assert too_large("f.py", source) == expected
