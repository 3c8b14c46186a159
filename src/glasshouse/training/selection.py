"""Which snapshots predict: a greedy choice by a proper score, made again after every epoch.

The pool is what the ensemble has, the members as they are now, and each at its best. A snapshot may be taken more
than once, which gives it more weight; the choice never gets worse on the validation rows, because it is only taken
over if it is better than the one before.

Source: Caruana et al. 2004, "Ensemble Selection from Libraries of Models".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Tensors = tuple[dict[str, Tensor], ...]  # of every network of a member
Score = Callable[[Tensor], Tensor]  # (entries, rows) of quality to (entries,) losses


class Later(NamedTuple):
    """Tensors that are yet to be copied."""

    copy: Callable[[Sequence[int]], Tensors]
    networks: Sequence[int]  # of the one member


@dataclass
class Snapshot:
    """One member as it was after one epoch: one network, or one for every fold.

    `quality` is all that selection needs of its validation predictions: the predicted value, or the probability of
    the true class; both average over members as the predictions themselves do. The tensors may be yet to be copied:
    most snapshots are never chosen, and a copy of every member after every epoch costs a small pack more than its
    judgement.
    """

    member: int
    epoch: int
    depth: int
    loss: float
    tensors: Tensors | Later
    quality: Tensor  # (rows,)

    @property
    def copied(self) -> Tensors:
        """The tensors, once they have been copied."""
        assert not isinstance(self.tensors, Later), "settle first"
        return self.tensors


def settle(snapshots: Iterable[Snapshot]) -> None:
    """Copies the tensors of those that have not been copied: before their members take another step."""
    later = [(one, one.tensors) for one in snapshots if isinstance(one.tensors, Later)]
    if later:  # all of one moment, so that one function copies them all
        copies = iter(later[0][1].copy([network for _, tensors in later for network in tensors.networks]))
        for one, tensors in later:
            one.quality = one.quality.clone()  # or it would keep those of all members of its epoch
            one.tensors = tuple(islice(copies, len(tensors.networks)))


def greedy(pool: Tensor, alone: Sequence[float], score: Score, most: int) -> tuple[list[int], float]:
    """The best entry, and then whatever improves the mean most, until nothing does.

    Args:
        pool: (entries, rows) of quality.
        alone: each entry's own loss, as `score` finds it; finite.
        score: lower is better.
        most: entries at most, repeats counted.

    Returns:
        The places in the pool in the order of choice, and the loss of their mean.

    Example:
        >>> target = torch.tensor([0.0, 0.0])
        >>> score = lambda p: (p - target).square().mean(-1)
        >>> pool = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [3.0, 3.0]])
        >>> greedy(pool, score(pool).tolist(), score, most=4)
        ([0, 1], 0.0)
    """
    best = min(alone)
    chosen = [alone.index(best)]
    total = pool[chosen[0]]
    for size in range(2, most + 1):
        least, place = score((total + pool) / size).min(0)
        if not float(least) < best:
            break
        best = float(least)
        chosen.append(int(place))
        total = total + pool[chosen[-1]]
    return chosen, best


class Selector:
    """Keeps every member's best snapshot and the ensemble chosen so far.

    Args:
        score: of qualities, lower is better.
        most: snapshots in the ensemble at most.
        selection: "greedy"; "best" keeps the single best member; "all" takes every member at its best.
    """

    def __init__(self, score: Score, most: int, selection: Literal["greedy", "best", "all"]) -> None:
        self.score, self.most, self.selection = score, most, selection
        self.best: dict[int, Snapshot] = {}
        self.ensemble: list[Snapshot] = []
        self.loss = float("inf")

    def update(self, latest: Sequence[Snapshot]) -> list[bool]:
        """Takes the members as they are after an epoch, and chooses again.

        Args:
            latest: one snapshot a running member.

        Returns:
            For each, whether it is the member's best so far.
        """
        improved = [s.member not in self.best or s.loss < self.best[s.member].loss for s in latest]
        best = self.best | {s.member: s for s, better in zip(latest, improved, strict=True) if better}
        stale = [s for s, better in zip(latest, improved, strict=True) if not better]
        ensemble, loss = self._choose(best, stale)
        settle({id(one): one for one in (*best.values(), *ensemble)}.values())
        self.best, self.ensemble, self.loss = best, ensemble, loss  # all at once: an interrupt may come at any point
        return improved

    @property
    def single(self) -> Snapshot:
        """The best single member at its best epoch."""
        return _single(self.best)

    def _choose(self, best: dict[int, Snapshot], stale: list[Snapshot]) -> tuple[list[Snapshot], float]:
        """The ensemble among the one before, each member at its best, and those that were better before; its loss."""
        if self.selection == "greedy":
            pool = [*self.ensemble, *best.values(), *stale]
            qualities, alone = torch.stack([s.quality for s in pool]), [s.loss for s in pool]
            places, loss = greedy(qualities, alone, self.score, self.most)
            return ([pool[place] for place in places], loss) if loss < self.loss else (self.ensemble, self.loss)
        ensemble = [_single(best)] if self.selection == "best" else list(best.values())
        return ensemble, float(self.score(torch.stack([s.quality for s in ensemble]).mean(0, keepdim=True))[0])


def _single(best: dict[int, Snapshot]) -> Snapshot:
    return min(best.values(), key=lambda s: s.loss)
