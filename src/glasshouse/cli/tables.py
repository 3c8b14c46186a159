"""Scores as text: numbers with their 95 % intervals, as many columns as the screen holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from glasshouse.cli.console import plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from glasshouse.core.records import Metrics, Score, Scores

_NAMES = {"log_loss": "log loss", "roc_auc": "ROC AUC", "f1": "F1", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}
_LOWER_IS_BETTER = frozenset({"log_loss", "rmse", "mae"})
_NAME_WIDTH, _SCORE_WIDTH = 22, 25  # the widest method's name; a score with its interval and the gap after it


def score_title(name: str) -> str:
    """A score's name for people, with an arrow that says which way is better.

    Example:
        >>> score_title("roc_auc")
        'ROC AUC ↑'
    """
    return f"{_NAMES.get(name, name)} {'↓' if name in _LOWER_IS_BETTER else '↑'}"


def format_score(score: Score) -> str:
    """The value, and its interval in brackets, to the precision that the interval bears.

    Example:
        >>> from glasshouse.core.records import Score
        >>> format_score(Score(value=0.97368, low=0.947, high=0.991))
        '0.974 (0.947 – 0.991)'
        >>> format_score(Score(value=48213.4, low=46950, high=49500))
        '48,213 (46,950 – 49,500)'
    """
    decimals = _decimals(max(abs(score.value), abs(score.low), abs(score.high)))
    value, low, high = (f"{number:,.{decimals}f}" for number in (score.value, score.low, score.high))
    return f"{value} ({low} – {high})"


def _decimals(size: float) -> int:
    """Three decimals up to ten, then as many as make four digits, none from a thousand on."""
    if not math.isfinite(size) or size < 10:
        return 3
    return max(0, 3 - int(math.log10(size)))


def score_table(metrics: Metrics, width: int) -> Table:
    """The table that ends a run: the ensemble beside ways to predict that need no network, or one alone.

    Args:
        metrics: of the run.
        width: of the screen, in characters; the leading score always has a place, others where there is room.
    """
    from rich.markup import escape

    methods: list[tuple[str, Scores]] = [
        ("naive baseline", metrics.baseline),
        ("linear model", metrics.linear),
        ("best single member", metrics.best_single),
        ("ensemble", metrics.ensemble),
    ]
    table = scores_by_row(
        [(name, scores) for name, scores in methods if scores], metrics.metric, width, emphasis=methods[-1][0]
    )
    table.title = f"{escape(metrics.target)}: scores on {metrics.rows.test:,} rows it has never seen (95 % interval)"
    table.title_justify, table.title_style = "left", "bold"
    return table


def scores_by_row(
    rows: Iterable[tuple[str, Mapping[str, Score]]], first: str, width: int, *, emphasis: str = ""
) -> Table:
    """One line a method, group or run; one column a score, the leading one first.

    Args:
        rows: a name and its scores.
        first: the score that leads.
        width: of the screen, in characters.
        emphasis: the name of the row that is shown in bold.
    """
    from rich.markup import escape

    lines = list(rows)
    names = dict.fromkeys(name for _, scores in lines for name in scores)
    ordered = sorted(names, key=lambda name: name != first)
    fitting = max(1, (width - max([_NAME_WIDTH, *(len(name) + 3 for name, _ in lines)])) // _SCORE_WIDTH)
    table = plain_table()
    table.add_column("", no_wrap=True)
    for name in ordered[:fitting]:
        table.add_column(score_title(name), justify="right", no_wrap=True)
    for label, scores in lines:
        cells = [format_score(scores[name]) if name in scores else "–" for name in ordered[:fitting]]
        table.add_row(escape(label), *cells, style="bold" if label == emphasis else None)
    return table
