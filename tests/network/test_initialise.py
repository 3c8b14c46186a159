"""First weights: the variances of the textbooks, and each member its own."""

from __future__ import annotations

import math
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from glasshouse.core.errors import NetworkError
from glasshouse.core.settings import NetworkSettings
from glasshouse.network.embeddings import cut_points
from glasshouse.network.pack import build, count_pieces, draw_weights, initialise
from glasshouse.network.spec import FeatureSpec, PackSpec

from .packs import small_spec

IN, OUT = 400, 100
VARIANCE = {
    "torch": 1 / (3 * IN),  # uniform within 1 / sqrt(in)
    "xavier_uniform": 2 / (IN + OUT),
    "xavier_normal": 2 / (IN + OUT),
    "he_uniform": 2 / IN,
    "he_normal": 2 / IN,
    "lecun_normal": 1 / IN,
    "normal": 0.01**2,
    "zeros": 0.0,
    "orthogonal": 1 / IN,  # the longer side
}
BOUND = {"torch": IN**-0.5, "xavier_uniform": math.sqrt(6 / (IN + OUT)), "he_uniform": math.sqrt(6 / IN)}


def test_every_initialisation_of_the_settings_is_tested() -> None:
    assert set(get_args(get_type_hints(NetworkSettings)["initialisation"])) == VARIANCE.keys()


@pytest.mark.parametrize("name", VARIANCE)
def test_mean_and_variance_are_the_textbooks(name: str) -> None:
    weight = torch.empty(IN, OUT)
    draw_weights(weight, name, torch.Generator().manual_seed(0))
    variance = VARIANCE[name]
    assert float(weight.mean()) == pytest.approx(0, abs=5 * math.sqrt(variance / weight.numel()) + 1e-12)
    # the deviation of a sample variance of n normals is sqrt(2 / n) of it: five of them are 3.5 % here
    assert float(weight.var()) == pytest.approx(variance, rel=0.036)
    if name in BOUND:
        assert 0.99 * BOUND[name] < float(weight.abs().max()) <= BOUND[name]


@pytest.mark.parametrize(("rows", "columns"), [(30, 12), (12, 30), (20, 20)])
def test_orthogonal_columns_or_rows(rows: int, columns: int) -> None:
    weight = torch.empty(rows, columns)
    draw_weights(weight, "orthogonal", torch.Generator().manual_seed(0))
    product = weight.T @ weight if rows >= columns else weight @ weight.T
    torch.testing.assert_close(product, torch.eye(min(rows, columns)), rtol=0, atol=1e-5)


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(NetworkError, match="no initialisation is called 'glorot'") as caught:
        draw_weights(torch.empty(2, 2), "glorot", torch.Generator())
    assert caught.value.expected.startswith("one of torch, xavier_uniform") and "zeros" in caught.value.expected


def test_a_linear_layer_begins_as_torchs_does() -> None:
    """Variance and bounds of weights and biases of `nn.Linear`, by sampling both."""
    spec = PackSpec(features=FeatureSpec(num_numbers=50, num_flags=0), outputs=30, hidden=(40,), depths=(1,) * 20)
    pack = build(spec)
    initialise(pack, NetworkSettings(), torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    for ours, sizes in ((pack.layers[0].linear, (50, 40)), (pack.head, (40, 30))):
        theirs = [torch.nn.Linear(*sizes) for _ in range(20)]
        for name in ("weight", "bias"):
            sample = torch.stack([getattr(layer, name).detach() for layer in theirs])
            own = getattr(ours, name).detach()
            assert float(own.std()) == pytest.approx(float(sample.std()), rel=0.1)
            assert float(own.abs().max()) == pytest.approx(float(sample.abs().max()), rel=0.02)


@pytest.mark.parametrize("name", [name for name in VARIANCE if name != "torch"])
def test_biases_begin_at_zero_for_the_named_initialisations(name: str) -> None:
    pack = build(small_spec())
    initialise(pack, NetworkSettings(initialisation=name), torch.Generator().manual_seed(0))
    biases = [value for key, value in pack.tensors().items() if key.endswith("bias")]
    assert biases and all(torch.count_nonzero(bias) == 0 for bias in biases)


def test_members_begin_apart_and_the_seed_decides() -> None:
    packs = []
    for seed in (0, 0, 1):
        pack = build(small_spec("prelu", "periodic", (4, 9)))
        initialise(pack, NetworkSettings(), torch.Generator().manual_seed(seed))
        packs.append(pack.tensors())
    for name, tensor in packs[0].items():
        assert torch.equal(tensor, packs[1][name])
        if "activation" not in name:
            assert not torch.equal(tensor, packs[2][name])
            flat = tensor.flatten(1)
            assert len({tuple(row.tolist()) for row in flat}) == flat.shape[0], f"two members share {name}"


def test_pieces_are_cut_as_the_specification_counted_them() -> None:
    """Also where no column reaches the number of pieces asked for: cutting again with another limit cuts elsewhere."""
    random = np.random.default_rng(0)
    numbers = np.stack([random.integers(0, 20, 300), random.integers(0, 5, 300) ** 2, random.poisson(0.7, 300)], 1)
    numbers = numbers.astype(np.float32)
    for size in (3, 8, 48):
        counts = tuple(len(edges) - 1 for edges in count_pieces(numbers, size))
        features = FeatureSpec(num_numbers=3, num_flags=0)
        pack = build(
            PackSpec(features=features, outputs=1, hidden=(3,), depths=(1,), embedding="piecewise", pieces=counts)
        )
        initialise(pack, NetworkSettings(embedding_size=size), torch.Generator(), numbers)
        edges = np.concatenate([cut_points(column.astype(np.float64), size)[:-1] for column in numbers.T])
        np.testing.assert_allclose(pack.pieces.low.numpy(), edges, rtol=1e-6)
