"""Claims as a staircase: one row each, placed by date, coloured and shaped by how well they are supported."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from core.charts.theme import finish, role_color, spec
from core.history import BADGES, Event

ROW = 23  # pixels a claim
# Badges share the one colour language: blue and violet as elsewhere, grey for what carries no weight.
_ROLES = {
    "proved": "proved", "reproduced": "reused", "measured": "paged", "developer": "developer", "vendor": "vendor", "opinion": "dropped",
}  # fmt: skip
_SHAPES = {
    "proved": "diamond", "reproduced": "square", "measured": "circle",
    "developer": "triangle-up", "vendor": "triangle-down", "opinion": "cross",
}  # fmt: skip


def timeline_data(found: Sequence[Event], titles: Mapping[str, str], badges: Mapping[str, str], opened: str = "") -> pd.DataFrame:
    """One row a claim, in the order given; `titles` and `badges` are the words, `opened` the name of the one that is read."""
    middle = found[len(found) // 2].date if found else None
    return pd.DataFrame(
        {
            "name": [event.name for event in found],
            "row": range(len(found)),
            "date": [event.date.isoformat() for event in found],
            "title": [titles[event.name] for event in found],
            "role": [_ROLES[event.badge] for event in found],
            "support": [badges[event.badge] for event in found],
            "late": [event.date > middle for event in found],
            "opened": [event.name == opened for event in found],
        }
    )


@spec
def timeline_chart(first_year: int, last_year: int, date: str, claim: str, support: str, language: str = "en", **badges: str):
    """The staircase of `timeline_data`, its height set by `of_height` with ROW; a click selects the claim's `name` in the selection `pick`.

    The axis always runs over all years, so that a filter is seen to take claims away. `badges`: badge -> word.
    """
    pick = alt.selection_point(name="pick", fields=["name"], on="click", empty=False, toggle=False)
    years = [{"year": year, "month": 1, "date": 1} for year in (first_year, last_year)]
    axis = alt.Axis(format="%Y", tickCount="year", title=None, orient="top", labelOverlap=True)
    x = alt.X("date:T", scale=alt.Scale(domain=years), axis=axis)
    when = alt.Tooltip("date:T", title=date, format="%m/%Y")
    tooltip = [alt.Tooltip("title:N", title=claim), when, alt.Tooltip("support:N", title=support)]
    base = alt.Chart().encode(y=alt.Y("row:O", axis=None), tooltip=tooltip)
    labels = {_ROLES[badge]: badges[badge] for badge in BADGES}
    color = role_color(labels=labels, extra=("proved", "developer", "vendor"))
    color["legend"]["columns"] = 3
    shape = alt.Shape("role:N", scale=alt.Scale(domain=list(_ROLES.values()), range=list(_SHAPES.values())), legend=None)
    points = base.mark_point(filled=True, opacity=1, size=110).encode(x=x, color=color, shape=shape)
    ring = base.transform_filter("datum.opened").mark_point(size=420, strokeWidth=2, stroke="currentColor").encode(x=x)
    style = {"fill": "currentColor", "fontSize": 13, "baseline": "middle"}
    early = base.transform_filter("!datum.late").mark_text(align="left", dx=13, **style).encode(x=x, text="title:N")
    late = base.transform_filter("datum.late").mark_text(align="right", dx=-13, **style).encode(x=x, text="title:N")
    whole_row = base.mark_bar(size=ROW, opacity=0, cursor="pointer").encode(x=alt.value(0), x2=alt.value("width")).add_params(pick)
    return finish(alt.layer(points, ring, early, late, whole_row), language)
