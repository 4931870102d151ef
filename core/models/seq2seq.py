"""Three shapes of Transformer, which differ in who may look at whom: encoder, decoder, encoder and decoder together.

Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; the encoder alone as in BERT, https://arxiv.org/abs/1810.04805.

Shapes: B sentences, S words of the source, T of the target, C = d_model, H heads, D = C / H, V = vocabulary.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.models.attention import attention_pattern, attention_scores, causal_mask, weighted_values
from core.models.positions import sinusoidal_positions

Tap = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True)
class Seq2SeqConfig:
    n_words: int = 256  # V
    n_encoder_layers: int = 3  # 0 = a decoder alone
    n_decoder_layers: int = 3  # 0 = an encoder alone
    d_model: int = 128
    n_heads: int = 4
    d_ff: int = 384
    most_words: int = 32
    dropout: float = 0.0  # used in training only

    def __post_init__(self):
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model ({self.d_model}) must be a multiple of n_heads ({self.n_heads})")
        if not self.n_encoder_layers and not self.n_decoder_layers:
            raise ValueError("a network needs encoder layers, decoder layers or both")


def bidirectional_mask(seen: Tensor) -> Tensor:
    """Everybody may look at every word that is there, before and after: seen (B, S) -> (B, 1, 1, S).

    It is the cross mask as well: every word of the target may look at every word of the source.
    """
    return seen[:, None, None, :]


class Attention(nn.Module):
    """Queries from x; keys and values from `memory`, which is x itself in self-attention and the source in cross-attention."""

    def __init__(self, config: Seq2SeqConfig):
        super().__init__()
        self.n_heads = config.n_heads
        self.q, self.k, self.v, self.o = (nn.Linear(config.d_model, config.d_model) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor, tap: Tap | None = None) -> Tensor:  # (B, T, C), (B, S, C) -> (B, T, C)
        q, k, v = (self._by_head(layer(value)) for layer, value in ((self.q, x), (self.k, memory), (self.v, memory)))
        pattern = attention_pattern(attention_scores(q, k, mask))  # (B, H, T, S)
        if tap:
            pattern = tap("hook_pattern", pattern)
        return self.o(weighted_values(pattern, v).transpose(1, 2).flatten(2))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.n_heads, -1).transpose(1, 2)  # (B, H, T, D)


class Block(nn.Module):
    """Self-attention, cross-attention where there is a source to look at, and a feed-forward layer."""

    def __init__(self, config: Seq2SeqConfig, cross: bool):
        super().__init__()
        self.ln1, self.attn = nn.LayerNorm(config.d_model), Attention(config)
        self.ln_cross, self.cross = (nn.LayerNorm(config.d_model), Attention(config)) if cross else (None, None)
        self.ln2 = nn.LayerNorm(config.d_model)
        self.up, self.down = nn.Linear(config.d_model, config.d_ff), nn.Linear(config.d_ff, config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor, source: Tensor | None = None, seen: Tensor | None = None, tap: Tap | None = None) -> Tensor:
        normed = self.ln1(x)
        x = x + self.dropout(self.attn(normed, normed, mask, _under(tap, "attn")))
        if self.cross is not None:
            x = x + self.dropout(self.cross(self.ln_cross(x), source, bidirectional_mask(seen), _under(tap, "cross")))
        return x + self.dropout(self.down(F.gelu(self.up(self.ln2(x)))))


class Seq2Seq(nn.Module):
    """An encoder, a decoder, or both, by the config's numbers of layers; one table of words for all."""

    def __init__(self, config: Seq2SeqConfig):
        super().__init__()
        self.config = config
        both = bool(config.n_encoder_layers and config.n_decoder_layers)
        self.embed = nn.Embedding(config.n_words, config.d_model)
        self.encoder = nn.ModuleList(Block(config, cross=False) for _ in range(config.n_encoder_layers))
        self.decoder = nn.ModuleList(Block(config, cross=both) for _ in range(config.n_decoder_layers))
        self.ln_encoder = nn.LayerNorm(config.d_model) if config.n_encoder_layers else None
        self.ln_decoder = nn.LayerNorm(config.d_model) if config.n_decoder_layers else None
        self.register_buffer("positions", sinusoidal_positions(config.most_words, config.d_model), persistent=False)

    def encode(self, source: Tensor, seen: Tensor, tap: Tap | None = None) -> Tensor:
        """States (B, S, C) of source (B, S); every word sees all words that are there (seen, (B, S) bool)."""
        x = self._embedded(source)
        for i, block in enumerate(self.encoder):
            x = block(x, bidirectional_mask(seen), tap=_under(tap, f"encoder.{i}"))
        return self.ln_encoder(x)

    def decode(self, target: Tensor, states: Tensor | None = None, seen: Tensor | None = None, tap: Tap | None = None) -> Tensor:
        """Logits (B, T, V) of the word after each of target (B, T), which sees itself, earlier ones and, with states, the source."""
        x = self._embedded(target)
        mask = causal_mask(target.shape[1], target.shape[1], target.device)
        for i, block in enumerate(self.decoder):
            x = block(x, mask, states, seen, _under(tap, f"decoder.{i}"))
        return self._scores(self.ln_decoder(x))

    def fill(self, source: Tensor, seen: Tensor, tap: Tap | None = None) -> Tensor:
        """Logits (B, S, V) of the word at each place, seen from both sides: what an encoder alone is for."""
        return self._scores(self.encode(source, seen, tap))

    def forward(self, source: Tensor, seen: Tensor, target: Tensor, tap: Tap | None = None) -> Tensor:
        """Logits (B, T, V) of an encoder and a decoder together."""
        return self.decode(target, self.encode(source, seen, tap), seen, tap)

    def _embedded(self, ids: Tensor) -> Tensor:
        if ids.shape[1] > self.config.most_words:
            raise ValueError(f"at most {self.config.most_words} words, got {ids.shape[1]}")
        return self.embed(ids) * math.sqrt(self.config.d_model) + self.positions[: ids.shape[1]]

    def _scores(self, x: Tensor) -> Tensor:
        return x @ self.embed.weight.T


@torch.inference_mode()
def translate(network: Seq2Seq, source: list[int], start: int, end: int, most: int | None = None) -> tuple[list[int], Tensor]:
    """The likeliest word, one after another, until `end`: the words, and the last block's cross-attention (words, S), mean over heads.

    Row t says where the network looked while it chose word t.
    """
    row = torch.tensor([source])
    seen = torch.ones_like(row, dtype=torch.bool)
    states, written, looked = network.encode(row, seen), [start], []
    last = f"decoder.{network.config.n_decoder_layers - 1}.cross.hook_pattern"
    patterns: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> Tensor:
        if name == last:
            patterns[name] = value
        return value

    for _ in range(min(most or network.config.most_words, network.config.most_words) - 1):
        logits = network.decode(torch.tensor([written]), states, seen, keep)
        looked.append(patterns[last][0, :, -1].mean(0))
        written.append(int(logits[0, -1].argmax()))
        if written[-1] == end:
            break
    return written[1:], torch.stack(looked)


def _under(tap: Tap | None, part: str) -> Tap | None:
    return tap and (lambda name, value: tap(f"{part}.{name}", value))
