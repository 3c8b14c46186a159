"""Every setting of a run, one frozen record a stage; `run.toml` maps one to one onto them.

A setting that is drawn per member is a number (the same for all) or a `[low, high]` range.
`None` reads "decided from the data"; what was decided is written back, so that `run.toml` of a finished run holds
no open question.
"""

from __future__ import annotations

from typing import Annotated, Literal


from glasshouse.core.records import Record

Kind = Literal["number", "category", "yesno", "datetime", "text", "identifier", "constant", "ignore"]
Effort = Literal["quick", "standard", "thorough"]
Fraction = float
Positive = float
Count = int
Range = float | tuple[float, float]  # one value for all members, or [low, high] to draw from

Activation = Literal[
    "linear", "sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "gelu_tanh", "silu", "mish",
    "softplus",
]  # fmt: skip


class ReadSettings(Record):
    """[read]: how a text file is taken apart; `auto` looks at the file."""

    header: Literal["auto", "yes", "no"] = "auto"
    separator: str = "auto"
    decimal: Literal["auto", ".", ","] = "auto"
    encoding: str = "auto"
    missing: tuple[str, ...] = ()  # codes that mean "no value", besides the usual spellings


class SplitSettings(Record):
    """[split]: which rows train, select, calibrate and judge."""

    test: Fraction | str = 0.2  # a fraction, or the path of a file that holds the test rows
    validation: Fraction = 0.15
    calibration: Fraction = 0.1
    group: str | None = None  # rows of one value of this column stay together
    time: str | None = None  # earlier rows train, later rows judge


class EncodeSettings(Record):
    """[encode]: how columns become features."""

    scaling: Literal["robust", "standard", "quantile"] | None = None
    one_hot: Count = 8  # a category with at most this many values is one-hot, else embedded
    rare: Count = 3  # a category seen in fewer training rows shares the place of the unseen


class NetworkSettings(Record):
    """[network]: what one member is made of."""

    hidden: tuple[Count, ...] | None = None  # a fixed architecture for every member, else depth and width decide
    depth: Count | tuple[Count, Count] = (1, 3)
    width: Count | None = None
    activation: Activation = "relu"
    embedding: Literal["none", "periodic", "piecewise"] | None = None  # of numeric features
    embedding_size: Count | None = None
    dropout: Range | None = None
    normalisation: Literal["none", "layer", "batch"] = "none"
    skip: bool = False
    initialisation: Literal["torch", "xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "lecun_normal",
                            "orthogonal", "normal", "zeros"] = "torch"  # fmt: skip


class PackSettings(Record):
    """[pack]: how many networks train side by side, and how many snapshots predict."""

    members: Count | None = None
    ensemble: Count = 16  # most snapshots in the ensemble
    selection: Literal["greedy", "best", "all"] = "greedy"


class TrainingSettings(Record):
    """[training]: the loop."""

    loss: Literal["mse", "l1", "huber", "bce", "cross_entropy"] | None = None
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Fraction = 0.0
    epochs: Count | None = None
    batch_size: Count | None = None
    patience: int | None = None  # epochs without a better validation loss before a member stops; 0 never stops
    clip_norm: Positive | None = None  # of each member's whole gradient


class OptimiserSettings(Record):
    """[optimiser]: how the gradient becomes an update."""

    name: Literal["sgd", "adam", "adamw", "rmsprop"] | None = None
    learning_rate: Range | None = None
    weight_decay: Range | None = None
    momentum: Fraction = 0.0  # sgd and rmsprop
    schedule: Literal["constant", "step", "multistep", "exponential", "plateau", "cosine", "flat_cosine"] | None = None
    factor: Fraction = 0.1  # step, multistep, plateau: the rate is multiplied by this; exponential: over the whole run
    milestones: tuple[Fraction, ...] = (0.5, 0.75)  # multistep: as fractions of the run
    every: Count = 10  # step: epochs between drops; plateau: epochs without improvement before a drop


class RunSettings(Record):
    """[run]: how long, how reproducible, on what."""

    effort: Effort = "standard"
    seconds: Positive | None = None
    seed: int = 0
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: Count | None = None


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
