"""What a model is made of, as plain values. No torch here: a server reads models without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasshouse.core.records import Record
from glasshouse.data import Encoder, Schema, TargetSchema
from glasshouse.model.uncertainty import Uncertainty
from glasshouse.network.spec import PackSpec


class Origin(Record, frozen=True):
    """Where one entry of the ensemble came from: a member of the run, and the epoch its weights are of."""

    member: int
    epoch: int


@dataclass(frozen=True)
class ModelParts:
    """Everything that a model knows. Make changed copies with `dataclasses.replace`.

    Args:
        schema: the user's columns and the target.
        encoder: how columns become features.
        spec: the pack of the ensemble's entries, deepest first.
        tensors: every tensor of the pack by name, float32; torch tensors on the CPU are taken as well.
        weights: how much each entry counts, in the pack's order; not negative, sum 1.
        origins: where each entry came from, in the same order.
        uncertainty: temperature and calibration scores.
        sections: named JSON values that travel along (metrics, settings, manifest); records are taken as well.
    """

    schema: Schema
    encoder: Encoder
    spec: PackSpec
    tensors: Mapping[str, NDArray[np.float32]]
    weights: tuple[float, ...]
    origins: tuple[Origin, ...]
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    sections: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays = {name: np.asarray(tensor) for name, tensor in self.tensors.items()}
        object.__setattr__(self, "tensors", arrays)
        object.__setattr__(self, "weights", tuple(float(weight) for weight in self.weights))

    @property
    def target(self) -> TargetSchema:
        """The target; a model always has one."""
        assert self.schema.target is not None, "check_description refuses a schema without a target"
        return self.schema.target
