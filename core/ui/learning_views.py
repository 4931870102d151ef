"""What the page on post-training shows of the recorded runs: curves over the updates, and answers before and after."""

import streamlit as st

from core.charts import post_training as charts
from core.ui import controls, panels, reckoner
from core.ui.charts import draw

MEASURES = {"held_out_right": True, "thought": True, "reward": False, "kl": False, "clipped": True, "tokens": False}  # True: a share


def recorded(page, reward: str) -> None:
    """The curves of PPO and GRPO over the seeds; of the careless reward, what it measures and what is right."""
    t = page.t
    with panels.panel(page, "curves", "recorded"):
        runs = reckoner.curves().query("reward_of == @reward")
        spec, data = careless(page, runs) if reward == "equations" else methods(page, runs)
        draw(page, f"curves_{reward}", spec, data, t.plain("curves.alt", n=int(data["update"].max())))
        st.markdown(t(f"curves.{reward}", **reckoner.results()))
        panels.download(page, "curves", lambda: runs)


def careless(page, runs):
    """Spec and data of the run with the careless reward."""
    t = page.t
    words = (("computed", t.plain("curves.paid")), ("reused", t.plain("curves.right")))
    return charts.curve_chart(
        1.0, True, t.plain("curves.update"), t.plain("curves.share"), words, language=page.language
    ), charts.hack_data(runs)


def methods(page, runs):
    """Spec and data of PPO and GRPO, for the measure chosen."""
    t = page.t
    measure = controls.select(page, "measure", list(MEASURES), "held_out_right")
    data, share = charts.curve_data(runs, measure), MEASURES[measure]
    words = tuple((role, t.plain(f"curves.{method}")) for method, role in charts.METHOD_ROLES.items())
    base = (round(reckoner.results()["base"], 4), t.plain("curves.base")) if measure == "held_out_right" else (None, "")
    most = 1.0 if share and measure != "clipped" else float(data["high"].max()) * 1.1
    labels = (t.plain("curves.update"), "")  # what is measured stands in the choice above
    return charts.curve_chart(round(most, 3), share, *labels, words, *base, language=page.language), data


def before_and_after(page) -> None:
    """The same questions asked of every stage."""
    with panels.panel(page, "samples", "recorded"):
        panels.table(page, "samples", reckoner.samples())
