"""A room with a lecturer and two students, each a session of its own, and what must not work."""

import math

import pytest

from core.classroom.questions import MAKERS, TEMPERATURES, choice_of, next_token, temperature
from core.measure import perplexity
from core.ui import room
from tests.ui.conftest import said, told


@pytest.fixture(autouse=True)
def own_rooms(tmp_path, monkeypatch):
    monkeypatch.setenv("GLASSBOX_ROOMS", str(tmp_path))


def healthy(*pages):
    assert not any(at.exception or at.error for at in pages), [said(at) for at in pages]


def test_a_lecturer_and_two_students(open_page, mini):
    """Buttons are pressed in the database's place: a page opened by the test tool starts over and forgets a click."""
    rooms = room.store()
    code, token = rooms.open_room()
    lead = open_page("classroom", room=code, key=token)
    one, two = (open_page("classroom", lang=lang, room=code) for lang in ("en", "de"))
    healthy(lead, one, two)
    assert lead.button(key="classroom_end") and not one.radio and "as soon as" in one.info[0].value
    rooms.ask(code, token, next_token(mini, "The sky is **very** <b>blue", 0))
    one.run()
    two.run()
    assert len(one.radio) == len(two.radio) == 1 and not [b for b in one.button if b.key in ("classroom_end", "classroom_revealed")]
    for at, place in ((one, 0), (two, 1)):
        rooms.answer(code, 1, at.session_state["_classroom_participant"], place)
        at.run()
        assert at.success
    lead.run()
    assert "2 so far" in told(lead)[0] and not lead.success
    rooms.set_state(code, token, 1, "revealed")
    lead.run()
    one.run()
    healthy(lead, one, two)
    assert "is right" in lead.success[0].value and "is right" in one.success[0].value and not one.radio
    assert not any("<b>" in box.value for box in [*one.markdown, *lead.markdown])
    rooms.close_room(code, token)
    one.run()
    assert "no room" in said(one)


@pytest.mark.parametrize("lang", ["en", "de"])
def test_wrong_codes_and_wrong_keys_are_one_sentence(open_page, lang):
    for code in ("ZZZZZZ", "<b>x</b>", "' OR 1=1", "a" * 100_000):
        at = open_page("classroom", lang=lang, room=code)
        assert not at.exception and len(at.error) == 1 and "<b>" not in said(at)
    at = open_page("classroom", lang=lang, room=room.store().open_room()[0], key="wrong")
    assert not at.exception and len(at.error) == 1
    assert not [b for b in at.button if b.key in ("classroom_ask", "classroom_end", "classroom_revealed")]


@pytest.mark.parametrize("kind", MAKERS)
def test_any_text_becomes_a_question_or_is_refused(mini, kind):
    for text in ("", "   ", "a" * 2000, "word " * 400, "<script>alert(1)</script> **x** y", "😀👩‍👩‍👧 مرحبا بالعالم"):
        try:
            question = MAKERS[kind](mini, text, 0)
        except ValueError:
            continue
        rooms = room.store()
        rooms.ask(*rooms.open_room(), question)


def test_a_vanished_database_is_one_sentence(open_page, tmp_path):
    code, token = room.store().open_room()
    lead = open_page("classroom", room=code, key=token)
    (tmp_path / "classroom.db").rename(tmp_path / "away")
    lead.run()
    assert not lead.exception and "cannot be reached" in said(lead)


def test_the_models_shares_equal_its_perplexity(mini):
    question = next_token(mini, "Once upon a time there was", 3)
    ids = mini.tokenizer.encode("Once upon a time there") + [mini.tokenizer.encode(" was")[0]]
    bits = float(perplexity(mini, ids).bits[-1])
    assert question.shares[question.truth] == pytest.approx(2**-bits, rel=1e-4)
    assert choice_of(mini, question, "was") == question.truth and choice_of(mini, question, "zebra") == len(question.choices)
    with pytest.raises(ValueError, match="1 to 40"):
        choice_of(mini, question, "x" * 100_000)


def test_the_temperature_is_judged_by_bayes_rule(mini):
    """Shares by hand: the product of every written token's probability at each temperature, normalised."""
    start = "Es war einmal ein"
    question = temperature(mini, start, 5)
    ids, begun = mini.tokenizer.encode(question.text), len(mini.tokenizer.encode(start))
    logits = mini.logits(ids)[begun - 1 : -1].double()
    fits = []
    for T in TEMPERATURES:
        probs = (logits / T).softmax(-1)
        fits.append(sum(math.log(probs[i, token]) for i, token in enumerate(ids[begun:])))
    weights = [math.exp(fit - max(fits)) for fit in fits]
    assert question.shares == pytest.approx([weight / sum(weights) for weight in weights], abs=1e-3)
    asked = [temperature(mini, start, seed) for seed in range(6)]
    assert sum(one.shares[one.truth] == max(one.shares) for one in asked) >= 4  # the text usually gives itself away
