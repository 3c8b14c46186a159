"""Embeddings against their formulas, number by number."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glasshouse.network.embeddings import Pieces, Tables, Waves, cut_points
from glasshouse.network.pack import count_pieces, set_pieces


def pieces_of(edges: list[list[float]]) -> Pieces:
    pieces = Pieces(tuple(len(edge) - 1 for edge in edges))
    set_pieces(pieces, [np.array(edge) for edge in edges])
    return pieces


def by_hand(value: float, edges: list[float]) -> list[float]:
    """The piecewise-linear code of one number, piece by piece."""
    code = []
    for place, (low, high) in enumerate(pairwise(edges)):
        least = -1.0 if place == 0 else 0.0
        most = 2.0 if place == len(edges) - 2 else 1.0
        code.append(min(max((value - low) / (high - low), least), most))
    return code


EDGES = [[-1.0, 0.0, 0.5, 4.0], [0.0, 1.0]]


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_pieces_are_the_formula(first: float, second: float) -> None:
    found = pieces_of(EDGES)(torch.tensor([[first, second]]))
    expected = [by_hand(first, EDGES[0]) + by_hand(second, EDGES[1])]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_pieces_go_on_a_little_beyond_the_training_range() -> None:
    found = pieces_of(EDGES[:1])(torch.tensor([[-1.5], [-99.0], [5.75], [99.0], [0.25]]))
    expected = [[-0.5, 0, 0], [-1, 0, 0], [1, 1, 1.5], [1, 1, 2], [1, 0.5, 0]]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_a_constant_number_has_no_pieces() -> None:
    pieces = pieces_of([[3.0], EDGES[0], [7.0]])
    assert pieces(torch.tensor([[3.0, 0.25, 7.0]])).tolist() == [[1, 0.5, 0]]
    assert pieces_of([[3.0]])(torch.zeros(4, 1)).shape == (4, 0)


def test_waves_are_cosines_of_each_members_own_frequencies() -> None:
    waves = Waves(2, 3, 4)
    for parameter in waves.parameters():
        torch.nn.init.normal_(parameter)
    numbers = torch.randn(2, 5, 3)
    frequency, phase, found = waves.frequency.detach(), waves.phase.detach(), waves(numbers).detach()
    assert found.shape == (2, 5, 12)
    for member, row, number, wave in [(0, 0, 0, 0), (1, 4, 2, 3), (0, 2, 1, 2)]:
        turn = float(frequency[member, number, wave] * numbers[member, row, number] + phase[member, number, wave])
        assert float(found[member, row, number * 4 + wave]) == pytest.approx(math.cos(2 * math.pi * turn), abs=1e-5)


def test_tables_are_one_torch_embedding_a_column_and_member() -> None:
    cards = (4, 9, 1)
    tables = Tables(2, cards, 3)
    torch.nn.init.normal_(tables.weight)
    codes = torch.stack([torch.randint(0, card, (2, 6)) for card in cards], 2)
    found = tables(codes)
    push = torch.randn_like(found)
    found.backward(push)
    starts = [0, 4, 13]
    gradient = torch.zeros_like(tables.weight)
    for member in range(2):
        for column, (start, card) in enumerate(zip(starts, cards, strict=True)):
            single = torch.nn.Embedding.from_pretrained(
                tables.weight[member, start : start + card].detach().clone(), freeze=False
            )
            out = single(codes[member, :, column])
            own = slice(3 * column, 3 * column + 3)
            assert torch.equal(out, found[member, :, own])
            out.backward(push[member, :, own])
            gradient[member, start : start + card] = single.weight.grad
    torch.testing.assert_close(tables.weight.grad, gradient)


@given(
    st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=60),
    st.integers(1, 12),
)
def test_edges_rise_stay_in_range_and_are_few_enough(values: list[float], most: int) -> None:
    column = np.array(values)
    edges = cut_points(column, most)
    assert 1 <= len(edges) <= most + 1
    assert (np.diff(edges) > 0).all()
    assert edges[0] == column.min() and edges[-1] <= column.max()
    if column.max() - column.min() > 1e-3:
        assert len(edges) >= 2, "a number that varies has at least one piece"


def test_every_column_is_cut_by_itself() -> None:
    numbers = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    found = count_pieces(numbers, 6)
    assert len(found) == 3
    for column, edges in enumerate(found):
        np.testing.assert_array_equal(edges, cut_points(numbers[:, column].astype(np.float64), 6))
