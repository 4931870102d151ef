"""What all charts share: a mark is pale in its fill and stroke, not as a whole."""

import altair as alt
import pytest

from core.charts.theme import spec


def drawn(mark: str, channel=None, **settings) -> tuple[dict, dict]:
    """The mark and the encoding of a finished chart."""

    @spec
    def chart():
        made = getattr(alt.Chart(), f"mark_{mark}")(**settings)
        return made.encode(x="x:Q", **({"opacity": channel} if channel is not None else {}))

    made = chart()
    return made["mark"], made["encoding"]


@pytest.mark.parametrize(
    "mark, settings, pale",
    [
        ("bar", {}, {"fillOpacity": 0.4}),
        ("text", {}, {"fillOpacity": 0.4}),
        ("rule", {}, {"strokeOpacity": 0.4}),
        ("line", {}, {"strokeOpacity": 0.4}),
        ("rect", {"stroke": "red"}, {"fillOpacity": 0.4, "strokeOpacity": 0.4}),
        ("rect", {"stroke": "red", "fillOpacity": 0}, {"fillOpacity": 0, "strokeOpacity": 0.4}),
        ("point", {"filled": True}, {"fillOpacity": 0.4, "opacity": 1}),
        ("point", {"filled": False}, {"fillOpacity": 0.4, "strokeOpacity": 0.4, "opacity": 1}),
        ("tick", {"filled": True}, {"fillOpacity": 0.4, "opacity": 1}),
    ],
)
def test_the_opacity_of_a_mark_is_that_of_its_fill_and_stroke(mark, settings, pale):
    found, _ = drawn(mark, opacity=0.4, **settings)
    assert {key: value for key, value in found.items() if "pacity" in key} == pale


def test_points_keep_the_opacity_that_vega_lite_gives_them():
    found, _ = drawn("point", filled=True)
    assert found["fillOpacity"] == 0.7 and found["opacity"] == 1


def test_an_opacity_from_the_data_moves_too():
    condition = alt.condition("datum.strong", alt.value(1), alt.value(0.2))
    found, encoding = drawn("bar", condition)
    assert "opacity" not in found and "opacity" not in encoding and encoding["fillOpacity"]["value"] == 0.2
    found, encoding = drawn("circle", condition)
    assert "fillOpacity" not in found and found["opacity"] == 1 and encoding["fillOpacity"]["value"] == 0.2


def test_two_opacities_from_the_data_still_multiply():
    @spec
    def chart():
        faint, strong = alt.condition("datum.faint", alt.value(0.5), alt.value(1)), alt.condition("datum.strong", alt.value(1), alt.value(0.2))
        return alt.Chart().mark_rect().encode(x="x:Q", opacity=faint, fillOpacity=strong)

    encoding = chart()["encoding"]
    assert encoding["opacity"]["condition"]["value"] == 0.5 and encoding["fillOpacity"]["value"] == 0.2


def test_what_is_not_to_be_seen_stays_so():
    assert drawn("bar", opacity=0)[0]["opacity"] == 0
