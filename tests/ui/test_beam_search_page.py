"""The beam search lab inside its frame, driven by the shipped model."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.decoding import beam_search, generate
from core.measure.repetition import repeated
from core.ui.texts import Texts
from tests.ui.conftest import told

ROOT = Path(__file__).resolve().parents[2]


def open_page(language: str = "en", **link) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    at.switch_page("pages/beam_search.py")
    at.query_params["lang"] = language
    for name, value in link.items():
        at.query_params[f"beam_search_{name}"] = value
    return run(at)


def run(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception and not at.error, [e.value for e in at.error]
    return at


def metric(at: AppTest, language: str, name: str) -> str:
    label = Texts("beam_search", language)(f"{name}.label")
    return next(m.value for m in at.metric if m.label == label)


def charts(at: AppTest) -> list:
    return [element.proto for element in at.get("vega_lite_chart")]


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_panel_in_both_languages(language):
    at = open_page(language, long="true", steps="4")
    assert len(charts(at)) == 3 and all(chart.alt for chart in charts(at)) and all(told(at)) and len(told(at)) == 3
    assert len(at.success) == 1
    assert "{" not in at.success[0].value


def test_numbers_are_those_of_the_core(mini):
    t = Texts("beam_search", "en")
    ids = mini.tokenizer.encode(t.plain("prompt.default"))
    tree = beam_search(mini, ids, 3, 5)
    at = open_page(width="3", steps="5")
    assert metric(at, "en", "passes") == str(tree.forward_passes)
    assert metric(at, "en", "held") == f"{tree.cache_bytes / 1000:,.0f}"
    best = t.number(tree.hypotheses[0].logprob, ".2f")
    assert best in at.success[0].value.replace("\\", "")
    spec = json.loads(charts(at)[0].spec)
    assert spec["layer"] and best in told(at)[0]


def test_the_tree_grows_step_by_step():
    at = open_page(steps="4", shown="1")
    assert "1" in told(at)[0]
    for step in (2, 3, 4):
        at.session_state["beam_search_shown"] = float(step)  # what the slider and its buttons set
        run(at)
        assert str(step) in told(at)[0]


def test_a_longer_link_than_the_search():
    at = open_page(steps="3", shown="17")
    assert len(at.warning) == 1 and len(charts(at)) == 2


@pytest.mark.parametrize("link", [{"width": "99"}, {"width": "x"}, {"penalty": "-3"}, {"steps": "1e9"}, {"sentence": "maybe"}])
def test_settings_out_of_range_are_reset_with_a_sentence(link):
    at = open_page(**link)
    assert len(at.warning) == 1
    assert list(link.values())[0] in at.warning[0].value.replace("\\", "")


TEXTS = ["", "<script>alert(1)</script> **fett**", "<|endoftext|>", "😀👩‍👩‍👧‍👦", "مرحبا بالعالم", "a\x00b", "x" * 100_000]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_gets_a_tree(text):
    at = open_page(steps="2", width="2")
    at.text_area[0].set_value(text)
    run(at)
    assert len(charts(at)) == 2


def test_predict_says_who_wins():
    at = open_page()
    at.pills(key="beam_search_predict").set_value("beam")
    run(at)
    assert any("Right" in m.value for m in at.markdown)


@pytest.mark.parametrize("language", ["en", "de"])
def test_greedy_loses_on_its_preset(mini, language):
    """At equal length, with neither text ended, beam search's is the likelier one: greedy is not optimal."""
    ids = mini.tokenizer.encode(Texts("beam_search", language).plain("presets.loses.prompt"))
    best = beam_search(mini, ids, 4, 8).hypotheses[0]
    greedy = list(generate(mini, ids, 8, temperature=0))
    assert len(greedy) == len(best.ids) == 8
    assert mini.tokenizer.eot not in best.ids and mini.tokenizer.eot != greedy[-1].token
    assert best.logprob > sum(step.logprob for step in greedy) + 1


@pytest.mark.parametrize("language", ["en", "de"])
def test_beam_search_loops_on_its_preset(mini, language):
    ids = mini.tokenizer.encode(Texts("beam_search", language).plain("presets.loop.prompt"))
    likeliest = beam_search(mini, ids, 8, 60).hypotheses[0].ids
    sampled = [step.token for step in generate(mini, ids, 60, top_p=0.9, seed=0)]
    assert repeated(likeliest).mean > 0.5 > 5 * repeated(sampled).mean


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_length_penalty_decides_on_its_preset(mini, language):
    from core.ui.searches import ends

    ids = mini.tokenizer.encode(Texts("beam_search", language).plain("presets.sentence.prompt"))
    short, long = (beam_search(mini, ids, 4, 20, penalty, ends(mini.tokenizer, True)).hypotheses[0] for penalty in (0.0, 2.0))
    assert len(short.ids) < len(long.ids)
    assert short.logprob > long.logprob


def test_where_both_write_the_same_the_page_says_so():
    says = open_page(width=1).success[0].value.replace("\\", "")
    assert "Both write the same text here" in says and "times as likely" not in says
