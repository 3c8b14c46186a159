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

from glasshouse.core.errors import DataError, GlasshouseError, SettingsError
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
    weight = np.full(len(y), 0.7)
    weight[:50] = 1.3
    weight[100:] = 0.0
    spoilt = y.copy()
    spoilt[100:] = 1e6
    weighed = PackRegressor(members=1, random_state=0, settings=BRIEF).fit(X, spoilt, sample_weight=weight)
    alone = PackRegressor(members=1, random_state=0, settings=BRIEF).fit(X[:100], y[:100], sample_weight=weight[:100])
    np.testing.assert_array_equal(weighed.predict(X), alone.predict(X))


def test_whole_weights_are_rows_repeated_in_any_order_and_with_their_intervals() -> None:
    X, y = load_diabetes(return_X_y=True)
    random = np.random.default_rng(0)
    weight = random.integers(0, 4, len(y))
    order = random.permutation(len(y))
    again = np.repeat(np.arange(len(y)), weight)
    weighed = PackRegressor(members=2, random_state=0, settings=BRIEF).fit(X[order], y[order], weight[order])
    repeated = PackRegressor(members=2, random_state=0, settings=BRIEF).fit(X[again], y[again])
    np.testing.assert_array_equal(weighed.predict_interval(X, 0.8), repeated.predict_interval(X, 0.8))
    plain = PackRegressor(members=2, random_state=0, settings=BRIEF).fit(X, y)
    assert np.abs(plain.predict(X) - repeated.predict(X)).max() > 1.0


def test_weights_in_the_losses_do_about_what_repeated_rows_do() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 2))
    y = X[:, 0] + 0.1 * random.normal(size=600)
    y[:12] += 2.0
    weight = np.where(np.arange(600) < 12, 49.0, 1.0)  # half of all weight, on rows that say 2 more
    settings = {**SMALL, "training.batch_size": 32, "network.embedding": "none", "network.normalisation": "none",
                "network.skip": False}  # fmt: skip
    shifts = [
        (PackRegressor(members=4, random_state=0, settings=settings).fit(X, y, given).predict(X) - X[:, 0]).mean()
        for given in (None, 1.5 * weight, weight)
    ]
    assert shifts[0] < 0.2 and shifts[1] == pytest.approx(shifts[2], abs=0.15) and shifts[2] > 0.5


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


def test_the_model_knows_the_labels_and_the_names_of_the_user() -> None:
    frame, label = people()
    network = PackClassifier(members=1, random_state=0, settings=BRIEF).fit(frame, pd.Series(label, name="joined"))
    assert network.model_.classes == ("no", "yes") and network.model_.schema.target.name == "joined"
    np.testing.assert_array_equal(network.model_.predict(frame), network.predict(frame))
    taken = PackClassifier(members=1, random_state=0, settings=BRIEF).fit(frame, label)
    assert taken.model_.schema.target.name == "target_"
    shuffled = PackClassifier(members=1, random_state=0, settings=SMALL)
    X, y = load_iris(return_X_y=True)
    names = np.array(["10", "9", "NA"])  # sorted as words by scikit-learn, as numbers by the house; one is no value
    assert shuffled.fit(X, names[y]).score(X, names[y]) > 0.9
    numbers = np.array(["10", "9", "8"])
    assert shuffled.fit(X, numbers[y]).score(X, numbers[y]) > 0.9


def test_a_declared_category_is_one_and_a_number_of_a_frame_is_never_left_out() -> None:
    place = np.arange(200)
    frame = pd.DataFrame({"id": place, "zone": pd.Categorical(place % 4 + 1)})
    y = 0.05 * place + np.where(place % 4 == 2, 5.0, 0.0)
    for X in (frame, pl.from_pandas(frame).with_columns(pl.col("zone").cast(pl.String).cast(pl.Categorical))):
        network = PackRegressor(members=2, random_state=0, settings={**SMALL, "training.epochs": 100}).fit(X, y)
        kinds = {column.name: column.kind for column in network.model_.schema.used}
        assert kinds == {"id": "number", "zone": "category"}
        assert network.score(X, y) > 0.95
    own = {**BRIEF, "columns.id": "ignore"}
    network = PackRegressor(members=2, random_state=0, settings=own).fit(frame, y)
    assert [column.name for column in network.model_.schema.used] == ["zone"]


def test_a_column_of_words_that_is_left_out_is_told() -> None:
    frame, label = people()
    named = frame.assign(name=[f"person {place}" for place in range(len(frame))])
    with pytest.warns(UserWarning, match='left out: "name": it has 300 different values'):
        network = PackClassifier(members=1, random_state=0, settings=BRIEF).fit(named, label)
    assert network.predict(named).shape == (300,)


def test_an_array_goes_by_the_places_of_a_frames_columns() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    network = PackRegressor(members=1, random_state=0, settings=BRIEF).fit(X, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        said = network.predict(X.to_numpy())
    np.testing.assert_array_equal(said, network.predict(X))


@pytest.mark.parametrize(
    ("rows", "y", "weight", "problem", "expected"),
    [
        (9, np.arange(9.0), None, "n_samples = 9 is too few", "at least 10 rows that count"),
        (20, np.arange(20.0), np.r_[np.ones(3), np.zeros(17)], "n_samples = 3 is too few", "at least 10"),
        (20, np.arange(20.0), np.r_[-1.0, np.ones(19)], "sample_weight holds a weight of -1", "0 or more"),
    ],
)
def test_what_cannot_be_learnt_from_is_said(rows: int, y: Any, weight: Any, problem: str, expected: str) -> None:
    X = np.random.default_rng(0).normal(size=(rows, 2))
    with pytest.raises(DataError) as caught:
        PackRegressor(settings=BRIEF).fit(X, y, sample_weight=weight)
    assert problem in caught.value.problem and expected in caught.value.expected


def test_one_class_is_nothing_to_tell_apart() -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(DataError) as caught:
        PackClassifier(settings=BRIEF).fit(X, np.arange(20) % 2, sample_weight=(np.arange(20) % 2) * 0.5)
    assert caught.value.problem == "all rows that count are of one class, 1" and caught.value.fix


def test_few_different_rows_are_not_held_back_to_calibrate() -> None:
    X = np.arange(40).reshape(-1, 1) % 3.0
    network = PackRegressor(members=1, random_state=0, settings=BRIEF).fit(X, X[:, 0] * 2)
    assert network.model_.parts.uncertainty.num_rows == 0
    with pytest.raises(SettingsError, match="no calibration scores"):
        network.predict_interval(X)
