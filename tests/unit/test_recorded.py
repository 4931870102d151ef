"""What was recorded reads as it was written, and the pictures of it show what stands there."""

import statistics

import pytest

from core.charts.measurements import controls_chart, controls_data, load_data, memory_data
from core.measure.recorded import KINDS, controls, recorded, within

RUN = {
    "probes": [
        {"page": "a", "control": "x", "kind": "live slider", "ms": [10, 20, 30], "median_ms": 20, "ratio": 0.2},
        {"page": "a", "control": "y", "kind": "text", "ms": [None, 300, 310], "median_ms": 305, "ratio": 3.05},
        {"page": "b", "control": "z", "kind": "button", "ms": [None], "median_ms": None, "ratio": None},
    ]
}


def test_controls_are_sorted_and_those_never_seen_to_move_are_left_out():
    assert [row["control"] for row in controls(RUN)] == ["y", "x"]
    assert [row["control"] for row in controls(RUN, "drag")] == ["x"] and controls(RUN, "click") == []
    assert within(controls(RUN), 2.0) == 1


def test_rows_of_the_picture():
    data = controls_data(controls(RUN), ["Y", "X"])
    assert data[["name", "median", "low", "high", "role"]].values.tolist() == [["Y", 305, 300, 310, "computed"], ["X", 20, 10, 30, "reused"]]
    assert controls_chart(100, 400, ms="ms", name="n", ratio="r", twice="t")["layer"]


def test_load_and_memory_keep_their_order():
    loads = load_data([{"viewers": 1, "median_s": 0.1, "p95_s": 0.2}, {"viewers": 9, "median_s": 0.3, "p95_s": 0.9}])
    assert loads["seconds"].tolist() == [0.1, 0.2, 0.3, 0.9]
    steps = memory_data({"start_mb": 1, "after_page_mb": {"b": 3, "a": 2}, "after_round_mb": [4, 5]}, {"a": "A"}, "start", "round")
    assert list(zip(steps["step"], steps["mb"])) == [("start", 1), ("b", 3), ("A", 2), ("round 1", 4), ("round 2", 5)]


def test_the_shipped_record_is_consistent():
    run = recorded("interaction")
    empty = [ms for row in run["probes"] for ms in row["empty_ms"]]
    assert run["empty_page"] == {"median_ms": pytest.approx(statistics.median(empty), abs=1), "of": len(empty)}
    for row in controls(run):
        assert row["ratio"] == pytest.approx(row["median_ms"] / statistics.median(row["empty_ms"]), abs=0.006)
        seen = [ms for ms in row["ms"] if ms is not None]
        assert row["median_ms"] == pytest.approx(statistics.median(seen)) and row["unchanged"] == len(row["ms"]) - len(seen)
    assert sum(len(controls(run, kind)) for kind in KINDS) == len(controls(run))
    assert recorded("nothing of that name") is None
