"""The layers of a pack. Every parameter has a leading member axis; an input is (members, rows, features).

A layer that only the deeper members have holds the parameters of just those, the first few.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glasshouse.network.activations import activation_function

NORM_EPSILON = 1e-5  # torch's own


class PackLinear(nn.Module):
    """y = x W + b for every member, one `baddbmm` for all.

    Shapes:
        weight: (members, in_features, out_features); bias: (members, 1, out_features)
        input: (members, rows, in_features); output: (members, rows, out_features)

    Example:
        >>> PackLinear(5, 3, 2)(torch.zeros(5, 7, 3)).shape
        torch.Size([5, 7, 2])
    """

    def __init__(self, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, in_features, out_features))
        self.bias = nn.Parameter(torch.zeros(members, 1, out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Multiplies and adds."""
        return torch.baddbmm(self.bias, x, self.weight)

    def part(self, x: Tensor, first: int, last: int) -> Tensor:
        """The same for members `first` to `last` only; x holds just those."""
        return torch.baddbmm(self.bias[first:last], x, self.weight[first:last])


class PackPReLU(nn.Module):
    """PReLU whose slope every unit of every member learns, from 0.25 as torch has it.

    Source: He et al. 2015, "Delving Deep into Rectifiers".
    """

    def __init__(self, members: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((members, 1, features), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        """x where positive, slope times x elsewhere."""
        return torch.where(x > 0, x, x * self.weight)


class PackActivation(nn.Module):
    """An activation without parameters, by name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = activation_function(name)

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return self.function(x)


class PackLayerNorm(nn.Module):
    """Layer normalisation over the features of a row (Ba et al. 2016), scale and shift per member."""

    def __init__(self, members: int, features: int, eps: float = NORM_EPSILON) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, 1, features))
        self.bias = nn.Parameter(torch.zeros(members, 1, features))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Each row of each member to mean 0 and deviation 1, then scaled and shifted."""
        normal = nn.functional.layer_norm(x, x.shape[-1:], eps=self.eps)
        return torch.addcmul(self.bias, normal, self.weight)


class PackBatchNorm(nn.Module):
    """Batch normalisation over the rows of each member's own batch (Ioffe and Szegedy 2015), as torch computes it."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, members: int, features: int, eps: float = NORM_EPSILON, momentum: float = 0.1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(members, 1, features))
        self.bias = nn.Parameter(torch.zeros(members, 1, features))
        self.register_buffer("running_mean", torch.zeros(members, 1, features))
        self.register_buffer("running_var", torch.ones(members, 1, features))
        self.eps, self.momentum = eps, momentum

    def forward(self, x: Tensor) -> Tensor:
        """Normalises by the batch while training and by the running statistics otherwise."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
            # torch keeps the unbiased variance for later, though it divides by the biased one now.
            unbiased = variance.detach() * (x.shape[1] / max(x.shape[1] - 1, 1))
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        return torch.addcmul(self.bias, (x - mean) * torch.rsqrt(variance + self.eps), self.weight)


class PackDropout(nn.Module):
    """Dropout with a probability per member, to 1/256 exact; draws from its own generator, on that one's device.

    One random byte decides one unit: 3 to 7 times faster on a CPU than a Bernoulli draw, and the kept units are
    scaled by exactly the fraction that the rounded probability keeps.

    Source: Srivastava et al. 2014.
    """

    thresholds: Tensor

    def __init__(self, probability: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        thresholds = (probability.float() * 256).round().clamp(0, 255).to(torch.uint8)  # (members,)
        self.register_buffer("thresholds", thresholds, persistent=False)
        self.generator = generator
        self.drops = [threshold > 0 for threshold in thresholds.tolist()]  # a device would have to be waited for

    def forward(self, x: Tensor) -> Tensor:
        """Zeroes units of x (the first members, rows, features) while training, and scales the others up."""
        random = self.draw(x.shape) if self.training else None
        if random is None:
            return x
        return x * self.kept(random, self.thresholds[: x.shape[0]].to(random.device)).to(x.device)

    def keep(self, positions: Tensor) -> None:
        """Forgets the members that left."""
        self.thresholds = self.thresholds[positions]
        self.drops = [self.drops[place] for place in positions.tolist()]

    def draw(self, shape: Sequence[int]) -> Tensor | None:
        """A random byte for every unit (the first members, rows, features); None where no member drops any."""
        if not any(self.drops[: shape[0]]):
            return None
        units = math.prod(shape)
        words = torch.empty(-(-units // 8), dtype=torch.int64, device=self.generator.device)
        return words.random_(-(2**63), None, generator=self.generator).view(torch.uint8)[:units].view(*shape)

    @staticmethod
    def kept(random: Tensor, thresholds: Tensor, out: Tensor | None = None) -> Tensor:
        """What the units of some members are multiplied with: 0, or a little more than 1.

        Args:
            random: (members, rows, features), as drawn.
            thresholds: (members,) of these members.
            out: where to put it.
        """
        # Straight to floats: a product of booleans and floats takes four times as long.
        if out is None:
            out = torch.empty(random.shape, device=random.device)
        kept = torch.ge(random, thresholds.view(-1, 1, 1), out=out)
        return kept.mul_((256.0 / (256.0 - thresholds.float())).view(-1, 1, 1))


class PackBlock(nn.Module):
    """One hidden layer: linear, normalisation, activation, dropout, and a way around where the widths agree."""

    def __init__(
        self, members: int, in_features: int, out_features: int, *, activation: str, normalisation: str, skip: bool
    ) -> None:
        super().__init__()
        self.linear = PackLinear(members, in_features, out_features)
        norms: dict[str, type[nn.Module]] = {"layer": PackLayerNorm, "batch": PackBatchNorm}
        self.norm = norms[normalisation](members, out_features) if normalisation != "none" else None
        self.activation = PackPReLU(members, out_features) if activation == "prelu" else PackActivation(activation)
        self.around = skip and in_features == out_features

    def forward(self, x: Tensor, dropout: PackDropout | None = None) -> Tensor:
        """(members, rows, in_features) to (members, rows, out_features)."""
        h: Tensor = self.linear(x)
        if self.norm is not None:
            h = self.norm(h)
        h = self.activation(h)
        if dropout is not None:
            h = dropout(h)
        return x + h if self.around else h
