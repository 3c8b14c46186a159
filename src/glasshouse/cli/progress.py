"""What a person sees while a network grows: the stage, a bar with the time left, and how good the ensemble is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from glasshouse.cli.console import errors
from glasshouse.core.records import AnyEvent, EpochEnd, Finished, Stage, Started

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_ENDINGS = {"patience": "nobody improved any more", "seconds": "the time was up", "interrupted": "stopped by Ctrl-C"}


@contextlib.contextmanager
def watching(title: str) -> Iterator[Callable[[AnyEvent], None]]:
    """Shows progress on standard error for as long as the block lasts.

    Args:
        title: what is being done, on the first line.

    Yields:
        A function that takes each event of the run: it draws on a terminal, and writes plain lines elsewhere.
    """
    screen = errors()
    screen.print(title, style="bold", markup=False, soft_wrap=True)
    if not screen.is_terminal:
        yield _Lines(screen)
        return
    from rich.live import Live

    board = _Board(screen)
    # transient: what stays on the screen is printed line by line as the stages end.
    with Live(board, console=screen, refresh_per_second=8, transient=True):
        yield board
        board.end()


def time_left(event: EpochEnd, seconds_since: float = 0.0) -> float:
    """Seconds until the schedule's end, from the pace so far.

    Args:
        event: the last finished epoch.
        seconds_since: how long ago that was.
    """
    if event.progress <= 0:
        return float("inf")
    return max(0.0, event.seconds * (1 - event.progress) / event.progress - seconds_since)


def clock(seconds: float) -> str:
    """A duration as a clock shows it.

    Example:
        >>> clock(67.2), clock(3725), clock(float("inf"))
        ('1:07', '1:02:05', '–:––')
    """
    if seconds == float("inf"):
        return "–:––"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _members(count: int, most: int) -> str:
    return f"{count} of {most} members training" if most > 1 else "1 member training"


def _pack(started: Started) -> str:
    sizes = [member.num_parameters for member in started.members]
    smallest, largest = min(sizes, default=0), max(sizes, default=0)
    size = f"{smallest:,}" if smallest == largest else f"{smallest:,} to {largest:,}"
    count = "1 member" if len(sizes) == 1 else f"{len(sizes)} members side by side"
    folds = f" of {started.folds} networks each, one a fold" if started.folds > 1 else ""
    return f"{count}{folds}, {size} parameters, {started.device} {started.precision}"


def _ending(event: Finished) -> str:
    networks = len(set(event.ensemble_members))
    chosen = "1 member" if networks == 1 else f"{networks} members"
    why = _ENDINGS.get(event.reason)
    epochs = "1 epoch" if event.epochs == 1 else f"{event.epochs} epochs"
    text = f"{epochs} in {clock(event.seconds)}, {chosen} chosen, validation loss {event.ensemble_loss:.4f}"
    return f"{text} ({why})" if why else text


class _Lines:
    """Plain lines for a pipe or a file: one a stage, and one a tenth of the training."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._most = 0
        self._tenth = 0

    def __call__(self, event: AnyEvent) -> None:
        match event:
            case Stage() if event.detail or event.stage != "train":
                self._say(event.stage, event.detail)
            case Started():
                self._most = len(event.members)
                self._say("train", _pack(event))
            case EpochEnd() if int(event.progress * 10) > self._tenth:
                self._tenth = int(event.progress * 10)
                self._say(
                    "train",
                    f"{event.progress:.0%}  {clock(time_left(event))} left  {_members(len(event.members), self._most)}"
                    f"  validation loss {event.ensemble_loss:.4f}",
                )
            case Finished():
                self._say("train", _ending(event))

    def _say(self, stage: str, detail: str) -> None:
        self._screen.print(f"{stage:<9} {detail}".rstrip(), markup=False, soft_wrap=True)


class _Board:
    """The living part of the screen: the stage that is under way, and the bar while it trains."""

    def __init__(self, screen: Console) -> None:
        from rich.spinner import Spinner

        self._screen = screen
        self._spinner = Spinner("dots", style="cyan")
        self._stage, self._detail = "start", "loading PyTorch"
        self._most = 0
        self._epoch: EpochEnd | None = None
        self._epoch_at = 0.0

    def __call__(self, event: AnyEvent) -> None:
        match event:
            case Stage():
                # A stage that speaks twice (what it will do, what it found) keeps one line: the last word.
                if event.stage != self._stage:
                    self.end()
                    self._stage, self._detail = event.stage, event.detail
                elif event.detail:
                    self._detail = event.detail
            case Started():
                if self._stage != "train":
                    self.end()
                self._stage, self._detail, self._most = "train", _pack(event), len(event.members)
            case EpochEnd():
                self._epoch, self._epoch_at = event, time.monotonic()
            case Finished():
                self._epoch, self._detail = None, _ending(event)

    def end(self) -> None:
        """Leaves the stage on the screen as done."""
        if self._stage != "start":
            self._screen.print(self._line("[green]✓[/]"))

    def _line(self, mark: str) -> Text:
        from rich.text import Text

        line = Text.from_markup(f"{mark} ")
        line.append(f"{self._stage:<9} ", style="bold")
        line.append(self._detail, style="dim")
        # One line a stage on any screen: what does not fit is cut, never wrapped.
        line.truncate(self._screen.width, overflow="ellipsis")
        return line

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        spinner = self._spinner.render(self._screen.get_time())
        mark = spinner.markup if isinstance(spinner, Text) else "·"
        line = self._line(f"[cyan]{mark}[/]")
        return Group(line, *self._bar()) if self._epoch is not None else line

    def _bar(self) -> list[RenderableType]:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        event = self._epoch
        assert event is not None
        left = clock(time_left(event, time.monotonic() - self._epoch_at))
        row = Table.grid(padding=(0, 2, 0, 0))
        width = max(10, min(40, self._screen.width - 48))
        bar = ProgressBar(
            total=1.0,
            completed=event.progress,
            width=width,
            style="grey30",
            complete_style="cyan",
            finished_style="green",
        )
        row.add_row(
            Text(" " * 10), bar, Text(f"{event.progress:4.0%}", style="bold"), Text(f"{left} left", style="cyan"),
            Text(f"epoch {event.epoch}", style="dim"),
        )  # fmt: skip
        details = Text(" " * 12)
        details.append(_members(len(event.members), self._most))
        details.append(", the ensemble's validation loss is ", style="dim")
        details.append(f"{event.ensemble_loss:.4f}", style="bold")
        details.truncate(self._screen.width, overflow="ellipsis")
        return [row, details]
