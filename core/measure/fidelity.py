"""How true a faster model stays, and which modes may therefore be offered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from core.measure.weight_drift import Scores, agreement, score
from core.models.language_model import LanguageModel

RECORD = Path(__file__).resolve().parents[2] / "assets" / "runs" / "fidelity.json"  # python -m core.bench fidelity
MOST_LOST = 0.01  # nats a token
LEAST_AGREEMENT = 0.95
ROWS = 4  # tokens read at once: few, as in writing, where the coarsest weights are used


@dataclass(frozen=True)
class Fidelity:
    """A fast model against the exact one on the same held-out texts."""

    nll: float  # mean of -ln p(next token), nats
    exact_nll: float
    top1: float  # share of positions where both find the same token likeliest
    n_tokens: int  # positions compared

    @property
    def lost(self) -> float:
        """Nats a token given up for speed; below 0 = gained by chance."""
        return self.nll - self.exact_nll

    @property
    def true(self) -> bool:
        """The gate: at most 0.01 nats lost, and the same likeliest token at 95 % of all positions."""
        return self.lost <= MOST_LOST and self.top1 >= LEAST_AGREEMENT


def exact_scores(lm: LanguageModel, texts: Sequence[Sequence[int]]) -> list[Scores]:
    """What the exact model makes of each text: to be compared with any number of fast ones."""
    return [score(lm, ids) for ids in texts]


def fidelity(exact: Sequence[Scores], fast: LanguageModel, texts: Sequence[Sequence[int]]) -> Fidelity:
    """Read the same texts (token ids, two or more each) with the fast model, a few tokens at a time, and compare."""
    after = [score(fast, ids, ROWS) for ids in texts]
    weights = torch.tensor([len(s.top) for s in exact], dtype=torch.float64)
    top1 = torch.tensor([agreement(a, b) for a, b in zip(exact, after)], dtype=torch.float64)
    nll, exact_nll = (float(torch.cat([s.nll for s in scores]).double().mean()) for scores in (after, exact))
    return Fidelity(nll, exact_nll, float((weights * top1).sum() / weights.sum()), int(weights.sum()))


def offered_modes(model: str) -> tuple[str, ...]:
    """The modes a viewer may choose for a model: fp32, and those that were measured and passed the gate."""
    return ("fp32", *(mode for mode, found in recorded().get(model, {}).items() if found.true))


@cache
def recorded() -> dict[str, dict[str, Fidelity]]:
    """What was measured: model -> mode -> result; empty where nothing was."""
    if not RECORD.is_file():
        return {}
    models = json.loads(RECORD.read_text("utf-8"))["models"]
    keys = Fidelity.__dataclass_fields__
    return {name: {mode: Fidelity(**{k: found[k] for k in keys}) for mode, found in modes.items()} for name, modes in models.items()}
