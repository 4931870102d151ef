"""The page on GRU and Transformer inside its frame, driven by the shipped networks."""

from functools import partial

import numpy as np
import pytest
import torch

from core.checkpoints.compared import shared_tokenizer
from core.checkpoints.rivals import load_rival
from core.ui import rivals as kept
from core.ui import translation
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, check_whole, said, text

LOSSES, LOOKS, NEW, KNOWN, REACH, HELD_OUT = range(6)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_panel_in_both_languages(open_page, lang):
    check_whole(open_page("rnn_vs_transformer", lang), 6)


def test_losses_on_the_page_are_the_networks_own(open_page):
    typed = "Once upon a time there was a fox. The fox was old."
    at = open_page("rnn_vs_transformer", prompt=typed)
    ids, data = torch.tensor([shared_tokenizer().encode(typed)]), chart_data(at, LOSSES)
    for kind in ("transformer", "gru"):
        with torch.inference_mode():
            expected = torch.nn.functional.cross_entropy(load_rival(kind)(ids)[0, :-1], ids[0, 1:], reduction="none")
        np.testing.assert_allclose(data[kind], expected, atol=1e-3)
    assert data["back"].max() > 0 and not at.error


def test_the_token_of_a_link_or_a_click(open_page):
    at = open_page("rnn_vs_transformer", token=12)
    data = chart_data(at, LOSSES)
    assert data[data["chosen"]]["place"].tolist() == [12] and len(chart_data(at, LOOKS)) == 2 * 11
    assert chart_data(at, LOOKS).groupby("role")["share"].sum().tolist() == pytest.approx([1, 1], abs=1e-4)
    check_whole(open_page("rnn_vs_transformer", token=320), 6)
    assert "rnn_vs_transformer_token" in said(open_page("rnn_vs_transformer", token="last"))


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_preset_shows_what_it_says(open_page, lang):
    at, texts = open_page("rnn_vs_transformer", lang), Texts("rnn_vs_transformer", lang)
    for name in ("name", "new", "story", "list", "once"):
        at.pills(key="rnn_vs_transformer_preset").set_value(name).run()
        check_whole(at, 6)
        assert at.text_area(key="rnn_vs_transformer_prompt").value == texts.plain(f"presets.{name}.prompt")
        data = chart_data(at, LOSSES)
        now, returning = data[data["chosen"]].iloc[0], data[data["back"] >= kept.FAR]
        if name != "once":  # the Transformer is clearly ahead at what returns
            assert now["back"] >= kept.FAR and now["gru"] - now["transformer"] > kept.CLEAR
            assert (returning["gru"] - returning["transformer"]).mean() > 0.2
        else:
            assert len(returning) < 0.15 * len(data)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_recorded_curves_are_those_of_the_file(open_page, lang):
    at, run = open_page("rnn_vs_transformer", lang), kept.run()["networks"]
    for kind, role in (("transformer", "computed"), ("gru", "reused")):
        new, known, reach = (data[data["role"] == role] for data in (chart_data(at, place) for place in (NEW, KNOWN, REACH)))
        assert dict(zip(new["distance"].astype(str), new["value"])) == {d: found[lang] for d, found in run[kind]["names"].items()}
        memory = run[kind]["memory"][lang]
        assert known["value"].tolist() == pytest.approx([memory[str(d)]["another"] - memory[str(d)]["told"] for d in known["distance"]])
        assert reach["value"].tolist() == run[kind]["gradient_by_distance"]
    assert (chart_data(at, HELD_OUT)["gru"] > chart_data(at, HELD_OUT)["transformer"]).all()  # as the chart's sentence says


def test_predict(open_page):
    at = open_page("rnn_vs_transformer", "de")
    at.pills(key="rnn_vs_transformer_predict").set_value("both").run()
    assert "98" in text(at) and not at.error


def test_measured_here_with_a_button(open_page, monkeypatch):
    monkeypatch.setattr(kept, "SIZES", (2, 3))
    monkeypatch.setattr(kept, "RUNS", tuple((n, name) for n in (2, 3) for name in kept.WAYS))
    at = open_page("rnn_vs_transformer")
    assert at.button(key="rnn_vs_transformer_measure").label == "Measure"
    at.button(key="rnn_vs_transformer_measure").click().run()
    for _ in range(10):
        at.run()
    assert not at.error and len(at.get("vega_lite_chart")) == 7
    measured = at.session_state["rnn_vs_transformer_measured"]
    assert set(measured) == set(kept.RUNS) and all(seconds > 0 for seconds in measured.values())
    assert "3 tokens: reading takes" in text(at) and "1,001" in text(at)


@pytest.mark.parametrize("typed", ["", "a", "word " * 3000, "مرحبا بالعالم", "<script>alert(1)</script>", "😀"])
def test_any_text(open_page, typed):
    at = open_page("rnn_vs_transformer")
    at.text_area(key="rnn_vs_transformer_prompt").set_value(typed).run()
    assert not at.exception and not at.error and at.text_area(key="rnn_vs_transformer_prompt").value == typed


@pytest.mark.parametrize("name, family, load", [("rnn_vs_transformer", kept, "load_rival"), ("encoder_decoder", translation, "load_kind")])
def test_a_missing_weight_file_is_one_sentence(open_page, monkeypatch, tmp_path, name, family, load):
    monkeypatch.setattr(family, load, partial(getattr(family, load), folder=tmp_path))
    at = open_page(name, prompt="The old bird sat on the new bridge.")
    assert not at.exception and at.error and ".safetensors" in said(at) and "Traceback" not in said(at)
