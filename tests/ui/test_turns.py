"""A class at once: whoever waits for long work sees their place in their language, and can give it up."""

import threading

import pytest

from core.ui import turns
from core.ui.texts import Texts
from tests.ui.conftest import check_whole, text

LINK = {"prompt": "A queue is a line of people who", "width": 2, "steps": 3}


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_place_is_shown_until_the_turn_comes(open_page, monkeypatch, language):
    queue, there, go_on, told = turns.turns(), threading.Event(), threading.Event(), []

    def other_viewer():
        with queue.mine():
            there.set()
            go_on.wait(60)

    def waiting(seat, place):
        shown(seat, place)
        told.append(place)
        go_on.set()

    shown = turns._Seat.waiting
    monkeypatch.setattr(turns, "QUIET", 0.0)
    monkeypatch.setattr(turns._Seat, "waiting", waiting)
    thread = threading.Thread(target=other_viewer)
    thread.start()
    assert there.wait(20)
    at = open_page("beam_search", lang=language, **(LINK | {"prompt": f"{LINK['prompt']} {language}"}))
    thread.join(20)
    assert told and told[0] == 1 and len(queue) == 0
    check_whole(at, len(at.get("vega_lite_chart")))
    assert Texts("common", language)("turn.place", place=1) not in text(at)


def test_what_was_given_up_can_be_asked_for_again(open_page):
    at = open_page("beam_search")
    whole = len(at.get("vega_lite_chart"))
    t = Texts("common", "en")
    at.session_state[turns.GIVEN_UP] = True  # what the button beside the place leaves
    at.text_area(key="beam_search_prompt").set_value("Something that nobody has asked for before").run()
    assert not at.exception and not at.error
    assert t("turn.given_up") in text(at)
    again = next(button for button in at.button if button.label == t("turn.again"))
    again.click().run()
    assert t("turn.given_up") not in text(at)
    check_whole(at, whole)


@pytest.mark.parametrize("short", [True, False])
def test_every_answer_takes_its_turn_where_memory_is_short(open_page, monkeypatch, short):
    taken, mine = [], turns.Turns.mine

    def counted(queue, *waiting, **how):
        taken.append(queue.held)
        return mine(queue, *waiting, **how)

    monkeypatch.setattr(turns, "seems_short", lambda: short)
    monkeypatch.setattr(turns.Turns, "mine", counted)
    at = open_page("calculator")
    check_whole(at, len(at.get("vega_lite_chart")))
    assert taken == [False] + [True] * (len(taken) - 1) if short else not taken  # nothing of this page is long, and it waits once
