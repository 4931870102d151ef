"""The tokens page inside its frame: rows, merges, languages, and the training that is watched."""

import json

import pytest

from core.checkpoints import encodings
from core.tokenization.languages import SENTENCES, count
from core.ui import merge_steps, token_lanes
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, charts, said, text

COMPOUND = "Die Geschwindigkeitsbegrenzung gilt."


def components(at):
    """Name of the component's key -> its data."""
    found = {}
    for element in at.get("bidi_component"):
        found[element.proto.id] = json.loads(element.proto.json)
    return {name: data for key, data in found.items() for name in ("lanes", "merges", "newest", "trained") if f"tokens_{name}" in key}


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_row_shows_the_ids_of_its_encoding(open_page, mini, public, language):
    at = open_page("tokens", lang=language, prompt=COMPOUND)
    lanes = components(at)["lanes"]
    assert [row["label"] for row in lanes["lanes"]] == ["mini", "GPT-2", "cl100k", "o200k"]
    for i, tokenizer in enumerate([mini.tokenizer, *public.values()]):
        cells = [cell for chunk in lanes["chunks"] for cell in chunk["lanes"][i]]
        assert [cell[2] for cell in cells] == tokenizer.encode(COMPOUND)
        assert bytes.fromhex("".join(cell[3] for cell in cells).replace(" ", "")).decode() == COMPOUND
    ringed = [chunk for chunk in lanes["chunks"] if chunk["differs"]]
    assert ringed and all(any(len(tokens) > 1 for tokens in chunk["lanes"]) for chunk in ringed)
    assert all(chart.alt for chart in charts(at)) and "{" not in text(at)


def test_broken_characters_are_bytes_and_never_the_replacement_sign(open_page):
    at = open_page("tokens", prompt="👩‍🚀 日本語 𝔘 \u200b")
    for data in components(at).values():
        assert "\ufffd" not in json.dumps(data, ensure_ascii=False)


def test_a_link_opens_a_token_and_a_step(open_page, mini):
    at = open_page("tokens", prompt=COMPOUND, chosen="0.2", step="3")
    lanes, merges = components(at)["lanes"], components(at)["merges"]
    assert lanes["selected"] == [0, 2] and merges["step"] == 3
    shown = bytes.fromhex(merges["tree"].split()[1]).decode()
    assert shown == " Geschwindigkeitsbegrenzung" and len(merges["lines"]) == 1 + max(node["step"] for node in merges["nodes"])
    assert merges["lines"][0] == "Step 0: 27 bytes"
    at = open_page("tokens", prompt=COMPOUND)
    own = [node for node in components(at)["merges"]["nodes"] if node["own"]]
    assert components(at)["merges"]["step"] == max(node["step"] for node in own)  # where the token is complete


IMPOSSIBLE = [("chosen", "x"), ("chosen", "1"), ("step", "many"), ("price", "-1"), ("n_merges", "9999"), ("under", "no")]


@pytest.mark.parametrize("setting, value", IMPOSSIBLE)
def test_impossible_settings_in_the_link_are_reset(open_page, setting, value):
    at = open_page("tokens", **{setting: value})
    assert not at.exception and not at.error and f"tokens_{setting}" in said(at)


def test_a_token_beyond_the_text_is_forgotten_in_silence(open_page):
    at = open_page("tokens", prompt="short", chosen="0.400")
    assert not at.exception and not at.error and components(at)["lanes"]["selected"][0] == 0


def test_languages_cost_what_their_tokens_cost(open_page, mini):
    at = open_page("tokens", price="4")
    data = chart_data(at, 0)
    row = data[(data["language"] == "Hindi") & (data["role"] == "computed")].iloc[0]
    expected = count(mini.tokenizer, SENTENCES["hi"])
    assert row["tokens"] == expected.tokens and row["cost"] == pytest.approx(expected.tokens * 4)
    assert f"{expected.tokens * 4:,.2f}" in text(at)


def test_without_the_public_encodings_one_sentence_says_what_to_do(open_page, monkeypatch, tmp_path):
    monkeypatch.setattr(encodings, "_in_package", lambda entry: None)
    monkeypatch.setenv("GLASSBOX_CACHE", str(tmp_path))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    encodings._load.cache_clear()
    try:
        at = open_page("tokens", prompt=COMPOUND)
    finally:
        encodings._load.cache_clear()
    assert not at.exception and not at.error
    assert [row["label"] for row in components(at)["lanes"]["lanes"]] == ["mini"]
    assert "GPT-2, cl100k, o200k" in text(at) and "python -m core.checkpoints.encodings" in text(at)


def test_another_models_tokenizer_gets_a_row_of_its_own(mini, tiny):
    from core.ui.encodings import encodings as found

    assert "other" not in found(mini).tokenizers
    both = found(tiny)
    assert both.tokenizers["other"] is tiny.tokenizer and both.labels["other"] == "tiny"
    assert both.tokenizers["mini"].encode(COMPOUND) == mini.tokenizer.encode(COMPOUND)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_preset_is_cut_differently_somewhere(open_page, public, language):
    t, at = Texts("tokens", language), open_page("tokens", lang=language)
    for preset in t.group("presets"):
        at.pills(key="tokens_preset").set_value(preset).run()
        assert any(chunk["differs"] for chunk in components(at)["lanes"]["chunks"]), preset
        assert any(t(f"presets.{preset}.look") in caption.value for caption in at.caption)


def test_the_odd_token_is_one_only_for_gpt2(public):
    name = " SolidGoldMagikarp"
    assert {key: len(tokenizer.encode(name)) == 1 for key, tokenizer in public.items()} == {
        "gpt2": True, "cl100k_base": False, "o200k_base": False,
    }  # fmt: skip


def test_a_training_is_watched_to_its_end_and_can_be_stopped(open_page):
    at = open_page("tokens", n_merges="40")
    run = at.session_state["tokens_training"]
    whole = list(run.merges)
    assert len(whole) == 40 and len(chart_data(at, 2)) == 41 and not run.going
    at.button(key="tokens_watch").click().run()  # AppTest runs on until nothing asks to be run again
    run = at.session_state["tokens_training"]
    assert run.merges == whole and not run.going
    at.slider(key="tokens_n_merges").set_value(60).run()
    assert len(at.session_state["tokens_training"].merges) == 60


def test_stopping_keeps_the_merges_made_so_far(mini):
    from core.ui.bpe_run import start

    run = start("ein Hund, ein Huhn, ein Hund " * 5, 100, going=True)
    run.go_on(7)
    assert run.going and len(run.merges) == 7
    run.going = False
    run.go_on(200)
    assert not run.going and run.n_tokens == len(run.tokenizer().encode(run.text))


def test_components_write_text_never_html():
    for module in (token_lanes, merge_steps):
        assert "innerHTML" not in module._JS and "insertAdjacentHTML" not in module._JS and "textContent" in module._JS


def test_any_text_can_be_trained_on(open_page):
    at = open_page("tokens")
    for asked in ("", "a", "a" * 100_001, "😀👩‍👩‍👧 \x00", "<script>", "x y z"):
        at.text_area(key="tokens_corpus").set_value(asked).run()
        assert not at.exception and not at.error, (asked[:20], said(at))


def test_a_watched_training_goes_on_run_by_run(monkeypatch):
    from types import SimpleNamespace

    from core.ui import bpe_run

    page = SimpleNamespace(key=lambda name: name)
    text = Texts("tokens", "de").plain("corpus.default")
    state = {"training": bpe_run.start(text, 40, going=True)}
    monkeypatch.setattr(bpe_run.st, "session_state", state)
    seen = []
    while state["training"].going:
        seen.append(len(bpe_run.training(page, text, 40).merges))
    assert seen[0] == 1 and seen == sorted(set(seen)) and len(seen) > 10
    assert len(bpe_run.training(page, text, 40).merges) == seen[-1]
    assert len(bpe_run.training(page, text, 20).merges) == 20  # a short text is done at once
    long = text * (1 + bpe_run.AT_ONCE // len(text))
    assert len(bpe_run.training(page, long, 400).merges) == 10 and state["training"].going


@pytest.mark.parametrize("text", ["天地玄黄宇宙洪荒日月盈昃辰宿列张" * 40, "." * 500, " " * 500 + "\n" * 100, "x" * 90 + " aßb\n\n1234567"])
def test_pieces_without_end_are_cut_for_the_training_and_for_its_encoding(text):
    from core.training.bpe import count_words
    from core.ui.bpe_run import CUT, start

    assert max(len(word.decode()) for word in count_words([text], CUT)) <= 81
    run = start(text, 30, going=False)
    run.go_on(30)
    assert run.n_tokens == len(run.tokenizer().encode(text)) and run.tokenizer().decode(run.tokenizer().encode(text)) == text
