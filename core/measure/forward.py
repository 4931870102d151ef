"""One whole forward pass, position by position: the residual stream, what each part adds, what each layer would say."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.measure.heads import HeadsReading
from core.models.language_model import LanguageModel
from core.models.trace import trace

_KEPT = ("blocks.0.hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_rot_q", "hook_rot_k", "hook_v", "mlp.hook_post")


@dataclass(frozen=True)
class ForwardPass(HeadsReading):
    """What `trace` recorded of a text, without what follows from it: L layers, T tokens, C = d_model.

    Beside queries, keys and values: `blocks.0.hook_resid_pre` (the embedding), `blocks.i.hook_resid_mid` and
    `hook_resid_post` (T, C), `blocks.i.mlp.hook_post` (T, d_ff).
    """

    def stream(self, position: int) -> Tensor:
        """The residual stream at a position (2 L + 1, C): the embedding, then after every attention and every MLP."""
        rows = [self.activations["blocks.0.hook_resid_pre"][position]]
        for layer in range(self.n_layers):
            rows += [self.activations[f"blocks.{layer}.hook_resid_{place}"][position] for place in ("mid", "post")]
        return torch.stack(rows)


def read_pass(lm: LanguageModel, ids) -> ForwardPass:
    """Read `ids` (T,) once and keep what a map of the whole pass needs."""
    activations = trace(lm, ids, keep=lambda name: name.endswith(_KEPT), last_only=True)
    return ForwardPass(activations, activations.pop("logits")[-1], lm.config.n_layers)


@torch.inference_mode()
def logit_lens(lm: LanguageModel, stream: Tensor) -> Tensor:
    """Logits (..., V) if the network stopped here: final norm and unembedding on any state of the stream (..., C).

    After the last layer these are the model's own logits. nostalgebraist, "interpreting GPT: the logit lens", 2020.
    """
    return lm.unembed(lm.network.ln_final(stream.to(lm.network.dtype)))


def leads_from(likeliest: Tensor) -> int:
    """From which row on the last row's token is in front without a break: `likeliest` (N,) token ids -> 0..N-1."""
    others = (likeliest != likeliest[-1]).nonzero()
    return int(others[-1]) + 1 if len(others) else 0


def update_sizes(passed: ForwardPass) -> tuple[Tensor, Tensor]:
    """How much attention and MLP change each token's vector: two (L, T), |added| / (|added| + |vector before|), 0 to 1."""
    before, sizes = passed.activations["blocks.0.hook_resid_pre"], ([], [])
    for layer in range(passed.n_layers):
        for place, rows in zip(("mid", "post"), sizes):
            after = passed.activations[f"blocks.{layer}.hook_resid_{place}"]
            added = (after - before).norm(dim=-1)
            rows.append(added / (added + before.norm(dim=-1)).clamp_min(1e-12))
            before = after
    return torch.stack(sizes[0]), torch.stack(sizes[1])


@torch.inference_mode()
def brought(lm: LanguageModel, passed: ForwardPass, layer: int, position: int) -> Tensor:
    """How much a layer's attention brings to `position` from each token: (T,) lengths of vectors in the stream.

    The vector from token j is Σ over heads of weight · value of j · output matrix; together they are the attention's
    output. A weight alone says less: a token with a short value brings little (Kobayashi et al. 2020, arXiv 2004.10102).
    """
    return F.linear(weighted(passed, layer, position).flatten(1), lm.network.blocks[layer].attn.o.weight).norm(dim=-1)


def weighted(passed: ForwardPass, layer: int, position: int) -> Tensor:
    """Weight times value for every token and head, (T, H, D): their sum over the tokens is the heads' output `hook_z`."""
    name = f"blocks.{layer}.attn."
    query, keys, values = (passed.activations[name + part] for part in ("hook_rot_q", "hook_rot_k", "hook_v"))
    shared = query.shape[1] // keys.shape[1]  # query heads that share one key and value head
    keys, values = keys.repeat_interleave(shared, 1), values.repeat_interleave(shared, 1)  # (T, H, D)
    scores = (keys[: position + 1] * query[position]).sum(-1) / query.shape[-1] ** 0.5  # (position + 1, H)
    weights = F.pad(scores.softmax(0), (0, 0, 0, len(keys) - position - 1))  # later tokens are never seen
    return weights[..., None] * values
