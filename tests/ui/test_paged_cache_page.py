"""The paged cache page inside its frame, driven by the shipped model."""

from types import SimpleNamespace

import pytest

from core.costs.paging import blocks_for, shared_blocks
from core.ui import paged
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, check_whole, said, text


@pytest.fixture(autouse=True)
def few_points(monkeypatch):
    monkeypatch.setattr(paged, "SHARES", (0, 30, 50, 90))


def asked(mini, language="en"):
    t = Texts("paged_cache", language)
    return paged.requests(SimpleNamespace(lm=mini, t=t), mini.tokenizer.encode(t.plain("prompt.default")))


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_panel_in_both_languages(open_page, language):
    check_whole(open_page("paged_cache", lang=language), 5)


def test_the_picture_holds_what_was_counted(open_page, mini):
    requests = asked(mini)
    for order, share, compact, shared in (("random", 80, False, False), ("heads", 60, False, True), ("attention", 90, True, False)):
        found = paged.evict(mini, requests, order, share / 100, shared, compact)
        at = open_page("paged_cache", order=order, evicted=share, compact=str(compact).lower(), shared=str(shared).lower())
        data = chart_data(at)
        blocks, slots = data[data["kind"] == "block"], data[data["kind"] == "slot"]
        assert (blocks["role"] == "held").sum() == found.pool.used
        assert compact or (blocks["role"] == "freed").sum() == found.freed
        alive = slots[slots["role"] != "dropped"]
        assert len(alive) == len({place for table in found.after for place in table.places()})
        assert f"**{found.freed}** of {found.used} blocks" in text(at) and f"**{found.gone}** of {sum(requests.lengths)} tokens" in text(at)


def test_sharing_saves_what_the_formula_says(mini):
    for language in ("en", "de"):
        requests = asked(mini, language)
        alone, shared = (paged.filled(requests, how) for how in (False, True))
        assert alone[0].used == sum(map(blocks_for, requests.lengths)) and alone[2] == 0
        assert shared[0].used == shared_blocks(requests.prefix, requests.lengths) < alone[0].used
        assert shared[2] == 3  # three of four copy the block in which the beginning ends
        for table, ids in zip(shared[1], requests.ids):
            assert table.positions() == list(range(len(ids)))


def test_the_presets_show_what_they_say(mini):
    for language in ("en", "de"):
        requests = asked(mini, language)

        def freed(order, share=0.9, requests=requests, **how):
            return paged.evict(mini, requests, order, share, **how).numbers["part"]

        assert freed("random") < 0.3 < 0.5 < freed("random", 0.97)
        assert freed("attention") > 2 * freed("random") > freed("heads") and freed("heads") < 0.1
        assert freed("random", compact=True) > 0.8
        found = paged.evict(mini, requests, "random", 0.9, shared=True)
        beginning = found.before[0].table[: requests.prefix // 16]
        assert len(beginning) == 3 and all(found.pool.holders[block] for block in beginning)  # none came back


def test_what_is_forgotten(mini):
    """Nothing evicted: the full cache's own answer; and heads that choose for themselves keep the name longer than chance."""
    found = paged.answers(mini, asked(mini).ids[0])
    start = {order: points[0][1] for order, points in found.items()}
    assert all(share > 0.9 for share in start.values()) and max(start.values()) - min(start.values()) < 1e-4
    assert dict(found["heads"])[50] > 0.9 > 0.1 > dict(found["random"])[50]


def test_short_texts_presets_and_impossible_settings(open_page):
    at = open_page("paged_cache")
    at.text_area(key="paged_cache_prompt").set_value("One two three four five six seven eight nine.").run()
    assert not at.exception and not at.error and "the first cut would come after 128" in text(at)
    at.pills(key="paged_cache_preset").set_value("compacted").run()
    assert at.toggle(key="paged_cache_compact").value and "Slid together" in text(at)
    at.pills(key="paged_cache_predict").set_value("few").run()
    assert "**Right.**" in text(at)
    for setting, value in {"order": "oldest", "evicted": "100", "every": "7", "room": "1", "budget": "0"}.items():
        assert f"paged_cache_{setting}" in said(open_page("paged_cache", **{setting: value}))


def test_slid_together_nothing_is_expected_of_chance_alone(open_page):
    """The blocks of the formula come back where nothing moves; beside slid-together ones they would be read as a promise."""
    at = open_page("paged_cache", compact=True)
    assert "Not slid together, at random" in text(at) and "To be expected, counted exactly" not in text(at)
