"""Architecture: how many numbers a network of given layer sizes learns.

    parameters = Σ over layers (inputs · outputs + outputs)

The input layer computes nothing: its size is the number of features. The output layer's size follows from the task: 1
for a number or for yes and no, one a class otherwise. What lies between is ours to choose: width (units a layer) buys
capacity at the price of width² weights, depth (layers) builds features of features.

Try this: 784 inputs and 10 classes. Which is larger, one hidden layer of 1024 or five of 64? (The one: 814,090 against
67,530.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def layer_shapes(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """The shape (in_features, out_features) of each layer's weight matrix.

    Args:
        sizes: inputs, hidden units of each layer, outputs.

    Example:
        >>> layer_shapes([4, 8, 4, 1])
        [(4, 8), (8, 4), (4, 1)]
    """
    return list(pairwise(sizes))


def count_parameters(sizes: Sequence[int]) -> tuple[int, int]:
    """How many (weights, biases) a dense network of these sizes learns.

    Example:
        >>> count_parameters([4, 8, 4, 1])  # 32 + 32 + 4 and 8 + 4 + 1: 81 in all
        (68, 13)
    """
    return sum(inputs * outputs for inputs, outputs in layer_shapes(sizes)), sum(sizes[1:])
