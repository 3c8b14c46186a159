"""The report's figures: plain Plotly descriptions in the colours of daylight, each with the words that go with it.

The page's script draws them, and swaps the colours at night. Names that come from the user's data are escaped, since
Plotly reads a little HTML in labels.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glasshouse.core.records import Calibration, EpochEnd, Metrics
from glasshouse.report import words

# Every colour of a chart by day, and what it becomes at night. The two lists share no value.
INK, SOFT, RULE, QUIET, ACCENT, TINT = "#24302b", "#55615b", "#dfe3df", "#8d9993", "#1c7656", "#a9d3c1"
NIGHT = {INK: "#e7ebe8", SOFT: "#a8b3ad", RULE: "#333c38", QUIET: "#77837d", ACCENT: "#5fcba4", TINT: "#2b5d4b"}

MOST_EPOCHS = 200  # drawn a curve
_FEW_EPOCHS = 12  # marked one by one
_LOG_RATIO = 8.0  # a loss that spans more is drawn on a logarithmic axis


@dataclass(frozen=True)
class Chart:
    """A figure and its words.

    Args:
        name: of the element in the page.
        title: what it shows.
        reading: one sentence that says how to read it, with a number from this run.
        alternative: the same for a reader who does not see it.
        figure: Plotly's description.
        height: in pixels.
    """

    name: str
    title: str
    reading: str
    alternative: str
    figure: dict[str, Any]
    height: int = 340


def scores_chart(metrics: Metrics) -> Chart:
    """The leading score of every contender, with its interval."""
    name = metrics.metric
    scale = 100.0 if name == "accuracy" else 1.0
    label = "right answers, of 100" if name == "accuracy" else f"{name.upper()}, in the unit of {metrics.target}"
    rows = list(reversed(words.CONTENDERS.items()))
    values = [getattr(metrics, key)[name] for key, _ in rows]
    own = [key == "ensemble" for key, _ in rows]
    dots = [one.value * scale for one in values]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": dots,
        "y": [title.replace(" (", "<br>(") for _, title in rows],  # narrow enough for a telephone
        "marker": {
            "color": [ACCENT if mine else SOFT for mine in own],
            "size": 12,
            "symbol": ["diamond" if mine else "circle" for mine in own],
        },
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(one.high - one.value, 0.0) * scale for one in values],
            "arrayminus": [max(one.value - one.low, 0.0) * scale for one in values],
            "color": QUIET,
            "thickness": 2,
            "width": 6,
        },
        "hovertemplate": "%{y}: %{x:.4g}<extra></extra>",
    }
    value, reach = words.score_text(name, metrics.ensemble[name])
    side = "Left" if name in words.LOWER_IS_BETTER else "Right"
    alternative = "; ".join(
        f"{title} {words.score_text(name, one)[0]}" for (_, title), one in zip(rows, values, strict=True)
    )
    return Chart(
        name="scores",
        title="The network beside simpler answers",
        reading=f"{side} is better. The mark is the score on the test rows, the bar where it could lie with other "
        f"rows: for the network {value}, from {reach}. Where bars overlap, the order may be chance.",
        alternative=f"{label}: {alternative}.",
        figure=_figure([trace], x=_axis(_plain(label)), y=_axis("", showgrid=False)),
        height=260,
    )


def curves_chart(epochs: Sequence[EpochEnd], chosen: frozenset[int], best_epoch: int | None) -> Chart:
    """Validation loss of every member and of the ensemble, epoch by epoch."""
    kept = _thin(epochs)
    few = len(kept) < _FEW_EPOCHS
    others, selected = _member_line(kept, chosen, within=False), _member_line(kept, chosen, within=True)
    ensemble = {
        "type": "scatter",
        "mode": "lines",
        "name": "the ensemble",
        "x": [end.epoch for end in kept],
        "y": [_drawable(end.ensemble_loss) for end in kept],
        "line": {"color": INK, "width": 3},
        "hovertemplate": "the ensemble, epoch %{x}: %{y:.4g}<extra></extra>",
    }
    drawn = [trace for trace in (others, selected) if trace["x"]] + [ensemble]
    if few:  # a line through one point is nothing
        drawn = [{**trace, "mode": "lines+markers"} for trace in drawn]
    losses = [loss for trace in drawn for loss in trace["y"] if loss is not None and loss > 0]
    log = bool(losses) and max(losses) / min(losses) > _LOG_RATIO
    ticks = {"type": "log", "tickvals": _log_ticks(min(losses), max(losses))} if log else {}
    y = _axis("validation loss (lower is better)", **ticks)
    first, last = epochs[0].ensemble_loss, epochs[-1].ensemble_loss
    at = f" The best single member was at its best after epoch {best_epoch}." if best_epoch else ""
    return Chart(
        name="curves",
        title="How the networks learnt",
        reading=f"Every thin line is one network; going down is learning, going up again is learning by heart. "
        f"The ensemble’s loss went from {words.figure(first)} after the first epoch to {words.figure(last)} "
        f"after {words.count(epochs[-1].epoch, 'epoch')}.{at}",
        alternative=f"{len({m for end in epochs for m in end.members})} networks over {epochs[-1].epoch} epochs; "
        f"{len(chosen)} of them are in the ensemble, whose validation loss fell from {words.figure(first)} "
        f"to {words.figure(last)}.",
        figure=_figure(drawn, x=_axis("epoch", **({"dtick": 1} if few else {})), y=y, legend=True),
        height=400,
    )


def reliability_chart(calibration: Calibration, classes: tuple[str, ...]) -> Chart:
    """What was said against what came true."""
    rows = [size for _, _, size in calibration.bins]
    said = [100 * one for one, _, _ in calibration.bins]
    came = [100 * one for _, one, _ in calibration.bins]
    what = f"“{classes[1]}”" if len(classes) == 2 else "its answer"
    farthest = max(range(len(rows)), key=lambda place: abs(said[place] - came[place]) * math.sqrt(rows[place]))
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "the network",
        "x": said,
        "y": came,
        "text": [words.count(size, "row") for size in rows],
        "marker": {"color": ACCENT, "size": [_short(8 + 14 * math.sqrt(size / max(rows))) for size in rows]},
        "line": {"color": ACCENT, "width": 2},
        "hovertemplate": "said %{x:.0f} in 100, came true %{y:.0f} in 100 (%{text})<extra></extra>",
    }
    sentence = (
        f"{words.count(rows[farthest], 'row')} that were given {words.percent(said[farthest] / 100, 0)} on average, "
        f"of which {words.percent(came[farthest] / 100, 0)} came true"
    )
    # For two classes the curve is of the second alone, and "too sure" would mean opposite sides for the two.
    sides = (
        f"below it {what} was promised too often, above it too seldom"
        if len(classes) == 2
        else "below it the network was too sure, above it too modest"
    )
    return Chart(
        name="reliability",
        title="Do its probabilities mean what they say?",
        reading=f"On the dashed line, probabilities are honest; {sides}. The dot that is off most: {sentence}.",
        alternative=f"Reliability curve of {len(rows)} groups of rows; {sentence}.",
        figure=_figure(
            [_diagonal(0, 100, "honest"), points],
            x=_axis(_plain(f"the network’s probability of {what}, in 100"), range=[-3, 103]),
            y=_axis("how often it came true, in 100", range=[-3, 103]),
            legend=True,
        ),
        height=400,
    )


def scatter_chart(metrics: Metrics) -> Chart:
    """Predicted against actual values."""
    pairs = metrics.diagnostics.scatter
    actual, predicted = [_short(a) for a, _ in pairs], [_short(p) for _, p in pairs]
    low, high = min(actual + predicted), max(actual + predicted)
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": "a test row",
        "x": actual,
        "y": predicted,
        "marker": {"color": ACCENT, "size": 6, "opacity": 0.45},
        "hovertemplate": "actual %{x}, predicted %{y}<extra></extra>",
    }
    explained = metrics.ensemble["r2"].value if "r2" in metrics.ensemble else None
    share = (
        f" The predictions explain {words.percent(explained, 0)} of the differences between rows."
        if explained is not None and explained > 0
        else ""
    )
    shown = f"{len(pairs):,} of {metrics.rows.test:,} shown"
    return Chart(
        name="scatter",
        title="Predicted against actual",
        reading=f"Every dot is a test row ({shown}). On the dashed line the prediction is exact; "
        f"above it too high, below it too low.{share}",
        alternative=f"{len(pairs):,} test rows around the diagonal, from {words.figure(low)} to "
        f"{words.figure(high)}.{share}",
        figure=_figure(
            [points, _diagonal(low, high, "exact")],
            x=_axis(_plain(f"actual {metrics.target}")),
            y=_axis(_plain(f"predicted {metrics.target}")),
            legend=True,
        ),
        height=440,
    )


def errors_chart(metrics: Metrics) -> Chart:
    """How errors (or the true class's probabilities) are distributed."""
    edges, counts = metrics.diagnostics.error_edges, metrics.diagnostics.error_counts
    regression = metrics.task == "regression"
    scale = 1.0 if regression else 100.0
    middles = [_short((a + b) / 2 * scale) for a, b in itertools.pairwise(edges)]
    total = max(sum(counts), 1)
    bars = {
        "type": "bar",
        "x": middles,
        "y": list(counts),
        "width": _short((edges[1] - edges[0]) * scale * 0.92),
        "marker": {"color": ACCENT},
        "hovertemplate": "around %{x:.4g}: %{y} rows<extra></extra>",
    }
    if regression:
        near = metrics.ensemble["mae"].value
        inside = sum(n for n, middle in zip(counts, middles, strict=True) if abs(middle) <= near)
        reading = (
            f"Bars left of 0 are predictions that were too low, right of 0 too high. About "
            f"{words.times(inside / total)} the error was smaller than {words.figure(near)}. "
            f"The outermost bars hold everything beyond."
        )
        title, label = "How far off", f"predicted minus actual {metrics.target}"
    else:
        sure = sum(n for n, middle in zip(counts, middles, strict=True) if middle >= 90)
        reading = (
            f"Bars on the right are rows where the network was sure of the truth; on the left it was sure of something "
            f"wrong. It gave the true answer more than 90{words.SPACE}% probability {words.times(sure / total)}."
        )
        title, label = "How sure of the truth", "probability given to the true answer, in 100"
    return Chart(
        name="errors",
        title=title,
        reading=reading,
        alternative=f"Histogram of {label} over {total:,} test rows. {reading}",
        figure=_figure([bars], x=_axis(_plain(label), zeroline=regression), y=_axis("test rows"), bargap=0),
    )


def _member_line(epochs: Sequence[EpochEnd], chosen: frozenset[int], *, within: bool) -> dict[str, Any]:
    """The curves of all members inside (or outside) the ensemble as one broken line: hundreds stay quick to draw."""
    x: list[int | None] = []
    y: list[float | None] = []
    label: list[str] = []
    members = sorted({member for end in epochs for member in end.members if (member in chosen) == within})
    for member in members:
        for end in epochs:
            if member in end.members:
                x.append(end.epoch)
                y.append(_drawable(end.validation_loss[end.members.index(member)]))
                label.append(f"network {member}")
        x.append(None)
        y.append(None)
        label.append("")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "in the ensemble" if within else "not chosen",
        "x": x,
        "y": y,
        "text": label,
        "line": {
            "color": ACCENT if within else QUIET,
            "width": 1.6 if within else 1,
            "dash": "solid" if within else "dot",
        },
        "hovertemplate": "%{text}, epoch %{x}: %{y:.4g}<extra></extra>",
    }


def _thin(epochs: Sequence[EpochEnd]) -> list[EpochEnd]:
    step = max(1, math.ceil(len(epochs) / MOST_EPOCHS))
    kept = list(epochs[::step])
    return kept if kept[-1] is epochs[-1] else [*kept, epochs[-1]]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times every power of ten in the range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{step}e{power}") for power in powers for step in (1, 2, 5)]
    return [tick for tick in ticks if low * 0.8 <= tick <= high * 1.25]


def _diagonal(low: float, high: float, name: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [low, high],
        "y": [low, high],
        "line": {"color": SOFT, "width": 1.5, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _axis(title: str, **more: Any) -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 13, "color": SOFT}, "standoff": 10},
        "gridcolor": RULE,
        "linecolor": RULE,
        "zerolinecolor": SOFT,
        "zeroline": False,
        "tickfont": {"color": SOFT},
        "automargin": True,
        "fixedrange": True,
        **more,
    }


def _figure(
    traces: list[dict[str, Any]], *, x: dict[str, Any], y: dict[str, Any], legend: bool = False, **more: Any
) -> dict[str, Any]:
    layout = {
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 13, "color": INK},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 14, "t": 36 if legend else 10, "b": 8},
        "xaxis": x,
        "yaxis": y,
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": SOFT}},
        "hoverlabel": {"font": {"size": 13}},
        "dragmode": False,
        **more,
    }
    return {"data": traces, "layout": layout}


def _plain(label: str) -> str:
    """A label that Plotly shows as it is, however much it looks like HTML; long ones are cut."""
    return html.escape(label if len(label) <= 70 else label[:69] + "…", quote=False)


def _drawable(loss: float) -> float | None:
    """A loss as JSON can hold it: a network that diverged leaves a gap."""
    return _short(loss) if math.isfinite(loss) else None


def _short(value: float) -> float:
    """Six significant digits: enough for any screen, and half the page's numbers."""
    return float(f"{value:.6g}")
