"""glasshouse beside its peers on real tables: same rows, everybody's defaults, the test rows touched once.

    python benchmarks/bench_tables.py --data FOLDER [--tables a,b] [--contenders a,b] [--seeds 0,1,2] [--page FILE]
    [--json]

Each (table, contender, seed) is one process; its line is added to the results file as soon as it is done, and what is
there already is not run again: the stand can be stopped and started at will. Run it where nothing else runs, if the
seconds are to mean something. The protocol is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LEADING = {"regression": ("rmse", False), "binary": ("roc_auc", True), "multiclass": ("log_loss", False)}
CONTENDERS = (
    "glasshouse_quick", "glasshouse_standard", "lightgbm", "xgboost", "catboost", "hist_gradient_boosting",
    "sklearn_mlp", "realmlp", "tabm", "skorch",
)  # fmt: skip
MOST_SECONDS = 3600

Job = tuple[str, str, int]
Result = dict[str, Any]


def read_results(path: Path) -> list[Result]:
    """The lines of a results file; a line that was cut off in the middle is left out, and so run again."""
    results = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            results.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return results


def run_job(job: Job, arguments: argparse.Namespace, options: Iterable[str] = ()) -> Result:
    """Runs one contender on one split; a failure is a result too."""
    table, contender, seed = job
    python = arguments.our_python if contender.startswith("glasshouse") else arguments.peer_python
    command = [python, "-m", "benchmarks.tables.job", table, contender, str(seed), str(arguments.data), *options]
    environment = {**os.environ, "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE.parent / 'src'}"}
    try:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        return {"table": table, "contender": contender, "seed": seed, "failed": f"more than {MOST_SECONDS} seconds"}
    if finished.returncode != 0 or not finished.stdout.strip():  # told to end, some end well, without a word
        reason = (finished.stderr.strip().splitlines() or [f"status {finished.returncode}"])[-1]
        return {"table": table, "contender": contender, "seed": seed, "failed": reason}
    result: Result = json.loads(finished.stdout.splitlines()[-1])
    return result


def means(results: Iterable[Result]) -> dict[tuple[str, str], Result]:
    """By (table, contender): the mean of each score and of the seconds over the seeds, and how many there were."""
    grouped: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        if "failed" not in result:
            grouped.setdefault((result["table"], result["contender"]), []).append(result)
    table = {}
    for key, group in grouped.items():
        found: Result = {"task": group[0]["task"], "seeds": len(group), "train_rows": group[0]["train_rows"]}
        found["scores"] = {name: sum(one["scores"][name] for one in group) / len(group) for name in group[0]["scores"]}
        found["seconds"] = sum(one["fit_seconds"] + one["predict_seconds"] for one in group) / len(group)
        found["memory_mb"] = max(one["memory_mb"] for one in group)
        table[key] = found
    return table


def ranks(
    found: dict[tuple[str, str], Result], contenders: list[str], score: str | None = None
) -> dict[str, list[float]]:
    """Each contender's rank (1 is best, ties share) on every table that all of them have finished.

    Args:
        found: from `means`.
        contenders: who is compared.
        score: a score by name, for the tables that have it; None for each task's leading one.
    """
    placed: dict[str, list[float]] = {name: [] for name in contenders}
    for table in dict.fromkeys(table for table, _ in found):
        if not all((table, name) in found for name in contenders):
            continue
        task = found[table, contenders[0]]["task"]
        leading, higher = LEADING[task] if score is None else (score, score not in ("rmse", "mae", "log_loss"))
        if leading not in found[table, contenders[0]]["scores"]:
            continue
        losses = {name: found[table, name]["scores"][leading] * (-1 if higher else 1) for name in contenders}
        for name in contenders:
            better = sum(other < losses[name] for other in losses.values())
            equal = sum(other == losses[name] for other in losses.values())
            placed[name].append(better + (equal + 1) / 2)
    return placed


def page(results: list[Result]) -> str:
    """The results as Markdown: a line a table, average ranks, wins, seconds."""
    found = means(results)
    present = [name for name in CONTENDERS if any(contender == name for _, contender in found)]
    tables = list(dict.fromkeys(table for table, _ in found))
    lines = ["| table | rows | score | " + " | ".join(present) + " |", "|---" * (len(present) + 3) + "|"]
    for table in tables:
        known = {name: found[table, name] for name in present if (table, name) in found}
        one = next(iter(known.values()))
        score, higher = LEADING[one["task"]]
        best = (max if higher else min)(entry["scores"][score] for entry in known.values())
        cells = []
        for name in present:
            value = known[name]["scores"][score] if name in known else None
            shown = "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
            cells.append(f"**{shown}**" if value == best else shown)
        lines.append(f"| {table} | {one['train_rows']:,} | {score} | " + " | ".join(cells) + " |")
    placed, right = ranks(found, present), ranks(found, present, "accuracy")
    heads = "| contender | average rank | first places | rank by accuracy | seconds (sum) | most memory, MB |"
    lines += ["", heads, "|---|---|---|---|---|---|"]
    for name in sorted(present, key=lambda name: sum(placed[name])):
        own = [entry for (_, contender), entry in found.items() if contender == name]
        average = [f"{sum(one) / len(one):.2f}" if one else "" for one in (placed[name], right[name])]
        firsts = sum(rank == 1 for rank in placed[name])
        seconds, memory = sum(entry["seconds"] for entry in own), max(entry["memory_mb"] for entry in own)
        lines.append(f"| {name} | {average[0]} | {firsts} | {average[1]} | {seconds:,.0f} | {memory:,.0f} |")
    lines += [
        "",
        f"Ranks are over the {len(placed[present[0]]) if present else 0} tables that every contender finished.",
    ]
    failed = [
        f"- {one['contender']} on {one['table']}, seed {one['seed']}: {one['failed']}"
        for one in results
        if "failed" in one
    ]
    return "\n".join([*lines, "", *(["Not finished:", "", *failed] if failed else [])]) + "\n"


def add_pythons(parser: argparse.ArgumentParser) -> None:
    """The options that say where the data sets and the two environments are."""
    data = HERE.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=data, help="the folder of data sets")
    parser.add_argument("--our-python", default=str(HERE.parent / ".venv/bin/python"))
    parser.add_argument("--peer-python", default=str(HERE / ".venv/bin/python"))


def main() -> None:
    from benchmarks.tables.names import KEPT_OUT_NAMES, TABLE_NAMES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default=",".join(TABLE_NAMES), help="names, or kept_out for those of kept_out.py")
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--most-rows", type=int, help="at most so many training rows, for a quick look")
    parser.add_argument("--results", type=Path, default=HERE / "results" / "tables.jsonl")
    parser.add_argument("--page", type=Path, help="write the results page there")
    parser.add_argument("--json", action="store_true", help="print the means and ranks as one JSON object")
    add_pythons(parser)
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    tables = KEPT_OUT_NAMES if arguments.tables == "kept_out" else arguments.tables.split(",")
    jobs = [(table, contender, seed) for seed in seeds for table in tables
            for contender in arguments.contenders.split(",")]  # fmt: skip
    done = {(one["table"], one["contender"], one["seed"]) for one in read_results(arguments.results)}
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    for number, job in enumerate(jobs, start=1):
        if job in done:
            continue
        result = run_job(job, arguments, ["--most-rows", str(arguments.most_rows)] if arguments.most_rows else [])
        with arguments.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        said = result.get("failed") or f"{result['scores']} in {result['fit_seconds']:.1f} s"
        print(f"{number}/{len(jobs)} {' '.join(map(str, job))}: {said}", file=sys.stderr, flush=True)
    results = read_results(arguments.results)
    if arguments.page:
        arguments.page.write_text(page(results), encoding="utf-8")
    if arguments.json:
        found = means(results)
        present = [name for name in CONTENDERS if any(contender == name for _, contender in found)]
        averages = {name: sum(one) / len(one) if one else None for name, one in ranks(found, present).items()}
        print(json.dumps({"average_rank": averages, "means": {f"{a}/{b}": one for (a, b), one in found.items()}}))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    main()
