"""The training step written out: forward, backward and update of a dense pack, without autograd.

What `loop.train_epoch` says in five lines and leaves to autograd is said in formulas in `passes`, and the update here:

    update     Adam (Kingma and Ba 2015); for `adamw` the weights shrink beside it (Loshchilov and Hutter 2019)

A small network's step is then a few dozen products and sums, and nothing else: autograd spends most of its time there
on keeping its books. The numbers are autograd's own, and tests hold them to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glasshouse.data.batches import Batch
from glasshouse.network.layers import PackBlock
from glasshouse.network.pack import Pack
from glasshouse.training.optimiser import PackOptimiser
from glasshouse.training.passes import BENDS, LOSSES, Layer, LonePasses, Passes
from glasshouse.training.plan import Plan, device_of

KEEP, KEEP_SQUARE, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults for Adam
TOGETHER = 262_144  # activations of one layer that go together: 1 MiB stays in the cache of a processor's core


def can_be_written(plan: Plan) -> bool:
    """Whether this step does all that a plan asks for; where it does not, autograd's does."""
    spec, settings = plan.spec, plan.settings
    plain = (
        spec.normalisation == "none"
        and settings.network.embedding != "mixed"
        and not spec.skip
        and not spec.waves
        and not spec.features.cardinalities
    )
    dense = plain and len(set(spec.depths)) == 1 and len(spec.hidden) > 0 and spec.activation in BENDS
    steps = settings.optimiser.name in ("adam", "adamw") and settings.training.clip_norm is None
    losses = settings.training.loss in LOSSES and not settings.training.label_smoothing
    even = settings.training.class_weights != "balanced" and all(member.dropout == 0.0 for member in plan.members)
    return dense and steps and losses and even and device_of(settings).type == "cpu"


class WrittenStep:
    """Steps a dense pack whose plan `can_be_written`.

    Args:
        pack: its parameters become views of one long vector, so that the update is a handful of sums over all of them.
        optimiser: gives each member's learning rate and decay, and is given the gradients and directions to show.
        loss: mse, bce or cross_entropy.
    """

    def __init__(self, pack: Pack, optimiser: PackOptimiser, loss: str) -> None:
        self.pack, self.optimiser, self.loss = pack, optimiser, loss
        self.steps, self.one = _bare(torch.zeros(())), _bare(torch.ones(()))
        self.unbooked = torch.inference_mode()
        self.passes: list[Passes] | list[LonePasses] = []
        self.unseen_rate: float | None = None  # of a last step that went past `direction`
        zeros = [torch.zeros_like(parameter) for parameter in optimiser.parameters]
        self._lay_out(zeros, [zero.clone() for zero in zeros])

    def step(self, batch: Batch, factor: float | Tensor) -> Tensor:
        """One update of every member.

        Args:
            batch: each member's own rows.
            factor: what the schedule multiplies the learning rates by.

        Returns:
            (members,) the losses before the update.
        """
        with self.unbooked:
            if not self.passes:
                self.passes = self._cut(batch.targets.shape[1])
            losses = [part.run(batch.prepared, batch.targets) for part in self.passes]
            self._update(factor)
            return losses[0] if len(losses) == 1 else torch.cat(losses)

    def keep(self, kept: dict[nn.Parameter, Tensor]) -> None:
        """Cuts the moments down to the members that stay, after `Pack.keep` and `PackOptimiser.keep`.

        Args:
            kept: what `Pack.keep` returned.
        """
        places = [kept[parameter] for parameter in self.optimiser.parameters]
        moments = (self._views(self.mean), self._views(self.square))
        self._lay_out(*([part[place] for part, place in zip(parts, places, strict=True)] for parts in moments))

    @torch.inference_mode()
    def show(self) -> None:
        """Fills the optimiser's directions with the step that was taken last, for whoever looks at them."""
        if self.unseen_rate is not None:
            mean = self.mean / (1.0 - KEEP ** float(self.steps))
            square = self.square / (1.0 - KEEP_SQUARE ** float(self.steps))
            torch.div(mean, square.sqrt_().add_(EPSILON), out=self.direction).mul_(-self.unseen_rate)

    def _update(self, factor: float | Tensor) -> None:
        self.steps.add_(self.one)
        if isinstance(factor, Tensor):
            factor = float(factor) if factor.numel() == 1 else self._spread(factor)
        common = self.rate * factor if self.rate is not None and isinstance(factor, float) else None
        rate = self.rates * factor if common is None else common
        gradient = self.grad
        if self.decay is not None and self.optimiser.decoupled:
            self.parameters.mul_(1.0 - rate * self.decay)
        elif self.decay is not None:
            gradient = torch.addcmul(self.grad, self.parameters, self.decay, out=self.decayed)
        if common is not None:
            self._adam(self.parameters, gradient, common)
        else:  # `direction` gets the step at learning rate 1, and each member goes its own length along it
            self._adam(self.direction.zero_(), gradient, 1.0)
            self.parameters.add_(self.direction.mul_(rate))
        self.unseen_rate = common

    def _adam(self, moved: Tensor, gradient: Tensor, rate: float) -> None:
        """torch's own kernel, one pass over everything."""
        torch._fused_adam_(
            [moved], [gradient], [self.mean], [self.square], [], [self.steps], lr=rate, beta1=KEEP, beta2=KEEP_SQUARE,
            weight_decay=0.0, eps=EPSILON, amsgrad=False, maximize=False,
        )  # fmt: skip

    def _lay_out(self, means: list[Tensor], squares: list[Tensor]) -> None:
        """Puts parameters, gradients and moments into long vectors, and shows views of them as what they are."""
        owners = self.optimiser.parameters
        self.shapes = [owner.shape for owner in owners]
        parameters = torch.cat([owner.detach().flatten() for owner in owners])
        gradients, directions = torch.zeros_like(parameters), torch.zeros_like(parameters)
        shown = zip(owners, *map(self._views, (parameters, gradients, directions)), strict=True)
        for place, (owner, value, grad, direction) in enumerate(shown):
            owner.data, owner.grad = value, grad
            self.optimiser.directions[place] = direction
        mean, square = (torch.cat([part.flatten() for part in parts]) for parts in (means, squares))
        self.parameters, self.grad, self.direction, self.mean, self.square, self.decayed = map(
            _bare, (parameters, gradients, directions, mean, square, torch.zeros_like(parameters))
        )
        rates, decays = self.optimiser.learning_rate, self.optimiser.weight_decay
        self.rates = self._spread(rates)
        self.rate = float(rates[0]) if bool((rates == rates[0]).all()) else None  # where all have the same
        self.decay = self._spread(decays, only=self.optimiser.decays) if bool(decays.any()) else None
        self.unseen_rate, self.passes = None, []

    def _cut(self, rows: int) -> list[Passes] | list[LonePasses]:
        """The pack's members, as many together as the cache holds with batches of so many rows."""
        linears = [block.linear for block in self.pack.layers if isinstance(block, PackBlock)]
        activation = self.pack.spec.activation
        found = zip(self.optimiser.parameters, self._views(self.parameters), self._views(self.grad), strict=True)
        views = {id(owner): (value, grad) for owner, value, grad in found}
        layers = []
        for linear in (*linears, self.pack.head):
            (weight, weight_grad), (bias, bias_grad) = views[id(linear.weight)], views[id(linear.bias)]
            layers.append(Layer(weight, bias, weight_grad, bias_grad))
        members = len(self.optimiser.learning_rate)
        if members == 1:  # each layer's bias lies behind its weight
            shapes = [(layer.weight.shape[1] + 1, layer.weight.shape[2]) for layer in layers]
            sizes = [rows * columns for rows, columns in shapes]
            wholes, grads = (
                [part.view(shape) for part, shape in zip(vector.split(sizes), shapes, strict=True)]
                for vector in (self.parameters, self.grad)
            )
            return [LonePasses(wholes, grads, activation, self.loss)]
        widest = max(max(layer.weight.shape[1:]) for layer in layers)
        together = max(1, TOGETHER // (rows * widest))
        parts = (slice(first, min(first + together, members)) for first in range(0, members, together))
        return [Passes(layers, part, activation, self.loss) for part in parts]

    def _views(self, vector: Tensor) -> list[Tensor]:
        """A long vector as tensors of the parameters' shapes."""
        parts = vector.split([shape.numel() for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _spread(self, values: Tensor, only: list[bool] | None = None) -> Tensor:
        """(members,) numbers as one for each parameter; zero for those of `only` that are not meant."""
        meant = only or [True] * len(self.shapes)
        return torch.cat([
            values.view(-1, 1).expand(-1, shape[1:].numel()).flatten() * float(one)
            for shape, one in zip(self.shapes, meant, strict=True)
        ])  # fmt: skip


def _bare(tensor: Tensor) -> Tensor:
    """The same memory without the book that autograd keeps of every change: a third of a small network's step."""
    with torch.inference_mode():
        return torch.from_numpy(tensor.numpy())
