from __future__ import annotations

import math

import numpy as np
import pytest

from glasshouse.foundations.activations import relu
from glasshouse.foundations.initialisation import he_normal, he_uniform, spreads, xavier_normal, xavier_uniform
from glasshouse.foundations.network import network_backward, new_network


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [(xavier_normal, 2 / 500), (xavier_uniform, 2 / 500), (he_normal, 2 / 200), (he_uniform, 2 / 200)],
)
def test_the_variance_is_the_formulas(scheme, variance: float) -> None:
    weight = scheme(200, 300, np.random.default_rng(0))
    assert weight.shape == (200, 300)
    assert np.var(weight) == pytest.approx(variance, rel=0.02)
    assert np.mean(weight) == pytest.approx(0.0, abs=0.002)


def test_he_keeps_the_signal_level_through_fifty_layers() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(100, 256))
    found = spreads(x, [he_normal(256, 256, random) for _ in range(50)], relu)
    assert len(found) == 50
    assert 0.2 < found[-1] / found[0] < 5.0


def test_try_this_xavier_under_relu_loses_half_the_power_a_layer() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 512))
    found = spreads(x, [xavier_normal(512, 512, random) for _ in range(50)], relu)
    assert math.log10(found[-1]) == pytest.approx(math.log10(math.sqrt(0.5) ** 50), abs=0.5)


def test_equal_weights_stay_equal() -> None:
    weights, biases = new_network(
        (3, 4, 1), np.random.default_rng(0), lambda inputs, outputs, random: np.full((inputs, outputs), 0.3)
    )
    x = np.random.default_rng(1).normal(size=(8, 3))
    _, weight_grads, _ = network_backward(np.ones((8, 1)), x, weights, biases)
    assert weight_grads[0].any()
    assert np.array_equal(weight_grads[0], np.repeat(weight_grads[0][:, :1], 4, axis=1))
