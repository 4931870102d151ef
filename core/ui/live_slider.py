"""A slider that is felt while the finger still drags; Streamlit's own reports on release.

It works in one of two ways. A chart that holds the picture of every step (`follow=` in
core/charts/distribution.py) listens to it in the browser, and the server hears the value on release. Or the
server draws every step: then the slider sends the next value only when the answer to the last one has
been drawn, so a slow line makes it coarser, never late.
"""

import streamlit as st

from core.ui import url

_HTML = """
<div class="whole">
<button type="button" class="back" hidden><svg viewBox="0 0 16 16"><path d="M10 3 5 8l5 5"/></svg><span></span></button>
<button type="button" class="on" hidden><svg viewBox="0 0 16 16"><path d="m6 3 5 5-5 5"/></svg><span></span></button>
<label><span class="name"></span><output></output>
<input type="range"><span class="low"></span><span class="high"></span></label>
</div>
"""

_CSS = """
:host { display: block; }
.whole { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; }
button { display: flex; align-items: center; gap: 0.4rem; min-height: 2.5rem; padding: 0.25rem 0.75rem; font: 0.95rem var(--st-font);
  color: var(--st-text-color); background: transparent; border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
  cursor: pointer; }
button[hidden] { display: none; }
button:hover:not(:disabled) { border-color: var(--st-primary-color); color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
button:disabled { opacity: 0.4; cursor: not-allowed; }
button svg { width: 1rem; fill: none; stroke: currentColor; stroke-width: 1.6; }
button:not([hidden]) ~ label { max-width: 420px; margin-left: 0.5rem; }
label { flex: 1 1 200px; display: grid; grid-template-columns: 1fr auto; row-gap: 4px; font-family: var(--st-font);
  font-size: 0.875rem; color: var(--st-text-color); }
label output { justify-self: end; color: var(--st-link-color); font-weight: 600; font-variant-numeric: tabular-nums; }
label input { grid-column: 1 / 3; width: 100%; margin: 0; height: 24px; cursor: pointer; touch-action: pan-y;
  appearance: none; background: transparent; }
label input::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background:
  linear-gradient(to right, var(--st-primary-color) var(--filled), var(--st-border-color) var(--filled)); }
label input::-moz-range-track { height: 4px; border-radius: 2px; background: var(--st-border-color); }
label input::-moz-range-progress { height: 4px; border-radius: 2px; background: var(--st-primary-color); }
label input::-webkit-slider-thumb { appearance: none; width: 16px; height: 16px; margin-top: -6px; border-radius: 50%;
  background: var(--st-primary-color); }
label input::-moz-range-thumb { width: 16px; height: 16px; border: 0; border-radius: 50%; background: var(--st-primary-color); }
label input:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 3px; border-radius: 6px; }
label .low, label .high { font-size: 0.8rem; opacity: 0.7; }
"""

_JS = """
const memory = new WeakMap()

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const input = parentElement.querySelector("input"), shown = parentElement.querySelector("output")
  if (!input) return
  const own = memory.get(input) ?? { dragging: false, waiting: false, sent: null, timer: 0, settled: null, at: 0 }
  memory.set(input, own)
  for (const part of ["name", "low", "high"]) parentElement.querySelector("." + part).textContent = data[part]
  Object.assign(input, { min: data.min, max: data.max, step: data.step })
  input.setAttribute("aria-label", data.name)

  const relay = document.getElementById(data.relay)  // what a chart listens to
  const buttons = ["back", "on"].map(kind => parentElement.querySelector("." + kind))
  const write = () => {
    buttons[0].disabled = Number(input.value) <= data.min
    buttons[1].disabled = Number(input.value) >= data.max
    shown.textContent = Number(input.value).toFixed(data.digits).replace(".", data.decimal)
    input.style.setProperty("--filled", `${100 * (input.value - input.min) / (input.max - input.min)}%`)
    if (relay && relay.value !== input.value) {
      relay.value = input.value
      relay.dispatchEvent(new Event("input"))
    }
  }
  const send = () => {
    const value = Number(input.value)
    if (!data.every_step || own.waiting || value === own.sent) return
    own.sent = value
    own.waiting = true
    clearTimeout(own.timer)
    own.timer = setTimeout(() => { own.waiting = false; send() }, 400)
    setStateValue("value", value)
  }
  if (own.waiting && data.value === own.sent) {
    own.waiting = false
    clearTimeout(own.timer)
    requestAnimationFrame(send)
  } else if (own.settled !== null && performance.now() - own.at < 1500) {  // keys come faster than answers: older ones are passed over
    if (data.value === own.settled) own.settled = null
  } else if (!own.dragging && !own.waiting) {
    input.value = own.sent = data.value
  }
  write()
  input.oninput = () => { own.dragging = true; write(); send() }
  input.onchange = () => {
    own.dragging = false
    own.sent = own.settled = Number(input.value)
    own.at = performance.now()
    setTriggerValue("settled", own.sent)
  }
  buttons.forEach((button, i) => {  // one step of the slider, where it has buttons
    button.hidden = !data.buttons
    button.querySelector("span").textContent = data.buttons?.[i] ?? ""
    button.onclick = () => { i ? input.stepUp() : input.stepDown(); write(); input.onchange() }
  })
}
"""

_component = st.components.v2.component("glassbox_live_slider", html=_HTML, css=_CSS, js=_JS)


def live_slider(
    page, name: str, low: float, high: float, default: float, step: float, every_step: bool = False, buttons: tuple[str, str] | None = None
) -> float:  # fmt: skip
    """A number from `low` to `high`; the link is written on release. Texts: `<name>.label`, `.low`, `.high` (the ends).

    A chart that follows it takes `follow=selector(page, name)`. `every_step` runs the fragment while dragging. `buttons` are
    the words of two that take one step back and on.
    """
    key, slider = page.key(name), page.key(name) + "_slider"
    url.seed(page, name, default, lambda raw: _step(float(raw), low, high, step))

    def moved(event: str, dragging: bool):
        value = getattr(st.session_state[slider], event)
        if value is not None:
            st.session_state[key] = min(max(float(value), low), high)
        st.session_state[slider + "_dragging"] = dragging

    value = float(st.session_state[key])
    relay = selector(page, name)[1:]
    data = {
        "relay": relay,
        "name": page.t.plain(f"{name}.label"),
        "low": page.t.plain(f"{name}.low"),
        "high": page.t.plain(f"{name}.high"),
        "min": low,
        "max": high,
        "step": step,
        "value": value,
        "every_step": every_step,
        "buttons": buttons,
        "digits": len(f"{step:g}".partition(".")[2]),
        "decimal": "," if page.language == "de" else ".",
    }
    with st.container(gap=None):
        st.html(f'<input type="hidden" id="{relay}">')  # components come late; a chart needs something to listen to at once
        on_drag, on_release = lambda: moved("value", dragging=True), lambda: moved("settled", dragging=False)
        _component(key=slider, data=data, on_value_change=on_drag, on_settled_change=on_release)
    if not st.session_state.get(slider + "_dragging"):  # a browser allows few changes of the address a second
        url.share(page, name, None if value == default else f"{value:g}")
    return value


def stepped_slider(page, name: str, last: int, default: int, words: str) -> int:
    """A live slider from 1 to `last` with buttons for one step back and on (texts `<words>.back`, `<words>.on`)."""
    buttons = page.t.plain(f"{words}.back"), page.t.plain(f"{words}.on")
    return min(int(live_slider(page, name, 1, last, default, 1, buttons=buttons)), last)


def selector(page, name: str) -> str:
    """CSS selector of what carries the slider's value, for a chart that follows it."""
    return f"#glassbox_{page.key(name)}"


def _step(value: float, low: float, high: float, step: float) -> float:
    """The nearest value the slider can stand at."""
    if not low <= value <= high:  # also false for nan
        raise ValueError(f"must be in [{low}, {high}], got {value}")
    return round(low + round((value - low) / step) * step, 9)
