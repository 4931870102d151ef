"""What one training run holds and does, counted, beside the usual estimate."""

from dataclasses import dataclass

from core.costs import attention_flops, parameters
from core.costs.specs import as_spec


@dataclass(frozen=True)
class Counted:
    """A run's parameters and FLOPs."""

    parameters: int  # all of them
    outside_embedding: int  # without the table of the vocabulary, as Kaplan et al. count
    flops: float  # of all matrix products, forward and backward
    estimate: float  # 6 · parameters · tokens

    @property
    def ratio(self) -> float:
        return self.estimate / self.flops


def counted(config, tokens: float) -> Counted:
    """Parameters and FLOPs of training a decoder of this shape on `tokens` tokens in rows of its context length.

    Forward, every weight of a matrix makes one multiply-add a token (2 FLOPs), the unembedding too; looking an embedding
    up makes none, nor do norms count. Attention: 4 · heads · head_dim FLOPs for each pair of a token with itself or an
    earlier one (only these: what is masked is not needed). Backward is twice the forward pass: one product for the
    gradient of the weights, one for that of what came in.
    """
    spec = as_spec(config)
    rows = spec.context_length
    table = spec.vocab_size * spec.d_model
    positions = spec.context_length * spec.d_model if spec.learned_positions else 0
    every = parameters(spec)
    norms = (spec.norms_per_layer * spec.n_layers + 1) * spec.d_model * (2 if spec.layer_norm else 1)
    matrices = every - norms - positions - (0 if spec.tied_embeddings else table)
    pairs = attention_flops(spec, 1) * (rows + 1) / 2  # a token sees half of the row on average, and itself
    flops = 3 * tokens * (2 * matrices + pairs)
    outside = every - positions - table * (1 if spec.tied_embeddings else 2)
    return Counted(every, outside, flops, 6.0 * every * tokens)
