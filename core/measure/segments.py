"""What happened to every token at one step, as runs of neighbours with the same fate."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Segment:
    """Tokens start..end-1 of the text: all computed now, reused from the cache, or dropped."""

    start: int
    end: int
    state: str  # "computed" | "reused" | "dropped"


def step_segments(n_tokens: int, computed: Iterable[int], attended: Iterable[int]) -> list[Segment]:
    """Split a text of `n_tokens` by what a step did with each position.

    `computed` are the positions whose keys and values were made in this step, `attended` those that the
    attention saw: what was seen but not computed came from the cache, all the rest is gone.
    """
    computed, attended = {int(p) for p in computed}, {int(p) for p in attended}
    states = ["computed" if p in computed else "reused" if p in attended else "dropped" for p in range(n_tokens)]
    segments, start = [], 0
    for state, run in groupby(states):
        end = start + len(list(run))
        segments.append(Segment(start, end, state))
        start = end
    return segments


def without_cache(n_tokens: int, n_steps: int) -> list[list[Segment]]:
    """The segments of `n_steps` steps after a text of `n_tokens` where nothing is kept: each computes all there is."""
    return [[Segment(0, n_tokens + step, "computed")] for step in range(n_steps)]


def count(segments: Iterable[Segment], state: str) -> int:
    """How many tokens had that fate."""
    return sum(s.end - s.start for s in segments if s.state == state)


def ranges(segments: Iterable[Segment], state: str) -> list[tuple[int, int]]:
    """First and last token, counted from 1, of every run with that fate: tokens 1 to 4 and 73 to 99 -> [(1, 4), (73, 99)]."""
    return [(s.start + 1, s.end) for s in segments if s.state == state]
