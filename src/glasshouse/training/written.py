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
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glasshouse.data.batches import Batch
from glasshouse.network.layers import PackBlock, PackLayerNorm, PackLinear
from glasshouse.network.pack import Pack
from glasshouse.training.muon import Part
from glasshouse.training.optimiser import DECOUPLED, PackOptimiser, shaped
from glasshouse.training.passes import BENDS, LOSSES, Common, Layer, LonePasses, Lookup, Norm, Passes, Scratch, runs
from glasshouse.training.plan import Plan, device_of

KEEP, KEEP_SQUARE, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults for Adam
Views = dict[int, list[Tensor]]  # by a parameter's identity: its values, its gradient, and what else is asked for
TOGETHER = 1 << 20  # bytes of one layer's activations that go together: so many stay in the cache of a processor's core


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


class _Share(NamedTuple):
    """Stretches of the long vectors that move alike."""

    network: int  # whose learning rate they have
    decay: float
    values: list[Tensor]
    grads: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]
    steps: list[Tensor]


class _Turn(NamedTuple):
    """What Muon moves, and of the whole weight its values, gradient, momentum, and the direction that is shown."""

    part: Part
    value: Tensor
    grad: Tensor
    momentum: Tensor
    shown: Tensor


class _Half(NamedTuple):
    """A hidden layer's parameter and its gradient, and both in bfloat16, which the passes work with."""

    value: Tensor
    grad: Tensor
    half: Tensor
    half_grad: Tensor


class WrittenStep:
    """Steps a dense pack whose plan `can_be_written`.

    Args:
        pack: its parameters become views of one long vector, so that the update is a few calls over all of them. Where
            members have rates of their own, the weights come first, tensor after tensor, and then what is small, member
            after member: what moves alike lies together.
        optimiser: gives each member's learning rate and decay, and is given the gradients and directions to show.
        loss: mse, bce or cross_entropy.
        half: whether the hidden layers are computed in bfloat16. Weights, outputs, losses and moments stay float32, as
            with torch's autocast.
    """

    def __init__(self, pack: Pack, optimiser: PackOptimiser, loss: str, *, half: bool = False) -> None:
        self.pack, self.optimiser, self.loss = pack, optimiser, loss
        self.half = half
        self.steps, self.one = _bare(torch.zeros(())), _bare(torch.ones(()))
        self.unbooked = torch.inference_mode()
        self.passes: list[Passes] | list[LonePasses] = []
        self.halved: list[_Half] = []
        self.last_rates: list[float] = []  # of the last step
        self.apart = False  # whether a schedule has made unlike what began alike
        zeros = [torch.zeros_like(parameter) for parameter in optimiser.parameters]
        self._lay_out(zeros, zeros)

    def step(self, batch: Batch, factor: float | Tensor) -> Tensor:
        """One update of every member.

        Args:
            batch: each member's own rows.
            factor: what the schedule multiplies the learning rates by.

        Returns:
            (members,) the losses before the update.
        """
        if self.alike and isinstance(factor, Tensor) and bool((factor != factor.flatten()[0]).any()):
            self._part()
        with self.unbooked:
            rows = batch.targets.shape[1]
            if not self.passes:
                self.passes = self._cut(rows)
            random = self._draw(rows) if self.pack.dropout is not None else ()
            for each in self.halved:
                each.half.copy_(each.value)
            losses = [part.run(batch, random) for part in self.passes]
            for each in self.halved:
                each.grad.copy_(each.half_grad)
            self._update(factor)
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
        assert self.pack.dropout is not None
        spec = self.pack.spec
        shapes = [(spec.members_at(layer), rows, units) for layer, units in enumerate(spec.hidden)]
        return [self.pack.dropout.draw(shape) for shape in shapes]

    def _update(self, factor: float | Tensor) -> None:
        self.steps.add_(self.one)
        if isinstance(factor, Tensor):
            factors = factor.expand(len(self.rates)).tolist()
            self.last_rates = [rate * each for rate, each in zip(self.rates, factors, strict=True)]
        else:
            self.last_rates = [rate * factor for rate in self.rates]
        adam = torch._fused_adamw_ if self.optimiser.decoupled else torch._fused_adam_
        for network, decay, values, grads, means, squares, steps in self.shares:
            adam(
                values, grads, means, squares, [], steps, lr=self.last_rates[network], beta1=KEEP, beta2=KEEP_SQUARE,
                weight_decay=decay, eps=EPSILON, amsgrad=False, maximize=False,
            )  # fmt: skip
        if self.turns:
            rates = torch.tensor(self.last_rates).view(-1, 1, 1)
            shrink = 1.0 - rates * self.optimiser.weight_decay.view(-1, 1, 1)
            for part, value, grad, momentum, _ in self.turns:
                part.remember(grad, momentum)
                for weight, direction in zip(part.of(value), part.directions(grad, momentum), strict=True):
                    weight.mul_(shrink[part.members]).addcmul_(direction, rates[part.members], value=-1.0)

    def _lay_out(self, means: list[Tensor], squares: list[Tensor]) -> None:
        """Puts parameters, gradients and moments into long vectors, and shows views of them as what they are."""
        self.owners = list(self.optimiser.parameters)
        self.shapes = [owner.shape for owner in self.owners]
        rates, decays = self.optimiser.learning_rate, self.optimiser.weight_decay
        self.rates = rates.tolist()
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
        self.shares = list(self._shares(decays.tolist()))
        self.last_rates, self.passes, self.halved = [], [], []

    def _turns(self, parts: Sequence[Part]) -> Iterator[_Turn]:
        views = self._by_owner(self.parameters, self.grad, self.mean, self.direction)
        for part in parts:
            yield _Turn(part, *views[id(part.weight)])

    def _shares(self, decays: list[float]) -> Iterator[_Share]:
        """Who moves alike: all, or each network by itself; and of these what decays, and what does not."""
        vectors = (self.parameters, self.grad, self.mean, self.square)
        for network in (0,) if self.alike else range(len(self.rates)):
            decay = decays[network]
            stretches: dict[float, list[slice]] = {decay: [], 0.0: []}
            for place, weighs in enumerate(self.optimiser.decays):
                if self.alike or network < self.shapes[place][0]:
                    stretches[decay if weighs else 0.0] += self._stretches(place, network)
            for own_decay, found in stretches.items():
                joined = _joined(found)
                if joined:
                    values, grads, means, squares = ([vector[each] for each in joined] for vector in vectors)
                    yield _Share(network, own_decay, values, grads, means, squares, [self.steps] * len(joined))

    def _stretches(self, place: int, network: int) -> Iterator[slice]:
        """Where a parameter's numbers are: all, or those of one network, less those that it does not see."""
        start, shape = self.starts[place], self.shapes[place]
        if self.turned[network] and id(self.owners[place]) in self.matrices:
            return
        if self.alike:
            yield slice(start, start + shape.numel())
            return
        size = shape[1:].numel()
        start += network * (size if self.whole[place] else self.each)
        hidden = self.pack.hidden is not None and bool(self.pack.hidden[network])
        if hidden and self.owners[place] is self.pack.first.weight:
            unseen, units = self.pack.pieces_at, shape[-1]
            yield slice(start, start + unseen.start * units)
            yield slice(start + unseen.stop * units, start + size)
        else:
            yield slice(start, start + size)

    def _cut(self, rows: int) -> list[Passes] | list[LonePasses]:
        """The pack's members, as many neighbours of one depth together as the cache holds with so many rows."""
        spec, pack = self.pack.spec, self.pack
        if self._is_lone() and not self.half:
            return [self._lone(rows)]
        views = self._by_owner(self.parameters, self.grad)
        if self.half:
            self.halved = list(self._halves(views))
        layers = [self._layer(block, views) for block in pack.layers if isinstance(block, PackBlock)]
        head = _plain_layer(pack.head, views)
        tables = None
        if pack.tables is not None:
            weight, grad = views[id(pack.tables.weight)]
            tables = Lookup(weight, grad, pack.tables.offsets)
        hidden = [False] * spec.num_members if pack.hidden is None else pack.hidden.tolist()
        features = [pack.pieces_at.start if unseen else spec.prepared_features for unseen in hidden]
        size = 2 if self.half else 4
        together = max(1, TOGETHER // (size * rows * max(*spec.hidden, spec.outputs)))
        common = Common(spec.activation, self.loss, tables, pack.dropout)
        scratch, passes = Scratch(), []
        for depth, alike in runs(spec.depths):
            for start in range(alike.start, alike.stop, together):
                members = slice(start, min(start + together, alike.stop))
                passes.append(Passes([*layers[:depth], head], members, features[members], common, scratch))
        return passes

    def _halves(self, views: Views) -> Iterator[_Half]:
        """Each hidden layer's parameters, whose views are those in bfloat16 from now on."""
        for parameter in self.pack.layers.parameters():
            value, grad = views[id(parameter)]
            half, half_grad = (torch.zeros(value.shape, dtype=torch.bfloat16) for _ in range(2))
            views[id(parameter)] = [half, half_grad]
            yield _Half(value, grad, half, half_grad)

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

    def _lone(self, rows: int) -> LonePasses:
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
