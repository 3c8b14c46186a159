"""The torch counterparts that take more than one line; `parity.ROWS` calls them by name as `twins.NAME(...)`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import lr_scheduler

RATE, STEPS = 0.3, 12  # as the rows of the schedules have them


def perceptron(x: Tensor, actual: Tensor) -> tuple[Any, ...]:
    """SGD at rate 1 on the perceptron's criterion, a row at a time: (weight, bias, mistakes, converged, repeats)."""
    layer = nn.Linear(x.shape[1], 1, dtype=torch.float64)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    mistakes: list[int] = []
    while not mistakes or mistakes[-1]:
        mistakes.append(0)
        for row, answer in zip(x, actual, strict=True):
            optimiser.zero_grad()
            z = layer(row)[0]
            error = answer - (z.detach() >= 0).double()
            (-error * z).backward()
            optimiser.step()
            mistakes[-1] += int(error != 0)
    return layer.weight[0], layer.bias[0], mistakes, True, False


def best_line(x: Tensor, actual: Tensor) -> float:
    """The best of a fine grid of lines."""
    best = 0.0
    for angle, offset in itertools.product(torch.linspace(0, 2 * math.pi, 181), torch.linspace(-2, 2, 81)):
        fires = x @ torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64) > float(offset) + 1e-6
        best = max(best, float((fires == (actual == 1)).double().mean()))
    return best


def linear_layer(weight: Tensor, bias: Tensor) -> nn.Linear:
    """torch's layer with our weight, which it keeps transposed."""
    layer = nn.Linear(weight.shape[0], weight.shape[1], dtype=torch.float64)
    layer.weight, layer.bias = nn.Parameter(weight.T.clone()), nn.Parameter(bias.clone())
    return layer


def collapse(first_weight: Tensor, first_bias: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """What two layers do to the unit rows, and to zero."""
    both = nn.Sequential(linear_layer(first_weight, first_bias), linear_layer(weight, bias))
    zero = both(torch.zeros(first_weight.shape[0], dtype=torch.float64))
    return both(torch.eye(first_weight.shape[0], dtype=torch.float64)) - zero, zero


def layers(sizes: Sequence[int]) -> list[nn.Linear]:
    """torch's layers of a dense network."""
    return [nn.Linear(inputs, outputs) for inputs, outputs in itertools.pairwise(sizes)]


def layer_shapes(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(inputs, outputs) of each."""
    return [(layer.in_features, layer.out_features) for layer in layers(sizes)]


def count_parameters(sizes: Sequence[int]) -> tuple[int, int]:
    """(weights, biases)."""
    made = layers(sizes)
    return sum(layer.weight.numel() for layer in made), sum(layer.bias.numel() for layer in made)


def spread(initialise: Callable[..., Any], inputs: int, outputs: int, **options: Any) -> Tensor:
    """What torch draws with: the standard deviation, or the upper bound, in the shape (inputs, outputs)."""
    weight = torch.empty(outputs, inputs, dtype=torch.float64)
    with (
        mock.patch.object(Tensor, "normal_", lambda self, mean, std, generator=None: self.fill_(std)),
        mock.patch.object(Tensor, "uniform_", lambda self, low, high, generator=None: self.fill_(high)),
    ):
        initialise(weight, **options)
    return weight.T


def spreads(x: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """After each layer."""
    found = []
    for weight in weights:
        x = torch.tanh(x @ weight)
        found.append(torch.std(x, correction=0))
    return found


def descend(start: float, learning_rate: float, steps: int) -> Tensor:
    """The path of torch's SGD on x² + 2x + 1."""
    x = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimiser = torch.optim.SGD([x], lr=learning_rate)
    path = [x.detach().clone()]
    for _ in range(steps):
        optimiser.zero_grad()
        (x**2 + 2 * x + 1).backward()
        optimiser.step()
        path.append(x.detach().clone())
    return torch.stack(path)


def gradient_of_cubes(x: Tensor) -> Tensor:
    """Autograd's gradient of the sum of x³."""
    x = x.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad((x**3).sum(), x)
    return gradient


def gradients(function: Callable[..., Tensor], values: list[Tensor]) -> tuple[Tensor, ...]:
    """Autograd's gradients of the same function."""
    wanted = [value.clone().requires_grad_(True) for value in values]
    return torch.autograd.grad(function(*wanted), wanted)


def new_network(sizes: Sequence[int]) -> tuple[list[Tensor], list[Tensor]]:
    """He's spread for every weight, zero for every bias."""
    shapes = list(itertools.pairwise(sizes))
    weights = [spread(nn.init.kaiming_normal_, *shape, nonlinearity="relu") for shape in shapes]
    return weights, [torch.zeros(outputs) for _, outputs in shapes]


def layer_values(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """(input, sum) of each layer."""
    values = []
    for weight, bias in zip(weights, biases, strict=True):
        values.append((x, functional.linear(x, weight.T, bias)))
        x = torch.tanh(values[-1][1])
    return values


def network(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    """The last layer's sums."""
    return layer_values(x, weights, biases)[-1][1]


def gradient_norms(grad: Tensor, x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> list[Tensor]:
    """The length of autograd's gradient of each weight."""
    wanted = [weight.clone().requires_grad_(True) for weight in weights]
    found = torch.autograd.grad((network(x, wanted, biases) * grad).sum(), wanted)
    return [torch.linalg.norm(gradient) for gradient in found]


def train(
    x: Tensor, actual: Tensor, weights: list[Tensor], biases: list[Tensor], orders: list[Tensor]
) -> tuple[list[Tensor], list[Tensor], list[float]]:
    """The textbook's loop, with the row's recipe: tanh, squared error, SGD at 0.05, batches of 4."""
    made = [linear_layer(weight, bias) for weight, bias in zip(weights, biases, strict=True)]
    model = nn.Sequential(*[part for layer in made for part in (layer, nn.Tanh())][:-1])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    history = []
    for order in orders:
        losses = []
        for batch in order.split(4):
            optimiser.zero_grad()
            loss = functional.mse_loss(model(x[batch]), actual[batch])
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
    return [layer.weight.T for layer in made], [layer.bias for layer in made], history


def step(optimiser: type[torch.optim.Optimizer], parameter: Tensor, gradient: Tensor, **options: Any) -> list[Tensor]:
    """The parameter after the first step, and what the optimiser remembers, in our order."""
    moved = nn.Parameter(parameter.clone())
    moved.grad = gradient.clone()
    made = optimiser([moved], **options)
    made.step()
    memory = made.state[moved]
    names = ("momentum_buffer", "exp_avg", "exp_avg_sq", "square_avg", *(("step",) if "exp_avg" in memory else ()))
    return [moved, *(memory[name] for name in names if memory.get(name) is not None)]


def rates(name: str, **options: Any) -> Tensor:
    """The rate at each step under a scheduler of that name."""
    return _rates(lambda optimiser: getattr(lr_scheduler, name)(optimiser, **options))


def warmed_up_rates() -> Tensor:
    """Four steps up, then the cosine."""
    return _in_a_row(4, lambda optimiser: lr_scheduler.LinearLR(optimiser, start_factor=0.25, total_iters=3))


def flat_rates() -> Tensor:
    """Six steps flat, then the cosine."""
    return _in_a_row(6, lambda optimiser: lr_scheduler.ConstantLR(optimiser, factor=1.0))


def _in_a_row(first: int, make: Callable[..., Any]) -> Tensor:
    def both(optimiser: torch.optim.Optimizer) -> Any:
        after = lr_scheduler.CosineAnnealingLR(optimiser, T_max=STEPS - first)
        return lr_scheduler.SequentialLR(optimiser, [make(optimiser), after], milestones=[first])

    return _rates(both)


def _rates(make: Callable[..., Any]) -> Tensor:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=RATE)
    scheduler = make(optimiser)
    found = []
    for _ in range(STEPS):
        found.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return torch.tensor(found, dtype=torch.float64)


def clipped(clip: Callable[..., Any], gradients: list[Tensor], most: float) -> list[Tensor]:
    """The gradients after torch's clipping."""
    parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    clip(parameters, most)
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def running_statistics(x: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """What torch's batch normalisation remembers after one batch."""
    layer = nn.BatchNorm1d(x.shape[1], dtype=torch.float64)
    layer.running_mean, layer.running_var = mean.clone(), variance.clone()
    layer(x)
    assert layer.running_mean is not None and layer.running_var is not None
    return layer.running_mean, layer.running_var


def rnn_cell(x: Tensor, hidden: Tensor, input_weight: Tensor, hidden_weight: Tensor, bias: Tensor) -> Tensor:
    """torch's cell, with zero for its second bias."""
    return torch.rnn_tanh_cell(x, hidden, input_weight.T, hidden_weight.T, bias, torch.zeros_like(bias))


def lstm_cell(
    x: Tensor, hidden: Tensor, memory: Tensor, input_weight: Tensor, hidden_weight: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """torch's cell, with zero for its second bias."""
    return torch.lstm_cell(x, [hidden, memory], input_weight.T, hidden_weight.T, bias, torch.zeros_like(bias))


def gru_cell(x: Tensor, hidden: Tensor, input_weight: Tensor, hidden_weight: Tensor, *biases: Tensor) -> Tensor:
    """torch's cell."""
    return torch.gru_cell(x, hidden, input_weight.T, hidden_weight.T, *biases)


def run(kind: type[nn.RNNBase], xs: Tensor, state: tuple[Tensor, ...], *parameters: Tensor) -> Tensor:
    """All outputs of torch's recurrent layer with our parameters."""
    layer = kind(xs.shape[2], state[0].shape[1]).double()
    input_weight, hidden_weight, *biases = parameters
    biases = biases if len(biases) == 2 else [biases[0], torch.zeros_like(biases[0])]
    values = (input_weight.T, hidden_weight.T, *biases)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    states = tuple(part[None] for part in state)
    start = states if len(states) > 1 else states[0]
    output: Tensor
    output, _ = torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (xs, start))
    return output


def attention_weights(query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the scores, those that are masked at minus infinity."""
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return torch.softmax(scores.masked_fill(~mask, -math.inf), -1)


def multi_head_attention(x: Tensor, projections: list[Tensor], num_heads: int, mask: Tensor) -> Tensor:
    """torch's self-attention with our projections, batch first; its mask says where not to look."""
    nothing = torch.zeros(3 * x.shape[2], dtype=torch.float64)
    output, _ = functional.multi_head_attention_forward(
        *(3 * [x.transpose(0, 1)]), embed_dim_to_check=x.shape[2], num_heads=num_heads,
        in_proj_weight=torch.cat([weight.T for weight in projections[:3]]), in_proj_bias=nothing,
        bias_k=None, bias_v=None, add_zero_attn=False, dropout_p=0.0,
        out_proj_weight=projections[3].T, out_proj_bias=nothing[: x.shape[2]], need_weights=False, attn_mask=~mask,
    )  # fmt: skip
    return output.transpose(0, 1)
