"""From wishes to a plan: every open question of the settings decided from the data, and the members drawn.

`quick`, `standard` and `thorough` are lengths in steps, not in seconds: what one step costs is estimated from the
sizes alone, so that the same command does the same work on every machine and repeats to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import msgspec
import numpy as np
import torch

from glasshouse.core.errors import SettingsError
from glasshouse.core.records import MemberInfo, Task
from glasshouse.core.seeds import derive_seed
from glasshouse.core.settings import Effort, Range, Settings
from glasshouse.data.batches import steps_per_epoch
from glasshouse.network.pack import count_pieces
from glasshouse.network.spec import FeatureSpec, PackSpec
from glasshouse.training.devices import device_of
from glasshouse.training.losses import default_loss
from glasshouse.training.muon import turning_operations
from glasshouse.training.optimiser import DECOUPLED, WITH_MUON


@dataclass(frozen=True)
class Dial:
    """What one word of effort stands for."""

    members: int
    folded: int  # members where each is several networks (folds), beyond SMALL rows
    most_folded: int  # most rows for which members are folds, in proportion where another time is asked for
    width: int
    pieces: int  # of all numbers together
    most_epochs: int
    seconds: float  # of training on the reference machine (2 cores) that the number of epochs is fitted to


MOST_FOLDED = 50_000  # rows beyond which a few thousand choose as well as all
DIALS: dict[Effort, Dial] = {
    "quick": Dial(members=16, folded=8, most_folded=10_000, width=128, pieces=512, most_epochs=96, seconds=24),
    "standard": Dial(members=32, folded=8, most_folded=50_000, width=192, pieces=1024, most_epochs=192, seconds=100),
    "thorough": Dial(members=64, folded=16, most_folded=50_000, width=256, pieces=2048, most_epochs=320, seconds=800),
}
FEWEST_EPOCHS = 3
BESIDES = 1.4  # what judging and keeping snapshots cost beside the steps; measured on six tables
LEARNING_RATES = (1e-3, 7e-3)
WEIGHT_DECAYS = (1e-3, 1.0)
MOST_DROPOUT = 0.5
SMALL, SMALL_WIDTH = 2_000, 64  # rows up to which a network is kept small
FEW, FEW_WIDTH = 5_000, 128  # and those up to which a wider one brings nothing
FOLDS = 5
# When the worse half of the members leaves, in shares of the training, by how often. Three times is for who is short of
# time: what the early losers cost is then missed by the others.
HALVED_AT: tuple[tuple[float, ...], ...] = ((), (0.2,), (0.2, 0.45), (0.1, 0.25, 0.6))
FEWEST_HALVED, FEWEST_HURRIED = 8, 16  # members of a pack that is halved, and of one that is halved three times
ROWS_A_PIECE = 40  # a number is cut into no more pieces than this allows
T = TypeVar("T")
MOST_PIECES = 64  # of one number; with many columns, fewer each
MOST_PREPARED = 400_000_000  # numbers that the prepared rows may hold (1.6 GB)
TURNING_SPEED = 2e11  # operations of Muon a second, at best (measured: 1.2e11 to 1.9e11, the larger for wide layers)
PAYING_PRODUCTS = 4_000_000  # operations of a member's product from which bfloat16 is faster (2 to 3 million tie)
# Operations of a step below which threads cost more than they bring: on a free machine 4 to 8 million; 17 million gain
# a fifth there, and take more than twice as long beside one busy process (docs/log.md).
SMALL_STEP = 20_000_000
# With norms, dropout and Muon, where much is not one large product, two threads bring a tenth up to here on a free
# machine, and cost a fifth on one that is not (titanic, quick: 2.5 s to 2.3, and 2.2 to 2.7).
SMALL_NORMED_STEP = 1_000_000_000


@dataclass(frozen=True)
class Plan:
    """All that is decided before training: resolved settings, the pack's specification, each member's own values."""

    settings: Settings
    task: Task
    spec: PackSpec
    members: tuple[MemberInfo, ...]  # in the pack's order, deepest first
    steps_per_epoch: int

    @property
    def folds(self) -> int:
        """How many networks a member consists of; they stand side by side in the pack."""
        return self.settings.pack.folds or 1


def is_textbook(settings: Settings) -> bool:
    """Whether one fixed network is asked for: then nothing is added that the textbook's loop does not have."""
    return settings.network.hidden is not None and settings.pack.members == 1


def decide_folds(settings: Settings, num_rows: int) -> Settings:
    """How many networks a member consists of: several where the table is small, one where validation rows can judge.

    Args:
        settings: as asked for.
        num_rows: for training and validation together.

    Raises:
        SettingsError: folds of rows that follow each other in time, which would train on the future.
    """
    folds = settings.pack.folds
    if settings.split.time is not None and (folds or 1) > 1:
        raise SettingsError(
            "folds would train on later rows and judge earlier ones", where="pack.folds",
            expected="1 together with split.time", fix="--set pack.folds=1",
        )  # fmt: skip
    if folds is None:
        alone = settings.pack.members == 1 or settings.split.time is not None
        dial, seconds = DIALS[settings.run.effort], settings.run.seconds
        most = dial.most_folded if seconds is None else dial.most_folded * seconds / dial.seconds
        folds = 1 if alone or num_rows > max(SMALL, min(most, MOST_FOLDED)) else FOLDS
    return _replace(settings, "pack", folds=folds)


def make_plan(settings: Settings, task: Task, num_classes: int, features: FeatureSpec, numbers: np.ndarray) -> Plan:
    """Decides everything.

    Args:
        settings: as asked for, with the folds decided; what else is None is decided here.
        task: of the target.
        num_classes: 0 for regression.
        features: what the encoder makes of a row.
        numbers: (rows, numbers) the scaled numeric features of the training rows.

    Raises:
        SettingsError: settings that contradict each other or the data.
        NetworkError: a network that cannot be built.
    """
    num_rows = len(numbers)
    settings = _resolve_network(settings, features, num_rows)
    settings = _resolve_training(settings, task, num_rows)
    settings = _resolve_precision(settings)
    outputs = num_classes if task == "multiclass" else 1
    depths = tuple(depth for depth in _draw_depths(settings) for _ in range(_known(settings.pack.folds)))
    spec = _make_spec(settings, features, outputs, depths, numbers)
    if settings.run.threads is None:
        operations = 6 * _known(settings.training.batch_size) * _products(spec)
        small = SMALL_STEP if spec.normalisation == "none" else SMALL_NORMED_STEP
        settings = _replace(settings, "run", threads=1 if operations < small else torch.get_num_threads())
    folds = _known(settings.pack.folds)
    own_rows = num_rows if folds == 1 else num_rows * (folds - 1) // folds
    steps = steps_per_epoch(own_rows, _known(settings.training.batch_size))
    if settings.training.epochs is None:
        epochs = _fit_epochs(settings, spec, steps)
        settings = _replace(settings, "training", epochs=epochs)
    if settings.training.patience is None:
        epochs = _known(settings.training.epochs)
        settings = _replace(settings, "training", patience=0 if is_textbook(settings) else min(40, max(8, epochs // 3)))
    return Plan(settings, task, spec, _draw_members(settings, spec), steps)


def step_seconds(spec: PackSpec, batch_size: int, moved: Sequence[int] = ()) -> float:
    """What a step costs on the reference machine, roughly: a fixed part, the products, and all that is elementwise.

    Args:
        spec: of the pack.
        batch_size: rows that each network sees.
        moved: the depths of those networks that Muon moves.
    """
    members, products = spec.num_members, _products(spec)
    sizes = [spec.widths(depth) for depth in spec.depths]
    elements = sum(sum(widths[1:-1]) * 12 + widths[0] * 2 + widths[-1] * 6 for widths in sizes)
    turned = sum(turning_operations(*sizes) for depth in moved for sizes in pairwise(spec.widths(depth)[:-1]))
    dense = batch_size * (6 * products / 6e11 + elements / 6e9) + 6 * products / 9e9
    return 4e-4 + 2e-5 * members + dense + turned / TURNING_SPEED


def _products(spec: PackSpec) -> int:
    """How many weights a row is multiplied with on its way through all members."""
    return sum(a * b for depth in spec.depths for a, b in pairwise(spec.widths(depth)))


def _resolve_network(settings: Settings, features: FeatureSpec, num_rows: int) -> Settings:
    dial, network = DIALS[settings.run.effort], settings.network
    fixed = network.hidden is not None
    folded = num_rows > SMALL and _known(settings.pack.folds) > 1
    members = settings.pack.members or (dial.folded if folded else dial.members)
    hurried = (settings.run.seconds or math.inf) < dial.seconds and settings.pack.folds == 1
    halvings = 0 if fixed or members < FEWEST_HALVED else 3 if hurried and members >= FEWEST_HURRIED else 2
    settings = _replace(settings, "pack", members=members, halvings=_first(settings.pack.halvings, halvings))
    embedding = network.embedding or ("none" if fixed else "mixed" if members > 1 else "piecewise")
    if not features.num_numbers and embedding == "mixed":
        embedding = "none"
    size = network.embedding_size
    if size is None:
        numbers = max(1, features.num_numbers)
        room = min(dial.pieces // numbers, MOST_PREPARED // (numbers * num_rows), num_rows // ROWS_A_PIECE)
        size = {"none": 1, "periodic": 12}.get(embedding, max(4, min(MOST_PIECES, room)))
    if network.hidden is not None and isinstance(network.depth, int):
        raise SettingsError(
            "network.depth has no effect beside network.hidden", where="network.depth", fix="leave one of them out"
        )
    most = SMALL_WIDTH if num_rows <= SMALL else FEW_WIDTH if num_rows <= FEW else dial.width
    width = network.width or min(dial.width, most)
    return _replace(
        settings, "network", width=width, embedding=embedding, embedding_size=size,
        dropout=_first(network.dropout, 0.0 if fixed or members == 1 else (0.0, MOST_DROPOUT)),
        normalisation=network.normalisation or ("none" if fixed else "layer"),
        skip=_first(network.skip, not fixed),
    )  # fmt: skip


def _resolve_training(settings: Settings, task: Task, num_rows: int) -> Settings:
    plain = is_textbook(settings)
    loss = settings.training.loss or default_loss(task)
    fitting = {"regression": ("mse", "l1", "huber"), "binary": ("bce",), "multiclass": ("cross_entropy",)}[task]
    if loss not in fitting:
        raise SettingsError(
            f"loss {loss} does not fit a {task} target", where="training.loss", expected=" or ".join(fitting)
        )
    if task == "regression" and (settings.training.label_smoothing or settings.training.class_weights != "none"):
        raise SettingsError(
            "a number has no classes to weigh or smooth", where="training", expected="a target with classes"
        )
    optimiser = settings.optimiser
    mixed = _known(settings.pack.folds) > 1 and _known(settings.pack.members) > 1 and settings.network.hidden is None
    name = optimiser.name or ("adam" if plain else "mixed" if mixed else "adamw")
    _check_optimiser(settings, name)
    sizes = ((1_500, 32), (4_000, 64), (10_000, 128), (60_000, 256), (300_000, 512))
    batch = 32 if plain else next((size for most, size in sizes if num_rows < most), 1024)
    # Muon is dear, and loses less than Adam where fewer steps are taken, of more rows each.
    batch *= 2 if name in WITH_MUON else 1
    settings = _replace(settings, "training", loss=loss, batch_size=settings.training.batch_size or batch)
    return _replace(
        settings, "optimiser", name=name,
        learning_rate=_first(optimiser.learning_rate, 1e-3 if plain else LEARNING_RATES),
        weight_decay=_first(optimiser.weight_decay, 0.0 if plain or name not in DECOUPLED else WEIGHT_DECAYS),
        schedule=optimiser.schedule or ("constant" if plain else "flat_cosine"),
    )  # fmt: skip


def _check_optimiser(settings: Settings, name: str) -> None:
    """An optimiser whose settings would have no effect is refused."""
    problem = ""
    if name in WITH_MUON and settings.network.hidden == ():
        problem = f"optimiser.name {name} has no effect without hidden layers"
    elif name == "mixed" and settings.pack.members == 1:
        problem = "one member cannot be moved in two ways"
    if problem:
        raise SettingsError(problem, where="optimiser.name", fix="--set optimiser.name=adamw")
    if settings.optimiser.momentum and name not in ("sgd", "rmsprop"):
        raise SettingsError(
            f"optimiser.momentum has no effect beside optimiser.name {name}", where="optimiser.momentum",
            expected="0 unless the optimiser is sgd or rmsprop", fix="--set optimiser.name=sgd",
        )  # fmt: skip


def _resolve_precision(settings: Settings) -> Settings:
    precision = settings.run.precision
    if precision == "auto":
        width = min(settings.network.hidden or (_known(settings.network.width),))
        product = 2 * width * width * _known(settings.training.batch_size)
        precision = "bfloat16" if product >= PAYING_PRODUCTS else "float32"
    return _replace(settings, "run", precision=precision, device=str(device_of(settings)))


def _fit_epochs(settings: Settings, spec: PackSpec, steps: int) -> int:
    if is_textbook(settings):
        return 100
    dial = DIALS[settings.run.effort]
    if settings.run.seconds is not None:  # the clock decides; this is the most that makes sense
        return 4 * DIALS["thorough"].most_epochs
    depths = spec.depths[:: _known(settings.pack.folds)]
    moved = [depth for place, depth in enumerate(depths) if _mover(settings, place) == "muon"]
    step = step_seconds(spec, _known(settings.training.batch_size), moved * _known(settings.pack.folds))
    cost = steps * step * BESIDES * _share(settings)
    return int(min(dial.most_epochs, max(FEWEST_EPOCHS, dial.seconds / cost)))


def _share(settings: Settings) -> float:
    """How much of the members' steps is left where the worse ones leave."""
    points = HALVED_AT[settings.pack.halvings or 0]
    ends = [*points, 1.0]
    starts = [0.0, *points]
    return sum((end - start) * 0.5**halved for halved, (start, end) in enumerate(zip(starts, ends, strict=True)))


def _make_spec(
    settings: Settings, features: FeatureSpec, outputs: int, depths: tuple[int, ...], numbers: np.ndarray
) -> PackSpec:
    network = settings.network
    hidden = network.hidden if network.hidden is not None else (_known(network.width),) * depths[0]
    size = _known(network.embedding_size)
    pieces: tuple[int, ...] = ()
    if network.embedding in ("piecewise", "mixed") and features.num_numbers:
        pieces = tuple(max(0, len(edges) - 1) for edges in count_pieces(numbers, size))
    return PackSpec(
        features=features,
        outputs=outputs,
        hidden=hidden,
        depths=depths,
        activation=network.activation,
        embedding="piecewise" if network.embedding == "mixed" else network.embedding or "none",
        waves=size if network.embedding == "periodic" and features.num_numbers else 0,
        pieces=pieces,
        normalisation=network.normalisation or "none",
        skip=bool(network.skip),
    )


def _draw_depths(settings: Settings) -> tuple[int, ...]:
    network, members = settings.network, _known(settings.pack.members)
    if network.hidden is not None:
        return (len(network.hidden),) * members
    if isinstance(network.depth, int):
        return (network.depth,) * members
    low, high = network.depth
    if members == 1:
        return ((low + high) // 2,)
    # Evenly, and deep before shallow: every depth is tried, whatever the seed.
    return tuple(sorted((high - place % (high - low + 1) for place in range(members)), reverse=True))


def _draw_members(settings: Settings, spec: PackSpec) -> tuple[MemberInfo, ...]:
    random = np.random.default_rng(derive_seed(settings.run.seed, "sample"))
    members = spec.num_members
    rate, decay, drop = settings.optimiser.learning_rate, settings.optimiser.weight_decay, settings.network.dropout
    assert rate is not None and decay is not None and drop is not None, "resolved before"
    rates, decays = _draw_log(random, rate, members), _draw_log(random, decay, members)
    dropout = _draw_dropout(random, drop, members)
    parameters = {depth: spec.num_parameters(depth) for depth in set(spec.depths)}
    depths = spec.depths[:: _known(settings.pack.folds)]
    readings = [_reading(settings, place) for place in range(len(depths))]
    movers = [_mover(settings, place) for place in range(len(depths))]
    # Of members as deep as each other, those that read alike stand side by side, and of these those that Muon moves:
    # they are multiplied together.
    order = sorted(
        range(len(depths)), key=lambda place: (-depths[place], readings[place] == "none", movers[place] == "muon")
    )
    return tuple(
        MemberInfo(
            member=member,
            hidden=spec.hidden[: depths[place]],
            num_parameters=parameters[depths[place]],
            learning_rate=float(rates[place]),
            weight_decay=float(decays[place]),
            dropout=float(dropout[place]),
            embedding=readings[place],
            optimiser=movers[place],
        )
        for member, place in enumerate(order)
    )


def _reading(settings: Settings, place: int) -> str:
    """How a member reads numbers: in a mixed pack every second one in pieces, the others as they are."""
    if settings.network.embedding == "mixed":
        return "none" if place % 2 else "piecewise"
    return settings.network.embedding or "none"


def _mover(settings: Settings, place: int) -> str:
    """What moves a member: in a mixed pack Muon every second one, or of those alone that read numbers in pieces."""
    if settings.optimiser.name == "mixed":
        step = 4 if settings.network.embedding == "mixed" else 2
        return "adamw" if place % step else "muon"
    return settings.optimiser.name or "adamw"


def _draw_log(random: np.random.Generator, wanted: Range, members: int) -> np.ndarray:
    """One value for all, or log-uniform draws; a pack of one takes the middle of the range."""
    if not isinstance(wanted, tuple):
        return np.full(members, wanted)
    low, high = (math.log(value) for value in wanted)
    places = np.full(1, 0.5) if members == 1 else random.random(members)
    return np.exp(low + (high - low) * places)


def _draw_dropout(random: np.random.Generator, wanted: Range, members: int) -> np.ndarray:
    """One value for all, or for half of the members none and for the others a draw from the range."""
    if not isinstance(wanted, tuple):
        return np.full(members, wanted)
    drawn = wanted[0] + (wanted[1] - wanted[0]) * random.random(members)
    return np.where(random.random(members) < 0.5, wanted[0], drawn)


def _replace(settings: Settings, section: str, **fields: object) -> Settings:
    changed = msgspec.structs.replace(getattr(settings, section), **fields)
    return msgspec.structs.replace(settings, **{section: changed})


def _first(value: T | None, otherwise: T) -> T:
    return otherwise if value is None else value


def _known(value: T | None) -> T:
    assert value is not None, "resolved before"
    return value
