"""Speculative decoding, looked at from outside: how often drafts pass, what it takes, and that the text is the large model's."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.costs.speculation import speedup, tokens_per_round
from core.decoding.generate import Step
from core.decoding.speculative import Round


@dataclass(frozen=True)
class Record:
    """What some rounds come to."""

    tokens: int
    passes: int  # of the large model
    accepted: int  # drafted tokens that stayed
    judged: int  # drafted tokens that were looked at: those behind a rejected one are not
    overlap: float  # mean of Σ min(p, q) over the tokens looked at: what the share accepted tends to

    @property
    def acceptance(self) -> float:
        return self.accepted / self.judged if self.judged else 0.0

    @property
    def tokens_per_pass(self) -> float:
        return self.tokens / self.passes

    def expected(self, draft_length: int) -> float:
        """Tokens a pass by the formula, were the acceptance the same at every place."""
        return tokens_per_round(self.acceptance, draft_length)


def record(rounds: Sequence[Round]) -> Record:
    """Add rounds up."""
    overlaps = [x for r in rounds for x in r.overlap[: r.judged]]
    return Record(
        sum(len(r.tokens) for r in rounds), len(rounds), sum(r.accepted for r in rounds), sum(r.judged for r in rounds),
        sum(overlaps) / len(overlaps) if overlaps else 0.0,
    )  # fmt: skip


@dataclass(frozen=True)
class Gain:
    """Measured times of one draft length beside those of plain writing."""

    draft_length: int
    acceptance: float
    draft_cost: float  # one drafted token, in steps of plain writing
    check_cost: float  # one pass over all drafted tokens, likewise
    measured: float  # tokens a second, as a multiple of plain writing

    @property
    def theorem(self) -> float:
        """The formula with a check that costs no more than a step."""
        return speedup(self.acceptance, self.draft_length, self.draft_cost)

    @property
    def with_check(self) -> float:
        """The formula with the cost of the check as measured."""
        return speedup(self.acceptance, self.draft_length, self.draft_cost, self.check_cost)


def gain(draft_length: int, rounds: Sequence[Round], steps: Sequence[Step]) -> Gain:
    """Compare rounds with plain steps, all timed here. Costs are medians, so that a hiccup of the machine does not decide."""
    step = statistics.median(s.seconds for s in steps)
    draft = statistics.median(r.draft_seconds / len(r.drafted) for r in rounds if r.drafted)
    check = statistics.median(r.target_seconds for r in rounds)
    found = record(rounds)
    plain = sum(s.seconds for s in steps) / len(steps)  # seconds a token
    speculative = sum(r.seconds for r in rounds) / found.tokens
    return Gain(draft_length, found.acceptance, draft / step, check / step, plain / speculative)


def draw_first(p: Tensor, q: Tensor, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """The first token of `n` rounds, drawn as `verify` does: how often each came from the draft and from the correction, both (V,)."""
    generator, V = torch.Generator().manual_seed(seed), len(p)
    drafted = torch.multinomial(q, n, replacement=True, generator=generator)
    stays = torch.rand(n, generator=generator) * q[drafted] < p[drafted]
    missing = (p - q).clamp(min=0.0)
    n_corrected = n - int(stays.sum())
    corrected = torch.zeros(0, dtype=torch.long)
    if n_corrected:
        corrected = torch.multinomial(missing if missing.sum() > 0 else p, n_corrected, replacement=True, generator=generator)
    return torch.bincount(drafted[stays], minlength=V), torch.bincount(corrected, minlength=V)


def chi_square(counts: Tensor, probs: Tensor, least: float = 5.0) -> tuple[float, int, float]:
    """Do counts (V,) look drawn from probs (V,)? The statistic, its degrees of freedom, and the chance of one at least as large.

    Tokens expected less than `least` times are taken together, as the test asks. With one class left there is
    nothing to compare: 0, 0, 1.
    """
    expected, counts = probs.double() * int(counts.sum()), counts.double()
    often = expected >= least
    expected = torch.cat((expected[often], expected[~often].sum()[None]))
    observed = torch.cat((counts[often], counts[~often].sum()[None]))
    if expected[-1] < least or expected[-1] == 0:  # even together they are too few: they join the rarest of the others
        if len(expected) < 3:
            return 0.0, 0, 1.0
        rarest = int(expected[:-1].argmin())
        expected[rarest] += expected[-1]
        observed[rarest] += observed[-1]
        expected, observed = expected[:-1], observed[:-1]
    statistic, freedom = float(((observed - expected) ** 2 / expected).sum()), len(expected) - 1
    chance = float(torch.special.gammaincc(torch.tensor(freedom / 2).double(), torch.tensor(statistic / 2).double())) if freedom else 1.0
    return statistic, freedom, chance
