"""The quantization lab inside its frame: every control, both languages, and numbers that follow from the core."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from streamlit.testing.v1 import AppTest

from core.checkpoints.llama import to_llama_config, weight_names
from core.checkpoints.shared import loaded
from core.models import Decoder, DecoderConfig
from core.quantization import FORMATS
from core.quantization.sizes import count, matrix_shapes, stored_size
from core.training.bpe import save_ranks
from core.ui import quantized
from tests.ui.conftest import charts, told

ROOT = Path(__file__).resolve().parents[2]
CONFIG = DecoderConfig(n_layers=3, d_model=32, n_heads=4, n_kv_heads=2, d_ff=64, vocab_size=257, context_length=2048, head_dim=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small random model as a folder on disk, with bytes as tokens."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(3)
    network = Decoder(CONFIG)
    for parameter in network.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.2)
    ours = dict(network.named_parameters())
    weights = {theirs: ours[name].detach().half().contiguous() for theirs, name in weight_names(CONFIG).items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(to_llama_config(CONFIG)))
    save_ranks({bytes([b]): b for b in range(256)}, folder / "tokenizer.tiktoken")
    return folder


@pytest.fixture
def page(folder, monkeypatch):
    """Open the lab with what a link would carry."""
    monkeypatch.setenv("GLASSBOX_MODEL", str(folder))

    def open_page(**link) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        at.switch_page("pages/quantization.py")
        for name, value in link.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception and not at.error, [e.value for e in at.error]
        return at

    return open_page


def metric(at, label: str) -> str:
    return next(m.value for m in at.metric if m.label == label)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_opens_in_both_languages(page, lang):
    at = page(lang=lang)
    title = {"en": "The weights and the comb of levels", "de": "Die Gewichte und der Kamm der Stufen"}[lang]
    assert title in [s.value for s in at.subheader]
    assert len(charts(at)) == 5
    assert not at.warning


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(page, format):
    at = page(lang="en", quantization_format=format, quantization_granularity="group", quantization_group_size="64")
    size = stored_size([(64, 32)], format, "group", 64)  # the matrix `up`; its rows are one short group each
    assert metric(at, "Bits a weight") == f"{8 * size.total / (64 * 32):.2f}"
    assert (metric(at, "Perplexity, rounded") == metric(at, "Perplexity, true weights")) == (format in ("fp32", "fp16"))  # stored in fp16
    bits = 8 * stored_size(matrix_shapes(CONFIG), format, "group", 64).total / count(matrix_shapes(CONFIG))
    assert ("32 bits a weight, nothing is rounded" if format == "fp32" else f"{bits:.2f} bits a weight") in at.success[0].value


def test_a_wider_format_hides_the_scale_controls(page):
    at = page(lang="en", quantization_format="bf16")
    assert "One scale for each" not in [c.label for c in at.get("button_group")]
    assert metric(at, "Relative error").endswith("%")
    at = page(lang="en", quantization_format="int4", quantization_granularity="group")
    labels = [c.label for c in at.get("button_group")]
    assert "One scale for each" in labels and "Weights in a group" in labels


def test_finer_scales_lose_less(page):
    errors = {}
    for granularity in ("tensor", "channel", "group"):
        at = page(lang="en", quantization_granularity=granularity, quantization_group_size="32")
        errors[granularity] = float(metric(at, "Relative error").rstrip("%"))
    assert errors["group"] <= errors["channel"] < errors["tensor"]


def test_presets_set_text_and_format(page):
    at = page(lang="en")
    pills = next(c for c in at.get("button_group") if c.label == "What to try")
    pills.set_value("bell").run()
    assert not at.exception
    assert at.session_state["quantization_format"] == "nf4"
    assert at.session_state["quantization_granularity"] == "group"
    assert at.text_area[0].value == "The old man opened the door and saw"


def test_the_prediction_is_answered_live(page):
    at = page(lang="en")
    question = next(c for c in at.get("button_group") if "only 15 different values" in c.label)
    question.set_value("ruined").run()
    answer = next(m.value for m in at.markdown if "It goes from" in m.value)
    assert f"{metric(at, 'Perplexity, true weights')[:-1]}"[:4] in answer.replace("\\", "")


def test_comparing_all_formats_draws_one_more_chart(page):
    at = page(lang="en", quantization_compare="true")
    assert not at.exception and len(charts(at)) == 6
    assert any("Perplexity of all formats" in text for text in told(at))


def test_the_own_text_is_measured(page):
    at = page(lang="en", quantization_measured="own", quantization_prompt="Hello there, old friend.")
    assert metric(at, "Tokens") == "24"  # one a byte


@pytest.mark.parametrize(
    "prompt",
    ["", " ", "x", "<script>alert(1)</script> **b**", "<|endoftext|>", "\u0000\u0007", "🦊" * 300, "مرحبا بالعالم", "a" * 100_000],
)
def test_any_text_is_read(page, prompt):
    at = page(lang="en")
    at.text_area[0].set_value(prompt).run()
    assert not at.exception and not at.error
    assert len(charts(at)) == 5


@pytest.mark.parametrize(
    "link",
    [
        {"quantization_format": "int3"},
        {"quantization_granularity": "atom"},
        {"quantization_group_size": "7", "quantization_granularity": "group"},
        {"quantization_layer": "99"},
        {"quantization_layer": "x"},
        {"quantization_part": "z"},
    ],
)
def test_impossible_links_are_reset_with_one_sentence(page, link):
    at = page(lang="en", **link)
    assert len(at.warning) == 1 and "back at its start value" in at.warning[0].value
    assert len(charts(at)) == 5


def test_every_chart_has_an_alternative_text(page):
    for lang in ("en", "de"):
        at = page(lang=lang)
        assert all(chart.alt for chart in charts(at)) and len(told(at)) == len(charts(at))
        assert all(len(text) > 30 for text in told(at)), told(at)


def test_a_format_seen_before_is_not_computed_again(page, monkeypatch):
    for kept in (loaded, quantized._reports, quantized._scores):
        kept.drop(lambda key: True)
    at, computed = page(lang="en", quantization_format="int8"), []
    for name in ("rounded_model", "score"):
        work = getattr(quantized, name)
        monkeypatch.setattr(quantized, name, lambda *a, name=name, work=work: computed.append(name) or work(*a))
    counts = []
    for name in ("int4", "int8", "int4", "int8"):
        next(c for c in at.get("button_group") if c.label == "Number format").set_value(name).run()
        assert not at.exception and not at.error
        counts.append(len(computed))
    assert 0 < counts[0] and counts[1:] == [counts[1]] * 3
