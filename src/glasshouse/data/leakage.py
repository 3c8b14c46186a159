"""How well one column alone tells the target, measured on rows that were held out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from glasshouse.core.records import Task
from glasshouse.data.frame import Frame
from glasshouse.data.schema import Column, Schema
from glasshouse.data.targets import read_target
from glasshouse.data.values import Floats, parse_labels, parse_numbers, parse_times, parse_yesno

MOST_ROWS = 10_000
FOLDS = 3
FEWEST_ROWS = 30


def single_column_scores(frame: Frame, schema: Schema) -> dict[str, float]:
    """The held-out score of every used column alone, from 0 (tells nothing) to 1 (tells all).

    Two classes: 2 AUC - 1. Many classes: the share of the errors of always naming the commonest class that is avoided.
    Regression: R². Nothing is said of tables with fewer than 30 rows, or than 4 a class.

    Three-fold cross-validated over at most 10,000 rows with a small decision tree; categories enter as the
    target's mean per label over the other folds (many classes: the commonest class per label).
    """
    assert schema.target is not None
    target = read_target(frame.table[schema.target.name], schema.target).astype(np.float64)
    rows = np.flatnonzero(np.isfinite(target) & ((target >= 0) | (schema.target.task == "regression")))
    if len(rows) < max(FEWEST_ROWS, 4 * len(schema.target.classes)):
        return {}
    random = np.random.default_rng(0)
    rows = random.permutation(rows)[:MOST_ROWS]
    y, table = target[rows], frame.table[rows]
    folds = np.arange(len(rows)) % FOLDS
    scores = {}
    for column in schema.used:
        x, is_label = _values(table[column.name], column)
        scores[column.name] = _held_out(x, y, folds, schema.target.task, is_label=is_label)
    return scores


def _values(series: pl.Series, column: Column) -> tuple[Floats, bool]:
    """The column as numbers, or its labels as numbers from 0, and which of the two."""
    if column.kind == "number":
        return parse_numbers(series, column.reading), False
    if column.kind == "yesno":
        return parse_yesno(series, column.reading), False
    if column.kind == "datetime":
        return parse_times(series, column.reading).cast(pl.Int64).cast(pl.Float64).fill_null(np.nan).to_numpy(), False
    labels = parse_labels(series, column.reading).fill_null("")
    return labels.rank("dense").to_numpy().astype(np.float64) - 1, True


def _held_out(x: Floats, y: Floats, folds: npt.NDArray[np.int64], task: Task, *, is_label: bool) -> float:
    """Predictions for each fold from the others, scored together."""
    guesses = np.zeros(len(y))
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        if is_label and task == "multiclass":
            guesses[test] = _commonest(x[train], y[train], x[test])
            continue
        train_x, test_x = _label_means(x, y, train) if is_label else (x[train], x[test])
        guesses[test] = _tree(train_x, y[train], test_x, task)
    return _score(y, guesses, task)


def _tree(train_x: Floats, train_y: Floats, test_x: Floats, task: Task) -> Floats:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    shape = {"max_leaf_nodes": 64, "min_samples_leaf": 5, "random_state": 0}
    limits = np.finfo(np.float32)
    train_x, test_x = (np.clip(x, limits.min, limits.max)[:, None] for x in (train_x, test_x))
    if task == "multiclass":
        return np.asarray(DecisionTreeClassifier(**shape).fit(train_x, train_y).predict(test_x), dtype=np.float64)
    return np.asarray(DecisionTreeRegressor(**shape).fit(train_x, train_y).predict(test_x), dtype=np.float64)


def _label_means(x: Floats, y: Floats, train: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Each label's mean target over the training folds, drawn towards the mean of all where the label is rare."""
    codes = x.astype(np.int64)
    size = int(codes.max()) + 1
    counts = np.bincount(codes[train], minlength=size)
    means = (np.bincount(codes[train], weights=y[train], minlength=size) + 2 * y[train].mean()) / (counts + 2)
    return means[codes[train]], means[codes[~train]]


def _commonest(train_x: Floats, train_y: Floats, test_x: Floats) -> Floats:
    table = np.zeros((int(max(train_x.max(), test_x.max())) + 1, int(train_y.max()) + 1))
    np.add.at(table, (train_x.astype(np.int64), train_y.astype(np.int64)), 1)
    table += 1e-3 * table.sum(axis=0) / table.sum()
    return np.asarray(table.argmax(axis=1)[test_x.astype(np.int64)], dtype=np.float64)


def _score(y: Floats, guesses: Floats, task: Task) -> float:
    if task == "binary":
        from sklearn.metrics import roc_auc_score

        return float(2 * roc_auc_score(y, guesses) - 1) if len(np.unique(y)) == 2 else 0.0
    if task == "multiclass":
        base = np.bincount(y.astype(np.int64)).max() / len(y)
        return float((np.mean(y == guesses) - base) / (1 - base)) if base < 1 else 0.0
    spread = float(((y - y.mean()) ** 2).sum())
    return float(1 - ((y - guesses) ** 2).sum() / spread) if spread > 0 else 0.0
