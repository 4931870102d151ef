"""Drift of cache strategies against scipy and against a second full cache run beside it."""

from types import SimpleNamespace

import pytest
import torch
from scipy.stats import entropy

from core.decoding import generate, next_logits
from core.kv_cache import LOSSLESS, make_cache
from core.measure.cache_drift import ALONE, drift_from_full, run_side_by_side, run_strategy
from core.models import Decoder, DecoderConfig, LanguageModel
from tests.model.reference import random_ids


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_strategies_do_not_drift(tiny, kind):
    ids = random_ids(tiny, 20)[0]
    steps = list(run_strategy(tiny, ids, kind, 15))
    drift = drift_from_full(tiny, ids, steps)
    assert drift.agreement == 1 and drift.kl.max() < 1e-6
    assert [s.token for s in steps] == [s.token for s in generate(tiny, ids, 15, temperature=0)]


def test_drift_equals_a_full_cache_run_beside_it(tiny):
    ids = random_ids(tiny, 30)
    steps = list(run_strategy(tiny, ids, "window", 12, temperature=1, window=5))
    drift = drift_from_full(tiny, ids, steps)
    shadow, text, expected = make_cache("full", tiny.config), ids, []
    for step in steps:
        full = next_logits(tiny, text, shadow)
        expected.append(entropy(full.double().softmax(-1).numpy(), step.logits.double().softmax(-1).numpy()))
        text = torch.cat((text, torch.tensor([[step.token]])), dim=1)
    assert drift.kl.tolist() == pytest.approx(expected, abs=1e-4)
    assert drift.kl.max() > 0.01


def test_same_seed_same_numbers(tiny):
    ids = random_ids(tiny, 20)[0]
    texts = [[s.token for s in run_strategy(tiny, ids, kind, 15, temperature=1, seed=3)] for kind in ("full", "paged", "none")]
    assert texts[0] == texts[1] == texts[2]
    assert texts[0] != [s.token for s in run_strategy(tiny, ids, "full", 15, temperature=1, seed=4)]


def test_what_a_window_dropped_while_reading_is_gone(mini):
    """A name before the window cannot come back; the full cache knows it, and so do tokens kept on purpose."""
    text = "Anna's dog is called Bello." + " The sun is shining. It is raining a little. The bus is late today." * 4 + " Anna's dog is called"
    ids = mini.tokenizer.encode(text)
    answer = {kind: mini.tokenizer.decode([s.token for s in run_strategy(mini, ids, kind, 2, **options)]) for kind, options in (("full", {}), ("window", {"window": 24}))}
    assert answer["full"] == " Bello"
    assert answer["window"] != " Bello"


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_sink_preset_shows_what_it_says(mini, language):
    import tomllib
    from pathlib import Path

    texts = tomllib.loads((Path(__file__).resolve().parents[2] / "assets" / "texts" / language / "kv_cache.toml").read_text("utf-8"))
    ids = mini.tokenizer.encode(texts["presets"]["sinks"]["prompt"])

    def mean_kl(kind, **options):
        return float(drift_from_full(mini, ids, list(run_strategy(mini, ids, kind, 24, **options))).kl.mean())

    assert mean_kl("sinks", window=20) < mean_kl("window", window=24)
    assert mean_kl("sinks", window=12) > mean_kl("window", window=16)


@pytest.mark.parametrize("kind, options, seen", [
    ("none", {}, lambda n: range(n)), ("full", {}, lambda n: range(n)), ("paged", {}, lambda n: range(n)), ("int8", {"group": 8}, lambda n: range(n)),
    ("window", {"window": 7}, lambda n: range(n - 7, n)), ("sinks", {"window": 5, "sinks": 3}, lambda n: [0, 1, 2, *range(n - 5, n)]),
])  # fmt: skip
def test_what_each_step_computes_and_looks_at(tiny, kind, options, seen):
    """The prompt in the first step, one token in each later one (all again without a cache), and what is left to look at."""
    for layer in range(tiny.config.n_layers):
        steps = list(run_strategy(tiny, random_ids(tiny, 40)[0], kind, 6, layer=layer, **options))
        for n, step in enumerate(steps, 40):
            assert step.computed.tolist() == list(range(n) if kind == "none" or n == 40 else [n - 1])
            assert step.attended.tolist() == list(seen(n))


def test_heavy_hitters_look_at_their_budget_and_the_new_token(tiny):
    steps = list(run_strategy(tiny, random_ids(tiny, 40)[0], "heavy_hitters", 6, layer=1, budget=10))
    for n, (before, step) in enumerate(zip(steps, steps[1:]), 41):
        assert step.attended.tolist() == [*before.positions.tolist(), n - 1] and len(step.attended) == 11
        assert set(step.positions.tolist()) <= set(step.attended.tolist()) and len(step.positions) == 10


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_side_by_side_every_strategy_writes_what_it_writes_alone(tiny, temperature, monkeypatch):
    ids, n = random_ids(tiny, 40)[0], 16
    ways = {"none": {}, "full": {}, "window": {"window": 10}, "sinks": {"window": 8, "sinks": 2}, "heavy_hitters": {"budget": 12}, "int8": {"group": 8}, "paged": {}}
    alone = {kind: list(run_strategy(tiny, ids, kind, n, temperature, 5, past_end=True, **options)) for kind, options in ways.items()}
    monkeypatch.setattr(tiny.tokenizer, "eot", alone["window"][9].token)  # some end before the others
    passes, forward = [], type(tiny.network).forward
    monkeypatch.setattr(type(tiny.network), "forward", lambda *a, **k: passes.append(len(a[1])) or forward(*a, **k))
    written = {kind: [] for kind in ways}
    for step in run_side_by_side(tiny, ids, ways, n, temperature, 5):
        for kind, one in step.items():
            written[kind].append(one)
    together = [rows for rows in passes if rows > 1]
    assert together and max(together) == 6 and len(together) <= n - 1 - ALONE
    for kind, steps in written.items():
        ends = [i for i, step in enumerate(alone[kind], 1) if step.token == tiny.tokenizer.eot]
        assert len(steps) == (ends[0] if ends else n)
        for ours, theirs in zip(steps, alone[kind]):
            torch.testing.assert_close(ours.logits, theirs.logits, atol=1e-4, rtol=1e-4)
            assert (ours.token, ours.bytes_held, ours.bytes_reserved) == (theirs.token, theirs.bytes_held, theirs.bytes_reserved)
            for part in ("computed", "attended", "positions"):
                assert torch.equal(getattr(ours, part), getattr(theirs, part))
        assert all(step.seconds for step in steps[: 1 + ALONE])


def test_drift_from_a_prompt_read_before_is_the_same(tiny):
    ids = random_ids(tiny, 30)[0]
    steps = list(run_strategy(tiny, ids, "window", 8, window=5))
    prefix = make_cache("full", tiny.config)
    tiny.forward(ids[None, :-1], prefix)
    ours, theirs = drift_from_full(tiny, ids, steps, prefix), drift_from_full(tiny, ids, steps)
    torch.testing.assert_close(ours.kl, theirs.kl, atol=1e-5, rtol=1e-4)
    assert torch.equal(ours.agrees, theirs.agrees)


def test_learned_positions_are_written_one_after_the_other():
    config = DecoderConfig(n_layers=2, d_model=32, n_heads=2, n_kv_heads=2, d_ff=64, vocab_size=50, context_length=64, head_dim=16, learned_positions=True)
    torch.manual_seed(0)
    lm = LanguageModel("learned", Decoder(config), SimpleNamespace(eot=-1))
    ids, ways = list(range(20)), {"full": {}, "sinks": {"window": 6, "sinks": 2}}
    steps = list(run_side_by_side(lm, ids, ways, 8))
    for kind, options in ways.items():
        alone = run_strategy(lm, ids, kind, 8, **options)
        assert [step[kind].token for step in steps] == [step.token for step in alone]
