"""Opening pages as a viewer does: inside the frame, with what a link carries."""

from functools import cache
from html import unescape
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
WITH_MODEL = sorted(page.stem for page in (ROOT / "pages").glob("*.py") if "page.lm" in page.read_text("utf-8"))  # pages that ask the language model
# Every AppTest looks through all installed packages for components, which takes as long as a page does.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture
def open_page():
    """open_page("next_token", lang="de", top_k=5): the page, its settings from the link, after its first run."""

    def opened(name: str, lang: str = "en", **settings) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        if name != "home":
            at.switch_page(f"pages/{name}.py")
        at.query_params["lang"] = lang
        for setting, value in settings.items():
            at.query_params[f"{name}_{setting}"] = str(value)
        return at.run()

    return opened


def said(at) -> str:
    """All notes and errors on the page as one text, without Markdown's escapes."""
    return "\n".join(box.value for box in [*at.warning, *at.error]).replace("\\", "")


def told(at) -> list[str]:
    """What stands beside every chart for those who cannot see it, in the order of the charts."""
    return [unescape(part.split(">", 1)[1].removesuffix("</p>")) for h in at.get("html") if "glassbox-said" in (part := h.proto.body)]


def charts(at) -> list:
    """The charts on the page, as they are sent."""
    return [element.proto for element in at.get("vega_lite_chart")]


def text(at) -> str:
    """What the page says in sentences, without Markdown's escapes."""
    return " ".join(m.value for m in [*at.markdown, *at.success, *at.caption]).replace("\\", "")


def check_whole(at, n_charts: int) -> None:
    """All charts are there and described, there is one takeaway, nothing went wrong, and no sentence lacks a value."""
    assert not at.exception and not at.error and not at.warning
    assert len(charts(at)) == n_charts and all(chart.alt for chart in charts(at))
    assert len(at.success) == 1 and "{" not in text(at)


def chart_data(at, place: int = 0):
    """What the chart at `place` on the page got to draw, a DataFrame."""
    import pyarrow as pa

    proto = charts(at)[place]
    return pa.ipc.open_stream(proto.data.data or proto.datasets[0].data.data).read_all().to_pandas()


def component_data(at, name: str) -> dict:
    """What the first component of that name on the page was given: component_data(at, "glassbox_step_table")."""
    import json

    waiting = [at.main]
    while waiting:
        element = waiting.pop()
        waiting += getattr(element, "children", {}).values()
        if getattr(element, "type", "") == "bidi_component" and element.proto.component_name == name:
            return json.loads(element.proto.json)
    raise AssertionError(f"no {name} on the page")
