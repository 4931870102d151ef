"""Lab: how scores become a choice. Temperature, top-k, top-p and min-p on the viewer's own text."""

import streamlit as st

from core.charts.distribution import distribution_chart, distribution_data, score_table, sweep_data
from core.decoding import distribution, entropy_bits
from core.decoding.sweep import sweep
from core.ui import controls, engine, live, panels
from core.ui.appended import append_button, appended, set_appended
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require, run_again
from core.ui.lab import lab
from core.ui.live_slider import live_slider, selector
from core.ui.token_strip import candidates, expected_there, read_tokens, token_strip

SHOWN = 12  # candidates in the chart
WRITTEN = 40  # tokens that "write on" adds
TEMPERATURES = [step / 10 for step in range(21)]  # the slider's, 0 to 2
PRESETS = {
    "default": {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0},
    "fact": {"temperature": 1.0},
    "story": {"top_p": 0.8},
    "repeat": {"temperature": 0.7},
    "bytes": {"top_k": 20},
}

page = require("next_token")
t, lm, state = page.t, page.lm, st.session_state
LEFT, LOOKED_AT = page.key("left"), page.key("looked_at")  # tokens still to be written; the token clicked
if page.entered:
    state.pop(LEFT, None)


@fragment
def guess(prompt):
    def answer():
        logits = live.read(lm, prompt).logits
        first = int(logits.argmax())
        one, two = (float(distribution(logits, temperature)[first]) for temperature in (1, 2))
        return "falls", {"token": lm.tokenizer.label(first), "one": one, "two": two}

    panels.predict(page, ("falls", "overtaken", "rises"), answer)


@fragment
def experiment(prompt):
    added = appended(page, prompt)
    reading = live.read(lm, prompt + added)
    text = st.container()
    with panels.panel(page, "next", "live"):
        side, main = st.columns([2, 5], gap="large")
        with side:
            temperature, filters, seed = settings()
        before, after = distribution(reading.logits), distribution(reading.logits, temperature, **filters)
        best = before.topk(SHOWN).indices
        data = distribution_data(best, lm.tokenizer.labels(best), before[best], after[best], len(added))
        with main:
            bars(reading, data, added, temperature, filters)
        bits, bits_after = (float(entropy_bits(shares)) for shares in (before, after))
        numbers = {"entropy_before": bits, "entropy_after": bits_after, "kept": int((after > 0).sum())}
        panels.metrics(page, numbers, {"entropy_before": ".2f", "entropy_after": ".2f", "kept": ",d"})
        panels.download(page, "distribution", lambda: data)
    with text, panels.panel(page, "text", "live"):
        tokens(reading, added, data, lambda n: write(n, reading, added, seed, temperature=temperature, **filters))
    scores(reading.logits, data, temperature)
    first = {"token": data["token"][0], "share": float(before.max()), "sharp": float(distribution(reading.logits, 0.1).max())}
    panels.takeaway(page, bits=bits, choices=2**bits, after_bits=bits_after, **first)
    panels.myth_fact(page, **first)
    if state.get(LEFT):  # one step a run; it runs again until nothing is left to write, or the viewer stops it
        write(state[LEFT], reading, added, seed, temperature=temperature, **filters)
        run_again()


def stop():
    state[LEFT] = 0


def settings():
    temperature = live_slider(page, "temperature", 0.0, 2.0, 1.0, 0.1)
    top_k = controls.slider(page, "top_k", 0, 100, 0)
    top_p = controls.slider(page, "top_p", 0.05, 1.0, 1.0, 0.05)
    min_p = controls.slider(page, "min_p", 0.0, 0.5, 0.0, 0.01)
    return temperature, {"top_k": top_k or None, "top_p": top_p, "min_p": min_p}, controls.number(page, "seed", 0, 9999, 0)


def bars(reading, data, added, temperature, filters):
    """The picture of every temperature goes to the browser at once; there it follows the slider."""
    shares, bits, kept = sweep(reading.logits, TEMPERATURES, data["id"].tolist(), **filters)
    lines = [t.plain("next.line", bits=float(b), kept=int(k)) for b, k in zip(bits, kept)]
    swept = sweep_data(data, TEMPERATURES, shares, lines, temperature)
    words = t.words("next", "before", "after", "token")
    spec = distribution_chart(SHOWN, **words, language=page.language, follow=selector(page, "temperature"))
    alt = t.plain("next.alt", **data.iloc[0][["token", "before", "after"]])

    def picked(row):
        if row["place"] == len(added):  # a click on the bars of this text, not of an earlier one
            set_appended(page, [*added, row["id"]])

    draw(page, "bars", spec, swept, alt, picked)
    if state.get(LEFT, 0) in (0, WRITTEN - 1):  # a text that writes itself goes on without a pause
        seen_first(page, reading.ids, filters)


def tokens(reading, added, data, write_first):
    with st.container(horizontal=True):
        if state.get(LEFT):
            append_button(page, "stop", ":material/stop:", added, stop, primary=True)
        else:
            append_button(page, "write", ":material/play_arrow:", added, lambda: write_first(WRITTEN), primary=True)
        append_button(page, "draw", ":material/casino:", added, lambda: write_first(1))
        append_button(page, "back", ":material/undo:", added[:-1], stop, disabled=not added)
        append_button(page, "clear", ":material/restart_alt:", [], stop, disabled=not added)
    looked_at = state.get(LOOKED_AT)
    looked_at = looked_at if looked_at and looked_at < len(reading.ids) else None
    strip = read_tokens(page, reading, fresh=len(added))
    token_strip(page, "tokens", strip, t.plain("text.label"), lambda i: state.update({LOOKED_AT: i}), looked_at)
    if looked_at:
        expected_there(page, reading, looked_at)
    st.caption(t("text.full" if len(reading.ids) >= lm.config.context_length else "text.append", n=lm.config.context_length))
    left = data[data["after"] > 0].head(8)
    chips = candidates(page, left["token"], left["after"])
    token_strip(page, "chips", chips, t.plain("text.candidates"), lambda i: set_appended(page, [*added, left["id"].iloc[i]]))


def scores(logits, data, temperature):
    with panels.panel(page, "scores", "live"):
        ids = data["id"].tolist()
        table = score_table(data["token"], logits[ids], distribution(logits, temperature)[ids], distribution(logits, 0)[ids], temperature)
        panels.table(page, "scores", table.head(6), shares=("softmax", "hardmax"))


def write(n, reading, added, seed, **chosen):
    """The next token of the n that are still to be written; the end of the text or of the context ends it."""
    stop()
    if len(reading.ids) < lm.config.context_length:
        token = live.draw(lm, reading, seed, **chosen)
        set_appended(page, [*added, token])
        state[LEFT] = 0 if token == lm.tokenizer.eot else n - 1


lab(page, PRESETS, guess, experiment, *engine.asked(page, engine.next_token))
panels.source(page, distribution, entropy_bits, live.read)
panels.sources(page)
