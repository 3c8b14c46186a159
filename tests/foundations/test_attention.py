from __future__ import annotations

import numpy as np
import torch
from torch import nn

from glasshouse.foundations.attention import attention, attention_weights, multi_head_attention

RANDOM = np.random.default_rng(0)


def test_a_causal_mask_hides_what_comes_later() -> None:
    x = RANDOM.normal(size=(5, 3))
    causal = np.tri(5, dtype=bool)
    shares = attention_weights(x, x, causal)
    assert np.array_equal(shares == 0.0, ~causal)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    changed = x.copy()
    changed[4] = 100.0
    np.testing.assert_allclose(attention(x, x, x, causal)[:4], attention(changed, changed, changed, causal)[:4])


def test_the_order_of_keys_does_not_matter() -> None:
    query, key, value = (RANDOM.normal(size=(6, 3)) for _ in range(3))
    order = RANDOM.permutation(6)
    np.testing.assert_allclose(attention(query, key[order], value[order]), attention(query, key, value), rtol=1e-12)


def test_large_scores_do_not_overflow() -> None:
    x = 1e4 * np.eye(3)
    np.testing.assert_allclose(attention_weights(x, x), np.eye(3))


def test_who_may_look_nowhere_gets_nan_as_torchs_softmax() -> None:
    with np.errstate(invalid="ignore"):
        shares = attention_weights(np.ones((2, 3)), np.ones((4, 3)), np.array([[False] * 4, [True] * 4]))
    assert np.all(np.isnan(shares[0]))
    assert shares[1].tolist() == [0.25] * 4
    assert torch.softmax(torch.full((4,), -torch.inf), -1).isnan().all()


def test_torchs_module_with_our_projections_and_a_causal_mask() -> None:
    module = nn.MultiheadAttention(6, 3, bias=False, batch_first=True, dtype=torch.float64)
    x, causal = RANDOM.normal(size=(2, 5, 6)), np.tri(5, dtype=bool)
    assert module.in_proj_weight is not None
    into = [part.T for part in np.split(module.in_proj_weight.detach().numpy(), 3)]
    projections = [*into, module.out_proj.weight.detach().numpy().T]
    tensor = torch.tensor(x)
    expected, _ = module(tensor, tensor, tensor, attn_mask=torch.tensor(~causal), need_weights=False)
    np.testing.assert_allclose(multi_head_attention(x, projections, 3, causal), expected.detach().numpy(), rtol=1e-10)


def test_try_this_equal_keys_give_the_mean_of_the_values() -> None:
    value = RANDOM.normal(size=(4, 2))
    np.testing.assert_allclose(
        attention(RANDOM.normal(size=(3, 5)), np.ones((4, 5)), value), np.tile(value.mean(axis=0), (3, 1))
    )
