"""Records of runs that could have been: bundled data, a small scikit-learn network, made-up curves."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import sklearn  # noqa: F401 - sets two variables of the environment when first imported: before any test looks

from glasshouse.core.records import (
    EpochEnd,
    Finished,
    LayerStatistics,
    Manifest,
    MemberInfo,
    MemberStopped,
    RowCounts,
    SourceRecord,
    Stage,
    Started,
)
from glasshouse.core.settings import RunSettings, Settings, SplitSettings
from glasshouse.evaluation.baselines import naive_outputs
from glasshouse.evaluation.conformal import fit_uncertainty
from glasshouse.evaluation.judge import Judged, judge
from glasshouse.model.uncertainty import apply_temperature

NUM_MEMBERS = 8


def history(epochs: int = 40, loss: float = 0.7, floor: float = 0.08):
    generator = np.random.default_rng(0)
    members = tuple(
        MemberInfo(
            member=i, hidden=(64,) * (1 + i % 3), num_parameters=5000 + 4200 * (i % 3),
            learning_rate=float(10 ** generator.uniform(-3.5, -2)), weight_decay=float(10 ** generator.uniform(-5, -2)),
            dropout=float(generator.uniform(0, 0.3)),
        )
        for i in range(NUM_MEMBERS)
    )  # fmt: skip
    speed, overfit = generator.uniform(3, 9, NUM_MEMBERS), generator.uniform(0, 0.0015, NUM_MEMBERS)
    events = [
        Stage(stage="read", detail="breast-cancer"),
        Started(members=members, epochs=epochs, steps_per_epoch=5, batch_size=64, device="cpu", precision="float32"),
    ]
    for epoch in range(1, epochs + 1):
        alive = tuple(i for i in range(NUM_MEMBERS) if not (i == 5 and epoch > 22))
        validation = [
            floor * (1 + 0.2 * i) + loss * np.exp(-epoch / speed[i]) + overfit[i] * epoch + generator.normal() * 0.004
            for i in alive
        ]
        ones = (1.0,) * len(alive)
        layer = LayerStatistics(
            layer="hidden 1", members=alive, mean=(0.41,) * len(alive), spread=(0.55,) * len(alive),
            dead=tuple(0.0 if i != 2 else 0.125 for i in alive), saturated=(0.0,) * len(alive),
            gradient_norm=(0.031,) * len(alive), update_ratio=(0.0012,) * len(alive),
        )  # fmt: skip
        events.append(
            EpochEnd(
                epoch=epoch, epochs=epochs, seconds=epoch * 0.2, progress=epoch / epochs, members=alive,
                train_loss=ones, validation_loss=tuple(float(v) for v in validation), learning_rate=ones,
                ensemble_loss=float(min(validation) * 0.93), ensemble_members=(1, 1, 3, 0), layers=(layer,),
            )
        )  # fmt: skip
    stop = MemberStopped(member=5, epoch=22, best_epoch=12, best_loss=0.2, reason="patience")
    events.insert(24, stop)
    events.append(
        Finished(
            reason="schedule", epochs=epochs, seconds=8.24, ensemble_members=(1, 1, 3, 0), ensemble_loss=0.0613,
            best_member=1, best_epoch=31, best_loss=0.0688,
        )
    )  # fmt: skip
    return tuple(events)


def manifest(name: str, target: str, table: pl.DataFrame, findings=()) -> Manifest:
    columns = tuple(
        {
            "name": column, "kind": "number" if table[column].dtype.is_numeric() else "category", "used": i != 3,
            "reason": "" if i != 3 else "every value is distinct: an identifier", "missing": 0 if i % 4 else 7,
            "distinct": table[column].n_unique(), "examples": tuple(str(v) for v in table[column].head(3)),
        }
        for i, column in enumerate(table.columns)
    )  # fmt: skip
    columns += ({"name": target, "task": "regression", "classes": (), "missing": 0},)  # as a run writes it
    return Manifest(
        glasshouse="0.1.0", created="2026-11-20T21:30:11+00:00",
        command=f"glasshouse train {name} --target x --effort quick --seed 0",
        source=SourceRecord(name=name, rows=table.height, columns=table.width + 1, size_bytes=1, sha256="ab12" * 16),
        split_sha256={"train": "1f" * 32, "validation": "2f" * 32, "calibration": "3f" * 32, "test": "4f" * 32},
        weights_sha256="cd34" * 16, seeds={"root": 0}, versions={"python": "3.11.2", "torch": "2.13.0"},
        machine={"os": "Linux", "device": "cpu", "threads": "2", "precision": "float32"}, columns=columns,
        findings=findings,
    )  # fmt: skip


def classification(classes: int = 2):
    """Breast cancer, or wine: a small network of scikit-learn stands in for the pack."""
    from sklearn.datasets import load_breast_cancer, load_wine
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import scale

    bunch = load_breast_cancer() if classes == 2 else load_wine()
    names = ("malignant", "benign") if classes == 2 else ("Barolo", "Grignolino", "Barbera")
    x, y = scale(bunch.data), bunch.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(y))
    train, held, test = order[: len(y) // 3], order[len(y) // 3 : -114], order[-114:]
    model = LogisticRegression(C=0.5, max_iter=500).fit(x[train], y[train])
    linear = LogisticRegression(C=0.001).fit(x[train], y[train])
    raw, held_raw = model.predict_proba(x[test]), model.predict_proba(x[held])
    task = "binary" if classes == 2 else "multiclass"
    known = fit_uncertainty(task, y[held], held_raw, np.zeros(len(held)), seed=0)
    table = pl.DataFrame({name: bunch.data[:, i] for i, name in enumerate(bunch.feature_names)})
    metrics = judge(
        Judged(
            task=task, target="diagnosis" if classes == 2 else "cultivar", classes=names, actual=y[test],
            outputs=apply_temperature(raw, known.temperature), uncalibrated=raw, spread=np.zeros(114),
            best_single=linear.predict_proba(x[test]) * 0.7 + raw * 0.3, linear=linear.predict_proba(x[test]),
            naive=naive_outputs(task, y[train], 114, classes), uncertainty=known, row_numbers=test + 1,
            table=table[test], counts=RowCounts(train=341, validation=68, calibration=46, test=114),
            seconds=8.24, members=NUM_MEMBERS,
        )
    )  # fmt: skip
    findings = (
        {"check": "small", "severity": "info", "column": "", "message": "569 rows are few.", "advice": "Take care."},
        {"check": "leakage", "severity": "problem", "column": "worst area", "message": "worst area predicts alone.",
         "advice": "Leave it out if it is not known in time: --set columns.\"worst area\"=ignore"},
        {"check": "imbalance", "severity": "warning", "message": "63 % of rows are benign.", "advice": ""},
    )  # fmt: skip
    settings = Settings(source="example:breast-cancer", target=metrics.target, run=RunSettings(effort="quick"))
    return settings, manifest("breast-cancer", metrics.target, table, findings), metrics, history()


def regression():
    """Diabetes, split by time on paper."""
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.linear_model import Ridge

    bunch = load_diabetes(scaled=False)
    x, y = bunch.data, bunch.target
    order = np.random.default_rng(0).permutation(len(y))
    train, held, test = order[:200], order[200:-120], order[-120:]
    forest = ExtraTreesRegressor(60, min_samples_leaf=4, random_state=0).fit(x[train], y[train])

    def answer(rows):
        trees = np.stack([tree.predict(x[rows]) for tree in forest.estimators_])
        return trees.mean(axis=0), trees.std(axis=0)

    outputs, spread = answer(test)
    table = pl.DataFrame({name: bunch.data[:, i] for i, name in enumerate(bunch.feature_names)})
    metrics = judge(
        Judged(
            task="regression", target="progression", classes=(), actual=y[test], outputs=outputs, uncalibrated=outputs,
            spread=spread, best_single=forest.estimators_[0].predict(x[test]), naive=np.full(120, y[train].mean()),
            linear=Ridge().fit(x[train], y[train]).predict(x[test]),
            uncertainty=fit_uncertainty("regression", y[held], *answer(held), seed=0), row_numbers=test + 1,
            table=table[test], counts=RowCounts(train=200, validation=60, calibration=62, test=120, dropped=3),
            seconds=75.0, members=NUM_MEMBERS, warnings=("the run was interrupted; the best so far was kept",),
        )
    )  # fmt: skip
    split = SplitSettings(time="visit", group="patient")
    settings = Settings(source="diabetes.csv", target="progression", split=split, run=RunSettings(seconds=60.0))
    return settings, manifest("diabetes.csv", "progression", table), metrics, history(loss=9.0, floor=0.4)


@pytest.fixture(scope="session")
def binary_run():
    """A finished run with two classes."""
    return classification()


@pytest.fixture(scope="session")
def multiclass_run():
    """A finished run with three classes."""
    return classification(3)


@pytest.fixture(scope="session")
def regression_run():
    """A finished run with a number to predict."""
    return regression()
