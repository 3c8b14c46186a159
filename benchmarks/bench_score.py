"""How long glasshouse takes to reach the score that another network ends with.

    python benchmarks/bench_score.py --data FOLDER [--tables a,b] [--peers a,b] [--seeds 0,1,2] [--json]

Each peer trains once at its defaults, for as long as it takes. glasshouse then gets one second, and half as much again
each time, until its score is as good: what that run took is its time. Scores are of a quarter of the training rows; the
stand's test rows stay untouched. `peer_over_ours` is the peer's seconds over ours, each from the table in memory to the
fitted model, in processes of their own. A seed is a split of the rows and a start for the networks. The score of one
alone is luck to a percent or more, and a percent can be half of the time: a table's ratio is the median of its seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TABLES = ("bike_sharing", "letter", "california_housing", "credit_default")
FIRST, GROWTH, MOST = 1.0, 1.5, 600.0  # seconds of the budgets
OURS = "glasshouse_quick"


def reached(result: dict[str, Any], goal: dict[str, Any]) -> bool:
    """Whether a result is as good as the goal by the task's leading score."""
    from benchmarks.bench_tables import LEADING

    score, higher = LEADING[goal["task"]]
    found, wanted = result["scores"][score], goal["scores"][score]
    return bool(found >= wanted if higher else found <= wanted)


def time_to(goal: dict[str, Any], arguments: argparse.Namespace) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The first of our runs that is as good as the goal, or None, and all that were tried."""
    from benchmarks.bench_tables import run_job

    tried: list[dict[str, Any]] = []
    seconds = FIRST
    while seconds <= MOST:
        options = ["--validation", "--seconds", f"{seconds:g}"]
        tried.append(run_job((goal["table"], OURS, goal["seed"]), arguments, options))
        if "scores" in tried[-1] and reached(tried[-1], goal):
            return tried[-1], tried
        seconds *= GROWTH
    return None, tried


def measure(table: str, peer: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the peer needed on one split, and what we tried until we were as good."""
    from benchmarks.bench_tables import LEADING, run_job

    goal = run_job((table, peer, seed), arguments, ["--validation"])
    line: dict[str, Any] = {"table": table, "peer": peer, "seed": seed}
    if "failed" in goal:
        return line | {"failed": goal["failed"]}
    found, tried = time_to(goal, arguments)
    score = LEADING[goal["task"]][0]
    tries = [[one["fit_seconds"], one["scores"][score]] for one in tried if "scores" in one]
    line |= {"score": score, "goal": goal["scores"][score], "peer_seconds": goal["fit_seconds"], "tried": tries}
    if found is None:
        return line | {"peer_over_ours": 0.0}
    seconds = found["fit_seconds"]
    return line | {
        "ours": found["scores"][score], "seconds": seconds, "peer_over_ours": goal["fit_seconds"] / seconds,
    }  # fmt: skip


def medians(lines: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """By (table, peer): the median ratio of the splits that the peer finished."""
    grouped: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        if "failed" not in line:
            grouped.setdefault((line["table"], line["peer"]), []).append(line["peer_over_ours"])
    return {key: median(ratios) for key, ratios in grouped.items()}


def main() -> None:
    from benchmarks.bench_tables import add_pythons

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--peers", default="realmlp,tabm")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_pythons(parser)
    arguments = parser.parse_args()
    lines = []
    for table, peer, seed in product(*(getattr(arguments, name).split(",") for name in ("tables", "peers", "seeds"))):
        lines.append(measure(table, peer, int(seed), arguments))
        print(json.dumps(lines[-1]), file=sys.stderr, flush=True)
    found = medians(lines)
    if arguments.json:
        least = min(found.values()) if found and not any("failed" in line for line in lines) else None
        print(json.dumps({"least_peer_over_ours": least, "lines": lines}))
        return
    for line in lines:
        said = line.get("failed") or f"{line['peer_seconds']:.1f} s to {line['score']} {line['goal']:.5g}; ours "
        ours = f"{line['seconds']:.1f} s, ratio {line['peer_over_ours']:.1f}" if "seconds" in line else "never"
        print(f"{line['table']:20} {line['peer']:10} {line['seed']} {said}{'' if 'failed' in line else ours}")
    for (table, peer), ratio in found.items():
        print(f"{table:20} {peer:10} median ratio {ratio:.1f}")


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    main()
