"""Writing on: predict, choose, repeat."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.decoding.distribution import distribution
from core.kv_cache import Cache, make_cache
from core.models.language_model import LanguageModel, as_batch


@dataclass(frozen=True)
class Step:
    """One written token."""

    token: int
    logprob: float  # natural log of its probability in the model's own distribution (temperature 1, unfiltered)
    probs: Tensor  # (V,) what it was drawn from
    cache_bytes: int  # keys and values held after the step
    seconds: float  # time of the forward pass

    @property
    def tokens(self) -> tuple[int, ...]:
        """What the step wrote, as a round of speculative decoding says it."""
        return (self.token,)


def generate(
    lm: LanguageModel,
    ids,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int = 0,
    cache: str | Cache = "full",
    stop: int | None = None,
) -> Iterator[Step]:
    """Continue `ids` token by token; the iterator may be left at any point.

    `cache` is a strategy's name, or a cache that already holds a beginning of `ids` (it is written on).
    Without a cache every step runs the whole text again. Ends after `max_new_tokens` or after the token
    `stop` (by default the tokenizer's end of text). The same seed gives the same text.
    """
    ids = as_batch(ids, lm.config.vocab_size)  # (1, T)
    cache = make_cache(cache, lm.config) if isinstance(cache, str) else cache
    stop = getattr(lm.tokenizer, "eot", None) if stop is None else stop
    generator = torch.Generator().manual_seed(seed)
    for _ in range(max_new_tokens):
        start = time.perf_counter()
        logits = next_logits(lm, ids, cache)  # (V,)
        seconds = time.perf_counter() - start
        probs = distribution(logits, temperature, top_k, top_p, min_p)
        token = int(torch.multinomial(probs, 1, generator=generator)) if temperature > 0 else int(probs.argmax())
        logprob = float(logits.log_softmax(-1)[token])
        yield Step(token, logprob, probs, cache.bytes_held, seconds)
        if token == stop:
            return
        ids = torch.cat((ids, torch.tensor([[token]])), dim=1)


def next_logits(lm: LanguageModel, ids: Tensor, cache: Cache) -> Tensor:
    """Scores (V,) of the token after ids (1, T), computing only what the cache has not seen."""
    new = ids if cache.kind == "none" else ids[:, cache.seen[0] :]
    return lm.forward(new, cache, last_only=True)[0, -1].float()
