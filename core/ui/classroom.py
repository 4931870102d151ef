"""A class answers together: the lecturer's side and the students' side of a room."""

import secrets

import streamlit as st

from core.charts.classroom import class_chart, class_data
from core.classroom.questions import MAKERS, choice_of
from core.classroom.score import class_share, surprisal
from core.classroom.store import RoomError
from core.ui import controls, panels, room
from core.ui.charts import draw
from core.ui.frame import fragment, friendly
from core.ui.texts import escaped

MOST_TYPED = 2_000  # signs of a question's text; more are cut at the beginning


def attempt(page, action, *arguments):
    """What `action` gives; what is not possible is one sentence."""
    try:
        return action(*arguments)
    except RoomError as error:
        st.error(page.t(f"refused.{error.reason}"), icon=":material/error:")
    except ValueError:
        st.error(page.t("refused.bad"), icon=":material/error:")


def enter(page):
    left, right = st.columns(2, gap="large")
    with left, st.container(border=True):
        st.subheader(page.t("join.title"), anchor=False)
        with st.form(page.key("join"), border=False):
            code = st.text_input(page.t("join.label"), key=page.key("code"), placeholder="ABC234").strip().upper()
            if st.form_submit_button(page.t("join.go"), type="primary") and attempt(page, check, code):
                st.query_params[page.key("room")] = code
                st.rerun()
    with right, st.container(border=True):
        st.subheader(page.t("open.title"), anchor=False)
        st.caption(page.t("open.caption"))
        if st.button(page.t("open.go"), key=page.key("open"), icon=":material/meeting_room:"):
            opened = attempt(page, room.store().open_room) if attempt(page, room.store) else None
            if opened:
                room.keep_token(*opened)
                st.query_params[page.key("room")] = opened[0]
                st.rerun()


def check(code):
    room.store().check_room(code)
    return True


def lecturer(page, code, key):
    side, main = st.columns([1, 2], gap="large")
    with side, st.container(border=True):
        address = room.link(page, code)
        st.markdown(f"## {code}")
        st.image(room.qr(address), width=260, alt=page.t.plain("room.qr", code=code))
        st.caption(page.t("room.join"))
        with st.popover(page.t("room.secret"), icon=":material/key:"):
            st.caption(page.t("room.secret_help"))
            st.code(room.link(page, code, key), language=None, wrap_lines=True)
        if st.button(page.t("room.end"), key=page.key("end"), icon=":material/logout:"):
            attempt(page, room.store().close_room, code, key)
            leave(page)
    with main:
        ask(page, code, key)
        results(page, code, key)


def leave(page):
    st.query_params.pop(page.key("room"), None)
    st.rerun()


def ask(page, code, key):
    """In a popover, and not in the link: what is hidden from the class must not stand on the projector."""
    asked = page.key("asked")  # a new key with every question: the popover is closed again
    box = page.key(f"ask_{st.session_state.get(asked, 0)}_box")
    with st.popover(page.t("ask.title"), icon=":material/campaign:", type="primary", key=box):
        kind = controls.segmented(page, "kind", list(MAKERS), "next_token")
        st.caption(page.t(f"ask.{kind}"))
        example = page.t.plain("prompt.default")
        typed = st.text_area(page.t("prompt.label"), example, key=page.key("prompt"), help=page.t("prompt.help"), persist_state="session")
        if st.button(page.t("ask.go"), key=page.key("ask"), type="primary"):
            text = controls.clean(typed)[0][-MOST_TYPED:]
            question = attempt(page, MAKERS[kind], page.lm, text, secrets.randbelow(2**31))
            if question and attempt(page, room.store().ask, code, key, question):
                st.session_state[asked] = st.session_state.get(asked, 0) + 1
                st.rerun()


@st.fragment(run_every="1s")
def results(page, code, key):
    with friendly():
        bars(page, code, key)


def bars(page, code, key):
    question = attempt(page, room.store().current, code)
    if not question:
        st.info(page.t("results.none"))
        return
    with panels.panel(page, "results", "live"):
        shown(page, question)
        counts = attempt(page, room.store().counts, code, question)
        if counts is None:
            return
        over = question.state == "revealed"
        choices = [*question.choices, *([page.t.plain("answer.other")] if question.other else [])]
        data = class_data(choices, counts, model_shares(question) if over else (), question.truth if over else None)
        words = page.t.words("results", "students", "model", "share", "choice")
        draw(page, "bars", class_chart(len(choices), page.language, **words), data, page.t.plain("results.alt", n=sum(counts)))
        st.markdown(page.t("results.n", n=sum(counts)))
        with st.container(horizontal=True):
            for to, icon in (("closed", "lock"), ("revealed", "visibility"), ("open", "lock_open")):
                off = question.state == to
                if st.button(page.t(f"results.{to}"), key=page.key(to), icon=f":material/{icon}:", disabled=off):
                    attempt(page, room.store().set_state, code, key, question.number, to)
                    st.rerun(scope="fragment")
        if over:
            compare(page, question, counts)
        panels.download(page, "results", lambda: data)


def model_shares(question):
    """With what is left for any other word, where there is such an answer."""
    return [*question.shares, *([max(0.0, 1 - sum(question.shares))] if question.other and question.shares else [])]


def shown(page, question):
    st.markdown(f"**{page.t(f'ask_students.{question.kind}')}**")
    st.markdown(page.t("answer.text", text=question.text).replace("\n", "\n> "))


def compare(page, question, counts):
    ours = class_share(counts, question.truth)
    values = {"right": question.choices[question.truth], "share": ours, "bits": surprisal(ours)}
    if question.shares:
        theirs = question.shares[question.truth]
        who = "class" if surprisal(ours) < surprisal(theirs) else "model"
        st.success(page.t(f"compare.{who}", **values, model=theirs, model_bits=surprisal(theirs)), icon=":material/lightbulb:")
    else:
        st.success(page.t("compare.alone", **values), icon=":material/lightbulb:")
    st.caption(page.t("compare.rule", right=counts[question.truth], n=sum(counts), choices=len(counts)))


@fragment
def answer(page, code, question):
    given = attempt(page, room.store().answered, code, question.number, room.participant(page))
    with st.form(page.key(f"answer_{question.number}")):
        shown(page, question)
        places = list(range(len(question.choices)))
        keys = [page.key(f"{name}_{question.number}") for name in ("choice", "word")]
        labels = question.choices.__getitem__
        choice = st.radio(page.t("answer.label"), places, format_func=lambda i: escaped(labels(i)), index=None, key=keys[0])
        word = st.text_input(page.t("answer.word"), key=keys[1]) if question.other else ""
        if st.form_submit_button(page.t("answer.go"), type="primary"):
            given = send(page, code, question, choice, word)
    if given is not None:
        words = [*question.choices, page.t.plain("answer.other")]
        st.success(page.t("answer.kept", choice=words[given]), icon=":material/check:")


def send(page, code, question, choice, word):
    if word.strip():
        choice = attempt(page, choice_of, page.lm, question, word)
    if choice is None:
        return None

    def kept():
        room.store().answer(code, question.number, room.participant(page), choice)
        return choice

    return attempt(page, kept)


def student(page, code):
    """A phone: waits for a question, answers it, and sees the outcome."""
    watch(page, code)
    question = attempt(page, room.store().current, code)
    if question and question.state == "open":
        answer(page, code, question)
    elif question:
        shown(page, question)
        counts = attempt(page, room.store().counts, code, question) if question.state == "revealed" else None
        if counts:
            compare(page, question, counts)
        else:
            st.info(page.t("student.closed"), icon=":material/lock:")


@st.fragment(run_every="2s")
def watch(page, code):
    """One small query; the page is drawn anew only when the lecturer did something."""
    with friendly():
        question = attempt(page, room.store().current, code)
        now, key = (question.number, question.state) if question else None, page.key("seen")
        before = st.session_state.get(key, now)
        st.session_state[key] = now
        st.caption(page.t("student.room", code=code))
        if not question:
            st.info(page.t("student.wait"), icon=":material/hourglass_empty:")
    if before != now:
        st.rerun()
