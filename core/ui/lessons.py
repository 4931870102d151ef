"""Lessons: ordered walks over pages, one TOML file each in assets/lessons/, and the guide that leads through them.

A file has `minutes`, `title.<language>` and a list of `steps`: `page`, `preset` (may be left out), `control` (the name
of the control to use, or `predict`) and a sentence in each language. `?lesson=newcomers&step=3` opens a step.
"""

import tomllib
from functools import cache
from pathlib import Path

import streamlit as st

from core.ui import url, walk
from core.ui.texts import Texts

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "lessons"
_AT, _ENTERED, _DONE, _BEFORE = "_lesson", "_lesson_entered", "_lesson_done", "_lesson_before"
_POLL = 1.0  # seconds between two looks at the control


@cache  # bounded by the files there are
def lessons() -> dict[str, dict]:
    """All lessons by file stem, the shortest first."""
    found = {file.stem: tomllib.loads(file.read_text("utf-8")) for file in FOLDER.glob("*.toml")}
    return dict(sorted(found.items(), key=lambda item: (item[1]["minutes"], item[0])))


def active() -> bool:
    """Whether the viewer follows a lesson."""
    return st.session_state.get(_AT) is not None


def start(name: str, step: int = 1) -> None:
    """Begin a lesson, for callbacks."""
    st.session_state[_AT] = (name, step)
    st.session_state.pop(_ENTERED, None)


def stop() -> None:
    """Leave the lesson, for callbacks."""
    st.session_state[_AT] = None


def move(by: int) -> None:
    """Go some steps on or back, for callbacks; it stays within the lesson."""
    _go(st.session_state[_AT][1] + by)


def _go(to: int) -> None:
    """Open a step. A button names the step it leads to: the browser at times sends one press of its key twice."""
    name, _ = st.session_state[_AT]
    st.session_state[_AT] = (name, min(max(to, 1), len(lessons()[name]["steps"])))


def enter(stem: str) -> None:
    """Settle where the lesson is, keep it in the link, and open the step's page with its preset when the step is new."""
    state, link = st.session_state, st.query_params
    if _AT not in state:
        name, step = link.get("lesson"), link.get("step", "1")
        known = name in lessons()
        last = len(lessons()[name]["steps"]) if known else 1
        state[_AT] = (name, min(max(int(step), 1), last) if step.isdecimal() and len(step) < 6 else 1) if known else None
    if not state[_AT]:
        for key in ("lesson", "step"):
            if key in link:
                del link[key]
        return
    name, step = state[_AT]
    here = lessons()[name]["steps"][step - 1]
    if state.get(_ENTERED) != (name, step):
        state[_ENTERED] = (name, step)
        state.pop(_BEFORE, None)
        if "preset" in here:
            walk.ask(here["page"], here["preset"])
        if here["control"] == "predict":
            state[f"{here['page']}_predict"] = None
        if stem != here["page"]:
            url.open_page(here["page"])
    if (link.get("lesson"), link.get("step")) != (name, str(step)):
        link["lesson"], link["step"] = name, str(step)


def guide(t: Texts, stem: str, keys: bool) -> None:
    """The card above a page: the step's sentence, a ring around the control, and a tick once it was used."""
    name, step = st.session_state[_AT]
    lesson = lessons()[name]
    steps, here = lesson["steps"], lesson["steps"][step - 1]
    key = f"{here['page']}_{here['control']}"
    with st.container(border=True, key="_lesson_card"):
        st.caption(f":material/route: {lesson['title'][t.language]} · {t('lesson.step', n=step, all=len(steps))}")
        st.markdown(f"**{here[t.language]}**")
        if stem != here["page"]:
            st.page_link(f"pages/{here['page']}.py", label=t(f"pages.{here['page']}.title"), icon=":material/arrow_forward:")
        else:
            ring = ", ".join(f".st-key-{key}{end}" for end in ("", "_slider"))
            st.html(f"<style>{ring} {{ outline: 3px dashed #c2410c; outline-offset: 6px; border-radius: 8px; }}</style>")
            _tick(t, (name, step), key, here)
        with st.container(horizontal=True):
            back, on = ("PageUp", "PageDown") if keys else (None, None)
            st.button(t("lesson.back"), key="_lesson_back", on_click=_go, args=(step - 1,), disabled=step == 1, shortcut=back)
            last = step == len(steps)
            st.button(t("lesson.next"), key="_lesson_next", on_click=_go, args=(step + 1,), disabled=last, shortcut=on, type="primary")
            st.button(t("lesson.stop"), key="_lesson_stop", on_click=stop, type="tertiary")


def choice(t: Texts) -> None:
    """The lessons there are, each with a button that starts it."""
    for column, (name, lesson) in zip(st.columns(max(len(lessons()), 1), gap="medium"), lessons().items()):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**{lesson['title'][t.language]}**")
            st.caption(t("lesson.length", minutes=lesson["minutes"], steps=len(lesson["steps"])))
            st.button(t("lesson.start"), key=f"_lesson_start_{name}", icon=":material/route:", on_click=start, args=(name,))


def _tick(t: Texts, at: tuple[str, int], key: str, here: dict) -> None:
    """Whether the control stands elsewhere than when the step began; looked at again until it does."""
    state = st.session_state
    done = state.setdefault(_DONE, set())
    words = Texts(here["page"], t.language)
    label = t("lesson.predict") if here["control"] == "predict" else words(f"{here['control']}.label")

    def look():
        if state.get(_AT) != at:  # a key that came while the page was opening was taken, but the browser was shown nothing of it
            st.rerun()
        before = state.setdefault(_BEFORE, {}).setdefault(key, state.get(key))
        if state.get(key) != before:
            done.add(at)
        if at in done:
            st.markdown(f":material/check_circle: {t('lesson.done')}")
        else:
            st.markdown(f":material/radio_button_unchecked: {t('lesson.use', control=label)}")

    st.fragment(look, run_every=None if at in done else _POLL)()
