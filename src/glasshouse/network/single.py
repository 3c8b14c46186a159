"""One member of a pack as a plain `torch.nn.Sequential` with ordinary layers."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from glasshouse.core.errors import NetworkError
from glasshouse.network.activations import MODULES
from glasshouse.network.embeddings import Pieces, Tables, Waves
from glasshouse.network.pack import Pack
from glasshouse.network.spec import PackSpec


class FeatureInput(nn.Module):
    """The embeddings of one member, where it has any: (rows, numbers | flags | categories) to what its layers read.

    The categories' codes are whole numbers in a float tensor, so that a row is one vector.
    """

    def __init__(self, spec: PackSpec) -> None:
        super().__init__()
        features = spec.features
        self.sizes = (features.num_numbers, features.num_flags, len(features.cardinalities))
        self.pieces = Pieces(spec.pieces) if spec.pieces else None
        self.waves = Waves(1, features.num_numbers, spec.waves) if spec.waves else None
        self.tables = Tables(1, features.cardinalities, spec.category_size) if features.cardinalities else None

    def forward(self, x: Tensor) -> Tensor:
        """Takes a row apart, embeds its parts and puts them side by side."""
        numbers, flags, codes = x.split(self.sizes, dim=1)
        parts = [numbers, flags]
        if self.pieces is not None:
            parts.append(self.pieces(numbers))
        if self.waves is not None:
            parts.append(self.waves(numbers.unsqueeze(0))[0])
        if self.tables is not None:
            parts.append(self.tables(codes.round().long().unsqueeze(0))[0])
        return torch.cat(parts, 1)


class Around(nn.Module):
    """A skip connection: x + inside(x)."""

    def __init__(self, inside: nn.Sequential) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        """Adds what went around."""
        inside: Tensor = self.inside(x)
        return x + inside


def to_sequential(pack: Pack, position: int) -> nn.Sequential:
    """One member as an ordinary network, with copies of its parameters, in evaluation mode.

    It reads (rows, numbers + flags + categories) as `FeatureInput` says. Without embeddings it is nothing but
    `nn.Linear` and activations.

    Args:
        pack: the pack.
        position: which member, from 0, in the pack's order.

    Raises:
        NetworkError: there is no such member.
    """
    spec = pack.spec
    if not 0 <= position < spec.num_members:
        raise NetworkError(f"there is no member {position}", where="member", expected=f"0 to {spec.num_members - 1}")
    own = pack.member_tensors(position)
    plain = not (spec.pieces or spec.waves or spec.features.cardinalities)
    modules: list[nn.Module] = [] if plain else [_feature_input(pack, own)]
    sizes = spec.widths(spec.depths[position])
    for layer, (reads, writes) in enumerate(pairwise(sizes[:-1])):
        block = _block(spec, own, f"layers.{layer}", reads, writes)
        if spec.skip and reads == writes:
            modules.append(Around(nn.Sequential(*block)))
        else:
            modules.extend(block)
    modules.append(_linear(own, "head", sizes[-2], sizes[-1]))
    return nn.Sequential(*modules).eval()


def _feature_input(pack: Pack, own: dict[str, Tensor]) -> FeatureInput:
    front = FeatureInput(pack.spec)
    tensors = {name: value.unsqueeze(0) for name, value in own.items() if name.startswith(("waves.", "tables."))}
    shared = {name: value for name, value in pack.tensors().items() if name.startswith("pieces.")}
    front.load_state_dict(tensors | shared)
    return front


def _block(spec: PackSpec, own: dict[str, Tensor], name: str, reads: int, writes: int) -> list[nn.Module]:
    block: list[nn.Module] = [_linear(own, f"{name}.linear", reads, writes)]
    if spec.normalisation == "layer":
        block.append(_filled(nn.LayerNorm(writes), own, f"{name}.norm"))
    if spec.normalisation == "batch":
        block.append(_filled(nn.BatchNorm1d(writes), own, f"{name}.norm"))
    if spec.activation == "prelu":
        block.append(_filled(nn.PReLU(writes), own, f"{name}.activation"))
    else:
        block.append(MODULES[spec.activation]())
    return block


def _linear(own: dict[str, Tensor], name: str, reads: int, writes: int) -> nn.Linear:
    layer = nn.Linear(reads, writes)
    layer.weight.data = own[f"{name}.weight"].T.contiguous()
    layer.bias.data = own[f"{name}.bias"][0]
    return layer


def _filled(module: nn.Module, own: dict[str, Tensor], name: str) -> nn.Module:
    found = {key.removeprefix(f"{name}."): value[0] for key, value in own.items() if key.startswith(f"{name}.")}
    module.load_state_dict(found, strict=False)  # a batch norm also counts batches, which nothing reads
    return module
