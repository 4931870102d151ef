"""What a viewer does, in Chromium: typing, dragging, clicking, sharing a link, and all of it without a mouse."""

import re

import altair as alt
import pytest
from playwright.sync_api import expect

from core.charts.axes import ceiling, from_zero, reaching
from core.charts.theme import INK, spec
from tests.browser.conftest import bars, changed, press_on, settled, still

pytestmark = pytest.mark.xdist_group("browser")  # one server for all

TOKENS = ".st-key-next_token_tokens .strip > *"
CHIPS = ".st-key-next_token_chips .strip button"
SLIDER = ".st-key-next_token_temperature_slider input[type=range]"


def type_prompt(page, text: str) -> None:
    field = page.locator(".st-key-next_token_prompt textarea")
    field.fill(text)
    field.press("Control+Enter")


def test_typing_a_prompt_moves_the_bars(visit):
    page = visit("next_token?lang=en")
    before = bars(page)
    type_prompt(page, "The capital of France is")
    now = changed(page, before)
    page.locator(TOKENS).first.wait_for()
    expect(page.locator(CHIPS).first).to_contain_text("Paris")  # comes a moment after the bars
    assert re.search(r"\d%", now)


def test_moving_the_temperature_moves_the_bars(visit):
    page = visit("next_token?lang=en")
    before = bars(page)
    slider = page.locator(SLIDER)
    for _ in range(10):
        slider.press("ArrowLeft")
    cold = changed(page, before)
    assert slider.input_value() == "0" and "100.0%" in cold  # all on one token
    page.wait_for_url(re.compile("next_token_temperature=0"))


def test_buttons_take_a_slider_one_step_back_and_on(visit):
    page = visit("beam_search?lang=en&beam_search_shown=1&beam_search_steps=3")
    slider = page.locator(".st-key-beam_search_shown_slider")
    back, on, input = (slider.locator(part) for part in ("button.back", "button.on", "input"))
    expect(on).to_have_accessible_name("Next step")
    expect(back).to_be_disabled()
    for step in ("2", "3"):
        on.click()
        assert input.input_value() == step  # at once, without the server
    expect(on).to_be_disabled()
    expect(page.locator(".st-key-beam_search_panel_tree")).to_contain_text("After step 3")
    page.wait_for_url(re.compile("beam_search_shown=3"))
    back.press("Enter")
    expect(page.locator(".st-key-beam_search_panel_tree")).to_contain_text("After step 2")
    page.wait_for_url(re.compile("beam_search_shown=2"))


def test_a_click_on_a_token_appends_it(visit):
    page = visit("next_token?lang=en")
    before, n = bars(page), page.locator(TOKENS).count()
    chosen = page.locator(CHIPS).first.inner_text().split("\n")[0]
    page.locator(CHIPS).first.click()
    changed(page, before)
    page.locator(TOKENS).nth(n).wait_for()
    assert page.locator(TOKENS).nth(n).inner_text().split("\n")[0] == chosen
    page.wait_for_url(re.compile(r"next_token_added=\d+"))


def test_a_shared_link_shows_the_same_to_another_viewer(visit):
    page = visit("next_token?lang=en")
    before = bars(page)
    type_prompt(page, "Der Himmel ist heute")
    before = changed(page, before)
    page.locator(SLIDER).press("ArrowLeft")
    before = changed(page, before)
    page.wait_for_url(re.compile("next_token_temperature=0.9"))
    page.locator(CHIPS).nth(1).click()
    shown = changed(page, before)
    page.wait_for_url(re.compile("next_token_added="))
    settled(page)
    other = visit(page.url)
    bars(other)
    other.locator(TOKENS).first.wait_for()
    typed = "text => document.querySelector('.st-key-next_token_prompt textarea').value === text"
    other.wait_for_function(typed, arg="Der Himmel ist heute")
    assert other.locator(SLIDER).input_value() == "0.9"
    assert other.locator(TOKENS).all_inner_texts() == page.locator(TOKENS).all_inner_texts()
    assert bars(other) == bars(page) == shown


def test_language_and_theme_are_switched(visit):
    page = visit("next_token?lang=en", color_scheme="light")
    assert page.locator("h1").inner_text() == "Next token"
    page.get_by_role("radio", name="Deutsch").or_(page.get_by_role("button", name="Deutsch")).first.click()
    page.get_by_role("heading", name="Nächstes Token", level=1).wait_for()
    page.wait_for_url(re.compile("lang=de"))
    background = "() => getComputedStyle(document.querySelector('[data-testid=\"stApp\"]')).backgroundColor"
    light = page.evaluate(background)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => ({background})() !== light", arg=light)
    bars(page)


def test_a_chart_on_a_canvas_is_written_in_the_ink_of_the_theme(visit):
    """The frame round the chosen token's row: dark on light, and light on dark as soon as the theme changes."""
    page = visit("attention?lang=en", color_scheme="light")
    count = """ink => {
      const canvas = document.querySelector(".st-key-attention_map canvas")
      if (!canvas) return 0
      const of = canvas.getContext("2d").getImageData(0, Math.floor(0.75 * canvas.height), canvas.width, Math.floor(0.25 * canvas.height)).data
      let n = 0
      for (let i = 0; i < of.length; i += 4)
        if (of[i + 3] > 200 && [0, 1, 2].every(c => Math.abs(of[i + c] - ink[c]) < 12)) n++
      return n
    }"""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"ink => ({count})(ink) > 20", arg=[int(INK[scheme][i : i + 2], 16) for i in (1, 3, 5)])


def test_what_comes_and_goes_leaves_the_charts_below_in_place(visit):
    """A preset's hint that goes, a sentence that comes: the charts take their new data and are not built anew."""
    page = visit("attention?lang=en")
    charts = [f".st-key-attention_panel_{name}.marks" for name in ("head canvas", "head svg", "ablation svg")]
    marked = f"() => [...document.querySelectorAll('{', '.join(charts)}')]"
    for chart in charts:
        page.locator(chart).first.wait_for()
    still(page, 1_000)
    drawn = page.evaluate(f"({marked})().map(part => part.seen = true).length")
    field = page.locator(".st-key-attention_prompt textarea")
    field.fill(field.input_value() + " Rex")
    field.press("Control+Enter")
    expect(page.locator("body")).not_to_contain_text("Switch off all induction heads below")
    page.locator(".st-key-attention_hide_first label").first.click()
    expect(page.locator("body")).to_contain_text("Hidden: the first token")
    still(page, 1_000)
    assert page.evaluate(f"({marked})().filter(part => part.seen).length") == drawn >= 3


def test_an_axis_ends_where_the_data_tell_in_the_same_chart(visit):
    """Other data may need a longer axis: its numbers change, the chart is not built anew."""
    page = visit("gpu?lang=en")
    chart = ".st-key-gpu_panel_speed svg.marks"
    page.locator(chart).wait_for()
    still(page, 1_000)
    ticks = f"() => [...document.querySelectorAll('{chart} .role-axis-label text')].map(tick => tick.textContent).join()"
    before = page.evaluate(ticks)
    page.evaluate(f"() => {{ document.querySelector('{chart}').seen = true }}")
    page.locator(".st-key-gpu_batch_slider input").press("End")
    page.wait_for_function(f"before => ({ticks})() !== before", arg=before)
    assert page.evaluate(f"() => document.querySelector('{chart}').seen")


def test_the_axis_in_the_browser_ends_where_python_says(visit):
    page = visit("measurements?lang=en")
    end = spec(lambda: reaching(alt.X("rate:Q", scale=from_zero()), "rate"))()["transform"][-1]["calculate"]
    values = [0, 0.3, 1, 1.01, 7, 7.5, 10, 10.01, 99, 123, 1000, 3.3e6]
    ends = f"values => values.map(top => {{ const {{ pow, floor, log, LN10 }} = Math, datum = {{ top: Math.max(top, 1) }}; return {end} }})"
    assert page.evaluate(ends, values) == pytest.approx([ceiling(value) for value in values])


def test_the_keyboard_alone_is_enough(visit):
    page = visit("next_token?lang=en")
    before = bars(page)

    def tab_to(selector: str) -> None:
        """Go on with Tab until what `selector` names has the focus, also inside a component."""
        inside = """selector => { let e = document.activeElement
            while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement
            return e?.matches(selector) ?? false }"""
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(inside, selector):
                return
        raise AssertionError(f"Tab never reaches {selector}")

    tab_to("textarea")
    page.keyboard.press("Control+a")
    page.keyboard.type("The opposite of hot is")
    page.keyboard.press("Control+Enter")
    before = changed(page, before)
    settled(page)
    tab_to(".strip button")  # the text
    tab_to(".strip button")  # the candidates
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    before = changed(page, before)
    settled(page)
    tab_to("input[type=range]")
    page.keyboard.press("ArrowRight")
    changed(page, before)
    page.wait_for_url(re.compile("next_token_temperature=1.1"))


def test_a_lesson_is_walked_by_keyboard(visit):
    """Step by step with PageDown; a control that was used is ticked off; the link names the step."""
    page = visit("?lang=en&lesson=newcomers&step=4")
    page.wait_for_url(re.compile("next_token.*step=4"))
    card = page.locator(".st-key-_lesson_card")
    card.get_by_text("step 4 of 8").wait_for()
    press_on(page, "PageDown", card.get_by_text("step 4 of 8"), card.get_by_text("step 5 of 8"))
    assert card.get_by_text("Done").count() == 0
    for _ in range(6):  # a key that comes before the slider is whole is lost
        settled(page)
        page.locator(SLIDER).press("ArrowLeft")
        try:
            card.get_by_text("Done").wait_for(timeout=5000)
            break
        except Exception as error:  # playwright is imported where there is one
            if type(error).__name__ != "TimeoutError":
                raise
    card.get_by_text("Done").wait_for()
    page.locator("h1").click()
    press_on(page, "PageDown", card.get_by_text("step 5 of 8"), card.get_by_text("step 6 of 8"))
    page.wait_for_url(re.compile("attention.*step=6"))


def test_a_lecture_is_led_by_keyboard_and_keys_typed_into_a_field_stay_there(visit):
    page = visit("next_token?lang=en&lecture=1")
    bar = page.locator(".st-key-_lecture_bar")
    bar.get_by_text("0/4").wait_for()
    page.locator(".st-key-_lecture_keys [data-ready]").wait_for(state="attached")
    press_on(page, "ArrowRight", bar.get_by_text("0/4"), bar.get_by_text("1/4"))
    press_on(page, "PageDown", bar.get_by_text("1/4"), bar.get_by_text("2/4"))
    asked = page.locator(".st-key-next_token_predict")
    pressed = page.locator(".st-key-next_token_predict button[aria-pressed=true], .st-key-next_token_predict [aria-checked=true]")
    press_on(page, "a", asked.first, asked.get_by_role("radio", checked=True).or_(pressed).first)
    field = page.locator(".st-key-next_token_prompt textarea")
    field.press("End")
    field.press_sequentially(" lqan")
    assert field.input_value().endswith(" lqan") and page.locator("h1").inner_text() == "Next token"
