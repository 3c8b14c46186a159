"""The estimators keep scikit-learn's contract, and say what the house says."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from glasshouse.core.errors import GlasshouseError
from glasshouse.sklearn import PackClassifier, PackRegressor

SMALL = {"training.epochs": 40, "pack.folds": 1, "network.width": 16, "training.batch_size": 16, "pack.ensemble": 2}
BRIEF = {**SMALL, "training.epochs": 5}


@parametrize_with_checks(
    [
        PackClassifier(members=2, random_state=0, settings=SMALL),
        PackRegressor(members=2, random_state=0, settings=SMALL),
    ]
)  # type: ignore[misc]
def test_the_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def people(rows: int = 300, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """A frame with all that a frame may hold, and a label that follows from it."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "age": random.normal(40.0, 10.0, rows),
        "town": random.choice(["Aix", "Bonn", "Cork"], rows),
        "kind": pd.Categorical(random.choice(list("uvw"), rows)),
        "member": random.random(rows) < 0.5,
        "target": random.normal(size=rows),  # the name that the label would have had
    })  # fmt: skip
    frame.loc[::7, "age"] = np.nan
    frame.loc[::9, "town"] = None
    return frame, np.where((frame["town"] == "Aix") | frame["member"], "yes", "no")


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_frames_go_in_as_they_are(kind: type) -> None:
    frame, label = people()
    X = frame if kind is pd.DataFrame else pl.from_pandas(frame)
    network = PackClassifier(members=2, random_state=0, settings={**SMALL, "training.epochs": 60}).fit(X, label)
    assert list(network.feature_names_in_) == list(frame.columns) and network.n_features_in_ == 5
    assert list(network.classes_) == ["no", "yes"]
    assert network.score(X, label) > 0.95
    kinds = {column.name: column.kind for column in network.model_.schema.used}
    assert kinds["town"] == "category" and kinds["member"] == "yesno"
    with pytest.raises(ValueError, match="feature names should match"):
        network.predict(X[["town", "age", "kind", "member", "target"]])


def test_the_two_kinds_of_frame_and_the_model_itself_say_the_same() -> None:
    frame, label = people()
    network = PackClassifier(members=2, random_state=0, settings=BRIEF).fit(frame, label)
    likely = network.predict_proba(frame)
    np.testing.assert_allclose(likely.sum(axis=1), 1.0)
    np.testing.assert_array_equal(network.predict(frame), network.classes_[likely.argmax(axis=1)])
    np.testing.assert_allclose(network.predict_proba(pl.from_pandas(frame)), likely, atol=1e-12)
    np.testing.assert_allclose(network.model_.predict_probabilities(frame), likely, atol=1e-12)


def test_labels_of_any_type_come_back_as_they_were() -> None:
    X, y = load_iris(return_X_y=True)
    for labels in (y, y - 7, y * 2.0, np.array(["b", "a", "c"])[y], y == 1):
        network = PackClassifier(members=1, random_state=0, settings=SMALL).fit(X, labels)
        assert network.classes_.dtype == labels.dtype
        assert network.score(X, labels) > 0.9


def test_the_same_state_gives_the_same_networks_and_none_gives_others() -> None:
    X, y = load_diabetes(return_X_y=True)
    first, second, other = (
        PackRegressor(members=1, random_state=state, settings=BRIEF).fit(X, y).predict(X) for state in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1.0
    drawn = [PackRegressor(members=1, settings=BRIEF).fit(X, y).predict(X) for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 1.0
    state = np.random.RandomState(0)
    stream = [PackRegressor(members=1, random_state=state, settings=BRIEF).fit(X, y).predict(X) for _ in range(2)]
    assert np.abs(stream[0] - stream[1]).max() > 1.0


def test_a_row_without_weight_is_as_if_it_were_not_there() -> None:
    X, y = load_diabetes(return_X_y=True)
    weight = np.ones(len(y))
    weight[100:] = 0.0
    spoilt = y.copy()
    spoilt[100:] = 1e6
    weighed = PackRegressor(members=1, random_state=0, settings=BRIEF).fit(X, spoilt, sample_weight=weight)
    alone = PackRegressor(members=1, random_state=0, settings=BRIEF).fit(X[:100], y[:100], sample_weight=weight[:100])
    np.testing.assert_array_equal(weighed.predict(X), alone.predict(X))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        PackRegressor(settings=BRIEF).fit(X, y, sample_weight=np.zeros(len(y)))


def test_weights_pull_the_answer_towards_the_rows_that_have_them() -> None:
    # One number that says nothing, and two answers: the best guess is their weighted mean.
    random = np.random.default_rng(0)
    X, y = random.normal(size=(400, 1)), np.repeat([0.0, 10.0], 200)
    settings = {**SMALL, "training.epochs": 20}
    for heavy, expected in ((1.0, 5.0), (9.0, 9.0)):
        weight = np.where(y > 5.0, heavy, 1.0)
        network = PackRegressor(members=2, random_state=0, settings=settings).fit(X, y, sample_weight=weight)
        assert network.predict(X).mean() == pytest.approx(expected, abs=0.6)


def test_pickle_and_clone() -> None:
    frame, label = people()
    network = PackClassifier(members=1, random_state=0, settings=BRIEF).fit(frame, label)
    again = pickle.loads(pickle.dumps(network))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(frame), network.predict_proba(frame))
    twin = clone(network)
    assert not hasattr(twin, "model_") and twin.get_params() == network.get_params()


def test_in_a_pipeline_a_search_and_a_cross_validation() -> None:
    X, y = load_iris(return_X_y=True)
    network = PackClassifier(members=1, random_state=0, settings=SMALL)
    assert cross_val_score(network, X, y, cv=3).min() > 0.85
    search = GridSearchCV(make_pipeline(StandardScaler(), network), {"packclassifier__members": [1, 2]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.85 and search.predict(X).shape == (150,)


def test_intervals_hold_what_they_promise() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(3000, 2))
    y = X[:, 0] + random.normal(size=3000)
    settings = {**SMALL, "training.epochs": 5, "training.batch_size": 128}
    network = PackRegressor(members=2, random_state=0, settings=settings).fit(X[:2000], y[:2000])
    bounds = network.predict_interval(X[2000:], confidence=0.8)
    assert np.mean((bounds[:, 0] <= y[2000:]) & (y[2000:] <= bounds[:, 1])) == pytest.approx(0.8, abs=0.06)


def test_an_array_has_numbers_only_and_a_wrong_setting_is_the_houses_error() -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="could not convert string"):
        PackClassifier().fit(np.array([["a", "b"]] * 20), [0, 1] * 10)
    with pytest.raises(GlasshouseError, match=r"network\.hiden"):
        PackClassifier(settings={"network.hiden": [3]}).fit(X, y)
    with pytest.raises(GlasshouseError, match="lots"):
        PackClassifier("lots").fit(X, y)


def test_whole_numbers_of_an_array_are_numbers_even_where_they_count_the_rows() -> None:
    X = np.arange(200.0).reshape(-1, 1)
    network = PackRegressor(members=1, random_state=0, settings={**SMALL, "training.epochs": 100}).fit(X, 3.0 * X[:, 0])
    assert network.score(X, 3.0 * X[:, 0]) > 0.9
