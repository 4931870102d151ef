"""Lecture mode: large type, no chrome, one experiment at a time, one key for the next preset; notes on request or in a second window.

`?lecture=1` shows a page to the hall, `?lecture=notes` the notes to its speaker. Nothing is shared but the link.
"""

from pathlib import Path

import streamlit as st

from core.ui import lessons, url, walk
from core.ui.texts import LANGUAGES, TEXTS, Texts, escaped

_MODE, _GO, _PANEL = "_lecture", "_lecture_go", "_lecture_panel"
MODES = ("1", "notes")
KEYS = ("next", "back", "down", "up", "all", "reset", "reveal", "notes", "language", "help", "end")  # names of buttons and of texts

_STYLE = """<style>
html { font-size: 20px !important; }
[data-testid='stSidebar'], [data-testid='stHeader'], [data-testid='stExpander'] { display: none !important; }
[data-testid='stMainBlockContainer'] { max-width: 76rem; padding-top: 0.8rem; padding-bottom: 5rem; }
.st-key-_lecture_bar { position: fixed; left: 0; right: 0; bottom: 0; width: auto; z-index: 100; padding: 0.3rem 1rem;
  backdrop-filter: blur(14px); border-top: 1px solid rgba(128, 128, 128, 0.4); }
</style>"""

_component = st.components.v2.component(
    "glassbox_lecture_keys", html="<span></span>\n", js=(Path(__file__).parent / "lecture.js").read_text("utf-8")
)


def mode() -> str | None:
    """None, "1" or "notes": the link's, else the session's; kept in the link from page to page."""
    asked = st.query_params.get("lecture")
    if _MODE not in st.session_state:
        st.session_state[_MODE] = asked if asked in MODES else None
    now = st.session_state[_MODE]
    if now and asked != now:
        st.query_params["lecture"] = now
    elif not now and asked:
        del st.query_params["lecture"]
    return now


def go(stems: list[str]) -> None:
    """Open the page that a key has asked for."""
    wanted = st.session_state.pop(_GO, None)
    if wanted in stems:
        url.open_page(wanted)


def switch(t: Texts) -> None:
    """What turns it on, for the sidebar."""
    st.button(t("lecture.start"), key="_lecture_start", icon=":material/co_present:", on_click=_set_mode, args=("1",), type="tertiary")


def bar(t: Texts, stem: str, stems: list[str]) -> None:
    """The bar below a page: where one is, and a button for everything that a key does."""
    st.html(_STYLE)
    i, n = walk.place()
    alone = _one_experiment(stem)
    words = _words(stem, t.language)
    with st.container(key="_lecture_bar", horizontal=True, vertical_alignment="center", gap="small"):
        place = f" · {i}/{n}" if n else ""
        st.markdown(f"**{t(f'pages.{stem}.title')}**{place}  \n{alone or t('lecture.whole')}", width="content")
        _button(t, "back", ":material/arrow_back:", _step, -1, stem, stems)
        _button(t, "next", ":material/arrow_forward:", _step, 1, stem, stems)
        if len(walk.panels()) > 1:
            _button(t, "up", ":material/arrow_upward:", _experiment, stem, -1)
            _button(t, "down", ":material/arrow_downward:", _experiment, stem, 1)
            _button(t, "all", ":material/view_agenda:", _experiment, stem, 0)
        _button(t, "reveal", ":material/visibility:", walk.answer)
        _button(t, "reset", ":material/restart_alt:", walk.reset)
        _button(t, "language", ":material/translate:", _other_language)
        with st.container(key="_lecture_notes", width="content"), st.popover("", icon=":material/speaker_notes:", help=t("lecture.notes")):
            _note(words, walk.shown()) if walk.shown() else st.markdown(t(f"pages.{stem}.question"))
            st.caption(t("lecture.second"))
            st.link_button(t("lecture.window"), f"./{'' if stem == 'home' else stem}?lecture=notes&lang={t.language}")
        with st.container(key="_lecture_help", width="content"), st.popover("", icon=":material/help:", help=t("lecture.help")):
            st.markdown("\n".join(f"- {t(f'lecture.keys.{name}')}" for name in KEYS))
            st.caption(t("lecture.theme"))
        _button(t, "end", ":material/close:", _set_mode, None)
    _component(key="_lecture_keys", data={})


def notes(t: Texts, stem: str, stems: list[str]) -> None:
    """The second window: everything to say on a page, preset by preset, without running it."""
    words = _words(stem, t.language)
    if words and "predict.question" in words:
        st.markdown(f":material/psychology_alt: **{words('predict.question')}**")
        st.caption(" · ".join(words(f"predict.choices.{choice}") for choice in words.group("predict.choices")))
    for name in words.group("steps") if words else []:  # a page that is walked step by step
        if f"steps.{name}.note" in words:
            with st.container(border=True):
                st.subheader(words(f"steps.{name}.title"), anchor=False)
                _note(words, name)
    for n, name in enumerate(words.group("presets") if words else [], 1):
        with st.container(border=True):
            st.subheader(f"{n}. {words(f'presets.{name}.label')}", anchor=False)
            _note(words, name)
    i = stems.index(stem)
    for to, kind in ((i - 1, "back"), (i + 1, "next")):
        if 0 <= to < len(stems):
            icon = f":material/arrow_{'back' if kind == 'back' else 'forward'}:"
            st.page_link(f"pages/{stems[to]}.py", label=t(f"pages.{stems[to]}.title"), icon=icon)
    st.button(t("lecture.end"), key="_lecture_end", icon=":material/close:", on_click=_set_mode, args=(None,))


def _note(words: Texts, name: str) -> None:
    """The text on the screen and what the hall reads about it, small; then what its speaker alone does; of a preset or of a step."""
    prompt = words.plain(f"presets.{name}.prompt") if f"presets.{name}.prompt" in words else None
    if prompt:
        st.caption(f":material/edit: {escaped(prompt[:300])}" + ("…" if len(prompt) > 300 else ""))
    look = words.maybe(f"presets.{name}.look")
    if look:
        st.caption(f":material/visibility: {look}")
    note = words.maybe(f"presets.{name}.note") or words.maybe(f"steps.{name}.note")
    if note:
        st.markdown(note)


def _words(stem: str, language: str) -> Texts | None:
    return Texts(stem, language) if (TEXTS / language / f"{stem}.toml").exists() else None


def _button(t: Texts, name: str, icon: str, does, *args) -> None:
    st.button("", key=f"_lecture_{name}", icon=icon, help=t(f"lecture.{name}"), on_click=does, args=args)


def _step(by: int, stem: str, stems: list[str]) -> None:
    """The next preset, else the next page; in a lesson its next step."""
    if lessons.active():
        lessons.move(by)
    elif not walk.step(by):
        st.session_state[_GO] = stems[min(max(stems.index(stem) + by, 0), len(stems) - 1)]


def _one_experiment(stem: str) -> str:
    """Hide all experiments but one; the name of that one, or nothing where the whole page is shown."""
    panels, at = list(walk.panels()), _at(stem)
    if at is None or len(panels) < 2:
        return ""
    at = min(at, len(panels) - 1)
    hidden = ", ".join(f".st-key-{key}" for i, key in enumerate(panels) if i != at)
    st.html(f"<style>{hidden} {{ display: none }}</style>")
    return f"{walk.panels()[panels[at]]} · {at + 1}/{len(panels)}"


def _experiment(stem: str, by: int) -> None:
    """The next experiment of the page or the one before; 0 shows all together, and then one again."""
    at, last = _at(stem), len(walk.panels()) - 1
    if by:
        now = min(max((-1 if at is None else at) + by, 0), last)
    else:
        now = 0 if at is None else None
    st.session_state[_PANEL] = (stem, now)


def _at(stem: str) -> int | None:
    """Which experiment of the page is shown; None: all of them, as at first in a lesson, whose control may be anywhere."""
    page, at = st.session_state.get(_PANEL, ("", None))
    return at if page == stem else None if lessons.active() else 0


def _set_mode(wanted: str | None) -> None:
    st.session_state[_MODE] = wanted


def _other_language() -> None:
    now = st.session_state["_language"]
    st.query_params["lang"] = LANGUAGES[(LANGUAGES.index(now) + 1) % len(LANGUAGES)]
