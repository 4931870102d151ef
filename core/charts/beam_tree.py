"""Charts of the beam search lab: the tree, what its width costs, and how likely the written words are."""

import math
from collections.abc import Callable, Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, role_color, spec
from core.decoding import BeamTree

COLUMN, ROW = 86, 37  # pixels a step and a line of the tree
ANY_ROWS = [-1, -2]  # where `beam_tree_chart` puts the lines that a tree has
LONGEST = 9  # signs of a token that fit into its box
ROOT = -1  # the prompt, as a parent in `shown_children` and `tidy`
FAMILY = 1.3  # distance of neighbours with different parents, in lines
HALF = 0.41  # half a box, in columns


def shown_children(tree: BeamTree, pruned: int) -> dict[int, list[int]]:
    """Node -> its children to draw, likeliest first: all that were kept and the `pruned` likeliest that were not."""
    children: dict[int, list[int]] = {}
    for index, node in enumerate(tree.nodes):
        children.setdefault(ROOT if node.parent is None else node.parent, []).append(index)
    for parent, nodes in children.items():
        nodes.sort(key=lambda index: -tree.nodes[index].total)
        cut = [index for index in nodes if not tree.nodes[index].kept][pruned:]
        children[parent] = [index for index in nodes if index not in cut]
    return children


def tidy(children: dict[int, list[int]], heavy: Callable[[int], bool] = lambda node: True) -> dict[int, float]:
    """Heights of all nodes: branches never cross, siblings are at least 1 apart and families FAMILY, no column is loose.

    Siblings stay together and in their order, so edges cannot cross; within that order every node moves as
    close to its parent and its `heavy` children as its neighbours let it, column by column, back and forth.
    The whole is as high as its fullest column.
    """
    columns, parent = [[ROOT]], {child: node for node, own in children.items() for child in own}
    while below := [child for node in columns[-1] for child in children.get(node, [])]:
        columns.append(below)
    stacks = [np.cumsum([0.0] + [1.0 if parent[a] == parent[b] else FAMILY for a, b in zip(column, column[1:])]) for column in columns]
    height = max(stack[-1] for stack in stacks)
    heights = {node: float(y) for column, stack in zip(columns, stacks) for node, y in zip(column, stack + (height - stack[-1]) / 2)}
    near = {node: [parent[node]] if node in parent else [] for node in heights}  # whom a node wants to be close to
    for child, node in parent.items():
        if child in heights and heavy(child):
            near[node].append(child)
    order = list(zip(columns, stacks))
    for sweep in range(8):
        for column, stack in order[::-1] if sweep % 2 == 0 else order:
            wanted = [np.mean([heights[other] for other in near[node] or [node]]) for node in column]
            heights |= zip(column, _apart(wanted, [3.0 if len(near[node]) > 1 else 1.0 for node in column], stack, height))
    return heights


def _apart(wanted: Sequence[float], weights: Sequence[float], stack: Sequence[float], height: float) -> list[float]:
    """The heights in 0..height closest to `wanted` (weighted squares), at least as far apart as those of `stack`.

    Pool adjacent violators: neighbours that would come too close form a group, which sits at its mean.
    """
    groups: list[tuple[float, float, int]] = []  # mean distance from the stack, weight, members
    for y, weight, place in zip(wanted, weights, stack):
        groups.append((y - place, weight, 1))
        while len(groups) > 1 and groups[-2][0] > groups[-1][0]:
            (a, n, left), (b, m, right) = groups[-2:]
            groups[-2:] = [((a * n + b * m) / (n + m), n + m, left + right)]
    shifts = [min(max(mean, 0.0), height - stack[-1]) for mean, _, members in groups for _ in range(members)]
    return [float(place + shift) for place, shift in zip(stack, shifts)]


def layout(tree: BeamTree, pruned: int) -> dict[int, float]:
    """Where the whole tree's nodes stand, with at most `pruned` cut-off siblings a branch: node (or ROOT) -> height.

    In the middle of its `lines`.
    """
    heights = tidy(shown_children(tree, pruned), lambda index: tree.nodes[index].kept)
    above = (lines(heights) - 1 - max(heights.values())) / 2
    return {node: y + above for node, y in heights.items()}


def lines(heights: dict[int, float]) -> int:
    """Lines that a layout takes when drawn, in fours: a chart of another height is built anew, and all below it moves."""
    return 4 * int(np.ceil((max(heights.values()) + 1) / 4))


def leader(tree: BeamTree, step: int, length_penalty: float) -> int:
    """The last node of the branch that leads after `step` steps: kept there, or finished before."""
    kept = [index for index, node in enumerate(tree.nodes) if node.step == step and node.kept]
    going_on = {index: tree.nodes[index].total / step**length_penalty for index in kept}
    finished = {h.node: h.score for h in tree.hypotheses if tree.nodes[h.node].step <= step}
    scores = finished if finished and step >= last_step(tree) else going_on | finished
    return max(scores, key=scores.get)


def last_step(tree: BeamTree) -> int:
    """Steps the search took."""
    return tree.nodes[-1].step


def beam_tree_data(
    tree: BeamTree,
    heights: dict[int, float],
    now: int,
    label: Callable[[int], str],
    greedy: Sequence[int],
    length_penalty: float,
    root: str,
) -> pd.DataFrame:
    """All steps of the tree at once, drawn where its `layout` says: growing, nothing moves.

    One row a node: x, y, `start` (the height of its parent), token, step, share, logprob, total, text, greedy. `lives` is
    the last step at which the branch still goes on, `leads` are the steps at which it leads, as ",2,3,". `now` is the
    step that the server knows; `state` is the node's there.
    """
    nodes, last = tree.nodes, last_step(tree)
    lives = {index: node.step for index, node in enumerate(nodes) if node.kept}
    for end, step in [*lives.items(), *((h.node, last) for h in tree.hypotheses)]:
        for index in tree.branch(end):
            lives[index] = max(lives[index], step)
    leads: dict[int, str] = {}
    for step in range(1, last + 1):
        for index in tree.branch(leader(tree, step, length_penalty)):
            leads[index] = f"{leads.get(index, ',')}{step},"
    texts: dict[int | None, str] = {None: ""}
    greedy_path: set[int | None] = {None}
    top = {"node": ROOT, "step": 0, "lives": last, "leads": "", "greedy": False, "x": 0.0, "y": heights[ROOT], "start": heights[ROOT]}
    rows = [top | {"token": root, "state": "prompt"}]
    for index, node in enumerate(nodes):
        if index not in heights:
            continue
        name = label(node.token)
        texts[index] = texts[node.parent] + name
        if node.parent in greedy_path and node.step <= len(greedy) and greedy[node.step - 1] == node.token:
            greedy_path.add(index)
        row = {"node": index, "step": node.step, "lives": lives.get(index, 0), "leads": leads.get(index, "")}
        row |= {"x": float(node.step), "y": heights[index], "start": heights[ROOT if node.parent is None else node.parent]}
        row |= {"greedy": index in greedy_path, "token": name, "share": math.exp(node.logprob)}
        row |= {"logprob": node.logprob, "total": node.total}
        rows.append(row | {"text": texts[index].replace("␣", " "), "state": _state(row, now)})
    return pd.DataFrame(rows).assign(now=now).astype({count: np.int16 for count in ("node", "step", "lives", "now")})


def _state(node: dict, now: int) -> str:
    if f",{now}," in node["leads"]:
        return "leads"
    return "later" if node["step"] > now else "alive" if node["lives"] >= now else "died" if node["lives"] else "pruned"


def beam_tree_chart(steps: int, rows: int, language: str = "en", follow: str = "", **words: str) -> dict:
    """Boxes and lines of `beam_tree_data` for a tree of `steps` columns and `rows` lines.

    Orange: the branch that leads; grey and faint: cut off; lines as wide as the token is likely; dashed:
    greedy's way. The tree grows with the slider on the page that the CSS selector `follow` names, in the
    browser. `words`: leads, alive, dropped, step, token, share, logprob, total, text.
    """
    return _of_rows(_any_tree(steps, language, follow, **words), rows) | {"height": ROW * rows + 52}  # a legend and the steps above


def _of_rows(part, rows: int):
    """A spec with room for `rows` lines: to build it anew for each number takes an eighth of a second."""
    if isinstance(part, list):
        return [_of_rows(p, rows) for p in part]
    if not isinstance(part, dict):
        return part
    return {key: [-0.6, rows - 0.4] if value == ANY_ROWS else _of_rows(value, rows) for key, value in part.items()}


@spec
def _any_tree(steps: int, language: str, follow: str, **words: str):
    x_scale = alt.Scale(domain=[-0.5, steps + 0.5], nice=False, zero=False)
    y_scale = alt.Scale(domain=ANY_ROWS, nice=False, zero=False, reverse=True)
    step_words = f"'{words['step']} ' + datum.label"
    axis = alt.Axis(orient="top", values=list(range(1, steps + 1)), format="d", grid=False, title=None, labelExpr=step_words)
    x, y = alt.X("x:Q", scale=x_scale, axis=axis), alt.Y("y:Q", scale=y_scale, axis=None)
    color = role_color(labels={"computed": words["leads"], "alive": words["alive"], "dropped": words["dropped"]}, extra=("alive",))
    faint = alt.condition(alt.datum.role == "dropped", alt.value(0.55), alt.value(1.0))

    points = {"along": f"[datum.x - {1 - HALF}, datum.x - 0.5, datum.x - 0.5, datum.x - {HALF}]", "point": "[0, 1, 2, 3]"}
    points["height"] = "[datum.start, datum.start, datum.y, datum.y]"  # four points of the line to a node
    edges = alt.Chart().transform_filter(alt.datum.step > 0).transform_calculate(**points).transform_flatten(list(points)).encode(
        x=alt.X("along:Q", scale=x_scale, axis=axis), y=alt.Y("height:Q", scale=y_scale, axis=None), detail="node:Q", order="point:Q"
    )  # fmt: skip
    width = alt.StrokeWidth("share:Q", scale=alt.Scale(domain=[0, 1], range=[1, 9]), legend=None)
    curve = {"interpolate": "bundle", "tension": 1}
    ways = edges.mark_line(**curve).encode(color=color, strokeWidth=width, opacity=faint)
    greedy = edges.transform_filter(alt.datum.greedy).mark_line(**curve, stroke="currentColor", strokeDash=[3, 3], strokeWidth=2)

    short = f"length(datum.token) > {LONGEST} ? slice(datum.token, 0, {LONGEST - 1}) + '…' : datum.token"
    nodes = alt.Chart().transform_calculate(label=short)
    tooltip = [
        alt.Tooltip("token:N", title=words["token"]),
        alt.Tooltip("step:Q", title=words["step"]),
        alt.Tooltip("share:Q", title=words["share"], format=".2%"),
        alt.Tooltip("logprob:Q", title=words["logprob"], format=".3f"),
        alt.Tooltip("total:Q", title=words["total"], format=".3f"),
        alt.Tooltip("text:N", title=words["text"]),
    ]
    leads = alt.datum.role == "computed"
    sides = {"left": f"datum.x - {HALF}", "right": f"datum.x + {HALF}", "top": "datum.y - 0.42", "bottom": "datum.y + 0.42"}
    boxes = nodes.transform_calculate(**sides).mark_rect(cornerRadius=6).encode(
        x=alt.X("left:Q", scale=x_scale, axis=axis), x2="right:Q", y=alt.Y("top:Q", scale=y_scale, axis=None), y2="bottom:Q",
        fill=color, stroke=color, opacity=faint, fillOpacity=alt.condition(leads, alt.value(0.38), alt.value(0.13)),
        strokeWidth=alt.condition(leads, alt.value(2.5), alt.value(1.0)), tooltip=tooltip)  # fmt: skip
    at = nodes.encode(x=x, y=y, opacity=faint, tooltip=tooltip)
    written = at.transform_filter(alt.datum.step > 0)
    text = {"fontSize": 12, "fill": "currentColor"}
    names = written.transform_filter(~leads).mark_text(**text, dy=-7).encode(text="label:N")
    bold = written.transform_filter(leads).mark_text(**text, dy=-7, fontWeight="bold").encode(text="label:N")
    sums = written.mark_text(fontSize=11, fill="currentColor", dy=7.5).encode(text=alt.Text("total:Q", format=".2f"))
    root = at.transform_filter(alt.datum.step == 0).mark_text(**text, fontStyle="italic").encode(text="label:N")

    tree = alt.layer(ways, greedy, boxes, names, bold, sums, root).properties(width=COLUMN * (steps + 1))
    tree = tree.transform_calculate(now="isValid(toNumber(slider)) ? toNumber(slider) : datum.now").transform_filter(
        "datum.step <= datum.now"
    )
    role = "indexof(datum.leads, ',' + datum.now + ',') >= 0 ? 'computed' : datum.lives >= datum.now ? 'alive' : 'dropped'"
    tree = tree.transform_calculate(role=role)
    bind = {"bind": {"element": follow, "event": "input"}} if follow else {}
    tree = tree.add_params(alt.param(name="slider", value=None, **bind))
    return finish(tree, language, many=True)


def cost_data(rows: Sequence[tuple[str, int, int]]) -> pd.DataFrame:
    """(name, bytes of the prompt, bytes of what was written) -> one row a part: name, role, kilobytes."""
    parts = [(name, role, size / 1000) for name, prompt, own in rows for role, size in (("reused", prompt), ("computed", own))]
    return pd.DataFrame(parts, columns=["name", "role", "kilobytes"])


@spec
def cost_chart(rows: int, prompt: str, own: str, axis: str, language: str = "en"):
    """Stacked bars of `cost_data`: keys and values of the prompt (blue) and of what was written (orange)."""
    color = role_color(labels={"reused": prompt, "computed": own})
    bars = alt.Chart().mark_bar(size=20, cornerRadius=3).encode(
        x=alt.X("kilobytes:Q", stack="zero", title=axis, axis=alt.Axis(tickCount=5, gridOpacity=0.5)),
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13, labelLimit=210)),
        color=color, order=alt.Order("role:N", sort="descending"),
        tooltip=[alt.Tooltip("name:N", title=" "), alt.Tooltip("kilobytes:Q", title=axis, format=",.0f")],
    )  # fmt: skip
    return finish(bars, language, height=34 * rows + 120)


def likelihood_data(texts: Sequence[tuple[str, Sequence[str], Sequence[float]]]) -> pd.DataFrame:
    """("beam" or "sampled", labels, probabilities) of some texts -> one row a token: text, role, position, token, share."""
    roles = {"beam": "computed", "sampled": "alive"}
    rows = [(text, roles[text], i, name, share) for text, names, shares in texts for i, (name, share) in enumerate(zip(names, shares), 1)]
    return pd.DataFrame(rows, columns=["text", "role", "position", "token", "share"])


@spec
def likelihood_chart(tokens: int, beam: str, sampled: str, position: str, share: str, token: str, language: str = "en"):
    """How likely every word was where it was written (`likelihood_data`), as in figure 2 of Holtzman et al. 2020."""
    lines = alt.Chart().mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=40)).encode(
        x=alt.X("position:Q", title=position, axis=alt.Axis(grid=False, tickMinStep=1), scale=alt.Scale(domain=[1, tokens], nice=False)),
        y=alt.Y("share:Q", title=share, axis=alt.Axis(format=".0%", tickCount=5, gridOpacity=0.5), scale=alt.Scale(domain=[0, 1])),
        color=role_color(labels={"computed": beam, "alive": sampled}, extra=("alive",)),
        tooltip=[alt.Tooltip("token:N", title=token), alt.Tooltip("share:Q", title=share, format=".1%")],
    )  # fmt: skip
    return finish(lines, language, height=300)
