"""What a run leaves, and what becomes of it when something goes wrong."""

from __future__ import annotations

import json
import math
import shlex
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from glasshouse.core.errors import DataError, SettingsError
from glasshouse.core.files import sha256_file
from glasshouse.core.options import settings_from_toml
from glasshouse.core.records import AnyEvent, EpochEnd, Finished, Manifest, MemberStopped, Metrics, Score, Started
from glasshouse.model import load
from glasshouse.network.pack import Pack
from glasshouse.runs import Run, check, open_run, report, train
from glasshouse.training.written import WrittenStep

from .conftest import Make, people

FILES = {"run.toml", "manifest.json", "history.jsonl", "metrics.json", "model.glass", "report.html"}


def test_a_run_folder_holds_everything_and_nothing_else(iris: Run, diabetes: Run, buyers: Run) -> None:
    for run in (iris, diabetes, buyers):
        assert {path.name for path in run.folder.iterdir()} == FILES
        again = open_run(run.folder)
        assert (again.settings, again.metrics) == (run.settings, run.metrics)
        assert msgspec.json.encode(again.manifest) == msgspec.json.encode(run.manifest)


def test_metrics_say_what_they_promise(iris: Run, diabetes: Run) -> None:
    for run, names, rows in (
        (iris, {"accuracy", "log_loss", "roc_auc", "f1"}, 150),
        (diabetes, {"rmse", "mae", "r2"}, 442),
    ):
        plain = json.loads((run.folder / "metrics.json").read_text())
        assert plain.keys() >= {"task", "target", "rows", "seconds", "members", "baseline", "best_single", "ensemble"}
        metrics = msgspec.convert(plain, Metrics)
        assert sum(plain["rows"].values()) == rows and metrics.members == 4 and 0 < metrics.seconds < 60
        for scores in (metrics.baseline, metrics.linear, metrics.best_single, metrics.ensemble):
            assert scores.keys() == names
            assert all(isinstance(score, Score) and score.low <= score.value <= score.high for score in scores.values())
    assert iris.metrics.ensemble["log_loss"].value < iris.metrics.baseline["log_loss"].value
    assert diabetes.metrics.ensemble["rmse"].value < diabetes.metrics.baseline["rmse"].value
    assert iris.metrics.classes == ("setosa", "versicolor", "virginica")


def test_history_is_one_event_a_line(iris: Run) -> None:
    lines = (iris.folder / "history.jsonl").read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=AnyEvent) for line in lines]
    assert iris.history == events
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished)
    assert sum(isinstance(event, EpochEnd) for event in events) == 12
    assert events[0].members[0].num_parameters > 0


def test_resolved_settings_hold_no_open_question(iris: Run) -> None:
    text = (iris.folder / "run.toml").read_text()
    assert settings_from_toml(text, "run.toml") == iris.settings
    decided = {
        "encode": ["scaling"], "network": ["width", "embedding", "embedding_size", "dropout"], "pack": ["members"],
        "training": ["loss", "epochs", "batch_size", "patience"], "run": ["threads"],
        "optimiser": ["name", "learning_rate", "weight_decay", "schedule"],
    }  # fmt: skip
    for section, names in decided.items():
        for name in names:
            assert getattr(getattr(iris.settings, section), name) is not None, f"{section}.{name}"
    assert "auto" not in (iris.settings.run.device, iris.settings.run.precision)


def test_the_manifest_says_what_the_run_was_made_of(buyers: Run) -> None:
    manifest = msgspec.json.decode((buyers.folder / "manifest.json").read_bytes(), type=Manifest)
    source = buyers.folder.parent / "people.csv"
    assert manifest.source.sha256 == sha256_file(source) and manifest.source.rows == 160
    assert manifest.split_sha256.keys() >= {"train", "validation", "calibration", "test"}
    assert manifest.seeds["root"] == 0 and manifest.machine["threads"] == "1"
    assert manifest.versions.keys() >= {"python", "torch", "numpy", "polars"}
    words = shlex.split(manifest.command)
    assert words[:3] == ["glasshouse", "train", str(source)] and "--test" in words


def test_the_model_file_names_no_place_of_this_machine(buyers: Run, tmp_path: Path, small: Make) -> None:
    rows = people(40, seed=9)
    rows.write_csv(tmp_path / "more rows.csv")
    people().write_csv(tmp_path / "people.csv")
    other = small(tmp_path / "people.csv", "tall", test=tmp_path / "more rows.csv")
    assert str(tmp_path) in other.manifest.command and str(tmp_path) in other.settings.source
    for run in (buyers, other):
        with zipfile.ZipFile(run.folder / "model.glass") as archive:
            content = b"".join(archive.read(name) for name in archive.namelist())
        for place in (run.folder.parent, Path.cwd(), Path.home(), Path(sys.prefix)):
            assert len(place.parts) < 2 or str(place).encode() not in content, place
        assert b"people.csv" in content, "by name it is there"
    assert "more rows.csv" in load(other.folder).parts.sections["manifest"]["command"]


# --- the same again ---------------------------------------------------------------------------------------------------


def test_the_same_command_gives_the_same_bits_and_another_seed_does_not(small: Make) -> None:
    settings = {"network.dropout": [0.0, 0.5]}
    one, two, other = (small("example:iris", "species", f"run{seed}-{place}", settings, seed=seed)
                       for place, seed in enumerate((0, 0, 1)))  # fmt: skip
    assert one.manifest.weights_sha256 == two.manifest.weights_sha256 != other.manifest.weights_sha256
    assert one.manifest.split_sha256 == two.manifest.split_sha256 != other.manifest.split_sha256
    for name, tensor in one.model.parts.tensors.items():
        np.testing.assert_array_equal(tensor, two.model.parts.tensors[name])
    assert one.metrics.ensemble == two.metrics.ensemble


# --- how deep it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "settings"),
    [(Pack.forward, {"network.activation": "gelu"}), (WrittenStep.step, {})],
    ids=["by autograd", "written out"],
)
def test_at_most_five_calls_from_train_to_the_network(
    inside: Callable[..., Any], settings: dict[str, Any], small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames of ours between the verb and the network, generators counted; torch's own between them are not ours."""
    stacks: set[tuple[str, ...]] = set()

    def looked_at(*arguments: Any) -> Any:
        names: list[str] = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            path = frame.f_code.co_filename
            if "/glasshouse/" in path:
                names.append(frame.f_code.co_name)
                if path.endswith("runs/train.py") and names[-1] == "train":
                    stacks.add(tuple(names[::-1]))
            frame = frame.f_back
        return inside(*arguments)

    owner = Pack if inside is Pack.forward else WrittenStep
    monkeypatch.setattr(owner, inside.__name__, looked_at)
    small("example:iris", "species", settings={"training.epochs": 1, "run.device": "cpu", **settings})
    training = [stack for stack in stacks if "train_epoch" in stack]
    assert training and all(len(stack) <= 5 for stack in training), training


# --- tables of every kind ---------------------------------------------------------------------------------------------


def test_a_table_in_memory(small: Make) -> None:
    table = people()
    runs = [
        small(source, "income", f"run{place}", {"columns.household": "ignore"})
        for place, source in enumerate(
            (table, table.to_pandas(), {name: table[name].to_list() for name in table.columns})
        )
    ]
    assert {run.settings.source for run in runs} == {"a table in memory"}
    assert {run.metrics.task for run in runs} == {"regression"}
    assert runs[0].manifest.split_sha256 == runs[2].manifest.split_sha256
    assert runs[0].manifest.weights_sha256 == runs[2].manifest.weights_sha256


@pytest.mark.parametrize(("target", "task", "classes"), [
    ("tall", "binary", 2), ("size", "multiclass", 3), ("income", "regression", 0), ("city", "multiclass", 12),
])  # fmt: skip
def test_a_target_of_every_kind(small: Make, target: str, task: str, classes: int) -> None:
    run = small(people(), target)
    assert (run.metrics.task, len(run.metrics.classes)) == (task, classes)
    said = run.model.predict(people(5, seed=4))
    assert set(np.asarray(said).tolist()) <= set(run.metrics.classes) or task == "regression"


def test_groups_stay_together(small: Make) -> None:
    run = small(people(), "income", group="household")
    assert run.metrics.rows.test > 0
    assert run.settings.split.group == "household"
    column = next(column for column in run.manifest.columns if column["name"] == "household")
    assert column["kind"] == "ignore"


def test_later_rows_judge(small: Make) -> None:
    run = small(people(), "income", time="seen")
    test = run.metrics.rows.test
    assert run.settings.pack.folds == 1
    rows = {mistake.row for mistake in run.metrics.diagnostics.mistakes}
    assert rows and min(rows) > 160 - test, "the rows are in the order of their dates"


def test_a_file_of_test_rows(small: Make, tmp_path: Path) -> None:
    people(37, seed=5).write_csv(tmp_path / "test.csv")
    run = small(people(), "income", test=tmp_path / "test.csv")
    assert run.metrics.rows.test == 37
    assert run.metrics.rows.train + run.metrics.rows.validation + run.metrics.rows.calibration == 160


def test_balanced_class_weights_find_more_of_a_rare_class(small: Make) -> None:
    draw = np.random.default_rng(0)
    signal = draw.normal(size=400)
    table = {"x": signal, "y": np.where(signal + draw.normal(0, 1, 400) > 1.9, "rare", "usual").tolist()}
    settings = {"training.epochs": 25, "optimiser.learning_rate": 0.01, "network.dropout": 0}
    runs = [
        small(table, "y", weights, {**settings, "training.class_weights": weights}) for weights in ("none", "balanced")
    ]
    found = [float((run.model.outputs(table).outputs[:, 0]).mean()) for run in runs]
    assert runs[0].metrics.classes == ("rare", "usual")
    assert found[1] > found[0] + 0.05


def test_unseen_categories_can_be_predicted(buyers: Run) -> None:
    strangers = people(6, seed=7).with_columns(city=pl.lit("a city that nobody has seen"))
    said = buyers.model.outputs(strangers).outputs
    missing = buyers.model.outputs(strangers.with_columns(city=pl.lit(None, pl.String))).outputs
    assert np.isfinite(said).all()
    np.testing.assert_allclose(said, missing, rtol=1e-12)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_device_that_is_not_there(small: Make, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="device 'gpu' is not there") as caught:
        small("example:iris", "species", settings={"run.device": "gpu"})
    assert caught.value.fix == "--set run.device=auto" and caught.value.expected.startswith("one of auto, cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"training.loss": "mse"}, "loss mse does not fit a multiclass target"),
        ({"network.hidden": [8], "network.depth": 2}, r"network\.depth has no effect beside network\.hidden"),
        ({"split.time": "sepal_length_cm", "pack.folds": 3}, "folds would train on later rows"),
    ],
)
def test_settings_that_contradict_each_other(small: Make, tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told) as caught:
        small("example:iris", "species", settings=settings)
    assert caught.value.where and not list(tmp_path.iterdir())


def test_a_number_has_no_classes_to_weigh(small: Make) -> None:
    with pytest.raises(SettingsError, match="a number has no classes to weigh or smooth") as caught:
        small("example:diabetes", "progression", settings={"training.class_weights": "balanced"})
    assert caught.value.expected == "a target with classes"


def test_places_that_cannot_be_a_run_folder(small: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "photo").write_text("precious")
    for name, told, fix in (
        ("file", "file is a file", f"--out {tmp_path}/file-run"),
        ("full", "full is not empty", f"--out {tmp_path}/full-2"),
        ("file/inside", "cannot be made", "--out runs/NAME"),
    ):
        with pytest.raises(SettingsError, match=told) as caught:
            small("example:iris", "species", name)
        assert caught.value.fix == fix and caught.value.where == "--out"
    assert (tmp_path / "file").read_text() == (tmp_path / "full" / "photo").read_text() == "precious"


@pytest.mark.parametrize("there", [True, False])
def test_a_run_that_fails_leaves_nothing_behind(
    small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        (tmp_path / "run").mkdir()
    monkeypatch.setattr(
        sys.modules["glasshouse.runs.train"], "make_manifest", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        small("example:iris", "species", settings={"training.epochs": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["run"] * there
    assert not there or not list((tmp_path / "run").iterdir())


def test_a_new_name_is_found_for_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"training.epochs": 1, "pack.members": 2, "network.width": 8, "run.threads": 1}
    folders = [train("example:iris", target="species", settings=settings).folder for _ in range(2)]
    assert folders[0] != folders[1]
    assert all(folder.parent == Path("runs") and folder.name.startswith("example-iris-") for folder in folders)


@pytest.mark.parametrize("ask", [train, check])
@pytest.mark.parametrize(
    ("word", "fix"), [("secnds", "seconds=..."), ("hidden_layers", 'settings={"NAME.OF.IT": ...}')]
)
def test_an_option_that_there_is_not(ask: Callable[..., object], word: str, fix: str) -> None:
    with pytest.raises(SettingsError, match=f"'{word}' is not an option") as caught:
        ask("example:iris", target="species", **{word: 5})
    assert (caught.value.where, caught.value.fix) == (word, fix)
    assert caught.value.expected == "one of effort, seconds, seed, test, group, time, out, settings"


def test_unknown_options_are_named(small: Make) -> None:
    with pytest.raises(DataError, match="pirce"):
        small("example:iris", "pirce")
    with pytest.raises(SettingsError, match=r"unknown setting 'training\.epoch'") as caught:
        small("example:iris", "species", settings={"training.epoch": 3})
    assert caught.value.fix == "--set training.epochs=..."


def test_the_group_cannot_be_the_target(small: Make) -> None:
    with pytest.raises(SettingsError, match='column "income" cannot be group and target at once') as caught:
        small(people(), "income", group="income")
    assert (caught.value.where, caught.value.fix) == ("--group", "leave out --group")


def test_checks_before_training_and_the_report_after_it(buyers: Run) -> None:
    found = check(buyers.settings.source, target="tall", settings={"columns.household": "ignore"})
    assert found.num_rows == 160 and found.schema.target is not None and found.schema.target.task == "binary"
    assert {finding.check for finding in found.findings} <= {finding["check"] for finding in buyers.manifest.findings}
    before = (buyers.folder / "report.html").read_bytes()
    (buyers.folder / "report.html").unlink()
    assert report(buyers.folder) == buyers.folder / "report.html"
    assert (buyers.folder / "report.html").read_bytes() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_report_that_fails_costs_nobody_the_run(
    error: type[BaseException], small: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> str:
        raise error("no report today")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["glasshouse.report"], "render", fail)
        with pytest.raises(error, match="no report today") as caught:
            small("example:iris", "species", settings={"training.epochs": 1})
    (folder,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    (note,) = caught.value.__notes__
    assert note == f"the run is in {folder}, without its report: glasshouse report {folder}"
    assert {path.name for path in folder.iterdir()} == FILES - {"report.html"}
    assert open_run(folder).metrics.ensemble["accuracy"].value > 0 and report(folder).is_file()


def test_members_that_diverge_cost_nobody_the_run(small: Make) -> None:
    settings = {
        "optimiser.name": "sgd", "optimiser.momentum": 0.9, "optimiser.learning_rate": [1e-3, 1000.0],
        "network.normalisation": "none", "pack.folds": 1, "training.epochs": 4,
    }  # fmt: skip
    run = small("example:breast-cancer", "diagnosis", settings=settings)
    ends = [event for event in run.history if isinstance(event, EpochEnd)]
    stopped = [event for event in run.history if isinstance(event, MemberStopped) and event.reason == "not_finite"]
    assert stopped and len(stopped) < len(ends[0].members), "some diverge, and some do not"
    by_epoch = {end.epoch: dict(zip(end.members, end.validation_loss, strict=True)) for end in ends}
    assert all(math.isnan(by_epoch[event.epoch][event.member]) for event in stopped)
    assert all(math.isfinite(end.ensemble_loss) for end in ends)
    page = (run.folder / "report.html").read_text()
    assert "(not finite)" in page and ">nan<" not in page and ">inf<" not in page
    assert run.metrics.ensemble["accuracy"].value > 0.8


def test_a_broken_history_is_named(small: Make) -> None:
    run = small("example:iris", "species", settings={"training.epochs": 1})
    (run.folder / "history.jsonl").write_text('{"event": "nothing"}\n')
    with pytest.raises(SettingsError, match=r"history\.jsonl cannot be read") as caught:
        _ = run.history
    assert caught.value.fix == "train again" and caught.value.expected == "the file as glasshouse wrote it"
