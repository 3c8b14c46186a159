"""Activations: the bend between two layers, without which any number of layers is one (`dense.collapse`).

An activation f works on each number alone, so its derivative f'(x) has the shape of x. On the way back a layer's
gradient is multiplied by f'(x): where that is near zero, the layers before it learn nothing. Read each pair for its
largest slope: sigmoid 1/4, tanh 1, ReLU exactly 1 on the whole positive side.

At a kink torch's convention is kept: the slope of ReLU and its relatives at 0 is that of the negative side.

Try this: which of them have a slope above 1, and where? (GELU in both forms, near x = 1.4, and SiLU, near 2.4:
`glasshouse learn activations` shows them.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The error function has no NumPy form; the standard library's is exact to the last digit, one number at a time.
_erf = np.vectorize(math.erf, otypes=[np.float64])
_SQRT_2_OVER_PI = math.sqrt(2.0 / math.pi)


def linear(x: Array) -> Array:
    """No activation at all (torch: Identity): right for the output of a regression, pointless between layers."""
    return np.asarray(x, dtype=np.float64)


def linear_derivative(x: Array) -> Array:
    """1 everywhere."""
    return np.ones_like(x, dtype=np.float64)


def step(x: Array) -> Array:
    """1 where x >= 0, else 0: the perceptron's threshold (Rosenblatt, 1958)."""
    return np.where(np.asarray(x) >= 0.0, 1.0, 0.0)


def step_derivative(x: Array) -> Array:
    """0 everywhere (at the jump there is none): nothing can be learnt through a step by gradients."""
    return np.zeros_like(x, dtype=np.float64)


def sigmoid(x: Array) -> Array:
    """σ(x) = 1 / (1 + e^-x): from (-∞, ∞) to (0, 1), a probability.

    Example:
        >>> sigmoid(np.array([-1000.0, 0.0, 2.0])).round(4)
        array([0.    , 0.5   , 0.8808])
    """
    # 1 / (1 + exp(-x)) as it stands overflows at x = -1000. e^-|x| is at most 1, and both halves of the curve
    # can be written with it: 1 / (1 + e^-x) for x >= 0, and the same times e^x / e^x for x < 0.
    small = np.exp(-np.abs(x))
    return np.where(np.asarray(x) >= 0.0, 1.0, small) / (1.0 + small)


def sigmoid_derivative(x: Array) -> Array:
    """σ'(x) = σ(x) (1 - σ(x)): at most 1/4, at 0; ten such layers leave less than a millionth of a gradient."""
    # 1 - σ(x) would be rounded to 0 from x = 37 on, where σ(-x), the same number, still has all its digits.
    return sigmoid(x) * sigmoid(-np.asarray(x))


def tanh(x: Array) -> Array:
    """The hyperbolic tangent (e^x - e^-x) / (e^x + e^-x) = 2σ(2x) - 1, from -1 to 1, centred on zero."""
    return np.tanh(x)


def tanh_derivative(x: Array) -> Array:
    """1 - tanh²(x) = 1 / cosh²(x): at most 1, at 0."""
    # 1 - tanh² has half of its digits left at x = 10 and none at 19, and cosh overflows at 711. The product of two
    # sigmoids does neither.
    return 4.0 * sigmoid(2.0 * np.asarray(x)) * sigmoid(-2.0 * np.asarray(x))


def relu(x: Array) -> Array:
    """max(0, x): the default between layers (Nair and Hinton, 2010)."""
    return np.maximum(0.0, x)


def relu_derivative(x: Array) -> Array:
    """1 where x > 0, else 0. A unit that is negative on every row has no gradient left: it is dead."""
    return np.where(np.asarray(x) > 0.0, 1.0, 0.0)


def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """x where x > 0, else slope · x: never quite dead (Maas, Hannun and Ng, 2013)."""
    return np.where(np.asarray(x) > 0.0, x, slope * np.asarray(x))


def leaky_relu_derivative(x: Array, slope: float = 0.01) -> Array:
    """1 where x > 0, else the slope."""
    return np.where(np.asarray(x) > 0.0, 1.0, slope)


def prelu(x: Array, slope: Array) -> Array:
    """Leaky ReLU whose slope, one a feature, is learnt as well (He et al., 2015).

    Shapes:
        x: (rows, features); slope: (features,)
    """
    return np.where(x > 0.0, x, slope * x)


def prelu_backward(grad: Array, x: Array, slope: Array) -> tuple[Array, Array]:
    """Gradients of x and of the slope. A feature's slope serves every row, so its gradients add up over the rows."""
    return grad * np.where(x > 0.0, 1.0, slope), np.sum(grad * np.minimum(x, 0.0), axis=0)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """x where x > 0, else α (e^x - 1): smooth, with a mean nearer to zero (Clevert et al., 2016)."""
    # e^x is wanted for x <= 0 alone. Without the minimum it would overflow where the other branch is taken,
    # and e^x - 1 would be rounded away near 0: expm1 keeps its digits.
    return np.where(np.asarray(x) > 0.0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def elu_derivative(x: Array, alpha: float = 1.0) -> Array:
    """1 where x > 0, else α e^x."""
    return np.where(np.asarray(x) > 0.0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


def gelu(x: Array) -> Array:
    """x Φ(x), where Φ(x) is the chance that a standard normal number lies below x (Hendrycks and Gimpel, 2016)."""
    return np.multiply(x, _normal_below(x))


def gelu_derivative(x: Array) -> Array:
    """Φ(x) + x φ(x), with φ the normal density: reaches 1.13 near x = 1.41, and is negative below -0.75."""
    density = np.exp(-0.5 * np.square(x)) / math.sqrt(2.0 * math.pi)
    return _normal_below(x) + np.asarray(x) * density


def _normal_below(x: Array) -> Array:
    return np.asarray(0.5 * (1.0 + _erf(np.asarray(x) / math.sqrt(2.0))))


def gelu_tanh(x: Array) -> Array:
    """GELU by the approximation in its paper, as GPT-2 uses it: Φ(x) ≈ (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2."""
    x = np.asarray(x)
    return 0.5 * x * (1.0 + np.tanh(_SQRT_2_OVER_PI * (x + 0.044715 * x**3)))


def gelu_tanh_derivative(x: Array) -> Array:
    """The product rule, then the chain rule through tanh: it differs from `gelu_derivative` by at most 0.0009."""
    x = np.asarray(x)
    inner = _SQRT_2_OVER_PI * (x + 0.044715 * x**3)
    inner_slope = _SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044715 * x**2)
    return 0.5 * (1.0 + np.tanh(inner)) + 0.5 * x * tanh_derivative(inner) * inner_slope


def silu(x: Array) -> Array:
    """x σ(x), also called Swish (Elfwing et al., 2018; Ramachandran et al., 2017)."""
    return np.asarray(x) * sigmoid(x)


def silu_derivative(x: Array) -> Array:
    """σ(x) + x σ(x) (1 - σ(x)): reaches 1.0998 at x = 2.4."""
    return sigmoid(x) + np.asarray(x) * sigmoid_derivative(x)
