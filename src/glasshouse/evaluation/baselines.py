"""What to beat: the answer that ignores the features, and a straight line through them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from glasshouse.core.errors import DataError
from glasshouse.core.records import Task
from glasshouse.evaluation.arrays import Array

if TYPE_CHECKING:  # scipy and the data room are needed for types alone until a linear model is fitted
    from glasshouse.data.encode import Features

_MOST_CELLS = 1e7  # rows * features * logits of a linear fit, about three seconds on one core
_MOST_DENSE = 400  # columns; a wider one-hot table is kept sparse


def naive_outputs(task: Task, train_target: NDArray[Any], num_rows: int, num_classes: int = 0) -> Array:
    """What one would answer without looking at a row: the mean, or how frequent each class is.

    Args:
        task: regression, binary or multiclass.
        train_target: (train rows,) values, or class codes.
        num_rows: rows to answer.
        num_classes: classes of the task; not used for regression.

    Returns:
        (rows,) or (rows, classes), every row the same.

    Raises:
        DataError: there are no training rows.

    Example:
        >>> naive_outputs("binary", np.array([0, 0, 0, 1]), num_rows=1, num_classes=2).tolist()
        [[0.75, 0.25]]
    """
    _need_rows(train_target)
    if task == "regression":
        return np.full(num_rows, float(np.mean(train_target)))
    counts = np.bincount(train_target, minlength=num_classes)
    return np.tile(counts / counts.sum(), (num_rows, 1))


def linear_outputs(
    task: Task,
    train: Features,
    train_target: NDArray[Any],
    test: Features,
    seed: int,
    num_classes: int | None = None,
) -> Array:
    """What a linear model makes of the same features: logistic or ridge regression as scikit-learn sets it up.

    It sees every number and flag, and one column for each value of an embedded category. Above about ten million
    cells it is fitted on a random part of the training rows, so that a baseline never costs more than the network.

    Args:
        task: regression, binary or multiclass.
        train: features of the training rows.
        train_target: (train rows,) values, or class codes.
        test: features of the rows to answer.
        seed: of the choice of rows.
        num_classes: classes of the task; as many as the training rows show if not given.

    Returns:
        (rows,) or (rows, classes).

    Raises:
        DataError: there are no training rows.
    """
    _need_rows(train_target)
    classes = num_classes or (0 if task == "regression" else int(train_target.max()) + 1)
    present = np.unique(train_target) if classes else train_target
    num_test = len(test.numbers)
    width = train.numbers.shape[1] + train.flags.shape[1] + train.categories.shape[1]
    if width == 0 or (classes and len(present) < 2):
        return naive_outputs(task, train_target, num_test, classes)
    train_table, test_table = _tables(train, test)
    logits = len(present) if classes > 2 else 1
    most = max(1000, int(_MOST_CELLS // (width * logits)))
    if len(train_target) > most:
        kept = np.sort(np.random.default_rng(seed).choice(len(train_target), most, replace=False))
        train_table, train_target = train_table[kept], train_target[kept]
    if task == "regression":
        return _ridge(train_table, train_target, test_table)
    outputs = np.zeros((num_test, classes))
    found, probabilities = _logistic(train_table, train_target, test_table)
    outputs[:, found] = probabilities
    return outputs


def _ridge(train_table: Any, target: Array, test_table: Any) -> Array:
    from sklearn.linear_model import Ridge

    centre, scale = float(target.mean()), float(target.std()) or 1.0
    dense = isinstance(train_table, np.ndarray)
    model = Ridge(alpha=1.0, solver="cholesky" if dense else "sparse_cg", fit_intercept=True)
    model.fit(train_table, (target - centre) / scale)
    return cast(Array, model.predict(test_table) * scale + centre)


def _logistic(train_table: Any, target: NDArray[Any], test_table: Any) -> tuple[NDArray[Any], Array]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=300)
    with warnings.catch_warnings():
        # After 300 steps the last digits no longer matter to a baseline; a warning would only worry the reader.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train_table, target)
    return model.classes_, cast(Array, model.predict_proba(test_table))


def _tables(train: Features, test: Features) -> tuple[Any, Any]:
    """Both parts as one table of float64 columns, sparse where one-hot columns would fill the memory."""
    from scipy import sparse
    from sklearn.preprocessing import OneHotEncoder

    plain = [np.hstack([part.numbers, part.flags]).astype(np.float64) for part in (train, test)]
    if train.categories.shape[1] == 0:
        return plain[0], plain[1]
    encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float64).fit(train.categories)
    both = [
        sparse.hstack([sparse.csr_matrix(left), encoder.transform(part.categories)], format="csr")
        for left, part in zip(plain, (train, test), strict=True)
    ]
    if both[0].shape[1] <= _MOST_DENSE:
        return both[0].toarray(), both[1].toarray()
    return both[0], both[1]


def _need_rows(train_target: NDArray[Any]) -> None:
    if len(train_target) == 0:
        raise DataError(
            "there are no training rows to fit a baseline to", expected="at least one row", fix="add rows to the table"
        )
