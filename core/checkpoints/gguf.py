"""GGUF files of the Llama, Qwen2, Qwen3 and GPT-2 families as checkpoints of this core."""

from pathlib import Path

from torch import Tensor

from core.checkpoints.chat import chat_card
from core.checkpoints.errors import UnsupportedCheckpoint
from core.checkpoints.gguf_file import GgufFile, read_gguf
from core.checkpoints.rope import divisors_and_gain
from core.checkpoints.stored import Checkpoint, Stored
from core.checkpoints.vocabulary import PATTERNS, FileTokenizer, build_tokenizer
from core.models.config import DecoderConfig

_FAMILIES = {
    "llama": {},
    "qwen2": {"qkv_bias": True},
    "qwen3": {"qk_norm": True},
    "gpt2": {"learned_positions": True, "layer_norm": True, "biases": True, "gated": False, "activation": "gelu_tanh"},
}
_PRE = {"gpt-2": "gpt2", "smollm": "smollm", "qwen2": "qwen2", "llama-bpe": "llama3", "llama3": "llama3", "llama-v3": "llama3"}
_OUTSIDE = {"token_embd": "embed", "output_norm": "ln_final", "output": "unembed"}
_BLOCK = {"attn_norm": "ln1", "attn_q": "attn.q", "attn_k": "attn.k", "attn_v": "attn.v", "attn_output": "attn.o",
          "attn_q_norm": "attn.q_norm", "attn_k_norm": "attn.k_norm",
          "ffn_norm": "ln2", "ffn_gate": "mlp.gate", "ffn_up": "mlp.up", "ffn_down": "mlp.down"}  # fmt: skip
_ORDINARY, _UNUSED = (1, 6), 5  # kinds of tokens; all others are special


def open_gguf(path: Path, name: str | None = None) -> Checkpoint:
    """Open a GGUF file; raises UnsupportedCheckpoint and DamagedCheckpoint."""
    file = read_gguf(path)
    try:
        config = _config(file)
    except KeyError as error:
        raise UnsupportedCheckpoint(f"a file without {error.args[0]}") from None
    except (TypeError, ZeroDivisionError) as error:
        raise UnsupportedCheckpoint("a header with values of the wrong kind") from error
    values = file.values
    card = {
        "title": str(values.get("general.name", path.stem)),
        "licence": str(values.get("general.license", "")),
        **chat_card(values.get("tokenizer.chat_template")),
    }
    weights = _weights(file, config)
    return Checkpoint(name or path.stem, path, config, _tokenizer(file, config.vocab_size), weights, card)


def _config(file: GgufFile) -> DecoderConfig:
    values = file.values
    family = values["general.architecture"]
    if family not in _FAMILIES:
        raise UnsupportedCheckpoint(f"architecture {family!r} (there are {', '.join(_FAMILIES)})")

    def value(key: str, default=None):
        key = f"{family}.{key}"
        return values[key] if default is None else values.get(key, default)

    if value("expert_count", 0):
        raise UnsupportedCheckpoint(f"a mixture of {value('expert_count')} experts")
    if value("attention.sliding_window", 0):
        raise UnsupportedCheckpoint("attention in a sliding window")
    heads, width = value("attention.head_count"), value("embedding_length")
    head_dim = value("attention.key_length", width // heads)
    for key in ("attention.value_length", "rope.dimension_count"):
        if value(key, head_dim) != head_dim:
            raise UnsupportedCheckpoint(f"{key} {value(key)} where a head has {head_dim} dimensions")
    vocab_size, _ = file.tensors["token_embd.weight"].shape
    layer_norm = _FAMILIES[family].get("layer_norm", False)
    divisors = _rope_divisors(file, family, head_dim)
    return DecoderConfig(
        n_layers=_bounded(value("block_count"), 1_024),
        d_model=width,
        n_heads=heads,
        n_kv_heads=value("attention.head_count_kv", heads),
        head_dim=head_dim,
        d_ff=value("feed_forward_length"),
        vocab_size=vocab_size,
        context_length=value("context_length"),
        rope_theta=float(value("rope.freq_base", 10_000.0)),
        rope_divisors=divisors,
        norm_eps=value("attention.layer_norm_epsilon" if layer_norm else "attention.layer_norm_rms_epsilon"),
        tied_embeddings="output.weight" not in file.tensors,
        **_FAMILIES[family],
    )


def _bounded(n: int, most: int) -> int:
    if not 1 <= n <= most:
        raise UnsupportedCheckpoint(f"a model of {n} layers")
    return n


def _rope_divisors(file: GgufFile, family: str, head_dim: int) -> tuple[float, ...]:
    """From the header, or from the tensor in which llama.cpp writes Llama 3's."""
    if "rope_freqs.weight" in file.tensors:
        if file.tensors["rope_freqs.weight"].shape != (head_dim // 2,):
            raise UnsupportedCheckpoint(f"rope_freqs of shape {file.tensors['rope_freqs.weight'].shape}")
        return tuple(file.tensors["rope_freqs.weight"].whole().tolist())
    kind = file.values.get(f"{family}.rope.scaling.type", "none")
    if kind not in ("none", "linear"):
        raise UnsupportedCheckpoint(f"rotary positions scaled by {kind!r} in a GGUF file")
    scaling = {"rope_type": "default" if kind == "none" else kind, "factor": file.values.get(f"{family}.rope.scaling.factor", 1.0)}
    return divisors_and_gain(scaling, head_dim, 10_000.0, 0)[0]


def _weights(file: GgufFile, config: DecoderConfig) -> dict[str, Stored]:
    """The tensors by our names; llama.cpp's order of the rows of Q and K is undone."""
    reordered = file.values["general.architecture"] == "llama"
    weights = {}
    for name, stored in file.tensors.items():
        stem, _, kind = name.rpartition(".")  # "blk.3.attn_q", "weight"
        if name == "rope_freqs.weight":
            continue
        if name == "position_embd.weight":
            weights["pos_embed"] = stored
        elif stem in _OUTSIDE:
            weights[f"{_OUTSIDE[stem]}.{kind}"] = stored
        elif stem.startswith("blk.") and stem.endswith(".attn_qkv"):
            width = config.d_model  # GPT-2: queries, keys and values in one matrix, one below the other
            for part, start in zip("qkv", range(0, 3 * width, width)):
                weights[f"blocks.{stem.split('.')[1]}.attn.{part}.{kind}"] = part_of(stored, start, start + width)
        elif stem.startswith("blk.") and stem.count(".") == 2 and stem.split(".")[2] in _BLOCK:
            _, layer, part = stem.split(".")
            if reordered and part in ("attn_q", "attn_k"):
                heads = config.n_heads if part == "attn_q" else config.n_kv_heads
                stored = stored.changed(lambda rows, heads=heads: halves_together(rows, heads))
            weights[f"blocks.{layer}.{_BLOCK[part]}.{kind}"] = stored
        else:
            raise UnsupportedCheckpoint(f"weight {name!r}")
    return weights


def part_of(stored: Stored, start: int, stop: int) -> Stored:
    """Rows start..stop of a tensor as a tensor of their own."""
    return Stored((stop - start, *stored.shape[1:]), lambda first, last: stored.read(start + first, start + last))


def halves_together(rows: Tensor, n_heads: int) -> Tensor:
    """llama.cpp's order of a head's rows (pairs side by side: 0, D/2, 1, D/2 + 1, …) back to Hugging Face's (0, 1, …)."""
    return rows.view(n_heads, -1, 2, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)


def _tokenizer(file: GgufFile, n_vocab: int) -> FileTokenizer:
    values = file.values
    model, pre = values.get("tokenizer.ggml.model"), values.get("tokenizer.ggml.pre", "gpt-2")
    if model != "gpt2":
        raise UnsupportedCheckpoint(f"a {'SentencePiece' if model == 'llama' else model} vocabulary (tokenizer.ggml.model {model!r})")
    if pre not in _PRE:
        raise UnsupportedCheckpoint(f"pre-tokenizer {pre!r}")
    listed = values.get("tokenizer.ggml.tokens", [])
    kinds = values.get("tokenizer.ggml.token_type") or [1] * len(listed)
    if not listed or len(kinds) != len(listed) or len(listed) > n_vocab:
        raise UnsupportedCheckpoint(f"{len(listed)} tokens of {len(kinds)} kinds for an embedding of {n_vocab} rows")
    tokens = {token: i for i, token in enumerate(listed) if kinds[i] in _ORDINARY}
    special = {token: i for i, token in enumerate(listed) if kinds[i] not in (*_ORDINARY, _UNUSED)}
    merges = values.get("tokenizer.ggml.merges", [])
    return build_tokenizer(
        file.path.stem, tokens, merges, special, PATTERNS[_PRE[pre]], n_vocab,
        eot=values.get("tokenizer.ggml.eos_token_id"), composed=_PRE[pre] == "qwen2",
    )  # fmt: skip
