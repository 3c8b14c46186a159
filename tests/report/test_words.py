"""Sentences that a person reads first must say the number that was measured."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.core.records import Score
from glasshouse.report import words


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (0.9737, "97 times in 100"),
        (0.63, "63 times in 100"),
        (0.99, "99 times in 100"),
        (0.9985, "998 times in 1,000"),
        (0.99996, "99,996 times in 100,000"),
        (0.004, "4 times in 1,000"),
        (0.001, "once in 1,000"),
        (0.01, "once in 100"),
        (1.0, "every time"),
        (0.0, "never"),
        (1 - 1e-9, "almost every time"),
        (1e-9, "almost never"),
    ],
)
def test_times(fraction, said):
    assert words.times(fraction) == said


@given(st.floats(0.0, 1.0))
def test_times_never_rounds_to_certainty_and_is_close(fraction):
    said = words.times(fraction)
    if said in ("every time", "never"):
        assert fraction in (0.0, 1.0)
    numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", said)]
    if len(numbers) == 2:
        assert numbers[0] / numbers[1] == pytest.approx(fraction, abs=0.0051)
        assert 0 < numbers[0] < numbers[1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"), (48213.4, "48,213"), (-0.01234, "−0.0123"), (12.0, "12"), (1e-7, "1.00e−07"), (3.14159, "3.14"),
        (1000.0, "1,000"), (float("inf"), "inf"), (2.5e15, "2.50e+15"),
    ],
)  # fmt: skip
def test_figures(value, said):
    assert words.figure(value) == said


def test_scores_have_the_decimals_that_their_interval_deserves():
    assert words.score_text("rmse", Score(value=48213.0, low=47101.0, high=49322.0)) == ("48,200", "47,100 to 49,300")
    assert words.score_text("accuracy", Score(value=0.8652, low=0.8611, high=0.8691)) == (
        "86.52\xa0%",
        "86.11 to 86.91",
    )
    assert words.score_text("r2", Score(value=-0.0001, low=-0.04, high=0.0)) == ("0.000", "−0.040 to 0.000")
    assert words.score_text("r2", Score(value=0.98, low=0.98, high=0.98))[0] == "0.980"


def test_a_difference_is_called_clear_only_if_the_intervals_do_not_meet():
    low, middle, high = (Score(value=v, low=v - 0.02, high=v + 0.02) for v in (0.80, 0.83, 0.90))
    assert words.comparison("accuracy", high, low) == "clearly better"
    assert words.comparison("rmse", high, low) == "clearly worse"
    assert words.comparison("rmse", low, middle) == "slightly better, but chance alone could explain the difference"
    assert words.comparison("accuracy", low, middle) == "slightly worse, but chance alone could explain the difference"
    assert words.comparison("accuracy", low, low) == "no different"


def test_headline_of_classes_says_both_numbers(binary_run):
    metrics = binary_run[2]
    said = words.headline(metrics).replace("\xa0", " ")
    right, naive = (round(100 * s["accuracy"].value) for s in (metrics.ensemble, metrics.baseline))
    assert said == (
        f"On 114 rows it had never seen, the network was right {right} times in 100; "
        f"always guessing the most frequent answer would be right {naive} times in 100."
    )


def test_headline_of_a_number_says_the_mean_errors(regression_run):
    metrics = regression_run[2]
    said = words.headline(metrics)
    assert f"answer for progression was off by {metrics.ensemble['mae'].value:.1f} on average" in said
    assert f"linear model is off by {metrics.linear['mae'].value:.1f} on average" in words.how_sure(metrics)
    assert f"would be off by {metrics.baseline['mae'].value:.1f}." in said
    assert "95\xa0% interval" in words.how_sure(metrics)


def test_one_row_is_singular(binary_run):
    metrics = binary_run[2]
    one = msgspec.structs.replace(metrics, rows=msgspec.structs.replace(metrics.rows, test=1))
    assert words.headline(one).startswith("On 1\xa0row it")


def test_questions_and_durations():
    assert words.task_words("binary", ("no", "yes")) == "choose between 2 classes: no or yes"
    assert words.task_words("multiclass", tuple("abcdefgh")) == "choose between 8 classes: a, b, c, d, e, f, …"
    assert words.duration(59.94) == "59.9\xa0seconds"
    assert words.duration(20.0) == "20\xa0seconds"
    assert words.duration(60) == "1\xa0minute"
    assert words.duration(3600) == "1\xa0hour"
