"""The app in a real browser: one server and one Chromium for all tests, a fresh viewer for each."""

import os

import pytest

from core.bench._served import ROOT, served
from core.bench.interaction import CHROMIUM, IDLE, find_chromium

PATIENCE = 120_000  # ms; a machine that runs other things besides takes its time


@pytest.fixture(scope="session")
def address():
    """Where the app answers."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with served(ROOT / "app.py") as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    path = find_chromium()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, address):
    """visit("next_token?lang=en"): a viewer with an empty browser opens the page; gives it once it is whole."""
    contexts = []

    def opened(path: str, **settings):
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 1000}, "locale": "en-US"} | settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(path if path.startswith("http") else f"{address}/{path}")
        settled(page)
        return page

    yield opened
    for context in contexts:
        context.close()


def settled(page) -> None:
    """Wait until the page's script is done and has drawn a title."""
    page.wait_for_selector("h1")
    page.wait_for_function(IDLE)


def still(page, ms: int) -> None:
    """Wait until nothing has changed for `ms`, at most 20 seconds: charts and components come after the script's end."""
    page.evaluate(STILL, ms)


def press_on(page, key: str, now, then) -> None:
    """Press a shortcut until `then` is seen in place of `now` (locators), as anybody would whose key came too early.

    A shortcut works once its button is mounted, which nothing on the page tells.
    """
    for attempt in range(6):
        settled(page)
        if attempt:
            still(page, 2_000)  # where the answer is only late, a second key would go one too far
        if now.is_visible():
            page.evaluate("() => document.activeElement?.blur()")  # a field would take the key for itself
            page.keyboard.press(key)
        try:
            return then.wait_for(timeout=PATIENCE / 6)
        except Exception as error:  # playwright is imported where there is one
            if type(error).__name__ != "TimeoutError":
                raise
    raise AssertionError(f"{key} pressed six times: {then} was never seen")


def bars(page) -> str:
    """What the bars of the next-token lab show: their shapes and their numbers."""
    page.wait_for_selector(BARS)
    return page.evaluate(f"() => {SEEN}")


def changed(page, before: str) -> str:
    """Wait until the bars show something else than `before`."""
    page.wait_for_function(f"before => {{ const now = {SEEN}; return now && now !== before }}", arg=before)
    return bars(page)


STILL = """ms => new Promise(done => {
    let waiting
    const watch = new MutationObserver(again)
    function again() { clearTimeout(waiting); waiting = setTimeout(end, ms) }
    function end() { watch.disconnect(); done() }
    watch.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true})
    again()
    setTimeout(end, 20_000)
})"""
BARS = ".st-key-next_token_bars .role-mark path"
SEEN = (
    "[...document.querySelectorAll('.st-key-next_token_bars .role-mark path, .st-key-next_token_bars .role-mark text')]"
    ".map(mark => mark.getAttribute('d') ?? mark.textContent).join('|')"
)
