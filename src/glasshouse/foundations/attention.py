"""Attention: each place asks every place a question, and gets a mixture of their answers (Vaswani et al., 2017).

    attention(Q, K, V) = softmax(Q Kᵀ / √d) V

A query and a key that point the same way have a large product, and so a large share of that place's value. √d keeps
the products of d numbers each from growing with d, which would leave the softmax with one share of 1 and no gradient.
Any two places are one step apart, however far they are: that is what recurrent cells lack.

A mask says who may look where; a causal one lets each place look only back. With several heads, each works on its own
slice of the features.

Try this: all keys alike. What does every query get? (The mean of the values.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations.softmax import softmax, softmax_backward

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def attention_weights(query: Array, key: Array, mask: Mask | None = None) -> Array:
    """Who looks where: each query's shares of the keys, which add up to 1.

    Shapes:
        query: (..., queries, features); key: (..., keys, features); returns (..., queries, keys)
        mask: (queries, keys), true where looking is allowed. A query that may look nowhere gets nan, as torch's
        softmax of -∞ alone.
    """
    return softmax(_scores(query, key, mask))


def attention_weights_backward(grad: Array, query: Array, key: Array, mask: Mask | None = None) -> tuple[Array, Array]:
    """Back through the softmax, then as through any matrix product. What was masked has no share and no gradient."""
    grad = softmax_backward(grad, _scores(query, key, mask)) / math.sqrt(query.shape[-1])
    return grad @ key, np.swapaxes(grad, -1, -2) @ query


def _scores(query: Array, key: Array, mask: Mask | None) -> Array:
    scores = query @ np.swapaxes(key, -1, -2) / math.sqrt(query.shape[-1])
    return scores if mask is None else np.where(mask, scores, -np.inf)


def attention(query: Array, key: Array, value: Array, mask: Mask | None = None) -> Array:
    """The mixture of values for each query.

    Shapes:
        value: (..., keys, out_features); returns (..., queries, out_features); the others as above
    """
    return attention_weights(query, key, mask) @ value


def attention_backward(
    grad: Array, query: Array, key: Array, value: Array, mask: Mask | None = None
) -> tuple[Array, Array, Array]:
    """Gradients of the three: the values by the shares that they had, query and key through the shares."""
    weights_grad = grad @ np.swapaxes(value, -1, -2)
    value_grad = np.swapaxes(attention_weights(query, key, mask), -1, -2) @ grad
    return *attention_weights_backward(weights_grad, query, key, mask), value_grad


def multi_head_attention(x: Array, projections: list[Array], num_heads: int, mask: Mask | None = None) -> Array:
    """Self-attention with several heads: project, attend in each head, put the heads side by side, project again.

    Shapes:
        x: (rows, places, features); projections: four matrices (features, features), of query, key, value and output
    """
    query, key, value = (_heads(x @ weight, num_heads) for weight in projections[:3])
    return _joined(attention(query, key, value, mask)) @ projections[3]


def multi_head_attention_backward(
    grad: Array, x: Array, projections: list[Array], num_heads: int, mask: Mask | None = None
) -> tuple[Array, list[Array]]:
    """The same way back; x was used three times, so its gradients add up."""
    query, key, value = (_heads(x @ weight, num_heads) for weight in projections[:3])
    joined = _joined(attention(query, key, value, mask))
    into_heads = _heads(grad @ projections[3].T, num_heads)
    grads = [_joined(part) for part in attention_backward(into_heads, query, key, value, mask)]
    x_grad = sum((part @ weight.T for part, weight in zip(grads, projections[:3], strict=True)), np.zeros_like(x))
    return x_grad, [*(np.einsum("rpi,rpo->io", x, part) for part in grads), np.einsum("rpi,rpo->io", joined, grad)]


def _heads(x: Array, num_heads: int) -> Array:
    """(rows, places, features) to (rows, heads, places, features / heads)."""
    return np.swapaxes(x.reshape(*x.shape[:2], num_heads, -1), 1, 2)


def _joined(x: Array) -> Array:
    """The way back of `_heads`."""
    return np.swapaxes(x, 1, 2).reshape(x.shape[0], x.shape[2], -1)
