from __future__ import annotations

import numpy as np
import torch
from torch import nn

from glasshouse.foundations.rnn import rnn_cell

RANDOM = np.random.default_rng(0)


def test_torchs_module_with_our_weights_gives_our_state() -> None:
    cell = nn.RNNCell(3, 5, dtype=torch.float64)
    x, hidden = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 5))
    weights = cell.weight_ih.detach().numpy().T, cell.weight_hh.detach().numpy().T
    bias = (cell.bias_ih + cell.bias_hh).detach().numpy()
    expected = cell(torch.tensor(x), torch.tensor(hidden)).detach().numpy()
    np.testing.assert_allclose(rnn_cell(x, hidden, *weights, bias), expected, rtol=1e-12)


def test_the_state_stays_between_minus_one_and_one() -> None:
    found = rnn_cell(np.full((1, 1), 1e3), np.zeros((1, 1)), np.ones((1, 1)), np.ones((1, 1)), np.zeros(1))
    assert found == 1.0


def test_try_this_a_state_fades() -> None:
    hidden = np.ones((1, 2))
    for _ in range(20):
        hidden = rnn_cell(np.zeros((1, 1)), hidden, np.zeros((1, 2)), 0.5 * np.eye(2), np.zeros(2))
    assert 0.0 < hidden[0, 0] < 0.5**20 < 1e-6
