"""`glasshouse learn`: every topic as text and as JSON, its picture, its code, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from glasshouse.cli.learn import lessons_by_topic
from glasshouse.cli.main import main
from glasshouse.cli.numbers import MOST_ROWS, alone, fitting, shown, tables, thinned
from glasshouse.foundations.lessons import LESSONS

TOPICS = [lesson.topic for lesson in LESSONS]


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """What a command prints, on standard output, or on standard error where it fails."""
    assert main(["learn", *words]) == status
    captured = capsys.readouterr()
    return captured.err if status and "--json" not in words else captured.out


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_runs_and_fits_a_terminal(
    topic: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = said(capsys, topic)
    assert f"glasshouse learn {topic} --code" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    numbers = json.loads(said(capsys, topic, "--json"))
    assert numbers["topic"] == topic
    for name in numbers.keys() - {"topic", "title", "seed"}:
        assert name in text or all(isinstance(one, str) for one in numbers[name])


def test_the_topics_are_listed_in_reading_order(capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(said(capsys, "--list", "--json"))["topics"]
    assert list(listed) == TOPICS
    assert listed["xor"]["reads"][0] == "foundations/perceptron.py"
    text = said(capsys)
    assert text == said(capsys, "--list")
    places = [text.index(f" {topic} ") for topic in TOPICS]
    assert places == sorted(places)


def test_the_named_numbers_are_at_the_top(capsys: pytest.CaptureFixture[str]) -> None:
    xor = json.loads(said(capsys, "xor", "--json"))
    assert xor["perceptron_accuracy"] < xor["network_accuracy"] == 1.0
    sine = json.loads(said(capsys, "sine", "--json"))
    assert len(sine["widths"]) == len(sine["errors"])
    initialisation = json.loads(said(capsys, "initialisation", "--json"))
    assert all(len(spread) == 50 for spread in initialisation["spread"].values())


def test_a_seed_changes_what_is_random(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, again = (said(capsys, "forward", "--json", "--seed", seed) for seed in ("0", "1", "0"))
    assert first == again != second


def test_a_topic_may_be_typed_as_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(capsys, "Dead_ReLU", "--json"))["topic"] == "dead-relu"


@pytest.mark.parametrize("topic", [lesson.topic for lesson in LESSONS if lesson.plot])
def test_a_picture_is_one_page_that_needs_nothing(
    topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "picture.html"
    assert str(page) in said(capsys, topic, "--plot", str(page)).replace("\n", "")
    written = page.read_text(encoding="utf-8")
    assert "Plotly.newPlot" in written
    assert "<script src" not in written
    drawn = json.loads(written.split('id="figure">')[1].split("</script>")[0])
    lesson = lessons_by_topic()[topic]
    assert lesson.plot is not None
    numbers = lesson.run(0)
    lines = sum(len(numbers[name]) if isinstance(numbers[name], dict) else 1 for name in lesson.plot.y)
    assert len({(line["name"], line["yaxis"]) for line in drawn["data"]}) == len(drawn["data"]) == lines
    assert len({line["yaxis"] for line in drawn["data"]}) == len(lesson.plot.y)
    assert sum(line["showlegend"] for line in drawn["data"]) == len({line["name"] for line in drawn["data"]})
    assert drawn["data"][0]["x"] == numbers[lesson.plot.x]


def test_the_code_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(__file__).resolve().parents[2] / "src/glasshouse/foundations/tape.py"
    assert source.read_text(encoding="utf-8") in said(capsys, "chain-rule", "--code")


@pytest.mark.parametrize(
    ("words", "problem", "fix"),
    [
        (["xr"], "no lesson is called 'xr'", "glasshouse learn xor"),
        (["quantum"], "no lesson is called 'quantum'", "glasshouse learn"),
        (["neuron", "--plot", "a.html"], "the lesson neuron has no picture", "glasshouse learn neuron"),
        (["sine", "--plot", "a.png"], "a picture cannot be written as .png", "--plot a.html"),
        (["sine", "--plot", "a"], "cannot be written as a file without an ending", "--plot a.html"),
        (["sine", "--plot", "no/folder/a.html"], "there is no folder no/folder", "mkdir -p no/folder"),
        (["--plot", "a.html"], "--plot needs a topic", "glasshouse learn xor"),
        (["--code"], "--code needs a topic", "glasshouse learn xor"),
        (["xor", "--seed", "-1"], "the value of --seed cannot be read", "glasshouse learn --help"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_fix(
    words: list[str],
    problem: str,
    fix: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    text = said(capsys, *words, status=2)
    assert problem in text
    assert f"fix:      {fix}\n" in text
    error = json.loads(said(capsys, *words, "--json", status=2))
    assert problem in error["problem"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_pictures_name_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.html").mkdir()
    text = said(capsys, "sine", "--plot", "a.html", status=2)
    assert "a.html is a folder" in text
    assert f"fix:      --plot {Path('a.html/picture.html')}\n" in text


def test_learning_loads_no_torch() -> None:
    script = (
        "import sys; from glasshouse.cli.main import main; main(['learn', 'xor', '--json'])\n"
        "sys.exit(str(sorted({'torch', 'polars', 'sklearn', 'plotly', 'pandas'} & set(sys.modules))))"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert finished.stderr.strip() == "[]"


def test_long_tables_keep_their_ends() -> None:
    assert list(thinned(MOST_ROWS)) == list(range(MOST_ROWS))
    for rows in (25, 50, 101, 5000):
        chosen = list(thinned(rows))
        assert chosen[0] == 0 and chosen[-1] == rows - 1
        assert len(chosen) <= MOST_ROWS


def test_parts_of_a_table_stand_apart(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = said(capsys, "activations").splitlines()
    starts = [place for place, line in enumerate(lines) if line.split() in (["values"], ["slopes"])]
    assert len(starts) == 4  # eleven columns are two parts each
    assert all(not lines[place - 1].strip() for place in starts)


def test_wide_tables_are_cut_between_columns() -> None:
    columns = {"step": [1, 2], **{f"column_{place}": [0.5, 0.25] for place in range(20)}}
    parts = list(fitting(columns, 60))
    assert len(parts) > 1
    assert all(next(iter(part)) == "step" for part in parts)
    assert [name for part in parts for name in part if name != "step"] == [name for name in columns if name != "step"]
    assert list(fitting({"only": ["x" * 100]}, 10)) == [{"only": ["x" * 100]}]


def test_what_stands_alone_and_what_makes_a_table() -> None:
    numbers = {
        "one": 1,
        "x": [1, 2],
        "y": [3, 4],
        "odd": [1, 2, 3],
        "by": {"a": [5, 6], "b": [7, 8]},
        "sums": {"a": 1},
        "rows": [[1, 2]],
    }
    assert alone(numbers) == {"one": "1", "odd": "1, 2, 3"}
    assert list(tables(numbers)) == [
        ("", {"x": [1, 2], "y": [3, 4]}),
        ("by", {"x": [1, 2], "a": [5, 6], "b": [7, 8]}),
        ("sums", {"": ["a"], " ": [1]}),
        ("rows", {"0": [1], "1": [2]}),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1234.5678, "1,235"),
        (123456.7, "123,457"),
        (9999.4, "9,999"),
        (-9999.7, "-10,000"),
        (1e20, "1e+20"),
        (3, "3"),
        (False, "no"),
        (1.5e-9, "1.5e-09"),
    ],
)
def test_numbers_are_legible(value: float, text: str) -> None:
    assert shown(value) == text
