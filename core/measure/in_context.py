"""Learning from the text alone: examples before a question, loss along a text, and the heads that carry it.

Olsson et al. 2022, https://arxiv.org/abs/2209.11895; Brown et al. 2020, https://arxiv.org/abs/2005.14165.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.measure.attention_stats import profiles_on_repeats
from core.measure.perplexity import token_nll
from core.models.language_model import LanguageModel
from core.models.trace import trace

Head = tuple[int, int]  # layer and head, from 0
AT_ONCE = 3  # prompts read together: those of about one length, so that little is filled up


@dataclass(frozen=True)
class Shot:
    """What a model makes of a question after some examples."""

    probability: float  # of the right answer, all its tokens
    says: int  # the likeliest next token


def few_shot_prompts(examples: Sequence[str], question: str, joiner: str) -> list[str]:
    """The question after 0, 1, 2, ... of the examples, one text each."""
    return [joiner.join([*examples[:n], question]) for n in range(len(examples) + 1)]


def few_shot(lm: LanguageModel, prompts: Sequence[Sequence[int]], answer: Sequence[int], off: Iterable[Head] = ()) -> Iterator[Shot]:
    """How probable the answer (token ids) is after each prompt (token ids), with the heads `off` switched off.

    No weight changes between the prompts: whatever differs comes from the text before the question.
    """
    prompts, off = list(prompts), tuple(off)
    for first in range(0, len(prompts), AT_ONCE):
        some = prompts[first : first + AT_ONCE]
        yield from ask_together(lm, some, answer, [off] * len(some))


def few_shot_runs(
    lm: LanguageModel, prompts: Sequence[Sequence[int]], answer: Sequence[int], runs: Sequence[Sequence[Head]]
) -> Iterator[list[Shot]]:
    """The same for every prompt with the heads of each run switched off: one prompt after the other, all its runs as one batch."""
    for prompt in prompts:
        yield ask_together(lm, [prompt] * len(runs), answer, runs)


def ask_together(lm: LanguageModel, prompts: Sequence[Sequence[int]], answer: Sequence[int], runs: Sequence[Sequence[Head]]) -> list[Shot]:
    """A shot a prompt, all read together, each with the heads of its run switched off.

    Scores over the vocabulary are computed only where the answer stands.
    """
    n, longest = len(answer), max(map(len, prompts)) + len(answer)
    rows = torch.tensor([[*prompt, *answer] + [0] * (longest - len(prompt) - n) for prompt in prompts])  # causal: zeros are never seen
    before = torch.tensor([[len(prompt) - 1 + i for i in range(n)] for prompt in prompts])  # (B, n): the place before each token
    silenced: dict[str, list[tuple[int, int]]] = {}  # hook -> rows and heads
    for row, off in enumerate(runs):
        for layer, head in off:
            silenced.setdefault(f"blocks.{layer}.attn.hook_z", []).append((row, head))

    def tap(name: str, value: Tensor) -> Tensor:
        if name in silenced:
            value, (at, heads) = value.clone(), zip(*silenced[name])
            value[list(at), :, list(heads)] = 0.0
        return value[torch.arange(len(before))[:, None], before] if name == "ln_final.hook_normalized" else value

    logprobs = lm.forward(rows, tap=tap).float().log_softmax(-1)  # (B, n, V)
    right = logprobs.gather(-1, torch.tensor(answer).expand(len(rows), n)[..., None])[..., 0].sum(-1)
    return [Shot(p, says) for p, says in zip(right.exp().tolist(), logprobs[:, 0].argmax(-1).tolist())]


def induction_scores(lm: LanguageModel, n_tokens: int = 50, seeds: Sequence[int] = (0, 1, 2)) -> Tensor:
    """Every head's mean weight on what followed the same token before, on random tokens read twice: (L, H).

    The mean over some draws, since random tokens differ in how unusual they are.
    """
    return torch.stack([torch.stack([p.induction for p in profiles_on_repeats(lm, n_tokens, seed)]) for seed in seeds]).mean(0)


def strongest(scores: Tensor, n: int) -> list[Head]:
    """The n heads with the highest scores (L, H), highest first."""
    return [divmod(int(i), scores.shape[1]) for i in scores.flatten().argsort(descending=True)[:n]]


def beside(off: Sequence[Head], n_heads: int, seed: int = 0) -> list[Head]:
    """For comparison: in every layer as many heads as `off` has there, drawn from the others (all, where fewer are left)."""
    generator, found = torch.Generator().manual_seed(seed), []
    for layer in sorted({layer for layer, _ in off}):
        taken = {head for at, head in off if at == layer}
        others = [head for head in range(n_heads) if head not in taken]
        drawn = torch.randperm(len(others), generator=generator).tolist()[: len(taken)]
        found += [(layer, others[i]) for i in drawn]
    return sorted(found)


def losses(lm: LanguageModel, ids: Sequence[int], off: Iterable[Head] = ()) -> Tensor:
    """-ln p (nats) of every token but the first, (T - 1,), with the heads `off` switched off."""
    logits = trace(lm, ids, ablate=off, keep=lambda name: False)["logits"]
    return token_nll(logits[:-1], torch.tensor(ids[1:]))


def bits_by_place(nll: Tensor, n_bytes: Sequence[int], width: int) -> tuple[Tensor, Tensor]:
    """Bits and bytes of the tokens that begin in each `width` bytes of a text: two tensors (n,).

    nll (T - 1,) of all tokens but the first, n_bytes of all T tokens. Bits over bytes is comparable between models that cut
    text into different tokens, and so is the place: bytes read before.
    """
    begins = torch.tensor(n_bytes).cumsum(0)[:-1]  # of tokens 1.. : what was read before them
    place = begins // width
    n = int(place.max()) + 1
    bits = torch.bincount(place, weights=nll.double() / math.log(2), minlength=n)
    return bits, torch.bincount(place, weights=torch.tensor(n_bytes[1:]).double(), minlength=n)


def in_context_score(nll: Tensor, early: int = 50, late: int = 500, around: int = 20) -> float:
    """Mean loss around the 500th token less that around the 50th, nats: below 0 = the text so far helps.

    Olsson et al. take the two tokens alone, over very many texts; with few texts the mean over `around` tokens on both
    sides is steadier. nll (T - 1,) begins with the second token, T > late + around.
    """
    if len(nll) < late + around:
        raise ValueError(f"the text must have more than {late + around} tokens, got {len(nll) + 1}")
    near_early, near_late = (nll[at - 2 - around : at - 1 + around].mean() for at in (early, late))
    return float(near_late - near_early)
