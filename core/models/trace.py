"""Everything a forward pass computes, by name. The names are those of TransformerLens."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from core.models.language_model import LanguageModel, as_batch


@torch.inference_mode()
def trace(
    lm: LanguageModel,
    ids,
    ablate: Iterable[tuple[int, int]] = (),
    keep: Callable[[str], bool] = lambda name: True,
    last_only: bool = False,
    cache=None,
) -> dict[str, Tensor]:
    """Run `ids` (T,) and return every activation, float32, without a batch axis.

    `hook_embed`, `blocks.i.hook_resid_pre|resid_mid|resid_post|attn_out|mlp_out` (T, C);
    `blocks.i.attn.hook_q|k|v|rot_q|rot_k|z` (T, H, D); `blocks.i.attn.hook_attn_scores|hook_pattern` (H, T, T);
    `blocks.i.mlp.hook_pre|hook_post` (T, d_ff); `ln_final.hook_normalized` (T, C); `logits` (T, V).

    The names are the same for every family. `hook_pos_embed` (T, C) is there with learned positions (GPT-2) only; then
    nothing is turned and `hook_rot_q|rot_k` are `hook_q|k`, and `hook_resid_pre` of block 0 is the sum of both
    embeddings. `hook_q|k` come before a norm on queries and keys (Qwen3), `hook_rot_q|rot_k` after it: they are what
    attention compares. `hook_k|v|rot_k` have n_kv_heads heads. `mlp.hook_pre` is what the activation function gets:
    gate(x) in a gated layer, up(x) in a plain one; `mlp.hook_post` is what `down` gets. `ln_final.hook_normalized` is
    the final norm's output, gains (and bias) applied.

    `ablate` switches heads off: for each (layer, head), what the head brings back (`hook_z`) is set to zero.
    The model itself is left alone, so other viewers see nothing of it.

    Of a long text everything is a lot: `keep(name)` says what to return, and with `last_only` the logits are
    those of the last position only, (1, V). With a `cache`, `ids` follow what it holds and are written on; activations are those
    of `ids` alone, maps have a column for every token held.
    """
    silenced: dict[str, list[int]] = {}
    for layer, head in ablate:
        if not (0 <= layer < lm.config.n_layers and 0 <= head < lm.config.n_heads):
            raise ValueError(f"no head {head} in layer {layer}: {lm.config.n_layers} layers of {lm.config.n_heads} heads")
        silenced.setdefault(f"blocks.{layer}.attn.hook_z", []).append(head)
    activations: dict[str, Tensor] = {}

    def record(name: str, value: Tensor) -> Tensor:
        if name in silenced:
            value = value.clone()
            value[:, :, silenced[name]] = 0.0
        if keep(name):
            activations[name] = value[0].float()
        return value

    logits = lm.network(as_batch(ids, lm.config.vocab_size)[:1], cache=cache, tap=record, last_only=last_only)
    activations["logits"] = logits[0].float()
    return activations
