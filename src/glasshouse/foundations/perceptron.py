"""The perceptron: a neuron with a step that learns from its mistakes, and the task that it can never learn.

For each row in turn: predict 1 if w·x + b >= 0, else 0. If that was wrong, move towards the answer (Rosenblatt, 1958):

    w ← w + η (actual - predicted) x        b ← b + η (actual - predicted)

Where a straight line separates the classes, this ends after finitely many mistakes (Novikoff, 1962). Where none does,
as in XOR, the weights stay within bounds for ever (Block and Levin, 1970): on rows of whole numbers there are finitely
many states, so one must come back, and from then on everything repeats. Seeing a state twice is therefore a proof, and
the place to stop. It is one only where sums are exact, as those of whole numbers are: 1 added to 1e17 is lost in
rounding, and a state that comes back for that reason says nothing of the rows.

Try this: does the order of the rows change whether AND is learnt, or only how fast? (Only how fast.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.activations import step

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Learnt:
    """Where the learning rule ended.

    Args:
        weight: (features,).
        bias: the number added to the weighted sum.
        mistakes: rows that were wrong in each epoch, the last one included.
        converged: whether the last epoch had no mistake.
        repeats: whether a state came back, so that it would go round for ever. On whole numbers, whose sums are exact
            (up to 2^53), this proves that no line separates the classes.
    """

    weight: Array
    bias: float
    mistakes: tuple[int, ...]
    converged: bool
    repeats: bool


def predict(x: Array, weight: Array, bias: float) -> Array:
    """1 where w·x + b >= 0, else 0.

    Shapes:
        x: (..., features); weight: (features,); returns (...)
    """
    return step(x @ weight + bias)


def learn(x: Array, actual: Array, learning_rate: float = 1.0, most_epochs: int = 1000) -> Learnt:
    """Rosenblatt's rule from zero weights, until an epoch without a mistake or a state seen before.

    Shapes:
        x: (rows, features); actual: (rows,), each 0 or 1

    Example:
        >>> corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> learn(corners, np.array([0.0, 0.0, 0.0, 1.0])).converged  # AND
        True
        >>> learn(corners, np.array([0.0, 1.0, 1.0, 0.0])).repeats  # XOR
        True
    """
    # The rate only scales the weights, since they start from zero. Counting in steps of it keeps whole numbers exact,
    # where sums of 0.1 would come back as 0.30000000000000004 and no state would ever be seen twice.
    weight, bias = np.zeros(x.shape[1]), 0.0
    mistakes: list[int] = []
    seen: set[tuple[float, ...]] = set()
    while len(mistakes) < most_epochs and (*weight, bias) not in seen:
        seen.add((*weight, bias))
        mistakes.append(0)
        for row, answer in zip(x, actual, strict=True):
            error = float(answer - predict(row, weight, bias))
            weight = weight + error * row
            bias = bias + error
            mistakes[-1] += error != 0.0
        if mistakes[-1] == 0:
            return Learnt(weight * learning_rate, bias * learning_rate, tuple(mistakes), converged=True, repeats=False)
    repeats = (*weight, bias) in seen
    return Learnt(weight * learning_rate, bias * learning_rate, tuple(mistakes), converged=False, repeats=repeats)


def decision_line(weight: Array, bias: float) -> tuple[float, float]:
    """Slope and intercept of the line w₁x₁ + w₂x₂ + b = 0 between the two answers, as x₂ = slope · x₁ + intercept.

    Returns:
        (slope, intercept); the line x₁ = -b / w₁ stands upright where w₂ is 0: (infinite, nan).
    """
    if weight[1] == 0.0:
        return float("inf"), float("nan")
    return float(-weight[0] / weight[1]), float(-bias / weight[1])


def best_line(x: Array, actual: Array) -> float:
    """The largest share of rows that any straight line puts on the right side: every way to part them is tried.

    Seen along a direction the rows stand in some order, and a line across it cuts the order in two. The order changes
    only where two rows stand level, so one direction between each two such angles, with every cut, is all there is.

    Shapes:
        x: (rows, 2), two or more, no two alike; actual: (rows,), each 0 or 1

    Example:
        >>> corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> best_line(corners, np.array([0.0, 1.0, 1.0, 0.0]))  # XOR: no line gets all four
        0.75
    """
    across = (x[:, None] - x[None, :])[~np.eye(len(x), dtype=bool)]
    level = np.mod(np.arctan2(across[:, 1], across[:, 0]) / np.pi + 0.5, 1.0)  # in half turns
    # Two pairs on parallel lines give one angle, but for its last digit. Between the two the order is of rounding's
    # making, and its cut no line: of 4,000 turned grids, 12 seemed to be parted better than any line can.
    level = np.unique(np.mod(np.round(level, 12), 1.0))
    best = 0
    for angle in np.pi * (level + np.diff(level, append=level[0] + 1.0) / 2):
        ordered = actual[np.argsort(x @ np.array([np.cos(angle), np.sin(angle)]))]
        for cut in range(len(x) + 1):
            right = int(np.sum(ordered[:cut] == 0.0) + np.sum(ordered[cut:] == 1.0))
            best = max(best, right, len(x) - right)  # the line may point either way
    return best / len(x)
