from __future__ import annotations

import numpy as np

from glasshouse.foundations.architecture import count_parameters
from glasshouse.foundations.dense import collapse, dense, dense_backward

RANDOM = np.random.default_rng(0)


def test_one_row_is_a_batch_of_one() -> None:
    x, weight, bias = RANDOM.normal(size=3), RANDOM.normal(size=(3, 2)), RANDOM.normal(size=2)
    grad = RANDOM.normal(size=2)
    np.testing.assert_allclose(dense(x, weight, bias), dense(x[None], weight, bias)[0], rtol=1e-14)
    for one, batch in zip(
        dense_backward(grad, x, weight, bias), dense_backward(grad[None], x[None], weight, bias), strict=True
    ):
        np.testing.assert_allclose(one, batch.reshape(one.shape), rtol=1e-14)


def test_rows_of_a_batch_do_not_mix() -> None:
    x, weight, bias = RANDOM.normal(size=(5, 3)), RANDOM.normal(size=(3, 2)), RANDOM.normal(size=2)
    order = RANDOM.permutation(5)
    np.testing.assert_allclose(dense(x[order], weight, bias), dense(x, weight, bias)[order])


def test_an_empty_batch_has_zero_gradients() -> None:
    _, weight_grad, bias_grad = dense_backward(np.zeros((0, 2)), np.zeros((0, 3)), np.ones((3, 2)), np.ones(2))
    assert not weight_grad.any() and weight_grad.shape == (3, 2)
    assert not bias_grad.any() and bias_grad.shape == (2,)


def test_the_textbooks_two_layers_are_one() -> None:
    first, first_bias = np.array([[1.0, 2.0], [3.0, 4.0]]).T, np.ones(2)
    second, second_bias = np.array([[0.5, -0.5], [0.5, 0.5]]).T, np.zeros(2)
    x = np.array([1.0, 2.0])
    assert dense(dense(x, first, first_bias), second, second_bias).tolist() == [-3.0, 9.0]
    assert dense(x, *collapse(first, first_bias, second, second_bias)).tolist() == [-3.0, 9.0]


def test_try_this_ten_inputs_and_five_outputs() -> None:
    assert count_parameters([10, 5]) == (50, 5)
