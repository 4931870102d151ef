"""What positions do in a live model: a score that depends on the distance alone, and what is left of order without them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.models.attention import attention_scores
from core.models.config import DecoderConfig
from core.models.language_model import LanguageModel, as_batch
from core.models.positions import rope_angles, rope_frequencies, rotate


@dataclass(frozen=True)
class Hands:
    """The D / 2 pairs of a query and a key before any turning: as hands of a clock, each with a length and an angle."""

    query_length: Tensor  # (D / 2,)
    query_angle: Tensor  # (D / 2,) radians
    key_length: Tensor
    key_angle: Tensor
    frequency: Tensor  # (D / 2,) radians a position

    def pair_scores(self, distance: int) -> Tensor:
        """What every pair adds to the score when the query stands `distance` tokens after the key: (D / 2,).

        Length · length · cosine of the angle between both hands, over sqrt(D) as in attention. Where both stand
        does not enter: turned by the same angle, two hands keep theirs.
        """
        between = self.query_angle - self.key_angle + distance * self.frequency
        return self.query_length * self.key_length * between.cos() / math.sqrt(2 * len(between))


def hands(q: Tensor, k: Tensor, config: DecoderConfig) -> Hands:
    """The pairs (x_i, x_{i + D/2}) of a query and a key (D,) that were not turned yet."""
    half = len(q) // 2
    frequency = rope_frequencies(len(q), config.rope_theta, config.rope_divisors)
    (qx, qy), (kx, ky) = q.view(2, half), k.view(2, half)
    return Hands(torch.hypot(qx, qy), torch.atan2(qy, qx), torch.hypot(kx, ky), torch.atan2(ky, kx), frequency)


def turned_back(x: Tensor, position: int, config: DecoderConfig) -> Tensor:
    """A turned query or key (D,) as it was before its position turned it."""
    cos, sin = rope_angles(torch.tensor([position]), len(x), config.rope_theta, x.dtype, config.rope_divisors)
    return rotate(x[None, None, None], cos, -sin)[0, 0, 0]


def score_at(q: Tensor, k: Tensor, query_position: int, key_position: int, config: DecoderConfig) -> float:
    """The score of a query and a key (D,) placed at two positions: both turned, multiplied, over sqrt(D)."""
    cos, sin = rope_angles(torch.tensor([query_position, key_position]), len(q), config.rope_theta, q.dtype, config.rope_divisors)
    turned_q, turned_k = rotate(torch.stack((q, k))[None, :, None], cos, sin)[0, :, 0]
    return float(turned_q @ turned_k) / math.sqrt(len(q))


def words_of(pieces: Sequence[str]) -> list[list[int]]:
    """Positions of tokens that belong to one word: a word begins at a token that starts with white space."""
    words: list[list[int]] = []
    for i, piece in enumerate(pieces):
        if not words or piece[:1].isspace():
            words.append([])
        words[-1].append(i)
    return words


def shuffled_words(pieces: Sequence[str], seed: int) -> list[int]:
    """Positions 0..T-1 in a new order: the words (`words_of`) change places, the first and the last one stay."""
    words = words_of(pieces)
    between = torch.randperm(max(len(words) - 2, 0), generator=torch.Generator().manual_seed(seed)) + 1
    order = [0, *between.tolist(), len(words) - 1][: len(words)]
    return [i for word in order for i in words[word]]


def read_states(lm: LanguageModel, ids, masked: bool = True) -> tuple[Tensor, Tensor]:
    """The last token's state after every block, (L, C), and the logits (T, V).

    Without the mask every token sees all others, later ones too.
    """
    states, turned = [], {}

    def tap(name: str, value: Tensor) -> Tensor:
        kind = name.rsplit(".", 1)[-1]
        if kind in ("hook_rot_q", "hook_rot_k"):
            turned[kind] = value.transpose(1, 2)  # (1, H, T, D)
        elif kind == "hook_attn_scores" and not masked:
            return attention_scores(turned["hook_rot_q"], turned["hook_rot_k"], torch.ones_like(value[0, 0], dtype=torch.bool))
        elif kind == "hook_resid_post":
            states.append(value[0, -1].float())
        return value

    logits = lm.forward(as_batch(ids, lm.config.vocab_size)[:1], tap=tap)[0].float()
    return torch.stack(states), logits


def order_effect(lm: LanguageModel, ids, reordered, masked: bool = True) -> Tensor:
    """How far another order of the same earlier tokens moves the last token's state, after every block: (L,).

    0 = the order made no difference.
    """
    (before, _), (after, _) = read_states(lm, ids, masked), read_states(lm, reordered, masked)
    return moved(before, after)


def moved(before: Tensor, after: Tensor) -> Tensor:
    """How far states (L, C) are from what they were: the length of the difference over their length, (L,)."""
    return (before - after).norm(dim=-1) / before.norm(dim=-1)
