"""Key to chart: how long after a key or a click a viewer sees the chart move, in a real browser.

    python -m core.bench interaction [--busy] [--pages next_token,attention] [--repeats 7] [--out FILE]

Every lab's main controls are measured beside an empty page, a fragment with one slider and a chart that stays,
in the same Chromium: before every repeat the empty page is measured once, since a shared machine is twice as slow
from one minute to the next, and a control's ratio is its median over that of its own empty repeats. A time runs from
the key or pointer event to the first frame that shows other marks in the chart the control drives: bars, cells,
texts, not axes, not a chart drawn anew with the same content. Repeats in which nothing changed are counted and
reported, never left out of sight.

Work that lasts (writing, races, comparisons) reports its first visible movement, and how long a stop takes.
`--busy` lets another viewer's text be written by the same model all the while. Results: assets/runs/interaction.json.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from core.bench._probes import EMPTY, PROBES, Probe, Step
from core.bench._served import ROOT, head, served

OUT = ROOT / "assets" / "runs" / "interaction.json"
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
CHROMIUM += ["--disable-component-update", "--disable-sync"]
NEVER = 8.0  # seconds after which nothing has changed
RUNNING = 1.0  # seconds that lasting work goes on before it is stopped

# What the labs are compared with: as little as a page can be.
EMPTY_APP = '''
import streamlit as st

st.set_page_config(layout="wide")
st.title("Empty")


@st.fragment
def nothing():
    value = st.slider("value", 0, 100, 50, key="empty_value")
    bars = {"mark": "bar", "encoding": {"x": {"field": "x", "type": "ordinal"}, "y": {"field": "y", "type": "quantitative"}}}
    st.vega_lite_chart({"x": [1, 2, 3], "y": [3, 1, 2]}, bars, key="empty_chart")
    with st.container(key="empty_said"):
        st.markdown(str(value))


nothing()
'''

# Runs inside the page. `glassboxArm(selector)` remembers what is seen and answers, after the next key or pointer event,
# with the milliseconds from there to the first painted frame that shows something else. It must cost next to nothing
# itself: only what has been touched is looked at, and a canvas only once something was drawn on it.
WATCH = """
(() => {
  const drawn = new Set(), hashes = new WeakMap(), ours = document.createElement("canvas")
  for (const name of ["clearRect", "fillRect", "fill", "stroke", "fillText", "drawImage", "putImageData"]) {
    const draw = CanvasRenderingContext2D.prototype[name]
    CanvasRenderingContext2D.prototype[name] = function (...how) {
      if (this.canvas !== ours) drawn.add(this.canvas)
      return draw.apply(this, how)
    }
  }
  const pixels = canvas => {
    const context = canvas.getContext("2d")
    if (!context) {  // drawn in three dimensions: nothing tells when
      ours.width = ours.height = 256
      ours.getContext("2d").drawImage(canvas, 0, 0, 256, 256)
      return ours.toDataURL()
    }
    if (!hashes.has(canvas) || drawn.delete(canvas)) {
      let hash = canvas.width
      if (canvas.width && canvas.height)
        for (const one of new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer))
          hash = Math.imul(hash ^ one, 16777619)
      hashes.set(canvas, hash)
    }
    return "canvas " + hashes.get(canvas)
  }
  const look = (node, out) => {
    if (node.nodeType === 3) { out.push(node.data); return }
    if (node.nodeType !== 1 && node.nodeType !== 11) return
    if (node.tagName === "CANVAS") { out.push(pixels(node)); return }
    if (node.tagName === "svg" && node.querySelector(".role-frame")) {
      for (const mark of node.querySelectorAll(".role-mark path, .role-mark text, .role-mark line"))
        if (mark.getAttribute("opacity") !== "0" && !mark.closest(".background"))
          out.push(["d", "transform", "fill", "stroke", "opacity", "fill-opacity", "stroke-opacity"].map(a => mark.getAttribute(a)).join(),
            mark.tagName === "text" ? mark.textContent : "")
      return
    }
    if (node.nodeType === 1) {
      if (node.classList.contains("glassbox-said") || node.tagName === "STYLE" || node.tagName === "SCRIPT") return
      out.push(node.className?.baseVal === undefined && node.closest("[data-testid]") === null ? node.className : "",
        node.style?.backgroundColor ?? "", node.style?.width ?? "", node.tagName === "INPUT" ? node.value : "",
        node.getAttribute("aria-valuenow") ?? "")
    }
    if (node.shadowRoot) look(node.shadowRoot, out)
    for (const child of node.childNodes) look(child, out)
  }
  window.glassboxArm = (selector, never, mayGo) => {
    const state = { start: null }, armed = performance.now()
    const begin = event => { state.start ??= performance.now() }
    for (const type of ["keydown", "pointerdown"]) window.addEventListener(type, begin, { capture: true, once: true })
    let elements = [], dirty = false
    const observed = new WeakSet()
    const lit = node => {  // the element outside of every shadow that holds the node
      for (let root = node.getRootNode(); root.host; root = node.getRootNode()) node = root.host
      return node
    }
    const observer = new MutationObserver(records => {
      if (dirty) return
      for (const record of records) {
        const node = lit(record.target)
        const came = [...record.addedNodes].some(one => one.nodeType === 1 && (one.matches(selector) || one.querySelector(selector)))
        if (came || elements.some(one => one.contains(node) || !one.isConnected)) { dirty = true; return }
      }
    })
    const observe = root => {
      if (observed.has(root)) return
      observed.add(root)
      observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true })
    }
    const seen = () => {
      elements = [...document.querySelectorAll(selector)]
      const out = []
      for (const element of elements) {
        look(element, out)
        for (const one of [element, ...element.querySelectorAll("*")]) if (one.shadowRoot) observe(one.shadowRoot)
      }
      return out.filter(Boolean).join("|")
    }
    const before = seen()
    const solid = elements.some(one => [...one.querySelectorAll("canvas")].some(canvas => !canvas.getContext("2d")))
    observe(document.body)
    drawn.clear()
    window.glassboxSeen = new Promise(done => {
      const end = value => { observer.disconnect(); done(value) }
      const frame = () => {
        if (state.start === null && performance.now() - armed > never) return end(null)
        if (state.start !== null) {
          if (performance.now() - state.start > never) return end(null)
          if (dirty || drawn.size || solid) {
            dirty = false
            const now = seen()
            drawn.clear()
            if ((now || mayGo) && now !== before) {
              const channel = new MessageChannel()  // its turn comes when this frame has been painted
              channel.port1.onmessage = () => end(performance.now() - state.start)
              channel.port2.postMessage(0)
              return
            }
          }
        }
        requestAnimationFrame(frame)
      }
      requestAnimationFrame(frame)
    })
    return before.length
  }
})()
"""
IDLE = """() => document.querySelector('[data-testid="stApp"]')?.getAttribute('data-test-script-state') === 'notRunning'"""


def main(arguments: list[str]) -> None:
    """Measure, print a table and one JSON line, write the file."""
    options = _options(arguments)
    started = time.time()
    with served(ROOT / "app.py") as labs, empty_app() as empty, chromium() as browser:
        if options.busy:
            _keep_busy(browser, labs)
        rows = [measure(browser, labs, empty, probe, options.repeats, print) for probe in PROBES if probe.page in options.pages]
    times = [ms for row in rows for ms in row["empty_ms"]]
    what = "milliseconds from a key or click to the first frame in which the chart it drives has changed"
    result = head("interaction", arguments, what) | {
        "busy": options.busy,
        "seconds": round(time.time() - started),
        "empty_page": {"median_ms": round(statistics.median(times)), "of": len(times)},
        "probes": [_with_ratio(row) for row in rows],
    }
    for row in result["probes"]:
        print(_line(row))
    options.out.write_text(_written(result), "utf-8")
    print(json.dumps({"empty_page_ms": result["empty_page"]["median_ms"], **_worst(result["probes"])}))


def measure(browser, labs: str, empty: str, probe: Probe, repeats: int, say=None) -> dict:
    """One control in a fresh session: the times in ms of every repeat, None where nothing changed, and of the empty page before each."""
    from playwright.sync_api import Error

    row = {"page": probe.page, "control": probe.control, "kind": probe.kind, "ms": [], "empty_ms": []}
    if probe.stop:
        row["stop_ms"] = []
    contexts = [browser.new_context(viewport={"width": 1280, "height": 1000}, locale="en-US") for _ in range(2)]
    try:
        beside = _opened(contexts[0].new_page(), empty, EMPTY)
        _repeat(_opened(contexts[1].new_page(), f"{labs}/{probe.page}?lang=en&{probe.link}", probe), beside, probe, repeats, row)
    except Error as error:  # no such control, or it cannot be reached: said, and the others are still measured
        row["error"] = error.message.splitlines()[0][:100]
    for context in contexts:
        context.close()
    if say:
        say(f"{probe.page:16} {probe.control:16} {row['ms']} {row['empty_ms']} {row.get('stop_ms', '')} {row.get('error', '')}", flush=True)
    return row


def _opened(page, address: str, probe: Probe):
    """The page, once everything that the probe watches is there and at rest."""
    page.set_default_timeout(30_000)
    page.add_init_script(WATCH)
    page.goto(address)
    page.wait_for_selector("h1")
    _settle(page)
    page.wait_for_function("selector => document.querySelector(selector)", arg=probe.watch)
    _settle(page)
    return page


def _repeat(page, beside, probe: Probe, repeats: int, row: dict) -> None:
    """Fill `row` with the times."""
    for i in range(repeats):
        row["empty_ms"].append(_one(beside, EMPTY.steps[0], EMPTY.watch))
        _settle(beside)
        row["ms"].append(_one(page, probe.steps[i % len(probe.steps)], probe.watch))
        if probe.stop:
            page.wait_for_timeout(1000 * RUNNING)
            row["stop_ms"].append(_one(page, probe.stop, probe.stopped or probe.watch, may_go=True))
        _settle(page)


def _one(page, step: Step, watch: str, may_go: bool = False) -> int | None:
    """Do one thing and wait for what is seen to change; to vanish is a change only with `may_go`."""
    target = page.locator(step.target).first
    target.scroll_into_view_if_needed()
    if step.do in ("press", "type"):
        target.focus()
        if step.do == "type":  # what is measured is the key that hands the text over
            target.evaluate("field => field.setSelectionRange(field.value.length, field.value.length)")
            page.keyboard.type(step.argument)
            page.wait_for_timeout(50)
    page.evaluate("(how) => glassboxArm(...how)", [watch, 1000 * NEVER, may_go])
    if step.do == "press":
        page.keyboard.press(step.argument)
    elif step.do == "type":
        page.keyboard.press("Control+Enter")
    else:
        target.click(force=True, no_wait_after=True)
    found = page.evaluate("() => window.glassboxSeen")
    return None if found is None else round(found)


def _settle(page) -> None:
    """Wait until the script is done and the browser has drawn what it got."""
    page.wait_for_function(IDLE)
    page.wait_for_timeout(250)
    page.wait_for_function(IDLE)


def _keep_busy(browser, labs: str) -> None:
    """Another viewer, whose text is written on without end. Their browser draws no charts: it would run elsewhere."""
    page = browser.new_context(viewport={"width": 400, "height": 300}).new_page()
    page.route("**/ArrowVegaLiteChart*.js", lambda route: route.abort())
    page.goto(f"{labs}/next_token?lang=en")
    page.wait_for_selector(".st-key-next_token_write button", timeout=60_000)
    page.evaluate("() => setInterval(() => document.querySelector('.st-key-next_token_write button')?.click(), 100)")
    page.wait_for_selector(".st-key-next_token_stop", timeout=60_000)


@contextmanager
def empty_app():
    """The page that the labs are compared with."""
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app.py"
        app.write_text(EMPTY_APP, "utf-8")
        with served(app) as address:
            yield address


@contextmanager
def chromium():
    """The Chromium of this machine, driven by playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


def find_chromium() -> str | None:
    """Where Chromium is; None lets playwright look for its own."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


def _with_ratio(row: dict) -> dict:
    """The row with its medians over the repeats that changed, how many did not, and the ratio to the empty page."""
    found = [ms for ms in row["ms"] if ms is not None]
    median = statistics.median(found) if found else None
    base = statistics.median(row["empty_ms"]) if row["empty_ms"] else None
    ratio = round(median / base, 2) if found else None
    extra = {"median_ms": median, "empty_median_ms": base, "ratio": ratio, "unchanged": len(row["ms"]) - len(found)}
    if "stop_ms" in row:
        stops = [ms for ms in row["stop_ms"] if ms is not None]
        extra |= {"stop_median_ms": statistics.median(stops) if stops else None, "stop_unseen": len(row["stop_ms"]) - len(stops)}
    return row | extra


def _line(row: dict) -> str:
    missed = f"  {row['unchanged']} of {len(row['ms'])} without a change" if row["unchanged"] else ""
    missed += f"  {row['error']}" if "error" in row else ""
    stop = f"  stop {row['stop_median_ms']} ms" if "stop_ms" in row else ""
    return f"{row['page']:16} {row['control']:24} {row['median_ms'] or '-':>6} ms  {row['ratio'] or '-':>5} x{stop}{missed}"


def _worst(rows: list[dict]) -> dict:
    ratios = {f"{row['page']}.{row['control']}": row["ratio"] for row in rows if row["ratio"]}
    worst = max(ratios, key=ratios.get, default=None)
    counts = {"unchanged": sum(row["unchanged"] for row in rows), "errors": sum("error" in row for row in rows)}
    return {"probes": len(rows), "worst": worst, "worst_ratio": ratios.get(worst)} | counts


def _written(result: dict) -> str:
    """One line a probe, so that a new run reads well as a difference."""
    head = {key: value for key, value in result.items() if key != "probes"}
    rows = ",\n".join("  " + json.dumps(row) for row in result["probes"])
    return json.dumps(head, indent=1, ensure_ascii=False)[:-2] + f',\n "probes": [\n{rows}\n ]\n}}\n'


def _options(arguments: list[str]) -> argparse.Namespace:
    known = sorted({probe.page for probe in PROBES})
    parser = argparse.ArgumentParser(prog="python -m core.bench interaction", description=__doc__.split("\n")[0])
    parser.add_argument("--busy", action="store_true", help="another viewer keeps the model busy")
    parser.add_argument("--pages", type=lambda text: text.split(","), default=known, help="only these: " + ",".join(known))
    parser.add_argument("--repeats", type=int, default=7, help="at least 5 (default 7)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    if options.repeats < 5:
        parser.error(f"--repeats must be at least 5, got {options.repeats}")
    unknown = set(options.pages) - set(known)
    if unknown:
        parser.error(f"no probes for {', '.join(sorted(unknown))}; there are some for {', '.join(known)}")
    return options
