from __future__ import annotations

import numpy as np
import torch
from torch import nn

from glasshouse.foundations.gru import gru_cell

RANDOM = np.random.default_rng(0)


def test_torchs_module_with_our_weights_gives_our_state() -> None:
    cell = nn.GRUCell(3, 5, dtype=torch.float64)
    x, hidden = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 5))
    weights = cell.weight_ih.detach().numpy().T, cell.weight_hh.detach().numpy().T
    biases = cell.bias_ih.detach().numpy(), cell.bias_hh.detach().numpy()
    expected = cell(torch.tensor(x), torch.tensor(hidden)).detach().numpy()
    np.testing.assert_allclose(gru_cell(x, hidden, *weights, *biases), expected, rtol=1e-12)


def test_try_this_an_open_gate_keeps_the_state() -> None:
    hidden = RANDOM.normal(size=(3, 2))
    keep = np.repeat([0.0, 100.0, 0.0], 2)
    found = gru_cell(np.ones((3, 1)), hidden, np.ones((1, 6)), np.ones((2, 6)), keep, np.zeros(6))
    np.testing.assert_allclose(found, hidden, rtol=1e-12)
