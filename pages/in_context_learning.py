"""Lab: learning from examples in the text. Few-shot questions, the heads that carry it, loss along a text."""

import streamlit as st

from core.charts import in_context as charts
from core.charts.attention import map_chart, map_data
from core.measure.attention_stats import head_profile
from core.measure.in_context import ask_together, few_shot, few_shot_prompts, in_context_score, induction_scores
from core.models.trace import trace
from core.ui import controls, heads, panels
from core.ui import in_context as kept
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider, selector

HARDLY, TENFOLD = 1.5, 10  # times as probable
OFF = (1, 2, 4, 8)  # heads switched off

page = require("in_context_learning")
t, lm = page.t, page.lm
WORDS = t.words("shots", "examples", "share", "says") | {"language": page.language}
SETTINGS = {"default": "line", "translate": "line", "wrong": "line", "count": "comma", "labels": "comma", "capital": "stop"}
PRESETS = {
    name: {"joiner": joiner, "shots": 1.0, "off": 4}
    | {field: t.plain(f"presets.{'translate' if name == 'default' else name}.{field}") for field in ("question", "answer")}
    for name, joiner in SETTINGS.items()
}


def waiting(place):
    """Shows in `place` how far the work has come."""
    return lambda share: place.progress(share, t("working", share=share))


def done(work, *arguments):
    """The result of something that may take a while."""
    place = st.empty()
    result = work(lm, *arguments, waiting(place))
    place.empty()
    return result


@fragment
def guess(asked):
    def answer():
        found = kept.shots(lm, asked)
        says = kept.shot_numbers(page, asked, found, 0)
        times = says["one"] / max(says["none"], 1e-9)
        return "tenfold" if times >= TENFOLD else "some" if times >= HARDLY else "hardly", says

    panels.predict(page, ("hardly", "some", "tenfold"), answer)


@fragment
def lab():
    above = st.container()
    controls.presets(page, PRESETS, prompt_name="examples")
    with panels.panel(page, "shots", "live"):
        asked = kept.asked(page)
        shots = min(int(live_slider(page, "shots", 0, kept.MOST_EXAMPLES, 1.0, 1)), asked.most)
        found = done(kept.shots, asked)
        says = kept.shot_numbers(page, asked, found, shots)
        said = lm.tokenizer.labels([shot.says for shot in found])
        data = charts.shots_data({"all": [shot.probability for shot in found]}, asked.counts, said, shots)
        spec = charts.shots_chart(kept.MOST_EXAMPLES, **WORDS, follow=selector(page, "shots"))
        draw(page, "shots", spec, data, t.plain("shots.alt", **says))
        seen_first()
        st.markdown(t("shots.result", **says))
        with st.expander(t("shots.text", n=shots)):
            st.code(asked.texts[shots], language=None, wrap_lines=True)
        panels.download(page, "shots", lambda: data.drop(columns=["now", "role"]))
    panels.takeaway(page, **says)
    with above:
        guess(asked)
    ablation(asked)


@fragment
def ablation(asked):
    with panels.panel(page, "ablation", "live"):
        n = controls.segmented(page, "off", OFF, 4)
        few = kept.with_few(asked)
        curves = done(kept.without_heads, few, n)
        labels = {role: t.plain(f"ablation.{run}", n=n) for run, role in charts.RUNS.items()}
        data = charts.shots_data(curves, few.counts, [""] * len(few.counts))
        spec = charts.shots_chart(kept.MOST_EXAMPLES, **WORDS, **labels)
        says = {run: shares[-1] for run, shares in curves.items()} | {"n": n, "most": asked.most}
        draw(page, "ablation", spec, data, t.plain("ablation.alt", **says))
        st.markdown(t("ablation.result", **says))
        panels.download(page, "ablation", lambda: data.drop(columns=["says", "now"]))


@fragment
def induction():
    with panels.panel(page, "induction", "live"):
        if not kept.are_scored(lm):
            with st.spinner(t("induction.wait")):
                kept.scores(lm)
        found = kept.scores(lm)
        head = kept.opened(page, found)
        ids, maps = kept.twice_heads(lm)
        pattern = maps.patterns(head[0])[head[1]]
        says = {"head": heads.written(head), "score": float(found[head]), "here": kept.score_on(pattern, ids), "n": kept.HALF}
        says |= {"best": heads.written(kept.strongest(found, 1)[0]), "highest": float(found.max()), "heads": found.numel()}
        left, right = st.columns([2, 3], gap="medium")
        with left:
            cells = charts.scores_data(found.numpy(), kept.strongest(found, 4), head)
            spec = charts.scores_chart(len(found), **t.words("induction", "layer", "head", "score"), language=page.language)
            open_head = lambda row: heads.open_head(page, (int(row["layer"]) - 1, int(row["head"]) - 1))  # noqa: E731
            draw(page, "scores", spec, cells, t.plain("induction.alt", **says), open_head)
        with right:
            tokens = lm.tokenizer.labels(ids)
            spec = map_chart(len(ids), **t.words("induction", "query", "key", "weight"), language=page.language)
            draw(page, "map", spec, map_data(pattern, tokens, -1), t.plain("induction.map_alt", **says))
        st.markdown(t("induction.result", **says))
        curves = kept.twice(lm, 4)
        labels = {role: t.plain(f"ablation.{run}", n=4) for run, role in charts.RUNS.items()}
        spec = charts.twice_chart(kept.HALF, **t.words("induction", "position", "nll", "again"), language=page.language, **labels)
        says |= kept.twice_numbers(curves)
        draw(page, "twice", spec, charts.twice_data(curves), t.plain("induction.twice_alt", **says))
        st.markdown(t("induction.twice", **says))
        panels.download(page, "induction", lambda: cells.drop(columns="framed"))


def places():
    with panels.panel(page, "places", "recorded"):
        width, models = kept.recorded(page.language)
        data = charts.place_data([(model["title"], model["bits_per_byte"]) for model in models], width)
        longest = width * len(models[0]["bits_per_byte"])
        spec = charts.place_chart(longest, **t.words("places", "read", "bits", "model"), language=page.language)
        draw(page, "places", spec, data, t.plain("places.alt", models=t.join(model["title"] for model in models)))
        st.markdown(t("places.result", width=width, **kept.grown(models, width)))
        panels.download(page, "places", lambda: data)
        panels.table(page, "sizes", kept.place_numbers(models, width), shares=("induction", "names"))
        st.caption(t("places.how"))


lab()
induction()
places()
for name in ("learns", "figure", "induction"):
    panels.myth_fact(page, f"{name}_myth")
panels.source(page, few_shot_prompts, few_shot, ask_together, induction_scores, head_profile, in_context_score, trace)
panels.sources(page)
