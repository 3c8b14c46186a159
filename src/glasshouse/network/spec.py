"""What a pack is, in plain numbers: enough to build it empty and to know the shape of every tensor in it."""

from __future__ import annotations

from typing import Literal

from glasshouse.core.errors import NetworkError
from glasshouse.core.records import Record
from glasshouse.core.settings import Activation

Shape = tuple[int, ...]
MOST_PARAMETERS = 2_000_000_000  # a file cannot ask for more than this (8 GB of float32)


class FeatureSpec(Record):
    """What the network sees of one row."""

    num_numbers: int  # scaled numeric features; these are embedded
    num_flags: int  # 0/1 features that pass through: yes/no, one-hot, "is missing"
    cardinalities: tuple[int, ...] = ()  # of each embedded category, place 0 (missing or unseen) counted in


class PackSpec(Record):
    """A pack of members that share everything but depth and the values of their parameters.

    `depths` falls: members are sorted, deepest first, so that layer i works on the first few of them.
    `hidden` is the widths of the deepest; a member of depth d uses the first d.
    """

    features: FeatureSpec
    outputs: int
    hidden: tuple[int, ...]
    depths: tuple[int, ...]
    activation: Activation = "relu"
    embedding: Literal["none", "periodic", "piecewise"] = "none"
    embedding_size: int = 0
    category_size: int = 8  # most numbers an embedded category is turned into
    normalisation: Literal["none", "layer", "batch"] = "none"
    skip: bool = False
