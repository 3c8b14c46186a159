"""What the pages show is what happens: their Python runs, and their sessions print what they say.

A `console` block holds commands after `$ ` and what they print. Each of our own commands is run, in order, in one empty
folder; the numbers are masked (they differ from machine to machine), and every line shown must then be among the lines
printed. `...` stands for lines left out. A `python` block is run in the same folder, after the sessions; but for code
that `tests/docs/include.py` fills in from the source: `tests/docs` runs it among the names of its file.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CODE = re.compile(r"^<!-- code: [^\n]+ -->\n```python\n.*?^```\n", flags=re.MULTILINE | re.DOTALL)
PAGES = [REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/**/*.md"))]


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def written(text: str) -> str:
    """A page without the code that is filled in from the source."""
    return CODE.sub("", text)


def session(block: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block, and the lines shown under it."""
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line.strip() and line.strip() != "..." and steps:
            steps[-1][1].append(line)
    return steps


def masked(line: str) -> str:
    """A line as it is on every machine: numbers masked, spaces as one."""
    return re.sub(r"\s+", " ", re.sub(r"[-\d][\d.,:]*", "#", line)).strip()


def not_printed(shown: list[str], printed: str) -> list[str]:
    """The lines shown that nothing printed is like."""
    like = {masked(line) for line in printed.splitlines()}
    return [line for line in shown if masked(line) not in like]


def run(command: list[str], folder: Path) -> str:
    """What a command prints, on both streams; it must end well."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "COLUMNS": "100"}
    finished = subprocess.run(
        command, cwd=folder, env=environment, text=True, timeout=300, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(REPOSITORY).as_posix() for page in PAGES])
def test_what_a_page_shows_happens(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for command, shown in [step for block in blocks(text, "console") for step in session(block)]:
        words = shlex.split(command)
        if words[0] == "glasshouse":
            assert not_printed(shown, run([sys.executable, "-m", *words], tmp_path)) == [], command
    for block in blocks(written(text), "python"):
        run([sys.executable, "-W", "error", "-c", block], tmp_path)


def test_the_readme_shows_a_session_and_the_python_of_it() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert any(
        command.startswith("glasshouse train ") for block in blocks(text, "console") for command, _ in session(block)
    )
    assert any("gh.train(" in block for block in blocks(text, "python"))


def test_code_without_its_source_is_run() -> None:
    included = "<!-- code: foundations/dense.py dense -->\n```python\ndef dense(): ...\n```\n"
    typed = "```python\nprint(1)\n```\n"
    assert blocks(written(included + typed), "python") == ["print(1)\n"]
    assert blocks(written("<!-- code: gone -->\n\n" + typed + included), "python") == ["print(1)\n"]


def test_a_line_that_is_not_printed_is_found() -> None:
    ((command, shown),) = session("$ glasshouse x\naccuracy  0.974 (0.95 – 0.99)\n...\nsaved in a.glass\n")
    assert command == "glasshouse x"
    assert not_printed(shown, "accuracy 0.9 (0.91 – 1.0)\nand\nsaved in a.glass") == []
    assert not_printed(shown, "accuracy 0.9 (0.91 – 1.0)\nsaved in b.glass") == ["saved in a.glass"]
