"""Every setting of a run, one frozen record a stage; `run.toml` maps one to one onto them.

A setting that is drawn per member is a number (the same for all) or a `[low, high]` range.
`None` reads "decided from the data"; what was decided is written back, so that `run.toml` of a finished run holds
no open question.
"""

from __future__ import annotations

from typing import Any, Literal

from glasshouse.core.errors import SettingsError
from glasshouse.core.records import Record

Kind = Literal["number", "category", "yesno", "datetime", "text", "identifier", "constant", "ignore"]
Effort = Literal["quick", "standard", "thorough"]
Fraction = float  # in [0, 1)
Positive = float  # above 0
Count = int  # 1 or more
Range = float | tuple[float, float]  # one value for all members, or [low, high] to draw from

Activation = Literal[
    "linear", "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish",
    "softplus",
]  # fmt: skip


def _require(ok: bool, name: str, value: Any, expected: str) -> None:
    if not ok:
        shown = list(value) if isinstance(value, tuple) else value
        raise SettingsError(f"{name} cannot be {shown}", where=name, expected=expected)


def _fraction(name: str, value: float) -> None:
    _require(0 <= value < 1, name, value, "a fraction of at least 0 and below 1")


def _range(name: str, value: Range | None, least: float, most: float) -> None:
    if value is None:
        return
    low, high = value if isinstance(value, tuple) else (value, value)
    _require(least <= low <= high <= most, name, value, f"a number or [low, high] between {least:g} and {most:g}")


class ReadSettings(Record):
    """[read]: how a text file is taken apart; `auto` looks at the file."""

    header: Literal["auto", "yes", "no"] = "auto"
    separator: str = "auto"
    decimal: Literal["auto", ".", ","] = "auto"
    encoding: str = "auto"
    missing: tuple[str, ...] = ()  # codes that mean "no value", besides the usual spellings

    def __post_init__(self) -> None:
        _require(bool(self.separator), "read.separator", self.separator, "auto, or the sign between two cells")


class SplitSettings(Record):
    """[split]: which rows train, select, calibrate and judge."""

    test: Fraction | str = 0.2  # a fraction, or the path of a file that holds the test rows
    validation: Fraction | None = None
    calibration: Fraction | None = None
    group: str | None = None  # rows of one value of this column stay together
    time: str | None = None  # earlier rows train, later rows judge

    def __post_init__(self) -> None:
        for name in ("validation", "calibration"):
            _fraction(f"split.{name}", getattr(self, name) or 0.0)
        if isinstance(self.test, float):
            _require(0 < self.test < 1, "split.test", self.test, "a fraction between 0 and 1, or the path of a file")
            total = self.test + (self.validation or 0.0) + (self.calibration or 0.0)
            _require(total < 0.95, "split", total, "fractions that leave at least 5 % of the rows to train on")
        _require(
            self.validation is None or self.validation > 0,
            "split.validation",
            self.validation,
            "a fraction above 0: it chooses among the networks",
        )


class EncodeSettings(Record):
    """[encode]: how columns become features."""

    scaling: Literal["robust", "standard", "quantile"] | None = None
    one_hot: Count = 8  # a category with at most this many values is one-hot, else embedded
    rare: Count = 3  # a category seen in fewer training rows shares the place of the unseen

    def __post_init__(self) -> None:
        _require(self.one_hot >= 0, "encode.one_hot", self.one_hot, "0 or more")
        _require(self.rare >= 1, "encode.rare", self.rare, "1 or more")


class NetworkSettings(Record):
    """[network]: what one member is made of."""

    hidden: tuple[Count, ...] | None = None  # a fixed architecture for every member, else depth and width decide
    depth: Count | tuple[Count, Count] = (1, 3)
    width: Count | None = None
    activation: Activation = "relu"
    embedding: Literal["none", "periodic", "piecewise", "mixed"] | None = None  # of numeric features
    embedding_size: Count | None = None
    dropout: Range | None = None
    normalisation: Literal["none", "layer", "batch"] | None = None
    skip: bool | None = None  # a way around every hidden layer that is as wide as the one before
    initialisation: Literal["torch", "xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "lecun_normal",
                            "orthogonal", "normal", "zeros"] = "torch"  # fmt: skip

    def __post_init__(self) -> None:
        _require(
            min(self.hidden or (1,)) >= 1 and len(self.hidden or ()) <= 64,
            "network.hidden",
            self.hidden,
            "up to 64 widths of 1 or more",
        )
        depths = (self.depth, self.depth) if isinstance(self.depth, int) else self.depth
        _require(1 <= depths[0] <= depths[1] <= 64, "network.depth", self.depth, "1 to 64, or [fewest, most]")
        _require(self.width is None or self.width >= 1, "network.width", self.width, "1 or more")
        _require(
            self.embedding_size is None or self.embedding_size >= 1,
            "network.embedding_size",
            self.embedding_size,
            "1 or more",
        )
        _range("network.dropout", self.dropout, 0.0, 0.95)


class PackSettings(Record):
    """[pack]: how many networks train side by side, and how many snapshots predict."""

    members: Count | None = None
    ensemble: Count = 16  # most snapshots in the ensemble
    selection: Literal["greedy", "best", "all"] = "greedy"
    folds: Count | None = None  # networks a member consists of, each trained without another part of the rows
    halvings: int | None = None  # how often the worse half of the members is dropped, so that the others train longer

    def __post_init__(self) -> None:
        _require(self.members is None or 1 <= self.members <= 4096, "pack.members", self.members, "1 to 4096")
        _require(1 <= (self.folds or 1) <= 20 and self.folds != 0, "pack.folds", self.folds, "1 to 20")
        _require(1 <= self.ensemble <= 1000, "pack.ensemble", self.ensemble, "1 to 1000")
        _require(0 <= (self.halvings or 0) <= 3, "pack.halvings", self.halvings, "0 to 3")


class TrainingSettings(Record):
    """[training]: the loop."""

    loss: Literal["mse", "l1", "huber", "bce", "cross_entropy"] | None = None
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Fraction = 0.0
    epochs: Count | None = None
    batch_size: Count | None = None
    patience: int | None = None  # epochs without a better validation loss before a member stops; 0 never stops
    clip_norm: Positive | None = None  # of each member's whole gradient

    def __post_init__(self) -> None:
        _fraction("training.label_smoothing", self.label_smoothing)
        for name in ("epochs", "batch_size"):
            _require(
                (getattr(self, name) or 1) >= 1 and getattr(self, name) != 0,
                f"training.{name}",
                getattr(self, name),
                "1 or more",
            )
        _require((self.patience or 0) >= 0, "training.patience", self.patience, "0 (never stops) or more")
        _require(self.clip_norm is None or self.clip_norm > 0, "training.clip_norm", self.clip_norm, "a length above 0")


class OptimiserSettings(Record):
    """[optimiser]: how the gradient becomes an update."""

    # "muon" moves the layers' matrices, and adamw the rest; "mixed": some members by it, the others by adamw alone
    name: Literal["sgd", "adam", "adamw", "rmsprop", "muon", "mixed"] | None = None
    learning_rate: Range | None = None
    weight_decay: Range | None = None
    momentum: Fraction = 0.0  # sgd and rmsprop
    schedule: Literal["constant", "step", "multistep", "exponential", "plateau", "cosine", "flat_cosine"] | None = None
    factor: Fraction = 0.1  # step, multistep, plateau: the rate is multiplied by this; exponential: over the whole run
    milestones: tuple[Fraction, ...] = (0.5, 0.75)  # multistep: as fractions of the run
    every: Count = 10  # step: epochs between drops; plateau: epochs without improvement before a drop

    def __post_init__(self) -> None:
        _range("optimiser.learning_rate", self.learning_rate, 1e-9, 1e3)
        # A range is drawn from on a logarithmic scale, on which there is no 0.
        least = 1e-12 if isinstance(self.weight_decay, tuple) else 0.0
        _range("optimiser.weight_decay", self.weight_decay, least, 1e3)
        _fraction("optimiser.momentum", self.momentum)
        _require(0 < self.factor < 1, "optimiser.factor", self.factor, "a number between 0 and 1")
        _require(self.every >= 1, "optimiser.every", self.every, "1 or more")
        for milestone in self.milestones:
            _fraction("optimiser.milestones", milestone)


class RunSettings(Record):
    """[run]: how long, how reproducible, on what."""

    effort: Effort = "standard"
    seconds: Positive | None = None
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: Count | None = None
    pace: tuple[tuple[int, int], ...] = ()  # (from step, total steps): what the clock decided, so that a run repeats

    def __post_init__(self) -> None:
        _require(self.seconds is None or self.seconds > 0, "run.seconds", self.seconds, "a number of seconds above 0")
        _require(0 <= self.seed < 2**63, "run.seed", self.seed, "a whole number from 0 up")
        _require(1 <= (self.threads or 1) <= 1024 and self.threads != 0, "run.threads", self.threads, "1 to 1024")


class Settings(Record):
    """Everything that decides a run."""

    source: str
    target: str
    columns: dict[str, Kind] = {}
    read: ReadSettings = ReadSettings()
    split: SplitSettings = SplitSettings()
    encode: EncodeSettings = EncodeSettings()
    network: NetworkSettings = NetworkSettings()
    pack: PackSettings = PackSettings()
    training: TrainingSettings = TrainingSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    run: RunSettings = RunSettings()
