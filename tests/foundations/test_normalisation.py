from __future__ import annotations

import numpy as np
import torch
from torch import nn

from glasshouse.foundations.normalisation import batch_norm, batch_norm_evaluation, layer_norm, running_statistics

RANDOM = np.random.default_rng(0)
ONE, NONE = np.ones(3), np.zeros(3)


def test_every_feature_gets_mean_zero_and_variance_one() -> None:
    x = RANDOM.normal(loc=[100.0, 0.0, -5.0], scale=[10.0, 1.0, 50.0], size=(64, 3))
    normed = batch_norm(x, ONE, NONE)
    np.testing.assert_allclose(normed.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(normed.var(axis=0), 1.0, atol=1e-4)
    np.testing.assert_allclose(batch_norm(x, 2.0 * ONE, 3.0 * ONE), 2.0 * normed + 3.0)


def test_layer_norm_knows_no_batch() -> None:
    x = RANDOM.normal(size=(6, 3))
    np.testing.assert_allclose(layer_norm(x, ONE, NONE)[:2], layer_norm(x[:2], ONE, NONE))
    assert not np.allclose(batch_norm(x, ONE, NONE)[:2], batch_norm(x[:2], ONE, NONE))


def test_a_constant_feature_is_not_divided_by_zero() -> None:
    assert batch_norm(np.full((5, 3), 7.0), ONE, NONE).tolist() == np.zeros((5, 3)).tolist()


def test_twenty_batches_are_torchs() -> None:
    layer = nn.BatchNorm1d(3, dtype=torch.float64)
    mean, variance = NONE, ONE
    for _ in range(20):
        x = RANDOM.normal(size=(8, 3))
        layer(torch.tensor(x))
        mean, variance = running_statistics(x, mean, variance)
    layer.eval()
    x = RANDOM.normal(size=(4, 3))
    np.testing.assert_allclose(
        batch_norm_evaluation(x, mean, variance, ONE, NONE), layer(torch.tensor(x)).detach().numpy(), rtol=1e-12
    )


def test_try_this_a_batch_of_one_row_is_only_the_shift() -> None:
    shift = np.array([1.0, 2.0, 3.0])
    assert batch_norm(RANDOM.normal(size=(1, 3)), ONE, shift).tolist() == [[1.0, 2.0, 3.0]]
