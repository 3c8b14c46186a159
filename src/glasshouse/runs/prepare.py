"""The first stages of a run: read, look, check, split, encode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from glasshouse.core.errors import SettingsError, nearest
from glasshouse.core.options import build_settings
from glasshouse.core.records import AnyEvent, Stage
from glasshouse.core.seeds import derive_seed
from glasshouse.core.settings import Kind, Settings
from glasshouse.data import (
    Encoder,
    Features,
    Finding,
    Frame,
    Schema,
    Split,
    append,
    encode,
    encode_target,
    fit_encoder,
    infer_schema,
    read,
    split_rows,
)
from glasshouse.data import check as check_table
from glasshouse.data.fingerprints import row_hashes
from glasshouse.data.folds import assign_folds
from glasshouse.data.split import decide_fractions
from glasshouse.training.plan import decide_folds, is_textbook

Watch = Callable[[Any], None]
MEMORY = "a table in memory"
FEWEST_TO_CALIBRATE = 20  # different rows; an interval of 90 % needs nine that did not train


@dataclass(frozen=True)
class CheckResult:
    """What `check` found, before any training."""

    schema: Schema
    findings: tuple[Finding, ...]
    num_rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Prepared:
    """A table ready to learn from."""

    settings: Settings
    frame: Frame
    schema: Schema
    split: Split
    findings: tuple[Finding, ...]
    folds: np.ndarray | None  # (train and validation rows,) which fold each is in; None where validation rows judge
    encoder: Encoder
    features: Features  # of all rows
    target: np.ndarray  # (rows,) of all rows, in the target's unit or as class codes
    weights: np.ndarray | None = None  # (rows,) how much each row counts in the losses; None where all count the same

    @property
    def scaled_target(self) -> np.ndarray:
        """The target as the network learns it: class codes, or deviations from the training mean."""
        if self.target.dtype == np.int64:
            return self.target
        return (self.target - self.encoder.target_center) / self.encoder.target_scale


def settings_for(source: object, target: str, options: Mapping[str, Any]) -> Settings:
    """The settings of a run, from keyword arguments with the command line's words and dotted names.

    Args:
        source: a path keeps its place, so that the run can be repeated; anything else is a table in memory.
        target: the column to predict.
        options: effort, seconds, seed, test, group, time; and `settings`, a mapping of dotted names.

    Raises:
        SettingsError: an unknown name or a value that cannot be.
    """
    name = _place(source) if isinstance(source, str | Path) else MEMORY
    words = {"effort": "run.effort", "seconds": "run.seconds", "seed": "run.seed", "test": "split.test",
             "group": "split.group", "time": "split.time"}  # fmt: skip
    known = [*words, "out", "settings"]
    for word in options:
        if word not in known:
            near = nearest(word, known)
            raise SettingsError(f"{word!r} is not an option", where=word, expected=f"one of {', '.join(known)}",
                                fix=f"{near}=..." if near else 'settings={"NAME.OF.IT": ...}')  # fmt: skip
    given = {words[word]: options[word] for word in words if options.get(word) is not None}
    if isinstance(given.get("split.test"), str | Path):
        given["split.test"] = _place(given["split.test"])
    return build_settings({"source": name, "target": target, **given, **(options.get("settings") or {})}, "settings")


def check(source: object, *, target: str, **options: Any) -> CheckResult:
    """Looks at a table and says what would go wrong, or mislead, before any training.

    Args:
        source: anything that `glasshouse.read` takes.
        target: the column to predict.
        options: as for `train`; only those that concern the data matter.

    Raises:
        DataError: the table cannot be read, or cannot answer the question.
        SettingsError: an option is wrong.
    """
    settings = settings_for(source, target, options)
    frame, schema, num_test = _read(source, settings)
    split = split_rows(frame, schema, settings.split, derive_seed(settings.run.seed, "split"), num_test)
    return CheckResult(schema, check_table(frame, schema, split), frame.num_rows, _notes(frame, schema))


def prepare(
    source: object, settings: Settings, watch: Watch, *, judged: bool = True, weights: np.ndarray | None = None
) -> Prepared:
    """Reads, looks, checks, splits and encodes; every stage is announced to `watch` with what came of it.

    Args:
        source: the table.
        settings: as asked for.
        watch: called with every stage.
        judged: whether rows are kept to test on; if not, nobody asks for findings either, and the rows go in an order
            of their own, so that the same rows in another order come out the same.
        weights: (rows,) how much each row counts in the losses.

    Raises:
        DataError: the table cannot be read, or cannot answer the question.
    """
    watch(Stage(stage="read", detail=settings.source))
    frame, schema, num_test = _read(source, settings)
    watch(
        Stage(
            stage="check",
            detail=f"{frame.num_rows:,} rows, {len(schema.columns)} columns, {len(schema.used)} of them used",
        )
    )
    if not judged:
        frame, settings, weights = _in_own_order(frame, schema, settings, weights)
    settings = _decide_parts(settings, frame.num_rows - num_test, tested=judged)
    seed = derive_seed(settings.run.seed, "split")
    split = split_rows(frame, schema, settings.split, seed, num_test, tested=judged)
    findings = check_table(frame, schema, split) if judged else ()
    sizes = {part: len(getattr(split, part)) for part in ("train", "validation", "calibration", "test")}
    counts = ", ".join(f"{size:,} {part}" for part, size in sizes.items() if size)
    watch(Stage(stage="split", detail=f"{counts} ({split.method})"))
    scaling = settings.encode.scaling or ("standard" if is_textbook(settings) else "robust")
    settings = msgspec.structs.replace(
        settings, encode=msgspec.structs.replace(settings.encode, scaling=scaling), read=frame.settings
    )
    known, target = split.known, encode_target(frame, schema)
    num_folds, folds = settings.pack.folds or 1, None
    if num_folds > 1:
        seed = derive_seed(settings.run.seed, "folds")
        folds = assign_folds(target[known], split.units[known], num_folds, seed)
        # As many as there are different rows or groups: a network that leaves nothing out would never be judged.
        num_folds = int(folds.max()) + 1
        folds = folds if num_folds > 1 else None
        settings = msgspec.structs.replace(settings, pack=msgspec.structs.replace(settings.pack, folds=num_folds))
    # With folds every one of these rows trains some of the networks.
    encoder = fit_encoder(frame, schema, split.train if folds is None else known, settings.encode)
    features = encode(frame, schema, encoder)
    made = f"{encoder.num_numbers} numbers, {encoder.num_flags} flags, {len(encoder.cardinalities)} categories"
    watch(Stage(stage="encode", detail=made))
    frame = replace(frame, notes=_notes(frame, schema))
    return Prepared(settings, frame, schema, split, findings, folds, encoder, features, target, weights)


def _decide_parts(settings: Settings, num_rows: int, *, tested: bool) -> Settings:
    """The shares of the parts and the folds; with folds the rows that a network has not seen calibrate it too."""
    split = decide_fractions(settings.split, num_rows)
    test = split.test if tested and isinstance(split.test, float) else 0.0
    kept = test + (settings.split.calibration or 0.0)  # with folds none is held back to calibrate unless asked for
    folded = decide_folds(settings, round(num_rows * (1 - kept)))
    if (folded.pack.folds or 1) > 1 and settings.split.calibration is None:
        split = msgspec.structs.replace(split, calibration=0.0)
    return msgspec.structs.replace(folded, split=split)


def _in_own_order(
    frame: Frame, schema: Schema, settings: Settings, weights: np.ndarray | None
) -> tuple[Frame, Settings, np.ndarray | None]:
    """The rows sorted by what they hold; where few of them differ, none is held back to calibrate."""
    hashes = row_hashes(frame, schema)
    order = np.argsort(hashes, kind="stable")
    if settings.split.calibration is None and len(np.unique(hashes)) < FEWEST_TO_CALIBRATE:
        settings = msgspec.structs.replace(settings, split=msgspec.structs.replace(settings.split, calibration=0.0))
    return frame.take(order), settings, None if weights is None else weights[order]


def _read(source: object, settings: Settings) -> tuple[Frame, Schema, int]:
    frame = read(source, settings.read)
    kinds: dict[str, Kind] = dict(settings.columns)
    group = settings.split.group
    if group == settings.target:
        raise SettingsError(f'column "{group}" cannot be group and target at once', where="--group",
                            expected="another column than the target", fix="leave out --group")  # fmt: skip
    if group in frame.table.columns:
        # Which group a row is of says nothing about rows of other groups, and those are what the test asks for.
        kinds.setdefault(group, "ignore")
    schema = infer_schema(frame, settings.target, kinds)
    if not isinstance(settings.split.test, str):
        return frame, schema, 0
    other = read(settings.split.test, settings.read)
    return append(frame, other, schema), schema, other.num_rows


def _notes(frame: Frame, schema: Schema) -> tuple[str, ...]:
    """What was noticed while reading, and what is loudly not used."""
    loud = [column for column in schema.columns if not column.used and column.kind == "text"]
    left_out = f"free text is left out for now: {', '.join(column.name for column in loud)}" if loud else ""
    target = schema.target.note if schema.target is not None else ""
    return tuple(dict.fromkeys(note for note in (*frame.notes, left_out, target) if note))


def _place(source: str | Path) -> str:
    text = str(source)
    return text if text.startswith("example:") else str(Path(text).expanduser().absolute())


def ignore(event: AnyEvent) -> None:
    """A watcher that looks away."""
