"""A picture of lines over one axis, as a page of its own: what `glasshouse learn --plot` writes."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from glasshouse.report.charts import ACCENT, INK, QUIET, RULE, SOFT
from glasshouse.report.markup import script_json, text

_COLOURS = (ACCENT, "#b3541e", "#3b6ea8", "#8a5aa5", "#a3862a", "#c0526b", INK, QUIET, "#4f8f8f", "#6b6b2f", "#9c6b4e")
_MARKED = 24  # places, up to which each is marked


def lines_page(
    title: str,
    across: str,
    x: Sequence[float],
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    logarithmic: bool = False,
) -> str:
    """A page with lines in panels side by side, that needs nothing else, not even a network.

    Args:
        title: over the picture.
        across: what the horizontal axes count.
        x: the places along them.
        panels: by name, which its vertical axis bears, lines by name, each of as many numbers as x. A line of the same
            name has the same colour in every panel, and stands in the legend once.
        logarithmic: whether the vertical axes are logarithmic.

    Returns:
        HTML, about 5 MB, nearly all of it the drawing library.

    Example:
        >>> lines_page("A line", "step", [0, 1], {"loss": {"sgd": [1.0, 0.5]}}).startswith("<!doctype html>")
        True
    """
    from plotly.offline import get_plotlyjs

    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "title": {"text": html.escape(title), "x": 0.02},
        "font": {"family": "system-ui, sans-serif", "color": SOFT},
        "plot_bgcolor": "white",
        "showlegend": len(names) > 1,
    }
    room = 1.0 / len(panels)
    for place, (panel, lines) in enumerate(panels.items()):
        number = "" if place == 0 else str(place + 1)
        axis = {"gridcolor": RULE, "zeroline": False, "linecolor": RULE}
        domain = [place * room + (0.08 if place else 0.0), (place + 1) * room]
        layout[f"xaxis{number}"] = {**axis, "title": {"text": html.escape(across)}, "domain": domain}
        layout[f"yaxis{number}"] = {
            **axis, "title": {"text": html.escape(panel)}, "anchor": f"x{number}", "exponentformat": "power",
            "type": "log" if logarithmic else "linear",
        }  # fmt: skip
        for name, values in lines.items():
            new = not any(line["legendgroup"] == name for line in data)
            data.append({
                "type": "scatter", "mode": "lines+markers" if len(x) <= _MARKED else "lines", "name": html.escape(name),
                "x": list(x), "y": list(values), "xaxis": f"x{number}", "yaxis": f"y{number}", "legendgroup": name,
                "showlegend": new, "line": {"color": _COLOURS[names.index(name) % len(_COLOURS)], "width": 2},
            })  # fmt: skip
    drawn = script_json(
        {"data": data, "layout": layout, "config": {"displaylogo": False, "responsive": True}}, "figure"
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>
<style>body {{ margin: 0 }} #chart {{ height: 100vh }}</style></head>
<body><div id="chart"></div>{drawn}<script>{get_plotlyjs()}</script>
<script>const drawn = JSON.parse(document.getElementById("figure").textContent);
Plotly.newPlot("chart", drawn.data, drawn.layout, drawn.config);</script>
</body></html>
"""
