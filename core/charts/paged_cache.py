"""Charts of the paged cache page: the pool of blocks, blocks freed, blocks over time, memory reserved."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from core.charts.theme import finish, role_color, spec
from core.kv_cache.blocks import BlockPool, BlockTable

OWNERS = ("paged", "second", "third", "fourth")  # the viewer's request first
SIDE = 4  # slots a side of a block
STEP = SIDE + 0.7  # from one block to the next
FREED = ("compact", "attention", "theory", "random", "heads")  # in the order of the theme's colours; theory is grey


def pool_data(before: Sequence[BlockTable], after: Sequence[BlockTable], pool: BlockPool, labels, columns: int) -> pd.DataFrame:
    """Blocks of the pool and their slots, placed in slots: kind "block" with state free, freed or held; kind "slot" with role.

    labels: for every request the names of its tokens. A slot that several requests hold has the role "reused".
    """
    was = [_occupied(table) for table in before]
    now = [_occupied(table) for table in after]
    holes = {place for table in after for place in _holes(table)}
    held_before = {block for table in before for block in table.table}
    rows = []
    for block in range(pool.n_blocks):
        x, y = block % columns * STEP, block // columns * STEP
        state = "held" if pool.holders[block] else "freed" if block in held_before else "free"
        rows.append(("block", x, x + SIDE, y, y + SIDE, state, block + 1, None, None))
        for slot in range(pool.block_size if pool.holders[block] else 0):
            place = block * pool.block_size + slot
            holders = [i for i, occupied in enumerate(now) if place in occupied]
            if not holders and place not in holes:
                continue  # never filled, or free again after the survivors moved
            role = "dropped" if not holders else "reused" if len(holders) > 1 else OWNERS[holders[0]]
            owner = next((i for i, occupied in enumerate(now if holders else was) if place in occupied))
            position = (now if holders else was)[owner][place]
            dx, dy = slot % SIDE, slot // SIDE
            rows.append(("slot", x + dx, x + dx + 1, y + dy, y + dy + 1, role, block + 1, labels[owner][position][:12], position + 1))
    return pd.DataFrame(rows, columns=["kind", "x0", "x1", "y0", "y1", "role", "block", "token", "position"])


def _occupied(table: BlockTable) -> dict[int, int]:
    """Place in the pool -> original position."""
    return dict(zip(table.places(), table.positions()))


def _holes(table: BlockTable) -> list[int]:
    """Places in the pool whose token was dropped while its block stayed."""
    size = table.pool.block_size
    return [block * size + i for block, slots in zip(table.table, table.slots) for i, position in enumerate(slots) if position is None]


@spec
def pool_chart(columns: int, rows: int, language: str = "en", **words: str):
    """The pool of `pool_data`: full squares are blocks in use, framed orange those that came back, thin ones were free.

    `words`: block, token, position, and those of the roles: paged, second, third, fourth, reused, dropped, computed (freed).
    """
    width, height = (columns - 1) * STEP + SIDE, (rows - 1) * STEP + SIDE
    place = {
        "x": alt.X("x0:Q", scale=alt.Scale(domain=[-0.3, width + 0.3], nice=False), axis=None), "x2": "x1:Q",
        "y": alt.Y("y0:Q", scale=alt.Scale(domain=[height + 0.3, -0.3], nice=False), axis=None), "y2": "y1:Q",
    }  # fmt: skip
    tooltip = [alt.Tooltip(f"{field}:N", title=words[field]) for field in ("block", "token", "position")]
    blocks = alt.Chart().transform_filter("datum.kind == 'block'")
    frames = blocks.transform_filter("datum.role != 'freed'").mark_rect(fillOpacity=0, stroke="currentColor", strokeOpacity=0.25)
    slots = alt.Chart().transform_filter("datum.kind == 'slot'").mark_rect(stroke="transparent", strokeWidth=1.5)
    labels = {role: words[role] for role in (*OWNERS, "reused", "dropped", "computed")}
    color = role_color(labels=labels, extra=OWNERS[1:], columns=2)
    slots = slots.encode(color=color, tooltip=tooltip, **place)
    back = blocks.transform_filter("datum.role == 'freed'").transform_calculate(role="'computed'")
    back = back.encode(color=color, tooltip=tooltip[:1], **place)
    layers = [frames.encode(**place), slots, back.mark_rect(opacity=0.18), back.mark_rect(filled=False, strokeWidth=2.5)]
    return finish(alt.layer(*layers), language, height=95 + 70 * rows)


def curve_data(found: Mapping[str, Sequence[tuple[int, float]]], names: Mapping[str, str]) -> pd.DataFrame:
    """series, gone and value, both shares."""
    rows = [(names[name], share / 100, value) for name, points in found.items() for share, value in points]
    return pd.DataFrame(rows, columns=["series", "gone", "value"])


@spec
def curve_chart(names: tuple[str, ...], shown: tuple[str, ...], language: str = "en", follow: str = "", **words: str):
    """Shares against the share evicted, a line a series: `names` are the words of FREED, in its order, `shown` those there are.

    A vertical line stands where the slider (in percent) that the CSS selector `follow` names stands. `words`: gone, value.
    """
    axis = alt.Axis(format=".0%", tickCount=5, gridOpacity=0.5)
    across = alt.Axis(format=".0%", grid=False, tickCount=5)
    x = alt.X("gone:Q", title=words["gone"], scale=alt.Scale(domain=[0, 1], nice=False), axis=across)
    y = alt.Y("value:Q", title=words["value"], scale=alt.Scale(domain=[0, 1.02], nice=False), axis=axis)
    legend = alt.Legend(title=None, orient="top", columns=2, labelLimit=0, symbolType="square", values=list(shown))
    color = alt.Color("series:N", scale=alt.Scale(domain=list(names)), legend=legend)
    tooltip = [alt.Tooltip("series:N", title=" "), alt.Tooltip("gone:Q", title=words["gone"], format=".0%"),
               alt.Tooltip("value:Q", title=words["value"], format=".1%")]  # fmt: skip
    base, drawn = alt.Chart().encode(x=x, y=y, color=color, tooltip=tooltip), f"datum.series == {names[FREED.index('theory')]!r}"
    lines = base.transform_filter(f"!({drawn})").mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=40))
    theory = base.transform_filter(drawn).mark_line(strokeWidth=3, strokeDash=[5, 4])
    here = alt.Chart().transform_aggregate(n="count()").transform_filter("isValid(toNumber(slider))")
    here = here.transform_calculate(gone="toNumber(slider) / 100").mark_rule(strokeWidth=2, strokeDash=[6, 4], stroke="currentColor")
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    return finish(alt.layer(theory, lines, here.encode(x=x)).add_params(alt.param(name="slider", value=None, **bind)), language, height=320)


def time_data(points: Mapping[str, Sequence[tuple[int, int, int]]]) -> pd.DataFrame:
    """role, tokens, blocks in the order they came (i)."""
    rows = [(role, i, tokens, blocks) for role, some in points.items() for i, (tokens, _, blocks) in enumerate(some)]
    return pd.DataFrame(rows, columns=["role", "i", "tokens", "blocks"])


@spec
def time_chart(language: str = "en", **words: str):
    """Blocks held while a text is read (`time_data`). `words`: tokens, blocks, and those of the roles dropped, paged, computed."""
    chart = alt.Chart().mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=40)).encode(
        x=alt.X("tokens:Q", title=words["tokens"], scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickMinStep=1)),
        y=alt.Y("blocks:Q", title=words["blocks"], axis=alt.Axis(tickMinStep=1, tickCount=5, gridOpacity=0.5)),
        color=role_color(labels={role: words[role] for role in ("dropped", "paged", "computed")}, columns=1),
        order="i:Q",
        tooltip=[alt.Tooltip("tokens:Q", title=words["tokens"]), alt.Tooltip("blocks:Q", title=words["blocks"])],
    )  # fmt: skip
    return finish(chart, language, height=330)


def reserved_data(lengths: Sequence[int], rooms: Mapping[str, Sequence[int]]) -> pd.DataFrame:
    """way, role, slots: what the requests use of the slots that each way keeps for them."""
    rows, used = [], sum(lengths)
    for way, room in rooms.items():
        rows += [(way, "paged", used), (way, "dropped", sum(room) - used)]
    return pd.DataFrame(rows, columns=["way", "role", "slots"])


@spec
def reserved_chart(ways: tuple[str, ...], language: str = "en", **words: str):
    """Stacked bars of `reserved_data`. `words`: slots, and those of the roles paged (used) and dropped (reserved in vain)."""
    chart = alt.Chart().mark_bar(size=30).encode(
        x=alt.X("slots:Q", title=words["slots"], scale=alt.Scale(nice=False), axis=alt.Axis(tickCount=5, gridOpacity=0.4)),
        y=alt.Y("way:N", sort=list(ways), title=None, axis=alt.Axis(labelLimit=150, labelFontSize=13)),
        color=role_color(labels={"paged": words["paged"], "dropped": words["dropped"]}),
        order=alt.Order("role:N", sort="descending"),
        tooltip=[alt.Tooltip("way:N", title=" "), alt.Tooltip("slots:Q", title=words["slots"], format=",")],
    )  # fmt: skip
    return finish(chart, language, height=70 * len(ways) + 90)
