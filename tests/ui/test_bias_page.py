"""Bias and calibration: pairs, lists, the recorded diagram; what was typed, the link, the presets."""

import pytest

from core.charts import bias as charts
from core.ui import calibrated
from core.ui.calibrated import percent
from core.ui.texts import Texts
from tests.ui.conftest import chart_data, said


@pytest.fixture(autouse=True)
def short_lists(monkeypatch):
    """The lists read some hundred sentences; here two of each are enough."""
    from core.measure import association

    whole = association.lists

    def some(language):
        persons, groups = whole(language)
        return persons[:2], tuple(association.Group(g.name, g.verb, g.things[:2]) for g in groups)

    monkeypatch.setattr(association, "lists", some)
    calibrated._lists._results.clear()
    yield
    calibrated._lists._results.clear()


def words(at):
    return "\n".join(block.value for block in [*at.markdown, *at.success, *at.caption])


@pytest.mark.parametrize("lang", ["en", "de"])
def test_all_three_experiments_stand_there(open_page, lang):
    at = open_page("bias_and_calibration", lang=lang)
    assert not at.exception and not said(at)
    pair, lists, diagram = (chart_data(at, place) for place in range(3))
    assert set(pair["role"]) == {"computed", "reused"} and ((pair["share"] > 0) & (pair["share"] < 1)).all()
    assert set(lists["role"]) == {"computed", "reused", "dropped"} and len(lists) == 6
    beyond = [row.words for row in lists.itertuples() if max(abs(row.low), abs(row.high)) > charts.FARTHEST]
    told = Texts("bias_and_calibration", lang)("lists.beyond", most=charts.FARTHEST, words=", ".join(beyond))
    assert (told in words(at)) is bool(beyond)
    assert set(diagram["role"]) == {"computed", "reused"} and diagram[diagram["now"]]["temperature"].nunique() == 1


@pytest.mark.parametrize("preset", ["work", "grammar", "family"])
@pytest.mark.parametrize("lang", ["en", "de"])
def test_presets_set_both_beginnings(open_page, preset, lang):
    at = open_page("bias_and_calibration", lang=lang)
    at.pills(key="bias_and_calibration_preset").set_value(preset).run()
    assert not at.exception and not said(at)
    t = calibrated_texts(lang)
    for name, text in (("a", "prompt"), ("b", "b"), ("words", "words")):
        assert at.text_input(key=f"bias_and_calibration_{name}").value == t.plain(f"presets.{preset}.{text}")


def calibrated_texts(lang):
    from core.ui.texts import Texts

    return Texts("bias_and_calibration", lang)


def test_tiny_probabilities_are_not_written_as_nothing(open_page):
    t = Texts("bias_and_calibration", "de")
    shares = (0.1931, 0.0674, 0.0012, 0.00012, 0.0000123, 0.0)
    assert [percent(t, share).replace("\u202f", " ") for share in shares] == [
        "19,31 %", "6,74 %", "0,12 %", "0,012 %", "0,0012 %", "0,0000000000 %",
    ]  # fmt: skip
    at = open_page("bias_and_calibration", lang="en")
    at.pills(key="bias_and_calibration_preset").set_value("family").run()
    assert not at.exception and "0.00%" not in at.success[0].value.replace("\\", "")


def test_german_grammar_alone_moves_the_pronoun(open_page):
    """What the preset promises: the person, she; the human, he, though both are the same."""
    at = open_page("bias_and_calibration", lang="de")
    at.pills(key="bias_and_calibration_preset").set_value("grammar").run()
    pair = chart_data(at, 0).set_index(["word", "role"])["share"]
    assert pair["sie", "computed"] > pair["sie", "reused"] and pair["er", "reused"] > pair["er", "computed"]


def test_the_link_brings_everything_back(open_page):
    at = open_page("bias_and_calibration", a="The king", b="The queen", words="is,was , is,", temperature="1.2")
    pair = chart_data(at, 0)
    assert list(pair["word"]) == ["is", "was"] * 2 and not said(at)
    assert chart_data(at, 2).query("now")["temperature"].unique() == pytest.approx([1.2])


@pytest.mark.parametrize("typed", ["", ",,,", "a" * 5000, "<b>x</b>, **y**", "😀, مرحبا", "<|endoftext|>"])
def test_any_words_get_an_answer(open_page, typed):
    at = open_page("bias_and_calibration")
    at.text_input(key="bias_and_calibration_words").set_value(typed).run()
    assert not at.exception and not at.error


def test_the_prediction_is_answered_from_what_was_recorded(open_page):
    at = open_page("bias_and_calibration")
    at.pills(key="bias_and_calibration_predict").set_value("skip").run()
    assert "held-out text it gave" in words(at)
