"""The lessons: each runs one idea and returns the numbers that the textbooks talk about.

`LESSONS` is in reading order, the order of `docs/foundations.md`. `glasshouse learn` prints them.
"""

from __future__ import annotations

from glasshouse.foundations.lessons import layers, learning, networks, neurons, pitfalls, sequences
from glasshouse.foundations.lessons.lesson import Lesson, Numbers, Plot

__all__ = ["LESSONS", "Lesson", "Numbers", "Plot"]

LESSONS: tuple[Lesson, ...] = (
    Lesson(neurons.neuron, ("neuron",)),
    Lesson(neurons.perceptron, ("perceptron",)),
    Lesson(neurons.xor, ("perceptron", "dense", "training")),
    Lesson(neurons.parameters, ("architecture",)),
    Lesson(neurons.activations, ("activations",), Plot("x", ("values", "slopes"))),
    Lesson(neurons.collapse, ("dense",)),
    Lesson(neurons.softmax, ("softmax",)),
    Lesson(networks.forward, ("network",)),
    Lesson(networks.initialisation, ("initialisation",), Plot("layers", ("spread",), logarithmic=True)),
    Lesson(networks.sine, ("network", "training"), Plot("widths", ("errors",), logarithmic=True)),
    Lesson(networks.losses, ("losses",)),
    Lesson(learning.gradient_descent, ("descent",), Plot("step", ("x", "f"))),
    Lesson(learning.chain_rule, ("tape",)),
    Lesson(learning.backpropagation, ("network", "tape", "differences"), Plot("epoch", ("loss",))),
    Lesson(learning.mini_batches, ("training",)),
    Lesson(learning.optimisers, ("optimisers",), Plot("step", ("loss",), logarithmic=True)),
    Lesson(learning.schedules, ("schedules",), Plot("step", ("rate",))),
    Lesson(pitfalls.vanishing_gradients, ("gradients",), Plot("layers", ("first_layer",), logarithmic=True)),
    Lesson(pitfalls.exploding_gradients, ("gradients",)),
    Lesson(pitfalls.dead_relu, ("gradients", "activations")),
    Lesson(layers.normalisation, ("normalisation",)),
    Lesson(layers.dropout, ("dropout",)),
    Lesson(layers.convolution, ("convolution",)),
    Lesson(layers.pooling, ("pooling",)),
    Lesson(
        sequences.recurrent, ("rnn", "lstm", "gru", "recurrence"), Plot("steps_back", ("gradient",), logarithmic=True)
    ),
    Lesson(sequences.attention, ("attention",)),
    Lesson(sequences.embedding, ("embedding",)),
)
