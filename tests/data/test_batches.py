"""Every member goes through all rows once an epoch, in an order of its own."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from glasshouse.data.batches import Batch, Drawn, Epochs, Rows, _order_on_card, steps_per_epoch


def rows(count: int, categories: bool = True, weights: bool = True) -> Rows:
    place = torch.arange(count)
    return Rows(
        torch.stack([place.float(), 10.0 * place], 1),
        place.unsqueeze(1) + 1000 if categories else None,
        place.float() * 2,
        place.float() * 3 if weights else None,
    )


def all_of(count: int, members: int) -> list[torch.Tensor]:
    return [torch.arange(count)] * members


@pytest.mark.parametrize(("count", "size"), [(10, 3), (9, 3), (5, 8), (1, 1), (7, 1)])
def test_every_member_sees_every_row_once(count: int, size: int) -> None:
    batches = list(Epochs(rows(count), size, torch.Generator().manual_seed(0)).next(all_of(count, 4)))
    assert len(batches) == steps_per_epoch(count, size)
    assert [batch.targets.shape for batch in batches[:-1]] == [(4, size)] * (len(batches) - 1)
    seen = torch.cat([batch.targets for batch in batches], 1) / 2
    assert torch.equal(seen.sort(1).values, torch.arange(count).float().expand(4, -1))


def test_what_belongs_to_a_row_stays_together() -> None:
    passes = Epochs(rows(50), 8, torch.Generator().manual_seed(0))
    for members in (3, 3, 2, 2):  # into the same memory, until a member leaves
        for batch in passes.next(all_of(50, members)):
            place = batch.prepared[..., 0]
            assert len(place) == members
            assert torch.equal(batch.prepared[..., 1], 10 * place)
            assert torch.equal(batch.targets, 2 * place)
            assert batch.categories is not None and torch.equal(batch.categories[..., 0].float(), place + 1000)
            assert batch.weights is not None and torch.equal(batch.weights, 3 * place)
    bare = next(Epochs(rows(5, categories=False, weights=False), 3, torch.Generator()).next(all_of(5, 2)))
    assert bare.categories is None and bare.weights is None


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("given", ["gathered", "drawn"])
@pytest.mark.parametrize("categories", [True, False])
def test_rows_are_put_where_they_are_asked_for(precision: torch.dtype, given: str, categories: bool) -> None:
    drawn = Drawn(rows(50, categories), torch.randperm(50).view(5, 10).t())  # (10 members, 5 rows), strided
    members, into = slice(2, 9), torch.full((7, 5, 2), -1.0, dtype=precision)
    whole = drawn.of(members)
    assert isinstance(whole, Batch)
    targets, own = (drawn if given == "drawn" else drawn.of(slice(None))).put(members, into)
    assert torch.equal(into, whole.prepared.to(precision)) and torch.equal(targets, whole.targets)
    assert (own is None) is not categories
    assert own is None or whole.categories is None or torch.equal(own, whole.categories)


def test_orders_differ_between_members_and_epochs_and_repeat_with_the_seed() -> None:
    def orders(seed: int, epochs: int) -> list[list[float]]:
        every = Epochs(rows(40), 16, torch.Generator().manual_seed(seed))
        passes = [torch.cat([b.targets for b in every.next(all_of(40, 3))], 1) for _ in range(epochs)]
        return [order.tolist() for one in passes for order in one]

    first = orders(0, 2)
    assert len({tuple(order) for order in first}) == 6
    assert orders(0, 2) == first and orders(1, 2) != first


def test_a_graphics_card_shuffles_all_at_once() -> None:
    even, odd, all_but = torch.arange(0, 40, 2), torch.arange(1, 40, 2), torch.arange(19, 40)
    own = [even, odd, all_but] * 2
    generator = torch.Generator().manual_seed(0)
    passes = [_order_on_card(own, generator) for _ in range(30)]
    waited = set()
    for order in passes:
        assert order.shape == (6, 20)
        for places, allowed in zip(order.tolist(), own, strict=True):
            assert len(set(places)) == 20 and set(places) <= set(allowed.tolist())
        waited |= set(all_but.tolist()) - set(order[2].tolist())
        assert not torch.equal(order[0], order[3])
    assert len(waited) > 10, "it is not always the same row that waits"
    assert not torch.equal(passes[0], passes[1])
    firsts = torch.stack(passes)[:, 0, 0]
    assert len(set(firsts.tolist())) > 8, "any row may come first"
    assert torch.equal(passes[0], _order_on_card(own, torch.Generator().manual_seed(0)))


def test_networks_that_own_rows_see_only_those() -> None:
    own = [torch.tensor([0, 2, 4, 6]), torch.tensor([1, 3, 5]), torch.tensor([5, 6, 0])]
    passes = Epochs(rows(7), 2, torch.Generator().manual_seed(0))
    seen: list[set[int]] = [set(), set(), set()]
    for _ in range(30):
        targets = torch.cat([batch.targets for batch in passes.next(own)], 1) / 2
        assert targets.shape == (3, 3), "as many as the one with the fewest"
        for place, order in enumerate(targets.tolist()):
            assert len(set(order)) == 3
            seen[place] |= {int(row) for row in order}
    assert seen == [set(places.tolist()) for places in own], "what had to wait comes in another pass"


@pytest.mark.parametrize(("count", "size"), [(800, 32), (10, 32), (33, 32), (64, 32), (1, 5)])
def test_as_many_batches_as_torchs_loader_has(count: int, size: int) -> None:
    loader = DataLoader(TensorDataset(torch.zeros(count, 1)), batch_size=size)
    assert steps_per_epoch(count, size) == len(loader)
