"""Closed forms against published tables, transformers' counts, measured FLOPs and hand arithmetic."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest

from core import costs
from core.models.config import DecoderConfig

MODELS, GPUS = costs.models(), costs.gpus()

# Bytes a token at 16 bits once every window is full, bytes of the full windows, GB at 32,768 and 131,072 tokens.
CACHE = {
    "GPT-2 small": (36_864, 0, None, None), "GPT-3 175B": (4_718_592, 0, None, None), "Llama-2-7B": (524_288, 0, None, None),
    "Llama-2-70B": (327_680, 0, None, None), "Llama-3-8B": (131_072, 0, 4.3, 17.2), "Llama-3-70B": (327_680, 0, 10.7, 42.9),
    "Llama-3.1-405B": (516_096, 0, 16.9, 67.6), "Mistral-7B": (0, 512 * 2**20, 0.54, 0.54), "Mixtral 8x7B": (131_072, 0, 4.3, None),
    "Qwen3-32B": (262_144, 0, 8.6, None), "DeepSeek-V3": (70_272, 0, 2.3, 9.2), "DeepSeek-V3.2": (78_324, 0, 2.6, 10.3),
    "SmolLM2-135M": (23_040, 0, None, None), "Gemma-2-9B": (172_032, 705e6, None, None), "Gemma-2-27B": (188_416, 772e6, None, None),
    "Gemma-3-27B": (81_920, 436e6, 3.1, 11.2), "Gemma-3-1B": (4_096, 11.5e6, 0.15, 0.55), "gpt-oss-120b": (36_864, 4.7e6, 1.2, 4.8),
    "gpt-oss-20b": (24_576, 3.1e6, 0.8, 3.2), "Llama-4 Scout": (49_152, 1.2e9, 2.8, 7.7), "Llama-4 Maverick": (49_152, 1.2e9, 2.8, 7.7),
}  # fmt: skip
# Layers, width, query and KV heads, head width, vocabulary, context.
SHAPES = {
    "GPT-2 small": (12, 768, 12, 12, 64, 50257, 1024), "GPT-3 175B": (96, 12288, 96, 96, 128, 50257, 2048),
    "Llama-2-7B": (32, 4096, 32, 32, 128, 32000, 4096), "Llama-2-70B": (80, 8192, 64, 8, 128, 32000, 4096),
    "Llama-3-8B": (32, 4096, 32, 8, 128, 128256, 8192), "Llama-3-70B": (80, 8192, 64, 8, 128, 128256, 8192),
    "Llama-3.1-405B": (126, 16384, 128, 8, 128, 128256, 131072), "Mistral-7B": (32, 4096, 32, 8, 128, 32000, 8192),
    "Mixtral 8x7B": (32, 4096, 32, 8, 128, 32000, 32768), "Qwen3-32B": (64, 5120, 64, 8, 128, 151936, 40960),
    "DeepSeek-V3": (61, 7168, 128, 128, 128, 129280, 131072), "DeepSeek-V3.2": (61, 7168, 128, 128, 128, 129280, 131072),
    "SmolLM2-135M": (30, 576, 9, 3, 64, 49152, 8192), "Gemma-2-9B": (42, 3584, 16, 8, 256, 256000, 8192),
    "Gemma-2-27B": (46, 4608, 32, 16, 128, 256000, 8192), "Gemma-3-27B": (62, 5376, 32, 16, 128, 262144, 131072),
    "Gemma-3-1B": (26, 1152, 4, 1, 256, 262144, 32768), "gpt-oss-120b": (36, 2880, 64, 8, 64, 201088, 131072),
    "gpt-oss-20b": (24, 2880, 64, 8, 64, 201088, 131072), "Llama-4 Scout": (48, 5120, 40, 8, 128, 202048, 10 * 2**20),
    "Llama-4 Maverick": (48, 5120, 40, 8, 128, 202048, 2**20),
}  # fmt: skip


# ---- tables -----------------------------------------------------------------------------------------------


def test_every_model_has_the_published_shape_and_a_source():
    assert set(MODELS) == set(SHAPES) == set(CACHE)
    for name, spec in MODELS.items():
        width = (spec.n_layers, spec.d_model, spec.n_heads, spec.n_kv_heads, spec.head_dim)
        assert (*width, spec.vocab_size, spec.context_length) == SHAPES[name]
        assert spec.name == name and len(spec.source) > 10


def test_kinds_of_attention():
    kinds = {"GPT-2 small": "MHA", "Llama-2-7B": "MHA", "Llama-3-70B": "GQA", "Gemma-3-1B": "MQA", "DeepSeek-V3": "MLA"}
    assert {name: MODELS[name].attention for name in kinds} == kinds


@pytest.mark.parametrize("change, message", [
    ({"n_kv_heads": 7}, "must be a multiple"), ({"local_layers": 4}, "window of 0"), ({"local_layers": 99, "window": 8}, "99 of 80"),
    ({"n_experts": 8}, "experts in 0 layers"), ({"moe_layers": 2, "n_experts": 2, "active_experts": 3}, "3 of 2 experts"),
])  # fmt: skip
def test_impossible_shapes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        replace(MODELS["Llama-3-70B"], **change)


def test_a_decoder_config_is_a_spec():
    spec = costs.as_spec(DecoderConfig(n_kv_heads=2))
    assert (spec.n_layers, spec.n_kv_heads, spec.d_ff, spec.tied_embeddings) == (10, 2, 1024, True)
    assert costs.as_spec(spec) is spec


# ---- memory -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CACHE)
def test_cache_sizes_equal_the_published_table(name):
    growth, fixed, at_32k, at_128k = CACHE[name]
    spec = MODELS[name]
    assert costs.kv_bytes_per_token(spec, tokens=100_000) == growth
    assert costs.kv_cache_bytes(spec, 100_001) - costs.kv_cache_bytes(spec, 100_000) == growth
    assert costs.kv_cache_bytes(spec, 100_000) - 100_000 * growth == pytest.approx(fixed, rel=0.02)
    assert costs.kv_fixed_bytes(spec, 100_000) == pytest.approx(fixed, rel=0.02)
    for tokens, gigabytes in ((32_768, at_32k), (131_072, at_128k)):
        if gigabytes:
            assert costs.kv_cache_bytes(spec, tokens) / 1e9 == pytest.approx(gigabytes, abs=0.051 if gigabytes > 1 else 0.0151)


@pytest.mark.parametrize("name", CACHE)
def test_the_cache_is_the_sum_of_what_each_token_adds(name):
    spec = MODELS[name]
    added = sum(costs.kv_bytes_per_token(spec, tokens=t) for t in range(600))
    assert costs.kv_cache_bytes(spec, 600) == added


def test_all_layers_grow_until_the_window_is_full():
    gemma = MODELS["Gemma-3-27B"]
    assert costs.kv_bytes_per_token(gemma) == costs.kv_bytes_per_token(gemma, tokens=1_023) == 507_904
    assert costs.kv_bytes_per_token(gemma, tokens=1_024) == 81_920
    assert costs.kv_bytes_per_token(MODELS["Mistral-7B"]) == 131_072


def test_a_million_tokens_of_a_70b_model():
    gqa = MODELS["Llama-3-70B"]
    mha, mqa = replace(gqa, n_kv_heads=64), replace(gqa, n_kv_heads=1)
    assert [costs.kv_bytes_per_token(s) for s in (mha, gqa, mqa)] == [2_621_440, 327_680, 40_960]
    assert [round(costs.kv_cache_bytes(s, 10**6) / 1e9) for s in (mha, gqa, mqa)] == [2621, 328, 41]
    assert costs.kv_cache_bytes(gqa, 1000, sequences=3) == 3 * costs.kv_cache_bytes(gqa, 1000)
    assert costs.kv_cache_bytes(gqa, 305_000) < 100e9 < costs.kv_cache_bytes(gqa, 306_000)  # 100 GB: a floor, not the size
    assert costs.kv_cache_bytes(mha, 38_000) < 100e9 < costs.kv_cache_bytes(mha, 39_000)


def test_latent_attention_against_the_heads_it_replaces():
    latent = MODELS["DeepSeek-V3"]
    heads = replace(latent, kv_lora_rank=0, qk_rope_dim=0)
    assert costs.kv_bytes_per_token(heads) / costs.kv_bytes_per_token(latent) == pytest.approx(56.9, abs=0.05)
    assert costs.kv_bytes_per_token(latent, 1) == 35_136
    # The indexer's keys stay FP8 with one FP32 scale: 132 bytes a layer, whatever the rest is stored in.
    extra = [costs.kv_bytes_per_token(MODELS["DeepSeek-V3.2"], b) - costs.kv_bytes_per_token(latent, b) for b in (1, 2, 4)]
    assert extra == [8_052] * 3


def test_gpt3_cache_and_score_matrices():
    spec = MODELS["GPT-3 175B"]
    assert [round(costs.kv_cache_bytes(spec, n) / 1e9, 1) for n in (2048, 8192)] == [9.7, 38.7]
    assert [round(costs.attention_score_bytes(spec, n) / 1e9, 2) for n in (2048, 8192)] == [0.81, 12.88]
    everything = costs.attention_score_bytes(MODELS["Llama-3-70B"], 10**6) * 80  # all layers and heads at once
    assert everything == pytest.approx(10.2e15, rel=0.01)


def test_weights_of_70_billion_parameters():
    assert [costs.weight_bytes(70e9, f) / 1e9 for f in ("fp32", "fp16", "bf16", "fp8_e4m3", "int8", "int4")] == [280, 140, 140, 70, 70, 35]
    assert costs.weight_bytes(MODELS["Llama-3-70B"]) / 1e9 == pytest.approx(141, abs=0.2)
    assert costs.weight_bytes(8e9, "q4_0") / 1e9 == 4.5
    assert costs.weight_bytes(32, "q4_0") == 18 and costs.weight_bytes(32, "q8_0") == 34  # bytes of one ggml block
    assert costs.weight_bytes(64, "nf4") == 36
    assert costs.BITS["nf4_double"] - 4 == pytest.approx(0.127, abs=5e-4)  # QLoRA, section 3
    with pytest.raises(ValueError, match="no format 'fp12'; there are: fp32"):
        costs.weight_bytes(1, "fp12")


def test_weights_and_cache_together():
    spec = MODELS["Llama-3-70B"]
    memory = costs.model_memory(spec, 131_072, "q4_0", sequences=2)
    assert memory.total == memory.weights + memory.kv_cache
    assert memory.weights / 1e9 == pytest.approx(39.7, abs=0.05) and memory.kv_cache / 1e9 == pytest.approx(85.9, abs=0.05)
    assert not costs.fits(memory.total, GPUS["H100 SXM"]) and costs.fits(memory.total, GPUS["H100 SXM"], 2)
    assert not costs.fits(costs.weight_bytes(spec), GPUS["H100 SXM"])
    assert costs.fits(24e9, GPUS["RTX 4090"]) and not costs.fits(24e9 + 1, GPUS["RTX 4090"])


# ---- parameters -------------------------------------------------------------------------------------------

# Billions as published; one more or less in the last digit, or what the comment says.
PUBLISHED = {
    "GPT-2 small": 0.1244, "GPT-3 175B": 175, "Llama-2-7B": 6.74, "Llama-2-70B": 69.0, "Llama-3-8B": 8.03, "Llama-3-70B": 70.6,
    "Llama-3.1-405B": 405.9, "Mistral-7B": 7.24, "Mixtral 8x7B": 46.7, "Qwen3-32B": 32.8, "DeepSeek-V3": 671.0,
    "SmolLM2-135M": 0.1345, "Gemma-2-9B": 9.24, "Gemma-2-27B": 27.2, "Gemma-3-1B": 1.0, "Gemma-3-27B": 27.0,
    "gpt-oss-20b": 20.91, "gpt-oss-120b": 116.83, "Llama-4 Scout": 107.8, "Llama-4 Maverick": 400.7,
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_equal_published_totals(name):
    assert costs.parameters(MODELS[name]) / 1e9 == pytest.approx(PUBLISHED[name], rel=3e-3)


@pytest.mark.parametrize("name, active", [
    ("Mixtral 8x7B", 12.9), ("DeepSeek-V3", 37), ("Llama-4 Scout", 17), ("Llama-4 Maverick", 17),
])  # fmt: skip
def test_active_parameters_equal_published_ones(name, active):
    assert costs.active_parameters(MODELS[name]) / 1e9 == pytest.approx(active, rel=0.02)


@pytest.mark.parametrize("name, active", [("gpt-oss-120b", 5.13), ("gpt-oss-20b", 3.61)])
def test_active_parameters_of_gpt_oss(name, active):
    """OpenAI counts the unembedding as active, the embedding not."""
    spec = MODELS[name]
    assert (costs.active_parameters(spec) - spec.vocab_size * spec.d_model) / 1e9 == pytest.approx(active, abs=0.01)


def test_without_experts_every_weight_is_active():
    assert costs.active_parameters(MODELS["Llama-3-8B"]) == costs.parameters(MODELS["Llama-3-8B"])


def transformers_count(kind, **changes):
    """num_parameters() of transformers' model, built without memory for its weights."""
    import torch
    import transformers

    config = getattr(transformers, f"{kind}Config")(**changes)
    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(config).num_parameters()


SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 99, "intermediate_size": 80}
SPEC = {"name": "small", "source": "none", "n_layers": 3, "d_model": 64, "n_heads": 4, "vocab_size": 99, "d_ff": 80, "context_length": 128}
GQA = ({"num_key_value_heads": 2, "head_dim": 24}, {"n_kv_heads": 2, "head_dim": 24})
MLA = (
    {"num_key_value_heads": 4, "kv_lora_rank": 20, "q_lora_rank": 28, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 16,
     "moe_intermediate_size": 40, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1,
     "first_k_dense_replace": 1},
    {"n_kv_heads": 4, "head_dim": 16, "kv_lora_rank": 20, "q_lora_rank": 28, "qk_rope_dim": 8, "d_expert": 40, "n_experts": 8,
     "active_experts": 2, "shared_experts": 1, "moe_layers": 2},
)  # fmt: skip
EXPERTS = {"n_experts": 5, "active_experts": 2, "d_expert": 80}
FAMILIES = {
    "Llama": (GQA, {"tie_word_embeddings": False}, {}),
    "Llama tied": (GQA, {"tie_word_embeddings": True}, {"tied_embeddings": True}),
    "Mistral": (GQA, {"sliding_window": 16, "tie_word_embeddings": False}, {"local_layers": 3, "window": 16}),
    "Mixtral": (GQA, {"num_local_experts": 5, "num_experts_per_tok": 2}, {"moe_layers": 3, **EXPERTS}),
    "Qwen3": (GQA, {"tie_word_embeddings": False}, {"qk_norm": True}),
    "Gemma2": (GQA, {"tie_word_embeddings": True}, {"tied_embeddings": True, "norms_per_layer": 4}),
    "DeepseekV3": (MLA, {"tie_word_embeddings": False}, {}),
    "DeepseekV32": (MLA, {"index_n_heads": 6, "index_head_dim": 12, "tie_word_embeddings": False}, {"index_heads": 6, "index_dim": 12}),
    "GptOss": (
        GQA, {"num_local_experts": 5, "num_experts_per_tok": 2, "tie_word_embeddings": False, "layer_types": ["full_attention"] * 3},
        {"moe_layers": 3, "biases": True, "sinks": True, **EXPERTS},
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_equal_transformers_count_of_small_models(family):
    (their_shape, our_shape), theirs, ours = FAMILIES[family]
    kind = family.split()[0]
    assert costs.parameters(costs.ModelSpec(**SPEC | our_shape | ours)) == transformers_count(kind, **SMALL | their_shape | theirs)


def test_parameters_equal_transformers_count_of_gpt2():
    assert costs.parameters(MODELS["GPT-2 small"]) == transformers_count("GPT2") == 124_439_808


@pytest.mark.parametrize("name, kind, changes", [
    ("DeepSeek-V3", "DeepseekV3", {}), ("gpt-oss-120b", "GptOss", {}), ("Mixtral 8x7B", "Mixtral", {}),
])  # fmt: skip
def test_parameters_equal_transformers_count_of_large_models(name, kind, changes):
    """Where transformers' default configuration is the model itself."""
    assert costs.parameters(MODELS[name]) == transformers_count(kind, **changes)


def test_parameters_equal_transformers_count_of_our_network(tiny):
    from tests.model.reference import as_transformers

    assert costs.parameters(tiny.config) == as_transformers(tiny).num_parameters()
    assert costs.parameters(DecoderConfig()) == 23_994_240
    assert costs.kv_bytes_per_token(DecoderConfig(), 4) == 2 * 10 * 6 * 64 * 4


# ---- FLOPs ------------------------------------------------------------------------------------------------


def test_flops_of_the_next_token_are_those_torch_counts(tiny):
    """All but the norms' gains, which multiply element by element."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from core.kv_cache import make_cache

    cache, ids, keys = make_cache("full", tiny.config), torch.arange(40)[None], 41
    tiny.forward(ids, cache)
    with FlopCounterMode(display=False) as counted:
        tiny.forward(ids[:, :1], cache, tap=lambda _, value: value)  # step by step: the fused kernel is not counted
    gains = (2 * tiny.config.n_layers + 1) * tiny.config.d_model
    assert counted.get_total_flops() == costs.decode_flops(tiny.config, keys) - 2 * gains


@pytest.mark.parametrize("name, tokens", [("Llama-3-70B", 54e3), ("Llama-3-8B", 31e3), ("GPT-3 175B", 74e3)])
def test_attention_overtakes_the_weights(name, tokens):
    spec = MODELS[name]
    assert costs.attention_crossover(spec) == pytest.approx(tokens, rel=0.015)
    at = round(costs.attention_crossover(spec))
    assert costs.decode_flops(spec, at) == pytest.approx(2 * costs.decode_flops(spec), rel=1e-4)


def test_no_crossover_where_attention_is_not_full():
    with pytest.raises(ValueError, match="Gemma-3-27B: attention is not full"):
        costs.attention_crossover(MODELS["Gemma-3-27B"])


@pytest.mark.parametrize("name", ["GPT-2 small", "Llama-3-8B", "Mistral-7B", "Gemma-3-1B", "Mixtral 8x7B"])
@pytest.mark.parametrize("tokens", [0, 1, 700, 5_000])
def test_reading_a_text_costs_the_sum_of_its_tokens(name, tokens):
    spec = MODELS[name]
    assert costs.prefill_flops(spec, tokens) == sum(costs.decode_flops(spec, t) for t in range(1, tokens + 1))


def test_attention_of_one_layer_is_4_n_squared_d_halved_by_the_mask():
    config, n = DecoderConfig(n_layers=1), 4_000
    attention = costs.prefill_flops(config, n) - 2 * n * costs.parameters(config)
    assert attention == pytest.approx(4 * n**2 * 384 / 2, rel=1e-3)


def test_only_chosen_experts_compute():
    spec = MODELS["Mixtral 8x7B"]
    assert costs.decode_flops(spec) == 2 * costs.active_parameters(spec) < 0.3 * 2 * costs.parameters(spec)


def test_local_layers_stop_at_their_window():
    spec = MODELS["Mistral-7B"]
    assert costs.attention_flops(spec, 4_096) == costs.attention_flops(spec, 100_000) == 4 * 32 * 4_096 * 4_096


def test_the_indexer_stays_quadratic_and_attention_does_not():
    dense, sparse = MODELS["DeepSeek-V3"], MODELS["DeepSeek-V3.2"]
    assert costs.attention_flops(dense, 2_000) == 61 * 2_000 * 2 * 128 * (512 + 64 + 512)
    index = 61 * 2 * 64 * 128
    assert costs.attention_flops(sparse, 2_048) - costs.attention_flops(dense, 2_048) == 2_048 * index
    assert costs.attention_flops(sparse, 102_048) - costs.attention_flops(sparse, 2_048) == 100_000 * index
    per_token = (costs.prefill_flops(sparse, 8_000) - 2 * costs.active_parameters(sparse) * 8_000) / 8_000
    pairs = (2_048 * 2_049 / 2 + 5_952 * 2_048) / 8_000
    assert per_token == pytest.approx(61 * (pairs * 2 * 128 * (192 + 128) + 8_001 / 2 * 2 * 64 * 128))


# ---- machines ---------------------------------------------------------------------------------------------

# Ridge in FLOPs a byte at bf16, most tokens a second of a 70B model in 16 bits (141 GB).
MACHINES = {
    "A100 SXM 80": (153, 14), "A100 SXM 40": (201, None), "H100 SXM": (295, 24), "H200 SXM": (206, 34), "B200": (281, 57),
    "RTX 4090": (164, None), "Laptop, DDR5-5600": (11, None),
}  # fmt: skip


@pytest.mark.parametrize("name", MACHINES)
def test_ridges_and_ceilings(name):
    gpu, (ridge, ceiling) = GPUS[name], MACHINES[name]
    line = costs.roofline(1e12, 1e12, gpu)
    assert line.ridge == gpu.ridge() == pytest.approx(ridge, abs=0.9)
    assert line.bound == "memory" and line.intensity == 1 and line.tflops == pytest.approx(gpu.bandwidth_tb)
    assert line.seconds == pytest.approx(1 / gpu.bandwidth_tb)
    busy = costs.roofline(1e15, 1e9, gpu)
    assert busy.bound == "compute" and busy.tflops == pytest.approx(gpu.bf16_tflops)
    if ceiling:
        assert costs.tokens_per_second_bound(141e9, gpu.bandwidth_tb) == pytest.approx(ceiling, abs=0.6)


@pytest.mark.parametrize("name, ceiling", [("RTX 4090", 223), ("Apple M4", 27), ("Laptop, DDR5-5600", 20)])
def test_ceilings_of_an_8b_model_in_q4_0(name, ceiling):
    assert costs.tokens_per_second_bound(costs.weight_bytes(8e9, "q4_0"), GPUS[name].bandwidth_tb) == pytest.approx(ceiling, abs=1)


def test_rates_are_dense():
    """The rate with sparsity is twice as high; a page that mixes them up doubles a machine."""
    assert [GPUS[n].bf16_tflops for n in ("A100 SXM 80", "H100 SXM", "B200", "RTX 4090")] == [312, 989, 2250, 165.2]
    for gpu in GPUS.values():
        assert gpu.source and gpu.fp8_tflops in (0, pytest.approx(2 * gpu.bf16_tflops, rel=0.002))
    assert costs.roofline(1e15, 1e9, GPUS["H100 SXM"], "fp8").tflops == pytest.approx(1979)
    with pytest.raises(ValueError, match="A100 SXM 80 has no 'fp8' rate; there are: bf16"):
        costs.roofline(1, 1, GPUS["A100 SXM 80"], "fp8")


def test_decoding_is_bound_by_memory_until_the_batch_is_large():
    spec, gpu = MODELS["Llama-3-8B"], GPUS["H100 SXM"]
    bound = {batch: costs.roofline(batch * costs.decode_flops(spec), costs.weight_bytes(spec), gpu).bound for batch in (1, 295, 296)}
    assert bound == {1: "memory", 295: "memory", 296: "compute"}


# ---- bad numbers, imports ---------------------------------------------------------------------------------


@pytest.mark.parametrize("call, message", [
    (lambda s: costs.kv_cache_bytes(s, -1), "tokens must be >= 0, got -1"),
    (lambda s: costs.kv_cache_bytes(s, 1, sequences=-2), "sequences must be >= 0, got -2"),
    (lambda s: costs.kv_cache_bytes(s, 1, -2), "bytes_per_element must be >= 0"),
    (lambda s: costs.weight_bytes(-7), "parameters must be >= 0, got -7"),
    (lambda s: costs.decode_flops(s, -1), "tokens must be >= 0"),
    (lambda s: costs.prefill_flops(s, -1), "tokens must be >= 0"),
    (lambda s: costs.attention_score_bytes(s, -1), "tokens must be >= 0"),
    (lambda s: costs.tokens_per_second_bound(0, 1), "bytes_read must be > 0"),
    (lambda s: costs.roofline(0, 1, GPUS["B200"]), "must be > 0, got 0 and 1"),
])  # fmt: skip
def test_bad_numbers_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(MODELS["Llama-3-8B"])


def test_specs_hold_nothing_a_table_never_sets():
    unused = {f.name for f in fields(costs.ModelSpec) if len({getattr(spec, f.name) for spec in MODELS.values()}) == 1}
    assert unused == {"qkv_bias"}  # set by the configs of loaded Qwen2 models


def test_costs_load_neither_torch_nor_streamlit():
    code = "import sys, core.costs as c; c.models(), c.gpus(); assert not {'torch', 'streamlit', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
