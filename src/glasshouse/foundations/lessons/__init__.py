"""The lessons: each runs one idea and returns the numbers that the textbooks talk about.

`LESSONS` is in reading order, the order of `docs/foundations.md`. `glasshouse learn` prints them.
"""

from __future__ import annotations

from glasshouse.foundations.lessons import neurons
from glasshouse.foundations.lessons.lesson import Lesson, Numbers, Plot

__all__ = ["LESSONS", "Lesson", "Numbers", "Plot"]

LESSONS: tuple[Lesson, ...] = (
    # --- neurons
    Lesson(neurons.activations, ("activations",), Plot("x", ("values", "slopes"))),
    # --- networks
    # --- training
    # --- layers
)
