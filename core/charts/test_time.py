"""Votes on one problem, the odds of a vote, and accuracy against the tokens spent."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from core.charts.theme import finish, in_order, role_color, spec

METHOD_ROLES = {"vote": "computed", "verifier": "reused", "reward_model": "paged", "revision": "dropped"}
MOST_BARS = 8


def vote_data(values: Sequence[int], solution: int, none: int, others: str, without: str) -> pd.DataFrame:
    """Votes for each number, most first; `none` marks answers without the form.

    Beyond MOST_BARS they are counted together, but the right number keeps its own bar.
    """
    counts = pd.Series(values).value_counts(sort=True)
    counts = counts.reindex(sorted(counts.index, key=lambda value: (-counts[value], list(values).index(value))))
    rows = [(without if value == none else str(value), int(n), value == solution) for value, n in counts.items()]
    if len(rows) > MOST_BARS:
        kept, rest = rows[: MOST_BARS - 1], rows[MOST_BARS - 1 :]
        right = [row for row in rest if row[2]]
        if right:
            kept, rest = [*kept[:-1], *right], [kept[-1], *(row for row in rest if not row[2])]
        rows = [*kept, (others, sum(n for _, n, _ in rest), False)]
    data = pd.DataFrame(rows, columns=["answer", "votes", "right"])
    role = np.where(data["right"], "computed", "dropped")
    return data.assign(row=np.arange(len(data)), role=role, share=(data["votes"] / len(values)).astype(np.float32))


@spec
def vote_chart(answer: str, votes: str, share: str, right: str, wrong: str, language: str = "en"):
    """A bar a number, as a share of all votes; the count at its end. The right one is hot."""
    y = alt.Y("answer:N", sort=in_order("row"), title=answer, axis=alt.Axis(labelFontSize=15, labelOverlap=False, labelLimit=140))
    x = alt.X(
        "share:Q", scale=alt.Scale(domain=[0, 1.06], nice=False), axis=alt.Axis(title=share, format=".0%", values=[0, 0.25, 0.5, 0.75, 1])
    )
    tooltip = [
        alt.Tooltip("answer:N", title=answer),
        alt.Tooltip("votes:Q", title=votes),
        alt.Tooltip("share:Q", title=share, format=".0%"),
    ]
    base = alt.Chart().encode(y=y, tooltip=tooltip)
    bars = base.mark_bar(size=22, cornerRadiusEnd=4).encode(x=x, color=role_color(labels={"computed": right, "dropped": wrong}))
    counts = base.mark_text(align="left", dx=6, fontSize=14, fill="currentColor").encode(x=x, text="votes:Q")
    return finish(alt.layer(bars, counts), language, height=34 * MOST_BARS + 70)


def odds_data(sizes: Sequence[int], **lines: Sequence[float | None]) -> pd.DataFrame:
    """Probability of a right result by the number of answers; lines: vote, verifier, ideal (None where it has no value)."""
    roles = {"vote": "computed", "verifier": "reused", "ideal": "dropped"}
    rows = [(n, roles[name], p) for name, values in lines.items() for n, p in zip(sizes, values) if p is not None]
    return pd.DataFrame(rows, columns=["n", "role", "share"])


@spec
def odds_chart(answers: str, share: str, vote: str, verifier: str, ideal: str, language: str = "en"):
    """How likely a right result is with n answers to this problem."""
    x = alt.X(
        "n:Q",
        scale=alt.Scale(type="log", base=2, domain=[1, 64], nice=False),
        axis=alt.Axis(title=answers, values=[1, 2, 4, 8, 16, 32, 64]),
    )
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=alt.Axis(title=share, format=".0%", tickCount=5))
    color = role_color(labels={"computed": vote, "reused": verifier, "dropped": ideal}, columns=1)
    tooltip = [alt.Tooltip("n:Q", title=answers), alt.Tooltip("share:Q", title=share, format=".1%")]
    line = alt.Chart().mark_line(strokeWidth=3, point={"size": 50}).encode(x=x, y=y, color=color, tooltip=tooltip)
    return finish(line, language, height=380)


def spent_data(rows: pd.DataFrame, stage: str, names: dict[str, str]) -> pd.DataFrame:
    """Recorded accuracy by method, way and number of answers, for one stage; `names`: way -> word."""
    found = rows[(rows["stage"] == stage) & rows["method"].isin(METHOD_ROLES)].copy()
    found["role"], found["way_word"] = found["method"].map(METHOD_ROLES), found["way"].map(names)
    found["line"] = found["method"] + found["way"]
    return found[["line", "method", "way", "way_word", "role", "n", "tokens", "accuracy"]].reset_index(drop=True)


@spec
def spent_chart(tokens: str, accuracy: str, way: str, words: tuple[tuple[str, str], ...], steps: str, direct: str, language: str = "en"):
    """Accuracy over the tokens a problem costs, on a scale of doublings; solid with written steps, dashed without."""
    ticks = [4, 16, 64, 256, 1024]
    x = alt.X(
        "tokens:Q", scale=alt.Scale(type="log", base=2, domain=[3, 1300], nice=False), axis=alt.Axis(title=tokens, values=ticks, format="d")
    )
    y = alt.Y("accuracy:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=alt.Axis(title=accuracy, format=".0%", tickCount=5))
    color = role_color(labels=dict(words), columns=1)
    dash = alt.StrokeDash(
        "way_word:N", scale=alt.Scale(domain=[steps, direct], range=[[1, 0], [5, 4]]), legend=alt.Legend(title=None, orient="bottom")
    )
    tooltip = [alt.Tooltip("way_word:N", title=way), alt.Tooltip("n:Q"), alt.Tooltip("tokens:Q", title=tokens, format=".0f"),
               alt.Tooltip("accuracy:Q", title=accuracy, format=".1%")]  # fmt: skip
    base = alt.Chart().encode(x=x, y=y, color=color, detail="line:N", tooltip=tooltip)
    lines = base.mark_line(strokeWidth=2.5).encode(strokeDash=dash)
    dots = base.mark_circle(size=55, opacity=1)
    return finish(alt.layer(lines, dots), language, height=430)
