"""Cache strategies on the viewer's text: run once, kept for everybody who asks for the same."""

from dataclasses import dataclass

import streamlit as st

from core.kv_cache import DROPPING
from core.measure.cache_drift import drift_from_full, run_strategy
from core.measure.segments import Segment, step_segments


@dataclass(frozen=True)
class Run:
    """What one strategy wrote, and what it held after every step. All lists have one entry a step."""

    kind: str
    tokens: list[int]
    positions: list[list[int]]  # tokens the watched layer held
    bytes_held: list[int]
    bytes_reserved: list[int]
    seconds: list[float]
    kl: list[float]  # to the full cache, nats
    agrees: list[bool]  # the likeliest token is the full cache's

    @property
    def agreement(self) -> float:
        return sum(self.agrees) / len(self.agrees)

    @property
    def mean_kl(self) -> float:
        return sum(self.kl) / len(self.kl)

    @property
    def milliseconds(self) -> float:
        """Median time of a step; the first one, which reads the prompt, is left out."""
        later = sorted(self.seconds[1:] or self.seconds)
        return 1000 * later[len(later) // 2]


def options(kind: str, budget: int) -> dict[str, int]:
    """What `make_cache` is told, so that every dropping strategy holds `budget` tokens."""
    sinks = {"window": max(budget - 4, 1), "sinks": 4}
    return {"window": {"window": budget}, "sinks": sinks, "heavy_hitters": {"budget": budget}}.get(kind, {})


def strategy_run(lm, ids, kind: str, budget: int, new_tokens: int, temperature: float = 0.0, seed: int = 0, layer: int = 0) -> Run:
    """Continue `ids` with a strategy; the same question is answered from memory."""
    if kind not in DROPPING:
        budget = 0  # it changes nothing for the others
    return _run(lm, lm.name, tuple(ids), kind, budget, new_tokens, temperature, 0 if temperature == 0 else seed, layer)


@st.cache_data(max_entries=96, show_spinner=False)
def _run(_lm, name, ids, kind, budget, new_tokens, temperature, seed, layer) -> Run:
    steps = list(run_strategy(_lm, ids, kind, new_tokens, temperature, seed, layer, **options(kind, budget)))
    drift = drift_from_full(_lm, ids, steps)
    return Run(
        kind,
        [s.token for s in steps],
        [s.positions.tolist() for s in steps],
        [s.bytes_held for s in steps],
        [s.bytes_reserved for s in steps],
        [s.seconds for s in steps],
        drift.kl.tolist(),
        drift.agrees.tolist(),
    )


def segments(run: Run, n_prompt: int) -> list[list[Segment]]:
    """For every step, which tokens were computed, taken from the cache, or gone."""
    steps = [step_segments(n_prompt, n_prompt)]
    for i in range(1, len(run.tokens)):
        n = n_prompt + i
        steps.append(step_segments(n, n) if run.kind == "none" else step_segments(n, 1, run.positions[i - 1]))
    return steps


def computed(steps: list[list[Segment]]) -> int:
    """Tokens for which keys and values were computed, over all steps."""
    return sum(s.end - s.start for step in steps for s in step if s.state == "computed")
