"""The room keeps its promises: small files that are read, one exercise each, NumPy alone, every file in a lesson."""

from __future__ import annotations

import ast
import inspect
import io
import sys
import tokenize
from pathlib import Path

import pytest
from tests.meta.test_sizes import code_lines

from glasshouse.foundations.lessons import LESSONS

FOLDER = Path(__file__).resolve().parents[2] / "src/glasshouse/foundations"
FILES = sorted(FOLDER.rglob("*.py"))
TOOLS = ("__init__", "parity", "drawing")
IDEAS = [path for path in sorted(FOLDER.glob("*.py")) if path.stem not in TOOLS]
MOST_IN_ALL, MOST_IN_A_FILE = 1800, 150


def name(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


def imported(source: str) -> set[str]:
    """The packages that a file imports, wherever it does so; our own by their room."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        for module in names:
            parts = module.split(".")
            found.add(".".join(parts[:2]) if parts[0] == "glasshouse" else parts[0])
    return found


def foreign(source: str) -> set[str]:
    """What a file imports beside NumPy, the standard library and this room."""
    return imported(source) - sys.stdlib_module_names - {"numpy", "glasshouse.foundations"}


def explained(source: str) -> float:
    """The share of a file's filled lines that are comments or docstrings."""
    filled = {number for number, line in enumerate(source.splitlines(), start=1) if line.strip()}
    commented = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    return len((filled - code_lines(source)) | commented) / len(filled)


def test_the_room_is_small_enough_to_be_read() -> None:
    sizes = {name(path): len(code_lines(path.read_text(encoding="utf-8"))) for path in FILES}
    assert {path: size for path, size in sizes.items() if size > MOST_IN_A_FILE} == {}
    assert 0 < sum(sizes.values()) < MOST_IN_ALL


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_imports_numpy_and_the_standard_library_alone(path: Path) -> None:
    assert foreign(path.read_text(encoding="utf-8")) == set()


def test_a_foreign_import_is_found_wherever_it_hides() -> None:
    source = "import numpy\ndef f():\n    from torch import nn\n    import glasshouse.core.errors, math\nimport msgspec"
    assert foreign(source) == {"torch", "glasshouse.core", "msgspec"}


@pytest.mark.parametrize("path", IDEAS, ids=name)
def test_an_idea_is_explained_and_ends_with_something_to_try(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    assert "Try this: " in docstring.splitlines()[-1] or "Try this: " in docstring.splitlines()[-2]
    assert explained(source) >= 0.25
    tests = (Path(__file__).parent / f"test_{path.stem}.py").read_text(encoding="utf-8")
    assert "def test_try_this_" in tests


def test_an_unexplained_file_is_found() -> None:
    assert explained("x = 1\ny = 2\nz = 3\nw = 4\n# why\n") < 0.25
    assert explained('"""What."""\nx = 1  # why\n\n\ny = 2\n') == pytest.approx(2 / 3)


def test_every_idea_is_in_a_lesson_and_every_lesson_names_files_that_exist() -> None:
    read = {file for lesson in LESSONS for file in lesson.reads}
    assert read == {path.stem for path in IDEAS}


def test_every_lesson_has_a_short_title_and_something_to_look_for() -> None:
    topics = [lesson.topic for lesson in LESSONS]
    assert len(set(topics)) == len(topics) == 27
    for lesson in LESSONS:
        title, _, notice = (inspect.getdoc(lesson.run) or "").partition("\n")
        assert 10 < len(title) <= 50, lesson.topic
        assert 80 < len(notice) < 600, lesson.topic
