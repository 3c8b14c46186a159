from __future__ import annotations

import numpy as np

from glasshouse.foundations.recurrence import rnn, rnn_backward

RANDOM = np.random.default_rng(0)


def test_the_first_steps_do_not_know_the_later_ones() -> None:
    xs, hidden = RANDOM.normal(size=(6, 2, 3)), np.zeros((2, 4))
    weights = RANDOM.normal(size=(3, 4)), RANDOM.normal(size=(4, 4)), np.zeros(4)
    whole = rnn(xs, hidden, *weights)
    np.testing.assert_allclose(rnn(xs[:3], hidden, *weights), whole[:3], rtol=1e-13)
    np.testing.assert_allclose(rnn(xs[3:], whole[2], *weights), whole[3:], rtol=1e-13)


def test_try_this_a_gradient_at_the_end_reaches_every_earlier_step_and_one_at_the_start_none() -> None:
    xs, hidden = RANDOM.normal(size=(5, 1, 2)), np.zeros((1, 3))
    weights = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(3, 3)), np.zeros(3)
    at_end, at_start = np.zeros((5, 1, 3)), np.zeros((5, 1, 3))
    at_end[-1], at_start[0] = 1.0, 1.0
    assert np.all(np.any(rnn_backward(at_end, xs, hidden, *weights)[0] != 0.0, axis=(1, 2)))
    reached = np.any(rnn_backward(at_start, xs, hidden, *weights)[0] != 0.0, axis=(1, 2))
    assert reached.tolist() == [True, False, False, False, False]
