"""The calculator against published sizes, transformers' own counts and hand arithmetic."""

import json

import pytest

from core import costs

MODELS, GPUS = costs.models(), costs.gpus()

# Published total parameters in billions (model cards and papers named in models.toml).
PARAMETERS = {
    "GPT-2 small": 0.1244, "GPT-3 175B": 175, "Llama-2-7B": 6.74, "Llama-2-70B": 69.0, "Llama-3-8B": 8.03, "Llama-3.1-405B": 405.9,
    "Mistral-7B": 7.24, "Mixtral 8x7B": 46.7, "Qwen3-32B": 32.8, "DeepSeek-V3": 671.0, "SmolLM2-135M": 0.1345, "Gemma-2-9B": 9.24,
    "Gemma-2-27B": 27.2, "gpt-oss-20b": 20.91, "gpt-oss-120b": 116.83, "Llama-4 Scout": 109, "Llama-4 Maverick": 400,
}  # fmt: skip
# Published cache in GB (1e9 bytes) of one text, 16 bit: tokens, GB.
CACHE = {
    "DeepSeek-V3": (131_072, 9.2), "Gemma-3-27B": (131_072, 11.2), "gpt-oss-120b": (131_072, 4.8), "Mistral-7B": (32_768, 0.537),
    "Llama-3-70B": (131_072, 42.9), "Llama-3.1-405B": (131_072, 67.6), "Llama-4 Scout": (131_072, 7.7), "Qwen3-32B": (32_768, 8.6),
    "DeepSeek-V3.2": (131_072, 10.3), "Mixtral 8x7B": (32_768, 4.3),
}  # fmt: skip


@pytest.mark.parametrize("name", PARAMETERS)
def test_weights_are_within_two_percent_of_published_sizes(name):
    share = costs.share(MODELS[name], 1024, "bf16")
    assert share.weights == pytest.approx(2e9 * PARAMETERS[name], rel=0.02)
    assert costs.share(MODELS[name], 1024, "q4_0").weights == pytest.approx(share.weights * 4.5 / 16)


@pytest.mark.parametrize("name", CACHE)
def test_caches_are_within_two_percent_of_published_sizes(name):
    tokens, gigabytes = CACHE[name]
    assert costs.share(MODELS[name], tokens).kv_cache / 1e9 == pytest.approx(gigabytes, rel=0.02)


@pytest.mark.parametrize("name", MODELS)
def test_one_gpu_holds_everything_and_several_at_least_all_of_it(name):
    spec = MODELS[name]
    assert costs.gpu_parameters(spec, 1) == costs.parameters(spec)
    for n in costs.splits(spec):
        assert costs.parameters(spec) <= n * costs.gpu_parameters(spec, n) <= 1.2 * costs.parameters(spec)


def test_kv_heads_are_split_then_copied():
    gqa = MODELS["Llama-3-70B"]  # 8 KV heads
    one, eight, sixteen = (costs.share(gqa, 1000, n_gpus=n).kv_cache for n in (1, 8, 16))
    assert one == 327_680_000 and eight == sixteen == one / 8
    mqa = MODELS["Gemma-3-1B"]  # one KV head: each of four GPUs keeps it
    assert costs.share(mqa, 1000, n_gpus=4).kv_cache == costs.share(mqa, 1000).kv_cache
    kv = 26 * 2 * 1152 * 256
    norms = 26 * (4 * 1152 + 2 * 256) + 1152
    assert costs.gpu_parameters(mqa, 4) == pytest.approx((costs.parameters(mqa) - kv - norms) / 4 + kv + norms)


def test_the_latent_vector_is_on_every_gpu():
    latent = MODELS["DeepSeek-V3"]
    assert costs.share(latent, 1000, n_gpus=8).kv_cache == costs.share(latent, 1000).kv_cache == 70_272_000


def test_heads_that_cannot_be_spread_are_named():
    assert costs.splits(MODELS["SmolLM2-135M"]) == [1] and costs.splits(MODELS["GPT-2 small"]) == [1, 2, 4]
    with pytest.raises(ValueError, match="9 query and 3 KV heads cannot be spread evenly over 2 GPUs"):
        costs.share(MODELS["SmolLM2-135M"], 10, n_gpus=2)


def test_the_bound_by_hand():
    """Llama-3-8B without its embedding table: 7,504,924,672 weights; at 1000 tokens 131,072,000 bytes of cache."""
    bound = costs.decode_bound(MODELS["Llama-3-8B"], GPUS["H100 SXM"], 1000)
    assert bound.bytes_read == 2 * (8_030_261_248 - 128_256 * 4096) + 131_072_000
    assert bound.tokens_per_second == pytest.approx(3.35e12 / bound.bytes_read) and bound.limit == "memory"
    many = costs.decode_bound(MODELS["Llama-3-8B"], GPUS["H100 SXM"], 10, sequences=2000)
    assert many.limit == "compute" and many.tokens_per_second == pytest.approx(989e12 / costs.decode_flops(MODELS["Llama-3-8B"], 10))


def test_published_ceilings_of_writing():
    """70B in 16 bits (141 GB) at the bandwidth of one card: A100 14, H100 24, H200 34, B200 57."""
    for name, published in (("A100 SXM 80", 14), ("H100 SXM", 24), ("H200 SXM", 34), ("B200", 57)):
        assert costs.decode_bound(MODELS["Llama-3-70B"], GPUS[name], 1).tokens_per_second == pytest.approx(published, abs=0.7)


def test_experts_read_by_a_batch_equal_a_count():
    """One text wakes k of E; for more, the mean over many random choices."""
    import numpy as np

    spec, rng = MODELS["Mixtral 8x7B"], np.random.default_rng(0)
    assert costs.experts_read(spec, 1) == pytest.approx(2)
    for batch in (2, 8):
        counted = [len({e for _ in range(batch) for e in rng.choice(8, 2, replace=False)}) for _ in range(2000)]
        assert costs.experts_read(spec, batch) == pytest.approx(np.mean(counted), rel=0.02)
    one = costs.decode_bound(spec, GPUS["H100 SXM"], 1).bytes_read
    assert one == pytest.approx(2 * 12.9e9, rel=0.02)  # the active 12.9B of the paper


# ---- config.json ------------------------------------------------------------------------------------------

BASE = {"hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4, "vocab_size": 99, "intermediate_size": 80,
        "max_position_embeddings": 128, "num_key_value_heads": 2}  # fmt: skip
MLA = {"num_key_value_heads": 4, "kv_lora_rank": 20, "q_lora_rank": 28, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 16,
       "moe_intermediate_size": 40, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1,
       "first_k_dense_replace": 1, "n_shared_experts": 1}  # fmt: skip
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
KINDS = {
    "GPT2": {"n_embd": 64, "n_layer": 3, "n_head": 4, "vocab_size": 99, "n_positions": 128}, "Llama": BASE, "Mistral": BASE, "Qwen2": BASE,
    "Mixtral": BASE | EXPERTS, "Qwen3": BASE | {"head_dim": 24}, "Gemma": BASE | {"head_dim": 24}, "Gemma2": BASE | {"head_dim": 24},
    "Qwen3Moe": BASE | {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 40, "head_dim": 16},
    "Gemma3Text": BASE | {"head_dim": 24}, "DeepseekV3": BASE | MLA, "GptOss": BASE | EXPERTS | {"head_dim": 16},
    "Llama4Text": BASE | EXPERTS | {"intermediate_size_mlp": 96, "head_dim": 16, "interleave_moe_layer_step": 2},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_configs_are_counted_as_transformers_counts_them(kind):
    """The file that transformers writes for a config, against the parameters of the model that it builds."""
    import torch
    import transformers

    config = getattr(transformers, f"{kind}Config")(**KINDS[kind], pad_token_id=0)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    spec = costs.find_spec(json.dumps(config.to_dict()))
    assert costs.parameters(spec) == model.num_parameters()
    types = getattr(config, "layer_types", None) or []
    windowed = sum(t in ("sliding_attention", "chunked_attention") for t in types)
    assert spec.local_layers == (windowed if types else 6 if kind == "Mistral" else 0)


@pytest.mark.parametrize("text, name", [
    ("meta-llama/Meta-Llama-3-70B-Instruct", "Llama-3-70B"), ("mistralai/Mixtral-8x7B-v0.1", "Mixtral 8x7B"),
    ("deepseek-ai/DeepSeek-V3", "DeepSeek-V3"), ("openai/gpt-oss-120b", "gpt-oss-120b"), ("google/gemma-3-27b-it", "Gemma-3-27B"),
    ("openai-community/gpt2", "GPT-2 small"), ("meta-llama/Llama-2-7b-chat-hf", "Llama-2-7B"), ("qwen3 32b", "Qwen3-32B"),
    ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "Llama-4 Scout"), ("HuggingFaceTB/SmolLM2-135M", "SmolLM2-135M"),
])  # fmt: skip
def test_names_and_ids(text, name):
    assert costs.find_spec(text) is MODELS[name]


def test_an_unknown_name_is_none():
    assert costs.find_spec("someone/something-9b") is None and costs.find_spec("") is None


@pytest.mark.parametrize("text, message", [
    ("{", "not complete JSON"), ("[1]", "one JSON object"), ("[" * 50_000, "not complete JSON"), ('{"a": 1}', "model_type is 'None'"),
    ('{"model_type": "mamba"}', "'mamba'; known are gpt2"), (json.dumps(BASE | {"model_type": "llama", "vocab_size": None}), "lacks vocab_size"),
    (json.dumps(BASE | {"model_type": "llama", "hidden_size": "wide"}), "hidden_size in config.json must be"),
    (json.dumps(BASE | {"model_type": "llama", "num_attention_heads": 0}), "num_attention_heads"),
    (json.dumps(BASE | {"model_type": "llama", "num_key_value_heads": 3}), "must be a multiple"),
    (json.dumps(BASE | {"model_type": "llama", "hidden_size": 10**30}), "hidden_size"),
    (json.dumps(BASE | {"model_type": "mixtral"}), "lacks num_local_experts"),
    (json.dumps(BASE | {"model_type": "llama", "num_attention_heads": 10**6, "num_key_value_heads": 10**6}), "head_dim"),
])  # fmt: skip
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        costs.find_spec(text)
