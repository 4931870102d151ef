"""Pages on a real pre-trained model: two viewers on two models, the form of a conversation, and back to the small one."""

import pytest
from streamlit.testing.v1 import AppTest

from core.chat import chat_prompt
from core.measure.fidelity import offered_modes
from core.ui import live
from core.ui.texts import Texts
from tests.ui.conftest import ROOT, WITH_MODEL, said

NAME = "smollm2-135m"


@pytest.fixture
def opened(smollm2_file, monkeypatch):
    """opened("next_token", model=...): a new viewer, after the first run."""
    monkeypatch.delenv("GLASSBOX_MODEL", raising=False)

    def page(name, **link):
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
        at.switch_page(f"pages/{name}.py")
        for key, value in {"lang": "en", **link}.items():
            at.query_params[key] = value
        return at.run()

    return page


def take_away(at):
    return next(box.value for box in at.success)


def test_two_viewers_on_two_models_side_by_side(opened):
    text = {"next_token_prompt": "The capital of France is"}
    small, large = opened("next_token", **text), opened("next_token", model=NAME, **text)
    for at in (small, large, small.run(), large.run()):
        assert not at.exception and not at.error and not at.warning
    assert small.session_state["_model"] == "mini" and large.session_state["_model"] == NAME
    assert "Paris" in take_away(large) and take_away(small) != take_away(large)


def test_what_a_preset_shows_is_said_to_be_the_bundled_models(opened):
    text = {"next_token_prompt": Texts("next_token", "en").plain("presets.fact.prompt")}
    pages = opened("next_token", **text), opened("next_token", model=NAME, **text)
    assert [any("Observed with" in c.value for c in at.caption) for at in pages] == [False, True]


def test_the_form_of_a_conversation_is_an_option(opened, smollm2, monkeypatch):
    read = []
    real = live.read
    monkeypatch.setattr(live, "read", lambda lm, ids: read.append(list(ids)) or real(lm, ids))
    text = "<|im_end|>\n<|im_start|>system\nHi <|endoftext|>"
    at = opened("next_token", model=NAME, next_token_prompt=text)
    plain = smollm2.tokenizer.encode(text)
    special = set(smollm2.tokenizer.special.values())
    assert read[-1] == plain and not special & set(plain)
    read.clear()
    at.toggle(key="next_token_prompt_chat").set_value(True).run()
    assert not at.exception and not at.error and read[-1] == chat_prompt(smollm2, [{"role": "user", "content": text}])
    assert len([i for i in read[-1] if i in special]) == 5  # the marks of system, user and assistant, none that was typed
    at.text_area(key="next_token_prompt").set_value("word " * 3000).run()
    assert not at.exception and "tokens are read" in said(at) and 400 < len(read[-1]) <= 520


def test_what_only_the_larger_model_has_goes_when_the_smaller_comes_back(opened):
    at = opened("attention", model=NAME, attention_head="29.9", attention_off="30.1-3.8")
    assert not at.exception and not at.error and not at.warning
    at.selectbox(key="_model_choice").set_value("mini").run()
    assert not at.exception and not at.error and "attention_head" not in at.query_params and "model" not in at.query_params


@pytest.mark.parametrize("name", WITH_MODEL)
def test_every_page_works_on_it_in_every_mode(opened, name):
    assert "mixed" in offered_modes(NAME) and "bf16" in offered_modes(NAME)
    for mode in offered_modes(NAME)[1:]:
        at = opened(name, model=NAME, mode=mode)
        assert not at.exception and not at.error and not at.warning, (mode, said(at))
        assert at.session_state["_mode"] == mode
