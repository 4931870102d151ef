"""Two lanes on one clock: the same text written in two ways, each timed by itself."""

import time
from collections.abc import Callable, Iterator

import pandas as pd
import streamlit as st

from core.charts.kv_cache import clock_chart
from core.ui import panels
from core.ui.charts import draw as put
from core.ui.texts import escaped

CACHE = ("none", "full")  # the lanes of the cache's race, the slow one first
ROLES = ("computed", "reused")
WORDS = ("without", "with")  # what the texts call them
REDRAW = 0.12  # seconds between two pictures


class Lanes:
    """What both lanes have written so far; lives in one viewer's session."""

    def __init__(self, question, kinds: tuple[str, str] = CACHE):
        self.question, self.kinds = question, kinds
        self.tokens: dict[str, list[int]] = {kind: [] for kind in kinds}
        self.clock: dict[str, list[float]] = {kind: [0.0] for kind in kinds}
        self.finished = False

    def seconds(self, kind: str) -> float:
        return self.clock[kind][-1]

    def run(self, writer: Callable[[str], Iterator]) -> Iterator[None]:
        """Let the lane whose clock is behind write its next token; yields when it is time to draw."""
        running = {kind: writer(kind) for kind in self.tokens}
        drawn = -REDRAW  # the first token is drawn at once
        while running:
            kind = min(running, key=self.seconds)
            step = next(running[kind], None)
            if step is None:
                del running[kind]
                continue
            self.tokens[kind] += step.tokens
            self.clock[kind] += [self.seconds(kind) + step.seconds] * len(step.tokens)  # they all come at the end of the step
            if time.perf_counter() - drawn > REDRAW:
                yield
                drawn = time.perf_counter()
        self.finished = True

    def times(self) -> dict[str, float]:
        slow, fast = (self.seconds(kind) for kind in self.kinds)
        return {"slow": slow, "fast": fast, "ratio": slow / fast}

    def scale(self) -> float:
        """Where the time axis ends: grows in steps, so that it does not creep."""
        longest, end = max(self.seconds(kind) for kind in self.clock), 0.5
        while end < longest:
            end *= 2
        return end

    def table(self, words) -> pd.DataFrame:
        """One row a token: lane, role, seconds, tokens."""
        lanes = zip(self.clock.values(), WORDS, ROLES)
        rows = [(words[word], role, s, i) for clock, word, role in lanes for i, s in enumerate(clock)]
        return pd.DataFrame(rows, columns=["lane", "role", "seconds", "tokens"])


def start_button(page, name: str, icon: str) -> bool:
    """A button (text `<name>.start`); True once after a click, also where the click's own run was restarted before it came here."""
    pressed = page.key(f"{name}_pressed")
    key, click = page.key(f"{name}_start"), {"on_click": st.session_state.update, "args": ({pressed: True},)}
    st.button(page.t(f"{name}.start"), icon=icon, type="primary", key=key, **click)
    return st.session_state.pop(pressed, False)


def race(page, question, n: int, start: bool, writer: Callable[[str], Iterator], kinds: tuple[str, str] = CACHE) -> None:
    """Both lanes, drawn while they write; `start` lets them run, and another `question` clears them.

    `writer(kind)` is an iterator of `Step`s or `Round`s, `kinds` the slow lane and the fast one. Texts: `race.without`, `.with`,
    `.seconds`, `.written`, `.alt`, `.idle`, `.result`, and `.slower` where the second lane may lose.
    """
    t, state, key = page.t, st.session_state, page.key("lanes")
    places = {kind: column.empty() for kind, column in zip(kinds, st.columns(2))}
    chart, said = st.empty(), st.empty()
    if start or key not in state or state[key].question != question:
        state[key] = Lanes(question, kinds)
    lanes, words = state[key], t.words("race", "seconds", "written", "without", "with")

    def draw():
        for (kind, place), word in zip(places.items(), WORDS):
            text = escaped(page.lm.tokenizer.decode(lanes.tokens[kind]))
            place.markdown(f"**{words[word]}** · {t.number(lanes.seconds(kind), '.2f')} s  \n{text}")
        spec = clock_chart(lanes.scale(), n, words["seconds"], words["written"], words["without"], words["with"], page.language)
        with chart:
            put(page, "clock", spec, lanes.table(words), t.plain("race.alt"))

    draw()
    if start:
        for _ in lanes.run(writer):
            draw()
        draw()
    if lanes.finished:
        times = lanes.times()
        name = "race.slower" if times["ratio"] < 1 and "race.slower" in t else "race.result"
        said.markdown(t(name, n=len(lanes.tokens[kinds[1]]), **times, inverse=1 / times["ratio"]))
        panels.download(page, "race", lambda: lanes.table(words))
    else:
        said.caption(t("race.idle", n=n))
