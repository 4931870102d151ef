"""Cache strategies on the viewer's text: run once, kept for everybody who asks for the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.charts import kv_cache as charts
from core.kv_cache import DROPPING
from core.measure.cache_drift import CacheStep, drift_from_full, run_side_by_side, run_strategy
from core.measure.segments import Segment, count, step_segments, without_cache
from core.ui import live, panels
from core.ui.charts import draw
from core.ui.kept import Kept
from core.ui.seldom import seldom
from core.ui.step_table import StepRow
from core.ui.token_strip import Token

_runs, _compared = Kept(96, long=True), Kept(24, long=True)

OnStep = Callable[[list[int]], None]  # called with the tokens written so far


@dataclass(frozen=True)
class Run:
    """What one strategy wrote, and what it held after every step. All lists have one entry a step, but `seconds`, and those compared."""

    kind: str
    tokens: list[int]
    segments: list[list[Segment]]  # what the watched layer computed, reused and dropped
    positions: list[list[int]]  # tokens it still held afterwards
    bytes_held: list[int]
    bytes_reserved: list[int]
    seconds: list[float]  # of the first steps at least
    kl: list[float]  # to the full cache, nats; empty where that was not asked for
    agrees: list[bool]  # the likeliest token is the full cache's

    @property
    def computed(self) -> int:
        """Tokens for which the layer made keys and values, over all steps."""
        return sum(count(step, "computed") for step in self.segments)

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


def strategy_run(
    lm, ids, kind: str, budget: int, new_tokens: int, temperature: float = 0.0, seed: int = 0, on_step: OnStep | None = None, **watched
) -> Run:
    """Continue `ids` with a strategy; the same question is answered from memory. `watched`: layer, past_end.

    Where a layer is watched the run is not compared with the full cache.
    """
    key, question = _key(lm, ids, kind, budget, new_tokens, temperature, seed), (new_tokens, temperature, seed)

    def compute() -> Run:
        steps = []
        if on_step:
            on_step([])  # the prompt is read first
        for step in run_strategy(lm, ids, kind, *question, **watched, **options(kind, budget)):
            steps.append(step)
            if on_step:
                on_step([s.token for s in steps])  # a viewer who changes a setting ends the run here
        return _run(lm, ids, kind, steps, compared=not watched)

    return _runs.get((*key, *sorted(watched.items())), compute)


def strategy_runs(
    lm, ids, kinds: Sequence[str], budget: int, new_tokens: int, temperature: float, seed: int, on_step: Callable[[int], None]
) -> list[Run]:
    """`strategy_run` with several strategies: those not known yet write side by side. `on_step` is called with the steps done."""
    keys = {kind: _key(lm, ids, kind, budget, new_tokens, temperature, seed) for kind in kinds}
    known = dict(_runs.items())
    missing = [kind for kind in kinds if keys[kind] not in known]

    def compute() -> dict[str, Run]:
        steps: dict[str, list[CacheStep]] = {kind: [] for kind in missing}
        ways = {kind: options(kind, budget) for kind in missing}
        for n, step in enumerate(run_side_by_side(lm, ids, ways, new_tokens, temperature, seed), 1):
            for kind, one in step.items():
                steps[kind].append(one)
            on_step(n)
        made = {kind: _run(lm, ids, kind, steps[kind]) for kind in missing}
        return {kind: _runs.get(keys[kind], lambda run=run: run) for kind, run in made.items()}

    made = _compared.get(tuple(keys[kind] for kind in missing), compute) if missing else {}
    return [made[kind] if kind in made else known[keys[kind]] for kind in kinds]


def _key(lm, ids, kind: str, budget: int, new_tokens: int, temperature: float, seed: int) -> tuple:
    """What a run depends on: the budget matters only where tokens are dropped, the seed where they are drawn."""
    return lm.name, tuple(ids), kind, budget if kind in DROPPING else 0, new_tokens, temperature, seed if temperature else 0


def _run(lm, ids, kind: str, steps: list[CacheStep], compared: bool = True) -> Run:
    kl, agrees = [], []
    if compared:
        drift = drift_from_full(lm, ids, steps, live.beginning(live.read(lm, ids), len(ids) - 1, room=len(steps)))
        kl, agrees = drift.kl.tolist(), drift.agrees.tolist()
    return Run(
        kind,
        [s.token for s in steps],
        [step_segments(n, s.computed, s.attended) for n, s in enumerate(steps, len(ids))],
        [s.positions.tolist() for s in steps],
        [s.bytes_held for s in steps],
        [s.bytes_reserved for s in steps],
        [s.seconds for s in steps if s.seconds is not None],
        kl,
        agrees,
    )


def step_rows(page, ids, run: Run) -> list[StepRow]:
    """The steps of a run beside those without a cache. Text: `work.prompt`, for the input of the first step."""
    label = page.lm.tokenizer.label
    prompt = page.t.plain("work.prompt", n=len(ids), first=label(ids[0]), last=label(ids[-1]))
    inputs = [prompt, *(label(token) for token in run.tokens[:-1])]
    return [StepRow(*row) for row in zip(inputs, without_cache(len(ids), len(inputs)), run.segments)]


def held_tokens(page, ids, run: Run, step: int) -> list[Token]:
    """The text after a step (from 1), with what the watched layer no longer has struck through; the token written last is new."""
    label, kept, text = page.lm.tokenizer.label, set(run.positions[step - 1]), [*ids, *run.tokens[: step - 1]]
    everything = run.kind == "none"
    tokens = [Token(label(token), state="" if everything or i in kept else "dropped", title=f"{i + 1}") for i, token in enumerate(text)]
    return [*tokens, Token(label(run.tokens[step - 1]), state="fresh")]


def comparison(page, runs: list[Run], names: dict[str, str]) -> pd.DataFrame:
    """One row a strategy: its text, kB held and reserved at the end, agreement, mean KL, time of a step."""
    texts = [(names[r.kind], page.lm.tokenizer.decode(r.tokens)) for r in runs]
    measured = [(r.bytes_held[-1] / 1000, r.bytes_reserved[-1] / 1000, r.agreement, r.mean_kl, r.milliseconds) for r in runs]
    columns = ["strategy", "text", "held", "reserved", "agreement", "kl", "ms"]
    return pd.DataFrame([(*text, *numbers) for text, numbers in zip(texts, measured)], columns=columns)


def compared_steps(page, runs: list[Run], names: dict[str, str]) -> None:
    """Bytes held and KL of several strategies at every step. Texts: `compare.step`, `compare.<name>_y`, `compare.<name>_alt`."""
    t, step = page.t, page.t.plain("compare.step")
    for name, column, place in zip(("bytes", "kl"), ("bytes_held", "kl"), st.columns(2)):
        data = charts.steps_data({names[r.kind]: getattr(r, column) for r in runs})
        order, y = tuple(names[r.kind] for r in runs), t.plain(f"compare.{name}_y")
        spec = charts.steps_chart(order, language=page.language, step=step, y=y)
        with place:
            draw(page, f"compare_{name}", spec, data, t.plain(f"compare.{name}_alt"))
            panels.download(page, name, lambda data=data: data)


def writing(page, place, steps: int) -> OnStep:
    """Shows in `place` the tokens of a run as they are written. Texts: `work.reading`, `work.running`."""

    def shows(tokens: list[int]) -> None:
        text = "".join(page.lm.tokenizer.labels(tokens))
        says = page.t("work.running", step=len(tokens), steps=steps, text=text) if tokens else page.t("work.reading")
        place.progress(len(tokens) / steps, says)

    return seldom(shows)
