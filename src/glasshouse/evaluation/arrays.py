"""The one check that stands before every number of this room: do the predictions fit the answers?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasshouse.core.errors import DataError
from glasshouse.core.records import Task

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_PREDICT = "predict again with the model that this table belongs to"


def check_outputs(task: Task, actual: NDArray[Any], outputs: Array) -> None:
    """Refuses answers and predictions that do not belong together, before a wrong number comes of them.

    Args:
        task: regression, binary or multiclass.
        actual: (rows,) values, or class codes from 0.
        outputs: regression (rows,), classification (rows, classes).

    Raises:
        DataError: no rows, different row counts, a number that is not finite, or a class code out of range.
    """
    if len(actual) == 0:
        raise DataError("there are no rows to score", expected="at least one row with a known target", fix="add rows")
    axes = 1 if task == "regression" else 2
    if outputs.ndim != axes or len(outputs) != len(actual):
        raise DataError(
            f"predictions of shape {outputs.shape} for {len(actual)} rows",
            expected=f"({len(actual)},)" if axes == 1 else f"({len(actual)}, classes)",
            fix=_PREDICT,
        )
    finite = np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1) & np.isfinite(actual)
    if not finite.all():
        raise DataError(
            f"row {int(np.argmin(finite)) + 1} has a prediction or a target that is not a finite number",
            expected="finite numbers",
            fix="drop rows whose target is missing; train again if the predictions are not finite",
        )
    if axes == 2 and not (actual.min() >= 0 and actual.max() < outputs.shape[1]):
        raise DataError(
            f"class codes from {actual.min()} to {actual.max()} for {outputs.shape[1]} classes",
            expected=f"0 to {outputs.shape[1] - 1}",
            fix=_PREDICT,
        )


def true_probability(actual: Integers, probabilities: Array) -> Array:
    """The probability that each row's true class was given.

    Args:
        actual: (rows,) class codes.
        probabilities: (rows, classes).

    Returns:
        (rows,)
    """
    chosen: Array = probabilities[np.arange(len(actual)), actual]
    return chosen


def row_log_loss(actual: Integers, probabilities: Array) -> Array:
    """Minus the log probability of the true class, in nats a row; at most 36, as scikit-learn bounds it.

    Args:
        actual: (rows,) class codes.
        probabilities: (rows, classes).

    Returns:
        (rows,)
    """
    floor = np.finfo(np.float64).eps
    losses: Array = -np.log(np.clip(true_probability(actual, probabilities), floor, 1.0))
    return losses
