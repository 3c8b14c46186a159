"""The torch counterparts that take more than one line; `parity.ROWS` calls them by name as `twins.NAME(...)`."""

from __future__ import annotations

import torch
from torch import Tensor


def gradient_of_cubes(x: Tensor) -> Tensor:
    """Autograd's gradient of the sum of x³."""
    x = x.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad((x**3).sum(), x)
    return gradient
