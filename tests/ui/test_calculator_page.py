"""The calculator: presets, a model of one's own, nonsense, the link."""

import json

import pytest

from core import costs
from core.charts.calculator import ceilings
from tests.ui.conftest import said, told

STRANGE = ["", "   ", "a" * 100_001, "😀👩‍👩‍👧 \x00\x07", "<script>alert(1)</script> **x**", '{"model_type": "mamba"}', "[" * 9000, '{"a": NaN}']


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_preset_moves_the_picture(open_page, lang):
    at = open_page("calculator", lang=lang)
    pictures = [told(at)[0]]
    for preset in ("million", "latent", "crowd", "laptop", "windows"):
        at.pills(key="calculator_preset").set_value(preset).run()
        assert not at.exception and not at.error and at.pills(key="calculator_preset").value == preset
        pictures.append(told(at)[0])
    assert len(set(pictures)) == 6


def test_ones_own_config_equals_the_arithmetic(open_page):
    at = open_page("calculator", model="own", context=4)
    spec = costs.find_spec(at.text_area(key="calculator_config").value)
    share = costs.share(spec, 4000)
    assert f"{share.total / 1e9:,.1f} GB on each" in told(at)[0]
    changed = json.loads(at.text_area(key="calculator_config").value) | {"num_hidden_layers": 56}
    at.text_area(key="calculator_config").set_value(json.dumps(changed)).run()
    assert not at.warning and f"{costs.share(costs.spec_from_config(changed), 4000).total / 1e9:,.1f} GB on each" in told(at)[0]
    at.text_area(key="calculator_config").set_value("openai/gpt-oss-120b").run()
    assert "gpt-oss-120b" in told(at)[0] and not at.warning


def test_what_cannot_be_read_is_one_sentence_and_nothing_typed_is_lost(open_page):
    at = open_page("calculator", model="own")
    for text in STRANGE:
        at.text_area(key="calculator_config").set_value(text).run()
        assert not at.exception and not at.error and at.warning, text[:20]
        assert at.text_area(key="calculator_config").value == text and "<script>" not in at.warning[0].value
    at.text_area(key="calculator_config").set_value('{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}').run()
    assert "lacks num_hidden_layers" in said(at)


def test_nonsense_in_the_link_is_reset(open_page):
    at = open_page("calculator", model="Eliza", gpus="3", context="nan", batch="-1", small_cache="maybe", format="fp3")
    assert not at.exception and not at.error and len(at.warning) >= 5
    assert at.selectbox(key="calculator_model").value == "Llama-3-70B"


def test_a_model_that_cannot_be_spread_offers_one_gpu(open_page):
    at = open_page("calculator", model="SmolLM2-135M", gpus="8")
    assert not at.exception and not at.error and at.segmented_control(key="calculator_gpus").value == 1


def test_ceilings_are_those_on_the_axis():
    assert [size for _, size in ceilings(100)] == [24, 40, 80]
    assert [label for label, _ in ceilings(200)] == ["", "A100 · 40", "A100 · 80", "H200 · 141", "B200 · 192"]
