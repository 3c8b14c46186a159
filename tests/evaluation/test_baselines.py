"""Baselines against scikit-learn and against tables whose answer is known."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from glasshouse.core.errors import DataError
from glasshouse.evaluation.baselines import linear_outputs, naive_outputs


@dataclass(frozen=True)
class Table:
    """The three arrays that `Features` has; the data room is tested elsewhere."""

    numbers: np.ndarray
    flags: np.ndarray
    categories: np.ndarray


def table(rows: int, numbers: int = 3, flags: int = 2, categories: int = 1, values: int = 5, seed: int = 0) -> Table:
    generator = np.random.default_rng(seed)
    return Table(
        generator.normal(size=(rows, numbers)).astype(np.float32),
        generator.integers(0, 2, (rows, flags)).astype(np.float32),
        generator.integers(0, values, (rows, categories)),
    )


def test_naive_answers_are_the_mean_and_the_class_frequencies():
    assert naive_outputs("regression", np.array([1.0, 2.0, 6.0]), 2, 0).tolist() == [3.0, 3.0]
    frequencies = naive_outputs("multiclass", np.array([0, 0, 2, 2]), 1, 4)
    assert frequencies.tolist() == [[0.5, 0.0, 0.5, 0.0]]


@pytest.mark.parametrize("values", [5, 3000], ids=["dense", "sparse"])
def test_a_linear_target_is_found_through_numbers_flags_and_categories(values):
    train, test = table(4000, values=values), table(500, values=values, seed=1)
    effects = np.random.default_rng(2).normal(size=values)

    def target(part):
        return 100 + 5 * part.numbers[:, 0] - 3 * part.flags[:, 1] + 10 * effects[part.categories[:, 0]]

    outputs = linear_outputs("regression", train, target(train).astype(float), test, seed=0)
    residual = np.std(outputs - target(test)) / np.std(target(test))
    assert residual < (0.01 if values == 5 else 0.75)
    numbers_only = linear_outputs(
        "regression", Table(train.numbers, train.flags, train.categories[:, :0]), target(train).astype(float),
        Table(test.numbers, test.flags, test.categories[:, :0]), seed=0,
    )  # fmt: skip
    assert residual < 0.95 * np.std(numbers_only - target(test)) / np.std(target(test))


@pytest.mark.parametrize(("task", "classes"), [("binary", 2), ("multiclass", 4)])
def test_classes_are_told_apart_and_every_row_sums_to_one(task, classes):
    train, test = table(1500, numbers=classes), table(300, numbers=classes, seed=1)
    labels = [part.numbers.argmax(axis=1).astype(np.int64) for part in (train, test)]
    outputs = linear_outputs(task, train, labels[0], test, seed=0, num_classes=classes)
    assert outputs.shape == (300, classes)
    assert outputs.sum(axis=1) == pytest.approx(np.ones(300))
    assert (outputs.argmax(axis=1) == labels[1]).mean() > 0.9


def test_it_is_scikit_learns_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    train, test = table(400, flags=0, categories=0), table(50, flags=0, categories=0, seed=1)
    labels = (train.numbers[:, 0] + np.random.default_rng(0).normal(size=400) > 0).astype(np.int64)
    expected = LogisticRegression(max_iter=300).fit(train.numbers.astype(float), labels)
    outputs = linear_outputs("binary", train, labels, test, seed=0)
    assert outputs == pytest.approx(expected.predict_proba(test.numbers.astype(float)), abs=1e-4)


def test_classes_that_training_rows_lack_get_probability_zero():
    train, test = table(100), table(10, seed=1)
    labels = np.where(train.numbers[:, 0] > 0, 1, 3)
    outputs = linear_outputs("multiclass", train, labels, test, seed=0, num_classes=5)
    assert outputs.shape == (10, 5)
    assert (outputs[:, [0, 2, 4]] == 0).all()


def test_without_features_or_with_one_class_it_is_the_naive_answer():
    empty = Table(np.empty((6, 0), np.float32), np.empty((6, 0), np.float32), np.empty((6, 0), np.int64))
    assert linear_outputs("regression", empty, np.arange(6.0), empty, seed=0).tolist() == [2.5] * 6
    outputs = linear_outputs("binary", table(6), np.ones(6, dtype=np.int64), table(2), seed=0, num_classes=2)
    assert outputs.tolist() == [[0.0, 1.0]] * 2


def test_unseen_categories_are_answered():
    train, test = table(100, values=3), table(20, values=9, seed=1)
    assert np.isfinite(linear_outputs("regression", train, train.numbers[:, 0].astype(float), test, seed=0)).all()


def test_no_convergence_warning_leaks_from_a_separable_table_of_wild_scale():
    train = table(200, categories=0)
    wild = Table(train.numbers * 1e4, train.flags, train.categories)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linear_outputs("binary", wild, (train.numbers.sum(axis=1) > 0).astype(np.int64), wild, seed=0)


def test_a_large_table_is_sampled_and_stays_fast():
    train, test = table(50_000, numbers=90, flags=10, categories=0), table(2000, numbers=90, flags=10, categories=0)
    labels = (train.numbers[:, :5].sum(axis=1) + np.random.default_rng(0).normal(size=50_000) > 0).astype(np.int64)
    start = time.process_time()
    linear_outputs("binary", train, labels, test, seed=0)
    assert time.process_time() - start < 20.0  # about two seconds of one core alone


def test_the_seed_decides_the_sample(monkeypatch):
    from glasshouse.evaluation import baselines

    monkeypatch.setattr(baselines, "_MOST_CELLS", 1)
    train, test = table(1500), table(10, seed=1)
    target = train.numbers[:, 0] + np.random.default_rng(0).normal(size=1500)
    first, again, other = (linear_outputs("regression", train, target, test, seed=seed) for seed in (0, 0, 1))
    assert (first == again).all()
    assert not (first == other).all()


def test_no_training_rows_is_an_error():
    with pytest.raises(DataError, match="no training rows") as caught:
        naive_outputs("regression", np.array([]), 3, 0)
    assert caught.value.fix == "add rows to the table"
    with pytest.raises(DataError, match="no training rows"):
        linear_outputs("regression", table(0), np.array([]), table(2), seed=0)
