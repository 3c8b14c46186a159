"""The picture of a run while it trains: on a terminal, in a pipe, on a narrow screen."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from rich.console import Console

from glasshouse.cli import progress
from glasshouse.cli.progress import clock, time_left, watching
from glasshouse.core.records import AnyEvent, EpochEnd, Stage, Started


def epoch_end(seconds: float, part: float) -> EpochEnd:
    return EpochEnd(
        epoch=1, epochs=10, seconds=seconds, progress=part, members=(0,), train_loss=(1.0,), validation_loss=(1.0,),
        learning_rate=(0.1,), ensemble_loss=1.0, ensemble_members=(0,),
    )  # fmt: skip


def test_time_left_goes_on_at_the_same_pace() -> None:
    assert time_left(epoch_end(10.0, 0.25)) == pytest.approx(30.0)
    assert time_left(epoch_end(10.0, 0.25), seconds_since=5.0) == pytest.approx(25.0)
    assert time_left(epoch_end(10.0, 0.25), seconds_since=99.0) == 0.0
    assert time_left(epoch_end(10.0, 0.0)) == float("inf")


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3600, "1:00:00"), (3599.4, "59:59")])
def test_a_clock_rounds_to_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def shown(monkeypatch: pytest.MonkeyPatch, happened: Iterable[AnyEvent], *, width: int) -> str:
    """Everything that is written to a terminal of some width, without colours."""
    stream = io.StringIO()
    screen = Console(file=stream, force_terminal=True, width=width, color_system=None, highlight=False)
    monkeypatch.setattr(progress, "errors", lambda: screen)
    with watching("a.csv → y") as watch:
        for event in happened:
            watch(event)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_terminal_keeps_one_line_a_stage(monkeypatch: pytest.MonkeyPatch, cli_events: Any, width: int) -> None:
    lines = [line for line in shown(monkeypatch, cli_events, width=width).splitlines() if "✓" in line]
    assert [line.split("✓")[1].split()[0] for line in lines] == ["read", "split", "train", "evaluate"]
    assert all(len(line.split("\x1b[2K")[-1]) <= width for line in lines)


def test_a_stage_that_speaks_twice_keeps_its_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, [Stage(stage="read", detail="a.csv"), Stage(stage="read", detail="9 rows")], width=80)
    assert [line.split("✓")[1].split() for line in text.splitlines() if "✓" in line] == [["read", "9", "rows"]]


def test_the_bar_says_what_a_person_wants_to_know(monkeypatch: pytest.MonkeyPatch, cli_events: Any) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None, highlight=False)
    board = progress._Board(screen)
    for event in cli_events:
        board(event)
        if isinstance(event, EpochEnd) and event.epoch == 10:
            break
    with screen.capture() as captured:
        screen.print(board)
    lines = captured.get().splitlines()
    assert "16 members side by side, 4,000 to 5,500 parameters, cpu float32" in lines[0]
    assert lines[1].split()[-5:] == ["50%", "0:05", "left", "epoch", "10"]
    assert lines[2].strip() == "12 of 16 members training, the ensemble's validation loss is 0.0400"
    assert max(map(len, lines)) <= 80


def test_a_pipe_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cli_events: Any
) -> None:
    with watching("a.csv → y") as watch:
        for event in cli_events:
            watch(event)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0] == "a.csv → y"
    assert "read      569 rows, 31 columns" in lines
    assert "train     50%  0:05 left  12 of 16 members training  validation loss 0.0400" in lines
    assert sum(" left " in line for line in lines) == 10
    assert "\x1b" not in said.err
    assert sys.stderr is not None


def test_a_pack_of_one_is_one_member(monkeypatch: pytest.MonkeyPatch, cli_events: Any) -> None:
    started = next(event for event in cli_events if isinstance(event, Started))
    alone = Started(
        members=started.members[:1], epochs=2, steps_per_epoch=1, batch_size=8, device="cpu", precision="float32"
    )
    text = shown(monkeypatch, [alone], width=80)
    assert "1 member, 4,000 parameters, cpu float32" in text


def test_an_error_on_the_way_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> Iterable[AnyEvent]:
        yield Stage(stage="read")
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        shown(monkeypatch, failing(), width=80)
