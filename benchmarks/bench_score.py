"""How long glasshouse takes to reach the score that another network ends with.

    python benchmarks/bench_score.py --data FOLDER [--tables a,b] [--peers a,b] [--json]

Each peer trains once at its defaults, for as long as it takes. glasshouse then gets one second, and half as much again
each time, until its score is as good: what that run took is its time. Scores are of a quarter of the training rows; the
stand's test rows stay untouched. `peer_over_ours` is the peer's seconds over ours, each from the table in memory to the
fitted model, in processes of their own.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
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


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """A line for every table and peer."""
    from benchmarks.bench_tables import LEADING, run_job

    lines = []
    for table in arguments.tables.split(","):
        for peer in arguments.peers.split(","):
            goal = run_job((table, peer, 0), arguments, ["--validation"])
            if "failed" in goal:
                lines.append({"table": table, "peer": peer, "failed": goal["failed"]})
                print(json.dumps(lines[-1]), file=sys.stderr, flush=True)
                continue
            found, tried = time_to(goal, arguments)
            score = LEADING[goal["task"]][0]
            tries = [[one["fit_seconds"], one["scores"][score]] for one in tried if "scores" in one]
            line = {"table": table, "peer": peer, "score": score, "goal": goal["scores"][score],
                    "peer_seconds": goal["fit_seconds"], "tried": tries}  # fmt: skip
            if found is not None:
                line |= {"ours": found["scores"][score], "seconds": found["fit_seconds"],
                         "peer_over_ours": goal["fit_seconds"] / found["fit_seconds"]}  # fmt: skip
            lines.append(line)
            print(json.dumps(line), file=sys.stderr, flush=True)
    return lines


def main() -> None:
    from benchmarks.bench_tables import add_pythons

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--peers", default="realmlp,tabm")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_pythons(parser)
    arguments = parser.parse_args()
    lines = measure(arguments)
    ratios = [line["peer_over_ours"] for line in lines if "peer_over_ours" in line]
    least = min(ratios) if ratios and len(ratios) == len(lines) else None
    if arguments.json:
        print(json.dumps({"least_peer_over_ours": least, "lines": lines}))
        return
    for line in lines:
        said = line.get("failed") or f"{line['peer_seconds']:.1f} s to {line['score']} {line['goal']:.5g}; ours "
        ours = f"{line['seconds']:.1f} s, ratio {line['peer_over_ours']:.1f}" if "seconds" in line else "never"
        print(f"{line['table']:20} {line['peer']:10} {said}{'' if 'failed' in line else ours}")


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    main()
