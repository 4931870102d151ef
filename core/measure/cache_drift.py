"""What a cache strategy changes: its own text, and how far its predictions stray from the full cache's."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.decoding import distribution, next_logits
from core.kv_cache import DROPPING, WatchedCache, make_cache
from core.measure.drift import kl
from core.models.language_model import LanguageModel, as_batch

CHUNK = 16  # tokens of a prompt read at once


@dataclass(frozen=True)
class CacheStep:
    """One token written with a cache strategy."""

    token: int
    logits: Tensor  # (V,) the scores it was drawn from
    computed: Tensor  # positions whose keys and values were computed in this step
    attended: Tensor  # positions the watched layer's attention saw when it made the prediction
    positions: Tensor  # (n,) tokens the watched layer still held afterwards
    bytes_held: int
    bytes_reserved: int
    seconds: float  # forward pass of this step; the first one reads the prompt


def run_strategy(
    lm: LanguageModel,
    ids,
    kind: str,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    layer: int = 0,
    past_end: bool = False,
    **options,
) -> Iterator[CacheStep]:
    """Continue `ids` with the cache strategy `kind`; the iterator may be left at any point.

    All strategies given the same seed draw with the same random numbers. `layer` is the one that is watched.
    A text that ends is over, unless `past_end` asks for what the model writes next. Strategies that drop tokens read
    the prompt CHUNK tokens at a time and drop in between, so that a long prompt is forgotten as it would be while writing.
    """
    ids = as_batch(ids, lm.config.vocab_size)[:1]
    cache = WatchedCache(make_cache(kind, lm.config, **options), layer)
    generator = torch.Generator().manual_seed(seed)
    start = time.perf_counter()
    if kind in DROPPING:
        for chunk in ids[:, :-1].split(CHUNK, dim=1):
            lm.forward(chunk, cache, last_only=True)
    for _ in range(max_new_tokens):
        logits = next_logits(lm, ids, cache)
        seconds = time.perf_counter() - start
        # One uniform number a step, the same for every strategy: texts differ only where probabilities do.
        cumulative = distribution(logits, temperature).cumsum(-1)
        token = int(torch.searchsorted(cumulative, torch.rand(1, generator=generator) * cumulative[-1], right=True))
        token = min(token, lm.config.vocab_size - 1)
        fate = cache.computed, cache.attended, cache.positions(layer)
        yield CacheStep(token, logits, *fate, cache.bytes_held, cache.bytes_reserved, seconds)
        if token == lm.tokenizer.eot and not past_end:
            return
        ids = torch.cat((ids, torch.tensor([[token]])), dim=1)
        cache.start()
        start = time.perf_counter()


@dataclass(frozen=True)
class CacheDrift:
    """How a strategy's predictions differ from the full cache's at every step of its own text."""

    kl: Tensor  # (n,) KL(full ‖ strategy), nats; 0 = the same prediction
    agrees: Tensor  # (n,) bool: the likeliest token is the same

    @property
    def agreement(self) -> float:
        """Share of steps with the same likeliest token."""
        return float(self.agrees.float().mean())


def drift_from_full(lm: LanguageModel, ids, steps: list[CacheStep]) -> CacheDrift:
    """Compare every step with what the model would have predicted had it kept everything.

    The reference reads prompt and text in one pass: position by position that is the full cache.
    """
    if not steps:
        raise ValueError("steps must hold at least one step")
    ids = as_batch(ids, lm.config.vocab_size)[0]
    text = torch.cat((ids, torch.tensor([s.token for s in steps[:-1]], dtype=torch.long)))
    full = lm.logits(text)[len(ids) - 1 :]  # (n, V)
    strategy = torch.stack([s.logits for s in steps])
    return CacheDrift(kl(full, strategy), full.argmax(-1) == strategy.argmax(-1))
