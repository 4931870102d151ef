"""Page: a cache in blocks. Why forgetting most tokens frees almost no memory, and what compaction and sharing change."""

import streamlit as st

from core.charts import paged_cache as charts
from core.costs.paging import blocks_for, freed_chance, shared_blocks
from core.kv_cache.blocks import BlockTable
from core.kv_cache.paged import PagedCache
from core.measure.compaction import read_with_budget
from core.measure.eviction import ORDERS, eviction_ranks
from core.ui import controls, paged, panels
from core.ui.charts import draw
from core.ui.frame import fragment, require
from core.ui.live_slider import live_slider, selector
from core.ui.token_strip import Token, token_strip

BLOCK = 16
ROOMS = (512, 1024, 2048, 4096)
PRESETS = {
    "default": {"order": "random", "evicted": 90.0, "compact": False, "shared": False},
    "random": {},
    "attention": {"order": "attention"},
    "heads": {"order": "heads"},
    "compacted": {"compact": True},
    "prefix": {"shared": True, "evicted": 0.0},
    "both": {"shared": True},
}

page = require("paged_cache")
t, lm = page.t, page.lm
label = lm.tokenizer.label


@fragment
def guess(asked):
    def answer():
        found = paged.evict(lm, asked, "random", 0.9)
        return "few" if found.freed < found.used / 3 else "half", {"freed": found.freed, "blocks": found.used, "theory": 0.9**BLOCK}

    panels.predict(page, ("most", "half", "few"), answer)


@fragment
def pool(asked):
    with panels.panel(page, "pool", "live"):
        order = controls.segmented(page, "order", ORDERS, "random")
        with st.container(horizontal=True, gap="medium"):
            compact, shared = controls.toggle(page, "compact"), controls.toggle(page, "shared")
        share = live_slider(page, "evicted", 0, 99, 90, 1, every_step=True) / 100
        found = paged.evict(lm, asked, order, share, shared, compact)
        names = [lm.tokenizer.labels(ids) for ids in asked.ids]
        data = charts.pool_data(found.before, found.after, found.pool, names, paged.COLUMNS)
        titles = t.words("pool", "block", "token", "position", *charts.OWNERS, "reused", "dropped", "computed")
        n, alone, values = sum(asked.lengths), sum(map(blocks_for, asked.lengths)), found.numbers
        values |= {"share": share, "order": t.plain(f"order.options.{order}"), "n": n, "tokens": n - found.gone}
        values |= {"theory": share ** (BLOCK * found.lists), "alone": alone, "saved": alone - found.used, "prefix": asked.prefix}
        spec = charts.pool_chart(paged.COLUMNS, found.pool.n_blocks // paged.COLUMNS, page.language, **titles)
        draw(page, "pool", spec, data, t.plain("pool.alt", **values))
        st.markdown(t("result.packed" if compact else f"result.{order}", **values))
        if compact:
            st.markdown(t("result.compact", **values))
        if shared:
            st.markdown(t("result.shared", planned=shared_blocks(asked.prefix, asked.lengths), **values))
        panels.download(page, "pool", lambda: data.drop(columns=["x0", "x1", "y0", "y1"]))
    panels.takeaway(page, **values)


@fragment
def freed(asked):
    with panels.panel(page, "freed", "live"):
        found, names = paged.curves(lm, asked), t.words("names", *charts.FREED)
        data, titles = charts.curve_data(found, names), t.words("freed", "gone", "value")
        spec = charts.curve_chart(tuple(names.values()), tuple(names.values()), page.language, selector(page, "evicted"), **titles)
        at = {name: dict(points)[90] for name, points in found.items()}
        draw(page, "freed", spec, data, t.plain("freed.alt", **at))
        st.markdown(t("freed.result", exact=freed_chance(14_000, 16_000), **at))
        panels.download(page, "freed", lambda: data)


@fragment
def lost(ids):
    with panels.panel(page, "lost", "live"):
        found, names = paged.answers(lm, ids), t.words("names", *charts.FREED)
        data, titles = charts.curve_data(found, names), t.words("lost", "gone", "value")
        shown = tuple(names[order] for order in found)
        spec = charts.curve_chart(tuple(names.values()), shown, page.language, selector(page, "evicted"), **titles)
        values = {f"{name}_{share}": value for name, points in found.items() for share, value in points}
        draw(page, "lost", spec, data, t.plain("lost.alt", **values))
        st.markdown(t("lost.result", **values))
        panels.download(page, "lost", lambda: data)


@fragment
def time(ids):
    with panels.panel(page, "time", "live"):
        with st.container(horizontal=True, gap="medium"):
            every = controls.segmented(page, "every", (32, 64, 128), 128)
            budget = controls.segmented(page, "budget", (16, 32), 32)
        points, numbers = paged.cut_down(lm, ids, every, budget)
        data, values = charts.time_data(points), numbers | {"every": every, "budget": budget, "n": len(ids)}
        titles = t.words("time", "tokens", "blocks", "dropped", "paged", "computed")
        draw(page, "time", charts.time_chart(page.language, **titles), data, t.plain("time.alt", **values))
        st.markdown(t("time.result" if len(ids) >= every else "time.short", **values))
        panels.download(page, "time", lambda: data)


@fragment
def reserved(asked):
    with panels.panel(page, "reserved", "arithmetic"):
        room = controls.segmented(page, "room", ROOMS, 1024)
        n, ways = asked.lengths, t.words("reserved", "piece", "pages")
        blocks = [BLOCK * blocks_for(length) for length in n]
        data = charts.reserved_data(n, {ways["piece"]: [max(room, length) for length in n], ways["pages"]: blocks})
        values = {"room": room, "n": sum(n), "all": 4 * room, "share": sum(n) / (4 * room), "paged": sum(n) / sum(blocks)}
        values |= {"slots": sum(blocks), "fit": 4 * room // (sum(blocks) // 4)}
        spec = charts.reserved_chart(tuple(ways.values()), page.language, **t.words("reserved", "slots", "paged", "dropped"))
        draw(page, "reserved", spec, data, t.plain("reserved.alt", **values))
        st.markdown(t("reserved.result", **values))
        panels.download(page, "reserved", lambda: data)


@fragment
def hidden(ids):
    with panels.panel(page, "hidden", "live"):
        strip = [Token(label(i), value=place) for i, place in zip(ids, paged.attention_places(lm, ids))]
        token_strip(page, "hidden", strip, t.plain("hidden.strip"))
        st.markdown(t("hidden.result", **paged.seen_weights(lm, ids)))


above = st.container()
controls.presets(page, PRESETS)
ids = controls.prompt(page, max_tokens=320, min_tokens=8)
asked = paged.requests(page, ids)
with above:
    guess(asked)
pool(asked)
freed(asked)
lost(asked.ids[0])
time(asked.ids[0])
reserved(asked)
hidden(asked.ids[0])
panels.myth_fact(page)
panels.myth_fact(page, "notes")
panels.source(page, BlockTable.drop, BlockTable.compact, BlockTable.extend, PagedCache.fork, eviction_ranks, read_with_budget)
panels.sources(page)
