"""What the page counts without a cache is what the model computes when nothing is kept."""

from core.measure.cache_drift import run_strategy
from core.measure.segments import step_segments, without_cache


def test_without_a_cache_every_step_computes_everything(tiny):
    ids = list(range(5, 14))
    steps = list(run_strategy(tiny, ids, "none", 4, past_end=True))
    assert [step_segments(n, s.computed, s.attended) for n, s in enumerate(steps, len(ids))] == without_cache(len(ids), 4)
