"""The pack: members side by side, one product a layer for all of them.

A pack of one is an ordinary network. `to_sequential` takes any member out as one.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from glasshouse.core.errors import NetworkError, one_of
from glasshouse.core.settings import NetworkSettings
from glasshouse.network.embeddings import Pieces, Tables, Waves, cut_points
from glasshouse.network.layers import PackBlock, PackDropout, PackLinear
from glasshouse.network.spec import PackSpec, check_spec, tensor_shapes, with_depths


class Pack(nn.Module):
    """Several networks in stacked tensors.

    `forward` reads what `prepare` made of the rows: the part of a network that has nothing to learn is done once for
    a row, not once for a member and step.

    Shapes:
        prepared: (rows, features) shared by all members, or (members, rows, features) where each has its own rows
        categories: (rows, columns) or (members, rows, columns) integer codes; None where there are none
        returns: (members, rows, outputs); logits, or standardised target values
    """

    def __init__(self, spec: PackSpec) -> None:
        super().__init__()
        self.spec = check_spec(spec)
        features, members = spec.features, spec.num_members
        self.pieces = Pieces(spec.pieces) if spec.pieces else None
        self.waves = Waves(members, features.num_numbers, spec.waves) if spec.waves else None
        self.tables = Tables(members, features.cardinalities, spec.category_size) if features.cardinalities else None
        sizes = (spec.in_features, *spec.hidden)
        shared = {"activation": spec.activation, "normalisation": spec.normalisation, "skip": spec.skip}
        blocks = [PackBlock(spec.members_at(i), sizes[i], sizes[i + 1], **shared) for i in range(len(spec.hidden))]  # type: ignore[arg-type]
        self.layers = nn.ModuleList(blocks)
        self.head = PackLinear(members, sizes[-1], spec.outputs)
        self.dropout: PackDropout | None = None  # training sets it; a finished network has none
        self.hidden: Tensor | None
        self.register_buffer("hidden", None, persistent=False)  # (members,) who does not see the pieces; in training

    def prepare(self, numbers: Tensor, flags: Tensor) -> Tensor:
        """The features that no member learns: (rows, numbers) and (rows, flags) to (rows, numbers | flags | pieces)."""
        parts = [numbers, flags] if self.pieces is None else [numbers, flags, self.pieces(numbers)]
        return torch.cat(parts, 1)

    def forward(self, prepared: Tensor, categories: Tensor | None = None) -> Tensor:
        """All members' outputs for shared rows or for each member's own."""
        h: Tensor = self._read(prepared, categories)  # (members, rows, in_features)
        outputs: list[Tensor] = []
        waiting = self.spec.num_members  # members whose output is still to come: always the first so many
        for layer, block in enumerate(self.layers):
            h = block(h, self.dropout)
            deeper = self.spec.members_at(layer + 1)
            if deeper < waiting:  # members that end here say what they have to say
                outputs.append(self.head.part(h[deeper:], deeper, waiting))
                waiting, h = deeper, h[:deeper]
        if not self.layers:
            outputs.append(self.head(h))
        return torch.cat(outputs[::-1]) if len(outputs) > 1 else outputs[0]

    def hide_pieces(self, hidden: Tensor) -> None:
        """Lets some members read the numbers as they are: their weights of the pieces are zero and stay so.

        Args:
            hidden: (members,) true where a member does not see the pieces; before the weights are drawn.
        """
        self.hidden = hidden
        # By a weak reference: a parameter that held the pack would keep it, and a card's memory with it, until Python
        # looks for such circles.
        owner = weakref.ref(self)

        def without_hidden(gradient: Tensor) -> Tensor:
            pack = owner()
            assert pack is not None and pack.hidden is not None, "the pack that owns the weight is there"
            gradient[:, pack.pieces_at] *= ~pack.hidden.view(-1, 1, 1)
            return gradient

        self.first.weight.register_hook(without_hidden)

    @property
    def first(self) -> PackLinear:
        """The layer that reads the features."""
        return self.layers[0].linear if self.layers else self.head  # type: ignore[return-value]

    @property
    def pieces_at(self) -> slice:
        """The features that are pieces."""
        before = self.spec.features.num_numbers + self.spec.features.num_flags
        return slice(before, before + sum(self.spec.pieces))

    def predict(self, numbers: Tensor, flags: Tensor, categories: Tensor) -> Tensor:
        """All members' outputs for the same rows, straight from the encoder's features: (members, rows, outputs)."""
        outputs: Tensor = self(self.prepare(numbers, flags), categories if self.tables is not None else None)
        return outputs

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that makes the pack what it is, by name; the names and shapes are `tensor_shapes(spec)`."""
        return dict(self.state_dict())

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Fills the pack.

        Raises:
            NetworkError: a tensor is missing, too many, or of another shape.
        """
        shapes = tensor_shapes(self.spec)
        for name in sorted(shapes.keys() | tensors.keys()):
            if name not in tensors or name not in shapes or tuple(tensors[name].shape) != shapes[name]:
                found = tuple(tensors[name].shape) if name in tensors else "nothing"
                raise NetworkError(
                    f"tensor {name!r} does not fit: {found}", expected=str(shapes.get(name, "no such tensor"))
                )
        self.load_state_dict(dict(tensors))

    def keep(self, positions: Tensor) -> dict[nn.Parameter, Tensor]:
        """Cuts the pack down to some members, in place.

        Args:
            positions: (kept,) rising positions of those that stay.

        Returns:
            What of each parameter's leading axis was kept, so that an optimiser can cut its memory alike.
        """
        kept: dict[nn.Parameter, Tensor] = {}
        for name, buffer in self.named_buffers():
            if "running_" in name:
                buffer.data = buffer.data[positions[positions < buffer.shape[0]]]
        for parameter in self.parameters():
            kept[parameter] = positions[positions < parameter.shape[0]]
            parameter.data = parameter.data[kept[parameter]]
            parameter.grad = None
        self.spec = with_depths(self.spec, tuple(self.spec.depths[i] for i in positions.tolist()))
        self.layers = self.layers[: len(self.spec.hidden)]
        if self.hidden is not None:
            self.hidden = self.hidden[positions]
        if self.dropout is not None:
            self.dropout.keep(positions)
        return kept

    def member_tensors(self, position: int) -> dict[str, Tensor]:
        """A copy of one member's tensors, without the member axis; what it is too shallow to have is not there."""
        return self.members_tensors((position,))[0]

    def members_tensors(self, positions: Iterable[int]) -> tuple[dict[str, Tensor], ...]:
        """The same of several: looking the tensors up takes as long as copying those of a small network."""
        own = {name: tensor.unbind() for name, tensor in self.state_dict().items() if not name.startswith("pieces.")}
        return tuple({name: parts[at].clone() for name, parts in own.items() if at < len(parts)} for at in positions)

    def _read(self, prepared: Tensor, categories: Tensor | None) -> Tensor:
        members = self.spec.num_members
        x = prepared.expand(members, -1, -1) if prepared.dim() == 2 else prepared
        parts = [x]
        if self.waves is not None:
            parts.append(self.waves(x[..., : self.spec.features.num_numbers]))
        if self.tables is not None and categories is not None:
            codes = categories.expand(members, -1, -1) if categories.dim() == 2 else categories
            parts.append(self.tables(codes))
        return torch.cat(parts, 2) if len(parts) > 1 else x


def build(spec: PackSpec) -> Pack:
    """An empty pack of that specification: its parameters are not drawn yet.

    Raises:
        NetworkError: the specification cannot be built.

    Example:
        >>> from glasshouse.network.spec import FeatureSpec
        >>> spec = PackSpec(features=FeatureSpec(num_numbers=2, num_flags=0), outputs=1, hidden=(3,), depths=(1, 1))
        >>> build(spec)(torch.zeros(5, 2)).shape
        torch.Size([2, 5, 1])
    """
    return Pack(spec)


def stack(spec: PackSpec, members: list[tuple[int, dict[str, Tensor]]], shared: Mapping[str, Tensor]) -> Pack:
    """A pack out of single members' tensors, as `member_tensors` gave them.

    Args:
        spec: whatever the members have in common; its depths are replaced.
        members: (depth, tensors) of each, deepest first.
        shared: the tensors that all have in common (`pieces.*`).
    """
    result = build(with_depths(spec, tuple(depth for depth, _ in members)))
    names = [name for name in tensor_shapes(result.spec) if not name.startswith("pieces.")]
    stacked = {name: torch.stack([own[name] for _, own in members if name in own]) for name in names}
    result.load_tensors(stacked | {name: tensor for name, tensor in shared.items() if name.startswith("pieces.")})
    return result


def initialise(
    pack: Pack, settings: NetworkSettings, generator: torch.Generator, numbers: np.ndarray | None = None
) -> None:
    """Draws every member's parameters, each from its own place in one stream.

    Args:
        pack: filled in place.
        settings: says how (`network.initialisation`; sources: Glorot and Bengio 2010, He et al. 2015,
            LeCun et al. 1998, Saxe et al. 2014; "torch" is what `nn.Linear` does).
        generator: the stream.
        numbers: (rows, numbers) training rows, needed where numbers are cut into pieces.
    """
    for name, parameter in pack.named_parameters():
        if name.endswith("linear.weight") or name == "head.weight":
            for member, weight in enumerate(parameter.data):
                if pack.hidden is not None and parameter is pack.first.weight and bool(pack.hidden[member]):
                    _draw_around(weight, pack.pieces_at, settings.initialisation, generator)
                else:
                    draw_weights(weight, settings.initialisation, generator)
        elif settings.initialisation == "torch" and (name.endswith("linear.bias") or name == "head.bias"):
            bound = 1 / math.sqrt(_reads(pack, name))
            parameter.data.uniform_(-bound, bound, generator=generator)
        elif name == "tables.weight":
            parameter.data.normal_(0.0, 1.0 / math.sqrt(parameter.shape[-1]), generator=generator)
            assert pack.tables is not None
            parameter.data[:, pack.tables.offsets] = 0.0  # nobody trained the place of the unseen: it says nothing
        elif name == "waves.frequency":
            parameter.data.normal_(0.0, 0.3, generator=generator)
        elif name == "waves.phase":
            parameter.data.uniform_(-0.5, 0.5, generator=generator)
    if pack.pieces is not None and numbers is not None:
        # As many as the specification was made with: another limit would cut some columns at other places.
        set_pieces(pack.pieces, count_pieces(numbers, settings.embedding_size or max(pack.spec.pieces)))


def draw_weights(weight: Tensor, name: str, generator: torch.Generator) -> None:
    """Fills one (in_features, out_features) matrix by the initialisation of that name.

    Raises:
        NetworkError: there is none of that name.
    """
    matrix = weight.T  # torch counts fan-in along the second axis
    draws = {
        "torch": lambda: nn.init.kaiming_uniform_(matrix, a=math.sqrt(5), generator=generator),
        "xavier_uniform": lambda: nn.init.xavier_uniform_(matrix, generator=generator),
        "xavier_normal": lambda: nn.init.xavier_normal_(matrix, generator=generator),
        "he_uniform": lambda: nn.init.kaiming_uniform_(matrix, nonlinearity="relu", generator=generator),
        "he_normal": lambda: nn.init.kaiming_normal_(matrix, nonlinearity="relu", generator=generator),
        "lecun_normal": lambda: nn.init.kaiming_normal_(matrix, nonlinearity="linear", generator=generator),
        "orthogonal": lambda: nn.init.orthogonal_(matrix, generator=generator),
        "normal": lambda: nn.init.normal_(matrix, std=0.01, generator=generator),
        "zeros": lambda: nn.init.zeros_(matrix),
    }
    if name not in draws:
        raise NetworkError(
            f"no initialisation is called {name!r}", where="network.initialisation", expected=one_of(draws, 20)
        )
    draws[name]()


def _draw_around(weight: Tensor, hidden: slice, name: str, generator: torch.Generator) -> None:
    """Draws a matrix as if it had no rows for the hidden features, and leaves those at zero."""
    seen = torch.ones(len(weight), dtype=torch.bool)
    seen[hidden] = False
    narrow = weight[seen]
    draw_weights(narrow, name, generator)
    weight.zero_()
    weight[seen] = narrow


def count_pieces(numbers: np.ndarray, most: int) -> list[np.ndarray]:
    """The edges that cut each number (a column of `numbers`) into at most `most` pieces."""
    return [cut_points(np.asarray(column, dtype=np.float64), most) for column in numbers.T]


def set_pieces(pieces: Pieces, edges: list[np.ndarray]) -> None:
    """Puts the edges of every number in place."""
    low = np.concatenate([edge[:-1] for edge in edges])
    width = np.concatenate([np.diff(edge) for edge in edges])
    pieces.low.copy_(torch.as_tensor(low, dtype=torch.float32))
    pieces.scale.copy_(torch.as_tensor(1 / width, dtype=torch.float32))


def _reads(pack: Pack, bias_name: str) -> int:
    owner = pack.get_submodule(bias_name.rsplit(".", 1)[0])
    assert isinstance(owner, PackLinear)
    return owner.weight.shape[1]
