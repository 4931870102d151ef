"""Pictures and words: what is chosen, painted and typed reaches the charts and the link; nothing breaks it."""

import numpy as np
import pytest

from core.multimodal.painting import NOTHING, overlay, pack, painted_scene, unpack
from core.multimodal.scenes import Scene, draw
from tests.ui.conftest import chart_data, said


@pytest.mark.parametrize("lang, red", [("en", "red"), ("de", "rot")])
def test_opens_and_sees_the_colour(open_page, lang, red):
    at = open_page("multimodal", lang=lang)
    assert not at.exception and not said(at)
    assert chart_data(at)["token"][0] == red and chart_data(at)["after"][0] > 0.9


def test_what_is_chosen_is_seen(open_page):
    at = open_page("multimodal", part="shape")
    at.selectbox(key="multimodal_shape").set_value("star").run()
    assert chart_data(at)["token"][0] == "star"


@pytest.mark.parametrize("preset", ["unseen", "tongues", "order", "two"])
def test_presets_say_what_to_see(open_page, preset):
    at = open_page("multimodal")
    at.pills(key="multimodal_preset").set_value(preset).run()
    assert not at.exception and not said(at)
    assert any("visibility" in caption.value for caption in at.caption)


def test_a_painting_travels_in_the_link(open_page):
    painted = painted_scene(Scene("cross", "blue", "large", "bottom_right"))
    at = open_page("multimodal", painted=pack(painted))
    assert at.session_state["multimodal_painted"] == painted and not said(at)
    at.button(key="multimodal_clear").click().run()
    assert at.session_state["multimodal_painted"] == NOTHING


@pytest.mark.parametrize("painted", ["x", ".1024-", "15000", ".1023", "9.1024", "1" * 5000])
def test_a_broken_painting_is_one_sentence(open_page, painted):
    at = open_page("multimodal", painted=painted, shape="house", temperature="nan")
    assert not at.exception and not at.error and "multimodal_painted" in said(at)


@pytest.mark.parametrize("text", ["", "Elefant", "a" * 100_001, "<script>alert(1)</script> **x**", "مرحبا 😀\x00", "rot " * 400])
def test_any_caption_gets_an_answer(open_page, text):
    at = open_page("multimodal")
    at.text_input(key="multimodal_prompt").set_value(text).run()
    assert not at.exception and not at.error and at.text_input(key="multimodal_prompt").value == text


def test_the_prediction_is_answered_with_live_numbers(open_page):
    at = open_page("multimodal")
    at.pills(key="multimodal_predict").set_value("size").run()
    assert any("Right" in block.value and "wrong size" in block.value for block in at.markdown)


def test_packing_and_painting():
    painted = painted_scene(Scene("square", "green", "large", "top_left"))
    assert unpack(pack(painted)) == painted and unpack("") == NOTHING and len(pack(painted)) < 400
    picture = draw([Scene("circle", "red", "small", "bottom_right")])[0]
    result = overlay(picture, painted)
    signs = np.array(list(painted)).reshape(32, 32)
    assert (result[signs == "."] == picture[signs == "."]).all() and (result[signs == "3"] == (44, 150, 70)).all()
    with pytest.raises(ValueError):
        overlay(picture, "7" * 1024)
