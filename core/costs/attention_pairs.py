"""Pairs of tokens that attention compares in one head of one layer; closed forms of what core.models.sparse_attention draws."""

from core.costs.specs import ModelSpec


def pairs(tokens: int, width: int | None = None) -> int:
    """Query-key pairs when each of `tokens` tokens looks at `width` at most, itself included; None: at all before it.

    n (n + 1) / 2 without a limit; w (w + 1) / 2 + (n - w) w with one, so about n · w. A window, the first tokens with a
    window, and the best w all come to that.
    """
    growing = tokens if width is None else min(tokens, width)
    return growing * (growing + 1) // 2 + (tokens - growing) * growing


def block_pairs(tokens: int, width: int) -> int:
    """Pairs within blocks of `width`: about n · w / 2."""
    return tokens // width * pairs(width) + pairs(tokens % width)


def dilated_pairs(tokens: int, width: int, gap: int) -> int:
    """Pairs with every `gap`-th token, `width` of them: as a window in each of the `gap` texts that are interleaved."""
    return sum(pairs(len(range(start, tokens, gap)), width) for start in range(min(gap, tokens)))


def layer_products(spec: ModelSpec, tokens: int, width: int | None = None) -> tuple[int, int]:
    """Multiplications of one layer that reads `tokens` tokens: (attention, indexer).

    Attention scores `width` pairs a token at most (None: all), on the latent vector and the rotary key, and sums latent
    vectors: n_heads · (2 · kv_lora_rank + qk_rope_dim) a pair, the form DeepSeek-V3.2 computes sparsely (its report,
    section 2.1). The indexer scores every pair: index_heads · index_dim.
    """
    pair = spec.n_heads * (2 * spec.kv_lora_rank + spec.qk_rope_dim if spec.kv_lora_rank else 2 * spec.head_dim)
    return pairs(tokens, width) * pair, pairs(tokens) * spec.index_heads * spec.index_dim


def work_by_length(spec: ModelSpec, lengths, width: int, window: int) -> dict[str, dict[int, int]]:
    """Multiplications of one layer by length of text: "full", "window", "top_k" (the attention alone) and "indexer"."""
    return {
        "top_k": {n: layer_products(spec, n, width)[0] for n in lengths},
        "window": {n: layer_products(spec, n, window)[0] for n in lengths},
        "full": {n: layer_products(spec, n)[0] for n in lengths},
        "indexer": {n: layer_products(spec, n)[1] for n in lengths},
    }


def indexer_leads(spec: ModelSpec, width: int) -> int:
    """The shortest text for which the indexer multiplies more than the attention over the best `width`.

    Both grow with the text, the indexer with its square: found by halving. Raises ValueError for a model without one.
    """
    if not spec.index_heads:
        raise ValueError(f"{spec.name} has no indexer")
    low, high = 1, 2
    while layer_products(spec, high, width)[1] <= layer_products(spec, high, width)[0]:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        attention, indexer = layer_products(spec, middle, width)
        low, high = (low, middle) if indexer > attention else (middle, high)
    return high


def index_against_full(spec: ModelSpec, tokens: int, width: int) -> dict[str, float]:
    """For sentences: `leads` (see `indexer_leads`), `cheaper` (full attention over the index), `part` (of the work that is
    the index's) and `ratio` (full attention over attention to the best `width` and the index together)."""
    (full, index), (best, _) = layer_products(spec, tokens), layer_products(spec, tokens, width)
    return {"leads": indexer_leads(spec, width), "cheaper": full / index, "part": index / (best + index), "ratio": full / (best + index)}


def layer_share(spec: ModelSpec, tokens: int) -> float:
    """Pairs that a model with local layers or an index compares in all layers, over those of full attention everywhere."""
    global_pairs = pairs(tokens, spec.index_top_k or None)
    local = (block_pairs if spec.window_kind == "chunked" else pairs)(tokens, spec.window) if spec.local_layers else 0
    return (spec.local_layers * local + (spec.n_layers - spec.local_layers) * global_pairs) / (spec.n_layers * pairs(tokens))


# Latency of one attention kernel in ms by tokens of context, as published by Appen, whom the vendor of SSA engaged.
CLAIMED = {"FlashAttention-2": {2**17: 319.9, 2**20: 21410.5}, "SSA": {2**17: 46.5, 2**20: 381.0}}
