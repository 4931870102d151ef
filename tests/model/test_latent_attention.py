"""Latent attention against transformers' DeepSeek-V3, absorbed against expanded, cached against uncached."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DeepseekV3Config
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention, DeepseekV3RotaryEmbedding

from core.kv_cache import make_cache
from core.models import DecoderConfig, LanguageModel, trace
from core.models.latent_attention import LatentAttention, LatentConfig, with_latent_attention
from core.models.positions import rope_angles

CONFIG = DecoderConfig(n_layers=2, d_model=32, n_heads=4, n_kv_heads=4, d_ff=48, vocab_size=60, context_length=64, head_dim=16)
LATENT = LatentConfig(latent=20, rope_dim=8)


def randomised(module, seed=0):
    torch.manual_seed(seed)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3 if parameter.ndim == 2 else 1.0)
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network():
    return randomised(with_latent_attention(CONFIG, LATENT))


def set_absorb(network, absorb):
    for block in network.blocks:
        block.attn.absorb = absorb


def reference_of(layer: LatentAttention) -> DeepseekV3Attention:
    """transformers' module with the same weights, halves turned against each other as here."""
    latent, theirs = layer.latent, DeepseekV3Config(
        hidden_size=CONFIG.d_model, num_attention_heads=4, num_key_value_heads=4, q_lora_rank=None, kv_lora_rank=layer.latent.latent,
        qk_rope_head_dim=layer.latent.rope_dim, qk_nope_head_dim=16, v_head_dim=16, rope_interleave=False, attn_implementation="eager",
        rms_norm_eps=CONFIG.norm_eps, max_position_embeddings=64, rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )  # fmt: skip
    reference = DeepseekV3Attention(theirs, 0).eval()
    both = torch.cat((layer.up_k.weight.view(4, 16, -1), layer.up_v.weight.view(4, 16, -1)), 1).flatten(0, 1)
    reference.load_state_dict({
        "q_proj.weight": layer.q.weight, "kv_a_proj_with_mqa.weight": layer.down.weight, "kv_a_layernorm.weight": layer.latent_norm.weight,
        "kv_b_proj.weight": both, "o_proj.weight": layer.o.weight,
    })  # fmt: skip
    assert latent.rope_dim == theirs.qk_rope_head_dim
    return reference


@pytest.mark.parametrize("absorb", [False, True])
def test_one_layer_is_that_of_transformers(absorb):
    layer = randomised(LatentAttention(CONFIG, LATENT), seed=3)
    layer.absorb = absorb
    reference, x = reference_of(layer), torch.randn(2, 11, 32)
    angles = DeepseekV3RotaryEmbedding(reference.config)(x, torch.arange(11)[None])
    mask = torch.full((11, 11), -torch.inf).triu(1)[None, None]
    expected, weights = reference(x, angles, mask)
    seen = {}

    def tap(name, value):
        seen[name] = value
        return value

    found = layer(x, rope_angles(torch.arange(11), 16), 0, tap=tap)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(seen["attn.hook_pattern"], weights, atol=1e-5, rtol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    heads=st.integers(1, 5), latent=st.integers(1, 40), rope=st.sampled_from([2, 4, 8, 16]), cached=st.integers(0, 12),
    new=st.integers(1, 9), seed=st.integers(0, 99),
)  # fmt: skip
def test_absorbed_equals_expanded(heads, latent, rope, cached, new, seed):
    """Any widths, any split of a text into what is cached and what comes."""
    config = DecoderConfig(n_layers=1, d_model=24, n_heads=heads, n_kv_heads=heads, d_ff=8, vocab_size=30, head_dim=16)
    network = randomised(with_latent_attention(config, LatentConfig(latent, rope)), seed)
    ids, found = torch.randint(0, 30, (2, cached + new), generator=torch.Generator().manual_seed(seed)), []
    for absorb in (False, True):
        set_absorb(network, absorb)
        cache = make_cache("full", config)
        before = [network(ids[:, :cached], cache=cache)] if cached else []
        found.append(torch.cat([*before, network(ids[:, cached:], cache=cache)], 1))
    torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=1e-3)
    set_absorb(network, None)
    torch.testing.assert_close(network(ids), found[0], atol=1e-3, rtol=1e-3)


def test_written_token_by_token_is_read_at_once(network):
    ids = torch.randint(0, 60, (1, 40), generator=torch.Generator().manual_seed(1))
    for kind in ("full", "paged"):
        cache = make_cache(kind, CONFIG)
        parts = [network(ids[:, :9], cache=cache), *(network(ids[:, i : i + 1], cache=cache) for i in range(9, 40))]
        torch.testing.assert_close(torch.cat(parts, 1), network(ids), atol=1e-4, rtol=1e-4)


def test_the_cache_holds_the_latent_and_the_rotary_key_and_nothing_else(network):
    ids = torch.randint(0, 60, (1, 10), generator=torch.Generator().manual_seed(2))
    cache = make_cache("full", CONFIG, capacity=10)
    network(ids, cache=cache)
    tensors = [strip for strips in (cache.keys, cache.values) for strip in strips]
    assert cache.bytes_held == sum(t.numel() * 4 for t in tensors) == 10 * CONFIG.n_layers * (LATENT.latent + LATENT.rope_dim) * 4
    assert {t.shape for t in tensors} == {(1, 1, 10, LATENT.latent), (1, 1, 10, LATENT.rope_dim)}


def test_trace_and_a_wrong_width(network, tiny):
    ids = list(range(12))
    found = trace(LanguageModel("latent", network, tiny.tokenizer), ids)
    torch.testing.assert_close(found["logits"], network(torch.tensor([ids]))[0])
    assert found["blocks.1.attn.hook_pattern"].shape == (4, 12, 12) and found["blocks.0.attn.hook_z"].shape == (12, 4, 16)
    for wrong in (5, 3, 32):
        with pytest.raises(ValueError, match="rope_dim must be even and divide"):
            LatentAttention(CONFIG, LatentConfig(8, wrong))
