"""Small packs that several tests share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from glasshouse.core.settings import NetworkSettings
from glasshouse.network.pack import Pack, build, count_pieces, initialise
from glasshouse.network.spec import FeatureSpec, PackSpec

ROWS = 40


def table(cards: tuple[int, ...] = (), seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(rows, 3) numbers, of which the second is mostly 0; (rows, 2) flags; (rows, columns) codes."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(ROWS, 3)).astype(np.float32)
    numbers[:, 1] *= random.random(ROWS) < 0.3
    flags = random.integers(0, 2, (ROWS, 2)).astype(np.float32)
    codes = np.stack([random.integers(0, c, ROWS) for c in cards], 1) if cards else np.zeros((ROWS, 0), np.int64)
    return torch.from_numpy(numbers), torch.from_numpy(flags), torch.from_numpy(codes.astype(np.int64))


def small_spec(
    activation: str = "relu",
    embedding: str = "none",
    cards: tuple[int, ...] = (),
    depths: tuple[int, ...] = (3, 2, 2, 1),
    **others: object,
) -> PackSpec:
    """A specification for the rows of `table`, seven wide."""
    edges = count_pieces(table()[0].numpy(), 5)
    return PackSpec(
        features=FeatureSpec(num_numbers=3, num_flags=2, cardinalities=cards),
        outputs=2,
        hidden=(7,) * depths[0],
        depths=depths,
        activation=activation,  # type: ignore[arg-type]
        embedding=embedding,  # type: ignore[arg-type]
        waves=4 if embedding == "periodic" else 0,
        pieces=tuple(len(edge) - 1 for edge in edges) if embedding == "piecewise" else (),
        category_size=3,
        **others,  # type: ignore[arg-type]
    )


def drawn(spec: PackSpec, seed: int = 0) -> Pack:
    """A pack with drawn parameters; nothing is left at 0 or 1, so that no mistake hides there."""
    pack = build(spec)
    settings = NetworkSettings(embedding_size=5)
    initialise(pack, settings, torch.Generator().manual_seed(seed), table()[0].numpy())
    stream = torch.Generator().manual_seed(seed + 1)
    for name, parameter in pack.named_parameters():
        if "norm" in name or "activation" in name or name.endswith("bias"):
            parameter.data += 0.3 * torch.randn(parameter.shape, generator=stream)
    for name, buffer in pack.named_buffers():
        if "running" in name:
            buffer += 0.5 * torch.rand(buffer.shape, generator=stream)
    return pack
