"""Two lanes on one clock: the same text written with and without a cache, each timed by itself."""

import time
from collections.abc import Callable, Iterator

import pandas as pd

ROLES = {"none": "computed", "full": "reused"}
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
        names = {"none": words["without"], "full": words["with"]}
        rows = [(names[k], ROLES[k], s, i) for k, clock in self.clock.items() for i, s in enumerate(clock)]
        return pd.DataFrame(rows, columns=["lane", "role", "seconds", "tokens"])
