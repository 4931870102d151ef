"""A model's shape from its config.json (the keys that Hugging Face files use), or from its name or id."""

import json
import re

from core.costs.specs import ModelSpec
from core.costs.tables import models

KINDS = (
    "gpt2", "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe", "gemma", "gemma2", "gemma3_text", "deepseek_v3",
    "deepseek_v32", "gpt_oss", "llama4_text",
)  # fmt: skip
LONGEST = 10**9  # no size in a config is larger; beyond it is a slip or a joke
# Last parts of ids that differ from the names in models.toml by more than signs and endings.
_ALIASES = {
    "gpt2": "GPT-2 small", "metallama38b": "Llama-3-8B", "metallama370b": "Llama-3-70B", "llama4scout17b16e": "Llama-4 Scout",
    "llama4maverick17b128e": "Llama-4 Maverick", "deepseekv32exp": "DeepSeek-V3.2",
    "metallama31405b": "Llama-3.1-405B", "gpt3": "GPT-3 175B",
}  # fmt: skip
_ENDINGS = re.compile(r"(-(instruct|chat|it|pt|hf|base|v0\.1))+$")


def find_spec(text: str) -> ModelSpec | None:
    """The shape that `text` gives: a config.json, or a name or Hugging Face id of the table; None for another name.

    Nothing is fetched. Raises ValueError, naming what is missing, for a config that cannot be read.
    """
    text = text.strip()
    if not text.startswith(("{", "[")):
        return _named(text)
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("this config.json is not complete JSON") from None
    return spec_from_config(config)


def spec_from_config(config: dict) -> ModelSpec:
    """ModelSpec from a config.json of one of KINDS; of a model with vision, its text part.

    Raises ValueError for another kind of model, for a missing key, and for shapes the closed forms do not know.
    """
    if not isinstance(config, dict):
        raise ValueError("a config.json is one JSON object")
    if isinstance(config.get("text_config"), dict):
        config = config["text_config"]
    kind = config.get("model_type")
    if kind not in KINDS:
        raise ValueError(f"model_type is {str(kind)[:40]!r}; known are {', '.join(KINDS)}")
    shape = _gpt2(config) if kind == "gpt2" else _llama_like(config, kind)
    return ModelSpec(name=kind, source="config.json", **shape)


def _named(text: str) -> ModelSpec | None:
    last = _ENDINGS.sub("", text.rpartition("/")[2].lower())
    key = re.sub(r"[^a-z0-9]", "", last)
    by_key = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in models()} | _ALIASES
    return models()[by_key[key]] if key in by_key else None


def _whole(config: dict, key: str, default: int | None = None) -> int:
    """A size of the config; without a default the key must be there."""
    value = config.get(key)
    value = default if value is None else value
    if value is None:
        raise ValueError(f"config.json lacks {key}")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LONGEST or (value == 0 and default is None):
        raise ValueError(f"{key} in config.json must be a whole number from 1 to {LONGEST:,}, got {str(value)[:40]}")
    return value


def _gpt2(config: dict) -> dict:
    width, heads = _whole(config, "n_embd"), _whole(config, "n_head")
    return {
        "n_layers": _whole(config, "n_layer"), "d_model": width, "n_heads": heads, "n_kv_heads": heads, "head_dim": width // heads,
        "d_ff": _whole(config, "n_inner", 4 * width), "vocab_size": _whole(config, "vocab_size"),
        "context_length": _whole(config, "n_positions"), "tied_embeddings": config.get("tie_word_embeddings", True),
        "learned_positions": True, "gated": False, "biases": True, "layer_norm": True,
    }  # fmt: skip


def _llama_like(config: dict, kind: str) -> dict:
    width, heads = _whole(config, "hidden_size"), _whole(config, "num_attention_heads")
    n_layers = _whole(config, "num_hidden_layers")
    context = _whole(config, "max_position_embeddings")
    # Files leave out what equals the default of their kind; these are the defaults of transformers.
    head_dim = {"gemma": 256, "gemma2": 256, "gemma3_text": 256, "qwen3": 128, "gpt_oss": 64, "llama4_text": 128}.get(kind, width // heads)
    shape = {
        "n_layers": n_layers, "d_model": width, "n_heads": heads, "n_kv_heads": _whole(config, "num_key_value_heads", heads),
        "head_dim": _whole(config, "head_dim", head_dim), "d_ff": _whole(config, "intermediate_size"),
        "vocab_size": _whole(config, "vocab_size"), "context_length": context,
        "tied_embeddings": bool(config.get("tie_word_embeddings", kind.startswith("gemma"))),
        "norms_per_layer": 4 if kind in ("gemma2", "gemma3_text") else 2,
        "qk_norm": kind in ("qwen3", "qwen3_moe", "gemma3_text"),
        "qkv_bias": kind == "qwen2", "biases": kind == "gpt_oss", "sinks": kind == "gpt_oss",
    }  # fmt: skip
    if not shape["head_dim"]:
        raise ValueError("head_dim in config.json must be at least 1, and where it is missing hidden_size at least num_attention_heads")
    if kind != "gpt_oss" and (config.get("attention_bias") or config.get("mlp_bias")):
        raise ValueError("attention_bias and mlp_bias are not known for this model_type")
    return shape | _windows(config, kind, n_layers) | _latent(config, kind) | _experts(config, kind, n_layers)


def _windows(config: dict, kind: str, n_layers: int) -> dict:
    """Which layers see only a part: from the list of layers if there is one, else from the habit of the kind."""
    window = _whole(config, "attention_chunk_size" if kind == "llama4_text" else "sliding_window", 0)
    listed = config.get("layer_types")
    if isinstance(listed, list):
        local = sum(entry in ("sliding_attention", "chunked_attention") for entry in listed)
    else:
        every = {"gemma2": 2, "gpt_oss": 2, "gemma3_text": 6, "llama4_text": 4}.get(kind, 0)
        every = _whole(config, "sliding_window_pattern", every) if kind == "gemma3_text" else every
        local = n_layers - n_layers // every if every else 0
        if kind in ("mistral", "mixtral"):
            local = n_layers
        if kind.startswith("qwen") and config.get("use_sliding_window"):
            local = max(n_layers - _whole(config, "max_window_layers"), 0)
    if local and not window and (isinstance(listed, list) or kind not in ("mistral", "mixtral")):
        raise ValueError("config.json has layers with a window but lacks its size (sliding_window or attention_chunk_size)")
    if not (local and window):
        return {}
    return {"local_layers": local, "window": window, "window_kind": "chunked" if kind == "llama4_text" else "sliding"}


def _latent(config: dict, kind: str) -> dict:
    if not kind.startswith("deepseek"):
        return {}
    head_dim = _whole(config, "qk_nope_head_dim")
    if _whole(config, "v_head_dim") != head_dim:
        raise ValueError("v_head_dim and qk_nope_head_dim differ, which is not known here")
    sparse = {"index_heads": "index_n_heads", "index_dim": "index_head_dim", "index_top_k": "index_topk"}
    return {
        "head_dim": head_dim, "kv_lora_rank": _whole(config, "kv_lora_rank"), "q_lora_rank": _whole(config, "q_lora_rank"),
        "qk_rope_dim": _whole(config, "qk_rope_head_dim"),
        **({field: _whole(config, key) for field, key in sparse.items()} if kind == "deepseek_v32" else {}),
    }  # fmt: skip


def _experts(config: dict, kind: str, n_layers: int) -> dict:
    if kind not in ("mixtral", "qwen3_moe", "deepseek_v3", "deepseek_v32", "gpt_oss", "llama4_text"):
        return {}
    key = "n_routed_experts" if kind.startswith("deepseek") else "num_experts" if "num_experts" in config else "num_local_experts"
    own_width = kind == "qwen3_moe" or kind.startswith("deepseek")
    found = {
        "moe_layers": n_layers, "n_experts": _whole(config, key), "active_experts": _whole(config, "num_experts_per_tok"),
        "d_expert": _whole(config, "moe_intermediate_size" if own_width else "intermediate_size"),
    }  # fmt: skip
    if kind.startswith("deepseek"):
        found["moe_layers"] -= _whole(config, "first_k_dense_replace", 0)
        found["shared_experts"] = _whole(config, "n_shared_experts", 1)
    if kind == "llama4_text":
        found |= {"moe_layers": n_layers // _whole(config, "interleave_moe_layer_step"), "shared_experts": 1}
        found |= {"d_ff": _whole(config, "intermediate_size_mlp")}
    if kind == "qwen3_moe" and (config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1):
        raise ValueError("mlp_only_layers and decoder_sparse_step are not known here")
    return found
