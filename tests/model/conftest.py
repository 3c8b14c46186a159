"""Small untrained models of every task, and a forge for `.glass` files that lie."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from glasshouse.core.files import sha256
from glasshouse.core.settings import EncodeSettings
from glasshouse.data import fit_encoder, infer_schema, read
from glasshouse.model import ModelParts, Origin, Uncertainty, save_parts
from glasshouse.network.spec import FeatureSpec, PackSpec, tensor_shapes

NUM_ROWS = 240
TARGETS = {"regression": "price", "binary": "sold", "multiclass": "quarter"}


def make_table(num_rows: int = NUM_ROWS, seed: int = 0) -> pl.DataFrame:
    """Houses: two numbers, a column with many values, and a target of every task."""
    draw = np.random.default_rng(seed)
    area = draw.normal(100, 30, num_rows)
    return pl.DataFrame(
        {
            "area": area,
            "garden": draw.normal(0, 1, num_rows),
            "street": [f"street {number}" for number in draw.integers(0, 20, num_rows)],
            "price": area * 3 + draw.normal(0, 10, num_rows),
            "sold": draw.choice(["no", "maybe"], num_rows).tolist(),
            "quarter": draw.choice(["north", "south", "west"], num_rows).tolist(),
        }
    )


def make_parts(task: str = "regression", depths: tuple[int, ...] = (2, 1, 1), outputs: int | None = None) -> ModelParts:
    target = TARGETS[task]
    frame = read(make_table().drop([name for name in TARGETS.values() if name != target]))
    schema = infer_schema(frame, target)
    assert schema.target is not None
    assert schema.target.task == task
    encoder = fit_encoder(frame, schema, np.arange(frame.num_rows), EncodeSettings())
    num_outputs = outputs or (len(schema.target.classes) if task == "multiclass" else 1)
    features = FeatureSpec(
        num_numbers=encoder.num_numbers, num_flags=encoder.num_flags, cardinalities=tuple(encoder.cardinalities)
    )
    spec = PackSpec(features=features, outputs=num_outputs, hidden=(8, 8)[: max(depths)], depths=depths)
    draw = np.random.default_rng(1)
    tensors = {name: draw.normal(0, 0.4, shape).astype(np.float32) for name, shape in tensor_shapes(spec).items()}
    scores = tuple(np.sort(draw.uniform(0, 1, 50)).tolist())
    members = len(depths)
    return ModelParts(
        schema=schema,
        encoder=encoder,
        spec=spec,
        tensors=tensors,
        weights=tuple((np.arange(members) + 1.0) / (members * (members + 1) / 2)),
        origins=tuple(Origin(member=number, epoch=5) for number in range(members)),
        uncertainty=Uncertainty(
            temperature=1.0 if task == "regression" else 1.3, scores=scores, num_rows=50, floor=0.5
        ),
        sections={"metrics": {"task": task, "rows": [1, 2.5, None]}},
    )


@dataclass(frozen=True)
class Forged:
    """A `.glass` file taken apart, changed, and put together again with honest hashes unless told otherwise."""

    entries: Mapping[str, bytes]
    compression: int = zipfile.ZIP_STORED
    modes: Mapping[str, int] = field(default_factory=dict)
    rehash: bool = True

    @classmethod
    def of(cls, path: Path) -> Forged:
        with zipfile.ZipFile(path) as archive:
            return cls({name: archive.read(name) for name in archive.namelist()})

    def put(self, name: str, data: bytes) -> Forged:
        return replace(self, entries={**self.entries, name: data})

    def drop(self, name: str) -> Forged:
        return replace(self, entries={key: data for key, data in self.entries.items() if key != name})

    def edit(self, name: str, change: Callable[[Any], None]) -> Forged:
        value = json.loads(self.entries[name])
        change(value)
        return self.put(name, json.dumps(value).encode())

    def write(self, path: Path) -> Path:
        entries = dict(self.entries)
        if self.rehash and "manifest.json" in entries:
            manifest = json.loads(entries["manifest.json"])
            manifest["entries"] = {
                name: {"size_bytes": len(data), "sha256": sha256(data)}
                for name, data in entries.items()
                if name != "manifest.json"
            }
            entries["manifest.json"] = json.dumps(manifest).encode()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", self.compression) as archive:
            for name, data in entries.items():
                info = zipfile.ZipInfo(name)
                info.compress_type = self.compression
                info.external_attr = self.modes.get(name, stat.S_IFREG | 0o644) << 16
                archive.writestr(info, data)
        path.write_bytes(buffer.getvalue())
        return path


@pytest.fixture
def parts_of() -> Callable[..., ModelParts]:
    return make_parts


@pytest.fixture
def houses() -> pl.DataFrame:
    return make_table(30, seed=9)


@pytest.fixture
def glass(tmp_path: Path) -> Path:
    path = tmp_path / "houses.glass"
    save_parts(path, make_parts())
    return path


@pytest.fixture
def forged(glass: Path) -> Forged:
    return Forged.of(glass)


@pytest.fixture
def forge() -> type[Forged]:
    return Forged
