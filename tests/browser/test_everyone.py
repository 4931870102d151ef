"""For everybody: no serious barrier on any page, every other one in the dark theme (axe-core), nothing sticks out on a phone, charts can be taken along."""

from pathlib import Path

import pytest

from tests.browser.conftest import bars, settled, still

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(file.stem for file in (ROOT / "pages").glob("*.py"))
# Streamlit's navigation puts its sections' lists into one another; nothing here draws it.
NOT_OURS = [["[data-testid=stSidebarNav]"]]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}

pytestmark = pytest.mark.xdist_group("browser")  # one server for all


@pytest.mark.parametrize("name", PAGES)
def test_no_serious_barrier_and_room_on_a_phone(visit, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    theme = ("light", "dark")[PAGES.index(name) % 2]  # the colours are the same on all pages
    page = visit(f"{'' if name == 'home' else name}?lang=de", color_scheme=theme, reduced_motion="reduce")
    still(page, 700)
    found = {}
    for rule in axe.run(page, context={"exclude": NOT_OURS}, options=RULES).response["violations"]:
        if rule["impact"] in ("serious", "critical"):
            found[rule["id"]] = [(node["target"], node.get("failureSummary", "")) for node in rule["nodes"][:3]]
    assert not found
    page.set_viewport_size({"width": 390, "height": 844})
    still(page, 400)
    main = "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth }"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390 and page.evaluate(main) <= 1


def test_a_chart_is_saved_as_a_picture(visit):
    page = visit("next_token?lang=en")
    bars(page)
    settled(page)
    button = page.get_by_role("button", name="Download as PNG").first
    button.focus()  # as by the Tab key; the pointer would have to find it below the page's own bar
    with page.expect_download() as saved:
        page.keyboard.press("Enter")
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
