"""What a pack is, in plain numbers: enough to build it empty and to know the shape of every tensor in it."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from glasshouse.core.errors import NetworkError
from glasshouse.core.records import Record
from glasshouse.core.settings import Activation

Shape = tuple[int, ...]

MOST_PARAMETERS = 1_000_000_000  # 4 GB of float32: no file may ask for more
MOST_LAYERS = 64


class FeatureSpec(Record):
    """What the network sees of one row."""

    num_numbers: int  # scaled numeric features; these are embedded
    num_flags: int  # features that pass through: yes/no, one-hot, "is missing"
    cardinalities: tuple[int, ...] = ()  # of each embedded category, place 0 (missing or unseen) counted in


class PackSpec(Record):
    """A pack of members that differ in depth and in the values of their parameters, and share all else.

    `depths` never rises: members are sorted, deepest first, so that layer i works on the first few of them, a view.
    `hidden` holds the widths of the deepest; a member of depth d uses the first d of them.
    """

    features: FeatureSpec
    outputs: int
    hidden: tuple[int, ...]
    depths: tuple[int, ...]
    activation: Activation = "relu"
    embedding: Literal["none", "periodic", "piecewise"] = "none"
    waves: int = 0  # periodic: frequencies a number is turned into
    pieces: tuple[int, ...] = ()  # piecewise: how many pieces each number is cut into
    category_size: int = 8  # numbers that an embedded category is turned into
    normalisation: Literal["none", "layer", "batch"] = "none"
    skip: bool = False

    @property
    def num_members(self) -> int:
        """How many members stand side by side."""
        return len(self.depths)

    @property
    def prepared_features(self) -> int:
        """Features of a row before anything that members learn: numbers, flags, pieces."""
        return self.features.num_flags + self.features.num_numbers + sum(self.pieces)

    @property
    def in_features(self) -> int:
        """Features that the first layer of every member reads."""
        waves = self.waves * self.features.num_numbers
        return self.prepared_features + waves + self.category_size * len(self.features.cardinalities)

    def widths(self, depth: int) -> tuple[int, ...]:
        """The sizes of a member of that depth, from what it reads to what it says: (in, hidden ..., out)."""
        return (self.in_features, *self.hidden[:depth], self.outputs)

    def members_at(self, layer: int) -> int:
        """How many members have hidden layer `layer`: always the first so many."""
        return sum(depth > layer for depth in self.depths)

    def num_parameters(self, depth: int) -> int:
        """Numbers that one member of that depth learns."""
        single = check_spec(with_depths(self, (depth,)))
        learnt = (shape for name, shape in tensor_shapes(single).items() if not _is_fixed(name))
        return sum(_size(shape) for shape in learnt)


def with_depths(spec: PackSpec, depths: tuple[int, ...]) -> PackSpec:
    """The same specification for other members."""
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return PackSpec(**(fields | {"depths": depths, "hidden": spec.hidden[: max(depths)]}))


def tensor_shapes(spec: PackSpec) -> dict[str, Shape]:
    """The name and shape of every float32 tensor of a pack, without building one.

    Raises:
        NetworkError: the specification contradicts itself or asks for too much.

    Example:
        >>> spec = PackSpec(features=FeatureSpec(num_numbers=2, num_flags=0), outputs=1, hidden=(3,), depths=(1,))
        >>> tensor_shapes(spec)["layers.0.linear.weight"]
        (1, 2, 3)
    """
    check_spec(spec)
    members, numbers = spec.num_members, spec.features.num_numbers
    shapes: dict[str, Shape] = {}
    if spec.pieces:
        shapes |= {"pieces.low": (sum(spec.pieces),), "pieces.scale": (sum(spec.pieces),)}
    if spec.waves:
        shapes |= dict.fromkeys(("waves.frequency", "waves.phase"), (members, numbers, spec.waves))
    if spec.features.cardinalities:
        shapes["tables.weight"] = (members, sum(spec.features.cardinalities), spec.category_size)
    sizes = spec.widths(len(spec.hidden))
    for layer, (reads, writes) in enumerate(pairwise(sizes[:-1])):
        shapes |= _layer_shapes(spec, f"layers.{layer}", spec.members_at(layer), reads, writes)
    last = spec.widths(spec.depths[0])[-2]
    shapes |= {"head.weight": (members, last, spec.outputs), "head.bias": (members, 1, spec.outputs)}
    return shapes


def check_spec(spec: PackSpec) -> PackSpec:
    """The specification itself, if it can be built.

    Raises:
        NetworkError: it cannot; the message says which part.
    """
    problem = _problem(spec)
    if problem:
        raise NetworkError(problem, where="network", expected="a specification that can be built")
    return spec


def _layer_shapes(spec: PackSpec, name: str, members: int, reads: int, writes: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {
        f"{name}.linear.weight": (members, reads, writes),
        f"{name}.linear.bias": (members, 1, writes),
    }
    row = (members, 1, writes)
    if spec.normalisation != "none":
        shapes |= {f"{name}.norm.weight": row, f"{name}.norm.bias": row}
    if spec.normalisation == "batch":
        shapes |= {f"{name}.norm.running_mean": row, f"{name}.norm.running_var": row}
    if spec.activation == "prelu":
        shapes[f"{name}.activation.weight"] = (members, 1, writes)
    return shapes


def _problem(spec: PackSpec) -> str:
    features, numbers = spec.features, spec.features.num_numbers
    counts = (numbers, features.num_flags, spec.waves, *spec.pieces)
    sizes = (spec.outputs, spec.category_size, *spec.hidden, *features.cardinalities)
    if min(counts) < 0 or min(sizes) < 1:
        return "a network cannot have a negative count or an empty layer"
    if not spec.depths or len(spec.depths) > 10_000 or len(spec.hidden) > MOST_LAYERS:
        return f"a pack has 1 to 10,000 members of at most {MOST_LAYERS} hidden layers"
    if list(spec.depths) != sorted(spec.depths, reverse=True) or spec.depths[0] != len(spec.hidden):
        return "depths must fall, and the first must be the number of hidden layers"
    if spec.depths[-1] < 0 or (len(set(spec.depths)) > 1 and len({*spec.hidden}) > 1):
        return "members of different depth need hidden layers of one width"
    if spec.depths[-1] == 0 and spec.depths[0] > 0:
        return "members without a hidden layer cannot stand beside members that have one"
    if spec.in_features < 1:
        return "there is no feature to learn from"
    if spec.pieces and (spec.embedding != "piecewise" or len(spec.pieces) != numbers):
        return "pieces belong to the piecewise embedding, one count for each number"
    if spec.waves and spec.embedding != "periodic":
        return "waves belong to the periodic embedding"
    widest = max((spec.in_features, *spec.hidden, spec.outputs))
    rough = spec.num_members * (
        widest * widest * (len(spec.hidden) + 1) + sum(features.cardinalities) * spec.category_size
    )
    if rough > 100 * MOST_PARAMETERS or _exact(spec) > MOST_PARAMETERS:
        return f"the pack would have more than {MOST_PARAMETERS:,} parameters"
    return ""


def _exact(spec: PackSpec) -> int:
    sizes = [spec.widths(depth) for depth in spec.depths]
    dense = sum(a * b + b for widths in sizes for a, b in pairwise(widths))
    return dense + spec.num_members * sum(spec.features.cardinalities) * spec.category_size


def _is_fixed(name: str) -> bool:
    return name.startswith("pieces.") or "running_" in name


def _size(shape: Shape) -> int:
    product = 1
    for length in shape:
        product *= length
    return product
