"""What a lesson is: a function from a seed to named numbers, with what to read beside it and how to draw it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# Names to numbers, words, lists of them (lists of one length are columns of one table), or dicts of equally long lists
# (a column each). Everything is plain Python, finite, and ready for JSON.
Numbers = dict[str, Any]


@dataclass(frozen=True)
class Plot:
    """Which numbers of a lesson make its picture.

    Args:
        x: the name of the list along the horizontal axis.
        y: the names of lists, or of dicts of lists, that are drawn over it, a line each.
        logarithmic: whether the vertical axis is logarithmic.
    """

    x: str
    y: tuple[str, ...]
    logarithmic: bool = False


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Args:
        run: from a seed to the numbers. Its name, with hyphens, is the topic; its docstring is what the reader is told,
            the first line as the title.
        reads: the files of `foundations/` to read beside it, by name.
        plot: its picture; None where numbers say it better.
    """

    run: Callable[[int], Numbers]
    reads: tuple[str, ...]
    plot: Plot | None = None

    @property
    def topic(self) -> str:
        """The word after `glasshouse learn`."""
        return self.run.__name__.replace("_", "-")
