"""What each part of a decoder costs: the model's parameters and FLOPs, split up."""

from dataclasses import dataclass

from core.costs.compute import attention_flops
from core.costs.memory import not_negative
from core.costs.parameters import parameters
from core.costs.specs import as_spec


@dataclass(frozen=True)
class Part:
    """One part of the network."""

    name: str  # "embedding" | "attention" | "mlp" | "final norm" | "unembedding"
    layer: int | None  # from 0; None outside the layers
    parameters: int
    flops: float  # to read the whole text; one multiply-add is two


def parts(config, tokens: int) -> list[Part]:
    """The parts in the order in which a text of `tokens` tokens passes them, each layer's norms with what follows them.

    They sum to `parameters(config)` and `prefill_flops(config, tokens)`. A table that is embedding and unembedding at
    once holds its parameters in the first and does its products in the second; with two tables the usual estimate
    counts a product for looking up, too. Raises ValueError for experts, local layers and latent attention.
    """
    not_negative(tokens=tokens)
    spec = as_spec(config)
    if spec.moe_layers or spec.local_layers or spec.kv_lora_rank or spec.norms_per_layer != 2:
        raise ValueError(f"{spec.name}: only decoders of equal layers, one attention and one MLP with a norm each, are split up")
    table, norm = spec.vocab_size * spec.d_model, spec.d_model
    heads = spec.d_model * spec.head_dim * 2 * (spec.n_heads + spec.n_kv_heads) + norm
    mlp = (3 if spec.gated else 2) * spec.d_model * spec.d_ff + norm
    scores = sum(attention_flops(spec, seen) for seen in range(1, tokens + 1)) / spec.n_layers
    split = [Part("embedding", None, table, 0 if spec.tied_embeddings else 2 * table * tokens)]
    for layer in range(spec.n_layers):
        split += [Part("attention", layer, heads, 2 * heads * tokens + scores), Part("mlp", layer, mlp, 2 * mlp * tokens)]
    split += [Part("final norm", None, norm, 2 * norm * tokens)]
    split += [Part("unembedding", None, 0 if spec.tied_embeddings else table, 2 * table * tokens)]
    if sum(part.parameters for part in split) != parameters(spec):
        raise ValueError(f"{spec.name}: has parameters that belong to none of these parts")
    return split
