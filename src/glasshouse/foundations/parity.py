"""One table: each of our functions, its torch counterpart, the inputs both are given, and how closely they must agree.

The tests run it, `docs/foundations.md` prints it, and a public function of these files that has no row fails a test.
A row says what torch computes as an expression over the inputs' names, so that this file needs no torch:
`F` is torch.nn.functional, `twins` are the few counterparts that take more than one line (tests/parity/twins.py).

A row with a derivative (`backward`) is climbed as a ladder: against central differences of our own function, against
torch's autograd of the counterpart, and by torch's `gradcheck`; and each of these is shown to reject an error of 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from glasshouse.foundations.drawing import Fixed, Inputs, draw, given, whole
from glasshouse.foundations.optimisers import sgd
from glasshouse.foundations.training import Recipe


@dataclass(frozen=True)
class Row:
    """One function and its counterpart.

    Args:
        ours: file and function, such as "activations.gelu".
        torch: the same in torch, an expression over the names of the inputs.
        inputs: draws the arguments by name; arrays of floats, and lists of them, are what is differentiated.
        backward: the name of its derivative in the same file; empty where it has none.
        tolerance: the largest difference allowed, relative to the largest number compared.
        note: where the two could differ, and why they do not.
    """

    ours: str
    torch: str
    inputs: Callable[[np.random.Generator], Inputs]
    backward: str = ""
    tolerance: float = 1e-12
    note: str = ""


_OR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0.0, 1.0, 1.0, 1.0])
_or = draw(x=given(_OR[0]), actual=given(_OR[1]))
_bent = lambda a, b: ((a @ b + 1.0).tanh() * (a * a).sum()).sum()  # noqa: E731 - of nodes and of tensors alike
_x = draw(x=(5, 4))
_pair = draw(outputs=(6, 2), actual=(6, 2))
_step = draw(parameter=(3, 2), gradient=(3, 2))
_steps = given(np.arange(12))
_affine = {"scale": (4,), "shift": (4,)}
_unfilled = draw(inputs=7, outputs=5, random=given(Fixed()))
_layers = {"weights": [(3, 5), (5, 4), (4, 2)], "biases": [(5,), (4,), (2,)]}
_net = {"x": (6, 3), **_layers, "activation": "tanh"}  # no kink to fall on
_image = {"x": (2, 3, 6, 7)}
_rnn = {"input_weight": (3, 5), "hidden_weight": (5, 5), "bias": (5,)}
_lstm = {"input_weight": (3, 20), "hidden_weight": (5, 20), "bias": (20,)}
_gru = {"input_weight": (3, 15), "hidden_weight": (5, 15), "input_bias": (15,), "hidden_bias": (15,)}
_asked = {"query": (2, 4, 3), "key": (2, 5, 3)}
_back = {"mask": given(np.tri(4, 5, 1, dtype=bool))}
_recipe = Recipe(activation="tanh", optimiser=partial(sgd, learning_rate=0.05), batch_size=4)
_orders = {"orders": lambda random: [random.permutation(6) for _ in range(3)], "recipe": given(_recipe)}

# fmt: off
ROWS: tuple[Row, ...] = (
    Row("neuron.threshold_neuron", "(x @ weight >= threshold).double()", draw(x=(9, 3), weight=(3,), threshold=0.5)),
    Row("neuron.neuron", "torch.tanh(x @ weight + bias)",
        draw(x=(9, 3), weight=(3,), bias=0.1, activation=given(np.tanh))),
    Row("perceptron.predict", "(x @ weight + bias >= 0).double()", draw(x=(9, 3), weight=(3,), bias=0.1)),
    Row("perceptron.learn", "twins.perceptron(x, actual)", _or, note="the twin is SGD on the rows that are wrong"),
    Row("perceptron.decision_line", "(-weight[0] / weight[1], -bias / weight[1])", draw(weight=(2,), bias=0.3)),
    Row("perceptron.best_line", "twins.best_line(x, actual)", _or, note="the twin tries a fine grid of lines"),
    Row("activations.linear", "nn.Identity()(x)", _x, "linear_derivative"),
    Row("activations.step", "(x >= 0).double()", _x, "step_derivative", note="1 at 0, as the perceptron has it"),
    Row("activations.sigmoid", "torch.sigmoid(x)", _x, "sigmoid_derivative"),
    Row("activations.tanh", "torch.tanh(x)", _x, "tanh_derivative"),
    Row("activations.relu", "F.relu(x)", _x, "relu_derivative", note="slope 0 at 0, as torch"),
    Row("activations.leaky_relu", "F.leaky_relu(x, slope)", draw(x=(5, 4), slope=0.2), "leaky_relu_derivative"),
    Row("activations.prelu", "F.prelu(x, slope)", draw(x=(5, 4), slope=(4,)), "prelu_backward"),
    Row("activations.elu", "F.elu(x, alpha)", draw(x=(5, 4), alpha=0.7), "elu_derivative"),
    Row("activations.gelu", "F.gelu(x)", _x, "gelu_derivative"),
    Row("activations.gelu_tanh", "F.gelu(x, approximate='tanh')", _x, "gelu_tanh_derivative"),
    Row("activations.silu", "F.silu(x)", _x, "silu_derivative"),
    Row("softmax.log_sum_exp", "torch.logsumexp(x, -1, keepdim=True)", _x, "log_sum_exp_backward"),
    Row("softmax.softmax", "torch.softmax(x, -1)", _x, "softmax_backward"),
    Row("softmax.log_softmax", "torch.log_softmax(x, -1)", _x, "log_softmax_backward"),
    Row("dense.dense", "F.linear(x, weight.T, bias)", draw(x=(5, 3), weight=(3, 4), bias=(4,)), "dense_backward",
        note="torch keeps the weight transposed"),
    Row("dense.collapse", "twins.collapse(first_weight, first_bias, weight, bias)",
        draw(first_weight=(3, 4), first_bias=(4,), weight=(4, 2), bias=(2,))),
    Row("architecture.layer_shapes", "twins.layer_shapes(sizes)", draw(sizes=given((4, 8, 4, 1)))),
    Row("architecture.count_parameters", "twins.count_parameters(sizes)", draw(sizes=given((784, 256, 128, 10)))),
    Row("initialisation.xavier_normal", "twins.spread(nn.init.xavier_normal_, inputs, outputs)", _unfilled,
        note="compared by the spread (or bound) that the numbers are drawn with; so are the next three"),
    Row("initialisation.xavier_uniform", "twins.spread(nn.init.xavier_uniform_, inputs, outputs)", _unfilled),
    Row("initialisation.he_normal", "twins.spread(nn.init.kaiming_normal_, inputs, outputs, nonlinearity='relu')",
        _unfilled),
    Row("initialisation.he_uniform", "twins.spread(nn.init.kaiming_uniform_, inputs, outputs, nonlinearity='relu')",
        _unfilled),
    Row("initialisation.spreads", "twins.spreads(x, weights)",
        draw(x=(9, 3), weights=[(3, 5), (5, 4)], activation=given(np.tanh)), note="torch.std with correction=0"),
    Row("losses.mean_squared_error", "F.mse_loss(outputs, actual)", _pair, "mean_squared_error_gradient"),
    Row("losses.mean_absolute_error", "F.l1_loss(outputs, actual)", _pair, "mean_absolute_error_gradient"),
    Row("losses.huber", "F.huber_loss(outputs, actual, delta=delta)", draw(outputs=(6, 2), actual=(6, 2), delta=0.8),
        "huber_gradient"),
    Row("losses.binary_cross_entropy", "F.binary_cross_entropy_with_logits(logits, actual)",
        draw(logits=(8,), actual=lambda random: random.integers(2, size=8) * 1.0), "binary_cross_entropy_gradient"),
    Row("losses.cross_entropy", "F.cross_entropy(logits, labels)", draw(logits=(5, 4), labels=whole(5, 4)),
        "cross_entropy_gradient"),
    Row("descent.gradient_descent", "twins.descend(start, learning_rate, steps)",
        draw(gradient=given(lambda x: 2.0 * x + 2.0), start=5.0, learning_rate=0.1, steps=10)),
    Row("differences.numerical_gradient", "twins.gradient_of_cubes(x)",
        draw(function=given(lambda x: float((x**3).sum())), x=(3, 2)), tolerance=1e-9),
    Row("tape.gradients", "twins.gradients(function, values)", draw(function=given(_bent), values=[(3, 2), (2, 4)])),
    Row("network.new_network", "twins.new_network(sizes)", draw(sizes=given((3, 5, 2)), random=given(Fixed()))),
    Row("network.layer_values", "twins.layer_values(x, weights, biases)", draw(**_net)),
    Row("network.network", "twins.network(x, weights, biases)", draw(**_net), "network_backward"),
    Row("training.mini_batches", "order.split(batch_size)",
        draw(order=lambda random: random.permutation(10), batch_size=4)),
    Row("training.train", "twins.train(x, actual, weights, biases, orders)",
        draw(x=(6, 3), actual=(6, 2), **_layers, **_orders)),
    # One step from an empty memory; tests/foundations/test_optimisers.py takes 200 of each.
    Row("optimisers.sgd", "twins.step(torch.optim.SGD, parameter, gradient, lr=0.01)", _step),
    Row("optimisers.momentum", "twins.step(torch.optim.SGD, parameter, gradient, lr=0.01, momentum=0.9)", _step),
    Row("optimisers.rmsprop", "twins.step(torch.optim.RMSprop, parameter, gradient, lr=0.01)", _step),
    Row("optimisers.adam", "twins.step(torch.optim.Adam, parameter, gradient, lr=0.001)", _step),
    Row("optimisers.adamw", "twins.step(torch.optim.AdamW, parameter, gradient, lr=0.001)", _step),
    Row("schedules.constant", "twins.rates('ConstantLR', factor=1.0)", draw(steps=_steps, learning_rate=0.3)),
    Row("schedules.step_decay", "twins.rates('StepLR', step_size=5)", draw(steps=_steps, learning_rate=0.3, every=5)),
    Row("schedules.exponential", "twins.rates('ExponentialLR', gamma=0.8)",
        draw(steps=_steps, learning_rate=0.3, factor=0.8)),
    Row("schedules.cosine", "twins.rates('CosineAnnealingLR', T_max=12)",
        draw(steps=_steps, learning_rate=0.3, total=12)),
    Row("schedules.warm_up_cosine", "twins.warmed_up_rates()",
        draw(steps=_steps, learning_rate=0.3, total=12, warm_up=4)),
    Row("schedules.flat_cosine", "twins.flat_rates()", draw(steps=_steps, learning_rate=0.3, total=12)),
    Row("gradients.gradient_norms", "twins.gradient_norms(grad, x, weights, biases)", draw(grad=(6, 2), **_net)),
    Row("gradients.clip_by_norm", "twins.clipped(nn.utils.clip_grad_norm_, gradients, most)",
        draw(gradients=[(3, 2), (4,)], most=0.5)),
    Row("gradients.clip_by_value", "twins.clipped(nn.utils.clip_grad_value_, gradients, most)",
        draw(gradients=[(3, 2), (4,)], most=0.5)),
    Row("gradients.dead_units", "(F.linear(x, weight.T, bias) <= 0).all(dim=0).double().mean()",
        draw(x=(3, 4), weight=(4, 30), bias=(30,))),
    Row("normalisation.batch_norm", "F.batch_norm(x, None, None, scale, shift, training=True)",
        draw(x=(6, 4), **_affine), "batch_norm_backward"),
    Row("normalisation.running_statistics", "twins.running_statistics(x, mean, variance)",
        draw(x=(6, 4), mean=(4,), variance=lambda random: random.random(4)), note="variance over n - 1 is remembered"),
    Row("normalisation.batch_norm_evaluation", "F.batch_norm(x, mean, variance, scale, shift)",
        draw(x=(6, 4), mean=(4,), variance=lambda random: random.random(4), **_affine)),
    Row("normalisation.layer_norm", "F.layer_norm(x, (4,), scale, shift)", draw(x=(2, 3, 4), **_affine),
        "layer_norm_backward"),
    Row("dropout.dropout", "x * kept / (1 - probability)",
        draw(x=(5, 4), kept=lambda random: random.random((5, 4)) >= 0.4, probability=0.4), "dropout_backward"),
    Row("convolution.conv2d", "F.conv2d(x, kernel, bias, stride, padding)",
        draw(**_image, kernel=(4, 3, 3, 2), bias=(4,), stride=2, padding=1), "conv2d_backward"),
    Row("pooling.max_pool", "F.max_pool2d(x, size)", draw(**_image, size=3),
        "max_pool_backward", note="a tie: the first, as torch"),
    Row("pooling.average_pool", "F.avg_pool2d(x, size)", draw(**_image, size=3), "average_pool_backward"),
    Row("rnn.rnn_cell", "twins.rnn_cell(x, hidden, input_weight, hidden_weight, bias)",
        draw(x=(4, 3), hidden=(4, 5), **_rnn), "rnn_cell_backward", note="torch has two biases, which add up"),
    Row("lstm.lstm_cell", "twins.lstm_cell(x, hidden, memory, input_weight, hidden_weight, bias)",
        draw(x=(4, 3), hidden=(4, 5), memory=(4, 5), **_lstm), "lstm_cell_backward"),
    Row("gru.gru_cell", "twins.gru_cell(x, hidden, input_weight, hidden_weight, input_bias, hidden_bias)",
        draw(x=(4, 3), hidden=(4, 5), **_gru), "gru_cell_backward"),
    Row("recurrence.rnn", "twins.run(nn.RNN, xs, (hidden,), input_weight, hidden_weight, bias)",
        draw(xs=(6, 4, 3), hidden=(4, 5), **_rnn), "rnn_backward"),
    Row("recurrence.lstm", "twins.run(nn.LSTM, xs, (hidden, memory), input_weight, hidden_weight, bias)",
        draw(xs=(6, 4, 3), hidden=(4, 5), memory=(4, 5), **_lstm), "lstm_backward"),
    Row("recurrence.gru", "twins.run(nn.GRU, xs, (hidden,), input_weight, hidden_weight, input_bias, hidden_bias)",
        draw(xs=(6, 4, 3), hidden=(4, 5), **_gru), "gru_backward"),
    Row("attention.attention_weights", "twins.attention_weights(query, key, mask)", draw(**_asked, **_back),
        "attention_weights_backward"),
    Row("attention.attention", "F.scaled_dot_product_attention(query, key, value, mask)",
        draw(**_asked, value=(2, 5, 2), **_back), "attention_backward"),
    Row("attention.multi_head_attention", "twins.multi_head_attention(x, projections, num_heads, mask)",
        draw(x=(2, 4, 6), projections=[(6, 6)] * 4, num_heads=3, mask=given(np.tri(4, dtype=bool))),
        "multi_head_attention_backward"),
    Row("embedding.embedding", "F.embedding(ids, table)", draw(ids=whole((3, 4), 5), table=(5, 2)),
        "embedding_backward"),
)
# fmt: on
