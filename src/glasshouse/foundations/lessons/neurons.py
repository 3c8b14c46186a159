"""Lessons on one neuron and one layer."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from glasshouse.foundations import activations as bends
from glasshouse.foundations.activations import sigmoid
from glasshouse.foundations.architecture import count_parameters
from glasshouse.foundations.dense import collapse as collapsed
from glasshouse.foundations.dense import dense
from glasshouse.foundations.initialisation import xavier_normal
from glasshouse.foundations.lessons.lesson import Numbers
from glasshouse.foundations.network import network, new_network
from glasshouse.foundations.neuron import neuron as fire
from glasshouse.foundations.neuron import threshold_neuron
from glasshouse.foundations.optimisers import adam
from glasshouse.foundations.perceptron import best_line, decision_line, learn, predict
from glasshouse.foundations.softmax import softmax as probabilities
from glasshouse.foundations.training import Recipe, train

Array = NDArray[np.float64]
CORNERS: Array = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TASKS = {"AND": (0, 0, 0, 1), "OR": (0, 1, 1, 1), "NAND": (1, 1, 1, 0), "XOR": (0, 1, 1, 0)}
ARCHITECTURES = {
    "one layer": (10, 5),
    "small": (4, 8, 4, 1),
    "two hidden layers": (10, 20, 10, 1),
    "digits": (784, 256, 128, 10),
    "shallow and wide": (784, 1024, 10),
    "deep and narrow": (784, 128, 64, 32, 16, 10),
    "very deep": (784, 64, 64, 64, 64, 64, 64, 10),
}
ELEMENTWISE = ("linear", "step", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu")


def neuron(seed: int) -> Numbers:
    """The neuron: weigh, add, bend.

    The threshold neuron fires when its weighted sum reaches the threshold. The second neuron adds a bias and bends the
    sum with an activation: the same sum, seven outputs.
    """
    x, weight = np.array([0.5, 0.3, 0.8]), np.array([0.4, 0.6, 0.2])
    second_x, second_weight, bias = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.6, 0.8]), 0.1
    names = ("linear", "step", "sigmoid", "tanh", "relu", "gelu", "silu")
    return {
        "weighted_sum": float(x @ weight),
        "threshold": 0.5,
        "fires": float(threshold_neuron(x, weight, 0.5)),
        "second_weighted_sum": float(second_x @ second_weight + bias),
        "activation": list(names),
        "output": [float(fire(second_x, second_weight, bias, getattr(bends, name))) for name in names],
    }


def perceptron(seed: int) -> Numbers:
    """The perceptron: AND, OR, NAND, and never XOR.

    It stops when an epoch has no mistake, or when its weights come back to where they were: then it would go round for
    ever, which proves that no line separates the answers. `best_line` is what the best of all lines gets right.
    """
    found = {task: learn(CORNERS, np.array(answers, dtype=float)) for task, answers in TASKS.items()}
    lines = {
        task: decision_line(end.weight, end.bias) if end.converged else (None, None) for task, end in found.items()
    }
    return {
        "task": list(found),
        "learnt": [end.converged for end in found.values()],
        "epochs": [len(end.mistakes) for end in found.values()],
        "goes_round_for_ever": [end.repeats for end in found.values()],
        "line_slope": [slope for slope, _ in lines.values()],
        "line_intercept": [intercept for _, intercept in lines.values()],
        "best_line": [best_line(CORNERS, np.array(answers)) for answers in TASKS.values()],
    }


def xor(seed: int) -> Numbers:
    """XOR: one neuron cannot, two layers can.

    Two hidden neurons each draw a line, AND and OR, and the output fires between them: first with weights made by
    hand, then with weights that training has found from a random start.
    """
    answers = np.array(TASKS["XOR"], dtype=float)
    alone = learn(CORNERS, answers)
    by_hand = sigmoid(dense(CORNERS, np.full((2, 2), 20.0), np.array([-30.0, -10.0])))
    by_hand = sigmoid(dense(by_hand, np.array([[-60.0], [60.0]]), np.array([-30.0])))[:, 0]
    random = np.random.default_rng(seed)
    recipe = Recipe("binary_cross_entropy", "tanh", partial(adam, learning_rate=0.05), batch_size=4)
    start = new_network((2, 8, 1), random, xavier_normal)
    weights, biases, losses = train(CORNERS, answers[:, None], *start, [np.arange(4)] * 400, recipe)
    trained = sigmoid(network(CORNERS, weights, biases, "tanh"))[:, 0]
    return {
        "perceptron_accuracy": float(np.mean(predict(CORNERS, alone.weight, alone.bias) == answers)),
        "best_line_accuracy": best_line(CORNERS, answers),
        "hand_made_accuracy": float(np.mean((by_hand > 0.5) == answers)),
        "network_accuracy": float(np.mean((trained > 0.5) == answers)),
        "loss_at_first": losses[0],
        "loss_at_last": losses[-1],
        "inputs": [" ".join(f"{value:.0f}" for value in corner) for corner in CORNERS],
        "answer": answers.tolist(),
        "hand_made": by_hand.tolist(),
        "trained": trained.tolist(),
    }


def parameters(seed: int) -> Numbers:
    """Layer sizes: how many numbers are learnt.

    Every input of a layer has a weight to every output, and every output a bias. Width costs its square; a deep and
    narrow network has fewer numbers than a shallow and wide one.
    """
    counts = [count_parameters(sizes) for sizes in ARCHITECTURES.values()]
    return {
        "network": list(ARCHITECTURES),
        "sizes": ["-".join(map(str, sizes)) for sizes in ARCHITECTURES.values()],
        "layers": [len(sizes) - 1 for sizes in ARCHITECTURES.values()],
        "weights": [weights for weights, _ in counts],
        "biases": [biases for _, biases in counts],
        "parameters": [weights + biases for weights, biases in counts],
    }


def activations(seed: int) -> Numbers:
    """Activations: eleven bends and their slopes.

    Where a slope is near zero the layers before it learn nothing: sigmoid's is at most 1/4, ReLU's is 1 or 0. PReLU is
    leaky ReLU with a slope that is learnt, here 0.25.
    """
    x = np.linspace(-5.0, 5.0, 101).round(1)
    values = {name: getattr(bends, name)(x).tolist() for name in ELEMENTWISE}
    slopes = {name: getattr(bends, f"{name}_derivative")(x).tolist() for name in ELEMENTWISE}
    learnt = np.array([0.25])
    values["prelu"] = bends.prelu(x[:, None], learnt)[:, 0].tolist()
    slopes["prelu"] = bends.prelu_backward(np.ones((101, 1)), x[:, None], learnt)[0][:, 0].tolist()
    largest = {name: max(slope) for name, slope in slopes.items()}
    return {"x": x.tolist(), "values": values, "slopes": slopes, "largest_slope": largest}


def collapse(seed: int) -> Numbers:
    """Linear layers collapse into one.

    Two layers without a bend between them give what one layer gives, and so do twenty, but for rounding.
    Depth without activations buys nothing.
    """
    first, first_bias = np.array([[1.0, 2.0], [3.0, 4.0]]).T, np.array([1.0, 1.0])
    second, second_bias = np.array([[0.5, -0.5], [0.5, 0.5]]).T, np.zeros(2)
    x = np.array([1.0, 2.0])
    random = np.random.default_rng(seed)
    deep = [(random.normal(scale=0.5, size=(4, 4)), random.normal(size=4)) for _ in range(20)]
    rows = random.normal(size=(50, 4))
    one, layered = deep[0], rows
    for following in deep[1:]:
        one = collapsed(*one, *following)
    for layer in deep:
        layered = dense(layered, *layer)
    return {
        "two_layers": dense(dense(x, first, first_bias), second, second_bias).tolist(),
        "one_layer": dense(x, *collapsed(first, first_bias, second, second_bias)).tolist(),
        "twenty_layers_differ_by": float(np.max(np.abs(layered - dense(rows, *one)))),
    }


def softmax(seed: int) -> Numbers:
    """Softmax: scores into probabilities.

    A higher score takes a larger share. Adding 1000 to all scores changes nothing, if the largest is taken away first;
    e^1000 alone is beyond every float. For yes and no, the sigmoid of one score does the same.
    """
    scores = {
        "first": [2.0, 1.0, 0.1],
        "higher": [3.0, 1.0, 0.1],
        "large": [1000.0, 1001.0, 1002.0],
        "output": [2.1, 0.5, -1.0],
    }
    with np.errstate(over="ignore"):
        naive = bool(np.all(np.isfinite(np.exp(np.array(scores["large"])))))
    shares = {name: probabilities(np.array(row)) for name, row in scores.items()}
    shifted = probabilities(np.array(scores["first"]) + 1000.0)
    return {
        "class": [0, 1, 2],
        "scores": scores,
        "probabilities": {name: row.tolist() for name, row in shares.items()},
        "naive_powers_are_finite": naive,
        "shift_by_1000_changes": float(np.max(np.abs(shifted - shares["first"]))),
        "sigmoid_of_1.5": float(sigmoid(np.array(1.5))),
    }
