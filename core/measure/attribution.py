"""Direct logit attribution: which part of the network moved one token's logit, and by how much."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.measure.forward import ForwardPass, weighted
from core.models.language_model import LanguageModel


@dataclass(frozen=True)
class Attribution:
    """Parts of one logit; they sum to it. L layers, H heads, T tokens."""

    embed: float  # of the token's own embedding
    sources: Tensor  # (L, H, T) of what each head brought from each token
    mlps: Tensor  # (L,)
    scale: float  # what the final norm multiplied with, held fixed
    biases: float = 0.0  # of the attentions' output layers and the final norm; 0 in a model without

    @property
    def heads(self) -> Tensor:
        """(L, H) of every head."""
        return self.sources.sum(-1)

    @property
    def attentions(self) -> Tensor:
        """(L,) of every layer's attention."""
        return self.heads.sum(-1)

    @property
    def logit(self) -> float:
        """The sum of all parts: the logit itself."""
        return self.embed + self.biases + float(self.sources.double().sum() + self.mlps.double().sum())


def attribute(lm: LanguageModel, passed: ForwardPass, position: int, token: int) -> Attribution:
    """Split the logit of `token` after `position` into what every part added to the stream.

    The stream is a sum: embedding + attention and MLP of every layer. The final norm multiplies it with one number and
    its gains, the unembedding takes the product with the token's row. With that number held fixed all of this is
    linear, so the logit is the sum of the parts' own products (Elhage et al. 2021, A Mathematical Framework for
    Transformer Circuits). It says what a part wrote for this token directly, not what later parts made of it.
    """
    stream = passed.stream(position)  # (2 L + 1, C)
    direction, scale = _direction(lm, stream[-1], token)
    sources = [weighted(passed, layer, position) for layer in range(passed.n_layers)]  # each (T, H, D)
    back = [block.attn.o.weight.T.float() @ direction for block in lm.network.blocks]  # the direction as the heads see it
    moved = [torch.einsum("thd,hd->ht", part, d.view(part.shape[1:])) for part, d in zip(sources, back)]
    added = stream[2::2] - stream[1::2]  # what the MLPs wrote (L, C)
    return Attribution(float(stream[0] @ direction), torch.stack(moved), added @ direction, scale, _biases(lm, direction, token))


def neurons(lm: LanguageModel, passed: ForwardPass, layer: int, position: int, token: int) -> Tensor:
    """The MLP's part of `attribute` by hidden neuron: (d_ff,), its activation times what its output weights write.

    A bias of the output layer (GPT-2) belongs to no neuron and is left out.
    """
    direction, _ = _direction(lm, passed.stream(position)[-1], token)
    return passed.activations[f"blocks.{layer}.mlp.hook_post"][position] * (lm.network.blocks[layer].mlp.down.weight.T.float() @ direction)


def _direction(lm: LanguageModel, last: Tensor, token: int) -> tuple[Tensor, float]:
    """The direction (C,) in the stream that raises the token's logit by its length, and the norm's fixed factor."""
    norm = lm.network.ln_final
    row = lm.network.unembed.weight[token].float() * norm.weight.float()
    if lm.config.layer_norm:  # it takes the mean off first: what points along (1, 1, …, 1) moves no logit
        row, last = row - row.mean(), last - last.mean()
    scale = (last.square().mean() + norm.eps).rsqrt()
    return row * scale, float(scale)


def _biases(lm: LanguageModel, direction: Tensor, token: int) -> float:
    """What the token's logit gets from biases that belong to no head and no MLP."""
    total = 0.0
    for block in lm.network.blocks:
        if getattr(block.attn.o, "bias", None) is not None:
            total += float(block.attn.o.bias.float() @ direction)
    if lm.config.layer_norm:
        total += float(lm.network.unembed.weight[token].float() @ lm.network.ln_final.bias.float())
    return total
