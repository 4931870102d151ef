"""A word in its sentence: the vector of a token on its way through the layers, and vectors of whole sentences."""

from collections.abc import Sequence

import torch
from torch import Tensor

from core.measure.embeddings import cosines, word_tokens
from core.models.language_model import LanguageModel
from core.models.trace import trace


def residual_stream(lm: LanguageModel, ids: Sequence[int]) -> Tensor:
    """The vector of every token before the first layer and after each: (layers + 1, T, C).

    Row 0 is the embedding, the same for a token wherever it stands.
    """
    names = ["hook_embed", *(f"blocks.{layer}.hook_resid_post" for layer in range(lm.config.n_layers))]
    seen = trace(lm, ids, keep=set(names).__contains__, last_only=True)
    return torch.stack([seen[name] for name in names])


def find_word(tokenizer, ids: Sequence[int], word: str) -> range | None:
    """Where a word stands in a text, the last time: positions of its tokens; None where it does not."""
    forms = [word_tokens(tokenizer, word), tokenizer.encode(word)]  # inside the text, and at its very start
    for form in forms:
        for start in range(len(ids) - len(form), -1, -1):
            if list(ids[start : start + len(form)]) == form:
                return range(start, start + len(form))
    return None


def shared_words(tokenizer, texts: Sequence[Sequence[int]], words: Sequence[str]) -> list[str]:
    """Those of `words` that stand in every text."""
    return [word for word in words if all(find_word(tokenizer, ids, word) for ids in texts)]


def cosine_by_layer(streams: Sequence[Tensor], places: Sequence[range]) -> Tensor:
    """How alike one word is in n texts, layer by layer: (layers + 1, n, n).

    streams: (layers + 1, T, C) each; places: its tokens there, a word of several is the mean of them.
    """
    vectors = torch.stack([stream[:, list(place)].mean(1) for stream, place in zip(streams, places)], 1)  # (L + 1, n, C)
    return cosines(vectors, vectors)


def cosine_by_chance(streams: Sequence[Tensor]) -> Tensor:
    """Mean cosine of two tokens at different places of the texts, layer by layer: (layers + 1,). What "alike" starts from."""
    units = torch.nn.functional.normalize(torch.cat(list(streams), 1), dim=-1)  # (L + 1, N, C)
    n = units.shape[1]
    return (units.sum(1).square().sum(-1) - n) / max(n * (n - 1), 1)


def sentence_vectors(streams: Sequence[Tensor], layer: int, pool: str = "mean") -> Tensor:
    """One vector a text (n, C) after `layer` layers: the mean of its tokens, or the last token, which has seen all others."""
    if pool not in ("mean", "last"):
        raise ValueError(f"pool must be mean or last, got {pool}")
    return torch.stack([stream[layer].mean(0) if pool == "mean" else stream[layer, -1] for stream in streams])
