"""`glasshouse learn`: the foundations, run in the terminal."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glasshouse.cli.options import Json, as_path
from glasshouse.core.errors import SettingsError, nearest, one_of

if TYPE_CHECKING:
    from glasshouse.foundations.lessons import Lesson


def learn(
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="which lesson; left out, they are listed")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="list the topics in reading order")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="of the lesson's random numbers")] = 0,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="write the lesson's picture to an .html file")
    ] = None,
    code: Annotated[bool, typer.Option("--code", help="show the files that the lesson is about")] = False,
    as_json: Json = False,
) -> None:
    """Run a lesson on the mathematics from scratch.

    Without TOPIC the lessons are listed in reading order: neurons, networks, learning, pitfalls, layers,
    sequences. Each prints numbers that the textbooks talk about, and names the files to read beside it.
    """
    if topic is None or show_list:
        if plot is not None or code:
            raise SettingsError(
                f"--{'plot' if plot else 'code'} needs a topic", where="glasshouse learn", fix="glasshouse learn xor"
            )
        _show_topics(as_json=as_json)
        return
    lesson = find_lesson(topic)
    if plot is not None:
        _check_plot(lesson, plot)
    numbers = lesson.run(seed)
    title, notice = words_of(lesson)
    files = [f"foundations/{name}.py" for name in lesson.reads]
    if plot is not None:
        write_plot(lesson, numbers, as_path(str(plot)))
    from glasshouse.cli import console

    if as_json:
        drawn = {"plot": str(plot)} if plot is not None else {}
        console.show_json({"topic": lesson.topic, "title": title, "seed": seed, **drawn, **numbers})
        return
    from glasshouse.cli.numbers import show_numbers

    screen = console.output()
    screen.print(title, style="bold", markup=False)
    screen.print(notice, markup=False)
    screen.print()
    show_numbers(numbers, screen)
    screen.print()
    if plot is not None:
        screen.print(f"drawn in {plot}", markup=False, soft_wrap=True)
    if code:
        _show_code(lesson)
        return
    screen.print(f"read {', '.join(files)}", markup=False)
    screen.print(f"see  glasshouse learn {lesson.topic} --code", style="dim", markup=False)


def lessons_by_topic() -> dict[str, Lesson]:
    """The lessons by their topics, in reading order."""
    from glasshouse.foundations.lessons import LESSONS

    return {lesson.topic: lesson for lesson in LESSONS}


def find_lesson(topic: str) -> Lesson:
    """The lesson of a topic; underscores, spaces and capitals do not matter.

    Raises:
        SettingsError: there is none of that name.
    """
    topics = lessons_by_topic()
    asked = topic.strip().lower().replace("_", "-").replace(" ", "-")
    if asked not in topics:
        near = nearest(asked, topics)
        raise SettingsError(
            f"no lesson is called {topic!r}",
            where="glasshouse learn TOPIC",
            expected=one_of(topics, most=8),
            fix=f"glasshouse learn {near}" if near else "glasshouse learn",
        )
    return topics[asked]


def words_of(lesson: Lesson) -> tuple[str, str]:
    """(title, what to look for) of a lesson, from its docstring; python -OO leaves only the topic."""
    title, _, notice = (inspect.getdoc(lesson.run) or lesson.topic).partition("\n")
    return title.rstrip("."), " ".join(notice.split())


def _show_topics(*, as_json: bool) -> None:
    from glasshouse.cli import console

    topics = lessons_by_topic()
    if as_json:
        known = {
            topic: {"title": words_of(lesson)[0], "reads": [f"foundations/{name}.py" for name in lesson.reads]}
            for topic, lesson in topics.items()
        }
        console.show_json({"topics": known})
        return
    screen = console.output()
    group = ""
    table = console.plain_table()
    table.show_header = False
    for topic, lesson in topics.items():
        room = lesson.run.__module__.rsplit(".", maxsplit=1)[-1]
        table.add_row(f"[dim]{room if room != group else ''}[/]", topic, words_of(lesson)[0])
        group = room
    screen.print(table)
    screen.print("\nglasshouse learn TOPIC runs one; docs/foundations.md leads through them", style="dim", markup=False)


def _check_plot(lesson: Lesson, path: Path) -> None:
    """Refuses before anything is computed.

    Raises:
        SettingsError: the lesson has no picture, or the file's name does not say that it is a page.
    """
    if lesson.plot is None:
        drawn = [topic for topic, other in lessons_by_topic().items() if other.plot is not None]
        raise SettingsError(
            f"the lesson {lesson.topic} has no picture: its numbers say it better",
            where="--plot",
            expected=one_of(drawn, most=12),
            fix=f"glasshouse learn {lesson.topic}",
        )
    if path.suffix.lower() not in (".html", ".htm"):
        raise SettingsError(
            f"a picture cannot be written as {path.suffix or 'a file without an ending'}",
            where=f"--plot {path}",
            expected="an .html file, which any browser opens",
            fix=f"--plot {path.with_suffix('.html')}",
        )
    if as_path(str(path)).is_dir():
        raise SettingsError(
            f"{path} is a folder", where=f"--plot {path}", expected="a file", fix=f"--plot {path / 'picture.html'}"
        )
    if not as_path(str(path)).absolute().parent.is_dir():
        raise SettingsError(f"there is no folder {path.parent}", where=f"--plot {path}", fix=f"mkdir -p {path.parent}")


def write_plot(lesson: Lesson, numbers: dict[str, Any], path: Path) -> None:
    """Writes the picture of a lesson that has one."""
    from glasshouse.core.files import write_atomically
    from glasshouse.report import lines_page

    assert lesson.plot is not None
    panels = {}
    for name in lesson.plot.y:
        value = numbers[name]
        panels[name] = value if isinstance(value, dict) else {name: value}
    page = lines_page(
        words_of(lesson)[0], lesson.plot.x, numbers[lesson.plot.x], panels, logarithmic=lesson.plot.logarithmic
    )
    write_atomically(path, page)


def _show_code(lesson: Lesson) -> None:
    from importlib import resources

    from rich.syntax import Syntax

    from glasshouse.cli import console

    screen = console.output()
    for name in lesson.reads:
        source = (resources.files("glasshouse.foundations") / f"{name}.py").read_text(encoding="utf-8")
        screen.print(f"foundations/{name}.py", style="bold", markup=False)
        if screen.is_terminal:
            screen.print(Syntax(source, "python", background_color="default"))
        else:
            screen.print(source, markup=False, soft_wrap=True)
