"""The model that a user holds: rows in, predictions out, by one path for everybody who asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glasshouse.core.errors import SettingsError
from glasshouse.core.records import Task
from glasshouse.data import Features, Frame, align, encode, read
from glasshouse.model.archive import broken
from glasshouse.model.checks import check_parts
from glasshouse.model.file import load_parts, save_parts
from glasshouse.model.parts import ModelParts
from glasshouse.model.uncertainty import apply_temperature, interval, label_sets
from glasshouse.network.pack import Pack, build
from glasshouse.network.single import to_sequential

MEMORY_NAME = "model in memory"
_CHUNK_NUMBERS = 4_000_000  # float64 activations of one layer at a time, 32 MB
_CHUNK_ROWS = (16, 8192)


@dataclass(frozen=True)
class Prediction:
    """What the ensemble says of some rows, before anything is rounded to a label.

    Args:
        outputs: regression (rows,) in the target's unit; classification (rows, classes) calibrated probabilities.
        spread: (rows,) standard deviation between the ensemble's entries in the target's unit; 0 for classes. Where
            members are folds it is that between the entries of the same fold, because it is this that was seen on
            rows that none of them had learnt from; 0, and so an interval of one width for all, where a fold has one.
    """

    outputs: NDArray[np.float64]
    spread: NDArray[np.float64]


class Model:
    """A trained ensemble together with everything it needs to predict new rows.

    `data` is anything that `glasshouse.read` takes (a path, a data frame, a mapping of columns) or a `Frame`.
    Columns are found by name; extra ones are ignored.

    Args:
        parts: of the model, from training or from a file.

    Attributes:
        parts: what the model was made from.
        schema: the user's columns and the target.
        task: regression, binary or multiclass.
        classes: the labels in the order of the probabilities; empty for regression.
        num_members: entries of the ensemble.
        sections: named JSON values that travel along: metrics, settings, manifest.

    Raises:
        ModelFileError: the parts do not fit each other.
        NetworkError: the network cannot be built.
    """

    def __init__(self, parts: ModelParts) -> None:
        check_parts(parts, MEMORY_NAME)
        self.parts = parts
        self.schema = parts.schema
        self.task: Task = parts.target.task
        self.classes = parts.target.classes
        self.num_members = len(parts.weights)
        self.sections = dict(parts.sections)
        self._pack = _build(parts)
        self._folds = _folds(parts)  # (folds, members) each entry's share of its fold

    def predict(self, data: object) -> NDArray[Any]:
        """Predicts the target of each row.

        Args:
            data: the rows.

        Returns:
            (rows,) values in the target's unit, or labels as text.

        Raises:
            DataError: the rows cannot be read, or a column that the model needs is missing.
        """
        outputs = self.outputs(data).outputs
        if self.task == "regression":
            return outputs
        labels: NDArray[Any] = np.asarray(self.classes, dtype=np.str_)[outputs.argmax(axis=1)]
        return labels

    def predict_probabilities(self, data: object) -> NDArray[np.float64]:
        """Predicts how likely each class is.

        Args:
            data: the rows.

        Returns:
            (rows, classes), columns in the order of `classes`, every row sums to 1.

        Raises:
            SettingsError: the model predicts a number.
            DataError: the rows cannot be read, or a column that the model needs is missing.
        """
        if self.task == "regression":
            raise SettingsError(f'"{self.parts.target.name}" is a number: it has no class probabilities',
                                where="predict_probabilities", expected="a model of classes",
                                fix="model.predict_interval(data)")  # fmt: skip
        return self.outputs(data).outputs

    def predict_interval(self, data: object, confidence: float = 0.9) -> NDArray[Any]:
        """Predicts a range, or a set of labels, that holds the truth as often as promised.

        Args:
            data: the rows.
            confidence: the promised share of rows, between 0 and 1.

        Returns:
            Regression: (rows, 2), lower and upper bound in the target's unit; infinite where the calibration rows
            are too few for the promise. Classes: (rows, classes), True for the labels in the set.

        Raises:
            SettingsError: the confidence is no fraction, or the model was not calibrated.
            DataError: the rows cannot be read, or a column that the model needs is missing.
        """
        uncertainty = self.parts.uncertainty
        if not uncertainty.scores:
            raise SettingsError("the model has no calibration scores", where="predict_interval",
                                expected="a model that was trained with calibration rows",
                                fix="train with --set split.calibration=0.1")  # fmt: skip
        prediction = self.outputs(data)
        if self.task == "regression":
            return interval(prediction.outputs, prediction.spread, uncertainty, confidence)
        return label_sets(prediction.outputs, uncertainty, confidence)

    def outputs(self, data: object) -> Prediction:
        """The one prediction path: what evaluation, explanation and every `predict` work with.

        One row alone, in a table, or in another process gives the same numbers to 1e-6, because the products are
        done in float64: in float32 they depend on how many rows are multiplied at once.

        Args:
            data: the rows.

        Raises:
            DataError: the rows cannot be read, or a column that the model needs is missing.
            ModelFileError: the network's answers are not finite numbers.
        """
        frame = data if isinstance(data, Frame) else read(data, self.schema.read_settings)
        features = encode(align(frame, self.schema), self.schema, self.parts.encoder)
        _check_categories(features, self.parts.spec.features.cardinalities)
        rows = _rows_at_once(self.parts)
        pieces = [self._forward(features, start, start + rows) for start in range(0, max(features.num_rows, 1), rows)]
        outputs = np.concatenate([piece.outputs for piece in pieces])
        spread = np.concatenate([piece.spread for piece in pieces])
        if not np.isfinite(outputs).all():
            raise broken("the network's answers are not finite numbers", MEMORY_NAME, "weights of a trained network")
        if self.task != "regression":
            outputs = apply_temperature(outputs, self.parts.uncertainty.temperature)
        return Prediction(outputs=outputs, spread=spread)

    def member(self, position: int) -> torch.nn.Sequential:
        """Takes one network out of the ensemble, as ordinary torch layers with copies of its weights.

        It reads what `data.encode` gives, side by side in one float tensor (rows, numbers | flags | category codes),
        and answers with (rows, outputs): logits, or the target in standard deviations from its mean.

        Args:
            position: its place in the ensemble, from 0.

        Raises:
            SettingsError: there is no such place.
        """
        if not 0 <= position < self.num_members:
            raise SettingsError(f"there is no member {position}", where="model.member",
                                expected=f"0 to {self.num_members - 1}", fix="model.member(0)")  # fmt: skip
        # From the weights as trained: the pack in here is float64 for steady sums.
        with _undisturbed():
            return to_sequential(_build(self.parts, torch.float32), position)

    def save(self, path: str | Path) -> None:
        """Writes the model as a `.glass` file, whole or not at all.

        Args:
            path: where the file will be; its folder must exist.

        Raises:
            ModelFileError: the file cannot be written.
        """
        save_parts(path, self.parts)

    def summary(self) -> str:
        """Says in a few lines what the model predicts, from what, and with which networks."""
        parts, target, features = self.parts, self.parts.target, self.parts.spec.features
        used = [column.name for column in self.schema.columns if column.used]
        answer = f"one of {', '.join(_few(self.classes))}" if self.classes else "a number"
        numbers = sum(array.size for array in parts.tensors.values())
        layers = [", ".join(str(width) for width in parts.spec.hidden[:depth]) or "none" for depth in parts.spec.depths]
        uncertainty = parts.uncertainty
        calibrated = f"{uncertainty.num_rows:,} rows, temperature {uncertainty.temperature:.3g}"
        lines = [
            f'{self.task} model of "{target.name}" ({answer})',
            f"  columns:      {len(used)} used ({', '.join(_few(used))})",
            f"  features:     {features.num_numbers} numbers, {features.num_flags} flags, "
            f"{len(features.cardinalities)} categories",
            f"  networks:     {self.num_members}, {numbers:,} parameters",
            f"  hidden units: {'; '.join(_few(list(dict.fromkeys(layers))))}",
            f"  calibration:  {calibrated if uncertainty.scores else 'none'}",
        ]
        return "\n".join(lines)

    def _forward(self, features: Features, start: int, stop: int) -> Prediction:
        """Weighted mean over the members for a slice of the rows."""
        numbers = torch.from_numpy(features.numbers[start:stop].astype(np.float64))  # (rows, numbers)
        flags = torch.from_numpy(features.flags[start:stop].astype(np.float64))  # (rows, flags)
        categories = torch.from_numpy(features.categories[start:stop].astype(np.int64))  # (rows, categories)
        with torch.inference_mode():
            raw = self._pack.predict(numbers, flags, categories)  # (members, rows, outputs)
            weights = torch.tensor(self.parts.weights, dtype=torch.float64)
            if self.task == "regression":
                values = raw[..., 0]  # (members, rows), in deviations of the target
                mean = weights @ values
                centers = self._folds @ values  # (folds, rows)
                variance = weights @ (values - centers[self._folds.argmax(0)]).square()
                encoder = self.parts.encoder
                outputs = mean * encoder.target_scale + encoder.target_center
                return Prediction(outputs=outputs.numpy(), spread=(variance.sqrt() * encoder.target_scale).numpy())
            if raw.shape[-1] == 1:
                likely = torch.cat([torch.sigmoid(-raw), torch.sigmoid(raw)], dim=-1)
            else:
                likely = torch.softmax(raw, dim=-1)
            outputs = torch.einsum("m,mrc->rc", weights, likely)
            # Weights sum to 1 only as nearly as they were written; the probabilities then do so exactly enough.
            outputs = outputs / outputs.sum(dim=-1, keepdim=True)
            return Prediction(outputs=outputs.numpy(), spread=np.zeros(len(outputs)))


def load(path: str | Path) -> Model:
    """Opens a `.glass` file, or the one in a run folder. Nothing in it is ever executed.

    Args:
        path: a `.glass` file or a run folder.

    Raises:
        ModelFileError: the file is not there, damaged, too new or made to harm.
    """
    return Model(load_parts(path))


def _build(parts: ModelParts, dtype: torch.dtype = torch.float64) -> Pack:
    with _undisturbed():
        pack = build(parts.spec)
        pack.load_tensors({name: torch.tensor(array) for name, array in parts.tensors.items()})
    pack.requires_grad_(False)
    return pack.to(dtype).eval()


def _folds(parts: ModelParts) -> torch.Tensor:
    """(folds, members) each entry's share of its fold: a member's networks of one epoch stand there once a fold."""
    seen: Counter[object] = Counter()
    shares = torch.zeros(max(Counter(parts.origins).values()), len(parts.weights), dtype=torch.float64)
    for place, (origin, weight) in enumerate(zip(parts.origins, parts.weights, strict=True)):
        shares[seen[origin], place] = weight
        seen[origin] += 1
    return shares / shares.sum(1, keepdim=True).clamp_min(1e-300)  # a fold that weighs nothing says nothing


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Modules that are built in here take nothing from the caller's random numbers and default device or type."""
    dtype = torch.get_default_dtype()
    with torch.device("cpu"), torch.random.fork_rng(devices=[]):
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def _rows_at_once(parts: ModelParts) -> int:
    """So many rows that one layer's activations of all members stay small."""
    spec = parts.spec
    widest = max(spec.in_features, *spec.hidden, spec.outputs)
    low, high = _CHUNK_ROWS
    return min(max(_CHUNK_NUMBERS // (widest * len(spec.depths)), low), high)


def _check_categories(features: Features, cardinalities: tuple[int, ...]) -> None:
    """A code beyond an embedding's table would read past its end."""
    if features.categories.size and cardinalities:
        least, most = int(features.categories.min()), features.categories.max(axis=0)
        if least < 0 or (most >= np.asarray(cardinalities)).any():
            raise broken(f"the encoder gives category code {max(int(most.max()), -least)}", MEMORY_NAME,
                         f"codes below {max(cardinalities)}")  # fmt: skip


def _few(names: tuple[str, ...] | list[str], most: int = 4) -> list[str]:
    return [*names[:most], *([f"and {len(names) - most} more"] if len(names) > most else [])]
