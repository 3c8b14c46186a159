"""Figures: valid for Plotly, honest in number, each with its words."""

from __future__ import annotations

import colorsys
import re

import msgspec
import pytest

from glasshouse.core.records import EpochEnd
from glasshouse.report import charts


def every_chart(run):
    _, _, metrics, history = run
    epochs = [event for event in history if isinstance(event, EpochEnd)]
    yield charts.scores_chart(metrics)
    yield charts.curves_chart(epochs, frozenset({0, 1, 3}), 31)
    yield charts.errors_chart(metrics)
    if metrics.calibration:
        yield charts.reliability_chart(metrics.calibration, metrics.classes)
    else:
        yield charts.scatter_chart(metrics)


@pytest.mark.parametrize("name", ["binary_run", "multiclass_run", "regression_run"])
def test_every_figure_is_valid_and_has_a_number_in_its_words(name, request):
    import plotly.graph_objects as go

    found = list(every_chart(request.getfixturevalue(name)))
    assert len({chart.name for chart in found}) == 4
    for chart in found:
        go.Figure(chart.figure)  # raises where a property is unknown or out of range
        assert re.search(r"\d", chart.reading), chart.name
        assert chart.alternative


def test_an_invalid_figure_would_be_noticed(binary_run):
    import plotly.graph_objects as go

    chart = charts.scores_chart(binary_run[2])
    broken = {**chart.figure, "layout": {**chart.figure["layout"], "colour": "red"}}
    with pytest.raises(ValueError, match="colour"):
        go.Figure(broken)


def test_curves_hold_every_member_once_on_the_right_side(binary_run):
    epochs = [event for event in binary_run[3] if isinstance(event, EpochEnd)]
    traces = {t["name"]: t for t in charts.curves_chart(epochs, frozenset({0, 1, 3}), 31).figure["data"]}
    assert set(traces) == {"not chosen", "in the ensemble", "the ensemble"}
    assert set(traces["in the ensemble"]["text"]) == {"network 0", "network 1", "network 3", ""}
    assert traces["in the ensemble"]["x"].count(1) == 3
    third = traces["in the ensemble"]["text"].index("network 3")
    assert traces["in the ensemble"]["y"][third] == pytest.approx(epochs[0].validation_loss[3], rel=1e-5)
    gone = [x for x, t in zip(traces["not chosen"]["x"], traces["not chosen"]["text"], strict=True) if t == "network 5"]
    assert max(gone) == 22
    assert len(traces["the ensemble"]["y"]) == 40


def test_long_runs_are_thinned_and_keep_their_last_epoch(binary_run):
    first = next(event for event in binary_run[3] if isinstance(event, EpochEnd))
    epochs = [msgspec.structs.replace(first, epoch=i + 1) for i in range(1001)]
    ensemble = charts.curves_chart(epochs, frozenset({1}), None).figure["data"][-1]
    assert len(ensemble["x"]) <= charts.MOST_EPOCHS + 1
    assert ensemble["x"][-1] == 1001


def test_one_epoch_is_still_seen(binary_run):
    first = next(event for event in binary_run[3] if isinstance(event, EpochEnd))
    figure = charts.curves_chart([first], frozenset({1}), 1).figure
    assert {trace["mode"] for trace in figure["data"]} == {"lines+markers"}
    assert figure["layout"]["xaxis"]["dtick"] == 1


def test_a_diverged_member_leaves_a_gap(binary_run):
    epochs = [event for event in binary_run[3] if isinstance(event, EpochEnd)][:2]
    worse = msgspec.structs.replace(epochs[1], validation_loss=(float("nan"), *epochs[1].validation_loss[1:]))
    chosen = charts.curves_chart([epochs[0], worse], frozenset({0}), 1).figure["data"][1]
    assert chosen["y"][1] is None


def test_names_that_look_like_html_are_shown_as_they_are(regression_run):
    metrics = msgspec.structs.replace(regression_run[2], target="<b>x</b>")
    figure = charts.scatter_chart(metrics).figure
    assert figure["layout"]["xaxis"]["title"]["text"] == "actual &lt;b&gt;x&lt;/b&gt;"
    scores = charts.scores_chart(metrics).figure
    assert "<b>" not in scores["layout"]["xaxis"]["title"]["text"]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_words_can_be_read_by_day_and_by_night():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for colour in (charts.INK, charts.SOFT, charts.ACCENT):
        assert contrast(colour, "#fbfbf9") >= 4.5
        assert contrast(charts.NIGHT[colour], "#141816") >= 4.5


def test_the_style_sheet_holds_its_contrasts():
    from importlib import resources

    style = resources.files("glasshouse.report").joinpath("style.css").read_text()
    day, night = style.split("@media (prefers-color-scheme: dark)")
    night, paper = night.split("@media print")
    for part in (day, night, paper):
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part))
        for ink, grounds in {
            "ink": ("paper", "sheet", "tint", "warn-tint", "bad-tint"), "soft": ("paper", "sheet", "tint", "bad-tint"),
            "accent": ("paper", "sheet"), "warn": ("sheet",), "bad": ("bad-tint",),
        }.items():  # fmt: skip
            for ground in grounds:
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def test_day_and_night_share_no_colour_so_that_swapping_is_unambiguous():
    assert not set(charts.NIGHT) & set(charts.NIGHT.values())
    hues = {
        colorsys.rgb_to_hls(*(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)))[0]
        for c in (charts.ACCENT, charts.NIGHT[charts.ACCENT])
    }
    assert max(hues) - min(hues) < 0.03  # one accent
