"""Attention in tiles equals ordinary attention, ours and PyTorch's, and moves what hand-derived formulas say."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from core.charts.flash_attention import MOST_CELLS, matrix_data, row_data, time_data
from core.costs.attention_traffic import PUBLISHED, fast_floats, standard_floats, tiled_floats
from core.measure.attention_time import attention_seconds, in_three_steps
from core.models.attention import fused_attention
from core.models.tiled_attention import Traffic, standard_attention, tiled_attention

sizes = st.integers(1, 40)


def vectors(n, d, seed, scale=1.0):
    return torch.randn(3, n, d, generator=torch.Generator().manual_seed(seed)) * scale


@settings(max_examples=100, deadline=None)
@given(
    n=sizes, d=st.integers(1, 20), rows=sizes, cols=sizes,
    causal=st.booleans(), seed=st.integers(0, 99), scale=st.sampled_from([0.1, 1.0, 6.0]),
)  # fmt: skip
def test_tiles_of_any_size_give_ordinary_attention(n, d, rows, cols, causal, seed, scale):
    q, k, v = vectors(n, d, seed, scale)
    expected = F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=causal)[0]
    traffic, ordinary = Traffic(), Traffic()
    torch.testing.assert_close(tiled_attention(q, k, v, rows, cols, causal, traffic), expected, atol=1e-5 * scale, rtol=1e-4)
    torch.testing.assert_close(standard_attention(q, k, v, causal, ordinary), expected, atol=1e-5 * scale, rtol=1e-4)
    assert traffic.moved == tiled_floats(n, d, rows, cols, causal) and ordinary.moved == standard_floats(n, d)
    assert traffic.held <= fast_floats(d, rows, cols)


@settings(max_examples=40, deadline=None)
@given(more=st.integers(0, 20), n=sizes, rows=sizes, cols=sizes)
def test_new_queries_behind_a_cache(more, n, rows, cols):
    """Fewer queries than keys: the last query stands at the last key."""
    _, k, v = vectors(n + more, 8, 3)
    q = vectors(n, 8, 4)[0]
    mask = torch.ones(n, n + more, dtype=torch.bool).tril(more)
    expected = F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask)[0]
    torch.testing.assert_close(tiled_attention(q, k, v, rows, cols), expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(n=sizes, rows=sizes, cols=sizes)
def test_running_numbers_are_those_of_the_keys_seen(n, rows, cols):
    """After every tile m is the largest score so far, and m + ln l their log-sum-exp (scipy)."""
    q, k, v = vectors(n, 4, 5)
    scores = (q @ k.T / 2).masked_fill(~torch.ones(n, n, dtype=torch.bool).tril(), -torch.inf)

    def watch(tile):
        assert tile.scores.shape == (len(tile.rows), len(tile.cols)) and len(tile.rows) <= rows and len(tile.cols) <= cols
        seen = scores[tile.rows.start : tile.rows.stop, : tile.cols.stop]
        assert torch.equal(tile.largest, seen.amax(-1)) or torch.allclose(tile.largest, seen.amax(-1), atol=1e-6)
        found = (tile.largest + tile.total.log()).double().numpy()
        assert found == pytest.approx(logsumexp(seen.double().numpy(), axis=-1), abs=1e-5)

    tiled_attention(q, k, v, rows, cols, watch=watch)


def test_counts_by_hand():
    """4 tokens, width 2, tiles of 2 × 2: two rows of tiles; the first sees one tile of keys, the second two."""
    q, k, v = vectors(4, 2, 0)
    traffic = Traffic()
    tiled_attention(q, k, v, 2, 2, traffic=traffic)
    assert traffic.loaded == 4 * 2 + 3 * (2 * 2 + 2 * 2)  # queries; keys and values of three tiles
    assert traffic.stored == 4 * 2 + 4  # outputs, one number a row
    assert traffic.held == 4 * (2 * 2) + 2 * 2 + 2 * 2  # q, k, v, output; scores; m and l
    ordinary = Traffic()
    standard_attention(q, k, v, traffic=ordinary)
    assert ordinary.loaded == 3 * 8 + 2 * 16 and ordinary.stored == 2 * 16 + 8


def test_taller_tiles_move_less_and_never_a_square():
    moved = [tiled_floats(4096, 64, rows, 64) for rows in (8, 16, 32, 64, 128)]
    assert moved == sorted(moved, reverse=True)
    assert standard_floats(8192, 64) / standard_floats(4096, 64) == pytest.approx(4, abs=0.1)
    assert tiled_floats(8192, 64, 8192, 64) / tiled_floats(4096, 64, 4096, 64) == pytest.approx(2, abs=0.1)  # all rows fit: linear


@pytest.mark.parametrize("rows, cols", [(0, 4), (4, 0), (-1, 1)])
def test_a_tile_of_nothing_is_named(rows, cols):
    q, k, v = vectors(4, 2, 0)
    with pytest.raises(ValueError, match="at least 1 row"):
        tiled_attention(q, k, v, rows, cols)


def test_what_is_timed_is_the_same_attention():
    q, k, v = torch.randn(3, 1, 2, 37, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(in_three_steps(q, k, v), fused_attention(q, k, v), atol=1e-5, rtol=1e-4)
    seconds = attention_seconds(16, 8, repeats=1, at_least=0)
    assert set(seconds) == {"standard", "fused"} and all(0 < s < 10 for s in seconds.values())


def test_the_published_figures():
    """More arithmetic, less moved, less time."""
    share = {name: both["flash"] / both["standard"] for name, both in PUBLISHED.items()}
    assert share["flops"] == pytest.approx(1.129, abs=1e-3) and share["traffic"] == pytest.approx(0.109, abs=1e-3)
    assert share["time"] == pytest.approx(0.175, abs=1e-3)


@pytest.mark.parametrize("n", [5, 64, 65, 200, 320])
def test_every_cell_knows_its_tile(n):
    bounds = [(range(r, min(r + 8, n)), range(c, min(c + 16, n))) for r in range(0, n, 8) for c in range(0, min(r + 8, n), 16)]
    relative = np.tril(np.random.default_rng(0).random((n, n)))
    data = matrix_data(relative, [str(i) for i in range(n)], bounds, 1)
    cells, tiles = data[data["kind"] == "cell"], data[data["kind"] == "tile"].reset_index()
    assert len(cells) <= MOST_CELLS * (MOST_CELLS + 1) / 2 and len(tiles) == len(bounds)
    for cell in cells.sample(20, random_state=0, replace=True).itertuples():
        rows, cols = bounds[int(cell.step) - 1]
        assert int(cell.q0) in rows and int(cell.k0) in cols
        assert cell.value == pytest.approx(relative[int(cell.q0) : int(cell.q1), int(cell.k0) : int(cell.k1)].max())


def test_rows_know_their_first_and_last_tile():
    steps = [{"row": 7, "m": 1.0}, {"row": 15, "m": 2.0}, {"row": 15, "m": 3.0}]
    data = row_data(steps, 2)
    assert data["first"].tolist() == [1, 2, 2] and data["last"].tolist() == [1, 3, 3] and set(data["now"]) == {2}


def test_times_in_milliseconds():
    data = time_data({128: {"standard": 0.002, "fused": 0.001}})
    assert data.values.tolist() == [[128, 2.0, "reused"], [128, 1.0, "computed"]]
