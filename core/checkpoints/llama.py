"""Hugging Face's names for the weights of a Llama, Qwen2 or Qwen3, and ours."""

from core.models.config import DecoderConfig

_BLOCK = {
    "input_layernorm": "ln1",
    "self_attn.q_proj": "attn.q",
    "self_attn.k_proj": "attn.k",
    "self_attn.v_proj": "attn.v",
    "self_attn.o_proj": "attn.o",
    "post_attention_layernorm": "ln2",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.down",
}


def weight_names(config: DecoderConfig) -> dict[str, str]:
    """Every weight of the model: Hugging Face's name -> ours. Tied embeddings are stored once."""
    names = {"model.embed_tokens.weight": "embed.weight", "model.norm.weight": "ln_final.weight"}
    for layer in range(config.n_layers):
        block = f"model.layers.{layer}."
        for theirs, ours in _BLOCK.items():
            names[f"{block}{theirs}.weight"] = f"blocks.{layer}.{ours}.weight"
            if _has_bias(config, ours):
                names[f"{block}{theirs}.bias"] = f"blocks.{layer}.{ours}.bias"
        if config.qk_norm:
            for part in "qk":
                names[f"{block}self_attn.{part}_norm.weight"] = f"blocks.{layer}.attn.{part}_norm.weight"
    if not config.tied_embeddings:
        names["lm_head.weight"] = "unembed.weight"
    return names


def _has_bias(config: DecoderConfig, part: str) -> bool:
    if part in ("ln1", "ln2"):
        return False
    return config.biases or (config.qkv_bias and part in ("attn.q", "attn.k", "attn.v"))


def to_llama_config(config: DecoderConfig, eos_token_id: int | None = None) -> dict:
    """The config.json that transformers' LlamaForCausalLM reads."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": config.n_layers,
        "hidden_size": config.d_model,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.d_ff,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "rope_theta": config.rope_theta,
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied_embeddings,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": None,
        "eos_token_id": eos_token_id,
        "torch_dtype": "float16",
    }


def from_llama_config(raw: dict) -> DecoderConfig:
    """Our config from a Llama's config.json (a dict)."""
    heads = raw["num_attention_heads"]
    return DecoderConfig(
        n_layers=raw["num_hidden_layers"],
        d_model=raw["hidden_size"],
        n_heads=heads,
        n_kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=raw.get("head_dim") or raw["hidden_size"] // heads,
        d_ff=raw["intermediate_size"],
        vocab_size=raw["vocab_size"],
        context_length=raw["max_position_embeddings"],
        rope_theta=raw.get("rope_theta", 10_000.0),
        norm_eps=raw["rms_norm_eps"],
        tied_embeddings=raw.get("tie_word_embeddings", False),
    )
