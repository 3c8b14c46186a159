"""The pack as scikit-learn's estimators: `PackClassifier` and `PackRegressor`.

They take what scikit-learn's own take, and besides it pandas and polars frames as they are: with names, words, dates,
yes and no, and holes. Everything a run does up to the finished network happens here too, by the same code; what is left
out is what needs a folder or rows to judge on.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Self

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from glasshouse.core.errors import DataError
from glasshouse.core.options import build_settings
from glasshouse.core.settings import Kind, Settings
from glasshouse.data import Frame
from glasshouse.data.split import FEWEST_ROWS
from glasshouse.model import Model
from glasshouse.runs.learn import learn
from glasshouse.runs.prepare import MEMORY
from glasshouse.sklearn.tables import class_labels, counted, is_frame, known_kinds, target_name, to_frame, to_table

__all__ = ["PackClassifier", "PackRegressor"]

Array = NDArray[Any]
LARGEST_SEED = 2**31 - 1


class _PackEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share."""

    _target_kind: Kind

    def __init__(
        self,
        effort: str | None = None,
        *,
        members: int | None = None,
        seconds: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.effort = effort
        self.members = members
        self.seconds = seconds
        self.random_state = random_state
        self.settings = settings

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains the pack.

        Args:
            X: (rows, columns) a pandas or polars frame, or an array of numbers; NaN is a missing value.
            y: (rows,) labels of any type for a classifier, numbers for a regressor.
            sample_weight: (rows,) how much each row counts, at least 0; a row of weight 0 is left out.

        Raises:
            ValueError: rows that cannot be learnt from; the house's own errors are of this type too.
        """
        X, checked = _checked(self, X, y)
        target = self._read_target(checked).alias(target_name(y, list(getattr(X, "columns", ()))))
        table, weights = to_table(X), None
        kinds = {**known_kinds(X, table), target.name: self._target_kind}
        table = table.with_columns(target)
        if sample_weight is not None:
            rows, weights = counted(_check_sample_weight(sample_weight, X, dtype=np.float64))
            table = table[rows]
        if table[target.name].n_unique() == 1 and self._target_kind == "category":
            raise DataError(f"all rows that count are of one class, {table[target.name][0]}", where="y",
                            expected="two classes or more", fix="rows of another class")  # fmt: skip
        if table.height < FEWEST_ROWS:
            raise DataError(f"n_samples = {table.height} is too few to learn from and to choose by", where="X",
                            expected=f"at least {FEWEST_ROWS} rows that count", fix="more rows")  # fmt: skip
        self.model_: Model = learn(to_frame(table), self._asked(target.name, kinds), weights)
        _tell_left_out(self.model_)
        return self

    def _read_target(self, y: Any) -> pl.Series:
        """What the network learns, from `y` as scikit-learn has checked it."""
        raise NotImplementedError

    def _asked(self, target: str, kinds: Mapping[str, Kind]) -> Settings:
        given: dict[str, Any] = {"source": MEMORY, "target": target}
        given["run.seed"] = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        if isinstance(self.random_state, int | np.integer):
            given["run.seed"] = int(self.random_state)
        words = {"run.effort": self.effort, "run.seconds": self.seconds, "pack.members": self.members}
        given |= {name: value for name, value in words.items() if value is not None}
        settings = build_settings({**given, **(self.settings or {})}, "settings")
        return msgspec.structs.replace(settings, columns={**kinds, **settings.columns})

    def _rows(self, X: Any) -> Frame:
        """The rows to predict, checked against those of `fit`; a column's name goes by its place."""
        check_is_fitted(self)
        table = to_table(_checked(self, X, reset=False))
        names = [column.name for column in self.model_.schema.columns]
        return to_frame(table.rename(dict(zip(table.columns, names, strict=True))))

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "model_" in state:
            state = {**state, "model_": state["model_"].parts}  # records and arrays; the network is built anew
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "model_" in state:
            self.model_ = Model(state["model_"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class PackClassifier(ClassifierMixin, _PackEstimator):  # type: ignore[misc]
    """A pack of networks that tells classes apart, for scikit-learn.

    Args:
        effort: quick, standard or thorough.
        members: networks in the pack; None lets the effort decide.
        seconds: end within about so many; None trains what the effort plans.
        random_state: an integer gives the same networks again; None draws a seed.
        settings: anything else of a run by its dotted name, such as {"network.hidden": [64, 32]}.

    Attributes:
        classes_: (classes,) the labels, in the order of the probabilities.
        model_: the trained `glasshouse.model.Model`; `model_.save("model.glass")` keeps it.
        n_features_in_: columns seen by `fit`.
        feature_names_in_: their names, where they have any.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> network = PackClassifier("quick", seconds=2, random_state=0).fit(X, y)
        >>> network.score(X, y) > 0.9
        True
    """

    _target_kind: Kind = "category"

    def _read_target(self, y: Any) -> pl.Series:
        """The labels as the model calls them; notes the classes."""
        check_classification_targets(y)
        self.classes_, codes = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        self._labels = class_labels(self.classes_)
        return pl.Series(self._labels)[codes]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """How likely each class is: (rows, classes), every row sums to 1."""
        rows = self._rows(X)
        found = self.model_.outputs(rows).outputs
        whole = np.zeros((len(found), len(self.classes_)))
        # A class all of whose rows weigh nothing is unknown to the model, and never predicted.
        whole[:, [self._labels.index(label) for label in self.model_.classes]] = found
        return whole

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row: (rows,) labels as `fit` was given them."""
        likely = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likely])


class PackRegressor(RegressorMixin, _PackEstimator):  # type: ignore[misc]
    """A pack of networks that predicts a number, for scikit-learn.

    Args:
        effort: quick, standard or thorough.
        members: networks in the pack; None lets the effort decide.
        seconds: end within about so many; None trains what the effort plans.
        random_state: an integer gives the same networks again; None draws a seed.
        settings: anything else of a run by its dotted name, such as {"network.hidden": [64, 32]}.

    Attributes:
        model_: the trained `glasshouse.model.Model`; `model_.save("model.glass")` keeps it.
        n_features_in_: columns seen by `fit`.
        feature_names_in_: their names, where they have any.

    Example:
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
        >>> network = PackRegressor("quick", seconds=2, random_state=0).fit(X, y)
        >>> network.score(X, y) > 0.4, network.predict_interval(X, confidence=0.8).shape
        (True, (442, 2))
    """

    _target_kind: Kind = "number"

    def _read_target(self, y: Any) -> pl.Series:
        """The numbers, all finite."""
        return pl.Series(check_array(column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y"))

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The predicted number of each row: (rows,) in the unit of `y`."""
        rows = self._rows(X)
        return self.model_.outputs(rows).outputs

    def predict_interval(self, X: Any, confidence: float = 0.9) -> NDArray[np.float64]:
        """A range that holds the truth as often as promised: (rows, 2), lower and upper bound.

        Args:
            X: the rows.
            confidence: the promised share of rows, between 0 and 1.

        Source:
            Lei et al. 2018, "Distribution-free predictive inference for regression" (split conformal).
        """
        rows = self._rows(X)
        return self.model_.predict_interval(rows, confidence)


def _checked(estimator: Any, X: Any, *y: Any, reset: bool = True) -> Any:
    """Frames as they are, with their names noted; arrays as scikit-learn wants them."""
    if is_frame(X):
        check_consistent_length(X, *y)
        return validate_data(estimator, X, *y, reset=reset, skip_check_array=True)
    return validate_data(
        estimator, X, *y, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan",
        **({"multi_output": False} if y else {}),
    )  # fmt: skip


def _tell_left_out(model: Model) -> None:
    """Warns of columns that hold something, and that the network does not see."""
    unread = [column for column in model.schema.columns if not column.used and column.kind in ("identifier", "text")]
    told = [f'"{column.name}": {column.reason}' for column in unread if "as asked" not in column.reason]
    if told:
        warnings.warn(f"left out: {'; '.join(told)}", UserWarning, stacklevel=3)
