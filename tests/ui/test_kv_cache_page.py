"""The KV cache lab: its step table shows what ran, and follows the controls."""

from core.measure.segments import Segment
from core.ui.step_table import StepRow, step_data
from tests.ui.conftest import component_data


def step_table(at) -> dict:
    """What the step table was given."""
    return component_data(at, "glassbox_step_table")


def test_the_table_has_a_row_a_step_and_follows_strategy_and_step(open_page):
    at = open_page("kv_cache", prompt="one two three four five six seven eight nine ten " * 8, strategy="sinks", budget=16, step=3)
    table = step_table(at)
    assert not at.exception and not at.warning and len(table["rows"]) == 16 and table["chosen"] == 2
    n = int(table["rows"][0][1]["title"].split("–")[1])  # tokens of the prompt
    prompt, without, cached, now = table["rows"][1]
    assert (without["title"], now["title"], cached["title"]) == (f"1–{n + 1}", f"{n + 1}", f"1–4, {n - 10}–{n}")  # 16 with the new token
    assert cached["lines"][1].startswith(str(n - 15))  # the rest is gone
    assert table["foot"][1:] == [str(3 * n + 3), "30", str(n + 2)]
    at.segmented_control(key="kv_cache_strategy").set_value("none").run()
    table = step_table(at)
    assert all(now["title"] == without["title"] and cached["lines"] == ["–"] for _, without, cached, now in table["rows"])


def test_the_download_counts_the_same():
    cached = [Segment(0, 4, "reused"), Segment(4, 90, "dropped"), Segment(90, 99, "reused"), Segment(99, 100, "computed")]
    row = step_data([StepRow("x", [Segment(0, 100, "computed")], cached)]).iloc[0]
    assert (row["computed_without_cache"], row["reused"], row["dropped"], row["computed"]) == (100, 13, 86, 1)
    assert row["reused_tokens"] == "1-4 91-99"
