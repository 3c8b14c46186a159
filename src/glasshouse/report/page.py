"""The whole page: one file that needs nothing else, and can load nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from glasshouse.core.records import AnyEvent, Manifest, Metrics
from glasshouse.core.settings import Settings
from glasshouse.report import charts, making, sections, words
from glasshouse.report.markup import Html, element, join, paragraph, script_json, text

_CONTENTS = {
    "quality": "How good is it?",
    "mistakes": "Where is it wrong?",
    "certainty": "Can its certainty be trusted?",
    "limits": "What this report cannot tell",
    "asked": "What was asked",
    "data": "The data",
    "split": "The split",
    "learning": "How it learnt",
    "repeat": "How to repeat it",
}


def render(settings: Settings, manifest: Manifest, metrics: Metrics, history: Sequence[AnyEvent]) -> str:
    """The report of a run as one self-contained HTML page.

    The page carries its style, its figures and the drawing library; a content security policy forbids it to load
    or to send anything, and to run any script but its own. Every name and value from the user's data is escaped.

    Args:
        settings: as resolved, from `run.toml`.
        manifest: what the run was made of.
        metrics: every number, measured on the test rows.
        history: the events of training, in order.

    Returns:
        HTML, about 5 MB, nearly all of it the drawing library.
    """
    from plotly.offline import get_plotlyjs

    # A browser reads \r\n as \n before it checks the hash of a script.
    library = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")
    scripts = [library, _resource("draw.js")]
    title = f"{metrics.target}: a glasshouse report"
    body = join(
        [
            _masthead(manifest, metrics),
            _contents(),
            element(
                "main",
                join(
                    [
                        sections.quality(metrics),
                        sections.mistakes(metrics),
                        sections.certainty(metrics),
                        sections.limits(
                            metrics, by_time=settings.split.time is not None, by_group=settings.split.group is not None
                        ),
                        making.asked(settings, manifest, metrics),
                        making.data(manifest, metrics.target),
                        making.split(settings, metrics),
                        making.learning(history),
                        making.repeat(settings, manifest),
                    ]
                ),
                id="main",
            ),
            Html(
                f"<footer><p>Made by glasshouse {text(manifest.glasshouse)} on {text(manifest.created)}.</p></footer>"
            ),
            script_json(charts.NIGHT, "night"),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{text(_policy(scripts))}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{_resource('style.css')}</style>\n</head>\n"
        f'<body>\n<a class="skip" href="#main">Skip to the results</a>\n{body}\n'
        + "\n".join(f"<script>{script}</script>" for script in scripts)
        + "\n</body>\n</html>\n"
    )


def _masthead(manifest: Manifest, metrics: Metrics) -> Html:
    source = manifest.source
    meta = f"{source.name} · {words.count(source.rows, 'row')} · {manifest.created[:10]}"
    warned = Html("")
    if metrics.warnings:
        items = join(element("li", text(warning)) for warning in metrics.warnings)
        warned = Html(f'<aside class="warnings" aria-label="Warnings"><b>Worth knowing</b><ul>{items}</ul></aside>')
    return element(
        "header",
        join(
            [
                Html(f'<p class="meta"><span class="mark">glasshouse</span> {text(meta)}</p>'),
                element("h1", Html(f"Predicting <em>{text(metrics.target)}</em>")),
                paragraph(words.headline(metrics), class_="headline"),
                paragraph(words.how_sure(metrics), class_="sure"),
                warned,
                Html("<noscript><p>The charts of this page are drawn by its own script, which is switched off here; "
                     "the tables hold the same numbers.</p></noscript>"),
            ]
        ),
    )  # fmt: skip


def _contents() -> Html:
    links = join(Html(f'<li><a href="#{name}">{text(title)}</a></li>') for name, title in _CONTENTS.items())
    return Html(f'<nav aria-label="Contents"><ol>{links}</ol></nav>')


def _policy(scripts: Sequence[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _resource(name: str) -> str:
    return resources.files("glasshouse.report").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
