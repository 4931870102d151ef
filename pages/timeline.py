"""Timeline: what was claimed from 2017 on, how well each claim is supported, and which figures can be worked out again."""

import pandas as pd
import streamlit as st

from core.charts.theme import of_height
from core.charts.timeline import ROW, timeline_chart, timeline_data
from core.history import BADGES, CHECKS, TOPICS, chosen, events
from core.history.recomputed import tokens_per_parameter, tokens_per_round, win_rate
from core.ui import controls, panels
from core.ui.charts import draw, seen_first
from core.ui.frame import fragment, require, sections

FIRST, LAST = 2017, 2027
FIRM = BADGES[:3]  # proved, reproduced, measured
PRESETS = {
    "default": {"topic": "all", "badges": list(BADGES)},
    "firm": {"badges": ["proved", "reproduced"]},
    "efficiency": {"topic": "context"},
    "reasoning": {"topic": "reasoning"},
}

page = require("timeline")
t = page.t
BADGE_WORDS = {badge: t.plain(f"badges.options.{badge}") for badge in BADGES}


@fragment
def guess():
    everything = chosen(BADGES)
    panels.predict(
        page,
        ("exact", "bigger", "million"),
        lambda: ("exact", {"n": len(everything), "proved": len(chosen(["proved"]))}),
    )


@fragment
def experiment():
    topic = controls.segmented(page, "topic", ["all", *TOPICS], "all")
    badges = controls.several(page, "badges", list(BADGES), BADGES)
    found = chosen(badges, topic)
    if not found:
        st.info(t("line.none"), icon=":material/filter_alt:")
        return
    names = [event.name for event in found]
    if st.session_state.get(page.key("event")) not in names:
        st.session_state.pop(page.key("event"), None)
    staircase(found, events()[controls.seeded(page, "event", names, names[-1])])
    seen_first()
    read(events()[controls.select(page, "event", names, names[-1])])
    made = [check for event in found for check in CHECKS.get(event.name, ()) if check.published is not None]
    agree = sum(check.agrees() for check in made)
    firm = sum(event.badge in FIRM for event in found) / len(found)
    told = "takeaway" if made else "takeaway_unchecked"
    panels.takeaway(page, told, n=len(found), firm=firm, weak=1 - firm, checks=len(made), agree=agree)


def staircase(found, opened):
    with panels.panel(page, "line", "recorded"):
        titles = {event.name: t.plain(f"event.options.{event.name}") for event in found}
        words = {name: t.plain(f"line.{name}") for name in ("date", "claim", "support")}
        data = timeline_data(found, titles, BADGE_WORDS, opened.name)
        spec = of_height(timeline_chart(FIRST, LAST, language=page.language, **words, **BADGE_WORDS), len(found), ROW)
        about = {"n": len(found), "first": str(found[0].date.year), "last": str(found[-1].date.year)}
        firm = sum(event.badge in FIRM for event in found)
        alt = t.plain("line.alt", topics=len({event.topic for event in found}), firm=firm, **about)
        draw(page, "line", spec, data, alt, lambda row: controls.set_value(page, "event", row["name"]))
        panels.download(page, "line", lambda: data.assign(source=[e.source for e in found], url=[e.url for e in found]))


def read(event):
    """One claim: what it says, how well it is supported, how to read it, where to try it."""
    with st.container(border=True):
        st.markdown(f"##### {t(f'event.options.{event.name}')} · {event.date:%m/%Y}")
        st.markdown(t(f"events.{event.name}.claim"))
        st.markdown(f":material/verified: **{t(f'badges.options.{event.badge}')}.** {t(f'support.{event.badge}')}")
        st.markdown(f":material/lightbulb: {t(f'events.{event.name}.note')}")
        if event.name in CHECKS:
            recomputed(event)
        st.caption(t("source", name=event.source, url=event.url))
        if any(event.lab == stem for entries in sections().values() for stem, _ in entries):
            link = t("to_lab", lab=t.plain(f"pages.{event.lab}.title"))
            st.page_link(f"pages/{event.lab}.py", label=link, icon=":material/science:")


def recomputed(event):
    with panels.panel(page, "checks", "arithmetic"):
        rows = [
            {
                "figure": t.plain(f"checks.{check.name}"),
                "published": "–" if check.published is None else t.number(check.published, check.format),
                "computed": t.number(check.compute(), check.format),
                "verdict": t.plain("checks." + ("follows" if check.published is None else "yes" if check.agrees() else "no")),
            }
            for check in CHECKS[event.name]
        ]
        panels.table(page, "checks", pd.DataFrame(rows))


above = st.container()
controls.presets(page, PRESETS)
with above:
    guess()
experiment()
panels.myth_fact(page, n=len(events()), measured=len(chosen(["measured"])))
panels.source(page, win_rate, tokens_per_round, tokens_per_parameter)
panels.sources(page)
