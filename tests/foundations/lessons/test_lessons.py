"""What the lessons say is so, for every seed tried; and the numbers that the textbooks print."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from glasshouse.foundations.lessons import LESSONS, Lesson
from glasshouse.foundations.lessons.backward import Array, backward_error

TOPICS = {lesson.topic: lesson for lesson in LESSONS}
SEEDS = range(5)


def numbers(topic: str, seed: int = 0) -> dict[str, Any]:
    return TOPICS[topic].run(seed)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.topic)
def test_a_lesson_gives_the_same_plain_finite_numbers_for_a_seed(lesson: Lesson) -> None:
    for seed in (0, 1, 2):
        first, second = (json.dumps(lesson.run(seed), allow_nan=False) for _ in range(2))
        assert first == second


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.topic)
def test_dicts_of_lists_are_tables_and_plots_can_be_drawn(lesson: Lesson) -> None:
    found = lesson.run(0)
    for value in found.values():
        if isinstance(value, dict):
            assert len({len(column) if isinstance(column, list) else 0 for column in value.values()}) == 1
    if lesson.plot is not None:
        for name in lesson.plot.y:
            lines = found[name].values() if isinstance(found[name], dict) else [found[name]]
            assert all(len(line) == len(found[lesson.plot.x]) for line in lines)
            assert not lesson.plot.logarithmic or all(number > 0.0 for line in lines for number in line)


def test_neuron() -> None:
    found = numbers("neuron")
    assert (found["weighted_sum"], found["fires"]) == (pytest.approx(0.54), 1.0)
    assert found["output"][found["activation"].index("relu")] == pytest.approx(0.64)


def test_perceptron() -> None:
    found = numbers("perceptron")
    assert found["task"] == ["AND", "OR", "NAND", "XOR"]
    assert found["learnt"] == [True, True, True, False]
    assert found["goes_round_for_ever"] == [False, False, False, True]
    assert found["best_line"] == [1.0, 1.0, 1.0, 0.75]
    assert all(0 < epochs < 10 for epochs in found["epochs"])


@pytest.mark.parametrize("seed", range(50))
def test_xor(seed: int) -> None:
    found = numbers("xor", seed)
    assert found["perceptron_accuracy"] <= found["best_line_accuracy"] == 0.75
    assert found["hand_made_accuracy"] == found["network_accuracy"] == 1.0
    assert found["loss_at_last"] < 0.01 < found["loss_at_first"]


def test_parameters() -> None:
    assert numbers("parameters")["parameters"] == [55, 81, 441, 235_146, 814_090, 111_514, 71_690]


def test_activations() -> None:
    largest = numbers("activations")["largest_slope"]
    assert len(largest) == 11
    assert (largest["sigmoid"], largest["tanh"], largest["relu"], largest["step"]) == (0.25, 1.0, 1.0, 0.0)


@pytest.mark.parametrize("seed", SEEDS)
def test_collapse(seed: int) -> None:
    found = numbers("collapse", seed)
    assert found["two_layers"] == found["one_layer"] == [-3.0, 9.0]
    assert found["twenty_layers_differ_by"] < 1e-9


def test_softmax() -> None:
    found = numbers("softmax")
    assert np.round(found["probabilities"]["first"], 3).tolist() == [0.659, 0.242, 0.099]
    assert np.round(found["probabilities"]["output"], 2).tolist() == [0.8, 0.16, 0.04]
    assert np.round(found["probabilities"]["large"], 4).tolist() == [0.09, 0.2447, 0.6652]
    assert not found["naive_powers_are_finite"]
    assert found["shift_by_1000_changes"] < 1e-12


@pytest.mark.parametrize("seed", SEEDS)
def test_forward(seed: int) -> None:
    found = numbers("forward", seed)
    assert found["layer_widths"] == [4, 8, 8, 3]
    assert found["batch_differs_from_single_rows_by"] < 1e-14
    assert found["linear_accuracy"] < 0.8 < 0.97 < found["network_accuracy"]


@pytest.mark.parametrize("seed", SEEDS)
def test_initialisation(seed: int) -> None:
    found = numbers("initialisation", seed)
    assert found["layers"] == list(range(1, 51))
    after = {name: spread[-1] for name, spread in found["spread"].items()}
    assert after["relu_0.01"] < 1e-40 < 1e40 < after["relu_1"]
    assert after["relu_xavier"] < 1e-6 < 0.1 < after["relu_he"] < 10.0
    assert 0.05 < after["tanh_xavier"] < 0.5
    assert found["after_10_layers"]["relu_0.01"] == found["spread"]["relu_0.01"][9]


@pytest.mark.parametrize("seed", SEEDS)
def test_sine(seed: int) -> None:
    found = numbers("sine", seed)
    assert found["widths"] == [1, 2, 4, 8, 16, 32, 64]
    assert all(after < before for before, after in zip(found["errors"], found["errors"][1:], strict=False))
    assert found["errors"][0] < math.sqrt(0.5)  # of guessing zero
    assert found["errors"][-1] < 0.01


def test_losses() -> None:
    found = numbers("losses")
    assert found["value"] == [pytest.approx(0.17), pytest.approx(1.1 / 3.0), pytest.approx(0.085)]
    assert found["cross_entropy"] == pytest.approx(0.2488936679399457)
    assert found["loss_if_yes"][2] == pytest.approx(math.log(2.0))
    squared, absolute, huber = (
        after / before for before, after in zip(found["value"], found["with_an_outlier"], strict=True)
    )
    assert absolute < huber < squared


def test_gradient_descent() -> None:
    found = numbers("gradient-descent")
    assert np.round(found["x"][:4], 3).tolist() == [5.0, 3.8, 2.84, 2.072]
    assert found["x"][-1] == pytest.approx(-0.3557549056)
    assert found["x_after_10_steps"][2] == -1.0
    assert found["x_after_10_steps"][4] == 5.0
    assert abs(found["x_after_10_steps"][5]) > 30.0


def test_chain_rule() -> None:
    found = numbers("chain-rule")
    gradient = dict(zip(found["node"], found["gradient"], strict=True))
    assert gradient["w"] == pytest.approx(0.4) == found["dloss_dw_by_hand"]
    assert gradient["b"] == pytest.approx(0.2)
    assert found["value"][0] == pytest.approx(0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_backpropagation(seed: int) -> None:
    found = numbers("backpropagation", seed)
    assert found["parameters"] == 243
    assert found["formulas_differ_from_tape_by"] < 1e-14 * max(1.0, found["largest_gradient"])
    assert found["formulas_differ_from_differences_by"] < 1e-6 * found["largest_gradient"]
    assert found["accuracy_before"] < found["accuracy_after"]
    assert found["loss"] == sorted(found["loss"], reverse=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_mini_batches(seed: int) -> None:
    found = numbers("mini-batches", seed)
    assert found["updates"] == [2560, 320, 40, 10]
    assert found["loss"] == sorted(found["loss"])
    assert found["whole_batches_an_epoch"] == 312
    assert (found["updates_in_100_epochs"], found["of_whole_batches"]) == (31_300, 31_200)


def test_optimisers() -> None:
    found = numbers("optimisers")
    after = found["loss_after_100_steps"]
    assert max(after["momentum"], after["rmsprop"], after["adam"]) < after["sgd"] / 100.0
    small, large = found["weight_left_by_l2_in_adam"]
    assert small < 0.8 < 0.99 < large
    assert found["weight_left_by_adamw"][0] == pytest.approx(found["weight_left_by_adamw"][1], rel=1e-6)


def test_schedules() -> None:
    found = numbers("schedules")
    assert all(len(rate) == 101 and max(rate) == pytest.approx(0.1) for rate in found["rate"].values())
    assert found["mean_rate"]["constant"] == pytest.approx(0.1)
    assert found["mean_rate"]["cosine"] == pytest.approx(0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_vanishing_gradients(seed: int) -> None:
    found = numbers("vanishing-gradients", seed)
    assert found["product_of_10_slopes_at_0"] == pytest.approx(9.5367e-07, rel=1e-4)
    assert found["product_of_10_slopes_at_2"] == pytest.approx(1.63e-10, rel=1e-2)
    first = found["first_layer"]
    assert first["sigmoid"] == sorted(first["sigmoid"], reverse=True)
    assert first["sigmoid"][-1] < 1e-8 * first["sigmoid"][0]
    assert first["relu"][-1] > 0.01 * first["relu"][0]
    plain, *remedies = found["first_layer_of_ten"]
    assert min(remedies) > 1e3 * plain


@pytest.mark.parametrize("seed", SEEDS)
def test_exploding_gradients(seed: int) -> None:
    found = numbers("exploding-gradients", seed)
    assert found["ten_doublings"] == 1024.0
    assert found["clipped_by_value_10"] == [3.0, 10.0]
    assert found["plain_descent_runs_away"]
    assert found["finite_epochs"] < 10
    assert found["clipped_loss_at_last"] < 0.25 < 1.0 < found["clipped_loss_at_first"]


@pytest.mark.parametrize("seed", SEEDS)
def test_dead_relu(seed: int) -> None:
    found = numbers("dead-relu", seed)
    assert found["sums_below_zero"] == found["rows"] == 100
    assert (
        found["share_of_rows_alive_after_training_relu"] == 0.0 < found["share_of_rows_alive_after_training_leaky_relu"]
    )
    assert found["share_of_dead_units"][:2] == [0.0, 0.0]
    assert found["share_of_dead_units"][-1] > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_normalisation(seed: int) -> None:
    found = numbers("normalisation", seed)
    np.testing.assert_allclose(found["mean_after"], 0.0, atol=1e-10)
    np.testing.assert_allclose(found["spread_after"], 1.0, atol=1e-3)
    assert found["one_row_alone_in_training"] == [0.0, 0.0, 0.0]
    assert found["running_mean"][0] == pytest.approx(100.0, abs=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_dropout(seed: int) -> None:
    found = numbers("dropout", seed)
    assert abs(found["mean_of_thinned"] - found["whole_network"]) < 4.0 * found["standard_error_of_mean"]
    assert found["share_left_out"] == pytest.approx(0.5, abs=0.01)
    assert found["mean_of_ones_after_dropout"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_convolution(seed: int) -> None:
    found = numbers("convolution", seed)
    assert found["found_row"] == [0.0, 0.0, 3.0, 3.0, 0.0, 0.0]
    assert found["shape_after_3x3_padding_1"] == "1 x 16 x 32 x 32"
    assert found["shifted_result_differs_by"] < 1e-12
    assert found["parameters"] == 448
    assert found["parameters_of_a_dense_layer"] > 100_000 * found["parameters"]


@pytest.mark.parametrize("seed", SEEDS)
def test_pooling(seed: int) -> None:
    found = numbers("pooling", seed)
    assert found["largest"] == [[4.0, 2.0], [2.0, 8.0]]
    assert found["mean"] == [[2.5, 1.0], [0.75, 6.5]]
    assert found["places_changed_after_pooling"] < 0.7 * found["places_changed_by_a_shift"]


@pytest.mark.parametrize("seed", SEEDS)
def test_recurrent(seed: int) -> None:
    found = numbers("recurrent", seed)
    assert found["parameters"] == {"rnn": 336, "lstm": 1344, "gru": 1056}
    assert found["after_50"]["rnn"] < 1e-9
    assert min(found["after_50"]["lstm"], found["after_50"]["gru"]) > 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_attention(seed: int) -> None:
    found = numbers("attention", seed)
    assert found["looks_at"][0][2] > 0.99
    assert found["looks_at"][1][0] == pytest.approx(found["looks_at"][1][1]) == pytest.approx(0.5, abs=0.01)
    assert found["looks_at"][2] == [0.25] * 4
    np.testing.assert_allclose(found["shares_add_up_to"], 1.0)
    assert np.triu(found["causal"], 1).sum() == 0.0
    assert found["shuffling_changes"] < 1e-12


def test_embedding() -> None:
    found = numbers("embedding")
    assert found["one_hot_product_differs_by"] == 0.0
    assert found["gradient_of_its_row"] == [1.0, 2.0, 1.0, 0.0, 2.0]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("topic", ["convolution", "pooling", "normalisation", "dropout", "attention"])
def test_layers_run_backwards_too(topic: str, seed: int) -> None:
    error = numbers(topic, seed)["backward_error"]
    assert max(error.values() if isinstance(error, dict) else [error]) < 1e-8


def test_the_error_of_a_gradient_is_seen_in_each_of_its_parts() -> None:
    a, b = np.array([1.0, -2.0]), np.array([3.0, 0.5])

    def product(a: Array, b: Array) -> Array:
        return a * b

    assert backward_error(product, lambda grad, a, b: (grad * b, grad * a), a, b) < 1e-10
    assert backward_error(product, lambda grad, a, b: (grad * b, grad * a * [1.0, 1.001]), a, b) > 1e-4
    assert backward_error(product, lambda grad, a, b: (grad * b * [1.001, 1.0], grad * a), a, b) > 1e-4
