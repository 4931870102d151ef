"""Speculative decoding: a small model drafts, the large one checks several tokens in one pass.

Leviathan, Kalman, Matias 2023 (arXiv 2211.17192); Chen et al. 2023 (arXiv 2302.01318).
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from core.decoding.distribution import distribution
from core.decoding.generate import next_logits
from core.kv_cache import Cache, make_cache
from core.models.language_model import LanguageModel, as_batch


@dataclass(frozen=True)
class Round:
    """One round: some drafted tokens, one pass of the large model over all of them."""

    drafted: tuple[int, ...]
    accepted: int  # how many of them stay: the first ones
    token: int | None  # what the large model adds itself; None where a drafted token was the last one
    passes: tuple[float, ...]  # min(1, p / q) of every drafted token, also of those behind the first rejected
    overlap: tuple[float, ...]  # Σ min(p, q) at the same places: how often any draft would pass there
    draft_seconds: float
    target_seconds: float

    @property
    def tokens(self) -> tuple[int, ...]:
        """What the round wrote."""
        return self.drafted[: self.accepted] + (() if self.token is None else (self.token,))

    @property
    def kinds(self) -> tuple[str, ...]:
        """How each of `tokens` came about: accepted, corrected, bonus."""
        last = "bonus" if self.accepted == len(self.drafted) else "corrected"
        return ("accepted",) * self.accepted + (() if self.token is None else (last,))

    @property
    def judged(self) -> int:
        """Drafted tokens that were looked at: up to the first rejected one."""
        return min(self.accepted + 1, len(self.drafted))

    @property
    def seconds(self) -> float:
        return self.draft_seconds + self.target_seconds


def verify(p: Tensor, q: Tensor, drafted: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """How many drafted tokens stay, and the token that the large model adds behind them; both (B,).

    p: the large model's probabilities at every place, (B, G + 1, V); q: the draft's, from which `drafted`
    (B, G) was drawn, (B, G, V). A token x stays with probability min(1, p(x) / q(x)). At the first one that
    does not, a token is drawn from max(0, p - q), scaled to sum to 1: together that is exactly p. Where all
    stay, the last of p gives one more.
    """
    B, G = drafted.shape
    p_drafted, q_drafted = (probs[:, :G].gather(-1, drafted[..., None])[..., 0] for probs in (p, q))  # (B, G)
    stays = torch.rand(B, G, generator=generator) * q_drafted < p_drafted
    accepted = stays.long().cumprod(-1).sum(-1)  # (B,)
    q_padded = torch.cat((q, torch.zeros_like(p[:, :1])), dim=1)  # behind the last one nothing was drafted
    rows = torch.arange(B)
    wanted = p[rows, accepted]  # (B, V)
    missing = (wanted - q_padded[rows, accepted]).clamp(min=0.0)
    missing = torch.where(missing.sum(-1, keepdim=True) > 0, missing, wanted)  # p equals q: only rounding has rejected
    return accepted, torch.multinomial(missing, 1, generator=generator)[:, 0]


def speculate(
    lm: LanguageModel,
    draft: LanguageModel,
    ids,
    max_new_tokens: int,
    draft_length: int = 4,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    seed: int = 0,
    caches: tuple[Cache, Cache] | None = None,
    stop: int | None = None,
) -> Iterator[Round]:
    """Continue `ids` with text that is distributed as `generate` would write it, several tokens a round.

    `draft` must have the vocabulary of `lm`; a round drafts `draft_length` tokens, the last one no more than are
    still wanted. `caches` (of lm, of draft) may already hold a beginning of `ids`; they are full
    ones, because what was rejected is taken out of them again. Ends as `generate` does.
    Raises ValueError for different vocabularies and for a draft_length below 1.
    """
    if draft.config.vocab_size != lm.config.vocab_size:
        raise ValueError(f"the draft knows {draft.config.vocab_size} tokens, the model {lm.config.vocab_size}")
    if draft_length < 1:
        raise ValueError(f"draft_length must be >= 1, got {draft_length}")
    ids = as_batch(ids, lm.config.vocab_size)  # (1, T)
    lm_cache, draft_cache = caches or (make_cache("full", lm.config), make_cache("full", draft.config))
    stop = getattr(lm.tokenizer, "eot", None) if stop is None else stop
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    generator = torch.Generator().manual_seed(seed)
    if lm_cache.seen[0] < ids.shape[1] - 1:  # read the text; its last token is read with the first drafted ones
        lm.forward(ids[:, lm_cache.seen[0] : -1], lm_cache, last_only=True)
    written = 0
    while written < max_new_tokens:
        start, T = time.perf_counter(), ids.shape[1]
        q = []
        for _ in range(min(draft_length, max_new_tokens - written)):
            q.append(distribution(next_logits(draft, ids, draft_cache), **settings))  # (V,)
            ids = torch.cat((ids, torch.multinomial(q[-1], 1, generator=generator)[None]), dim=1)
        drafted, q = ids[:, T:], torch.stack(q)[None]  # (1, G), (1, G, V)
        after_draft = time.perf_counter()
        logits = lm.forward(ids[:, lm_cache.seen[0] :], lm_cache).float()  # all drafted tokens in one pass
        p = distribution(logits, **settings)  # (1, G + 1, V)
        accepted, token = (int(n) for n in verify(p, q, drafted, generator))
        ids = torch.cat((ids[:, : T + accepted], torch.tensor([[token]])), dim=1)
        for cache in (lm_cache, draft_cache):
            cache.rewind(min(cache.seen[0], T + accepted))  # what was rejected is forgotten
        now = time.perf_counter()
        token = token if written + accepted < max_new_tokens else None  # no room for a bonus
        done = _round(drafted[0], accepted, token, p[0], q[0], stop, after_draft - start, now - after_draft)
        yield done
        written += len(done.tokens)
        if stop in done.tokens:
            return


def _round(drafted: Tensor, accepted: int, token: int | None, p: Tensor, q: Tensor, stop, *seconds: float) -> Round:
    """The record of a round, cut behind the token `stop`."""
    proposed = drafted.tolist()
    if stop in proposed[:accepted]:
        accepted, token = proposed.index(stop) + 1, None
        proposed, drafted, q = proposed[:accepted], drafted[:accepted], q[:accepted]
    p = p[: len(proposed)]  # (G, V)
    ratio = p.gather(-1, drafted[:, None]) / q.gather(-1, drafted[:, None])  # (G, 1)
    passes, overlap = ratio.clamp(max=1.0)[:, 0], torch.minimum(p, q).sum(-1)
    return Round(tuple(proposed), accepted, token, tuple(passes.tolist()), tuple(overlap.tolist()), *seconds)


def first_layers(lm: LanguageModel, n_layers: int) -> LanguageModel:
    """A draft for nothing: the first layers of `lm` with its own last norm and output layer. No weight is copied."""
    if not 1 <= n_layers <= lm.config.n_layers:
        raise ValueError(f"n_layers must be in 1..{lm.config.n_layers}, got {n_layers}")
    network = copy.copy(lm.network)
    network._modules = dict(network._modules)  # a copy of a module shares this table with it
    network.blocks = nn.ModuleList(list(lm.network.blocks)[:n_layers])
    network.config = replace(lm.config, n_layers=n_layers)
    return replace(lm, name=f"{lm.name}-first-{n_layers}", network=network)
