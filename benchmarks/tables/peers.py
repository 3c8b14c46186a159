"""The contenders, each at its library's own defaults.

What a library cannot take is given to it in the plainest usual form: numbers with the mean where they are missing and
scaled, categories one-hot, for scikit-learn's networks and skorch; categories as the library wants to be told of them,
for the others. Nothing is tuned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[Any]
Contender = Callable[[str, int], Any]  # (task, seed) to an unfitted estimator with fit, predict and predict_proba


def _names(frame: pd.DataFrame) -> list[str]:
    return [name for name in frame.columns if frame[name].dtype == "category"]


class Prepared:
    """An estimator behind a preparation of the frame that is made new for each fit.

    Args:
        estimator: what is fitted.
        prepare: from a frame to what the estimator wants; called for training and for test rows.
        fit_options: from a frame to further arguments of `fit`.
    """

    def __init__(
        self,
        estimator: Any,
        prepare: Callable[[pd.DataFrame], Any] = lambda frame: frame,
        fit_options: Callable[[pd.DataFrame], dict[str, Any]] = lambda frame: {},
    ) -> None:
        self.estimator, self.prepare, self.fit_options = estimator, prepare, fit_options

    def fit(self, frame: pd.DataFrame, actual: Array) -> Prepared:
        self.estimator.fit(self.prepare(frame), actual, **self.fit_options(frame))
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        return np.asarray(self.estimator.predict(self.prepare(frame))).reshape(-1)

    def predict_proba(self, frame: pd.DataFrame) -> Array:
        return np.asarray(self.estimator.predict_proba(self.prepare(frame)))


def _scaled(estimator: Any) -> Any:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    names = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    columns = make_column_transformer(
        (names, make_column_selector(dtype_include="category")), remainder=numbers, sparse_threshold=0.0
    )
    return make_pipeline(columns, estimator)


def lightgbm(task: str, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMRegressor if task == "regression" else LGBMClassifier
    # Names with brackets or colons are refused as JSON: numbered columns say the same.
    return Prepared(kind(random_state=seed, verbose=-1), lambda frame: frame.set_axis(range(frame.shape[1]), axis=1))


def xgboost(task: str, seed: int) -> Any:
    from xgboost import XGBClassifier, XGBRegressor

    kind = XGBRegressor if task == "regression" else XGBClassifier
    numbered = lambda frame: frame.set_axis([str(place) for place in range(frame.shape[1])], axis=1)  # noqa: E731
    return Prepared(kind(random_state=seed, enable_categorical=True), numbered)


def catboost(task: str, seed: int) -> Any:
    from catboost import CatBoostClassifier, CatBoostRegressor

    kind = CatBoostRegressor if task == "regression" else CatBoostClassifier

    def as_text(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(
            **{name: frame[name].astype(object).fillna("missing").astype(str) for name in _names(frame)}
        )

    plain = kind(random_seed=seed, verbose=False, allow_writing_files=False)
    return Prepared(plain, as_text, lambda frame: {"cat_features": _names(frame)})


def hist_gradient_boosting(task: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier

    def few_values(frame: pd.DataFrame) -> pd.DataFrame:
        """It takes at most 255 categories of a column; a column with more is given as the category's number."""
        many = [name for name in _names(frame) if len(frame[name].cat.categories) > 255]
        return frame.assign(**{name: frame[name].cat.codes for name in many})

    return Prepared(kind(random_state=seed, categorical_features="from_dtype"), few_values)


def sklearn_mlp(task: str, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    if task == "regression":
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler

        # Left as it is, a target of house prices makes this network diverge: nobody would use it so.
        return _scaled(TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler()))
    return _scaled(MLPClassifier(random_state=seed))


def _complete(frame: pd.DataFrame) -> pd.DataFrame:
    """pytabkit's networks take no missing numbers; its own advice is the mean. Missing categories they take."""
    numbers = frame.columns.difference(_names(frame))
    return frame.assign(**{name: frame[name].astype(float).fillna(frame[name].mean()) for name in numbers})


def realmlp(task: str, seed: int) -> Any:
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    kind = RealMLP_TD_Regressor if task == "regression" else RealMLP_TD_Classifier
    return Prepared(kind(random_state=seed, device="cpu"), _complete)


def tabm(task: str, seed: int) -> Any:
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    kind = TabM_D_Regressor if task == "regression" else TabM_D_Classifier
    return Prepared(kind(random_state=seed, device="cpu"), _complete)


def skorch(task: str, seed: int) -> Any:
    """The textbooks' network (64 and 32 hidden units, ReLU, Adam at 1e-3, batches of 32, 100 epochs) in skorch.

    skorch has no default network; Lightning with the same module does the same work, so that only its time would
    differ.
    """
    import torch
    from skorch import NeuralNetClassifier, NeuralNetRegressor
    from torch import nn

    torch.manual_seed(seed)
    common = {"max_epochs": 100, "lr": 1e-3, "optimizer": torch.optim.Adam, "batch_size": 32, "verbose": 0,
              "train_split": None, "iterator_train__shuffle": True}  # fmt: skip
    layers = (nn.LazyLinear(64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())

    class Shaped:
        """Gives the arrays the shapes and kinds that skorch wants, once the number of classes is known."""

        def fit(self, x: Array, y: Array) -> Shaped:
            if task == "regression":
                self.mean, self.spread = float(np.mean(y)), float(np.std(y)) or 1.0
                self.net = NeuralNetRegressor(nn.Sequential(*layers, nn.Linear(32, 1)), **common)
                self.net.fit(x.astype(np.float32), ((y - self.mean) / self.spread).astype(np.float32)[:, None])
            else:
                module = nn.Sequential(*layers, nn.Linear(32, int(np.max(y)) + 1))
                self.net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, **common)
                self.net.fit(x.astype(np.float32), y.astype(np.int64))
            return self

        def predict(self, x: Array) -> Array:
            return self.net.predict(x.astype(np.float32)).reshape(-1) * self.spread + self.mean

        def predict_proba(self, x: Array) -> Array:
            return self.net.predict_proba(x.astype(np.float32))

    return _ScaledBy(Shaped())


class _ScaledBy:
    """A model behind the plain preparation, for what is no scikit-learn estimator."""

    def __init__(self, model: Any) -> None:
        from sklearn.preprocessing import FunctionTransformer

        self.model, self.columns = model, _scaled(FunctionTransformer())

    def fit(self, frame: pd.DataFrame, actual: Array) -> _ScaledBy:
        self.model.fit(self.columns.fit_transform(frame), np.asarray(actual))
        return self

    def predict(self, frame: pd.DataFrame) -> Array:
        return self.model.predict(self.columns.transform(frame))

    def predict_proba(self, frame: pd.DataFrame) -> Array:
        return self.model.predict_proba(self.columns.transform(frame))


def ours(effort: str) -> Contender:
    """glasshouse at one effort."""

    def make(task: str, seed: int) -> Any:
        from glasshouse.sklearn import PackClassifier, PackRegressor

        kind = PackRegressor if task == "regression" else PackClassifier
        return kind(effort=effort, random_state=seed)

    return make


PEERS: dict[str, Contender] = {
    "lightgbm": lightgbm,
    "xgboost": xgboost,
    "catboost": catboost,
    "hist_gradient_boosting": hist_gradient_boosting,
    "sklearn_mlp": sklearn_mlp,
    "realmlp": realmlp,
    "tabm": tabm,
    "skorch": skorch,
}
OURS: dict[str, Contender] = {f"glasshouse_{effort}": ours(effort) for effort in ("quick", "standard", "thorough")}
