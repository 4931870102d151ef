"""Multiplications of latent attention against torch's counter, shapes without sharing, and what the charts are given."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from core import costs
from core.charts.attention_variants import MOST_TOKENS, models_data, sharing_data, trade_data
from core.costs.latent import absorbed_products, expanded_products
from core.kv_cache import Cache
from core.models import DecoderConfig
from core.models.latent_attention import LatentAttention, LatentConfig
from core.models.positions import rope_angles


@pytest.mark.parametrize("heads, latent, rope, tokens", [(4, 20, 8, 12), (2, 33, 16, 5), (6, 128, 4, 40)])
@pytest.mark.parametrize("absorb, count", [(True, absorbed_products), (False, expanded_products)])
def test_products_are_those_that_torch_counts(heads, latent, rope, tokens, absorb, count):
    """One new token with `tokens` in the cache, itself among them; what both ways share is taken off."""
    D, C = 16, 24
    config = DecoderConfig(n_layers=1, d_model=C, n_heads=heads, n_kv_heads=heads, d_ff=8, vocab_size=30, head_dim=D)
    layer = LatentAttention(config, LatentConfig(latent, rope)).eval()
    layer.absorb, cache = absorb, Cache(config, capacity=tokens)
    with torch.no_grad():
        layer(torch.randn(1, tokens - 1, C), rope_angles(torch.arange(tokens - 1), D), 0, cache)
        with FlopCounterMode(display=False) as counter:
            layer(torch.randn(1, 1, C), rope_angles(torch.tensor([tokens - 1]), D), 0, cache)
    around = C * heads * (D + rope) + C * (latent + rope) + heads * D * C  # queries, the vector kept, the output
    assert counter.get_total_flops() / 2 - around == count(heads, D, latent, rope, tokens)


def test_shapes_without_sharing_are_those_of_the_papers():
    """DeepSeek-V3 keeps 56.9 times less than its heads would, Llama-3-70B 8 times less, Llama-2-7B shares nothing."""
    ratios = {}
    for name in ("DeepSeek-V3", "DeepSeek-V3.2", "Llama-3-70B", "Llama-2-7B"):
        model = costs.models()[name]
        assert costs.unshared(model).attention == "MHA"
        ratios[name] = costs.kv_bytes_per_token(costs.unshared(model)) / costs.kv_bytes_per_token(model)
    assert ratios["DeepSeek-V3"] == pytest.approx(2 * 128 * 128 / 576) and ratios["DeepSeek-V3"] == pytest.approx(56.9, abs=0.05)
    assert (ratios["Llama-3-70B"], ratios["Llama-2-7B"]) == (8, 1)
    assert costs.kv_bytes_per_token(costs.unshared(costs.models()["Llama-3-70B"])) == 2_621_440


def test_cells_are_as_high_as_their_numbers_and_every_head_reads_its_own_group():
    weights = np.random.default_rng(0).dirichlet(np.ones(40), size=2)
    data = sharing_data(6, (32, 32), 384, weights, [f"t{i}" for i in range(40)], ("K", "V"))
    cells, links = data[data["kind"] == "cell"], data[data["kind"] == "link"]
    assert len(cells) == 2 * 2 * MOST_TOKENS and set(cells["token"]) == {f"t{i}" for i in range(40 - MOST_TOKENS, 40)}
    first = cells[cells["token"] == "t39"]
    assert first["value"].tolist() == pytest.approx([weights[0, 39]] * 2 + [weights[1, 39]] * 2)
    area = (cells["y1"] - cells["y0"] + 0.008).groupby(cells["token"]).sum()
    assert area.to_numpy() == pytest.approx(128 / 384)  # two pairs of 32 of the six
    assert links["y1"].round(6).nunique() == 2 and len(links) == 6
    assert cells[["x0", "x1", "y0", "y1"]].min().min() >= 0 and cells[["x0", "x1", "y0", "y1"]].max().max() <= 1


def test_names_of_close_points_stand_on_either_side():
    data = trade_data([("MHA", 3072, 4.0, "computed"), ("GQA", 1024, 4.1, "computed"), ("MQA", 512, 4.2, "computed"), ("MLA", 1152, 4.1, "computed")])
    assert data["side"].tolist() == ["above", "below", "above", "right"]


def test_models_are_counted_by_the_closed_forms():
    data = models_data(("Llama-3-70B", "Mistral-7B", "DeepSeek-V3"), 131_072, 2).set_index("name")
    assert data.loc["Llama-3-70B", "gb"] == pytest.approx(2 * 42.9, abs=0.1) and data.loc["Mistral-7B", "gb"] == pytest.approx(2 * 0.537, abs=0.01)
    assert data.loc["DeepSeek-V3", "gb"] == pytest.approx(2 * 9.2, abs=0.05) and data.loc["DeepSeek-V3", "heads"] == "128 / c"
