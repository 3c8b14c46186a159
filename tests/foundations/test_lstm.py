from __future__ import annotations

import numpy as np
import torch
from torch import nn

from glasshouse.foundations.lstm import lstm_cell

RANDOM = np.random.default_rng(0)


def test_torchs_module_with_our_weights_gives_our_state() -> None:
    cell = nn.LSTMCell(3, 5, dtype=torch.float64)
    x, hidden, memory = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 5)), RANDOM.normal(size=(4, 5))
    weights = cell.weight_ih.detach().numpy().T, cell.weight_hh.detach().numpy().T
    bias = (cell.bias_ih + cell.bias_hh).detach().numpy()
    expected = cell(torch.tensor(x), (torch.tensor(hidden), torch.tensor(memory)))
    for ours, theirs in zip(lstm_cell(x, hidden, memory, *weights, bias), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12)


def test_with_its_gates_shut_the_memory_stays() -> None:
    bias = np.repeat([-100.0, 100.0, 0.0, -100.0], 2)  # write nothing, keep all, show nothing
    memory = RANDOM.normal(size=(3, 2))
    shown, kept = lstm_cell(np.ones((3, 1)), np.zeros((3, 2)), memory, np.zeros((1, 8)), np.zeros((2, 8)), bias)
    assert np.array_equal(kept, memory)
    assert np.max(np.abs(shown)) < 1e-40


def test_try_this_four_times_the_numbers() -> None:
    plain, gated = (sum(p.numel() for p in kind(10, 20).parameters()) for kind in (nn.RNNCell, nn.LSTMCell))
    assert gated == 4 * plain
