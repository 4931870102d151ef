"""The speculative decoding lab: its rounds are those of the core, they follow the controls, and the race ends."""

import re

import pytest

from core.decoding import generate
from core.ui import speculation
from core.ui.texts import load
from tests.ui.conftest import component_data, text

PROMPT = "Once upon a time there was a little fox"


def rounds(at) -> dict:
    """What the picture of the rounds was given."""
    return component_data(at, "glassbox_rounds")


def test_the_picture_shows_the_rounds_that_were_run(open_page, mini):
    at = open_page("speculative_decoding", prompt=PROMPT, draft_length=3, temperature=0.8, seed=5)
    assert not at.exception and not at.error and not at.warning
    shown, ids = rounds(at), mini.tokenizer.encode(PROMPT)
    found = speculation.spoken(mini, "trained", ids, 3, 0.8, 5, 24)
    assert len(shown["rounds"]) == len(found) and sum(len(r.tokens) for r in found) == 24
    for row, r in zip(shown["rounds"], found):
        assert [cell[1] for cell in row if cell[1] in ("accepted", "corrected", "bonus")] == list(r.kinds)
        assert [cell[0] for cell in row] == mini.tokenizer.labels([*r.drafted, *([] if r.token is None else [r.token])])
        assert sum(cell[4] for cell in row) == (r.token is not None) == row[-1][4]
    assert "".join(piece for piece, _ in shown["text"]) == mini.tokenizer.decode([t for r in found for t in r.tokens])


def test_the_controls_change_the_rounds(open_page, mini):
    at = open_page("speculative_decoding", prompt=PROMPT)
    trained = rounds(at)
    at.segmented_control(key="speculative_decoding_draft").set_value("half").run()
    half = rounds(at)
    assert half != trained and "".join(p for p, _ in half["text"]) == "".join(p for p, _ in trained["text"])  # greedy: the same text
    ids = mini.tokenizer.encode(PROMPT)
    assert "".join(p for p, _ in half["text"]) == mini.tokenizer.decode([s.token for s in generate(mini, ids, 24, temperature=0)])
    at.slider(key="speculative_decoding_temperature").set_value(1.2).run()
    assert rounds(at)["text"] != half["text"]


def test_the_race_and_the_measurement_end_with_figures(open_page):
    at = open_page("speculative_decoding", prompt=PROMPT)
    at.button(key="speculative_decoding_race_start").click().run()
    assert not at.exception and not at.error and any(re.match(r"\d+ tokens: ", m.value) for m in at.markdown)
    at.button(key="speculative_decoding_gain_start").click().run()
    assert not at.exception and not at.error
    assert any("times" in m.value and "α = " in m.value for m in at.markdown)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_presets_and_the_prediction_answer(open_page, lang):
    at = open_page("speculative_decoding", lang=lang)
    for preset in ("explain", "tale", "list", "chance", "shallow"):
        pills = next(p for p in at.get("button_group") if p.key == "speculative_decoding_preset")
        pills.set_value(preset).run()
        assert not at.exception and not at.error and not at.warning
        # "tale" and "shallow" have one text: what is shown and said is the one that was chosen.
        assert next(p for p in at.get("button_group") if p.key == "speculative_decoding_preset").value == preset
        assert load(lang, "speculative_decoding")[f"presets.{preset}.look"] in text(at)
    next(p for p in at.get("button_group") if p.key == "speculative_decoding_predict").set_value("same").run()
    assert any("Right" in m.value or "Richtig" in m.value for m in at.markdown)


def test_a_model_with_other_tokens_drafts_with_its_own_layers(tiny):
    assert speculation.draft_names(tiny) == ["quarter", "half"]
    assert speculation.draft_model(tiny, "quarter").config.n_layers == 1
    assert 0 < speculation.draft_share(tiny, "half") < 1
