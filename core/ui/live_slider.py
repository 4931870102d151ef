"""A slider that reports while the finger still drags; Streamlit's own reports on release.

It sends the next value only when the answer to the last one has been drawn, so a slow server or line
makes it coarser, never late.
"""

import streamlit as st

from core.ui import url

_HTML = """
<label><span class="name"></span><output></output>
<input type="range"></label>
<div class="ends"><span></span><span></span></div>
"""

_CSS = """
:host { display: block; }
label { display: grid; grid-template-columns: 1fr auto; row-gap: 6px; font-family: var(--st-font); font-size: 0.875rem;
  color: var(--st-text-color); }
output { color: var(--st-primary-color); font-weight: 600; font-variant-numeric: tabular-nums; }
input { grid-column: 1 / 3; width: 100%; margin: 0; height: 24px; accent-color: var(--st-primary-color); cursor: pointer;
  touch-action: pan-y; }
input:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 3px; border-radius: 6px; }
.ends { display: flex; justify-content: space-between; font-family: var(--st-font); font-size: 0.8rem;
  color: var(--st-text-color); opacity: 0.7; }
"""

_JS = """
const memory = new WeakMap()

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const input = parentElement.querySelector("input"), shown = parentElement.querySelector("output")
  if (!input) return
  const host = parentElement.host ?? parentElement
  const own = memory.get(host) ?? { dragging: false, waiting: false, sent: null, timer: 0 }
  memory.set(host, own)
  parentElement.querySelector(".name").textContent = data.label
  const [low, high] = parentElement.querySelectorAll(".ends span")
  low.textContent = data.ends[0]
  high.textContent = data.ends[1]
  input.min = data.min; input.max = data.max; input.step = data.step
  input.setAttribute("aria-label", data.label)

  const write = () => { shown.textContent = Number(input.value).toFixed(data.digits).replace(".", data.decimal) }
  const send = () => {
    const value = Number(input.value)
    if (own.waiting || value === own.sent) return
    own.sent = value
    own.waiting = true
    clearTimeout(own.timer)
    own.timer = setTimeout(() => { own.waiting = false; send() }, 400)
    setStateValue("value", value)
  }
  if (!own.dragging && !own.waiting) { input.value = data.value; own.sent = data.value }
  if (own.waiting && data.value === own.sent) { own.waiting = false; clearTimeout(own.timer); requestAnimationFrame(send) }
  write()
  input.oninput = () => { own.dragging = true; write(); send() }
  input.onchange = () => { own.dragging = false; write(); setTriggerValue("settled", Number(input.value)) }
}
"""

_component = st.components.v2.component("glassbox_live_slider", html=_HTML, css=_CSS, js=_JS)


def live_slider(page, name: str, low: float, high: float, default: float, step: float) -> float:
    """A number from `low` to `high` that follows the finger. Use it inside a fragment.

    Texts: `<name>.label`, `<name>.low` and `<name>.high` for the two ends. The link is written on release.
    """
    key, slider = page.key(name), page.key(name) + "_slider"
    url.seed(page, name, default, lambda raw: _within(float(raw), low, high))

    def moved(event: str, dragging: bool):
        value = getattr(st.session_state[slider], event)
        if value is not None:
            st.session_state[key] = min(max(float(value), low), high)
        st.session_state[slider + "_dragging"] = dragging

    value = float(st.session_state[key])
    _component(
        key=slider,
        data={
            "label": page.t.plain(f"{name}.label"),
            "ends": [page.t.plain(f"{name}.low"), page.t.plain(f"{name}.high")],
            "min": low,
            "max": high,
            "step": step,
            "value": value,
            "digits": len(f"{step:g}".partition(".")[2]),
            "decimal": "," if page.language == "de" else ".",
        },
        on_value_change=lambda: moved("value", dragging=True),
        on_settled_change=lambda: moved("settled", dragging=False),
    )
    if not st.session_state.get(slider + "_dragging"):  # a browser allows few changes of the address a second
        url.share(page, name, None if value == default else f"{value:g}")
    return value


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high:  # also false for nan
        raise ValueError(f"must be in [{low}, {high}], got {value}")
    return value
