"""What a finished model says of other rows: one path, whatever the way to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error

from glasshouse.core.errors import DataError, SettingsError
from glasshouse.data import read
from glasshouse.model import load
from glasshouse.runs import Run, evaluate, predict, train
from glasshouse.runs.evaluate import Evaluation

from .conftest import people

SOURCE = Path(__file__).resolve().parents[2] / "src"
FRESH = """
import sys
from glasshouse.runs import predict
predict(sys.argv[1], sys.argv[2]).write_parquet(sys.argv[3])
"""


def numbers_of(table: pl.DataFrame) -> np.ndarray:
    """The numeric columns of some predictions."""
    return table.select(pl.selectors.float()).to_numpy()


@pytest.fixture(params=["buyers", "diabetes"])
def model_and_rows(request: pytest.FixtureRequest) -> tuple[Run, pl.DataFrame]:
    run: Run = request.getfixturevalue(request.param)
    return run, people(50, seed=6) if request.param == "buyers" else read("example:diabetes").table.head(50)


def test_a_row_alone_in_a_batch_and_in_a_fresh_process(
    model_and_rows: tuple[Run, pl.DataFrame], tmp_path: Path
) -> None:
    run, rows = model_and_rows
    together = numbers_of(predict(run.model, rows))
    scale = np.abs(together).max() if run.metrics.task == "regression" else 1.0
    alone = np.concatenate([numbers_of(predict(run.model, rows[place])) for place in range(12)])
    backwards = numbers_of(predict(run.model, rows.reverse()))[::-1]
    rows.write_csv(tmp_path / "rows.csv")
    command = [sys.executable, "-c", FRESH, str(run.folder), str(tmp_path / "rows.csv"), str(tmp_path / "said.parquet")]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, timeout=120)
    fresh = numbers_of(pl.read_parquet(tmp_path / "said.parquet"))
    saved = tmp_path / "elsewhere.glass"
    run.model.save(saved)
    again = numbers_of(predict(saved, rows))
    for other in (alone, backwards[:12], fresh[:12], again[:12]):
        assert np.abs(other - together[:12]).max() / scale < 1e-6
    assert np.abs(fresh - together).max() / scale < 1e-6


def test_predictions_have_a_row_a_row_and_say_their_probabilities(buyers: Run, iris: Run) -> None:
    table = predict(buyers.folder, people(30, seed=2))
    assert table.columns == ["prediction", *(f"probability of {label}" for label in buyers.metrics.classes)]
    said = numbers_of(table)
    np.testing.assert_allclose(said.sum(1), 1, atol=1e-9)
    assert table["prediction"].to_list() == [buyers.metrics.classes[place] for place in said.argmax(1)]
    assert predict(iris.model, "example:iris").height == 150


def test_intervals_and_label_sets(diabetes: Run, iris: Run) -> None:
    table = predict(diabetes.model, "example:diabetes", interval=0.9)
    assert table.columns == ["prediction", "lower", "upper"]
    assert (table["lower"] <= table["prediction"]).all() and (table["prediction"] <= table["upper"]).all()
    wider = predict(diabetes.model, "example:diabetes", interval=0.95)
    assert ((wider["upper"] - wider["lower"]) >= (table["upper"] - table["lower"])).all()
    sets = predict(iris.model, "example:iris", interval=0.9)["labels"].to_list()
    assert {label for labels in sets for label in labels.split(" | ") if label} <= set(iris.metrics.classes)


def test_scores_are_scikit_learns_on_the_same_predictions(buyers: Run, diabetes: Run) -> None:
    rows = people(200, seed=8)
    found, table = evaluate(buyers.model, rows), predict(buyers.model, rows)
    actual = [str(value).lower() for value in rows["tall"].to_list()]
    said = [label.lower() for label in table["prediction"].to_list()]
    assert found.rows == 200 and found.metric == "accuracy"
    assert found.scores["accuracy"].value == pytest.approx(accuracy_score(actual, said))
    labels = [label.lower() for label in buyers.metrics.classes]
    assert found.scores["log_loss"].value == pytest.approx(log_loss(actual, numbers_of(table), labels=labels), rel=1e-6)
    patients = evaluate(diabetes.folder, "example:diabetes")
    truth = read("example:diabetes").table["progression"].cast(pl.Float64).to_numpy()
    error = mean_squared_error(truth, predict(diabetes.model, "example:diabetes")["prediction"].to_numpy()) ** 0.5
    assert patients.scores["rmse"].value == pytest.approx(error, rel=1e-6)


def test_a_run_and_its_model_agree_on_the_test_rows(diabetes: Run) -> None:
    """What `metrics.json` says is what the model file gives on those rows."""
    from glasshouse.core.seeds import derive_seed
    from glasshouse.data import infer_schema, read, split_rows

    frame = read("example:diabetes")
    schema = infer_schema(frame, "progression", {})
    split = split_rows(frame, schema, diabetes.settings.split, derive_seed(diabetes.settings.run.seed, "split"), 0)
    found = evaluate(load(diabetes.folder), frame.table[split.test])
    for name, score in diabetes.metrics.ensemble.items():
        assert found.scores[name].value == pytest.approx(score.value, rel=1e-6), name
    assert [c.covered for c in found.coverage] == pytest.approx([c.covered for c in diabetes.metrics.coverage])


@pytest.mark.parametrize(("by", "least"), [("city", 2), ("age", 2), ("household", 2)])
def test_slices_are_the_scores_of_those_rows_alone(buyers: Run, by: str, least: int) -> None:
    rows = people(300, seed=3)
    found: Evaluation = evaluate(buyers.model, rows, by=by)
    assert len(found.slices) >= least and sum(part.rows for part in found.slices) <= 300
    if by == "city":
        named = {part.value: part for part in found.slices}
        name = next(name for name in named if name.startswith("city"))
        own = rows.filter(pl.col("city") == name)
        alone = evaluate(buyers.model, own)
        assert named[name].rows == own.height
        assert named[name].scores["accuracy"].value == pytest.approx(alone.scores["accuracy"].value)


def test_times_are_cut_alike_however_they_came(buyers: Run) -> None:
    rows = people(60, seed=6)
    times = pl.Series("at", [f"20{place % 20 + 10}-01-31 12:30:00" for place in range(60)]).str.to_datetime()
    days = times.dt.date()
    for typed, words in ((times, times.dt.strftime("%d.%m.%Y %H:%M")), (days, days.dt.strftime("%m/%d/%Y"))):
        words = words.set(pl.Series(range(60)) < 5, "NA")
        typed = pl.select(pl.when(pl.Series(range(60)) >= 5).then(typed)).to_series()
        found = [
            [(one.value, one.rows) for one in evaluate(buyers.model, rows.with_columns(at=at), by="at").slices]
            for at in (words, typed, typed.cast(pl.Datetime("ns")))
        ]
        assert found[0] == found[1] == found[2]
        first = "2010-01-31 12:30:00 to" if typed.dtype == times.dtype else "2010-01-31 to"
        assert found[0][0][0].startswith(first)
        assert len(found[0]) == 5 and found[0][-1] == ("(missing)", 5)


def test_a_large_files_columns_are_cut_as_a_small_ones(
    buyers: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(5)
    columns = {
        "label": draw.choice(["a", " b", "NA", "c", ""], 400).tolist(),  # text with gaps
        "many": draw.choice([*(f"{value}" for value in range(40)), "n/a"], 400).tolist(),  # numbers that repeat
        "price": [f"{value:.2f}" for value in draw.normal(size=398)] + ["", "NA"],
        "few": draw.choice(["1", "2", "3"], 400).tolist(),
        "code": draw.choice([f"{value:03}" for value in range(30)], 400).tolist(),
        "at": [f"2015-01-31 12:30:{second:02}" for second in draw.integers(0, 30, 400)],
    }
    path = tmp_path / "rows.csv"
    people(400, seed=7).with_columns(**{name: pl.Series(cells) for name, cells in columns.items()}).write_csv(path)
    small = {by: evaluate(buyers.model, path, by=by).slices for by in columns}
    monkeypatch.setattr("glasshouse.data.pieces.LARGE", 1)
    kept = read(path).table
    assert isinstance(kept["label"].dtype, pl.Enum) and kept["price"].dtype == pl.Float64, "not strings any more"
    assert {by: evaluate(buyers.model, path, by=by).slices for by in columns} == small
    assert [part.value for part in small["label"]][-1] == "(missing)" and len(small["label"]) == 4
    assert [len(small[by]) for by in ("many", "price", "few", "code")] == [5, 5, 3, 4], "quarters, and what is missing"


def test_a_column_is_read_as_the_model_reads_it(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(2, 200)).round(2)
    score = np.where(draw.random(200) < 0.25, -999.0, values[0])
    lines = [
        f"{a:.2f};{b:.2f};{c:g};{d:.2f}".replace(".", ",") for a, b, c, d in zip(*values, score, values[1], strict=True)
    ]
    path = tmp_path / "comma.csv"
    path.write_text("x;y;score;unknown\n" + "\n".join(lines) + "\n")
    settings = {"read.missing": ["-999"], "network.hidden": [4], "pack.members": 1, "training.epochs": 1}
    learnt = tmp_path / "learnt.csv"
    learnt.write_text("\n".join(line.rpartition(";")[0] for line in path.read_text().splitlines()) + "\n")
    run = train(learnt, target="y", out=tmp_path / "run", settings=settings)
    for by in ("x", "y", "unknown"):
        assert len(evaluate(run.model, path, by=by).slices) == 4, "quarters, also of what the model does not know"
    named = [(part.value, part.rows) for part in evaluate(run.model, path, by="score").slices]
    assert len(named) == 5 and named[-1] == ("(missing)", int((score == -999).sum()))
    typed = pl.DataFrame({"x": values[0], "y": values[1], "score": score})
    assert [(part.value, part.rows) for part in evaluate(run.model, typed, by="score").slices] == named


@pytest.mark.parametrize("code", ["unknown", "-999"])
@pytest.mark.parametrize("spelt", ["{:.2f}", "{:,.0f}"], ids=["decimal comma", "thousands"])
def test_a_code_for_missing_or_a_broken_cell_makes_no_words_of_numbers(
    code: str, spelt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(1)
    values = draw.normal(5000, 2000, size=(2, 300))
    sign = str.maketrans(",.", ".,") if "2f" in spelt else {}
    lines = [";".join(spelt.format(value).translate(sign) for value in pair) for pair in values.T]
    lines[::10] = [f"{code};{line.partition(';')[2]}" for line in lines[::10]]
    lines[5] = f"broken;{lines[5].partition(';')[2]}"
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["x;y", *lines]) + "\n")
    settings = {"read.missing": [code], "network.hidden": [4], "pack.members": 1, "training.epochs": 1}
    run = train(path, target="y", out=tmp_path / "run", settings=settings)
    assert [column.kind for column in run.model.schema.columns] == ["number"]
    small = evaluate(run.model, path, by="x").slices
    assert len(small) == 5 and (small[-1].value, small[-1].rows) == ("(missing)", 31)
    monkeypatch.setattr("glasshouse.data.pieces.LARGE", 1)
    assert evaluate(run.model, path, by="x").slices == small


def test_few_values_come_in_one_order_and_spelling_from_every_source(buyers: Run, tmp_path: Path) -> None:
    rows = people(60, seed=6)
    places = pl.int_range(60, eager=True)
    number = pl.when(places % 3 == 0).then(1.5).when(places % 2 == 0).then(10.0).otherwise(2.0)
    # Polars' own words for what it counts, and the same value in two spellings.
    typed = rows.with_columns(number.alias("count"))
    text = rows.with_columns(number.cast(pl.String).replace("2.0", "2").alias("count"))
    text = text.with_columns(pl.when(places % 4 == 1).then(pl.lit("2.00")).otherwise("count").alias("count"))
    typed = typed.with_columns(pl.when(places % 4 == 1).then(2.0).otherwise("count").alias("count"))
    text.write_csv(tmp_path / "rows.csv")
    found = [
        [(one.value, one.rows) for one in evaluate(buyers.model, source, by="count").slices]
        for source in (tmp_path / "rows.csv", typed, typed.to_pandas())
    ]
    assert found[0] == found[1] == found[2] and [value for value, _ in found[0]] == ["1.5", "2", "10"]


def test_times_with_zones_and_codes_are_read_as_the_model_reads_them(buyers: Run) -> None:
    rows = people(60, seed=6)
    utc = pl.datetime_range(pl.datetime(2018, 10, 20), pl.datetime(2018, 12, 18), "1d", time_zone="UTC", eager=True)
    berlin = utc.dt.convert_time_zone("Europe/Berlin")
    found = [
        [(one.value, one.rows) for one in evaluate(buyers.model, rows.with_columns(at=at), by="at").slices]
        for at in (utc, berlin, berlin.dt.strftime("%Y-%m-%d %H:%M:%S%z"))
    ]
    assert found[0] == found[1] == found[2] and found[0][0] == ("2018-10-20 to 2018-11-03", 15)


def test_durations_are_cut_by_seconds_and_lists_not_at_all(buyers: Run) -> None:
    rows = people(60, seed=6)
    for different in (3, 8, 20):
        seconds = pl.int_range(60, eager=True) % different
        lasted = rows.with_columns(lasted=pl.duration(seconds=seconds))
        assert [(part.value, part.rows) for part in evaluate(buyers.model, lasted, by="lasted").slices] == [
            (part.value, part.rows)
            for part in evaluate(buyers.model, rows.with_columns(lasted=seconds.cast(pl.Float64)), by="lasted").slices
        ]
    with pytest.raises(SettingsError, match=r'column "pair" holds List') as caught:
        evaluate(buyers.model, rows.with_columns(pair=pl.concat_list("age", "age")), by="pair")
    assert caught.value.where == "--by"


def test_rows_without_a_target_are_not_judged(buyers: Run) -> None:
    rows = people(60, seed=3).with_columns(
        pl.when(pl.int_range(pl.len()) < 20).then(None).otherwise("tall").alias("tall")
    )
    assert evaluate(buyers.model, rows).rows == 40
    with pytest.raises(DataError, match=r'no row of .* has a value in "tall"') as caught:
        evaluate(buyers.model, rows.head(20))
    assert (caught.value.where, caught.value.expected) == ("tall", "rows with a known target")


def test_a_column_that_is_not_there(buyers: Run) -> None:
    with pytest.raises(SettingsError, match='column "ctiy" is not in the table') as caught:
        evaluate(buyers.model, people(20), by="ctiy")
    assert caught.value.fix == "--by city" and caught.value.where == "--by"
    with pytest.raises(DataError, match="height"):
        predict(buyers.model, people(20).drop("height"))
    with pytest.raises(DataError, match="tall"):
        evaluate(buyers.model, people(20).drop("tall"))


def test_a_model_scored_on_what_it_learnt_from_says_so(diabetes: Run) -> None:
    told = evaluate(diabetes.model, "example:diabetes").notes
    assert len(told) == 1
    assert f"flatter it; its scores on the {diabetes.metrics.rows.test} test rows alone" in told[0]
    assert evaluate(diabetes.model, read("example:diabetes").table.head(60)).notes == ()
