"""Why GPUs: presets, the lanes, measuring in a process of its own, the link."""

import time

import pytest

from core.ui import measuring
from tests.ui.conftest import told


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_preset_moves_the_picture(open_page, lang):
    at = open_page("gpu", lang=lang)
    pictures = set()
    for preset in ("many", "long", "laptop", "experts", "alone"):
        at.pills(key="gpu_preset").set_value(preset).run()
        assert not at.exception and not at.error and at.pills(key="gpu_preset").value == preset
        pictures.add(told(at)[0])
    assert len(pictures) == 5


def test_the_lanes_step(open_page):
    at = open_page("gpu", tick=2)
    assert any("After 2 ticks: 2 tokens read by one worker, 16 by eight" in line for line in told(at))
    at.session_state["gpu_tick"] = 3.0
    at.run()
    assert any("After 3 ticks" in line for line in told(at))


def test_a_link_shows_its_preset_and_no_other(open_page):
    assert open_page("gpu").pills(key="gpu_preset").value == "alone"
    assert open_page("gpu", batch=128, context=100).pills(key="gpu_preset").value == "long"
    assert open_page("gpu", batch=77).pills(key="gpu_preset").value is None


def test_nonsense_in_the_link_is_reset(open_page):
    at = open_page("gpu", model="Eliza", machine="abacus", batch="-1", context="nan", tick="many")
    assert not at.exception and not at.error and len(at.warning) == 5


def test_measuring_fills_the_chart_and_leaves_this_process_alone(open_page):
    import torch

    at, before = open_page("gpu"), torch.get_num_threads()
    at.button(key="gpu_start").click().run(timeout=110)
    run = at.session_state["gpu_measuring"]
    assert not at.exception and not at.error and not run.running and not run.failed
    assert len(run.rows) == 14 and {row["threads"] for row in run.rows} >= {1}
    assert torch.get_num_threads() == before
    assert any("highest rate measured" in line for line in told(at))


def test_only_one_measures_and_it_can_be_stopped():
    first = measuring.start("timeit", ["-n", "1", "-r", "1", "import time; time.sleep(60)"])
    assert first.running and measuring.start("timeit", ["pass"]) is None
    first.stop()
    while first.running:
        time.sleep(0.01)
    assert first.stopped and not first.failed and first.rows == []
    again = measuring.start("no_such_module", [])
    while again.running:
        time.sleep(0.01)
    assert again.failed
