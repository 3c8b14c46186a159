from __future__ import annotations

import numpy as np
import pytest

from glasshouse.foundations.embedding import embedding, embedding_backward

TABLE = np.random.default_rng(0).normal(size=(5, 3))


def test_looking_up_is_a_product_with_one_hot_rows() -> None:
    ids = np.array([[1, 4, 1], [0, 0, 2]])
    assert np.array_equal(embedding(ids, TABLE), np.eye(5)[ids] @ TABLE)


def test_a_word_that_occurs_twice_gets_both_gradients() -> None:
    gradient = embedding_backward(np.ones((3, 3)), np.array([1, 4, 1]), TABLE)
    assert gradient[:, 0].tolist() == [0.0, 2.0, 0.0, 0.0, 1.0]


def test_an_unknown_word_is_an_error() -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        embedding(np.array([5]), TABLE)


def test_try_this_a_word_never_seen_gets_none() -> None:
    assert not embedding_backward(np.ones((2, 3)), np.array([0, 1]), TABLE)[4].any()
