"""The benchmarks run and say what they promise; what they measure is nobody's business here."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.tables.names import KEPT_OUT_NAMES, TABLE_NAMES
from benchmarks.textbook import ours, table, textbook, timed

from benchmarks import bench_card, bench_packs, bench_read, bench_score, bench_tables, bench_textbook


def test_the_textbook_bench_gives_its_ratios() -> None:
    found = bench_textbook.measure(repeats=1, epochs=2)
    assert {"textbook_over_ours", "sklearn_over_ours", "seconds", "threads"} <= found.keys()
    assert found["textbook_over_ours"] == found["seconds"]["textbook"] / found["seconds"]["ours"] > 0.0
    assert json.dumps(found)


def test_contenders_that_do_other_work_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.textbook.ours", lambda *_, **__: [1.0])
    monkeypatch.setattr("benchmarks.textbook.textbook", lambda *_, **__: [0.1])
    with pytest.raises(SystemExit, match="did not do the same work"):
        bench_textbook.measure(repeats=1, epochs=50)


@pytest.mark.slow
def test_the_pack_bench_gives_its_ratios() -> None:
    found = bench_packs.measure(repeats=1, epochs=1)
    ratios = {
        "pack32_in_textbook_runs", "textbook_over_pack32", "mnist_textbook_over_ours", "large_pack_share_of_peak"
    }  # fmt: skip
    assert ratios <= found.keys()
    assert all(found[name] > 0.0 for name in ratios)


@pytest.mark.gpu
@pytest.mark.slow
def test_the_card_bench_gives_its_ratios() -> None:
    found = bench_card.measure(repeats=1, epochs=5)
    ratios = {"textbook64_over_pack64", "ours64_over_pack64", "textbook64_over_wide64", "loop_over_recorded"}
    assert ratios <= found.keys() and all(found[name] > 0.0 for name in ratios)
    assert found["card"]


def test_both_loops_learn_the_same_task() -> None:
    x, y = table(400, 6)
    for losses in (textbook(x, y, (16,), 32, 12), ours(x, y, (16,), 32, 12)):
        assert len(losses) == 12
        assert losses[-1] < 0.9 * losses[0]
    x, y = table(200, 6, classes=3)
    assert np.bincount(y).min() > 50
    assert len(ours(x, y, (8,), 32, 2, members=2)) == 2


@pytest.mark.slow
def test_the_reading_bench_compares_the_same_content() -> None:
    found = bench_read.measure(rows=bench_read.FEWEST_ROWS, repeats=1)
    assert found["pandas_over_ours"] == found["seconds"]["pandas"] / found["seconds"]["ours"] > 0.0
    assert found["memory_over_size"] > 0.0
    assert found["stages"]["ours"].keys() == {"read", "infer", "fit", "encode"}
    assert json.dumps(found)


def test_sides_that_read_other_content_are_told_apart() -> None:
    ours = {"size": [0.0, 0.8], "city": [3, 4], "only here": [1.0, 1.0]}
    assert bench_read.same(ours, ours) == []
    assert bench_read.same(ours, {"size": [0.0, 0.8001], "city": [3, 4, 1]}) == ["city", "only here", "size"]


def test_contenders_take_turns_and_the_first_turn_does_not_count() -> None:
    turns: list[str] = []

    def contender(name: str) -> int:
        turns.append(name)
        return len(turns)

    seconds, results = timed({"a": lambda: contender("a"), "b": lambda: contender("b")}, repeats=2)
    assert turns == ["a", "b"] * 3
    assert results == {"a": 5, "b": 6}
    assert seconds.keys() == {"a", "b"}


def result(name: str, contender: str, seed: int, **scores: float) -> dict[str, Any]:
    task = "regression" if "rmse" in scores else "binary"
    return {"table": name, "contender": contender, "seed": seed, "task": task, "scores": scores, "train_rows": 10,
            "fit_seconds": 1.0, "predict_seconds": 0.5, "memory_mb": 3.0}  # fmt: skip


RESULTS = [
    result("houses", "lightgbm", 0, rmse=2.0), result("houses", "lightgbm", 1, rmse=4.0),
    result("houses", "catboost", 0, rmse=2.5), result("loans", "lightgbm", 0, roc_auc=0.9, accuracy=0.8),
    result("loans", "catboost", 0, roc_auc=0.8, accuracy=0.8), result("alone", "catboost", 0, rmse=1.0),
    {"table": "alone", "contender": "lightgbm", "seed": 0, "failed": "MemoryError"},
]  # fmt: skip


def test_ranks_are_over_means_and_over_tables_that_all_have_finished() -> None:
    found = bench_tables.means(RESULTS)
    assert found["houses", "lightgbm"]["scores"] == {"rmse": 3.0}
    assert found["houses", "lightgbm"]["seconds"] == 1.5
    assert bench_tables.ranks(found, ["lightgbm", "catboost"]) == {"lightgbm": [2.0, 1.0], "catboost": [1.0, 2.0]}
    assert bench_tables.ranks(found, ["lightgbm", "catboost"], "accuracy") == {"lightgbm": [1.5], "catboost": [1.5]}


@pytest.mark.parametrize(("says", "ends"), [("", 0), ("{}", 3)])
def test_a_job_that_ends_without_a_result_has_failed(
    says: str, ends: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done = subprocess.CompletedProcess([], ends, stdout=says, stderr="first\nlast\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    arguments = argparse.Namespace(our_python="python", peer_python="python", data=tmp_path)
    found = bench_tables.run_job(("houses", "lightgbm", 0), arguments)
    assert found == {"table": "houses", "contender": "lightgbm", "seed": 0, "failed": "last"}


def test_a_score_is_reached_from_its_better_side() -> None:
    low, high = result("houses", "realmlp", 0, rmse=2.0), result("loans", "realmlp", 0, roc_auc=0.8)
    assert bench_score.reached(result("houses", "ours", 0, rmse=2.0), low)
    assert not bench_score.reached(result("houses", "ours", 0, rmse=2.1), low)
    assert bench_score.reached(result("loans", "ours", 0, roc_auc=0.9), high)
    assert not bench_score.reached(result("loans", "ours", 0, roc_auc=0.7), high)


def test_budgets_grow_until_the_goal_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def run_job(job: Any, arguments: Any, options: list[str]) -> dict[str, Any]:
        asked.append(float(options[options.index("--seconds") + 1]))
        assert "--validation" in options  # the stand's test rows are left alone
        return result("houses", "ours", 0, rmse=10.0 / asked[-1])

    monkeypatch.setattr(bench_tables, "run_job", run_job)
    goal = result("houses", "realmlp", 0, rmse=4.0)
    found, tried = bench_score.time_to(goal, argparse.Namespace())
    assert asked == pytest.approx([1.0, 1.5, 2.25, 3.375], abs=0.01) and found is tried[-1]
    asked.clear()
    assert bench_score.time_to({**goal, "scores": {"rmse": 0.0}}, argparse.Namespace())[0] is None
    assert asked[-1] <= bench_score.MOST


def test_the_time_of_a_table_is_the_median_of_its_splits() -> None:
    lines: list[dict[str, Any]] = [
        {"table": "houses", "peer": "them", "peer_over_ours": ratio} for ratio in (2.0, 9.0, 3.5)
    ]
    lines += [
        {"table": "loans", "peer": "them", "peer_over_ours": 0.0},
        {"table": "loans", "peer": "them", "failed": "no"},
    ]
    assert bench_score.medians(lines) == {("houses", "them"): 3.5, ("loans", "them"): 0.0}


def test_the_page_shows_the_best_the_ranks_and_what_failed() -> None:
    page = bench_tables.page(RESULTS)
    assert "| loans | 10 | roc_auc | **0.9** | 0.8 |" in page
    assert "over the 2 tables" in page
    assert "lightgbm on alone, seed 0: MemoryError" in page


def test_a_line_that_was_cut_off_is_run_again(tmp_path: Path) -> None:
    file = tmp_path / "tables.jsonl"
    file.write_text(json.dumps(RESULTS[0]) + '\n{"table": "hou', encoding="utf-8")
    assert bench_tables.read_results(file) == [RESULTS[0]]
    assert bench_tables.read_results(tmp_path / "none.jsonl") == []


def test_the_tables_are_the_catalogues(shared_data: Path) -> None:
    from benchmarks.tables.catalogue import BY_NAME, TABLES, split

    assert sorted([*TABLE_NAMES, *KEPT_OUT_NAMES]) == sorted(BY_NAME)
    for table_of in TABLES[:4]:
        rows, again = split(table_of, shared_data, seed=0), split(table_of, shared_data, seed=0)
        assert rows.test.equals(again.test) and not rows.test.equals(split(table_of, shared_data, seed=1).test)
        assert len(rows.train) == len(rows.train_target) and len(rows.test) == len(rows.test_target)
        together = len(rows.train) + len(rows.test)
        assert len(rows.test) == pytest.approx(0.25 * together, abs=1)
