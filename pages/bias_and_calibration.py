"""Bias and calibration: what a model expects of whom, and whether it knows what it does not know."""

import streamlit as st

from core.charts import bias as charts
from core.measure.association import associations, spread
from core.measure.calibration import at_temperature, reliability
from core.measure.continuations import continuation_logprobs
from core.ui import calibrated, controls, panels
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider, selector

MOST_WORDS = 8
GROUPS = tuple(charts.GROUP_ROLES)

page = require("bias_and_calibration")
t, lm = page.t, page.lm
NAMES = ("work", "grammar", "family")
PRESETS = {"default": {}} | {
    name: {"b": t.plain(f"presets.{name}.b"), "words": t.plain(f"presets.{name}.words")} for name in NAMES
}


@fragment
def guess():
    def answer():
        found = calibrated.recorded(page.language)
        sure = found.by_temperature[1.0]
        top = int(sure.count.nonzero()[-1])
        low = float(sure.confidence[top] - sure.accuracy[top])
        choice = "right" if abs(low) < 0.03 else "too_sure" if low > 0 else "too_modest"
        return choice, {"sure": float(sure.confidence[top]), "right": float(sure.accuracy[top]), "n": int(sure.count[top])}

    panels.predict(page, ("too_sure", "right", "too_modest"), answer)


@fragment
def pair():
    with panels.panel(page, "pair", "live"):
        first = controls.text(page, "a", most_signs=400, live=True)
        second = controls.text(page, "b", most_signs=400, live=True)
        typed = controls.text(page, "words", most_signs=200, live=True)
        words = list(dict.fromkeys(word.strip() for word in typed.split(",") if word.strip()))[:MOST_WORDS] or [t.plain("words.default")]
        encode = lm.tokenizer.encode
        asked = [(encode(start), encode(f" {word}")) for start in (first, second) for word in words]
        a, b = continuation_logprobs(lm, asked).exp().view(2, -1).numpy()
        data = charts.pair_data(words, a, b)
        spec = charts.pair_chart(len(words), *(t.plain(f"pair.{name}") for name in ("first", "second", "word", "share")), page.language)
        draw(page, "pair", spec, data, t.plain("pair.alt", first=first[-80:], second=second[-80:], n=len(words)))
        seen_first()
        panels.download(page, "pair", lambda: data)
    most = abs(a - b).argmax()
    factor = max(a[most], b[most]) / max(min(a[most], b[most]), 1e-12)
    shown = {name: calibrated.percent(t, float(values[most])) for name, values in (("a", a), ("b", b))}
    panels.takeaway(page, word=words[most], factor=min(float(factor), 1e6), **shown)


@fragment
def lists():
    with panels.panel(page, "lists", "live"):
        if not calibrated.lists_are_measured(lm, page.language):
            with st.spinner(t("lists.wait")):
                calibrated.measured_lists(lm, page.language)
        found = calibrated.measured_lists(lm, page.language)
        words = {name: t.plain(f"lists.{name}") for name in GROUPS}
        data = charts.association_data(found, words)
        spec = charts.association_chart(len(data), t.plain("lists.bits"), page.language, **words)
        clear = data[data["clear"] & (data["role"] == charts.GROUP_ROLES["occupation"])]
        asked = sum(one.group == "occupation" for one in found)
        spreads = {name: spread(found, name) for name in ("occupation", "control")}
        draw(page, "lists", spec, data, t.plain("lists.alt", n=asked, clear=len(clear)))
        beyond = data[data[["low", "high"]].abs().max(axis=1) > charts.FARTHEST]
        if len(beyond):
            st.caption(t("lists.beyond", most=charts.FARTHEST, words=", ".join(beyond["words"])))
        st.markdown(t("lists.result", n=asked, clear=len(clear), chance=asked * 0.05, words=", ".join(clear["words"]), **spreads))
        panels.download(page, "lists", lambda: data)


@fragment
def calibration():
    with panels.panel(page, "calibration", "recorded"):
        temperature = live_slider(page, "temperature", 0.5, 1.5, 1.0, 0.05)
        known = calibrated.recorded(page.language)
        mine = calibrated.own(lm, controls.prompt(page, "text", max_tokens=320, min_tokens=20))
        data = charts.reliability_data(known.by_temperature, mine.by_temperature, temperature)
        words = {name: t.plain(f"calibration.{name}") for name in ("words", "own", "confidence", "accuracy", "count")}
        spec = charts.reliability_chart(**words, follow=selector(page, "temperature"), language=page.language)
        error = known.by_temperature[temperature].error
        draw(page, "calibration", spec, data, t.plain("calibration.alt", error=error, temperature=temperature))
        numbers = {"error": error, "best": known.best_temperature, "error_best": known.by_temperature[known.best_temperature].error}
        panels.metrics(page, numbers | {"error_own": mine.by_temperature[temperature].error}, dict.fromkeys([*numbers, "error_own"], ".3f"))
        counted = {"n": known.tokens, "own": mine.tokens, "accuracy": known.accuracy, "model": calibrated.recorded_model()}
        st.caption(t("calibration.counted", **counted))
        panels.download(page, "calibration", lambda: data)


above = st.container()
controls.presets(page, PRESETS, prompt_name="a")
with above:
    guess()
pair()
lists()
calibration()
for name in ("prejudice", "confidence", "conceded"):
    panels.myth_fact(page, name)
panels.source(page, continuation_logprobs, associations, reliability, at_temperature)
panels.sources(page)
