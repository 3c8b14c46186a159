from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from glasshouse.foundations.activations import sigmoid
from glasshouse.foundations.softmax import log_softmax, log_sum_exp, softmax, softmax_backward

scores = arrays(np.float64, (3, 4), elements=some.floats(-700.0, 700.0))


@given(scores, some.floats(-1e3, 1e3))
def test_probabilities_add_up_and_a_shift_changes_nothing(x: np.ndarray, shift: float) -> None:
    np.testing.assert_allclose(softmax(x).sum(axis=-1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(softmax(x + shift), softmax(x), rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(log_sum_exp(x + shift), log_sum_exp(x) + shift, rtol=1e-9, atol=1e-9)


@given(scores)
def test_log_softmax_is_the_logarithm_where_that_can_be_taken(x: np.ndarray) -> None:
    probabilities = softmax(x)
    seen = probabilities > 1e-300
    np.testing.assert_allclose(log_softmax(x)[seen], np.log(probabilities[seen]), rtol=1e-9, atol=1e-9)


def test_the_textbooks_overflow() -> None:
    x = np.array([1000.0, 1001.0, 1002.0])
    with np.errstate(over="ignore", invalid="ignore"):
        naive = np.exp(x) / np.sum(np.exp(x))
    assert np.all(np.isnan(naive))
    assert softmax(x).round(4).tolist() == [0.09, 0.2447, 0.6652]


def test_log_softmax_keeps_what_softmax_rounds_away() -> None:
    x = np.array([0.0, 1000.0])
    assert softmax(x)[0] == 0.0
    assert log_softmax(x)[0] == -1000.0


def test_the_edges_are_torchs() -> None:
    for x in (
        np.full(3, -np.inf),
        np.array([np.inf, 0.0]),
        np.array([np.nan, 0.0]),
        np.array([-np.inf, 0.0]),
        np.zeros(1),
    ):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(log_sum_exp(x)[0], torch.logsumexp(torch.from_numpy(x), -1).numpy())
            np.testing.assert_array_equal(softmax(x), torch.softmax(torch.from_numpy(x), -1).numpy())


def test_an_empty_batch_stays_empty() -> None:
    assert softmax(np.zeros((0, 3))).shape == (0, 3)


def test_the_diagonal_alone_is_a_wrong_derivative() -> None:
    x, grad = np.array([2.0, 1.0, 0.1]), np.array([1.0, 0.0, 0.0])
    probabilities = softmax(x)
    diagonal = grad * probabilities * (1.0 - probabilities)
    assert softmax_backward(grad, x)[0] == pytest.approx(diagonal[0])
    assert np.max(np.abs(softmax_backward(grad, x) - diagonal)) > 0.05


def test_try_this_two_classes_are_a_sigmoid() -> None:
    x = np.linspace(-30.0, 30.0, 61)
    np.testing.assert_allclose(softmax(np.column_stack([np.zeros(61), x]))[:, 1], sigmoid(x), rtol=1e-12)
