"""Recorded times in both languages, by what is done; and this server's own, on a click."""

import re

import pytest

from core.measure.recorded import KINDS, controls, recorded
from tests.ui.conftest import chart_data, said


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_recorded_control_is_a_row(open_page, language):
    at = open_page("measurements", language)
    assert len(chart_data(at)) == len(controls(recorded("interaction"))) and not said(at)


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_row_says_its_own_time_and_a_word_for_its_control(open_page, language):
    data, rows = chart_data(open_page("measurements", language)), controls(recorded("interaction"))
    for name, median, row in zip(data["name"], data["median"], rows, strict=True):
        assert name.startswith(f"{median:.0f} ms · "), "also where one control drives several pictures"
        assert not name.endswith(f": {row['control']}"), "a word, not the control's key"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if controls(recorded("interaction"), kind)])
def test_one_kind_at_a_time(open_page, kind):
    at = open_page("measurements", kind=kind)
    rows = controls(recorded("interaction"), kind)
    assert chart_data(at)["median"].tolist() == [row["median_ms"] for row in rows]


def test_this_server_is_measured_on_a_click(open_page, mini):
    at = open_page("measurements")
    at.button(key="measurements_start").click().run()
    found = [re.search(r"\*\*([\d.,]+) ms\*\*", box.value.replace("\\", "")) for box in at.markdown]
    assert any(match and float(match[1].replace(",", "")) > 0 for match in found) and not at.exception
