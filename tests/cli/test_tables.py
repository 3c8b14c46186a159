"""Scores as text: readable numbers, as many columns as there is room for."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from glasshouse.cli.tables import format_score, score_table, score_title
from glasshouse.core.records import Score


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000 (0.000 – 0.000)"),
        (9.99, "9.990 (9.990 – 9.990)"),
        (12.3456, "12.35 (12.35 – 12.35)"),
        (123.456, "123.5 (123.5 – 123.5)"),
        (1234.56, "1,235 (1,235 – 1,235)"),
        (1234567.0, "1,234,567 (1,234,567 – 1,234,567)"),
        (-0.25, "-0.250 (-0.250 – -0.250)"),
        (float("inf"), "inf (inf – inf)"),
    ],
)
def test_numbers_have_the_digits_that_mean_something(value: float, text: str) -> None:
    assert format_score(Score(value=value, low=value, high=value)) == text


@pytest.mark.parametrize(
    ("name", "title"), [("log_loss", "log loss ↓"), ("rmse", "RMSE ↓"), ("r2", "R² ↑"), ("accuracy", "accuracy ↑")]
)
def test_titles_say_which_way_is_better(name: str, title: str) -> None:
    assert score_title(name) == title


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (40, ["log loss ↓"]),
        (80, ["log loss ↓", "accuracy ↑"]),
        (100, ["log loss ↓", "accuracy ↑", "ROC AUC ↑"]),
        (130, ["log loss ↓", "accuracy ↑", "ROC AUC ↑", "F1 ↑"]),
    ],
)
def test_the_leading_score_comes_first_and_others_where_there_is_room(
    cli_metrics: Any, width: int, titles: list[str]
) -> None:
    import msgspec

    stream = io.StringIO()
    metrics = msgspec.structs.replace(cli_metrics, metric="log_loss")
    Console(file=stream, width=width, color_system=None).print(score_table(metrics, width))
    lines = stream.getvalue().splitlines()
    header = next(line for line in lines if "log loss" in line)
    assert [title.strip() for title in header.split("   ") if title.strip()] == titles
    assert max(map(len, lines)) <= max(width, 50)


def test_a_method_that_was_not_measured_has_no_line(cli_metrics: Any) -> None:
    import msgspec

    stream = io.StringIO()
    Console(file=stream, width=80).print(score_table(msgspec.structs.replace(cli_metrics, linear={}), 80))
    assert "linear model" not in stream.getvalue()
    assert "naive baseline" in stream.getvalue()
