"""Words as points: the embedding matrix of a model, who is near whom, and arithmetic with words."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.language_model import LanguageModel

_EDGES = "\"'„“”‚‘’«»()[]{}.,;:!?…"
_SIGNS = re.compile(r"\s*([+−])\s*|\s+([\-–])\s*|\s*([\-–])\s+")  # a hyphen inside a word, as in "a-b", belongs to the word
_ANY_SIGN = re.compile(r"\s*([+−\-–])\s*")


@dataclass(frozen=True)
class Space:
    """A model's embedding matrix and its centre.

    All token vectors share a direction (their mean), which makes any two look alike. Measured from the
    centre they do not, https://arxiv.org/abs/1702.01417. Every cosine here is centred unless it says "raw".
    """

    weight: Tensor  # (V, C), the model's own, not a copy, in whatever precision that is
    centre: Tensor  # (C,) the mean of all rows
    lengths: Tensor  # (V,) distance of each row from the centre
    chance: float  # mean cosine of two different tokens, centred
    chance_raw: float  # the same, measured from the origin


@dataclass(frozen=True)
class Neighbour:
    """A token and how near it is."""

    id: int
    cosine: float
    raw: float  # without centring


@dataclass(frozen=True)
class Analogy:
    """Where the arithmetic ends: the tokens nearest to it, the words put in among them."""

    nearest: list[Neighbour]
    inputs: frozenset[int]  # tokens that are words of the formula
    rank: int | None  # of the expected word among all tokens, from 1; None where none is named
    rank_without: int | None  # the same, inputs left out: how analogies are usually counted

    @property
    def best(self) -> Neighbour:
        """The nearest token that was not put in."""
        return next(token for token in self.nearest if token.id not in self.inputs)


@torch.inference_mode()
def embedding_space(lm: LanguageModel) -> Space:
    """The token embeddings of a model (V, C), ready for `nearest`."""
    weight = lm.network.embed.weight.float()
    centre = weight.mean(0)
    lengths = torch.cdist(weight, centre[None], compute_mode="donot_use_mm_for_euclid_dist")[:, 0].clamp_min(1e-12)
    ones = weight.norm(dim=1).clamp_min(1e-12)
    sums = (weight.T @ (1 / ones), weight.T @ (1 / lengths) - centre * (1 / lengths).sum())  # (C,) sums of unit vectors
    n = len(weight)
    raw, centred = ((float(s.double().square().sum()) - n) / (n * (n - 1)) for s in sums)  # mean over all pairs
    return Space(lm.network.embed.weight, centre, lengths, centred, raw)


def words_of(text: str, most: int) -> tuple[list[str], int]:
    """The different words of a text, at most `most`, and how many there are; commas, spaces and lines part them."""
    words = list(dict.fromkeys(word.strip(_EDGES) or word for word in re.split(r"[\s,;]+", text) if word))
    return words[:most], len(words)


def word_tokens(tokenizer, word: str) -> list[int]:
    """Token ids of a word as it stands inside a sentence, after a space; a space that is a token of its own is left out."""
    ids = tokenizer.encode(" " + word)
    return [i for i in ids if tokenizer.token_bytes(i).strip()] or ids


def word_vectors(space: Space, tokens: Sequence[Sequence[int]]) -> Tensor:
    """One vector a word (n, C), measured from the centre; a word of several tokens is the mean of them."""
    rows = [space.weight[list(ids)].float().mean(0) for ids in tokens]
    return torch.stack(rows) - space.centre if rows else space.centre.new_zeros(0, len(space.centre))


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of every row of a (n, C) with every row of b (m, C): (n, m), from -1 (opposite) to 1 (same direction)."""
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).mT


@torch.inference_mode()
def similarity_to_all(space: Space, vector: Tensor) -> Tensor:
    """Cosine (V,) of every token with a centred `vector` (C,), without a centred copy of the matrix."""
    unit = F.normalize(vector, dim=0)
    along = torch.cat([rows.float() @ unit for rows in space.weight.split(4_096)])  # a few at a time, where they are held in 16 bits
    return (along - space.centre @ unit) / space.lengths


@torch.inference_mode()
def nearest(space: Space, vector: Tensor, n: int, leave_out: Iterable[int] = ()) -> list[Neighbour]:
    """The n tokens nearest to a centred `vector` (C,), by cosine; `leave_out` are the tokens it was made of."""
    similar = similarity_to_all(space, vector)
    similar[list(leave_out)] = -torch.inf
    best = similar.topk(min(n, len(similar)))
    raw = cosines(space.weight[best.indices].float(), (vector + space.centre)[None])[:, 0]
    return [Neighbour(*row) for row in zip(best.indices.tolist(), best.values.tolist(), raw.tolist())]


def read_formula(text: str) -> tuple[list[tuple[int, str]], str | None]:
    """'king - man + woman = queen' -> ([(1, 'king'), (-1, 'man'), (1, 'woman')], 'queen'); the answer may be missing.

    Raises ValueError where there are not at least two words to calculate with.
    """
    left, _, answer = text.partition("=")
    terms = _terms(left, _SIGNS)
    if all(sign > 0 for sign, _ in terms):
        terms = _terms(left, _ANY_SIGN)  # king-man+woman
    if len(terms) < 2:
        raise ValueError("a formula needs two words at least, as in: king - man + woman")
    return terms, answer.strip().strip(_EDGES) or None


def _terms(text: str, signs: re.Pattern) -> list[tuple[int, str]]:
    parts = [part for part in signs.split(" " + text) if part is not None]  # word, sign, word, ...
    pairs = zip(["+", *parts[1::2]], parts[::2])
    return [(1 if sign == "+" else -1, word.strip().strip(_EDGES)) for sign, word in pairs if word.strip().strip(_EDGES)]


@torch.inference_mode()
def analogy(space: Space, tokenizer, terms: Sequence[tuple[int, str]], answer: str | None = None, n: int = 10) -> Analogy:
    """Add and subtract words (sign, word), all at length 1, and look which tokens are nearest to the result.

    https://aclanthology.org/N13-1090 (vector offsets). Nothing is left out: the words put in stay in the list.
    """
    tokens = [word_tokens(tokenizer, word) for _, word in terms]
    units = F.normalize(word_vectors(space, tokens), dim=-1)  # (terms, C)
    signs = torch.tensor([float(sign) for sign, _ in terms])
    result = signs @ units  # (C,)
    inputs = frozenset(ids[0] for ids in tokens if len(ids) == 1)
    found = nearest(space, result, n + len(inputs))
    if answer is None:
        return Analogy(found, inputs, None, None)
    expected = word_tokens(tokenizer, answer)
    similar = similarity_to_all(space, result)
    if len(expected) == 1:
        score = similar[expected[0]]
    else:
        score = cosines(word_vectors(space, [expected]), result[None])[0, 0]
    nearer = similar > score  # (V,)
    before = sum(bool(nearer[i]) for i in inputs)
    return Analogy(found, inputs, int(nearer.sum()) + 1, int(nearer.sum()) - before + 1)
