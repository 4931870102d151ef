"""The in-context learning lab inside its frame, driven by the shipped model."""

import json

import pytest

from core.measure import recorded
from core.measure.continuations import continuation_logprobs
from core.measure.in_context import beside, few_shot, few_shot_prompts, induction_scores, strongest
from core.ui import in_context
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, said, told

NAME = "in_context_learning"
FILE = recorded.RUNS / "in_context.json"
SHOTS, ABLATION, SCORES, MAP, TWICE, PLACES = range(6)


def text(at) -> str:
    return " ".join(m.value for m in at.markdown).replace("\\", "")


def preset(mini, name: str, language: str = "en", joiner: str = "\n", off=()):
    """Probabilities of a preset's answer after 0, 1, 2, ... examples."""
    t = Texts(NAME, language)
    prompts = few_shot_prompts(t.plain(f"presets.{name}.prompt").splitlines(), t.plain(f"presets.{name}.question"), joiner)
    answer = mini.tokenizer.encode(" " + t.plain(f"presets.{name}.answer"))
    return [shot.probability for shot in few_shot(mini, [mini.tokenizer.encode(p) for p in prompts], answer, off)]


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_panel_in_both_languages(open_page, lang):
    at = open_page(NAME, lang)
    assert not at.exception and not at.error and len(at.get("vega_lite_chart")) == 6 and all(told(at))
    assert len(at.success) == 1 and "{" not in at.success[0].value


def test_numbers_are_those_of_plain_continuations(open_page, mini):
    at, encode = open_page(NAME), mini.tokenizer.encode
    examples = Texts(NAME, "en").plain("examples.default").splitlines()
    pairs = [(encode("\n".join([*examples[:n], "Kind ->"])), encode(" child")) for n in range(9)]
    expected = continuation_logprobs(mini, pairs).exp().tolist()
    assert chart_data(at, SHOTS)["share"].tolist() == pytest.approx(expected, abs=1e-4)
    assert f"{expected[0]:.1%}, after one {expected[1]:.1%}" in at.success[0].value.replace("\\", "")


def test_the_viewers_own_examples(open_page):
    at = open_page(NAME)
    at.text_area(key=f"{NAME}_examples").set_value("a = 1\n\nb = 2").run()
    assert not at.error and len(chart_data(at, SHOTS)) == 3
    at.text_area(key=f"{NAME}_examples").set_value("\n".join(f"{i} = {i}" for i in range(30))).run()
    assert len(chart_data(at, SHOTS)) == 9 and "first 8 of 30" in said(at)
    at.text_input(key=f"{NAME}_answer").set_value("").run()
    assert not at.error and "example" in said(at)


def test_predict(open_page):
    at = open_page(NAME)
    at.pills(key=f"{NAME}_predict").set_value("tenfold").run()
    assert "**Right.**" in text(at)


def test_presets_set_question_answer_and_joiner(open_page):
    at = open_page(NAME)
    at.pills(key=f"{NAME}_preset").set_value("capital").run()
    assert at.text_input(key=f"{NAME}_question").value == "Griechenland –" and at.session_state[f"{NAME}_joiner"] == "stop"
    assert not at.error and chart_data(at, SHOTS)["share"].max() > 0.8


@pytest.mark.parametrize("lang", ["en", "de"])
def test_what_the_presets_say(mini, lang):
    right, wrong = preset(mini, "translate"), preset(mini, "wrong")
    assert right[0] < 0.02 and min(right[1:]) > 0.7 and min(wrong[1:]) > 0.7
    comma, line = preset(mini, "count", lang, ", "), preset(mini, "count", lang, "\n")
    assert comma[0] < 0.02 and comma[8] > 0.9 and line[8] < 0.5
    assert max(preset(mini, "labels", lang, ", ")) < 0.2


def test_capitals_need_the_induction_heads_and_counting_does_not(mini):
    off = strongest(induction_scores(mini), 4)
    assert preset(mini, "capital", "de", ". ")[8] > 0.8 and preset(mini, "capital", "de", ". ", off)[8] < 0.5
    assert preset(mini, "capital", "de", ". ", beside(off, 6))[8] > 0.7
    assert preset(mini, "count", "en", ", ", off)[8] > 0.9


def test_heads_off_on_the_page_are_those_of_the_core(open_page, mini):
    data = chart_data(open_page(NAME, off="2"), ABLATION)
    expected = preset(mini, "translate", off=strongest(induction_scores(mini), 2))
    assert data[data["role"] == "reused"]["shots"].tolist() == [0, 1, 2, 4, 8]
    assert data[data["role"] == "reused"]["share"].tolist() == pytest.approx([expected[n] for n in (0, 1, 2, 4, 8)], abs=1e-4)


def test_repeated_tokens_and_the_opened_head(open_page, mini):
    at = open_page(NAME, head="3.2")
    cells = chart_data(at, SCORES)
    assert cells["score"].tolist() == pytest.approx(induction_scores(mini).flatten().tolist(), abs=1e-5)
    assert cells[cells["framed"] == 2][["layer", "head"]].values.tolist() == [[3, 2]]
    nll = chart_data(at, TWICE).groupby("role")["nll"].apply(lambda losses: losses[-25:].mean())
    assert nll["computed"] < nll["reused"] - 2 and abs(nll["computed"] - nll["dropped"]) < 1  # what induction heads are for
    assert "99.9" in said(open_page(NAME, head="99.9"))


@pytest.mark.parametrize("value", ["nan", "-1e999", "<b>[x](y)</b>", ""])
def test_nonsense_in_the_link(open_page, value):
    at = open_page(NAME, "de", **dict.fromkeys(("joiner", "shots", "off", "head"), value))
    assert not at.exception and not at.error and at.warning and "<b>" not in "".join(w.value for w in at.warning)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_recorded_models_are_those_of_the_file(open_page, lang):
    run = json.loads(FILE.read_text("utf-8"))
    models = [model for model in run["models"] if lang in model["languages"]]
    assert models and all("python -m core.bench in_context " in model["command"] for model in models)
    at = open_page(NAME, lang)
    data, sizes = chart_data(at, PLACES), at.dataframe[-1].value
    assert sizes["parameters"].is_monotonic_increasing and len(sizes) == len(models)
    for model in models:
        assert data[data["model"] == model["title"]]["bits"].tolist() == pytest.approx(model["languages"][lang]["bits_per_byte"], abs=1e-4)


def test_more_models_need_no_change_of_the_page(open_page, monkeypatch, tmp_path):
    run = json.loads(FILE.read_text("utf-8"))
    run["models"].append({**run["models"][0], "name": "another", "title": "Another", "parameters": 1_000_000})
    (tmp_path / "in_context.json").write_text(json.dumps(run), "utf-8")
    monkeypatch.setattr(recorded, "RUNS", tmp_path)
    recorded.recorded.cache_clear()
    at = open_page(NAME)
    recorded.recorded.cache_clear()
    assert not at.error and chart_data(at, PLACES)["model"].iloc[0] == "Another"  # the smallest comes first


def test_the_sentence_on_more_text_is_that_of_the_table(open_page):
    at = open_page("in_context_learning", lang="de")
    width, models = in_context.recorded("de")
    asked = [model for model in models if "names" in model]
    table = in_context.place_numbers(models, width).set_index("model")
    for model in (asked[0], asked[-1]):
        first, late = (f"{table.loc[model['title'], name]:.2f}".replace(".", ",") for name in ("first", "late"))
        assert f"von {first} auf {late}" in text(at)
