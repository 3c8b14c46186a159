"""The `.glass` file: schema, encoder, network, weights and uncertainty of one model, without any code in it.

A zip of stored entries:

    manifest.json       format, glasshouse version, size and SHA-256 of every other entry
    config.json         schema, encoder, specification, ensemble weights, uncertainty
    model.safetensors   the pack's tensors (float32) and the calibration scores (float64)
    sections/NAME.json  what the caller put beside them: metrics, settings, manifest of the run

The same model gives the same bytes. The hashes detect damage; they are no trust in the author, since whoever changes
an entry can change its hash with it. So nothing that is read is believed: sizes, names, types, shapes and values are
checked, nothing in the file is ever executed, and a file that passes can do no more than predict badly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

import glasshouse
from glasshouse.core.errors import ModelFileError
from glasshouse.core.files import sha256
from glasshouse.core.records import Record
from glasshouse.data import Encoder, Schema
from glasshouse.model import strict_json
from glasshouse.model.archive import CONFIG, SECTION, TENSORS, broken, read_archive, write_archive
from glasshouse.model.checks import check_description, check_parts, check_tensors
from glasshouse.model.parts import ModelParts, Origin
from glasshouse.model.uncertainty import MOST_SCORES, Uncertainty
from glasshouse.network.spec import PackSpec, Shape

FILE_NAME = "model.glass"  # inside a run folder
SCORES = "uncertainty.scores"
MOST_HEADER_BYTES = 4 * 2**20


class Config(Record, frozen=True):
    """`config.json`: the parts that are neither tensors nor sections; the calibration scores are a tensor."""

    schema: Schema
    encoder: Encoder
    spec: PackSpec
    weights: tuple[float, ...]
    origins: tuple[Origin, ...]
    temperature: float
    floor: float
    num_calibration_rows: int


def save_parts(path: str | Path, parts: ModelParts) -> None:
    """Writes a model's parts as a `.glass` file, whole or not at all.

    Args:
        path: where the file will be; its folder must exist.
        parts: of the model. The same parts give the same bytes. Numbers in sections that are not finite become null.

    Raises:
        ModelFileError: the parts do not fit each other, or the file cannot be written.
    """
    source = str(path)
    check_parts(parts, source)
    config = Config(
        schema=parts.schema,
        encoder=parts.encoder,
        spec=parts.spec,
        weights=parts.weights,
        origins=parts.origins,
        temperature=parts.uncertainty.temperature,
        floor=parts.uncertainty.floor,
        num_calibration_rows=parts.uncertainty.num_rows,
    )
    jsons = {CONFIG: strict_json.encode(config)}
    for name, value in parts.sections.items():
        jsons[f"sections/{name}.json"] = strict_json.encode(value)
    for name, data in jsons.items():
        _decode(data, source, name)  # what is written can be read
    tensors: dict[str, NDArray[Any]] = {name: np.ascontiguousarray(array) for name, array in parts.tensors.items()}
    if parts.uncertainty.scores:
        tensors[SCORES] = np.asarray(parts.uncertainty.scores, dtype=np.float64)
    write_archive(Path(path), {**jsons, TENSORS: save_tensors(tensors)}, glasshouse.__version__)


def load_parts(path: str | Path) -> ModelParts:
    """Reads a `.glass` file, or the one in a run folder, and checks everything in it.

    Args:
        path: a `.glass` file or a run folder.

    Raises:
        ModelFileError: the file is not there, damaged, too new, made to harm, or its parts do not fit each other.
    """
    place = Path(path)
    try:
        inside = place / FILE_NAME
        place = inside if inside.is_file() else place
    except (OSError, ValueError) as error:
        raise broken(f"the path cannot be read: {error}", str(path), "a .glass file or a run folder",
                     "check the path") from error  # fmt: skip
    source = str(place)
    contents = read_archive(place)
    config = _config(contents[CONFIG], source)
    names = {name: match[1] for name in contents if (match := SECTION.fullmatch(name))}
    described = ModelParts(
        schema=config.schema,
        encoder=config.encoder,
        spec=config.spec,
        tensors={},
        weights=config.weights,
        origins=config.origins,
        sections={short: _decode(contents[name], source, name) for name, short in sorted(names.items())},
    )
    shapes = check_description(described, source)
    _check_header(contents[TENSORS], shapes, f"{source}, {TENSORS}")
    try:
        tensors = load_tensors(contents[TENSORS])
    except (SafetensorError, ValueError) as error:
        raise broken(f"the tensors cannot be read: {error}", f"{source}, {TENSORS}", "a safetensors file") from error
    scores = tuple(tensors.pop(SCORES, np.zeros(0)).tolist())
    check_tensors(tensors, shapes, f"{source}, {TENSORS}")
    return replace(described, tensors=tensors, uncertainty=_uncertainty(config, scores, source))


def weights_sha256(parts: ModelParts) -> str:
    """The hash of the pack's tensors alone, to tell whether two runs ended in the same weights."""
    return sha256(save_tensors({name: np.ascontiguousarray(array) for name, array in parts.tensors.items()}))


def _decode(data: bytes, source: str, name: str) -> Any:
    try:
        return strict_json.decode(data)
    except (ValueError, RecursionError) as error:
        raise broken(f"the entry is not the JSON it should be: {error}", f"{source}, {name}", "plain JSON") from error


def _config(data: bytes, source: str) -> Config:
    where = f"{source}, {CONFIG}"
    try:
        return strict_json.decode_as(data, Config)
    except (ValueError, RecursionError) as error:
        raise broken(f"the description of the model cannot be read: {error}", where, "what glasshouse wrote") from error


def _uncertainty(config: Config, scores: tuple[float, ...], source: str) -> Uncertainty:
    try:
        return Uncertainty(
            temperature=config.temperature, scores=scores, num_rows=config.num_calibration_rows, floor=config.floor
        )
    except ModelFileError as error:
        raise broken(error.problem, f"{source}, {CONFIG} and {SCORES}", error.expected) from error


def _check_header(data: bytes, shapes: Mapping[str, Shape], where: str) -> None:
    """Compares names, types, shapes and the sum of sizes with the network's before anything is allocated."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MOST_HEADER_BYTES, len(data) - 8):
        raise broken(f"the header of the tensors claims {length:,} bytes", where, "no more bytes than there are")
    try:
        header = strict_json.decode(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise broken(f"the header of the tensors cannot be read: {error}", where, "a safetensors header") from error
    if not isinstance(header, dict):
        raise broken("the header of the tensors is not an object", where, "a safetensors header")
    wanted: dict[str, tuple[str, Shape]] = {name: ("F32", tuple(shape)) for name, shape in shapes.items()}
    count = _num_scores(header.get(SCORES))
    if count:
        wanted[SCORES] = ("F64", (count,))
    if set(header) != set(wanted):
        odd = sorted(set(header) ^ set(wanted))[0]
        what = "is missing" if odd in wanted else "is not part of the network"
        raise broken(f"the tensor {odd[:80]!r} {what}", where, "the tensors that the network has")
    for name, (dtype, shape) in wanted.items():
        found = header[name] if isinstance(header[name], dict) else {}
        if found.get("dtype") != dtype or found.get("shape") != list(shape):
            told = f"{str(found.get('dtype'))[:20]} {str(found.get('shape'))[:60]}"
            raise broken(f"the tensor {name!r} is {told}", where, f"{dtype} {list(shape)}")
    size = sum(math.prod(shape) * (8 if dtype == "F64" else 4) for dtype, shape in wanted.values())
    if len(data) != 8 + length + size:
        raise broken(f"the tensors take {len(data) - 8 - length:,} bytes", where, f"{size:,} bytes")


def _num_scores(entry: object) -> int:
    """How many calibration scores the header speaks of; 0 where there are none or too many."""
    shape = entry.get("shape") if isinstance(entry, dict) else None
    if isinstance(shape, list) and len(shape) == 1 and isinstance(shape[0], int) and 0 < shape[0] <= MOST_SCORES:
        return shape[0]
    return 0
