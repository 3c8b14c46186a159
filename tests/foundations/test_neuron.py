from __future__ import annotations

import numpy as np
import pytest

from glasshouse.foundations import activations
from glasshouse.foundations.neuron import neuron, threshold_neuron


def test_the_textbooks_neurons_give_the_textbooks_numbers() -> None:
    x, weight = np.array([0.5, 0.3, 0.8]), np.array([0.4, 0.6, 0.2])
    assert x @ weight == pytest.approx(0.54)
    assert threshold_neuron(x, weight, 0.5) == 1.0
    assert threshold_neuron(x, weight, 0.55) == 0.0
    assert neuron(np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.6, 0.8]), 0.1, activations.relu) == pytest.approx(0.64)


def test_a_neuron_fires_exactly_at_its_threshold() -> None:
    assert threshold_neuron(np.array([1.0]), np.array([0.5]), 0.5) == 1.0


def test_try_this_a_threshold_is_a_bias_with_a_minus() -> None:
    random = np.random.default_rng(0)
    x, weight = random.normal(size=(1000, 3)), random.normal(size=3)
    expected = threshold_neuron(x, weight, 0.7)
    assert np.array_equal(neuron(x, weight, -0.7, activations.step), expected)
    assert 0.0 < expected.mean() < 1.0
