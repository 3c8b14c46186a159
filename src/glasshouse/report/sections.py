"""The report's sections about the answer: how good, where wrong, how certain."""

from __future__ import annotations

import math
from collections.abc import Sequence

from glasshouse.core.records import Metrics
from glasshouse.evaluation.calibration import FEWEST_ROWS
from glasshouse.report import charts, words
from glasshouse.report.markup import Html, element, join, paragraph, script_json, table, text

_MANY_CLASSES = 12  # of a confusion matrix; more are set smaller
_FEW_ROWS = 200  # test rows; below, the report says that the intervals are wide


def section(identifier: str, title: str, *content: Html) -> Html:
    """A section with its heading, which the table of contents links to."""
    heading = element("h2", text(title), id=identifier)
    return Html(f'<section aria-labelledby="{identifier}">{heading}{join(content)}</section>')


def drawing(chart: charts.Chart) -> Html:
    """A chart with its heading, its text alternative and the sentence that says how to read it."""
    return Html(
        f"<figure><h3>{text(chart.title)}</h3>"
        f'<div class="chart" role="img" aria-label="{text(chart.alternative)}" data-figure="figure-{chart.name}" '
        f'style="height:{chart.height}px"></div>'
        f"<figcaption><b>How to read it.</b> {text(chart.reading)}</figcaption>"
        f"{script_json(chart.figure, 'figure-' + chart.name)}</figure>"
    )


def quality(metrics: Metrics) -> Html:
    """Scores with intervals, beside simpler answers."""
    return section(
        "quality",
        "How good is it?",
        paragraph(
            "Every number here was measured on the test rows: they were set aside before anything was learnt, "
            "and no decision was taken with them."
        ),
        drawing(charts.scores_chart(metrics)),
        _scores_table(metrics),
        _score_glossary(metrics),
    )


def _scores_table(metrics: Metrics) -> Html:
    names = list(metrics.ensemble)
    every = {key: getattr(metrics, key) for key in words.CONTENDERS}
    # One number of decimals a column, the ensemble's, so that its numbers can be compared at a glance.
    places = {name: words.decimals(name, metrics.ensemble[name]) for name in names}
    rows = []
    for key, title in words.CONTENDERS.items():
        scores = every[key]
        cells = [text(title)]
        for name in names:
            if name in scores:
                value, reach = words.score_text(name, scores[name], places[name])
                cells.append(Html(f'<span class="value">{text(value)}</span> <span class="reach">{text(reach)}</span>'))
            else:
                cells.append(text("–"))
        rows.append(cells)
    return table(
        "Scores on the test rows, each with its 95 % interval",
        ["Who answers", *(words.SCORE_WORDS[name][0] for name in names)],
        rows,
        numeric=range(1, len(names) + 1),
        marked=len(rows) - 1,
    )


def _score_glossary(metrics: Metrics) -> Html:
    entries = [
        Html(f"<dt>{text(words.SCORE_WORDS[name][0])}</dt><dd>{text(words.SCORE_WORDS[name][1])}</dd>")
        for name in metrics.ensemble
    ]
    naive = (
        "always answers the average of the training rows"
        if metrics.task == "regression"
        else "always answers how frequent each class was in the training rows"
    )
    entries += [
        Html(f"<dt>Naive baseline</dt><dd>{text(naive)}; what any model must beat</dd>"),
        Html("<dt>Linear model</dt><dd>a straight line through the same columns; what a network should beat</dd>"),
        Html(
            "<dt>95 % interval</dt><dd>where the score would most likely lie had other rows of the same kind been set "
            "aside for the test</dd>"
        ),
    ]
    return element("dl", join(entries), class_="glossary")


def mistakes(metrics: Metrics) -> Html:
    """Where the network is wrong."""
    parts = []
    if metrics.task == "regression" and metrics.diagnostics.scatter:
        parts.append(drawing(charts.scatter_chart(metrics)))
    if metrics.diagnostics.confusion:
        parts.append(_confusion(metrics))
    if metrics.diagnostics.error_counts:
        parts.append(drawing(charts.errors_chart(metrics)))
    parts.append(_largest_errors(metrics))
    return section("mistakes", "Where is it wrong?", *parts)


def _confusion(metrics: Metrics) -> Html:
    matrix, classes = metrics.diagnostics.confusion, metrics.classes
    wrong = [(matrix[i][j], i, j) for i in range(len(matrix)) for j in range(len(matrix)) if i != j]
    most, actual, predicted = max(wrong, default=(0, 0, 0))
    sentence = (
        f"The most frequent confusion: {words.count(most, 'row')} that {'was' if most == 1 else 'were'} "
        f"“{classes[actual]}” got the answer “{classes[predicted]}”."
        if most
        else "No test row was answered wrongly."
    )
    rows = []
    for index, row in enumerate(matrix):
        total = max(sum(row), 1)
        cells = [text(classes[index])]
        for place, number in enumerate(row):
            share = round(100 * number / total)
            kind = "right" if place == index else "wrong"
            shown = f"{number:,}" if number else "·"  # a table of zeros hides the numbers that matter
            cells.append(Html(f'<span class="cell {kind}" style="--share:{share}%">{shown}</span>'))
        rows.append(cells)
    many = len(classes) > _MANY_CLASSES
    headings = ["Truth ↓" if many else "Truth ↓ answer →", *classes]
    body = table(
        "Confusion matrix: test rows by true class and by the network’s answer",
        headings,
        rows,
        numeric=range(1, len(headings)),
    )
    return Html(
        f'<div class="confusion{" many" if many else ""}"><h3>What it takes for what</h3>{body}'
        f'<p class="reading"><b>How to read it.</b> Each line holds the rows of one true class, each column '
        f"one answer; the framed diagonal holds the right answers. {text(sentence)}</p></div>"
    )


def _largest_errors(metrics: Metrics) -> Html:
    found = metrics.diagnostics.mistakes
    heading = Html("<h3>The largest errors</h3>")
    if not found:
        return join([heading, paragraph("There are none: every test row was answered rightly.")])
    columns = list(dict.fromkeys(name for mistake in found for name in mistake.values))
    regression = metrics.task == "regression"
    rows = []
    for mistake in found:
        error = (
            f"{'+' if mistake.error > 0 else ''}{words.figure(mistake.error)}"
            if regression
            else words.percent(math.exp(-mistake.error))
        )
        answers = [mistake.actual, mistake.predicted]
        if regression:
            answers = [words.grouped(answer) for answer in answers]
        cells = [f"{mistake.row:,}", *answers, error]
        rows.append([text(cell) for cell in cells + [mistake.values.get(name, "") for name in columns]])
    column = "Error" if regression else "Probability given to the truth"
    say = (
        "Look at them one by one: a wrong entry in the file, or a kind of row the columns cannot explain, often stands "
        "here first. Row numbers count the file’s data rows from 1."
    )
    return join(
        [
            heading,
            paragraph(say),
            table(
                f"The {len(found)} test rows with the largest errors",
                ["Row", "Actual", "Predicted", column, *columns],
                rows,
                numeric=(0, 1, 2, 3) if regression else (0, 3),
            ),
        ]
    )


def certainty(metrics: Metrics) -> Html:
    """Whether the network knows what it does not know."""
    parts: list[Html] = []
    if metrics.calibration is not None:
        if metrics.calibration.bins:
            parts.append(drawing(charts.reliability_chart(metrics.calibration, metrics.classes)))
        parts.append(paragraph(_temperature_words(metrics)))
    parts.append(_coverage(metrics))
    return section("certainty", "Can its certainty be trusted?", *parts)


def _temperature_words(metrics: Metrics) -> str:
    found = metrics.calibration
    assert found is not None  # the caller has looked
    gap = (
        f"On the test rows, its probabilities are off by {words.percent(found.error_after)} on average "
        f"(expected calibration error; a few hundred rows show about 2 to 5{words.SPACE}% by chance alone)."
    )
    if not found.accepted:
        unseen = metrics.rows.calibration or metrics.rows.train + metrics.rows.validation  # folds calibrate on these
        why = (
            f"{words.count(unseen, 'calibration row')} are too few to correct them"
            if unseen < FEWEST_ROWS
            else "no correction made them more honest on held-out rows"
        )
        return f"The probabilities were left as they came: {why}. {gap}"
    way = "too sure" if found.temperature > 1 else "too modest"
    return (
        f"The raw probabilities were {way}, so they were corrected with a temperature of "
        f"{words.figure(found.temperature)}, fitted on rows that had not trained: log-loss on the test rows went from "
        f"{words.figure(found.log_loss_before)} to {words.figure(found.log_loss_after)}. {gap}"
    )


def _coverage(metrics: Metrics) -> Html:
    regression = metrics.task == "regression"
    what = "intervals" if regression else "label sets"
    if not metrics.coverage:
        return paragraph(f"There were too few calibration rows to promise {what}.")
    explained = (
        "Beside every prediction the model can give an interval that should hold the true value as often as asked."
        if regression
        else "Beside every answer the model can give a set of classes that should hold the true one as often as asked."
    )
    size = f"Mean width, in the unit of {metrics.target}" if regression else "Mean number of classes in a set"
    rows = []
    for one in metrics.coverage:
        inside = one.low <= one.confidence <= one.high
        verdict = "kept" if inside or one.covered > one.confidence else "missed"
        if not inside and one.covered > one.confidence:
            verdict = "more than kept"
        cells = [
            words.percent(one.confidence, 0),
            f"{words.percent(one.covered)} ({100 * one.low:.1f} to {100 * one.high:.1f})",
            verdict,
            words.figure(one.size),
        ]
        rows.append([text(cell) for cell in cells])
    middle = min(metrics.coverage, key=lambda one: abs(one.confidence - 0.9))
    reading = (
        f"Asked to be right {words.times(middle.confidence)}, the {what} held the truth {words.times(middle.covered)} "
        f"on the test rows. The promise is an average over all rows; single kinds of rows may fare worse."
    )
    if not regression:
        reading += " A set always holds the network’s own answer, so it is right at least as often as the network."
    return Html(
        f"<h3>Promised and measured</h3>{paragraph(explained)}"
        + table(
            f"Coverage of the {what} on the test rows, with 95 % intervals",
            ["Promised", "Measured", "Promise", size],
            rows,
            numeric=(0, 1, 3),
        )
        + f'<p class="reading"><b>How to read it.</b> {text(reading)}</p>'
    )


def limits(metrics: Metrics, *, by_time: bool, by_group: bool) -> Html:
    """What this report cannot tell."""
    points = [
        "The test rows come from the same source as the training rows. Rows from another year, place or device may "
        "be answered worse, and nothing here would show it.",
        "The network finds what goes together, not what causes what. Changing a column in the world need not change "
        "the outcome as the network would predict.",
        "A good average can hide a group that is served badly. Scores per group are not in this report: "
        "`glasshouse evaluate MODEL FILE --by COLUMN` measures them.",
    ]
    if metrics.rows.test < _FEW_ROWS:
        points.append(
            f"There were only {words.count(metrics.rows.test, 'test row')}"
            + ("" if metrics.task == "regression" else f": one other answer is {words.percent(1 / metrics.rows.test)}")
            + ". Read the intervals, not the values."
        )
    if not by_group:
        points.append(
            "Rows were split one by one. If several rows tell of the same person, device or place, these scores are "
            "too good: train again with `--group COLUMN`."
        )
    if by_time:
        points.append(
            "Rows were split by time, so the test rows are later than the calibration rows; promises of coverage "
            "assume that both are alike, and may be missed when times change."
        )
    return section("limits", "What this report cannot tell", _list(points))


def _list(points: Sequence[str]) -> Html:
    items = []
    for point in points:
        pieces = point.split("`")
        marked = [text(piece) if index % 2 == 0 else element("code", text(piece)) for index, piece in enumerate(pieces)]
        items.append(element("li", join(marked, "")))
    return element("ul", join(items), class_="points")
