"""Sentences and figures from numbers, for a reader without training in statistics."""

from __future__ import annotations

import math

from glasshouse.core.records import Metrics, Score, Task

SPACE = "\u00a0"  # keeps a number and its unit on one line

# name -> (what a person calls it, what it says)
SCORE_WORDS = {
    "accuracy": ("Right answers", "share of rows answered correctly; higher is better"),
    "log_loss": ("Log-loss", "how surprised the model is by the truth, in nats per row; lower is better"),
    "roc_auc": ("ROC AUC", "chance that a row of a class ranks above a row of another; 0.5 is guessing, 1 is perfect"),
    "f1": ("F1", "balance of finding a class and not crying wolf, from 0 to 1; higher is better"),
    "rmse": ("RMSE", "typical error in the target’s unit, large errors count more; lower is better"),
    "mae": ("Mean error", "average distance from the truth in the target’s unit; lower is better"),
    "r2": ("R²", "share of the differences between rows that is explained; 1 is perfect, 0 is guessing the mean"),
}
LOWER_IS_BETTER = {"log_loss", "rmse", "mae"}

CONTENDERS = {
    "baseline": "Naive baseline",
    "linear": "Linear model",
    "best_single": "Best single member",
    "ensemble": "The network (ensemble)",
}


def count(number: int, noun: str, plural: str = "") -> str:
    r"""A count with its noun.

    Example:
        >>> count(1, "row"), count(1234, "row")
        ('1\xa0row', '1,234\xa0rows')
    """
    return f"{number:,}{SPACE}{noun if number == 1 else plural or noun + 's'}"


def figure(value: float, digits: int = 3) -> str:
    """A number with about three significant digits, and commas between thousands.

    Example:
        >>> figure(0.012345), figure(123456.7), figure(-5.0)
        ('0.0123', '123,457', '−5')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 11:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    written = f"{value:,.{max(0, digits - 1 - size)}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written.replace("-", "−")


def grouped(number: str) -> str:
    """A written number with commas between thousands; anything else as it is.

    Example:
        >>> grouped("500001"), grouped("-12.5"), grouped("n/a")
        ('500,001', '−12.5', 'n/a')
    """
    try:
        return f"{float(number):,.10g}".replace("-", "−")
    except ValueError:  # an old or edited metrics.json
        return number


def percent(fraction: float, places: int = 1) -> str:
    r"""A fraction in hundredths.

    Example:
        >>> percent(0.9737), percent(1.0)
        ('97.4\xa0%', '100\xa0%')
    """
    written = f"{100 * fraction:.{places}f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return f"{written}{SPACE}%".replace("-", "−")


def times(fraction: float) -> str:
    """A fraction as people say it.

    Example:
        >>> times(0.9737), times(0.9985), times(1.0)
        ('97 times in 100', '998 times in 1,000', 'every time')
    """
    if fraction in (0.0, 1.0):
        return "never" if fraction == 0.0 else "every time"
    for whole in (100, 1_000, 10_000, 100_000):
        said = round(fraction * whole)
        if whole / 100 <= said <= whole - whole / 100 or (0 < said < whole and whole > 100):
            return f"{said:,} times in {whole:,}" if said != 1 else f"once in {whole:,}"
    return "almost every time" if fraction > 0.5 else "almost never"


def decimals(name: str, found: Score) -> int:
    """How many decimals a score deserves: two to three digits of its interval; negative for tens and more."""
    width = (found.high - found.low) * (100.0 if name == "accuracy" else 1.0)
    most = 2 if name == "accuracy" else 6
    return min(most, max(-12, 1 - math.floor(math.log10(width / 2)))) if width > 0 else min(most, 3)


def score_text(name: str, found: Score, digits: int | None = None) -> tuple[str, str]:
    r"""A score and its interval, with as many decimals as asked, or as the interval deserves.

    Example:
        >>> score_text("accuracy", Score(value=0.97368, low=0.9386, high=0.9912))
        ('97.4\xa0%', '93.9 to 99.1')
    """
    scale = 100.0 if name == "accuracy" else 1.0
    places = decimals(name, found) if digits is None else digits

    def shown(value: float) -> str:
        rounded = round(value * scale, places) + 0.0  # + 0.0 turns -0.0 into 0.0
        return f"{rounded:,.{max(0, places)}f}".replace("-", "−")

    unit = f"{SPACE}%" if name == "accuracy" else ""
    return shown(found.value) + unit, f"{shown(found.low)} to {shown(found.high)}"


def comparison(name: str, ours: Score, theirs: Score) -> str:
    """How one contender stands to another, given both intervals: clear, or within chance."""
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    gain = sign * (ours.value - theirs.value)
    apart = ours.low > theirs.high or ours.high < theirs.low
    if apart:
        return "clearly better" if gain > 0 else "clearly worse"
    if gain == 0:
        return "no different"
    return f"slightly {'better' if gain > 0 else 'worse'}, but chance alone could explain the difference"


def headline(metrics: Metrics) -> str:
    """The one sentence that stands first."""
    seen = f"On {count(metrics.rows.test, 'row')} it had never seen, "
    if metrics.task == "regression":
        places = decimals("mae", metrics.ensemble["mae"])
        off, naive_off = (score_text("mae", one["mae"], places)[0] for one in (metrics.ensemble, metrics.baseline))
        return (
            f"{seen}the network’s answer for {metrics.target} was off by {off} on average; "
            f"always guessing the average would be off by {naive_off}."
        )
    ours, naive = metrics.ensemble["accuracy"].value, metrics.baseline["accuracy"].value
    return (
        f"{seen}the network was right {times(ours)}; "
        f"always guessing the most frequent answer would be right {times(naive)}."
    )


def how_sure(metrics: Metrics) -> str:
    """What other test rows could have said, and where the linear model stands."""
    name = "mae" if metrics.task == "regression" else "accuracy"
    ours, linear = metrics.ensemble[name], metrics.linear[name]
    _, reach = score_text(name, ours)
    unit = "" if name == "mae" else " right answers in 100"
    standing = comparison(name, ours, linear)
    linear_off, _ = score_text(name, linear, decimals(name, ours))
    theirs = f"is off by {linear_off} on average" if name == "mae" else f"is right {times(linear.value)}"
    return (
        f"How sure is that? With other rows of the same kind it would most likely have been {reach}{unit} "
        f"(95{SPACE}% interval). A plain linear model {theirs}: the network is {standing}."
    )


def task_words(task: Task, classes: tuple[str, ...]) -> str:
    """What kind of question was asked."""
    if task == "regression":
        return "predict a number (regression)"
    shown = " or ".join(classes) if len(classes) == 2 else ", ".join(classes[:6]) + (", …" if len(classes) > 6 else "")
    return f"choose between {len(classes)} classes: {shown}"


def duration(seconds: float) -> str:
    r"""Seconds as people say them.

    Example:
        >>> duration(8.24), duration(75), duration(7300)
        ('8.2\xa0seconds', '1\xa0minute 15\xa0seconds', '2\xa0hours 1\xa0minute')
    """
    if seconds < 60:
        shown = f"{seconds:.1f}".removesuffix(".0")
        return f"{shown}{SPACE}second{'' if shown == '1' else 's'}"
    whole = round(seconds)
    if whole < 3600:
        rest = f" {count(whole % 60, 'second')}" if whole % 60 else ""
        return count(whole // 60, "minute") + rest
    minutes = whole % 3600 // 60
    return count(whole // 3600, "hour") + (f" {count(minutes, 'minute')}" if minutes else "")
