"""The training step written out: forward, backward and update of a dense pack, without autograd.

What `loop.train_epoch` says in five lines and leaves to autograd is said in formulas in `passes`, and the update here:

    update     Adam (Kingma and Ba 2015); for `adamw` the weights shrink beside it (Loshchilov and Hutter 2019), and
               Muon (the file of that name) for the matrices that it moves

A small network's step is then a few dozen products and sums, and nothing else: autograd spends most of its time there
on keeping its books. The numbers are autograd's own, and tests hold them to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from glasshouse.data.batches import Batch, Drawn
from glasshouse.network.layers import PackBlock, PackLayerNorm, PackLinear
from glasshouse.network.pack import Pack
from glasshouse.training.crews import (
    EPSILON,
    KEEP,
    KEEP_SQUARE,
    Crew,
    Halves,
    Once,
    Rates,
    Share,
    Threads,
    Turn,
    balanced,
    set_own_threads,
)
from glasshouse.training.devices import device_of
from glasshouse.training.lone import LonePasses
from glasshouse.training.muon import Part, turning_operations
from glasshouse.training.optimiser import DECOUPLED, PackOptimiser, shaped
from glasshouse.training.passes import (
    BENDS,
    LOSSES,
    Common,
    Layer,
    Lookup,
    Norm,
    Passes,
    Random,
    Scratch,
    runs,
)
from glasshouse.training.plan import Plan

Views = dict[int, list[Tensor]]  # by a parameter's identity: its values, its gradient, and what else is asked for
TOGETHER = 1 << 21  # bytes of one layer's activations that go together: so many stay in the caches of two cores
WORTH_SHARING = 5e-3  # seconds of one thread from which a step's members are shared out among several
DRAWN = 2.6e9  # units that dropout draws in a second


def can_be_written(plan: Plan) -> bool:
    """Whether this step does all that a plan asks for; where it does not, autograd's does."""
    spec, settings = plan.spec, plan.settings
    drops = any(member.dropout > 0.0 for member in plan.members)
    dense = (
        spec.normalisation in ("none", "layer")
        and not spec.waves
        and len(spec.hidden) > 0
        and spec.activation in BENDS
        and (spec.activation == "relu" or not drops)
        and not (spec.skip and spec.in_features == spec.hidden[0])  # a way around what not all members see
    )
    steps = settings.optimiser.name in ("adam", *DECOUPLED) and settings.training.clip_norm is None
    losses = settings.training.loss in LOSSES and not settings.training.label_smoothing
    even = settings.training.class_weights != "balanced"
    return dense and steps and losses and even and device_of(settings).type == "cpu"


def multiplies_in_half(precision: str) -> bool:
    """Whether layers are to be computed in bfloat16, and this processor multiplies so faster than in float32."""
    able = torch.cpu.get_capabilities()
    return precision == "bfloat16" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


class WrittenStep:
    """Steps a dense pack whose plan `can_be_written`.

    Args:
        pack: its parameters become views of one long vector, so that the update is a few calls over all of them. Where
            members have rates of their own, the weights come first, tensor after tensor, and then what is small, member
            after member: what moves alike lies together.
        optimiser: gives each member's learning rate and decay, and is given the gradients and directions to show.
        loss: mse, bce or cross_entropy.
        threads: that may take some of the members each; None leaves them all to torch's own.
        half: whether the hidden layers are computed in bfloat16. Weights, outputs, losses and moments stay float32, as
            with torch's autocast.
    """

    def __init__(
        self, pack: Pack, optimiser: PackOptimiser, loss: str, threads: Threads | None = None, *, half: bool = False
    ) -> None:
        self.pack, self.optimiser, self.loss = pack, optimiser, loss
        self.threads = threads or Threads(1)
        self.half = half
        self.steps, self.one = _bare(torch.zeros(())), _bare(torch.ones(()))
        self.unbooked = torch.inference_mode()
        self.crews: list[Crew] = []
        self.last_rates: list[float] = []  # of the last step
        self.apart = False  # whether a schedule has made unlike what began alike
        zeros = [torch.zeros_like(parameter) for parameter in optimiser.parameters]
        self._lay_out(zeros, zeros)

    def step(self, drawn: Batch | Drawn, factor: float | Tensor) -> Tensor:
        """One update of every member.

        Args:
            drawn: each member's own rows.
            factor: what the schedule multiplies the learning rates by.

        Returns:
            (members,) the losses before the update.
        """
        if self.alike and isinstance(factor, Tensor) and bool((factor != factor.flatten()[0]).any()):
            self._part()
        with self.unbooked:
            if not self.crews:
                self.crews = list(self._share_out(drawn.size))
            rates = self._how_far(factor)
            random: Random = Once(partial(self._draw, drawn.size)) if self.pack.dropout is not None else tuple
            if len(self.crews) == 1:
                set_own_threads(self.threads.all_threads)
                losses = self.crews[0].take(drawn, random, rates)
            else:
                # The first draws for all, while the others gather their rows.
                first, *others = self.crews
                tasks = [partial(first.take, drawn, random, rates, ahead=True)]
                tasks += [partial(crew.take_elsewhere, drawn, random, rates) for crew in others]
                losses = [loss for found in self.threads.run(tasks) for loss in found]
            return losses[0] if len(losses) == 1 else torch.cat(losses)

    def keep(self, kept: dict[nn.Parameter, Tensor]) -> None:
        """Cuts the moments down to the members that stay, after `Pack.keep` and `PackOptimiser.keep`.

        Args:
            kept: what `Pack.keep` returned.
        """
        places = [kept[owner] for owner in self.owners]
        left = [place for place, owner in enumerate(self.owners) if owner.shape[0]]
        moments = (self._views(self.mean), self._views(self.square))
        self._lay_out(*([parts[place][places[place]] for place in left] for parts in moments))

    def _part(self) -> None:
        """Lets every member move by itself from now on."""
        self.apart = True
        self._lay_out(self._views(self.mean), self._views(self.square))

    @torch.inference_mode()
    def show(self) -> None:
        """Fills the optimiser's directions with the step that was taken last, for whoever looks at them."""
        if not self.last_rates:
            return
        mean = self.mean / (1.0 - KEEP ** float(self.steps))
        square = self.square / (1.0 - KEEP_SQUARE ** float(self.steps))
        torch.div(mean, square.sqrt_().add_(EPSILON), out=self.direction)
        for part, _, grad, momentum, shown in self.turns:
            for place, direction in zip(part.of(shown), part.directions(grad, momentum), strict=True):
                place.copy_(direction)
        rates = torch.tensor(self.last_rates)
        for direction in self.optimiser.directions:
            direction.mul_(shaped(-rates, direction))

    def _draw(self, rows: int) -> list[Tensor | None]:
        """What decides which units of each layer are dropped, as autograd's step would draw it."""
        assert self.pack.dropout is not None, "nothing is dropped"
        return [self.pack.dropout.draw(shape) for shape in self._drawn_shapes(rows)]

    def _drawn_shapes(self, rows: int) -> Iterator[tuple[int, int, int]]:
        """(members, rows, units) of each layer that units are dropped of."""
        spec = self.pack.spec
        for layer, units in enumerate(spec.hidden if self.pack.dropout is not None else ()):
            yield spec.members_at(layer), rows, units

    def _how_far(self, factor: float | Tensor) -> Rates:
        self.steps.add_(self.one)
        if isinstance(factor, Tensor):
            factors = factor.expand(len(self.rates)).tolist()
            self.last_rates = [rate * each for rate, each in zip(self.rates, factors, strict=True)]
        else:
            self.last_rates = [rate * factor for rate in self.rates]
        if not self.turns:
            return Rates(self.last_rates, self.optimiser.decoupled, self.one, self.one)
        lengths = torch.tensor(self.last_rates).view(-1, 1, 1)
        shrink = 1.0 - lengths * self.optimiser.weight_decay.view(-1, 1, 1)
        return Rates(self.last_rates, self.optimiser.decoupled, shrink, lengths)

    def _lay_out(self, means: list[Tensor], squares: list[Tensor]) -> None:
        """Puts parameters, gradients and moments into long vectors, and shows views of them as what they are."""
        self.owners = list(self.optimiser.parameters)
        self.shapes = [owner.shape for owner in self.owners]
        rates, decays = self.optimiser.learning_rate, self.optimiser.weight_decay
        self.rates, self.weight_decays = rates.tolist(), decays.tolist()
        muon = self.optimiser.muon
        self.turned = [False] * len(self.rates) if muon is None else muon.chosen.tolist()
        even = bool((rates == rates[0]).all()) and bool((decays == decays[0]).all()) and len(set(self.turned)) == 1
        self.alike = even and (not self.apart or len(self.rates) == 1)
        self.whole = [self.alike or weighs for weighs in self.optimiser.decays]
        pairs = list(zip(self.shapes, self.whole, strict=True))
        sizes = [shape.numel() if whole else 0 for shape, whole in pairs]
        small = [0 if whole else shape[1:].numel() for shape, whole in pairs]
        self.behind, self.each = sum(sizes), sum(small)
        starts = zip(self.whole, accumulate(sizes, initial=0), accumulate(small, initial=self.behind), strict=False)
        self.starts = [place if whole else other for whole, place, other in starts]
        vectors = [torch.zeros(self.behind + self.each * len(self.rates)) for _ in range(5)]
        parameters, gradients, directions, *moments = map(self._views, vectors)
        wanted: tuple[list[Tensor], ...] = ([owner.detach() for owner in self.owners], means, squares)
        for views, tensors in zip((parameters, *moments), wanted, strict=True):
            for view, tensor in zip(views, tensors, strict=True):
                view.copy_(tensor)
        for place, owner in enumerate(self.owners):
            owner.data, owner.grad = parameters[place], gradients[place]
            self.optimiser.directions[place] = directions[place]
        self.parameters, self.grad, self.direction, self.mean, self.square = map(_bare, vectors)
        self.turns = list(self._turns(muon.parts)) if muon is not None else []
        self.matrices = {id(turn.part.weight) for turn in self.turns}
        self.last_rates, self.crews = [], []

    def _turns(self, parts: Sequence[Part]) -> Iterator[Turn]:
        views = self._by_owner(self.parameters, self.grad, self.mean, self.direction)
        for part in parts:
            yield Turn(part, *views[id(part.weight)])

    def _shares(self, members: slice) -> Iterator[Share]:
        """Which of some members move alike: all, or each network by itself; and of these what decays, and what not."""
        vectors = (self.parameters, self.grad, self.mean, self.square)
        alone = (slice(network, network + 1) for network in range(members.start, members.stop))
        for moved in [members] if self.alike else alone:
            decay = self.weight_decays[moved.start]
            stretches: dict[float, list[slice]] = {decay: [], 0.0: []}
            for place, weighs in enumerate(self.optimiser.decays):
                stretches[decay if weighs else 0.0] += self._stretches(place, moved)
            for own_decay, found in stretches.items():
                joined = _joined(found)
                if joined:
                    values, grads, means, squares = ([vector[each] for each in joined] for vector in vectors)
                    yield Share(moved.start, own_decay, values, grads, means, squares, [self.steps] * len(joined))

    def _stretches(self, place: int, moved: slice) -> Iterator[slice]:
        """Where a parameter's numbers are: those of neighbours, or of one network less those that it does not see."""
        start, shape, network = self.starts[place], self.shapes[place], moved.start
        if network >= shape[0] or (self.turned[network] and id(self.owners[place]) in self.matrices):
            return
        size = shape[1:].numel()
        if self.alike:
            yield slice(start + network * size, start + min(moved.stop, shape[0]) * size)
            return
        start += network * (size if self.whole[place] else self.each)
        if self.owners[place] is self.pack.first.weight and self._without_pieces(network):
            unseen, units = self.pack.pieces_at, shape[-1]
            yield slice(start, start + unseen.start * units)
            yield slice(start + unseen.stop * units, start + size)
        else:
            yield slice(start, start + size)

    def _share_out(self, rows: int) -> Iterator[Crew]:
        """The members as crews, one a thread, for batches of so many rows; a short step is one crew's."""
        views = self._by_owner(self.parameters, self.grad)
        halves = Halves(*map(list, zip(*self._halves(views), strict=True))) if self.half else Halves([], [], [], [])
        everybody = slice(0, self.pack.spec.num_members)
        if self._is_lone() and not self.half:
            yield Crew([self._lone()], halves, list(self._shares(everybody)), self.turns)
            return
        costs = [self._cost(network, rows) for network in range(everybody.stop)]
        most = self.threads.most if sum(costs) > WORTH_SHARING else 1
        crews = balanced(costs, most, sum(map(math.prod, self._drawn_shapes(rows))) / DRAWN)
        for members in crews:
            turns = [turn for turn in (each.of(members) for each in self.turns) if turn is not None]
            passes = list(self._cut(members, rows, views, len(crews)))
            yield Crew(passes, halves.of(members), list(self._shares(members)), turns)

    def _cut(self, members: slice, rows: int, views: Views, crews: int) -> Iterator[Passes]:
        """As many neighbours of one depth together as the caches hold with so many rows."""
        spec, pack = self.pack.spec, self.pack
        layers = [self._layer(block, views) for block in pack.layers if isinstance(block, PackBlock)]
        head = _plain_layer(pack.head, views)
        tables = None
        if pack.tables is not None:
            weight, grad = views[id(pack.tables.weight)]
            tables = Lookup(weight, grad, pack.tables.offsets)
        size = 2 if self.half else 4
        together = max(1, TOGETHER // (crews * size * rows * max(*spec.hidden, spec.outputs)))
        common, scratch = Common(spec.activation, self.loss, tables, pack.dropout), Scratch()
        for depth, alike in runs(spec.depths[members]):
            for start in range(members.start + alike.start, members.start + alike.stop, together):
                some = slice(start, min(start + together, members.start + alike.stop))
                reads = [self._reads(network) for network in range(some.start, some.stop)]
                yield Passes([*layers[:depth], head], some, reads, common, scratch)

    def _without_pieces(self, network: int) -> bool:
        return self.pack.hidden is not None and bool(self.pack.hidden[network])

    def _reads(self, network: int) -> int:
        """How many of the prepared features it reads."""
        return self.pack.pieces_at.start if self._without_pieces(network) else self.pack.spec.prepared_features

    def _cost(self, network: int, rows: int) -> float:
        """What a network adds to a step, in seconds of one thread, roughly (docs/log.md)."""
        reads, *widths = self.pack.spec.widths(self.pack.spec.depths[network])
        sizes = [reads - self.pack.spec.prepared_features + self._reads(network), *widths]
        weights, units = sum(a * b for a, b in pairwise(sizes)), sum(sizes[1:-1])
        turned = sum(turning_operations(*each) for each in pairwise(sizes[:-1])) if self.turned[network] else 0
        unit = 2.9e-9 if self.pack.spec.normalisation == "none" else 6.3e-9
        batch = rows * (1.5e-11 * weights + unit * units + 1.3e-10 * sizes[0])
        return (1e-5 if self.alike else 8e-5) + batch + 1.7e-9 * weights + 1.2e-11 * turned

    def _halves(self, views: Views) -> Iterator[tuple[Tensor, ...]]:
        """Each hidden layer's parameters, whose views are those in bfloat16 from now on."""
        for parameter in self.pack.layers.parameters():
            value, grad = views[id(parameter)]
            half, half_grad = (torch.zeros(value.shape, dtype=torch.bfloat16) for _ in range(2))
            views[id(parameter)] = [half, half_grad]
            yield value, grad, half, half_grad

    def _layer(self, block: PackBlock, views: Views) -> Layer:
        layer, norm = _plain_layer(block.linear, views), None
        if isinstance(block.norm, PackLayerNorm):
            (scale, scale_grad), (shift, shift_grad) = views[id(block.norm.weight)], views[id(block.norm.bias)]
            norm = Norm(scale, shift, scale_grad, shift_grad)
        return layer._replace(norm=norm, around=block.around)

    def _is_lone(self) -> bool:
        """Whether this is one network of nothing but weights and biases."""
        plain = self.pack.tables is None and self.pack.dropout is None and self.pack.hidden is None
        spec = self.pack.spec
        return plain and spec.num_members == 1 and spec.normalisation == "none" and not spec.skip

    def _lone(self) -> LonePasses:
        """One network by itself: each layer's bias lies behind its weight."""
        shapes = [(weight[1] + 1, weight[2]) for weight in self.shapes[::2]]
        sizes = [math.prod(shape) for shape in shapes]
        wholes, grads = (
            [part.view(shape) for part, shape in zip(vector.split(sizes), shapes, strict=True)]
            for vector in (self.parameters, self.grad)
        )
        return LonePasses(wholes, grads, self.pack.spec.activation, self.loss)

    def _by_owner(self, *vectors: Tensor) -> Views:
        """By a parameter's identity, its views of some long vectors."""
        return {id(owner): found for owner, *found in zip(self.owners, *map(self._views, vectors), strict=True)}

    def _views(self, vector: Tensor) -> list[Tensor]:
        """A long vector as tensors of the parameters' shapes."""
        networks = vector[self.behind :].view(-1, self.each) if self.each else vector
        views = []
        for shape, whole, start in zip(self.shapes, self.whole, self.starts, strict=True):
            if whole:
                views.append(vector[start : start + shape.numel()].view(shape))
            else:
                begin = start - self.behind
                views.append(networks[: shape[0], begin : begin + shape[1:].numel()].unflatten(1, shape[1:]))
        return views


def _plain_layer(linear: PackLinear, views: Views) -> Layer:
    (weight, weight_grad), (bias, bias_grad) = views[id(linear.weight)], views[id(linear.bias)]
    return Layer(weight, bias, weight_grad, bias_grad)


def _joined(stretches: list[slice]) -> list[slice]:
    """The same places in as few stretches as can be."""
    found: list[slice] = []
    for stretch in stretches:
        if found and found[-1].stop == stretch.start:
            found[-1] = slice(found[-1].start, stretch.stop)
        elif stretch.stop > stretch.start:
            found.append(stretch)
    return found


def _bare(tensor: Tensor) -> Tensor:
    """The same memory without the book that autograd keeps of every change: a third of a small network's step."""
    with torch.inference_mode():
        return torch.from_numpy(tensor.numpy())
