"""Mini-batches: every member goes through the training rows in its own order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

EVERYBODY = slice(None)
AT_ONCE = 1_000_000  # numbers that an epoch's rows may have, over all members, to be gathered in one go


class Rows(NamedTuple):
    """Rows as the network reads them, on its device."""

    prepared: Tensor  # (rows, features)
    categories: Tensor | None  # (rows, columns) int64
    targets: Tensor  # (rows,) float32 standardised values or 0/1, or int64 class codes
    weights: Tensor | None  # (rows,) float32, None where all count the same

    @property
    def num_rows(self) -> int:
        """How many."""
        return self.prepared.shape[0]

    def at(self, places: Tensor) -> Batch:
        """The rows at (members, batch) places."""
        flat, shape = places.flatten(), places.shape
        return Batch(
            self.prepared.index_select(0, flat).view(*shape, -1),
            self.categories.index_select(0, flat).view(*shape, -1) if self.categories is not None else None,
            self.targets.index_select(0, flat).view(shape),
            self.weights.index_select(0, flat).view(shape) if self.weights is not None else None,
        )

    def put(self, places: Tensor, batch: Batch) -> None:
        """Writes the rows at (members, batch) places into a batch that `at` has made of as many."""
        flat = places.flatten()
        for part, into in zip(self, batch, strict=True):
            if part is not None and into is not None:
                torch.index_select(part, 0, flat, out=into.view(len(flat), *part.shape[1:]))


class Batch(NamedTuple):
    """What one step learns from: other rows for every member."""

    prepared: Tensor  # (members, batch, features)
    categories: Tensor | None  # (members, batch, columns)
    targets: Tensor  # (members, batch)
    weights: Tensor | None  # (members, batch)

    @property
    def size(self) -> int:
        """Rows of each member."""
        return self.targets.shape[1]

    def of(self, members: slice) -> Batch:
        """What some of the members learn from."""
        return Batch(*(None if part is None else part[members] for part in self))  # type: ignore[arg-type]

    def put(self, members: slice, into: Tensor) -> tuple[Tensor, Tensor | None]:
        """Writes the prepared features of some members' rows; returns (targets, categories)."""
        mine = self if members == EVERYBODY else self.of(members)  # a cut takes as long as a small network's product
        into.copy_(mine.prepared)
        return mine.targets, mine.categories


class Drawn(NamedTuple):
    """A batch that is yet to be gathered: whoever takes some of the members gathers theirs."""

    rows: Rows
    places: Tensor  # (members, batch)

    @property
    def size(self) -> int:
        """Rows of each member."""
        return self.places.shape[1]

    def of(self, members: slice) -> Batch:
        """What some of the members learn from."""
        return self.rows.at(self.places[members])

    def put(self, members: slice, into: Tensor) -> tuple[Tensor, Tensor | None]:
        """Writes the prepared features of some members' rows; returns (targets, categories)."""
        places = self.places[members]
        flat, (prepared, categories, targets, _) = places.flatten(), self.rows
        if prepared.dtype == into.dtype:
            torch.index_select(prepared, 0, flat, out=into.view(len(flat), prepared.shape[1]))
        else:
            into.copy_(prepared.index_select(0, flat).view(into.shape))
        own = None if categories is None else categories.index_select(0, flat).view(*places.shape, -1)
        return targets.index_select(0, flat).view(places.shape), own


def steps_per_epoch(num_rows: int, batch_size: int) -> int:
    """How many batches one pass takes; the last may be smaller, as with torch's DataLoader.

    Example:
        >>> steps_per_epoch(800, 32), steps_per_epoch(10, 32)
        (25, 1)
    """
    return max(1, -(-num_rows // batch_size))


class Epochs:
    """Passes over every network's own rows, each in its own random order.

    Args:
        rows: the rows that any of them learns from.
        batch_size: rows of each network in a step.
        generator: the orders are drawn on its device: on a graphics card all at once, elsewhere network by network.
    """

    def __init__(self, rows: Rows, batch_size: int, generator: torch.Generator) -> None:
        self.rows, self.batch_size, self.generator = rows, batch_size, generator
        self.whole: Batch | None = None
        self.batches: list[Batch] = []  # views of the whole

    def next(self, own: Sequence[Tensor]) -> Iterator[Batch | Drawn]:
        """The batches of one pass; they hold what they hold until the next pass begins.

        Args:
            own: for each network the places of its rows; where one has more than another, the rest waits for the next
                pass.
        """
        device, drawn_on_card = self.rows.prepared.device, self.generator.device.type == "cuda"
        order = _order_on_card(own, self.generator) if drawn_on_card else _order(own, self.generator).to(device)
        if drawn_on_card or order.numel() * self.rows.prepared.shape[1] > AT_ONCE:
            return (Drawn(self.rows, places) for places in order.split(self.batch_size, dim=1))
        # Little enough to be put in order once, and cut: a small network's step costs hardly more than a lookup.
        if self.whole is not None and self.whole.targets.shape == order.shape:
            self.rows.put(order, self.whole)
        else:
            self.whole = self.rows.at(order)
            parts = ([] if part is None else part.split(self.batch_size, dim=1) for part in self.whole)
            self.batches = [Batch(*batch) for batch in zip_longest(*parts)]
        return iter(self.batches)


def _order(own: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """(members, rows): the places of each network's rows, shuffled."""
    fewest = min(len(places) for places in own)
    return torch.stack([places[torch.randperm(len(places), generator=generator)[:fewest]] for places in own])


def _order_on_card(own: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """The same by sorting random keys, of all networks at once: to shuffle one by one takes as long as to train."""
    device, lengths = generator.device, torch.tensor([len(places) for places in own])
    at = {places: number for number, places in enumerate(dict.fromkeys(own))}  # many networks have the same rows
    places = pad_sequence([*at], batch_first=True).to(device)[torch.tensor([at[one] for one in own], device=device)]
    keys = torch.rand(places.shape, generator=generator, device=device)
    keys[torch.arange(places.shape[1], device=device) >= lengths.to(device).unsqueeze(1)] = 2.0  # behind all others
    return places.gather(1, keys.argsort(1)[:, : int(lengths.min())])
