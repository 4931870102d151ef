"""What a cache strategy changes: its own text, and how far its predictions stray from the full cache's."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from core.decoding import distribution, next_logits
from core.kv_cache import DROPPING, Cache, SideBySide, WatchedCache, make_cache
from core.measure.drift import kl
from core.models.language_model import LanguageModel, as_batch

CHUNK = 16  # tokens of a prompt read at once
ALONE = 3  # steps after the first that are timed for each strategy


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
    seconds: float | None  # forward pass of this step; the first one reads the prompt; None where other texts shared it


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
    text = _Text(lm, ids, kind, seed, layer, options)
    for _ in range(max_new_tokens):
        yield text.write(text.scores(), temperature)
        if text.ended and not past_end:
            return


def run_side_by_side(
    lm: LanguageModel, ids, ways: Mapping[str, Mapping], max_new_tokens: int, temperature: float = 0.0, seed: int = 0
) -> Iterator[dict[str, CacheStep]]:
    """Several strategies at once, {kind: options}, each writing what `run_strategy` writes: {kind: step} of those not at their end.

    The prompt and the first ALONE tokens are computed one after the other, so that their time is each strategy's own;
    then one pass a step serves all of them. Who keeps nothing always computes alone, and so do models with learned positions.
    """
    texts = {kind: _Text(lm, ids, kind, seed, 0, options) for kind, options in ways.items()}
    for step in range(max_new_tokens):
        shared = [text for text in texts.values() if step > ALONE and text.cache.kind != "none" and not lm.config.learned_positions]
        logits = dict(zip(map(id, shared), _scores_of(lm, shared))) if len(shared) > 1 else {}
        yield {kind: text.write(logits[id(text)] if id(text) in logits else text.scores(), temperature) for kind, text in texts.items()}
        texts = {kind: text for kind, text in texts.items() if not text.ended}
        if not texts:
            return


def _scores_of(lm: LanguageModel, texts: list["_Text"]) -> Tensor:
    """Scores (B, V) of the next token of each, in one pass."""
    rows = SideBySide([text.cache for text in texts])
    new = torch.cat([text.ids[:, -1:] for text in texts])  # (B, 1)
    return lm.forward(new, rows, tap=rows.hide, last_only=True)[:, -1].float()


class _Text:
    """A text that is being written with a cache strategy."""

    def __init__(self, lm: LanguageModel, ids, kind: str, seed: int, layer: int, options: Mapping):
        self.lm, self.layer, self.seconds, self.ended = lm, layer, None, False
        self.ids = as_batch(ids, lm.config.vocab_size)[:1]
        self.cache = WatchedCache(make_cache(kind, lm.config, **options), layer)
        self.generator = torch.Generator().manual_seed(seed)

    def scores(self) -> Tensor:
        """Scores (V,) of the next token, and how long they took."""
        start = time.perf_counter()
        if self.cache.kind in DROPPING and not self.cache.seen[0]:
            for chunk in self.ids[:, :-1].split(CHUNK, dim=1):
                self.lm.forward(chunk, self.cache, last_only=True)
        logits = next_logits(self.lm, self.ids, self.cache)
        self.seconds = time.perf_counter() - start
        return logits

    def write(self, logits: Tensor, temperature: float) -> CacheStep:
        """Draw the next token from `logits` and go on behind it."""
        # One uniform number a step, the same for every strategy: texts differ only where probabilities do.
        cumulative = distribution(logits, temperature).cumsum(-1)
        token = int(torch.searchsorted(cumulative, torch.rand(1, generator=self.generator) * cumulative[-1], right=True))
        token = min(token, self.lm.config.vocab_size - 1)
        cache, seconds, self.seconds = self.cache, self.seconds, None
        fate = cache.computed, cache.attended, cache.positions(self.layer)
        step = CacheStep(token, logits, *fate, cache.bytes_held, cache.bytes_reserved, seconds)
        self.ended = token == self.lm.tokenizer.eot
        self.ids = torch.cat((self.ids, torch.tensor([[token]])), dim=1)
        cache.start()
        return step


@dataclass(frozen=True)
class CacheDrift:
    """How a strategy's predictions differ from the full cache's at every step of its own text."""

    kl: Tensor  # (n,) KL(full ‖ strategy), nats; 0 = the same prediction
    agrees: Tensor  # (n,) bool: the likeliest token is the same

    @property
    def agreement(self) -> float:
        """Share of steps with the same likeliest token."""
        return float(self.agrees.float().mean())


def drift_from_full(lm: LanguageModel, ids, steps: list[CacheStep], prefix: Cache | None = None) -> CacheDrift:
    """Compare every step with what the model would have predicted had it kept everything.

    The reference reads prompt and text in one pass: position by position that is the full cache. `prefix` is a full cache that
    already holds a beginning of `ids`, not all of it; it is written on.
    """
    if not steps:
        raise ValueError("steps must hold at least one step")
    ids = as_batch(ids, lm.config.vocab_size)[0]
    text = torch.cat((ids, torch.tensor([s.token for s in steps[:-1]], dtype=torch.long)))
    known = prefix.seen[0] if prefix else 0
    full = lm.forward(text[None, known:], prefix)[0, len(ids) - 1 - known :].float()  # (n, V)
    strategy = torch.stack([s.logits for s in steps])
    return CacheDrift(kl(full, strategy), full.argmax(-1) == strategy.argmax(-1))
