"""The lecture hall: a whole lesson by keyboard, a room with several phones, a sheet on paper."""

import re

import pytest

from core.ui.lessons import lessons
from core.ui.share import work_sheet
from tests.browser.conftest import press_on, settled

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

pytestmark = pytest.mark.xdist_group("browser")  # one server for all


def test_a_whole_lesson_by_keyboard(visit):
    steps = lessons()["newcomers"]["steps"]
    page = visit("?lang=en&lesson=newcomers&step=1")
    card = page.locator(".st-key-_lesson_card")
    for n, step in enumerate(steps, 1):
        here = card.get_by_text(f"step {n} of {len(steps)}")
        here.wait_for()
        page.wait_for_url(re.compile(f"{step['page']}.*step={n}"))
        card.get_by_text(step["en"], exact=False).wait_for()
        page.get_by_role("heading", level=1).first.wait_for()
        if n < len(steps):
            press_on(page, "PageDown", here, card.get_by_text(f"step {n + 1} of {len(steps)}"))


def test_a_room_with_a_lecturer_and_phones(visit):
    lead = visit("classroom?lang=en")
    lead.locator(".st-key-classroom_open button").click()
    lead.wait_for_url(re.compile("classroom_room="))
    code = re.search("classroom_room=([A-Z0-9]{6})", lead.url)[1]
    phones = [visit(f"classroom?lang={lang}&classroom_room={code}", **PHONE) for lang in ("en", "de", "en")]
    lead.get_by_role("button", name="Ask the class").or_(lead.locator("[class*=st-key-classroom_ask_] button")).first.click()
    lead.locator(".st-key-classroom_ask button").click()
    for place, phone in enumerate(phones):
        phone.get_by_role("radio").nth(place % 2).wait_for(state="attached")
        phone.locator("[role=radiogroup] label:has(input)").nth(place % 2).click()
        phone.locator("[data-testid=stFormSubmitButton] button").click()
        phone.locator("[data-testid=stAlert]").first.wait_for()
    lead.get_by_text("Answers: 3").first.wait_for()
    # Who reloads is still the same phone: another answer replaces the first.
    again = phones[0]
    again.reload()
    settled(again)
    again.locator("[role=radiogroup] label:has(input)").nth(1).click()
    again.locator("[data-testid=stFormSubmitButton] button").click()
    again.locator("[data-testid=stAlert]").first.wait_for()
    lead.locator(".st-key-classroom_revealed button").click()
    lead.get_by_text(re.compile("is right")).first.wait_for()
    assert lead.get_by_text("Answers: 3").first.is_visible()
    for phone, word in zip(phones, ("is right", "ist richtig", "is right")):
        phone.get_by_text(re.compile(word)).first.wait_for()
        assert not phone.locator(".st-key-classroom_revealed").count()


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_work_sheet_prints_on_a4(browser, tmp_path, language):
    page = browser.new_context().new_page()
    page.set_content(work_sheet("attention", language, "https://example.org/attention"))
    page.pdf(path=tmp_path / "sheet.pdf", prefer_css_page_size=True)
    written = (tmp_path / "sheet.pdf").read_bytes()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", written)
    assert written.startswith(b"%PDF") and boxes
    assert all(abs(float(w) - 595) < 2 and abs(float(h) - 842) < 2 for w, h in boxes)  # A4 in points
    assert len(re.findall(rb"/Type\s*/Page[^s]", written)) <= 2
    wide = "() => Math.max(...[...document.body.querySelectorAll('*')].map(e => e.getBoundingClientRect().right))"
    page.set_viewport_size({"width": 673, "height": 900})  # what 178 mm are
    assert page.evaluate(wide) <= 680

