"""Post-training: from a text predictor to one that answers, by demonstrations, preferences and rewards."""

import streamlit as st

from core.charts import post_training as charts
from core.costs.post_training import METHODS, held
from core.rl import losses
from core.rl.answers import short
from core.rl.family import STAGES
from core.rl.group import one_update
from core.rl.rewards import REWARDS
from core.rl.trend import trend
from core.ui import controls, panels, reckoner
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require, run_again
from core.ui.learning_views import before_and_after, recorded
from core.ui.live_slider import live_slider

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
t = page.t
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
def experiment(reward):
    with panels.panel(page, "group", "live"):
        left, right = st.columns(2, gap="medium")
        with left:
            problem, question = reckoner.asked(page)
        with right:
            stage = controls.select(page, "stage", STAGES, "tuned")
            size = controls.slider(page, "size", 4, reckoner.MOST_GROUP, 8)
        st.button(t("group.again"), key=page.key("again"), icon=":material/casino:", on_click=reckoner.draw_again, args=(page,))
        found = reckoner.group(stage, problem, question, size, reward, reckoner.seed_of(page))
        right = [one.right for one in found.readings]
        data = charts.group_data([short(text) for text in found.texts], right, found.rewards, found.advantages, found.before, found.after)
        words = t.words("group", "answer", "reward", "advantage", "before", "after", "up", "down")
        spec = charts.group_chart(**words, language=page.language)
        counted = {"right": sum(right), "n": len(right), "question": question, "solution": problem.answer}
        st.caption(t("group.asked", **counted))
        draw(page, "answers", spec, data, t.plain("group.alt", **counted))
        seen_first()
        formatted = sum(one.formatted for one in found.readings) / len(right)
        numbers = {"paid": float(data["reward"].mean()), "moved": found.kl, "formatted": formatted}
        panels.metrics(page, numbers, {"paid": ".2f", "moved": ".4f", "formatted": ".0%"})
        if data["advantage"].abs().max() == 0:
            st.markdown(t("group.equal"))
        panels.download(page, "group", lambda: data)
    panels.takeaway(page, start=accuracy["tuned"]["right"], end=accuracy["grpo"]["mean"], **counted)


@fragment
def live(reward):
    with panels.panel(page, "live", "live"):
        run = reckoner.live_run(page)
        if run:
            run.step()
        running = bool(run and run.running)
        with st.container(horizontal=True):
            start = {"on_click": reckoner.start_run, "icon": ":material/play_arrow:", "type": "primary", "disabled": running}
            st.button(t("live.start"), key=page.key("start"), args=(page, reward), **start)
            st.button(
                t("live.stop"), key=page.key("stop"), icon=":material/stop:", on_click=reckoner.stop_run, args=(page,), disabled=not running
            )
        if run:
            most = reckoner.MOST_PAID[run.reward]
            data = charts.run_data(run.updates, most)
            words = t.words("live", "update", "right", "thought") | {"reward": t.plain("live.reward", most=most)}
            spec = charts.run_chart(reckoner.LIVE.updates, **words, language=page.language)
            draw(page, "live", spec, data, t.plain("live.alt", n=len(run.updates), reward=run.updates[-1].reward))
            last = run.updates[-1]
            numbers = {"live_right": last.right, "live_thought": last.thought, "live_kl": last.kl}
            panels.metrics(page, numbers, {"live_right": ".0%", "live_thought": ".0%", "live_kl": ".3f"})
            found = trend([update.reward for update in run.updates])
            if found:
                st.markdown(t("live.rises" if found.clear else "live.noise", first=found.first, last=found.last, half=found.half))
            panels.download(page, "live", lambda: data)
            if running:
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
reward = controls.segmented(page, "reward", list(REWARDS), "rules")
experiment(reward)
fragment(recorded)(page, reward)
live(reward)
before_and_after(page)
memory()
for name in ("myth", "judge"):
    panels.myth_fact(page, name)
panels.source(page, losses.group_advantages, losses.clipped_loss, losses.kl_estimate, losses.grpo_loss, one_update)
panels.sources(page)
