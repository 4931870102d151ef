"""A text as a score: under every token one stripe a layer in the colours of the experts it went to, as wide as each counts.

A click on an expert leaves the others pale; a click on a token, or the arrow keys and Enter, chooses it.
"""

from collections.abc import Callable, Sequence

import streamlit as st

from core.measure.experts import Routes

_CSS = """
:host { display: block; }
.frame { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.95rem; }
.legend { display: flex; flex-wrap: wrap; gap: 5px 6px; margin: 0 0 12px; }
.legend button { font: inherit; font-size: 0.82rem; color: inherit; cursor: pointer; padding: 3px 9px; border-radius: 8px; min-height: 30px;
  border: 1px solid var(--st-border-color); background: transparent; font-variant-numeric: tabular-nums; }
.legend button::before { content: ""; display: inline-block; width: 0.85em; height: 0.85em; border-radius: 3px; margin-right: 6px;
  background: var(--ink); vertical-align: -1px; }
.legend button[aria-pressed="true"] { border-color: var(--st-text-color); font-weight: 700; }
.legend small { opacity: 0.75; margin-left: 5px; }
.text { display: flex; flex-wrap: wrap; gap: 9px 3px; }
.text button { font: inherit; color: inherit; cursor: pointer; margin: 0; padding: 2px 0 0; border: 0; background: transparent;
  min-width: 1.7em; max-width: 100%; border-radius: 5px;
  display: flex; flex-direction: column; align-items: stretch; gap: 2px; transition: opacity 120ms; }
.text span { padding: 0 3px; white-space: pre; overflow: hidden; text-overflow: ellipsis; line-height: 1.35; text-align: center; }
.text i { height: 5px; border-radius: 2px; display: block; }
.text i.focus { height: 15px; border-radius: 3px; }
.text button.pale { opacity: 0.22; }
.text button.selected { outline: 2px solid var(--st-text-color); outline-offset: 1px; }
button:hover { background: var(--st-secondary-background-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
@media (prefers-reduced-motion: reduce) { .text button { transition: none; } }
"""

_JS = """
const memory = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  if (!frame) return
  const own = memory.get(frame) ?? { only: null, focus: 0, network: data.network }
  memory.set(frame, own)
  if (own.network !== data.network) Object.assign(own, { only: null, network: data.network })  // its expert 1 is another one
  const raw = getComputedStyle(frame).getPropertyValue("--st-chart-categorical-colors")
  const colors = raw.split(/,(?![^(]*\\))/).map(c => c.trim())
  const make = (tag, text, className = "") => Object.assign(document.createElement(tag), { textContent: text, className })
  const legend = frame.querySelector(".legend"), text = frame.querySelector(".text")

  const dim = () => {
    [...legend.children].forEach((button, e) => button.setAttribute("aria-pressed", String(e === own.only)))
    ;[...text.children].forEach((cell, i) => {
      const here = own.only === null || data.first[data.layer][i] === own.only || data.second[data.layer][i] === own.only
      cell.classList.toggle("pale", !here)
    })
  }
  legend.replaceChildren(...data.experts.map(([name, share], e) => {
    const button = make("button", name)
    button.type = "button"
    button.style.setProperty("--ink", colors[e % colors.length])
    button.append(make("small", share))
    button.onclick = () => { own.only = own.only === e ? null : e; dim() }
    return button
  }))

  text.setAttribute("aria-label", data.label)
  data.tokens.forEach((token, i) => {
    const stripes = data.first.map((first, l) => [first[i], data.second[l][i], data.weight[l][i]])
    const written = JSON.stringify([token, stripes]) + colors
    let cell = text.children[i]
    if (cell?.written !== written) {
      const fresh = make("button", "")
      fresh.type = "button"
      fresh.written = written
      fresh.append(make("span", token), ...stripes.map(([first, second, weight]) => {
        const stripe = make("i", "")
        const [a, b] = [colors[first % colors.length], colors[second % colors.length]]
        stripe.style.background = `linear-gradient(to right, ${a} 0 ${weight}%, ${b} ${weight}% 100%)`
        return stripe
      }))
      cell ? text.replaceChild(fresh, cell) : text.append(fresh)
      cell = fresh
    }
    cell.title = data.titles[i]
    cell.setAttribute("aria-label", data.titles[i])
    stripes.forEach((stripe, l) => cell.children[l + 1].classList.toggle("focus", l === data.layer))
    cell.classList.toggle("selected", i === data.selected)
    cell.setAttribute("aria-pressed", String(i === data.selected))
    cell.tabIndex = -1
  })
  while (text.children.length > data.tokens.length) text.lastChild.remove()
  own.focus = Math.min(own.focus, text.children.length - 1)
  if (text.children[own.focus]) text.children[own.focus].tabIndex = 0
  dim()
  text.onkeydown = event => {
    const i = [...text.children].indexOf(event.target.closest("button"))
    const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: text.children.length - 1 }[event.key]
    if (i < 0 || to === undefined || !text.children[to]) return
    event.preventDefault()
    text.children[own.focus].tabIndex = -1
    own.focus = to
    text.children[to].tabIndex = 0
    text.children[to].focus()
  }
  text.onclick = event => {
    const i = [...text.children].indexOf(event.target.closest("button"))
    if (i < 0) return
    own.focus = i
    setTriggerValue("chosen", i)
  }
}
"""

_HTML = '<div class="frame"><div class="legend"></div><div class="text" role="group"></div></div>\n'
_component = st.components.v2.component("glassbox_expert_score", html=_HTML, css=_CSS, js=_JS)


def expert_score(
    page, name: str, network: str, labels: Sequence[str], routes: Routes, layer: int, selected: int | None, on_choose: Callable[[int], None]
) -> None:  # fmt: skip
    """Draw the tokens (`labels`) of `routes`; the stripe of `layer` is the broad one, and the shares beside the experts are its own.

    `on_choose(token)` runs before the rerun that a click causes. Texts: `<name>.label`, `<name>.expert`, `<name>.token`.
    """
    t, key = page.t, page.key(name)
    experts, weights = routes.experts.tolist(), routes.weights[..., 0].tolist()
    first, second = ([[chosen[place] for chosen in row] for row in experts] for place in (0, 1))
    said = [
        t.plain(f"{name}.token", token=token, layer=layer + 1, first=a + 1, second=b + 1, share=w)
        for token, a, b, w in zip(labels, first[layer], second[layer], weights[layer])
    ]
    data = {
        "network": network, "layer": layer, "selected": selected, "label": t.plain(f"{name}.label"), "tokens": list(labels), "titles": said,
        "first": first, "second": second, "weight": [[round(100 * w) for w in row] for row in weights],
        "experts": [
            [t.plain(f"{name}.expert", n=e + 1), t.number(share, ".0%")] for e, share in enumerate(routes.loads[layer].tolist())
        ],
    }  # fmt: skip

    def chosen():
        token = st.session_state[key].chosen
        if token is not None and 0 <= int(token) < len(labels):
            on_choose(int(token))

    _component(key=key, data=data, on_chosen_change=chosen)
