"""Thinking longer: written steps, votes, verifiers and revisions, and what they cost in tokens."""

import streamlit as st

from core.charts import test_time as charts
from core.rl import voting
from core.rl.answers import short
from core.rl.thinking import revise
from core.ui import controls, panels, reckoner
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider

SIZES = (1, 2, 4, 8, 16, 32, 64)
PRESETS = {
    "default": {"stage": "tuned", "way": "steps", "votes": 16, "temperature": 1.0},
    "helps": {},
    "mode": {"votes": 64},
    "direct": {"way": "direct", "votes": 64},
    "trained": {"stage": "grpo", "votes": 64},
    "hot": {"votes": 64, "temperature": 2.0},
}

page = require("test_time")
t = page.t


@fragment
def guess():
    def answer():
        problem, question = reckoner.problem_of(t.plain("predict.problem"), page.language)
        found = reckoner.tried("tuned", problem, question, "steps", 1.0, 0)
        chances = reckoner.odds(found, problem.answer, SIZES)["vote"]
        right = "rises" if chances[-1] > chances[0] + 0.05 else "falls" if chances[-1] < chances[0] - 0.05 else "same"
        return right, {"one": chances[0], "many": chances[-1], "winner": str(voting.vote(found.values[0]))}

    panels.predict(page, ("rises", "same", "falls"), answer)


@fragment
def experiment(stage):
    with panels.panel(page, "votes", "live"):
        left, right = st.columns(2, gap="medium")
        with left:
            problem, question = reckoner.asked(page)
            temperature = controls.slider(page, "temperature", 0.2, 2.0, 1.0, 0.2)
        with right:
            way = controls.segmented(page, "way", ["steps", "direct"], "steps")
        votes = int(live_slider(page, "votes", 1, reckoner.MOST, 16, 1, every_step=True))
        found = reckoner.tried(stage, problem, question, way, temperature, reckoner.seed_of(page))
        values, none = found.values[0, :votes].tolist(), voting.NONE
        data = charts.vote_data(values, problem.answer, none, t.plain("votes.others"), t.plain("votes.none"))
        spec = charts.vote_chart(**t.words("votes", "answer", "votes", "share", "right", "wrong"), language=page.language)
        winner = voting.vote(values)
        said = {
            "n": votes,
            "question": question,
            "winner": t.plain("votes.none") if winner == none else str(winner),
            "solution": problem.answer,
        }
        draw(page, "votes", spec, data, t.plain("votes.alt", **said))
        seen_first()
        numbers = {"share": float(found.right.mean()), "spent": int(found.tokens[0, :votes].sum()), "one": float(found.tokens.mean())}
        panels.metrics(page, numbers, {"share": ".0%", "spent": ",d", "one": ".1f"})
        st.markdown(t("votes.won" if winner == problem.answer else "votes.lost", **said))
        st.caption(t("votes.samples", samples="  |  ".join(short(text) for text in found.texts[:4])))
        st.button(t("votes.again"), key=page.key("again"), icon=":material/casino:", on_click=reckoner.draw_again, args=(page,))
        panels.download(page, "votes", lambda: data)
    chances = odds(found, problem)
    revision(stage, problem, question, temperature)
    panels.takeaway(page, **said, first=chances["vote"][0], last=chances["vote"][-1], checked=chances["verifier"][-1])


def odds(found, problem):
    with panels.panel(page, "odds", "live"):
        chances = reckoner.odds(found, problem.answer, SIZES)
        data = charts.odds_data(SIZES, **chances)
        spec = charts.odds_chart(**t.words("odds", "answers", "share", "vote", "verifier", "ideal"), language=page.language)
        draw(page, "odds", spec, data, t.plain("odds.alt", first=chances["vote"][0], last=chances["vote"][-1]))
        share = float(found.right.mean())
        st.markdown(t(f"odds.{voting.prospect(share, chances['vote'][-1])}", share=share))
        panels.download(page, "odds", lambda: data)
    return chances


def revision(stage, problem, question, temperature):
    with panels.panel(page, "revision", "live"):
        chain = reckoner.revisions(stage, problem, question, temperature, reckoner.seed_of(page))
        table = reckoner.versions(chain)
        panels.table(page, "revision", table)
        changes = int((table["answer"] != table["answer"].shift()).sum()) - 1
        st.markdown(t("revision.result", n=len(chain) - 1, changes=changes, tokens=int(table["tokens"].sum())))


@fragment
def spent(stage):
    with panels.panel(page, "spent", "recorded"):
        rows, recorded = reckoner.thinking()
        ways = {way: t.plain(f"way.options.{way}") for way in ("steps", "direct")}
        data = charts.spent_data(rows, stage, ways)
        words = tuple((role, t.plain(f"spent.{method}")) for method, role in charts.METHOD_ROLES.items())
        spec = charts.spent_chart(
            *(t.plain(f"spent.{name}") for name in ("tokens", "accuracy", "way")), words, *ways.values(), page.language
        )
        at = data.set_index(["method", "way", "n"])["accuracy"]
        values = {method: float(at[method, "steps", 64]) for method in charts.METHOD_ROLES}
        values |= {
            "n": recorded["problems"],
            "few": float(at["reward_model", "steps", 2]),
            "one": float(at["vote", "steps", 1]),
            "direct": float(at["vote", "direct", 1]),
        }
        values |= reckoner.vote_interval(stage)
        draw(page, "spent", spec, data, t.plain("spent.alt", **values))
        st.markdown(t("spent.result", **values))
        panels.download(page, "spent", lambda: data)


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
stage = controls.segmented(page, "stage", ["tuned", "grpo"], "tuned")
experiment(stage)
spent(stage)
with st.container(border=True):
    st.subheader(t("figures.title"), anchor=False)
    st.markdown(t("figures.list"))
for name in ("myth", "guarantee", "elo"):
    panels.myth_fact(page, name)
panels.source(page, voting.vote, voting.majority_probability, voting.vote_accuracy, voting.any_right, revise)
panels.sources(page)
