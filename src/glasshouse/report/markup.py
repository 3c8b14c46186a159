"""HTML by small functions. Everything that came from a user passes through `text` on its way into the page."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any, NewType

Html = NewType("Html", str)  # markup that is safe to place; plain text is a str and must go through `text`
Cell = str | Html


def text(value: object) -> Html:
    """Plain text as HTML: `<`, `>`, `&` and quotes lose their meaning."""
    return Html(html.escape(str(value)))


def join(parts: Iterable[Html], between: str = "\n") -> Html:
    """Pieces of markup one after the other."""
    return Html(between.join(parts))


def element(name: str, content: Html, **attributes: str) -> Html:
    """One element. `class_` and `for_` lose their underscore, other underscores become hyphens."""
    named = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{named}>{content}</{name}>")


def paragraph(sentence: str, **attributes: str) -> Html:
    """A paragraph of plain text."""
    return element("p", text(sentence), **attributes)


def script_json(value: Any, identifier: str) -> Html:
    """Data for the page's script. Nothing inside can end the element: `<`, `>` and `&` are written as escapes."""
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return Html(f'<script type="application/json" id="{text(identifier)}">{written}</script>')


def table(
    caption: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[Html]],
    *,
    numeric: Sequence[int] = (),
    marked: int | None = None,
) -> Html:
    """A table whose first column names its rows.

    Args:
        caption: what the table holds, for everyone who does not see it.
        headings: of the columns.
        rows: cells, as markup.
        numeric: columns that are set flush right, in figures of one width.
        marked: the row that matters most.
    """
    align = ["number" if index in numeric else "words" for index in range(len(headings))]
    head = join(
        (element("th", text(name), scope="col", class_=align[index]) for index, name in enumerate(headings)), ""
    )
    body = []
    for position, row in enumerate(rows):
        cells = [
            element("td", cell, class_=align[index]) if index else element("th", cell, scope="row", class_=align[index])
            for index, cell in enumerate(row)
        ]
        marker = ' class="marked"' if position == marked else ""
        body.append(Html(f"<tr{marker}>{join(cells, '')}</tr>"))
    inner = f"<caption>{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{join(body)}</tbody>"
    # A wide table scrolls inside its own frame; the frame can be reached by keyboard.
    return Html(
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}"><table>{inner}</table></div>'
    )


def folded(summary: str, content: Html, *, unfolded: bool = False) -> Html:
    """Content that is there when asked for."""
    return Html(f"<details{' open' if unfolded else ''}><summary>{text(summary)}</summary>{content}</details>")
