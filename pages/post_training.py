"""Post-training: from a text predictor to one that answers, by demonstrations, preferences and rewards."""

import streamlit as st

from core.charts import post_training as charts
from core.costs.post_training import METHODS, held
from core.rl import losses
from core.rl.answers import short
from core.rl.group import one_update
from core.rl.trend import trend
from core.ui import controls, panels, reckoner
from core.ui.charts import draw
from core.ui.frame import fragment, require, run_again
from core.ui.live_slider import live_slider

STAGES = ("base", "tuned", "ppo", "grpo", "hacked")
REWARDS = ("rules", "equations")
MEASURES = {"held_out_right": True, "thought": True, "reward": False, "kl": False, "clipped": True, "tokens": False}  # True: a share
PRESETS = {
    "default": {"stage": "tuned", "reward": "rules", "size": 8, "measure": "held_out_right"},
    "first": {},
    "products": {"size": 16},
    "nothing": {"stage": "grpo"},
    "untaught": {"stage": "base"},
    "careless": {"reward": "equations"},
    "cheat": {"stage": "hacked", "reward": "equations"},
}

page = require("post_training")
t, state = page.t, st.session_state
accuracy = reckoner.evaluation()["accuracy"]


@fragment
def guess():
    def answer():
        before, after = accuracy["tuned"], accuracy["grpo_0"]
        more = "steps" if after["thought"] > before["thought"] + 0.1 else "short" if after["thought"] < before["thought"] - 0.1 else "same"
        values = {
            "before": before["thought"],
            "after": after["thought"],
            "tokens_before": before["tokens"],
            "tokens_after": after["tokens"],
        }
        return more, values

    panels.predict(page, ("steps", "short", "same"), answer)


@fragment
def experiment():
    with panels.panel(page, "group", "live"):
        left, right = st.columns(2, gap="medium")
        with left:
            problem, question = reckoner.asked(page)
            reward = controls.segmented(page, "reward", REWARDS, "rules")
        with right:
            stage = controls.select(page, "stage", STAGES, "tuned")
            size = controls.slider(page, "size", 4, 16, 8)
        st.button(t("group.again"), key=page.key("again"), icon=":material/casino:", on_click=reckoner.draw_again, args=(page,))
        found = reckoner.group(stage, problem, question, size, reward, state.get(page.key("draw"), 0))
        right = [one.right for one in found.readings]
        data = charts.group_data([short(text) for text in found.texts], right, found.rewards, found.advantages, found.before, found.after)
        words = t.words("group", "answer", "reward", "advantage", "before", "after", "up", "down")
        spec = charts.group_chart(len(right), **words, language=page.language)
        counted = {"right": sum(right), "n": len(right), "question": question, "solution": problem.answer}
        st.caption(t("group.asked", **counted))
        draw(page, "answers", spec, data, t.plain("group.alt", **counted))
        formatted = sum(one.formatted for one in found.readings) / len(right)
        numbers = {"paid": float(data["reward"].mean()), "moved": found.kl, "formatted": formatted}
        panels.metrics(page, numbers, {"paid": ".2f", "moved": ".4f", "formatted": ".0%"})
        if data["advantage"].abs().max() == 0:
            st.markdown(t("group.equal"))
        panels.download(page, "group", lambda: data)
    recorded(reward)
    panels.takeaway(page, start=accuracy["tuned"]["right"], end=accuracy["grpo"]["mean"], **counted)


def recorded(reward):
    with panels.panel(page, "curves", "recorded"):
        runs = reckoner.curves().query("reward_of == @reward")
        if reward == "equations":
            data = charts.hack_data(runs)
            words = (("computed", t.plain("curves.paid")), ("reused", t.plain("curves.right")))
            spec = charts.curve_chart(1.0, True, t.plain("curves.update"), t.plain("curves.share"), words, language=page.language)
        else:
            measure = controls.select(page, "measure", list(MEASURES), "held_out_right")
            data, share = charts.curve_data(runs, measure), MEASURES[measure]
            words = tuple((role, t.plain(f"curves.{method}")) for method, role in charts.METHOD_ROLES.items())
            base = (round(accuracy["base"]["right"], 4), t.plain("curves.base")) if measure == "held_out_right" else (None, "")
            most = 1.0 if share and measure != "clipped" else float(data["high"].max()) * 1.1
            labels = (t.plain("curves.update"), t.plain(f"measure.options.{measure}"))
            spec = charts.curve_chart(round(most, 3), share, *labels, words, *base, language=page.language)
        draw(page, f"curves_{reward}", spec, data, t.plain("curves.alt", n=int(data["update"].max())))
        st.markdown(t(f"curves.{reward}", **reckoner.results()))
        panels.download(page, "curves", lambda: runs)


@fragment
def live():
    with panels.panel(page, "live", "live"):
        run = reckoner.live_run(page)
        if run:
            run.step()
        if run and run.running:
            st.button(t("live.stop"), key=page.key("stop"), icon=":material/stop:", type="primary", on_click=run.stop)
        else:
            start = {"on_click": reckoner.start_run, "icon": ":material/play_arrow:", "type": "primary"}
            st.button(t("live.start"), key=page.key("start"), args=(page, state.get(page.key("reward"), "rules")), **start)
        if run:
            data = charts.run_data([update.reward for update in run.updates])
            most = reckoner.MOST_PAID[run.reward]
            spec = charts.run_chart(reckoner.LIVE.updates, most, **t.words("live", "update", "reward", "smooth"), language=page.language)
            draw(page, "live", spec, data, t.plain("live.alt", n=len(data), reward=float(data["smooth"].iloc[-1])))
            last = run.updates[-1]
            numbers = {"live_right": last.right, "live_thought": last.thought, "live_kl": last.kl}
            panels.metrics(page, numbers, {"live_right": ".0%", "live_thought": ".0%", "live_kl": ".3f"})
            found = trend(data["reward"].tolist())
            if found:
                st.markdown(t("live.rises" if found.clear else "live.noise", first=found.first, last=found.last, half=found.half))
            panels.download(page, "live", lambda: data)
            if run.running:
                run_again()


@fragment
def memory():
    with panels.panel(page, "memory", "arithmetic"):
        size = live_slider(page, "billions", 0.5, 70.0, 7.0, 0.5, every_step=True)
        names = t.words("memory.methods", *METHODS)
        models = t.words("memory.models", "policy", "value", "reference", "reward")
        data = charts.memory_data(held(size * 1e9), names, models)
        words = tuple((part, t.plain(f"memory.parts.{part}")) for part in charts.PART_ROLES)
        spec = charts.memory_chart(len(METHODS), t.plain("memory.size"), t.plain("memory.model"), words, page.language)
        totals = {name: float(data.loc[data["method"] == word, "GB"].sum()) for name, word in names.items()}
        draw(page, "memory", spec, data, t.plain("memory.alt", **totals))
        panels.download(page, "memory", lambda: data)


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
live()
memory()
for name in ("myth", "judge"):
    panels.myth_fact(page, name)
panels.source(page, losses.group_advantages, losses.clipped_loss, losses.kl_estimate, losses.grpo_loss, one_update)
panels.sources(page)
