"""Embedding: a table with a learnt row of numbers for each word, category or id.

    embedding(id) = table[id] = one-hot(id) · table

Looking a row up is the same as multiplying a one-hot row with the table, without the zeros. Only rows that were looked
up get a gradient, and a row that was looked up twice gets both.

Try this: a batch never shows word 7. What is the gradient of its row? (Zero: it stays as it was drawn.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ids = NDArray[np.int64]


def embedding(ids: Ids, table: Array) -> Array:
    """The rows of the table.

    Shapes:
        ids: (...), from 0; table: (words, features); returns (..., features)
    """
    return table[ids]


def embedding_backward(grad: Array, ids: Ids, table: Array) -> Array:
    """Each row collects what its uses send back."""
    table_grad = np.zeros_like(table)
    # table_grad[ids] += grad would keep only the last use of a row that occurs twice.
    np.add.at(table_grad, ids, grad)
    return table_grad
