"""config.json and weight names of the Llama, Qwen2, Qwen3 and GPT-2 families, read as ours or refused by name."""

from core.checkpoints.errors import UnsupportedCheckpoint
from core.checkpoints.gguf import part_of
from core.checkpoints.llama import weight_names
from core.checkpoints.rope import divisors_and_gain
from core.checkpoints.stored import Stored
from core.models.config import DecoderConfig

_ACTIVATIONS = {"silu": "silu", "swish": "silu", "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}
_NOT_WEIGHTS = ("rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias")  # tables some files carry along
_GPT2 = {"wte.weight": "embed.weight", "wpe.weight": "pos_embed", "ln_f.weight": "ln_final.weight", "ln_f.bias": "ln_final.bias",
         "lm_head.weight": "unembed.weight"}  # fmt: skip
_GPT2_BLOCK = {"ln_1": "ln1", "ln_2": "ln2", "attn.c_proj": "attn.o", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down"}


def config_of(raw: dict) -> DecoderConfig:
    """Our config from a config.json (a dict); raises UnsupportedCheckpoint naming what is missing or different."""
    family = raw.get("model_type")
    if family not in _CONFIGS:
        raise UnsupportedCheckpoint(f"model_type {family!r} (there are {', '.join(_CONFIGS)})")
    if "quantization_config" in raw:
        raise UnsupportedCheckpoint("a quantization_config")
    try:
        config = _CONFIGS[family](raw)
    except KeyError as error:
        raise UnsupportedCheckpoint(f"a config without {error.args[0]}") from None
    except (TypeError, AttributeError, ZeroDivisionError, OverflowError, ValueError) as error:
        if isinstance(error, UnsupportedCheckpoint):
            raise
        raise UnsupportedCheckpoint(f"a config with impossible values ({str(error)[:100]})") from error
    sizes = (config.n_layers, 1_024), (config.d_model, 1 << 16), (config.d_ff, 1 << 20), (config.vocab_size, 1_000_000)
    for n, most in (*sizes, (config.n_heads, 4_096), (config.head_dim, 4_096), (config.context_length, 1 << 26)):
        if not isinstance(n, int) or not 1 <= n <= most:
            raise UnsupportedCheckpoint(f"a size of {n!r} in the config")
    return config


def weights_of(family: str, tensors: dict[str, Stored], config: DecoderConfig) -> dict[str, Stored]:
    """The tensors of a file by our names; raises UnsupportedCheckpoint for one this family does not have."""
    tensors = {name: stored for name, stored in tensors.items() if not name.endswith(_NOT_WEIGHTS)}
    if config.tied_embeddings:  # some files store the same matrix twice
        tensors.pop("lm_head.weight", None)
    return _gpt2_weights(tensors, config) if family == "gpt2" else _llama_weights(tensors, config)


def _llama_config(raw: dict, **switches) -> DecoderConfig:
    heads = raw["num_attention_heads"]
    head_dim = raw.get("head_dim") or raw["hidden_size"] // heads
    context = raw["max_position_embeddings"]
    scaling = raw.get("rope_parameters") or {"rope_theta": raw.get("rope_theta", 10_000.0), **(raw.get("rope_scaling") or {})}
    theta = float(scaling.get("rope_theta", raw.get("rope_theta", 10_000.0)))
    divisors, gain = divisors_and_gain(scaling, head_dim, theta, context)
    if raw.get("use_sliding_window") or "sliding_attention" in (raw.get("layer_types") or ()):
        raise UnsupportedCheckpoint("attention in a sliding window")
    return DecoderConfig(
        n_layers=raw["num_hidden_layers"],
        d_model=raw["hidden_size"],
        n_heads=heads,
        n_kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        d_ff=raw["intermediate_size"],
        vocab_size=raw["vocab_size"],
        context_length=context,
        rope_theta=theta,
        rope_divisors=divisors,
        rope_gain=gain,
        norm_eps=raw["rms_norm_eps"],
        tied_embeddings=raw.get("tie_word_embeddings", False),
        activation=_activation(raw.get("hidden_act", "silu")),
        **switches,
    )


def _with_biases(raw: dict) -> DecoderConfig:
    """Llama: biases nowhere, or in all linear layers."""
    attention, mlp = bool(raw.get("attention_bias")), bool(raw.get("mlp_bias"))
    if attention != mlp:
        raise UnsupportedCheckpoint(f"attention_bias {attention} with mlp_bias {mlp}")
    return _llama_config(raw, biases=attention)


def _qwen3_config(raw: dict) -> DecoderConfig:
    if raw.get("attention_bias"):
        raise UnsupportedCheckpoint("attention_bias in Qwen3")
    return _llama_config(raw, qk_norm=True)


def _gpt2_config(raw: dict) -> DecoderConfig:
    if raw.get("scale_attn_by_inverse_layer_idx") or not raw.get("scale_attn_weights", True) or raw.get("add_cross_attention"):
        raise UnsupportedCheckpoint("attention scaled otherwise than by the square root of head_dim, or across two texts")
    width, heads = raw["n_embd"], raw["n_head"]
    return DecoderConfig(
        n_layers=raw["n_layer"],
        d_model=width,
        n_heads=heads,
        n_kv_heads=heads,
        head_dim=width // heads,
        d_ff=raw.get("n_inner") or 4 * width,
        vocab_size=raw["vocab_size"],
        context_length=raw["n_positions"],
        norm_eps=raw.get("layer_norm_epsilon", 1e-5),
        tied_embeddings=raw.get("tie_word_embeddings", True),
        learned_positions=True,
        gated=False,
        activation=_activation(raw.get("activation_function", "gelu_new")),
        layer_norm=True,
        biases=True,
    )


_CONFIGS = {
    "llama": _with_biases,
    "qwen2": lambda raw: _llama_config(raw, qkv_bias=True),
    "qwen3": _qwen3_config,
    "gpt2": _gpt2_config,
}


def _activation(name: str) -> str:
    if name not in _ACTIVATIONS:
        raise UnsupportedCheckpoint(f"activation {name!r}")
    return _ACTIVATIONS[name]


def _llama_weights(tensors: dict[str, Stored], config: DecoderConfig) -> dict[str, Stored]:
    names = weight_names(config)
    for name in tensors:
        if name not in names:
            raise UnsupportedCheckpoint(f"weight {name!r}")
    return {names[name]: stored for name, stored in tensors.items()}


def _gpt2_weights(tensors: dict[str, Stored], config: DecoderConfig) -> dict[str, Stored]:
    """GPT-2 stores matrices as (in, out), and queries, keys and values as one."""
    weights = {}
    for name, stored in tensors.items():
        short = name.removeprefix("transformer.")
        if short in _GPT2:
            weights[_GPT2[short]] = stored
            continue
        words = short.split(".")  # h, 3, attn, c_attn, weight
        part, kind = ".".join(words[2:-1]), words[-1]
        if words[0] != "h" or len(words) < 4 or part not in (*_GPT2_BLOCK, "attn.c_attn"):
            raise UnsupportedCheckpoint(f"weight {name!r}")
        if len(stored.shape) == 2:
            stored = stored.changed(lambda rows: rows.T.contiguous(), stored.shape[::-1])
        if part == "attn.c_attn":
            for place, ours in enumerate("qkv"):
                weights[f"blocks.{words[1]}.attn.{ours}.{kind}"] = part_of(stored, place * config.d_model, (place + 1) * config.d_model)
        else:
            weights[f"blocks.{words[1]}.{_GPT2_BLOCK[part]}.{kind}"] = stored
    return weights
