"""The question whether the parts of a model are sound and belong together.

Asked before a file is written and after one is read: what came from a file was written by nobody knows whom.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from glasshouse.core.errors import GlasshouseError
from glasshouse.core.records import SourceRecord
from glasshouse.data import Encoder, Frame, Schema, TargetSchema, align, encode
from glasshouse.model.archive import CONFIG, MOST_ENTRIES, SECTION, TENSORS, broken
from glasshouse.model.parts import ModelParts
from glasshouse.network.spec import FeatureSpec, PackSpec, Shape, tensor_shapes

MOST_MEMBERS = 4096
MOST_WIDTH = 1000  # digits that a label is padded to

# What an encoder with senseless values can end in; it came from a file, so none of these is a defect of ours.
_MISFITS = (GlasshouseError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, PolarsError)
# Letters of strptime that are known to read dates; polars panics, which nobody can catch well, on some others.
_TIME_FORMAT = re.compile(r"(?:[^%]|%(?:\.f|#z|[YmdyHMSIpbBjzTFD])){0,60}", re.DOTALL)
_DECIMALS = (".", ",")
_THOUSANDS = ("", ",", ".", " ", "'")


def check_parts(parts: ModelParts, source: str) -> None:
    """Checks that the parts are sound and fit each other.

    Args:
        parts: from a file, or about to become one.
        source: the file, for the errors.

    Raises:
        ModelFileError: a tensor, weight, size or section is not what the others ask for.
    """
    shapes = check_description(parts, source)
    check_tensors(parts.tensors, shapes, f"{source}, {TENSORS}")
    _check_sections(parts.sections, source)


def check_description(parts: ModelParts, source: str) -> dict[str, Shape]:
    """Checks everything but tensors and sections, so that a file is refused before its tensors are allocated.

    Returns:
        The shape that each tensor must have.

    Raises:
        ModelFileError: the parts do not fit each other, or the network would be too large.
    """
    config = f"{source}, {CONFIG}"
    _check_target(parts.schema.target, parts.encoder, config)
    _check_readings(parts.schema, config)
    _check_spec(parts, config)
    shapes = _shapes(parts.spec, config)
    _check_weights(parts, config)
    _check_encoder(parts, config)
    return shapes


def check_tensors(tensors: Mapping[str, NDArray[np.float32]], shapes: Mapping[str, Shape], where: str) -> None:
    """Checks names, types, shapes and values of a pack's tensors.

    Args:
        tensors: by name.
        shapes: that the specification asks for.
        where: for the error.

    Raises:
        ModelFileError: one is missing, too many, of another type or shape, or not finite.
    """
    if set(tensors) != set(shapes):
        odd = sorted(set(tensors) ^ set(shapes))[0]
        what = "is missing" if odd in shapes else "is not part of the network"
        raise broken(f"the tensor {odd[:80]!r} {what}", where, "the tensors that the network has")
    for name, tensor in tensors.items():
        shape = tuple(shapes[name])
        if tensor.dtype != np.float32 or tensor.shape != shape:
            raise broken(f"the tensor {name!r} is {tensor.dtype} {tensor.shape}", where, f"float32 {shape}")
        if not np.isfinite(tensor).all():
            raise broken(f"the tensor {name!r} holds a value that is not a finite number", where, "finite numbers")


def _shapes(spec: PackSpec, where: str) -> dict[str, Shape]:
    try:
        return tensor_shapes(spec)
    except GlasshouseError as error:
        raise broken(f"the network cannot be built: {error.problem}", where, error.expected) from error
    except (ValueError, ArithmeticError, LookupError) as error:
        raise broken(f"the network cannot be built: {error}", where) from error


def _check_target(target: TargetSchema | None, encoder: Encoder, where: str) -> None:
    if target is None:
        raise broken("the schema names no target", where, "the column that the model predicts")
    classes = target.classes
    least = {"regression": 0, "binary": 2, "multiclass": 2}[target.task]
    most = {"regression": 0, "binary": 2, "multiclass": len(classes)}[target.task]
    if not least <= len(classes) <= most or len(set(classes)) != len(classes):
        raise broken(
            f"a {target.task} model with {len(classes)} classes", where, "distinct classes, as many as it needs"
        )
    center, scale = encoder.target_center, encoder.target_scale
    if not (math.isfinite(center) and math.isfinite(scale) and scale > 0):
        raise broken(f"the target is scaled by {scale} around {center}", where, "finite numbers, the scale above 0")


def _check_spec(parts: ModelParts, where: str) -> None:
    spec, encoder, task = parts.spec, parts.encoder, parts.target.task
    if not 1 <= len(spec.depths) <= MOST_MEMBERS:
        raise broken(f"a pack of {len(spec.depths):,} members", where, f"1 to {MOST_MEMBERS:,} members")
    encoded = FeatureSpec(
        num_numbers=encoder.num_numbers, num_flags=encoder.num_flags, cardinalities=tuple(encoder.cardinalities)
    )
    if spec.features != encoded:
        raise broken("the network and the encoder disagree on the features", where, f"{encoded}")
    num_classes = len(parts.target.classes)
    accepted = {"regression": (1,), "binary": (1, 2), "multiclass": (num_classes,)}[task]
    if spec.outputs not in accepted:
        raise broken(f"{spec.outputs:,} outputs, {task}, {num_classes} classes", where, f"{accepted[-1]} outputs")


def _check_weights(parts: ModelParts, where: str) -> None:
    members = len(parts.spec.depths)
    weights = parts.weights
    if len(weights) != members or len(parts.origins) != members:
        raise broken(
            f"{len(weights)} weights and {len(parts.origins)} origins for {members} members", where, "one of each"
        )
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or abs(sum(weights) - 1) > 1e-6:
        raise broken(f"the ensemble weights sum to {sum(weights):.6g}, the least is {min(weights):.6g}", where,
                     "weights of at least 0 that sum to 1")  # fmt: skip
    for origin in parts.origins:
        if origin.member < 0 or origin.epoch < 0:
            raise broken(f"an entry comes from member {origin.member}, epoch {origin.epoch}", where, "counts from 0")


def _check_sections(sections: Mapping[str, Any], source: str) -> None:
    for name in sections:
        if not SECTION.fullmatch(f"sections/{name}.json"):
            raise broken(f"a section cannot be called {name[:80]!r}", source, "small letters, digits and underscores",
                         "rename the section")  # fmt: skip
    if len(sections) > MOST_ENTRIES - 3:
        raise broken(f"{len(sections)} sections", source, f"at most {MOST_ENTRIES - 3}")


def _check_readings(schema: Schema, where: str) -> None:
    """Looks at how cells are read, since these few letters become patterns and sizes."""
    readings = {column.name: column.reading for column in schema.columns}
    if schema.target is not None:
        readings[schema.target.name] = schema.target.reading
    if len(readings) != len(schema.columns) + (schema.target is not None):
        raise broken("the schema has a column twice", where, "every column once")
    for name, reading in readings.items():
        sound = reading.decimal in _DECIMALS and reading.thousands in _THOUSANDS and 0 <= reading.width <= MOST_WIDTH
        if not (sound and _TIME_FORMAT.fullmatch(reading.format)):
            raise broken(f"the column {name[:80]!r} is read in a way that does not exist", where,
                         "signs, widths and date formats that glasshouse writes")  # fmt: skip


def _check_encoder(parts: ModelParts, where: str) -> None:
    """Looks at the scales, then encodes a row without any value: can encoder and schema work together at all?"""
    for code in parts.encoder.numbers:
        quantiles = np.asarray(code.quantiles)
        if parts.encoder.scaling == "quantile" and not (len(quantiles) >= 1 and (np.diff(quantiles) >= 0).all()):
            raise broken(f"the quantiles of {code.column[:80]!r} do not rise", where, "rising numbers")
        if not (math.isfinite(code.center) and math.isfinite(code.scale) and code.scale > 0):
            raise broken(f"the column {code.column[:80]!r} is scaled by {code.scale}", where, "finite numbers above 0")
    encoder, known = parts.encoder, {column.name for column in parts.schema.used}
    needed = [code.column for codes in (encoder.numbers, encoder.flags, encoder.categories) for code in codes]
    unknown = [name for name in needed if name not in known]
    if unknown:
        raise broken(f"the encoder does not fit the schema: it needs {unknown[0][:80]!r}", where, "used columns")
    nothing = pl.DataFrame({column.name: pl.Series([None], dtype=pl.String) for column in parts.schema.columns})
    record = SourceRecord(name=where, rows=1, columns=nothing.width, size_bytes=0, sha256="")
    try:
        features = encode(align(Frame(table=nothing, source=record), parts.schema), parts.schema, parts.encoder)
    except _MISFITS as error:
        what = error.problem if isinstance(error, GlasshouseError) else error
        raise broken(f"the encoder does not fit the schema: {what}", where, "one made for these columns") from error
    expected = parts.spec.features
    found = (features.numbers.shape[1], features.flags.shape[1], features.categories.shape[1])
    if found != (expected.num_numbers, expected.num_flags, len(expected.cardinalities)):
        raise broken(f"the encoder makes {found} features", where, "as many as it says")
