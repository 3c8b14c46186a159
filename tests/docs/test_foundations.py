"""The page of the foundations: its code is the source, its blocks run, its lessons and headings are all there."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest
from tests.docs.headings import DEEP_END, TEXT_ORDER
from tests.docs.include import CODE, filled, source_of

from glasshouse.foundations.lessons import LESSONS
from glasshouse.foundations.parity import ROWS

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs/foundations.md"
TEXT = PAGE.read_text(encoding="utf-8")
INCLUDED = [(match[1], match[2].split()) for match in CODE.finditer(TEXT)]


def headings(page: str) -> list[str]:
    """The page's headings, without those inside fenced blocks."""
    outside = re.sub(r"^```.*?^```\n", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)$", outside, flags=re.MULTILINE)


def anchor(heading: str) -> str:
    """The link that a heading gets on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: str) -> list[str]:
    """The links of a page's headings, in order; the second of a name ends in -1, the third in -2."""
    names = [anchor(heading) for heading in headings(page)]
    before = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{name}-{count}" if count else name for name, count in zip(names, before, strict=True)]


def failures(source: str) -> str:
    """What doctest says of a page's session; empty where all is as shown."""
    blocks = "\n".join(re.findall(r"^```pycon\n(.*?)^```", source, flags=re.MULTILINE | re.DOTALL))
    test = doctest.DocTestParser().get_doctest(blocks, {"__name__": "page"}, PAGE.name, None, 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(test, out=said.append)
    return "".join(said)


def test_the_code_and_the_table_are_the_source() -> None:
    assert filled(TEXT) == TEXT, "run: make docs"
    assert len(INCLUDED) > 30


def test_a_marker_is_filled_wherever_its_block_stands() -> None:
    marker = "<!-- code: foundations/descent.py gradient_descent -->\n"
    page = filled(f"before\n\n{marker}\nafter\n")
    assert (
        page
        == f"before\n\n{marker}```python\n{source_of('foundations/descent.py', ['gradient_descent'])}\n```\n\nafter\n"
    )
    assert filled(page) == filled(page.replace(marker, marker + "\n")) == page
    table = filled("<!-- parity -->\n\nafter\n")
    assert table.count("\n| `") == len(ROWS)
    assert table.endswith("|\n\nafter\n") and filled(table) == table


def test_what_is_shown_of_a_file_is_whole() -> None:
    assert source_of("foundations/parity.py", ["Row"]).startswith("@dataclass(frozen=True)\nclass Row:\n")
    assert source_of("foundations/lessons/neurons.py", ["ELEMENTWISE", "CORNERS"]).startswith('ELEMENTWISE = ("linear"')
    with pytest.raises(KeyError, match=r"descent\.py defines no climb; it defines .*gradient_descent"):
        source_of("foundations/descent.py", ["climb"])


def test_code_that_was_copied_and_changed_is_found() -> None:
    changed = TEXT.replace("return x @ weight + bias\n", "return x @ weight - bias\n")
    assert changed != TEXT
    assert filled(changed) == TEXT


@pytest.mark.parametrize(
    ("file", "names"), INCLUDED, ids=lambda value: value if isinstance(value, str) else "-".join(value)
)
def test_the_code_shown_runs(file: str, names: list[str]) -> None:
    module = importlib.import_module("glasshouse." + file.removesuffix(".py").replace("/", "."))
    space = {"__builtins__": __builtins__, **vars(module)}
    for name in names:
        del space[name]
    exec(compile(source_of(file, names), file, "exec", flags=0x1000000), space)  # annotations stay text
    assert all(name in space for name in names)


def test_every_session_on_the_page_prints_what_it_shows() -> None:
    assert failures(TEXT) == ""
    assert TEXT.count(">>> ") > 150


def test_a_wrong_number_is_found() -> None:
    assert "Expected" in failures("```pycon\n>>> 1 + 1\n3\n\n```\n")
    assert failures("```pycon\n>>> a = 1\n\n```\n\n```pycon\n>>> a + 1\n2\n\n```\n") == ""


def learnt(page: str) -> list[str]:
    """The topics that a page sends its reader to, in text or in a session."""
    return re.findall(r"(?:`|^\$ )glasshouse learn ([a-z][a-z-]*)", page, flags=re.MULTILINE)


def test_a_topic_is_found_in_text_and_in_sessions() -> None:
    page = "$ glasshouse learn a-b\nsee `glasshouse learn`, `glasshouse learn c --code` and `glasshouse learn TOPIC`\n"
    assert learnt(page) == ["a-b", "c"]


def test_every_file_of_the_room_is_shown_and_every_lesson_named_in_reading_order() -> None:
    shown = {file for file, _ in INCLUDED}
    assert shown >= {f"foundations/{name}.py" for lesson in LESSONS for name in lesson.reads}
    topics = [lesson.topic for lesson in LESSONS]
    assert set(learnt(TEXT)) == set(topics)
    named = learnt(TEXT[TEXT.index("<!-- code") :])  # the opening may send ahead
    first = [named.index(topic) for topic in topics]
    assert first == sorted(first)


def test_every_link_on_the_page_leads_somewhere() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= set(anchors(TEXT))
    for link in re.findall(r"\]\((?!#|http)([^)#]+)", TEXT):
        assert (PAGE.parent / link).exists(), link


def test_the_second_heading_of_a_name_has_a_link_of_its_own() -> None:
    assert anchors("# A b\n\n## C\n\n## A b\n\n```\n# A b\n```\n") == ["a-b", "c", "a-b-1"]


def test_formulas_are_fenced() -> None:
    # Between dollars GitHub takes the backslash from `\,` and its like before the formula is set.
    assert "$$" not in TEXT
    assert TEXT.count("```math\n") > 20


@pytest.mark.parametrize("expected", [DEEP_END, TEXT_ORDER], ids=["001", "004"])
def test_a_reader_of_a_text_finds_each_heading_in_its_order(expected: list[str]) -> None:
    listed = re.findall(r"^\| ([^|]+?) \|[^|]*\|$", TEXT, flags=re.MULTILINE)
    places: list[int] = []
    for heading in expected:
        assert heading in listed, heading
        start = places[-1] + 1 if places else 0
        places.append(listed.index(heading, start))
    own = headings(TEXT)
    # What both texts have, at different places, can stand in one of the two orders only: the map has it in both.
    shared = set(DEEP_END) & set(TEXT_ORDER)
    foundations = [heading for heading in expected if heading in own and heading not in shared]
    assert len(foundations) > 20
    order = [own.index(heading) for heading in foundations]
    assert order == sorted(order), foundations


def test_the_headings_are_the_texts(shared_data: Path) -> None:
    texts = shared_data.parent / "seeds"
    if not texts.is_dir():
        pytest.skip("the texts are not here")
    first = next(texts.glob("001*")).read_text(encoding="utf-8")
    assert [one for one in headings(first) if not one.startswith("Diagram")] == [
        "Neural Networks and PyTorch",
        *DEEP_END,
    ]
    lines = next(texts.glob("004*")).read_text(encoding="utf-8").splitlines()
    places = [lines.index(heading) for heading in TEXT_ORDER]
    assert places == sorted(places)
