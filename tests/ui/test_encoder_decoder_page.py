"""The page on encoders and decoders inside its frame, driven by the shipped networks."""

import pytest

from core.translation.trained import load_words
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, check_whole, said, text

GAP, ENCODER, DECODER, CROSS, ALIGNMENT = range(5)


def shown(at, word: str, field: str) -> float:
    data = chart_data(at, GAP)
    return float(data[data["word"] == word][field].iloc[0])


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_panel_in_both_languages(open_page, lang):
    check_whole(open_page("encoder_decoder", lang), 5)


def test_the_clue_comes_after(open_page):
    at = open_page("encoder_decoder", "de")
    assert shown(at, "vor", "both") > 0.99 and shown(at, "vor", "left") < 0.2
    assert chart_data(at, GAP)["right"].sum() == 1
    assert "The brown teacher sat in front of the house." in text(at)


def test_a_click_or_a_link_makes_another_gap(open_page):
    at = open_page("encoder_decoder", "de", gap=1)
    assert shown(at, "der", "both") > 0.99 and shown(at, "the", "left") == pytest.approx(0.5, abs=0.05)
    assert chart_data(at, ENCODER)["column"].tolist()[0] == "▢"
    at = open_page("encoder_decoder", "de", gap=29)
    check_whole(at, 5)  # beyond the sentence: its last word
    assert chart_data(at, GAP).query("right")["word"].tolist() == ["."]
    assert "encoder_decoder_gap" in said(open_page("encoder_decoder", gap="none"))


def test_masks_on_the_viewers_words(open_page):
    at = open_page("encoder_decoder", prompt="The king saw the ring.")
    encoder, decoder, cross = (chart_data(at, place) for place in (ENCODER, DECODER, CROSS))
    assert len(encoder) == len(decoder) == 36 and (encoder["role"] == "computed").all()
    assert (decoder["role"] == "dropped").sum() == 15 and decoder[decoder["role"] == "dropped"]["weight"].max() == 0
    assert cross["column"].nunique() == 7 and (cross["role"] == "computed").all()


@pytest.mark.parametrize("lang, typed, written, back", [
    ("en", "the old woman likes the blue hat", "Die alte Frau mag den blauen Hut.", "The old woman likes the blue hat."),
    ("de", "Das Kind arbeitet vor dem Haus.", "The child works in front of the house.", "Das Kind arbeitet vor dem Haus."),
])  # fmt: skip
def test_both_ways(open_page, lang, typed, written, back):
    at = open_page("encoder_decoder", lang, prompt=typed)
    assert written in text(at) and back in text(at) and not at.warning
    data = chart_data(at, ALIGNMENT)
    assert data.groupby("row", sort=False)["weight"].sum().tolist() == pytest.approx([1.0] * data["row"].nunique(), abs=1e-3)


def test_written_word_by_word(open_page):
    at = open_page("encoder_decoder", written=2)
    assert "**Der Fuchs**" in text(at) and "Word 2 of 8" in text(at)
    at.session_state["encoder_decoder_written"] = 3.0
    at.run()
    assert "**Der Fuchs arbeitete**" in text(at)


def test_predict(open_page):
    at = open_page("encoder_decoder", "de")
    at.pills(key="encoder_decoder_predict").set_value("tenth").run()
    assert "**Richtig.**" in text(at) and not at.error


def test_an_unknown_word_is_named_with_words_that_are_known(open_page):
    at = open_page("encoder_decoder", prompt="The dgo sees the ball.")
    assert len(at.warning) == 1 and "“dgo”" in said(at) and "dog" in said(at)
    assert at.text_input(key="encoder_decoder_prompt").value == "The dgo sees the ball." and not at.error
    at = open_page("encoder_decoder", "de", prompt="Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich")
    assert "und noch" in said(at) and not at.error


@pytest.mark.parametrize("typed", ["مرحبا بالعالم", "😀", "the dog " * 400, "<script>alert(1)</script> **x**", "a" * 100_001])
def test_any_text(open_page, typed):
    at = open_page("encoder_decoder")
    at.text_input(key="encoder_decoder_prompt").set_value(typed).run()
    assert not at.exception and not at.error and at.warning and chart_data(at, GAP)["right"].sum() == 1
    assert at.text_input(key="encoder_decoder_prompt").value == typed


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_preset_shows_what_it_says(open_page, lang):
    texts = Texts("encoder_decoder", lang)
    at = open_page("encoder_decoder", lang)
    for name in ("right", "first", "open", "several", "beyond"):
        at.pills(key="encoder_decoder_preset").set_value(name).run()
        check_whole(at, 5)
        data, right = chart_data(at, GAP), chart_data(at, GAP).query("right").iloc[0]
        assert at.text_input(key="encoder_decoder_prompt").value == texts.plain(f"presets.{name}.prompt")
        if name == "right":
            assert right["both"] > 0.99 and right["left"] < 0.15
        if name == "first":
            assert right["word"] == "das" and right["both"] > 0.99 and right["left"] < 0.2
        if name == "open":
            assert right["both"] < 0.3 and right["left"] < right["both"]
        if name == "beyond":
            stopped = {"en": "was stopped after", "de": "wurde nach"}[lang]
            assert stopped in text(at) and data["right"].sum() == 1
        else:
            assert "100" in text(at)


def test_all_known_words_are_listed(open_page):
    at = open_page("encoder_decoder", "de")
    listed = next(m.value for m in at.markdown if m.value.startswith("**Deutsch:**"))
    assert all(word in listed for word in load_words().words[8:])
