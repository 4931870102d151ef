"""A viewer's training on the page: the server's desk, what to train on, the buttons, what was written on the way."""

import math
import os
import random
from dataclasses import asdict

import pandas as pd
import streamlit as st

from core.charts.training import curves_chart, curves_data, gauge_chart, training_table
from core.training import desk as desks
from core.training.curriculum import openings
from core.training.desk import Desk, QueueFull, Run
from core.training.live import CONTEXT, ROWS, Characters, LiveRecipe
from core.ui import controls, measuring, panels
from core.ui.charts import draw
from core.ui.frame import ROOT

BOOKS = {"en": ROOT / "assets" / "corpora" / "alice.txt", "de": ROOT / "assets" / "corpora" / "heidi.txt"}
SOURCES = ("book", "tales", "own")
RATES = (0.0003, 0.003, 0.03, 0.3)
STEPS = (100, 300, 600)
TALES = 160  # drawn from the generator: about 70,000 characters
SHORTEST = 200  # characters one can train on
TURNED = 0.05  # nats the held-out loss has to rise above its lowest to be called overfitting
TOP = 6.0  # nats, end of the axis
MOST_SAMPLES = 8
RECORDED = ROOT / "assets" / "runs" / "pretraining_short.csv"


@st.cache_resource(show_spinner=False)
def desk() -> Desk:
    """The server's one desk; $GLASSBOX_TRAININGS is how many may train at once, else one for each processor, four at most."""
    asked = os.environ.get("GLASSBOX_TRAININGS", "")
    return Desk(int(asked) if asked.isdecimal() else min(measuring.processors(), 4))


def text(page) -> tuple[str, str]:
    """The text to train on and where it comes from: a book, generated tales, or what the viewer typed."""
    source = controls.segmented(page, "source", SOURCES, "book")
    typed = controls.text(page, keep="head")
    if source == "book":
        return BOOKS[page.language].read_text("utf-8"), source
    if source == "tales":
        return _tales(page.language), source
    if len(typed) < SHORTEST:
        page.note("short", n=SHORTEST)
        typed = page.t.plain("prompt.default")
    return typed, source


@st.cache_data(max_entries=2, show_spinner=False)
def _tales(language: str) -> str:
    rng = random.Random(0)
    return "\n\n".join(openings.documents(rng, language) for _ in range(TALES))


def recipe(page) -> LiveRecipe:
    """What the controls say."""
    left, middle, right = st.columns([4, 4, 3])
    with left:
        size = controls.segmented(page, "size", ("small", "large"), "small")
    with middle:
        rate = controls.segmented(page, "rate", RATES, 0.003)
    with right:
        return LiveRecipe(size, rate, controls.segmented(page, "steps", STEPS, 300))


def current(page) -> tuple[Run | None, str, list[dict]]:
    """The viewer's training, looked at just now, its status, and its rows so far.

    The rows are a list of their own, as the training adds to its own while they are drawn; read after the status, so that
    those of a finished training are all of them.
    """
    run = st.session_state.get(page.key("run"))
    if run is None:
        return None, "none", []
    desk().look(run)
    return run, run.status, list(run.rows)


def buttons(page, run: Run | None, words: str, wanted: LiveRecipe) -> None:
    """Start, pause, one step, stop, reset: those that fit to where the training is."""
    key, state = page.key("run"), st.session_state
    status = run.status if run else "none"
    active = bool(run and run.active)

    def start(going: bool):
        if run:
            desk().stop(run)
        try:
            state[key] = desk().start(words, asdict(wanted), _alive(), going)
            state[page.key("full")] = False
        except QueueFull:
            state[page.key("full")] = True

    def step():
        if not active:
            start(going=False)
        if state.get(key):
            desk().step(state[key])

    def reset():
        desk().stop(run)
        state.pop(key)

    with st.container(horizontal=True):
        if status == desks.RUNNING:
            _button(page, "pause", ":material/pause:", lambda: desk().pause(run), primary=True)
        elif status == desks.PAUSING:
            _button(page, "go", ":material/play_arrow:", lambda: desk().go(run), primary=True)
        else:
            _button(page, "start", ":material/play_arrow:", lambda: start(going=True), primary=True, disabled=status == desks.WAITING)
        _button(page, "step", ":material/skip_next:", step, disabled=status in (desks.RUNNING, desks.WAITING))
        _button(page, "stop", ":material/stop:", lambda: desk().stop(run), disabled=not active)
        _button(page, "reset", ":material/restart_alt:", reset, disabled=run is None)


def _button(page, name: str, icon: str, does, primary: bool = False, disabled: bool = False) -> None:
    kind = "primary" if primary else "secondary"
    st.button(page.t(f"buttons.{name}"), key=page.key(name), icon=icon, type=kind, on_click=does, disabled=disabled)


def _alive():
    """Whether this session is still connected, as a function for the desk's own thread."""
    context = st.runtime.scriptrunner.get_script_run_ctx(suppress_warning=True)
    session = context.session_id if context else ""
    return lambda: not st.runtime.exists() or st.runtime.get_instance().is_active_session(session)


def standing(page, run: Run | None) -> None:
    """In one sentence: where the training is, and for one that waits its place."""
    if st.session_state.get(page.key("full")):
        st.info(page.t("standing.full"), icon=":material/hourglass:")
    status = run.status if run else "none"
    if status == desks.RUNNING and not run.rows:
        status = "starting"
    values = {"place": desk().place(run) if run else 0, "training": desk().training(), "most": desk().most}
    if run and run.rows:
        values |= {"step": run.rows[-1]["step"], "all": run.recipe["n_steps"]}
        if run.rows[-1].get("diverged"):
            status = "diverged"
    if status == desks.RUNNING:
        st.progress(values["step"] / values["all"], page.t("standing.running", **values))
    else:
        st.caption(page.t(f"standing.{status}", **({"step": 0, "all": 0} | values)))


def numbers(rows: list[dict]) -> dict:
    """What the sentences say about a training with at least one row."""
    table, about = training_table(rows), rows[0]
    says = {name: about[name] for name in ("parameters", "vocabulary", "held_out_size")} | {"characters": about["train"]}
    says |= {"step": int(table["step"].iloc[-1]), "tokens": int(table["tokens"].iloc[-1])}
    return says | {"step_now": says["step"], "passes": says["tokens"] / about["train"]} | _losses(table)


def _losses(table: pd.DataFrame) -> dict:
    """The practised loss over the last ten steps; the held-out one at first, at its lowest and now."""
    held, practised = table["held_out"].dropna(), table["loss"].dropna()
    says = {"first": float(held.iloc[0]), "best": float(held.min()), "held_out": float(held.iloc[-1])}
    says |= {"best_step": int(table["step"][held.idxmin()]), "choices": math.exp(min(says["held_out"], 50))}
    return says | {"train": float(practised.tail(10).mean()) if len(practised) else says["first"]}


def before(words: str, wanted: LiveRecipe) -> dict:
    """What is known before there is a training."""
    n = Characters(words).n_vocab
    return {"vocabulary": n, "loss": math.log(n), "n_steps": wanted.n_steps, "tokens": wanted.n_steps * ROWS[wanted.size] * CONTEXT}


@st.cache_data(max_entries=1, show_spinner=False)
def recorded() -> dict:
    """The recorded training on a short text: where the held-out loss was lowest, and where both ended."""
    table = pd.read_csv(RECORDED)
    return _losses(table) | {"step": int(table["step"].iloc[-1])}


def judgement(says: dict) -> str:
    """What the curves show so far: start, learning, or overfitting."""
    if says["held_out"] > says["best"] + TURNED and says["train"] < says["held_out"]:
        return "overfitting"
    return "learning" if says["held_out"] < says["first"] - TURNED else "start"


def curves(page, rows: list[dict], n_steps: int, says: dict) -> None:
    """Both losses, then gradient and learning rate."""
    t, table, even = page.t, training_table(rows), math.log(says["vocabulary"])
    words = t.words("curves", "step", "loss", "train", "held_out") | {"even": t.plain("curves.even", n=says["vocabulary"])}
    spec = curves_chart(n_steps, max(TOP, math.ceil(even + 0.5)), page.language, **words)
    draw(page, "curves", spec, curves_data(table, even), t.plain("curves.alt", **says))
    for column, (name, form) in zip(st.columns(2, gap="medium"), {"gradient_norm": ".2f", "learning_rate": "~e"}.items()):
        with column:
            spec = gauge_chart(name, n_steps, words["step"], t.plain(f"curves.{name}"), form, page.language)
            draw(page, name, spec, table[["step", name]].astype("float32"), t.plain("curves.alt", **says))
    panels.download(page, "curves", lambda: table)


def samples(page, rows: list[dict]) -> None:
    """What the network wrote on its way, the newest first."""
    written = [row for row in rows if "sample" in row]
    for row in reversed(written[:1] + written[1:][-(MOST_SAMPLES - 1) :]):
        line = {"given": _line(row["given"]), "sample": _line(row["sample"]), "step": row["step"]}
        st.markdown(page.t("samples.line", **line))


def _line(written: str) -> str:
    return written.replace("\n", "⏎")
