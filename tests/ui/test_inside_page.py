"""The map of a forward pass inside its frame: opening parts, following tokens, asking about answers, links, long texts."""

import base64
import gc
import json
import weakref

import numpy as np
import pytest
import torch

from core.costs import parameters, prefill_flops
from core.kept import Kept
from core.models import trace
from core.ui import forward_map, passes
from core.ui.texts import Texts
from tests.ui.conftest import said

LONG = "Mary has a cat, and the cat is called Milo. She lives near the river and reads a book every evening. " * 14
PRESETS = ("fact", "name", "early", "late", "german", "story")


def drawn(at) -> dict:
    """What the component was given."""
    return json.loads(at.get("bidi_component")[0].proto.json)


def numbers(text: str, kind=np.float32) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_map_holds_the_models_own_numbers(open_page, mini, lang):
    at = open_page("inside", lang)
    assert not at.exception and not at.error and not at.warning
    data = drawn(at)
    ids = mini.tokenizer.encode(at.text_area[0].value)
    assert data["tokens"] == mini.tokenizer.labels(ids) and data["position"] == len(ids) - 1 and data["open"] is None
    logits = mini.logits(ids)[-1]
    best = logits.softmax(-1).topk(8)
    assert [a["id"] for a in data["answers"]] == best.indices.tolist()
    assert [a["share"] for a in data["answers"]] == pytest.approx(best.values.tolist(), abs=1e-5)
    parts = data["parts"]
    assert len(parts) == mini.config.n_layers + 2 and parts[-1]["says"] == mini.tokenizer.label(best.indices[0])
    assert sum(sum(part["effects"]) for part in parts[:-1]) == pytest.approx(float(logits.max()), abs=1e-3)
    brought = numbers(data["brought"]).reshape(mini.config.n_layers, len(ids) + 1)
    assert brought.sum(1) == pytest.approx(np.ones(mini.config.n_layers), abs=1e-5) and not brought[:, 0].any()
    assert len(numbers(data["mlp"], np.uint8)) == mini.config.n_layers * len(ids)


def test_an_open_block_shows_its_vectors_and_they_are_those_of_the_trace(open_page, mini):
    at = open_page("inside", block="8", head="6")
    data = drawn(at)
    assert data["open"] == "8"
    heads, one, hidden, stream = data["detail"]["sections"]
    ids = mini.tokenizer.encode(at.text_area[0].value)
    whole, last = trace(mini, ids), len(ids) - 1
    assert len(heads["heads"]) == 6 and heads["chosen"] == 5
    assert len(numbers(heads["maps"], np.uint8)) == 6 * heads["side"] ** 2
    pattern = whole["blocks.7.attn.hook_pattern"][5, last]
    assert numbers(data["detail"]["weights"])[1:] == pytest.approx(pattern.numpy(), abs=1e-5)
    seen = int(pattern.argmax())
    names = ("rot_q", "rot_k", "v", "z")
    expected = [whole[f"blocks.7.attn.hook_{name}"][last if name in ("rot_q", "z") else seen, 5] for name in names]
    for strip, vector in zip(one["strips"], expected):
        assert numbers(strip["values"]) == pytest.approx(vector.numpy(), abs=1e-4)
    assert numbers(hidden["strips"][0]["values"]) == pytest.approx(whole["blocks.7.mlp.hook_post"][last].numpy(), abs=1e-4)
    before, attention, mlp, after = (numbers(strip["values"]) for strip in stream["strips"])
    assert before + attention + mlp == pytest.approx(after, abs=1e-4)
    assert attention == pytest.approx(whole["blocks.7.hook_attn_out"][last].numpy(), abs=1e-4)


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize("block", ["in", "1", "10", "out"])
def test_every_kind_of_part_opens(open_page, lang, block):
    at = open_page("inside", lang, block=block)
    assert not at.error and not at.warning
    data = drawn(at)
    assert data["open"] == block and data["detail"]["sections"]
    assert ("weights" in data["detail"]) == block.isdecimal()


def test_the_parts_outside_the_blocks_show_embedding_and_norm(open_page, mini):
    at = open_page("inside", block="in", token="2")
    ids = mini.tokenizer.encode(at.text_area[0].value)
    vector = numbers(drawn(at)["detail"]["sections"][0]["strips"][0]["values"])
    assert vector == pytest.approx(mini.network.embed.weight[ids[1]].numpy(), abs=1e-6)
    at = open_page("inside", block="out")
    _, after, row = (torch.tensor(numbers(s["values"])) for s in drawn(at)["detail"]["sections"][0]["strips"])
    assert float(after @ row) == pytest.approx(float(mini.logits(ids)[-1].max()), abs=1e-3)


def test_a_followed_token_and_another_answer(open_page, mini):
    at = open_page("inside", "de", token="3")
    ids = mini.tokenizer.encode(at.text_area[0].value)
    data = drawn(at)
    assert data["position"] == 2 and data["answers"][0]["id"] == int(mini.logits(ids)[2].argmax())
    other = data["answers"][1]["id"]
    data = drawn(open_page("inside", "de", token="3", answer=other))
    assert [a["id"] for a in data["answers"] if a["chosen"]] == [other]
    assert sum(sum(part["effects"]) for part in data["parts"][:-1]) == pytest.approx(float(mini.logits(ids)[2, other]), abs=1e-3)


def test_another_text_forgets_what_was_followed_and_asked(open_page):
    at = open_page("inside", token="3", answer="17", block="4")
    at.text_area[0].set_value("A quite different text.").run()
    data = drawn(at)
    assert not at.error and data["position"] == len(data["tokens"]) - 1 and data["open"] == "4"
    assert data["answers"][0]["chosen"] and at.session_state["inside_answer"] is None


@pytest.mark.parametrize("name, value", [
    ("block", "11"), ("block", "x"), ("token", "0"), ("token", "900"), ("head", "7"), ("head", "0"), ("answer", "99999"), ("answer", "-1"),
])  # fmt: skip
def test_impossible_settings_are_reset_with_a_sentence(open_page, name, value):
    at = open_page("inside", **{"block": "2", name: value})
    assert not at.exception and not at.error and f"inside_{name}" in said(at)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_preset_opens(open_page, lang):
    at = open_page("inside", lang)
    for name in PRESETS:
        next(p for p in at.get("button_group") if p.key == "inside_preset").set_value(name).run()
        assert not at.exception and not at.error and not at.warning
        assert drawn(at)["open"] == {"name": "8", "late": "10"}.get(name)


@pytest.mark.parametrize("lang, name, block, answer", [
    ("en", "fact", 8, "␣Vienna"), ("de", "fact", 8, "␣Wien"), ("en", "early", 2, "␣months"), ("de", "early", 2, "␣Monate"),
    ("en", "late", 10, "␣h"), ("de", "late", 10, "␣blau"), ("en", "german", 10, "␣m"), ("de", "german", 10, "␣m"),
    ("en", "name", 8, "␣Mil"), ("de", "name", 8, "␣Bell"),
])  # fmt: skip
def test_the_presets_show_what_they_say(open_page, mini, lang, name, block, answer):
    """From the named block on the answer leads for good."""
    at = open_page("inside", lang)
    next(p for p in at.get("button_group") if p.key == "inside_preset").set_value(name).run()
    says = [part["says"] for part in drawn(at)["parts"]]
    assert says[block:] == [answer] * len(says[block:]) and says[block - 1] != answer


@pytest.mark.parametrize("lang", ["en", "de"])
def test_what_the_looks_say_about_parts(mini, lang):
    """Attention writes the name, one MLP the late answer; the last MLP pushes the dog's verb down."""
    t = Texts("inside", lang)

    def split(name, asked=None):
        ids = mini.tokenizer.encode(t.plain(f"presets.{name}.prompt"))
        answer = None if asked is None else mini.tokenizer.encode(asked)[0]
        return passes.follow(mini, ids, len(ids) - 1, answer).split

    assert split("name").attentions.sum() > split("name").mlps.sum()
    assert split("late").mlps.argmax() == 9
    assert split("german", " bellt").mlps[9] < -2 and split("german", " bellt").mlps.argmin() == 9


def test_long_texts_send_the_columns_around_the_followed_token(open_page):
    at = open_page("inside")
    at.text_area[0].set_value(LONG).run()
    data = drawn(at)
    assert not at.error and data["all"] == 320 and len(data["tokens"]) == 128 and data["first"] == 192 and data["position"] == 319
    brought = numbers(data["brought"]).reshape(10, 129)
    assert brought.sum(1) == pytest.approx(np.ones(10), abs=1e-4) and brought[:, 0].any()  # what does not fit is not lost
    at.session_state["inside_token"] = 20
    data = drawn(at.run())
    assert data["first"] == 0 and data["position"] == 20 and len(data["tokens"]) == 128


def test_any_text(open_page):
    at = open_page("inside", block="3")
    for text in ("a", "😀", "<b>x</b> **x** $y$ {share} [token]", "<|endoftext|>", "مرحبا بالعالم", "\n\n\n"):
        at.text_area[0].set_value(text).run()
        assert not at.exception and not at.error and drawn(at)["detail"]["sections"]


@pytest.mark.parametrize("choice", ["early", "middle", "late", "skip"])
def test_the_prediction_is_answered_by_the_model(open_page, choice):
    at = open_page("inside", "de")
    next(p for p in at.get("button_group") if p.key == "inside_predict").set_value(choice).run()
    answer = next(m.value for m in at.markdown if "Ab Block 8 von 10" in m.value)
    assert not at.error and ("Richtig" in answer) == (choice == "late")


def test_costs_are_the_models_totals(open_page, mini):
    at = open_page("inside")
    table = at.dataframe[0].value
    ids = mini.tokenizer.encode(at.text_area[0].value)
    assert table.parameters.sum() == parameters(mini.config) and table.flops.sum() == prefill_flops(mini.config, len(ids))
    assert table.parameter_share.sum() == pytest.approx(1) and table.flop_share.sum() == pytest.approx(1)


def test_the_component_writes_text_never_html():
    assert "innerHTML" not in forward_map._JS and "insertAdjacentHTML" not in forward_map._JS and "textContent" in forward_map._JS
    assert not any(color in forward_map._JS + forward_map._CSS for color in ("#d9590b", "#3d96d6", "orange", "steelblue"))


def test_what_was_followed_goes_with_its_pass(mini, monkeypatch):
    """A followed position holds its whole pass, so many followed positions of many texts must not outlive the passes."""
    kept = Kept(2, weigh=lambda read: 1)
    monkeypatch.setattr(passes, "_passes", kept)
    texts = [mini.tokenizer.encode(text) for text in ("The sun is hot.", "The moon is cold.", "A star is far.")]
    for ids in texts:
        followed = [passes.follow(mini, ids, position) for position in range(len(ids))]
        assert passes.follow(mini, ids, 1) is followed[1]
    assert [key[1] for key, _ in kept.items()] == [tuple(ids) for ids in texts[1:]]
    pinned = [weakref.ref(read.passed) for _, read in kept.items()]
    kept.halve()
    del followed
    gc.collect()
    assert [alive() is None for alive in pinned] == [True, False]
