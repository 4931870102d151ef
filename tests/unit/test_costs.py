"""Closed forms against published tables and hand arithmetic."""

import subprocess
import sys

import pytest

from core import costs
from core.models.config import DecoderConfig

# Bytes a token at 16 bits while every layer still grows, GB at 32k and 128k tokens (32,768 and 131,072).
CACHE = {
    "GPT-2 small": (36_864, None, None), "GPT-3 175B": (4_718_592, None, None), "Llama-2-7B": (524_288, None, None),
    "Llama-2-70B": (327_680, None, None), "Llama-3-8B": (131_072, 4.3, 17.2), "Llama-3-70B": (327_680, 10.7, 42.9),
    "Llama-3.1-405B": (516_096, 16.9, 67.6), "Mistral-7B": (131_072, 0.54, 0.54), "Mixtral 8x7B": (131_072, 4.3, None),
    "Qwen3-32B": (262_144, 8.6, None), "DeepSeek-V3": (70_272, 2.3, 9.2), "DeepSeek-V3.2": (78_324, 2.6, 10.3),
    "SmolLM2-135M": (23_040, None, None), "Gemma-3-27B": (507_904, 3.1, 11.2), "gpt-oss-120b": (73_728, 1.2, 4.8),
    "Llama-4 Scout": (196_608, 2.8, 7.7),
}  # fmt: skip


@pytest.mark.parametrize("name", CACHE)
def test_cache_sizes_equal_the_published_table(name):
    spec = costs.models()[name]
    per_token, at_32k, at_128k = CACHE[name]
    assert costs.kv_bytes_per_token(spec) == per_token
    for tokens, gigabytes in ((32_768, at_32k), (131_072, at_128k)):
        if gigabytes:
            assert costs.kv_cache_bytes(spec, tokens) / 1e9 == pytest.approx(gigabytes, abs=0.051)


def test_hybrids_grow_only_in_their_global_layers():
    for name, growth, fixed in (("Gemma-2-9B", 172_032, 705e6), ("Gemma-3-27B", 81_920, 436e6), ("gpt-oss-120b", 36_864, 4.7e6), ("Llama-4 Scout", 49_152, 1.2e9)):
        spec = costs.models()[name]
        far = costs.kv_cache_bytes(spec, 100_001) - costs.kv_cache_bytes(spec, 100_000)
        assert far == growth
        assert costs.kv_cache_bytes(spec, 100_000) - 100_000 * growth == pytest.approx(fixed, rel=0.02)


def test_a_million_tokens_of_a_70b_model():
    spec = costs.models()["Llama-3-70B"]
    assert costs.kv_cache_bytes(spec, 10**6) == pytest.approx(328e9, rel=1e-3)
    assert 64 / 8 * costs.kv_cache_bytes(spec, 10**6) == pytest.approx(2.62e12, rel=1e-3)  # had it 64 KV heads
    assert costs.kv_cache_bytes(spec, 1000, sequences=3) == 3 * costs.kv_cache_bytes(spec, 1000)


def test_weights_of_70_billion_parameters():
    assert [costs.weight_bytes(70e9, f) / 1e9 for f in ("fp32", "fp16", "int8")] == [280, 140, 70]
    assert costs.weight_bytes(8e9, "q4_0") == pytest.approx(4.5e9)
    with pytest.raises(ValueError, match="no format 'fp12'; there are: fp32"):
        costs.weight_bytes(1, "fp12")


@pytest.mark.parametrize("name, published, tolerance", [
    ("GPT-2 small", 124.4e6, 1e-3), ("GPT-3 175B", 175e9, 0.01), ("Llama-2-7B", 6.74e9, 1e-3), ("Llama-3-8B", 8.03e9, 1e-3),
    ("Llama-3-70B", 70.6e9, 1e-3), ("Llama-3.1-405B", 405e9, 0.01), ("Mistral-7B", 7.24e9, 1e-3), ("Mixtral 8x7B", 46.7e9, 1e-3),
    ("Qwen3-32B", 32.8e9, 5e-3), ("SmolLM2-135M", 134.5e6, 1e-3),
])  # fmt: skip
def test_parameters_equal_published_totals(name, published, tolerance):
    assert costs.parameters(costs.models()[name]) == pytest.approx(published, rel=tolerance)


def test_parameters_equal_transformers_count(tiny):
    from tests.model.reference import as_transformers

    assert costs.parameters(tiny.config) == as_transformers(tiny).num_parameters()
    assert costs.parameters(DecoderConfig()) == 23_994_240
    assert costs.kv_bytes_per_token(DecoderConfig(), 4) == 2 * 10 * 6 * 64 * 4


def test_attention_overtakes_the_weights_at_54k_tokens():
    spec = costs.models()["Llama-3-70B"]
    assert 2 * costs.parameters(spec) / costs.attention_flops(spec, 1) == pytest.approx(54_000, rel=0.01)
    assert costs.decode_flops(spec, 54_000) == pytest.approx(4 * costs.parameters(spec), rel=0.01)


def test_score_matrices_of_gpt3():
    spec = costs.models()["GPT-3 175B"]
    assert costs.attention_score_bytes(spec, 2048) / 1e9 == pytest.approx(0.81, abs=0.005)
    assert costs.attention_score_bytes(spec, 8192) / 1e9 == pytest.approx(12.9, abs=0.05)


def test_reading_a_text_counts_every_pair_once():
    config = DecoderConfig(n_layers=1)
    pairs = sum(range(1, 11))
    assert costs.prefill_flops(config, 10) - 20 * costs.parameters(config) == pairs * costs.attention_flops(config, 1)


@pytest.mark.parametrize("gpu, ridge, ceiling", [("A100 SXM 80", 153, 14), ("H100 SXM", 295, 24), ("H200 SXM", 206, 34), ("B200", 281, 57), ("RTX 4090", 164, None)])
def test_ridges_and_ceilings(gpu, ridge, ceiling):
    found = costs.gpus()[gpu]
    line = costs.roofline(1e12, 1e12, found)
    assert line.ridge == pytest.approx(ridge, abs=1) and line.bound == "memory"
    assert costs.roofline(1e15, 1e9, found).tflops == pytest.approx(found.bf16_tflops)
    if ceiling:
        assert costs.tokens_per_second_bound(141e9, found.bandwidth_tb) == pytest.approx(ceiling, abs=0.6)


def test_costs_load_neither_torch_nor_streamlit():
    code = "import sys, core.costs; assert not {'torch', 'streamlit', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
