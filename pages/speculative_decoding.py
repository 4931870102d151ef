"""Lab: a small model drafts, the large one checks. What passes, what that saves, and that the text stays the large model's."""

import streamlit as st

from core.charts import speculative as charts
from core.costs.speculation import best_length, tokens_per_round
from core.decoding import speculate, verify
from core.measure.speculation import gain, record
from core.ui import controls, panels, speculation
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.gains import measured_gains
from core.ui.lab import lab
from core.ui.live_slider import live_slider
from core.ui.race import race, start_button
from core.ui.rounds import draw_rounds
from core.ui.strategies import writing

WRITTEN, RACED, TIMED = 24, 60, 40  # tokens that the picture shows, that the race and each measured draft length write
SHOWN, DRAWS = 9, 20_000  # tokens in the chart of one place, and draws from it
MOST = 8  # longest draft
PRESETS = {
    "default": {"draft": "trained", "draft_length": 4.0, "temperature": 0.0, "seed": 0},
    "explain": {},
    "tale": {},
    "list": {"draft_length": 8.0},
    "chance": {"temperature": 1.0},
    "shallow": {"draft": "half"},
}

page = require("speculative_decoding")
t, lm, state = page.t, page.lm, st.session_state
drafts = speculation.draft_names(lm)


def settings():
    """What the viewer has chosen, for the panels that stand outside the experiment."""
    values = {"draft": drafts[0], "draft_length": 4, "temperature": 0.0, "seed": 0}
    values |= {name: state.get(page.key(name), value) for name, value in values.items()}
    return values["draft"], int(values["draft_length"]), float(values["temperature"]), int(values["seed"])


@fragment
def guess(ids):
    def answer():
        plain = speculation.plain_tokens(lm, ids, WRITTEN)
        found = speculation.spoken(lm, drafts[0], ids, 4, 0.0, 0, WRITTEN)
        written = [token for r in found for token in r.tokens]
        same = sum(a == b for a, b in zip(plain, written))
        return "same", {"n": len(plain), "same": same, "passes": len(found), "accepted": record(found).accepted}

    panels.predict(page, ("worse", "same", "better"), answer)


@fragment
def experiment(ids):
    left, right = st.columns(2, gap="large")
    with left:
        draft_length = int(live_slider(page, "draft_length", 1, MOST, 4, 1, every_step=True))
        temperature = controls.slider(page, "temperature", 0.0, 1.5, 0.0, 0.1)
    with right:
        draft = controls.segmented(page, "draft", drafts, drafts[0])
        seed = controls.number(page, "seed", 0, 9999, 0)
    with panels.panel(page, "rounds", "live"):
        place = st.empty()
        found = speculation.spoken(lm, draft, ids, draft_length, temperature, seed, WRITTEN, writing(page, place, WRITTEN))
        place.empty()
        total = record(found)
        draw_rounds(page, "rounds", ids, found)
        numbers = {"passes": total.passes, "per_pass": total.tokens_per_pass, "formula": total.expected(draft_length)}
        numbers |= {"alpha": total.acceptance, "overlap": total.overlap}
        panels.metrics(page, numbers, {"per_pass": ".2f", "formula": ".2f", "alpha": ".0%", "overlap": ".0%"})
        panels.download(page, "rounds", lambda: speculation.events(lm, found))
    proof(speculation.disputed(ids, found), draft, temperature or 1.0, seed)
    values = {"tokens": total.tokens, "passes": total.passes, "accepted": total.accepted, "alpha": total.acceptance}
    panels.takeaway(page, share=speculation.draft_share(lm, draft), **values)


def proof(text, draft, temperature, seed):
    with panels.panel(page, "proof", "live"):
        st.markdown(t("proof.after", text=lm.tokenizer.decode(text[-12:]).strip("\ufffd"), temperature=temperature))
        first = speculation.first_token(lm, draft, text, temperature, seed, SHOWN, DRAWS)
        data = charts.split_data(lm.tokenizer.labels(first.ids), first.p, first.q, first.drawn, DRAWS)
        words = t.words("proof", "kept", "corrected", "surplus", "drawn", "token")
        top = {"token": data["token"][0], "p": float(data["p"][0]), "drawn": float(data["drawn"][0])}
        draw(page, "split", charts.split_chart(len(data), **words, language=page.language), data, t.plain("proof.alt", **top))
        numbers = {"n": DRAWS, "passed": first.passed, "overlap": first.overlap, "chi": first.chi_square, "freedom": first.freedom}
        st.markdown(t("proof.certain" if first.freedom == 0 else "proof.result", chance=first.chance, **numbers))
        panels.download(page, "proof", lambda: data)


@fragment
def lanes(ids):
    with panels.panel(page, "race", "live"):
        chosen = settings()
        start = start_button(page, "race", ":material/flag:")
        said = st.empty()
        race(page, (tuple(ids), *chosen), RACED, start, speculation.writer(lm, ids, RACED, *chosen), ("plain", "rounds"))
        if state[page.key("lanes")].finished:
            said.caption(t("race.settings", n=chosen[1], draft=t.plain(f"draft.options.{chosen[0]}"), temperature=chosen[2]))


@fragment
def lengths(ids):
    with panels.panel(page, "gain", "live"):
        draft, _, temperature, seed = settings()
        start = start_button(page, "gain", ":material/timer:")
        said = st.empty()
        measuring = speculation.gains(lm, draft, ids, temperature, seed, TIMED, MOST) if start else None
        if measured_gains(page, (tuple(ids), draft, temperature, seed), MOST, measuring):
            said.caption(t("gain.settings", draft=t.plain(f"draft.options.{draft}"), temperature=temperature))


@fragment
def formula():
    with panels.panel(page, "formula", "arithmetic"):
        with st.container(horizontal=True, gap="medium"):
            acceptance = controls.slider(page, "acceptance", 0.0, 0.99, 0.8, 0.01)
            cost = controls.slider(page, "cost", 0.0, 1.0, 0.05, 0.01)
            check = controls.slider(page, "check", 1.0, 8.0, 1.0, 0.1)
            block = controls.slider(page, "block", 0.0, 1.0, 0.2, 0.01)
        data = charts.formula_data(acceptance, cost, check, block)
        best = best_length(acceptance, cost, charts.LENGTHS[-1], check)
        top = float(data.loc[data["series"] == "one", "times"].max())
        words = t.words("formula", "one", "block", "length", "times")
        spec = charts.formula_chart(**words, language=page.language)
        draw(page, "formula", spec, data, t.plain("formula.alt", best=best, top=top))
        st.markdown(t("formula.pays" if best else "formula.never", best=best, top=top, tokens=tokens_per_round(acceptance, max(best, 1))))
        st.caption(t("formula.block_note"))
        panels.download(page, "formula", lambda: data)


lab(page, PRESETS, guess, experiment, lanes, lengths, max_tokens=400)
formula()
panels.myth_fact(page)
panels.source(page, speculate, verify, gain)
panels.sources(page)
