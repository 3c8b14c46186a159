"""Lessons on learning: downhill, the way back through a network, batches, and better steps."""

from __future__ import annotations

from functools import partial

import numpy as np

from glasshouse.foundations import losses as wrong
from glasshouse.foundations import optimisers as rules
from glasshouse.foundations import schedules as plans
from glasshouse.foundations.activations import relu_derivative
from glasshouse.foundations.descent import gradient_descent as descend
from glasshouse.foundations.differences import numerical_gradient
from glasshouse.foundations.lessons.lesson import Numbers
from glasshouse.foundations.lessons.networks import ring
from glasshouse.foundations.network import network, network_backward, new_network
from glasshouse.foundations.tape import Node
from glasshouse.foundations.training import Recipe, train


def gradient_descent(seed: int) -> Numbers:
    """Gradient descent on a parabola.

    f(x) = x² + 2x + 1 has its minimum at -1. From 5, a rate of 0.1 keeps 0.8 of the distance in each step; 0.5 arrives
    at once, 1.0 jumps between 5 and -7 for ever, 1.1 runs away.
    """
    path = descend(lambda x: 2.0 * x + 2.0, 5.0, learning_rate=0.1, steps=10)
    rates = [0.01, 0.1, 0.5, 0.9, 1.0, 1.1]
    ends = [descend(lambda x: 2.0 * x + 2.0, 5.0, learning_rate=rate, steps=10)[-1] for rate in rates]
    return {
        "step": list(range(11)),
        "x": path.tolist(),
        "f": ((path + 1.0) ** 2).tolist(),
        "gradient": (2.0 * path + 2.0).tolist(),
        "learning_rate": rates,
        "x_after_10_steps": [float(end) for end in ends],
    }


def chain_rule(seed: int) -> Numbers:
    """The chain rule on a computational graph.

    loss = (relu(w·x + b) - 1)² at x = 2, w = 0.5, b = 0.1: the tape multiplies the local slopes on its way back, and
    gives what the product by hand gives.
    """
    x, w, b = Node(2.0), Node(0.5), Node(0.1)
    z = w * x + b
    y = z.relu()
    loss = (y - 1.0) ** 2.0
    loss.backward()
    slopes = {
        "dloss_dy": 2.0 * (float(y.value) - 1.0),
        "dy_dz": float(relu_derivative(z.value)),
        "dz_dw": float(x.value),
    }
    named = {"loss": loss, "y": y, "z": z, "w": w, "b": b, "x": x}
    return {
        "node": list(named),
        "value": [float(node.value) for node in named.values()],
        "gradient": [float(node.grad) for node in named.values()],
        **slopes,
        "dloss_dw_by_hand": slopes["dloss_dy"] * slopes["dy_dz"] * slopes["dz_dw"],
    }


def backpropagation(seed: int) -> Numbers:
    """Backpropagation, three times over.

    By the formulas, by the tape, and by moving every weight a little: the same gradient. The first two take one pass
    forward and one back, the third four passes forward for each weight. Then the network learns 200 rows of noise by
    heart, a little.
    """
    random = np.random.default_rng(seed)
    x, labels = random.normal(size=(200, 4)), random.integers(3, size=200)
    weights, biases = new_network((4, 16, 8, 3), random)
    grad = wrong.cross_entropy_gradient(network(x, weights, biases), labels)
    by_formula = network_backward(grad, x, weights, biases)[1][0]
    nodes = [Node(weight) for weight in weights]
    hidden = Node(x)
    for weight, bias in zip(nodes[:-1], biases[:-1], strict=True):
        hidden = (hidden @ weight + bias).relu()
    logits = hidden @ nodes[-1] + biases[-1]
    chosen = (logits * np.eye(3)[labels]).sum() - logits.exp().sum(axis=1).log().sum()
    (chosen * (-1.0 / 200.0)).backward()
    # With a step of 1e-3 some rows cross the kink of a ReLU on the way, and the gradient is off by 0.3 to 1.4 %.
    # This one is so small that none does, and costs two of ten digits.
    moved = numerical_gradient(
        lambda first: wrong.cross_entropy(network(x, [first, *weights[1:]], biases), labels), weights[0], step=1e-6
    )
    recipe = Recipe("cross_entropy", "relu", partial(rules.sgd, learning_rate=0.1), batch_size=200)
    trained = train(x, labels, weights, biases, [np.arange(200)] * 200, recipe)
    return {
        "parameters": sum(array.size for array in [*weights, *biases]),
        "formulas_differ_from_tape_by": float(np.max(np.abs(by_formula - nodes[0].grad))),
        "formulas_differ_from_differences_by": float(np.max(np.abs(by_formula - moved))),
        "largest_gradient": float(np.max(np.abs(by_formula))),
        "accuracy_before": float(np.mean(np.argmax(network(x, weights, biases), axis=1) == labels)),
        "accuracy_after": float(np.mean(np.argmax(network(x, *trained[:2]), axis=1) == labels)),
        "epoch": list(range(1, 201, 20)),
        "loss": trained[2][::20],
    }


def mini_batches(seed: int) -> Numbers:
    """Mini-batches: one epoch, many updates.

    The same ten epochs with batches of 1, 8, 64 and all 256 rows: fewer rows an update, more updates, and further
    down; but the more noise in each. 10,000 rows in batches of 32 make 312 whole batches an epoch and one of 16 rows,
    which a textbook may leave out.
    """
    random = np.random.default_rng(seed)
    x, labels = ring(random, rows=256)
    start = new_network((2, 16, 2), random)
    orders = [random.permutation(256) for _ in range(10)]
    sizes = [1, 8, 64, 256]
    ends = []
    for size in sizes:
        recipe = Recipe("cross_entropy", optimiser=partial(rules.sgd, learning_rate=0.05), batch_size=size)
        ends.append(train(x, labels, *start, orders, recipe))
    return {
        "batch_size": sizes,
        "updates": [10 * -(-256 // size) for size in sizes],
        "loss": [wrong.cross_entropy(network(x, *end[:2]), labels) for end in ends],
        "whole_batches_an_epoch": 10_000 // 32,
        "updates_in_100_epochs": 100 * -(-10_000 // 32),
        "of_whole_batches": 100 * (10_000 // 32),
    }


def optimisers(seed: int) -> Numbers:
    """Optimisers in a narrow valley.

    The floor of (x² + 100 y²) / 2 falls a hundred times more gently than its walls. Plain descent must step carefully
    because of the walls and crawls along the floor; momentum gathers speed, the others give each direction its own
    scale. Below, weight decay where the gradient is small and where it is large: as L2, Adam shrinks the one and
    hardly the other; AdamW shrinks both alike.
    """
    steepness = np.array([1.0, 100.0])
    chosen = {
        "sgd": partial(rules.sgd, learning_rate=0.018),
        "momentum": partial(rules.momentum, learning_rate=0.018),
        "rmsprop": partial(rules.rmsprop, learning_rate=0.05),
        "adam": partial(rules.adam, learning_rate=0.2),
    }
    loss: dict[str, list[float]] = {}
    for name, rule in chosen.items():
        place: rules.Array = np.array([5.0, 1.0])
        memory: rules.Memory = ()
        loss[name] = []
        for _ in range(101):
            loss[name].append(float(0.5 * np.sum(steepness * place**2)))
            place, memory = rule(place, steepness * place, memory)
    shrunk, decoupled = np.ones(2), np.ones(2)
    l2_memory: rules.Memory = ()
    adamw_memory: rules.Memory = ()
    for number in range(300):
        gradient = np.array([0.01, 100.0]) * (-1.0) ** number  # to and fro: only the decay goes anywhere
        shrunk, l2_memory = rules.adam(shrunk, gradient + 0.1 * shrunk, l2_memory, learning_rate=0.001)
        decoupled, adamw_memory = rules.adamw(decoupled, gradient, adamw_memory, learning_rate=0.001, weight_decay=0.1)
    return {
        "step": list(range(101)),
        "loss": loss,
        "loss_after_100_steps": {name: path[-1] for name, path in loss.items()},
        "gradient_size": [0.01, 100.0],
        "weight_left_by_l2_in_adam": shrunk.tolist(),
        "weight_left_by_adamw": decoupled.tolist(),
    }


def schedules(seed: int) -> Numbers:
    """Schedules: six plans for the learning rate.

    All reach 0.1, and `mean_rate` is what each spends on average. A staircase drops at once, a cosine slowly; a
    warm-up starts small; flat, then cosine is what glasshouse trains with.
    """
    steps = np.arange(101)
    rate = {
        "constant": plans.constant(steps, 0.1),
        "step_decay": plans.step_decay(steps, 0.1, every=30),
        "exponential": plans.exponential(steps, 0.1, factor=0.96),
        "cosine": plans.cosine(steps, 0.1, total=100),
        "warm_up_cosine": plans.warm_up_cosine(steps, 0.1, total=100, warm_up=10),
        "flat_cosine": plans.flat_cosine(steps, 0.1, total=100),
    }
    return {
        "step": steps.tolist(),
        "rate": {name: plan.tolist() for name, plan in rate.items()},
        "mean_rate": {name: float(np.mean(plan)) for name, plan in rate.items()},
    }
