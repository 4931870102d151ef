"""The embeddings page inside its frame: the map, what else there is to see, odd input."""

import pytest

from tests.ui.conftest import charts, said

VIEWS = {"neighbours": 2, "table": 2, "analogies": 3, "context": 2, "sentences": 2}


def text(at):
    return " ".join(m.value for m in [*at.markdown, *at.caption, *at.info]).replace("\\", "")


def field(at, name):
    return next(box for box in [*at.text_input, *at.text_area] if box.key == f"embeddings_{name}")


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize("look, n", VIEWS.items())
def test_every_view_in_both_languages(open_page, lang, look, n):
    at = open_page("embeddings", lang, look=look)
    assert not at.exception and not at.error and not at.warning
    assert len(charts(at)) == n and all(chart.alt for chart in charts(at))
    assert len(at.success) == 1 and "{" not in at.success[0].value


@pytest.mark.parametrize("method, plotly", [("flat", 0), ("deep", 1), ("tsne", 0)])
@pytest.mark.parametrize("groups", ["", "animals,days"])
def test_maps(open_page, method, plotly, groups):
    at = open_page("embeddings", method=method, groups=groups, both="true")
    assert not at.exception and not at.error and not at.warning
    assert len(at.get("plotly_chart")) == plotly and len(charts(at)) == 2 - plotly


def test_without_scikit_learn_the_third_view_is_missing_and_said(open_page, monkeypatch):
    import core.measure.projection

    monkeypatch.setattr(core.measure.projection, "find_spec", lambda name: None)
    at = open_page("embeddings", method="tsne")
    assert not at.exception and not at.error and "embeddings_method" in said(at) and "scikit-learn" in text(at)


def test_neighbours_follow_what_is_typed(open_page, mini):
    from core.measure.embeddings import embedding_space, nearest, word_tokens, word_vectors

    at = open_page("embeddings")
    field(at, "prompt").set_value("dog, king").run()
    assert "“king”" in text(at)
    space, ids = embedding_space(mini), word_tokens(mini.tokenizer, "king")
    first = nearest(space, word_vectors(space, [ids])[0], 1, leave_out=ids)[0]
    assert f"{first.cosine:.2f}" in at.success[0].value and mini.tokenizer.label(first.id).strip("␣") in at.success[0].value


def test_presets_set_words_groups_and_view(open_page):
    at = open_page("embeddings")
    at.pills(key="embeddings_preset").set_value("family").run()
    assert not at.exception and not at.error and not at.warning
    assert at.session_state["embeddings_groups"] == [] and at.session_state["embeddings_look"] == "table" and len(charts(at)) == 2
    at.pills(key="embeddings_preset").set_value("languages").run()
    assert at.session_state["embeddings_groups"] == ["animals", "numbers"] and at.toggle(key="embeddings_both").value


def test_prediction(open_page):
    at = open_page("embeddings")
    at.pills(key="embeddings_predict").set_value("kind").run()
    assert "**Right.**" in text(at)


@pytest.mark.parametrize("formula", ["", "king", "+ + +", "😀 − 👩‍👩‍👧 + <b>", "word " * 500, "x" * 100_001, "a - b = "])
def test_any_formula(open_page, formula):
    at = open_page("embeddings", look="analogies")
    field(at, "formula").set_value(formula).run()
    assert not at.exception and not at.error and field(at, "formula").value == formula


@pytest.mark.parametrize("look, name", [("context", "contexts"), ("sentences", "sentences")])
@pytest.mark.parametrize("lines", ["", "one line", "a\nb", "\n".join(f"the line number {i}" for i in range(30)), "😀\n😀 😀\n<script>", "word " * 3000])
def test_any_sentences(open_page, look, name, lines):
    at = open_page("embeddings", look=look)
    field(at, name).set_value(lines).run()
    assert not at.exception and not at.error and field(at, name).value == lines


@pytest.mark.parametrize("name, value", [("look", "dance"), ("method", "4d"), ("groups", "rocks"), ("both", "maybe"), ("layer", "99")])
def test_impossible_settings_are_reset_with_a_sentence(open_page, name, value):
    at = open_page("embeddings", **{"look": "sentences", name: value})
    assert not at.exception and not at.error and f"embeddings_{name}" in said(at)


def test_a_click_on_an_unknown_word_and_too_many_words(open_page):
    at = open_page("embeddings", word="nowhere")
    assert not at.exception and not at.error and "nowhere" not in text(at)
    field(at, "prompt").set_value(" ".join(f"w{i}" for i in range(40))).run()
    assert "24" in said(at) and not at.error


def test_the_second_row_of_presets(open_page):
    at = open_page("embeddings", look="context")
    at.pills(key="embeddings_contexts_presets").set_value("form").run()
    assert "“ring”" in text(at) and not at.error
    at.segmented_control(key="_language_choice").set_value("de").run()
    assert "„weiß“" in text(at)  # an untouched example follows the language
