"""Sparse masks against loops over pairs, the model under a mask against PyTorch's own attention, counts against closed forms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from core import costs
from core.charts.sparse_attention import SERIES, mask_data, sweep_data
from core.costs.attention_pairs import CLAIMED, block_pairs, dilated_pairs, indexer_leads, layer_products, layer_share, pairs
from core.measure.sparse_drift import read_full, sparse_drift
from core.models.indexer import DIRECTIONS, INDEXES, find_directions, index_products, index_scores, make_index
from core.models.sparse_attention import GAP, GLOBAL, PATTERNS, rule_of, sparse_logits, top_k_mask

sizes, widths = st.integers(1, 40), st.integers(1, 45)


def mask(pattern, n, width):
    nothing = torch.empty(n, 0, 0)
    return rule_of(pattern, width)(0, nothing, nothing, nothing)


def looked_at(pattern, query, key, width):
    """One pair, straight from the words."""
    back = query - key
    if back < 0:
        return False
    first = min(GLOBAL, width // 2)
    return {
        "full": True,
        "window": back <= width - 1,
        "local_global": key < first or back <= width - first - 1,
        "block": query // width == key // width,
        "dilated": back % GAP == 0 and back // GAP <= width - 1,
    }[pattern]


@settings(max_examples=60, deadline=None)
@given(pattern=st.sampled_from([p for p in PATTERNS if p != "top_k"]), n=sizes, width=widths)
def test_every_pair_of_every_mask(pattern, n, width):
    found = mask(pattern, n, width)
    assert found.tolist() == [[looked_at(pattern, q, k, width) for k in range(n)] for q in range(n)]
    if pattern != "full":
        assert found.sum(1).max() <= width and found.diagonal().all()


@settings(max_examples=60, deadline=None)
@given(n=sizes, width=widths)
def test_counted_pairs_are_the_closed_forms(n, width):
    assert int(mask("full", n, width).sum()) == pairs(n)
    assert int(mask("window", n, width).sum()) == int(mask("local_global", n, width).sum()) == pairs(n, width)
    assert int(mask("block", n, width).sum()) == block_pairs(n, width)
    assert int(mask("dilated", n, width).sum()) == dilated_pairs(n, width, GAP)


@settings(max_examples=60, deadline=None)
@given(n=sizes, width=widths, seed=st.integers(0, 99))
def test_top_k_takes_the_best_of_the_past(n, width, seed):
    scores = torch.randn(n, n, generator=torch.Generator().manual_seed(seed))
    found = top_k_mask(scores, width)
    for query in range(n):
        past = scores[query, : query + 1].numpy()
        expected = set(np.argsort(-past)[:width].tolist())
        assert set(found[query].nonzero()[:, 0].tolist()) == expected
    assert int(found.sum()) == pairs(n, width)


def test_a_full_mask_is_the_ordinary_model(tiny):
    ids = torch.randint(0, 256, (50,), generator=torch.Generator().manual_seed(0)).tolist()
    for pattern, width in (("full", 1), ("window", 50), ("block", 50), ("local_global", 60), ("top_k", 50)):
        masks = []
        found = sparse_logits(tiny, ids, rule_of(pattern, width, make_index("own")), masks)
        torch.testing.assert_close(found, tiny.logits(ids), atol=2e-5, rtol=1e-4)
        assert len(masks) == tiny.config.n_layers


@pytest.mark.parametrize("pattern", ["window", "local_global", "block", "dilated"])
def test_the_mask_holds_in_every_layer(tiny, monkeypatch, pattern):
    """The same network with PyTorch's attention under the same mask."""
    ids = torch.randint(0, 256, (40,), generator=torch.Generator().manual_seed(1)).tolist()
    allowed = mask(pattern, 40, 6)

    def masked(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, enable_gqa=True)

    found = sparse_logits(tiny, ids, rule_of(pattern, 6))
    monkeypatch.setattr("core.models.decoder.fused_attention", masked)
    torch.testing.assert_close(found, tiny.logits(ids), atol=2e-5, rtol=1e-4)


def test_a_window_only_sees_what_layers_hand_on(tiny):
    """With W tokens a layer and L layers a change further back than L (W - 1) cannot be felt; within it is."""
    ids = torch.randint(0, 256, (40,), generator=torch.Generator().manual_seed(2)).tolist()
    reach = tiny.config.n_layers * (5 - 1)
    last = sparse_logits(tiny, ids, rule_of("window", 5))[-1]
    for back, felt in ((reach + 1, False), (reach, True)):
        changed = list(ids)
        changed[-1 - back] = (changed[-1 - back] + 1) % 256
        assert (not torch.equal(sparse_logits(tiny, changed, rule_of("window", 5))[-1], last)) == felt


def test_index_scores_by_hand(tiny):
    """softmax(q · k / √D) over the past, added over the heads, in NumPy; grouped heads share a key."""
    q, k = torch.randn(9, 4, 8), torch.randn(9, 2, 8)
    expected = np.zeros((9, 9))
    for head in range(4):
        scores = (q[:, head] @ k[:, head // 2].T / 8**0.5).double().numpy()
        scores[np.triu_indices(9, 1)] = -np.inf
        expected += softmax(scores, axis=-1)
    assert make_index("own")(0, q, k, None).numpy() == pytest.approx(expected, abs=1e-5)
    two = torch.randn(9, 2, 8)
    assert make_index("heads")(0, torch.cat((two, torch.randn(9, 2, 8)), 1), k, None).numpy() == pytest.approx(
        index_scores(two / 8**0.5, k[:, [0, 0]]).numpy(), abs=1e-5
    )


def test_directions_are_principal_axes(tiny):
    """All directions together lose nothing; the first ones are those of NumPy's decomposition of both moments."""
    ids = torch.randint(0, 256, (60,), generator=torch.Generator().manual_seed(3))
    every = find_directions(tiny, ids, 8)
    q, k = torch.randn(12, 4, 8), torch.randn(12, 2, 8)
    torch.testing.assert_close(make_index("projected", every)(1, q, k, None), make_index("own")(1, q, k, None), atol=1e-5, rtol=1e-4)

    from core.models import trace

    found = trace(tiny, ids)
    keys, queries = (found[f"blocks.1.attn.hook_rot_{x}"] for x in ("k", "q"))
    moments = [np.cov(x.reshape(-1, 8).numpy().T, bias=True) + np.outer(*2 * [x.reshape(-1, 8).mean(0).numpy()]) for x in (keys[:, 1], queries[:, 2:])]
    both = sum(moment / np.trace(moment) for moment in moments)
    left, _, _ = np.linalg.svd(both)
    few = find_directions(tiny, ids, 3)[1][1].numpy()
    assert np.abs(np.linalg.svd(left[:, :3].T @ few)[1]) == pytest.approx(np.ones(3), abs=1e-3)  # the same subspace


def test_drift_is_nothing_in_full_and_something_without(tiny):
    ids = torch.randint(0, 256, (40,), generator=torch.Generator().manual_seed(4)).tolist()
    full = tiny.network.unembed(read_full(tiny, ids))
    torch.testing.assert_close(full, tiny.logits(ids), atol=1e-5, rtol=1e-4)
    same = sparse_drift(tiny, ids, rule_of("full", 1), full)
    assert same.numbers["kl"] < 1e-6 and same.numbers["agreement"] == 1
    expected = F.cross_entropy(tiny.logits(ids)[:-1], torch.tensor(ids[1:]))
    assert same.numbers["loss"] == pytest.approx(float(expected), abs=1e-4) == same.numbers["full_loss"]
    far = sparse_drift(tiny, ids, rule_of("window", 1), full)
    assert far.numbers["kl"] > 0.01 and far.kl[0] < 1e-6  # the first token had nothing else to look at
    assert far.numbers["share"] == pytest.approx(float(sparse_logits(tiny, ids, rule_of("window", 1))[-1].softmax(-1)[far.answer]))


def test_work_of_an_index():
    """DeepSeek-V3.2: 128 · (512 + 512 + 64) multiplications a pair, and 64 · 128 for its index."""
    spec = costs.models()["DeepSeek-V3.2"]
    n, k = 100_000, 2048
    best = sum(min(t, k) for t in range(1, n + 1)) * 128 * (512 + 512 + 64)
    assert layer_products(spec, n, k) == (best, n * (n + 1) // 2 * 64 * 128)
    lead = indexer_leads(spec, k)
    for tokens, leads in ((lead - 1, False), (lead, True), (10 * lead, True)):
        attention, index = layer_products(spec, tokens, k)
        assert (index > attention) == leads
    with pytest.raises(ValueError, match="no indexer"):
        indexer_leads(costs.models()["Llama-3-8B"], k)
    assert [index_products(kind, 6, 64) for kind in INDEXES] == [4 * (16 + 1), 6 * DIRECTIONS, 2 * 64, 6 * 64]


def test_shares_of_real_models():
    """Local layers and blocks summed token by token."""
    n = 30_000
    every = n * (n + 1) // 2
    gemma, llama = costs.models()["Gemma-3-27B"], costs.models()["Llama-4 Scout"]
    window = sum(min(t, 1024) for t in range(1, n + 1))
    assert layer_share(gemma, n) == pytest.approx((52 * window + 10 * every) / (62 * every))
    chunked = sum((t - 1) % 8192 + 1 for t in range(1, n + 1))
    assert layer_share(llama, n) == pytest.approx((36 * chunked + 12 * every) / (48 * every))
    assert layer_share(costs.models()["Llama-3-70B"], n) == 1


def test_claimed_times_are_the_published_ratios():
    old, new = CLAIMED["FlashAttention-2"], CLAIMED["SSA"]
    assert old[2**20] / new[2**20] == pytest.approx(56.2, abs=0.05) and old[2**17] / new[2**17] == pytest.approx(6.9, abs=0.05)


@settings(max_examples=30, deadline=None)
@given(pattern=st.sampled_from([p for p in PATTERNS if p != "top_k"]), n=sizes, width=widths)
def test_the_picture_holds_exactly_the_mask(pattern, n, width):
    allowed = mask(pattern, n, width).numpy()
    data, drawn = mask_data(allowed, ["x"] * n), np.zeros((n, n), bool)
    for run in data[data["kind"] == "seen"].itertuples():
        assert not drawn[run.q, run.k0 : run.k1].any()
        drawn[run.q, run.k0 : run.k1] = True
    assert (drawn == allowed).all() and len(data[data["kind"] == "row"]) == n


def test_sweep_table_and_wrong_settings():
    found = {"window": {2: {"loss": 3.0}, 8: {"loss": 2.0}}, "full": {20: {"loss": 1.0}}}
    data = sweep_data(found, "loss", {name: name for name in SERIES})
    assert data.values.tolist() == [["window", 2, 3.0], ["window", 8, 2.0], ["full", 2, 1.0], ["full", 8, 1.0]]
    for pattern, width, index in (("ring", 4, None), ("window", 0, None), ("top_k", 4, None)):
        with pytest.raises(ValueError, match="need one of"):
            rule_of(pattern, width, index)
    for kind in ("cheap", "projected"):
        with pytest.raises(ValueError, match="need one of"):
            make_index(kind)
