"""The page: complete, self-contained, safe, and drawn by a browser where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import msgspec
import pytest

from glasshouse.core.records import Diagnostics
from glasshouse.core.settings import PackSettings
from glasshouse.report import render
from glasshouse.report.markup import element, script_json, text
from glasshouse.report.page import _CONTENTS

EVIL = """</script><script>alert("x")</script><img src=x onerror='alert(1)'>&amp;"""
VOID = {"meta", "img", "link", "br"}


class Outline(HTMLParser):
    """The page's elements as a browser would meet them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.ids: list[str | None] = []
        self.problems: list[str] = []
        self.open: list[str] = []
        self.words = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if "id" in dict(attrs):
            self.ids.append(dict(attrs)["id"])
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words += data


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    return parser


@pytest.mark.parametrize("name", ["binary_run", "multiclass_run", "regression_run"])
def test_the_page_is_whole(name, request):
    page = render(*request.getfixturevalue(name))
    found = outline(page)
    assert found.problems == []
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert set(_CONTENTS) <= set(found.ids)
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip(found.headings, found.headings[1:], strict=False))
    assert len(page.encode()) < 6_000_000
    drawings = [attributes for _, attributes in found.tags if "data-figure" in attributes]
    assert len(drawings) == 4
    assert all(attributes["aria-label"] and attributes["data-figure"] in found.ids for attributes in drawings)
    assert all(attributes.get("scope") for tag, attributes in found.tags if tag == "th")


def test_the_headline_is_the_first_thing_said(binary_run):
    found = outline(render(*binary_run))
    said = found.words.replace("\xa0", " ")
    assert said.index("On 114 rows it had never seen") < said.index("How good is it?", said.index("On 114"))
    for part in ("diagnosis", "right 59 times in 100", "malignant", "worst area predicts alone", "ab12ab12"):
        assert part in said


def test_nothing_is_loaded_from_anywhere(binary_run):
    page = render(*binary_run)
    found = outline(page)
    for tag, attributes in found.tags:
        assert tag not in ("link", "iframe", "img", "object", "embed", "base", "form")
        assert not {"src", "action", "srcset", "background"} & set(attributes), tag
        assert attributes.get("href", "#").startswith("#")
        assert not [key for key in attributes if key.startswith("on")]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_names_exactly_the_pages_scripts(binary_run):
    import base64
    import hashlib

    page = render(*binary_run)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    allowed = set(re.findall(r"sha256-([\w+/=]+)", policy.group(1)))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 2
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert hashes == allowed
    assert "default-src &#x27;none&#x27;" in policy.group(1)
    assert "unsafe-eval" not in policy.group(1)
    assert "\r" not in page


def hostile(run):
    """The same run with names and values that try to break out of the page."""
    settings, manifest, metrics, history = run
    mistakes = tuple(
        msgspec.structs.replace(one, actual=EVIL, predicted=EVIL, values={EVIL: EVIL})
        for one in metrics.diagnostics.mistakes
    )
    metrics = msgspec.structs.replace(
        metrics, target=EVIL, classes=tuple(f"{EVIL}{i}" for i in range(len(metrics.classes))), warnings=(EVIL,),
        diagnostics=msgspec.structs.replace(metrics.diagnostics, mistakes=mistakes),
    )  # fmt: skip
    finding = {"check": EVIL, "severity": EVIL, "column": EVIL, "message": EVIL, "advice": EVIL}
    column = {"name": f"column {EVIL}", "kind": EVIL, "used": False, "reason": EVIL, "examples": [EVIL]}
    manifest = msgspec.structs.replace(
        manifest, columns=(column,), findings=(finding,), command=EVIL, versions={EVIL: EVIL}, machine={EVIL: EVIL},
        source=msgspec.structs.replace(manifest.source, name=EVIL, sha256=EVIL), split_sha256={EVIL: EVIL},
        created=EVIL, commit=EVIL, glasshouse=EVIL, weights_sha256=EVIL,
    )  # fmt: skip
    split = msgspec.structs.replace(settings.split, group=EVIL, time=EVIL, test=EVIL)
    return msgspec.structs.replace(settings, target=EVIL, split=split), manifest, metrics, history


@pytest.mark.parametrize("name", ["multiclass_run", "regression_run"])
def test_hostile_names_stay_text(name, request):
    run = request.getfixturevalue(name)
    plain, attacked = outline(render(*run)), outline(render(*hostile(run)))
    scripts = [tag for tag, _ in attacked.tags].count("script")
    assert scripts == [tag for tag, _ in plain.tags].count("script")
    assert attacked.problems == []
    assert not {"img", "b onerror"} & {tag for tag, _ in attacked.tags}
    assert EVIL in attacked.words
    page = render(*hostile(run))
    for data in re.findall(r'<script type="application/json" id="[\w-]+">(.*?)</script>', page, re.DOTALL):
        json.loads(data)
        assert "<" not in data


def test_text_without_escaping_would_be_noticed():
    """The control of the test above: raw text does break the outline."""
    assert outline(element("p", EVIL)).problems  # type: ignore[arg-type]
    assert not outline(element("p", text(EVIL))).problems


def test_json_keeps_its_value_through_the_escapes():
    value = {"a": EVIL, "b": "\u2028é", "c": [1.5, None]}
    written = script_json(value, "x")
    assert (
        json.loads(written.removeprefix('<script type="application/json" id="x">').removesuffix("</script>")) == value
    )


def test_a_run_without_history_calibration_or_checks_still_has_a_report(regression_run):
    settings, manifest, metrics, _ = regression_run
    metrics = msgspec.structs.replace(metrics, coverage=(), diagnostics=Diagnostics(), warnings=())
    page = render(settings, msgspec.structs.replace(manifest, columns=()), metrics, ())
    said = outline(page).words
    assert "No epoch was recorded" in said
    assert "too few calibration rows to promise intervals" in said
    assert "Worth knowing" not in said


def test_an_interrupted_run_shows_what_it_has(binary_run):
    settings, manifest, metrics, history = binary_run
    said = outline(render(settings, manifest, metrics, history[:12])).words
    assert "Training ended" not in said
    assert "How the networks learnt" in said


def test_the_split_says_how_leakage_is_avoided(regression_run, binary_run):
    said = outline(render(*regression_run)).words
    assert "sorted by visit: the earliest train, the latest test" in said
    assert "share a value of patient stayed in one part" in said
    assert "3\xa0rows without a value of progression were left out" in said
    assert "split by time, so the test rows are later" in said
    other = outline(render(*binary_run)).words
    assert "every class is equally frequent" in other
    assert "train again with --group COLUMN" in other


def test_folds_are_explained(binary_run):
    settings, made, metrics, history = binary_run
    folded = msgspec.structs.replace(settings, pack=PackSettings(folds=5))
    shown = outline(render(folded, made, metrics, history)).words
    assert "members of 5\xa0networks each, trained side by side" in shown
    assert "pooled in 5 folds" in shown
    assert "folds" not in outline(render(settings, made, metrics, history)).words


def test_the_columns_are_those_beside_the_target(regression_run):
    found = outline(render(*regression_run))
    assert "9 of 10\xa0columns beside the target were used" in found.words
    assert "every value is distinct: an identifier" in found.words


def browser() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def visit(page: str, folder) -> tuple[str, list[str]]:
    """The page as a browser leaves it, and what its console said."""
    program = browser()
    if program is None:
        pytest.skip("no Chromium on this machine")
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=8000", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.browser
@pytest.mark.parametrize("name", ["binary_run", "regression_run"])
def test_a_browser_draws_every_chart_under_the_policy(name, request, tmp_path):
    drawn, console = visit(render(*hostile(request.getfixturevalue(name))), tmp_path)
    assert console == []
    assert drawn.count('class="chart js-plotly-plot"') == 4
    assert drawn.count('class="main-svg"') >= 8  # two layers a chart


@pytest.mark.browser
def test_a_script_that_got_in_would_not_run(binary_run, tmp_path):
    """The second wall, and the control of the test above: what the console would have said."""
    page = render(*binary_run).replace("</main>", "</main><script>document.title = 'taken'</script>")
    drawn, console = visit(page, tmp_path)
    assert "<title>taken</title>" not in drawn
    assert any("Content Security Policy" in line for line in console)
