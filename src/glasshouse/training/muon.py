"""Muon: every matrix moves along the orthogonal matrix that is nearest to its momentum.

Adam gives every number of a matrix a step of about the same length; Muon gives it to every direction. A direction that
many rows pull along no longer drowns one that few do: a network learns a sharp function in fewer steps so, and noise
too. In a pack some members are moved by Muon and some by Adam, and the choice of the ensemble decides.

Biases, norms, tables and the head are Adam's in any case. `torch.optim.Muon` does the same for one matrix at a time.

Sources: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; Liu et al. 2025, "Muon is
scalable for LLM training", for the length of a step, which lets Adam's learning rates be kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glasshouse.network.layers import PackBlock
from glasshouse.network.pack import Pack
from glasshouse.training.passes import runs

MOMENTUM = 0.95
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: steep at zero, so that few iterations do
ITERATIONS = 3  # on tables as good as torch's 5 (docs/log.md)
ADAM_LENGTH = 0.2  # root mean square of an update of Adam's at learning rate 1, roughly
TALL = 2  # times as many rows as columns, from which the way through the square takes fewer operations
SMALLEST = 1e-7


class Part(NamedTuple):
    """Neighbours in a pack whose matrices of one layer are moved together."""

    weight: nn.Parameter  # (members, in_features, out_features) of the whole pack
    members: slice
    rows: tuple[slice, ...]  # that these members read; their others are zero and stay so

    def of(self, whole: Tensor) -> list[Tensor]:
        """Their part of something as large as the weight: a view of each range of rows."""
        return [whole[self.members, rows] for rows in self.rows]

    def remember(self, gradient: Tensor, momentum: Tensor) -> None:
        """Takes a gradient into the momentum; both are as large as the weight."""
        for mean, new in zip(self.of(momentum), self.of(gradient), strict=True):
            mean.lerp_(new, 1.0 - MOMENTUM)

    def directions(self, gradient: Tensor, momentum: Tensor) -> list[Tensor]:
        """Where a step of learning rate 1 goes against, for each range of rows; a step ahead, as Nesterov looks."""
        pairs = zip(self.of(gradient), self.of(momentum), strict=True)
        ahead = [torch.lerp(new, mean, MOMENTUM) for new, mean in pairs]
        whole = ahead[0] if len(ahead) == 1 else torch.cat(ahead, 1)
        whole = orthogonal(whole).mul_(ADAM_LENGTH * math.sqrt(max(whole.shape[1:])))
        return list(whole.split([rows.stop - rows.start for rows in self.rows], 1))


class Muon:
    """Which networks of a pack Muon moves, and who is moved together with whom.

    Args:
        pack: read, not changed.
        chosen: (networks,) true where Muon moves the layers' matrices.
    """

    def __init__(self, pack: Pack, chosen: Tensor) -> None:
        self.pack, self.chosen = pack, chosen
        self.parts = list(_parts(pack, chosen))

    def keep(self, positions: Tensor) -> None:
        """Forgets the networks that left, after `Pack.keep`."""
        self.chosen = self.chosen[positions]
        self.parts = list(_parts(self.pack, self.chosen))


def _parts(pack: Pack, chosen: Tensor) -> Iterator[Part]:
    for block in pack.layers:
        assert isinstance(block, PackBlock), "a pack's layers are blocks"
        weight = block.linear.weight
        masked = pack.hidden if weight is pack.first.weight else None
        hidden = chosen.new_zeros(len(chosen)) if masked is None else masked
        who = list(zip(chosen.tolist(), hidden.tolist(), strict=True))[: weight.shape[0]]
        for (moved, unseen), members in runs(who):
            cut = pack.pieces_at
            seen = (slice(0, cut.start), slice(cut.stop, weight.shape[1])) if unseen else (slice(0, weight.shape[1]),)
            if moved:
                yield Part(weight, members, tuple(rows for rows in seen if rows.stop > rows.start))


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly the nearest orthogonal matrix to each: its singular values brought to somewhere near 1.

    Each iteration makes a s + b s³ + c s⁵ of every singular value s, by products alone. Of a tall matrix the
    iterations are done on its square of small size (xᵀx), which holds all that they need.

    Args:
        matrices: (some, rows, columns); one of zeros stays so.

    Example:
        >>> [f"{value:.2f}" for value in torch.linalg.svdvals(orthogonal(torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])))[0]]
        ['1.04', '0.68']
    """
    wide = matrices.shape[1] < matrices.shape[2]
    x = matrices.mT if wide else matrices
    x = x / torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True).clamp_min(SMALLEST)
    x = _through_square(x) if x.shape[1] > TALL * x.shape[2] else _straight(x)
    return x.mT if wide else x


def turning_operations(in_features: int, out_features: int) -> int:
    """How many sums and products the iterations take for one matrix."""
    short, long = sorted((in_features, out_features))
    if long > TALL * short:
        return 4 * long * short**2 + 2 * (4 * ITERATIONS - 3) * short**3
    return ITERATIONS * (4 * long * short**2 + 2 * short**3)


def _straight(x: Tensor) -> Tensor:
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        square = torch.bmm(x.mT, x)
        x = torch.baddbmm(x, x, torch.baddbmm(square, square, square, beta=b, alpha=c), beta=a)
    return x


def _through_square(x: Tensor) -> Tensor:
    """x q₁ q₂ ..., where each q is a polynomial of the square before it, and squares and polynomials commute."""
    a, b, c = COEFFICIENTS
    square, product = torch.bmm(x.mT, x), None
    for iteration in range(ITERATIONS):
        q = torch.baddbmm(square, square, square, beta=b, alpha=c)
        q.diagonal(dim1=1, dim2=2).add_(a)
        product = q if product is None else torch.bmm(product, q)
        if iteration + 1 < ITERATIONS:
            square = torch.bmm(torch.bmm(q, square), q)
    assert product is not None, "there is an iteration"
    return torch.bmm(x, product)
