"""What happened to every token at one step, as runs of neighbours with the same fate."""

from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Segment:
    """Tokens start..end-1 of the text: all computed now, reused from the cache, or dropped."""

    start: int
    end: int
    state: str  # "computed" | "reused" | "dropped"


def step_segments(n_tokens: int, n_new: int, held=None) -> list[Segment]:
    """Split a text of `n_tokens`, the last `n_new` of them computed in this step.

    `held` are the positions the cache had for this step (None: all of them); what is neither new nor
    held was dropped.
    """
    first_new = n_tokens - n_new
    held = set(range(first_new)) if held is None else {int(p) for p in held}
    states = ["computed" if p >= first_new else "reused" if p in held else "dropped" for p in range(n_tokens)]
    segments, start = [], 0
    for state, run in groupby(states):
        end = start + len(list(run))
        segments.append(Segment(start, end, state))
        start = end
    return segments
