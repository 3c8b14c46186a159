"""A picture of lines over one axis, as a page of its own: what `glasshouse learn --plot` writes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from glasshouse.report.charts import ACCENT, INK, QUIET, RULE, SOFT
from glasshouse.report.markup import script_json, text

_COLOURS = (ACCENT, "#b3541e", "#3b6ea8", "#8a5aa5", "#a3862a", "#c0526b", INK, QUIET, "#4f8f8f", "#6b6b2f", "#9c6b4e")


def lines_page(
    title: str, across: str, x: Sequence[float], lines: Mapping[str, Sequence[float]], *, logarithmic: bool = False
) -> str:
    """A page with one chart that needs nothing else, not even a network.

    Args:
        title: over the chart.
        across: what the horizontal axis counts.
        x: the places along it.
        lines: by name, as many numbers each.
        logarithmic: whether the vertical axis is logarithmic.

    Returns:
        HTML, about 5 MB, nearly all of it the drawing library.

    Example:
        >>> lines_page("A line", "step", [0, 1], {"loss": [1.0, 0.5]}).lstrip().startswith("<!doctype html>")
        True
    """
    from plotly.offline import get_plotlyjs

    axis = {"gridcolor": RULE, "zeroline": False, "linecolor": RULE}
    figure = {
        "data": [
            {"type": "scatter", "mode": "lines+markers" if len(x) <= 24 else "lines", "name": html.escape(name),
             "x": list(x), "y": list(values), "line": {"color": _COLOURS[place % len(_COLOURS)], "width": 2}}
            for place, (name, values) in enumerate(lines.items())
        ],
        "layout": {
            "title": {"text": html.escape(title), "x": 0.02},
            "font": {"family": "system-ui, sans-serif", "color": SOFT},
            "xaxis": {**axis, "title": {"text": html.escape(across)}},
            "yaxis": {**axis, "type": "log" if logarithmic else "linear", "exponentformat": "power"},
            "plot_bgcolor": "white",
            "showlegend": True,
        },
    }  # fmt: skip
    drawn = script_json({**figure, "config": {"displaylogo": False, "responsive": True}}, "figure")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>
<style>body {{ margin: 0 }} #chart {{ height: 100vh }}</style></head>
<body><div id="chart"></div>{drawn}<script>{get_plotlyjs()}</script>
<script>const drawn = JSON.parse(document.getElementById("figure").textContent);
Plotly.newPlot("chart", drawn.data, drawn.layout, drawn.config);</script>
</body></html>
"""
