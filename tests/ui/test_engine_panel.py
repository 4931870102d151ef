"""The panel that asks another model on another server: there only where one is named, silent until it is switched on."""

import pytest

from core.ui import engine
from core.ui.kept import Kept
from tests.engine_server import replay, served
from tests.ui.conftest import charts, component_data, said, text

PAGES = ["next_token", "perplexity", "beam_search"]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(engine, "_kept", Kept(48))


@pytest.fixture
def asked(open_page, monkeypatch):
    """asked(name, language, recording): the page with the panel switched on by its link."""

    def opened(name, url, lang="en", **settings):
        monkeypatch.setenv("GLASSBOX_ENGINE_URL", url)
        return open_page(name, lang, **{"engine": "true"} | settings)

    return opened


@pytest.mark.parametrize("name", PAGES)
def test_without_an_engine_there_is_no_panel(open_page, monkeypatch, name):
    monkeypatch.delenv("GLASSBOX_ENGINE_URL", raising=False)
    assert not [toggle for toggle in open_page(name).toggle if toggle.key == f"{name}_engine"]


def test_nothing_is_sent_before_it_is_switched_on(asked):
    calls = []
    with served(lambda *call: calls.append(call) or (200, "{}")) as url:
        at = asked("next_token", url, engine="false")
        assert not calls and at.toggle(key="next_token_engine").value is False
        at.toggle(key="next_token_engine").set_value(True).run()
        assert calls and "cannot be read" in said(at) and not at.exception


@pytest.mark.parametrize("recording", ["engine_llama_cpp_python", "engine_llama_server"])
def test_what_the_recorded_servers_said_is_shown(asked, open_page, recording):
    with replay(recording) as url:
        at = asked("next_token", url)
        assert not at.error and not at.exception and "smollm2-135m" in text(at)
        assert any("smollm2-135m gives" in box.proto.body for box in at.get("html"))
        strips = [strip for strip in at.get("bidi_component") if strip.proto.component_name == "glassbox_token_strip"]
        assert component_data(at, "glassbox_token_strip") and len(strips) == 3 and len(charts(at)) == 2
        at = asked("perplexity", url)
        assert not at.error and not at.exception and "tokens after the first" in text(at) and "13 requests" in text(at)
        at = asked("beam_search", url)
        assert not at.error and not at.exception and "22 requests were needed" in text(at)


@pytest.mark.parametrize("name, setting", [("next_token", "engine_temperature"), ("beam_search", "engine_width"), ("perplexity", "engine")])
@pytest.mark.parametrize("value", ["nan", "-1e999", "<b>[x](y)</b>", ""])
def test_settings_in_the_link_may_be_nonsense(asked, name, setting, value):
    with replay("engine_llama_server") as url:
        at = asked(name, url, **{setting: value})
    assert not at.exception and not at.error and at.warning


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("lang, words", [("en", "refused the question"), ("de", "hat die Frage abgelehnt")])
def test_what_goes_wrong_is_one_sentence_and_the_page_is_whole(asked, name, lang, words):
    with served(lambda *_: (503, "secret /srv/path")) as url:
        at = asked(name, url, lang)
    assert len(at.error) == 1 and words in said(at) and "503" in said(at) and "secret" not in said(at)
    assert not at.exception and len(at.success) == 1


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_way_to_fail_has_a_sentence(lang):
    from core.engines.errors import SENTENCES
    from core.ui.texts import Texts

    t = Texts("common", lang)
    for kind in SENTENCES:
        told = t(f"engine.errors.{kind}", seconds=30, status=503, megabytes=4, n=200, most=160)
        assert told.endswith(".") and "{" not in told
    assert set(t.group("engine.errors")) == set(SENTENCES)
