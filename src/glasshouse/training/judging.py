"""What the members say of rows that they have not learnt from, and how good that is.

Without folds these are the validation rows, the same for all. With folds every row is judged by the network that was
trained without it and by no other, so that judging a member on all rows costs one network's pass over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from glasshouse.core.records import Task
from glasshouse.data.batches import EVERYBODY, Batch, Drawn, Rows
from glasshouse.network.pack import Pack
from glasshouse.training.crews import Threads
from glasshouse.training.losses import member_losses, row_loss

ROWS_AT_ONCE = 256  # of every network; what it makes of them stays in the cache
NUMBERS_AT_ONCE = 4_000_000  # gathered at most where every network sees rows of its own
NUMBERS_ON_A_CARD = 64_000_000  # of one layer of all networks; a graphics card is slow with few


class Judge:
    """Judges the members of a pack.

    Args:
        task: of the target.
        loss: what a regression is trained by; classes are judged by their log-loss.
        rows: to judge on.
        fold: (rows,) the fold that each is left out of; None where no member learns from any of them.
        threads: that may judge some of the rows each; None leaves them all to torch's own.
    """

    def __init__(self, task: Task, loss: str, rows: Rows, fold: Tensor | None, threads: Threads | None = None) -> None:
        self.task, self.rows = task, rows
        self.threads = threads or Threads(1)
        self.by_row = row_loss(loss) if task == "regression" else None
        self.own: Tensor | None = None  # (folds, rows) the places of each fold's rows; a shorter one ends in repeats
        self.of_row: Tensor | None = None  # (rows,) where a row is found in (folds, rows), laid out flat
        if fold is not None:
            parts = [torch.nonzero(fold == left_out)[:, 0] for left_out in range(int(fold.max()) + 1)]
            self.own = pad_sequence(parts, batch_first=True, padding_value=0.0)
            self.of_row = torch.empty_like(fold)
            for left_out, places in enumerate(parts):
                self.of_row[places] = left_out * self.own.shape[1] + torch.arange(len(places), device=fold.device)

    @torch.no_grad()
    def quality(self, pack: Pack) -> Tensor:
        """(members, rows): the predicted value, or the probability that is given to the true class."""
        batches = list(self._batches(pack))
        each = -(-len(batches) // self.threads.most)
        tasks = [partial(self._on, pack, batches[first : first + each]) for first in range(0, len(batches), each)]
        quality = torch.cat([part for parts in self.threads.run(tasks) for part in parts], 1)
        if self.own is None or self.of_row is None:
            return quality
        return quality.view(-1, self.own.numel())[:, self.of_row]

    @torch.no_grad()
    def _on(self, pack: Pack, batches: Sequence[Batch | Drawn]) -> list[Tensor]:
        """The qualities on some batches."""
        gathered = (batch.of(EVERYBODY) for batch in batches)
        return [self._of(pack(batch.prepared, batch.categories), batch.targets) for batch in gathered]

    def losses(self, quality: Tensor) -> Tensor:
        """Qualities (entries, rows) to losses (entries,): log-loss, or the training loss of a regression."""
        if self.by_row is None:
            return member_losses(-quality.clamp_min(1e-12).log(), self.rows.weights)
        return member_losses(
            self.by_row(quality.unsqueeze(-1), self.rows.targets.expand_as(quality)), self.rows.weights
        )

    def _batches(self, pack: Pack) -> Iterator[Batch | Drawn]:
        """The rows piece by piece: shared by all networks, or for every network those of its fold."""
        networks = pack.spec.num_members
        on_card = self.rows.prepared.device.type == "cuda"
        card_rows = max(
            1, NUMBERS_ON_A_CARD // (networks * max(pack.spec.in_features, *pack.spec.hidden, pack.spec.outputs))
        )
        if self.own is None:
            rows, at_once = self.rows, card_rows if on_card else ROWS_AT_ONCE
            for first in range(0, rows.num_rows, at_once):
                here = slice(first, first + at_once)
                categories = rows.categories[here] if rows.categories is not None else None
                yield Batch(rows.prepared[here], categories, rows.targets[here], None)
            return
        gathered = max(1, networks * self.rows.prepared.shape[1])
        at_once = card_rows if on_card else min(ROWS_AT_ONCE, max(1, NUMBERS_AT_ONCE // gathered))
        for places in self.own.repeat(networks // len(self.own), 1).split(at_once, 1):
            yield Drawn(self.rows, places)

    def _of(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (networks, rows, outputs) and targets (rows,) or (networks, rows) to qualities (networks, rows)."""
        if self.task == "regression":
            return outputs[..., 0]
        if self.task == "binary":
            return torch.sigmoid(outputs[..., 0] * (2 * targets - 1))
        chosen = targets.expand(outputs.shape[:-1]).unsqueeze(-1)
        return torch.softmax(outputs, -1).gather(-1, chosen)[..., 0]
