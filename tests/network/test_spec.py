"""What a pack may be, and the shapes that follow from it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from glasshouse.core.errors import NetworkError
from glasshouse.network.pack import build
from glasshouse.network.single import to_sequential
from glasshouse.network.spec import FeatureSpec, PackSpec, check_spec, tensor_shapes, with_depths

from .packs import drawn, small_spec

GOOD: dict[str, Any] = {
    "features": FeatureSpec(num_numbers=2, num_flags=1, cardinalities=(3,)),
    "outputs": 1,
    "hidden": (4, 4),
    "depths": (2, 1),
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"outputs": 0}, "negative count or an empty layer"),
        ({"hidden": (4, 0)}, "negative count or an empty layer"),
        ({"category_size": 0}, "negative count or an empty layer"),
        ({"features": FeatureSpec(num_numbers=-1, num_flags=3)}, "negative count"),
        ({"features": FeatureSpec(num_numbers=1, num_flags=-3)}, "negative count"),
        ({"features": FeatureSpec(num_numbers=1, num_flags=0, cardinalities=(0,))}, "empty layer"),
        ({"waves": -1}, "negative count"),
        ({"pieces": (-1, 2), "embedding": "piecewise"}, "negative count"),
        ({"depths": ()}, "1 to 10,000 members"),
        ({"depths": (2,) * 10_001}, "1 to 10,000 members"),
        ({"hidden": (4,) * 65, "depths": (65,)}, "at most 64 hidden layers"),
        ({"depths": (1, 2)}, "depths must fall"),
        ({"depths": (1, 1)}, "depths must fall, and the first must be the number of hidden layers"),
        ({"depths": (2, -1)}, "hidden layers of one width"),
        ({"hidden": (4, 5)}, "hidden layers of one width"),
        ({"depths": (2, 0)}, "members without a hidden layer"),
        ({"features": FeatureSpec(num_numbers=0, num_flags=0)}, "no feature to learn from"),
        ({"pieces": (2, 2)}, "pieces belong to the piecewise embedding"),
        ({"pieces": (2,), "embedding": "piecewise"}, "one count for each number"),
        ({"waves": 3}, "waves belong to the periodic embedding"),
        ({"hidden": (40_000, 40_000)}, "more than 1,000,000,000 parameters"),
        ({"hidden": (10**9, 10**9)}, "more than 1,000,000,000 parameters"),
        ({"features": FeatureSpec(num_numbers=1, num_flags=0, cardinalities=(10**9,))}, "more than 1,000,000,000"),
    ],
)  # fmt: skip
def test_a_specification_that_cannot_be_built_is_refused(changes: dict[str, Any], told: str) -> None:
    check_spec(PackSpec(**GOOD))
    spec = PackSpec(**(GOOD | changes))
    for refuse in (check_spec, tensor_shapes, build):
        with pytest.raises(NetworkError, match=told) as caught:
            refuse(spec)
        assert (caught.value.where, caught.value.expected) == ("network", "a specification that can be built")


@pytest.mark.parametrize(
    ("activation", "embedding", "normalisation", "cards", "depths"),
    [*itertools.product(
        ["relu", "prelu"], ["none", "periodic", "piecewise"], ["none", "layer", "batch"], [(), (4, 9)],
        [(3, 2, 2, 1), (1,), (0, 0)],
    )],
)  # fmt: skip
def test_shapes_are_those_of_the_built_pack(
    activation: str, embedding: str, normalisation: str, cards: tuple[int, ...], depths: tuple[int, ...]
) -> None:
    spec = small_spec(activation, embedding, cards, depths, normalisation=normalisation)
    pack = drawn(spec)
    assert {name: tuple(tensor.shape) for name, tensor in pack.tensors().items()} == tensor_shapes(spec)
    for place, depth in enumerate(depths):
        learnt = sum(parameter.numel() for parameter in to_sequential(pack, place).parameters())
        assert spec.num_parameters(depth) == learnt


def test_other_members_of_the_same_kind() -> None:
    spec = small_spec(normalisation="batch", skip=True)
    fewer = with_depths(spec, (2, 1))
    assert (fewer.depths, fewer.hidden, fewer.normalisation, fewer.skip) == ((2, 1), (7, 7), "batch", True)
    assert [spec.members_at(layer) for layer in range(4)] == [4, 3, 1, 0]
    assert spec.widths(2) == (5, 7, 7, 2)
