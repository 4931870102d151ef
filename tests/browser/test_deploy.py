"""deploy/nginx.conf before two servers: viewers are spread, whose server dies goes on at the other one, and one may be started again."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from core.bench._served import ROOT, behind_nginx, find_nginx, serving
from core.bench._viewer import Viewer
from tests.browser.conftest import bars, changed, settled

pytestmark = pytest.mark.xdist_group("browser")
PROMPT = "Der Hund von Anna"
SLIDER = ".st-key-next_token_temperature_slider input[type=range]"


@pytest.fixture
def behind_a_proxy():
    """The proxy's address, and its servers by port."""
    if find_nginx() is None:
        pytest.skip("there is no nginx on this machine")
    with behind_nginx(2) as (address, servers):
        yield address, {int(there.rpartition(":")[2]): process for there, process in servers.items()}


def connections(port: int) -> int:
    """Connections that a server on this machine holds."""
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "01" for row in table)


def test_viewers_go_on_at_the_other_server(behind_a_proxy, browser):
    address, servers = behind_a_proxy

    async def many():
        async with AsyncExitStack() as stack:
            viewers = [await stack.enter_async_context(Viewer(address)) for _ in range(12)]
            answers = [await viewer.open("home") for viewer in viewers]
            assert not any(answer.errors for answer in answers)
            return [connections(port) for port in servers]

    with ThreadPoolExecutor() as pool:  # the browser's driver has a loop in this thread
        spread = pool.submit(lambda: asyncio.run(many())).result()
    assert min(spread) >= 1, spread

    page = browser.new_context(locale="de-DE").new_page()
    page.set_default_timeout(120_000)
    refused = []
    page.on("console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None)
    page.goto(f"{address}/next_token?lang=de")
    settled(page)
    before = bars(page)
    field = page.locator(".st-key-next_token_prompt textarea")
    field.fill(PROMPT)
    field.press("Control+Enter")
    before = changed(page, before)
    page.locator(SLIDER).press("ArrowLeft")
    before = changed(page, before)
    page.wait_for_url(re.compile("next_token_temperature=0.9"))
    settled(page)
    theirs = max(servers, key=connections)
    other = next(port for port in servers if port != theirs)
    before = goes_on(page, servers[theirs], other, "0.8", before)
    with serving(ROOT / "app.py", theirs) as (direct, _):  # started again, it takes over from the other

        async def warm():
            async with Viewer(direct) as viewer:
                await viewer.open("next_token")

        with ThreadPoolExecutor() as pool:
            pool.submit(lambda: asyncio.run(warm())).result()
        page.wait_for_timeout(11_000)  # the proxy asks a server again that was away for ten seconds
        goes_on(page, servers[other], theirs, "0.7", before)
        assert field.input_value() == PROMPT and page.locator("h1").inner_text() == "Nächstes Token"
    assert not refused


def goes_on(page, process, port: int, temperature: str, before: str) -> str:
    """Kill `process`; the viewer is taken over by the server on `port`, and the next step of the slider follows the one before."""
    page.evaluate(WATCH)
    process.kill()
    process.wait()
    page.wait_for_function("() => window.wentOn")  # a key before that is one that nobody hears
    assert connections(port)
    settled(page)
    page.locator(SLIDER).press("ArrowLeft")
    before = changed(page, before)
    page.wait_for_url(re.compile(f"next_token_temperature={temperature}"))
    settled(page)
    return before


WATCH = """() => {  // the page was cut off, is connected again, and its script has begun at the server that took over
    const app = document.querySelector('[data-testid="stApp"]'), is = name => app.getAttribute(`data-test-${name}`)
    let away = false
    window.wentOn = false
    const watch = new MutationObserver(() => {
        away ||= is('connection-state') !== 'CONNECTED'
        if (!away || is('connection-state') !== 'CONNECTED' || is('script-state') !== 'running') return
        watch.disconnect()
        window.wentOn = true
    })
    watch.observe(app, {attributes: true})
}"""
