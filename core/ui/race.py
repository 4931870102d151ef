"""Two lanes on one clock: the same text written with and without a cache, each timed by itself."""

import time
from collections.abc import Callable, Iterator

import pandas as pd
import streamlit as st

from core.charts.kv_cache import clock_chart
from core.ui import panels
from core.ui.charts import draw as put
from core.ui.texts import escaped

ROLES = {"none": "computed", "full": "reused"}
LANES = {"none": "without", "full": "with"}  # what the texts call them
REDRAW = 0.12  # seconds between two pictures


class Lanes:
    """What both lanes have written so far; lives in one viewer's session."""

    def __init__(self, question):
        self.question = question
        self.tokens: dict[str, list[int]] = {"none": [], "full": []}
        self.clock: dict[str, list[float]] = {"none": [0.0], "full": [0.0]}
        self.finished = False

    def seconds(self, kind: str) -> float:
        return self.clock[kind][-1]

    def run(self, writer: Callable[[str], Iterator]) -> Iterator[None]:
        """Let the lane whose clock is behind write its next token; yields when it is time to draw."""
        running = {kind: writer(kind) for kind in self.tokens}
        drawn = time.perf_counter()
        while running:
            kind = min(running, key=self.seconds)
            step = next(running[kind], None)
            if step is None:
                del running[kind]
                continue
            self.tokens[kind].append(step.token)
            self.clock[kind].append(self.seconds(kind) + step.seconds)
            if time.perf_counter() - drawn > REDRAW:
                yield
                drawn = time.perf_counter()
        self.finished = True

    def times(self) -> dict[str, float]:
        slow, fast = self.seconds("none"), self.seconds("full")
        return {"slow": slow, "fast": fast, "ratio": slow / fast}

    def scale(self) -> float:
        """Where the time axis ends: grows in steps, so that it does not creep."""
        longest, end = max(self.seconds(kind) for kind in self.clock), 0.5
        while end < longest:
            end *= 2
        return end

    def table(self, words) -> pd.DataFrame:
        """One row a token: lane, role, seconds, tokens."""
        rows = [(words[LANES[k]], ROLES[k], s, i) for k, clock in self.clock.items() for i, s in enumerate(clock)]
        return pd.DataFrame(rows, columns=["lane", "role", "seconds", "tokens"])


def race(page, question, n: int, start: bool, writer: Callable[[str], Iterator]) -> None:
    """Both lanes, drawn while they write; `start` lets them run, and another `question` clears them.

    `writer("none" | "full")` is an iterator of `Step`s. Texts: `race.without`, `.with`, `.seconds`, `.written`, `.alt`, `.idle`, `.result`.
    """
    t, state, key = page.t, st.session_state, page.key("lanes")
    places = {kind: column.empty() for kind, column in zip(ROLES, st.columns(2))}
    chart, said = st.empty(), st.empty()
    if start or key not in state or state[key].question != question:
        state[key] = Lanes(question)
    lanes, words = state[key], t.words("race", "seconds", "written", "without", "with")

    def draw():
        for kind, place in places.items():
            text = escaped(page.lm.tokenizer.decode(lanes.tokens[kind]))
            place.markdown(f"**{words[LANES[kind]]}** · {t.number(lanes.seconds(kind), '.2f')} s  \n{text}")
        spec = clock_chart(lanes.scale(), n, words["seconds"], words["written"], words["without"], words["with"], page.language)
        with chart:
            put(page, "clock", spec, lanes.table(words), t.plain("race.alt"))

    draw()
    if start:
        for _ in lanes.run(writer):
            draw()
        draw()
    if lanes.finished:
        said.markdown(t("race.result", n=len(lanes.tokens["full"]), **lanes.times()))
        panels.download(page, "race", lambda: lanes.table(words))
    else:
        said.caption(t("race.idle", n=n))
