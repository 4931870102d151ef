"""Text as a row of tokens: coloured by a value, clickable, usable with the keyboard alone.

Arrow keys, Home and End move; Enter or Space chooses. Tokens are written as text, never as HTML.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from core.ui import live

NOTED = 0.05  # weights below get no small print
MOST_PAIRS = 128  # tokens whose weights on each other are sent along: 32 kB

COLORS = (Path(__file__).parent / "colors.js").read_text("utf-8")

_CSS = """
:host { display: block; }
.strip { display: flex; flex-wrap: wrap; gap: 4px 3px; line-height: 1.5; padding: 2px; }
.strip > * {
  font: inherit; font-family: var(--st-font); font-size: 1rem; color: var(--st-text-color);
  background: var(--st-secondary-background-color); border: 1px solid transparent; border-radius: 6px;
  padding: 2px 6px; margin: 0; min-width: 1.2em; white-space: pre-wrap; overflow-wrap: anywhere; text-align: center;
  transition: background-color 120ms, opacity 120ms;
}
.strip small { display: block; font-size: 0.68rem; line-height: 1.1; font-variant-numeric: tabular-nums; }
.strip button { cursor: pointer; }
.strip button:hover { border-color: var(--st-text-color); }
.strip :focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.strip .selected { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.strip .dropped { opacity: 0.68; text-decoration: line-through; background: transparent !important;
  color: var(--st-text-color) !important; border-color: var(--st-border-color); }
.strip .fresh { border-bottom: 2px solid var(--st-primary-color); }
.strip .marked { border-color: var(--st-text-color); }
@media (pointer: coarse) { .strip > * { padding: 6px 9px; } .strip { gap: 6px 5px; } }
@media (prefers-reduced-motion: reduce) { .strip > * { transition: none; } }
"""

_JS = COLORS + """
const memory = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  let strip = parentElement.querySelector(".strip")
  if (!strip) return
  const host = parentElement.host ?? parentElement
  const colors = palette(strip, `--st-chart-${data.palette}-colors`).map(channels)
  const tag = data.clickable ? "BUTTON" : "SPAN"
  strip.setAttribute("role", data.clickable ? "toolbar" : "list")
  strip.setAttribute("aria-label", data.label)

  const write = (cell, text, small) => {
    const written = text + "\\u0000" + small
    if (cell.dataset.written === written) return
    cell.textContent = text
    if (small) {
      const note = document.createElement("small")
      note.textContent = small
      cell.append(note)
    }
    cell.dataset.written = written
  }
  const ink_in = (cell, value) => {
    const fill = value === null || !colors.length ? null : shade(colors, value)
    cell.style.backgroundColor = fill ? `rgb(${fill})` : ""
    cell.style.color = fill ? ink(fill) : ""
  }
  const choose = (cell, chosen) => {
    cell.classList.toggle("selected", chosen)
    if (tag === "BUTTON") cell.setAttribute("aria-pressed", String(chosen))
  }

  data.tokens.forEach((token, i) => {
    let cell = strip.children[i]
    if (!cell || cell.tagName !== tag) {
      const fresh = document.createElement(tag)
      if (tag === "BUTTON") fresh.type = "button"; else fresh.setAttribute("role", "listitem")
      cell ? strip.replaceChild(fresh, cell) : strip.append(fresh)
      cell = fresh
    }
    write(cell, token.text, token.note)
    cell.title = token.title
    cell.setAttribute("aria-label", token.title || token.text)
    cell.className = token.state
    choose(cell, i === data.selected)
    ink_in(cell, token.value)
  })
  while (strip.children.length > data.tokens.length) strip.lastChild.remove()
  if (!data.clickable) return

  const cells = [...strip.children]
  const known = memory.get(host) ?? {}
  const focus = Math.min(data.selected ?? known.focus ?? 0, cells.length - 1)
  cells.forEach((cell, i) => { cell.tabIndex = i === focus ? 0 : -1 })
  const move = to => {
    const i = Math.min(Math.max(to, 0), cells.length - 1)
    cells.forEach((cell, j) => { cell.tabIndex = j === i ? 0 : -1 })
    cells[i].focus()
    memory.set(host, { focus: i })
  }
  strip.onkeydown = event => {
    const i = cells.indexOf(event.target)
    const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: cells.length - 1 }[event.key]
    if (i < 0 || to === undefined) return
    event.preventDefault()
    move(to)
  }
  const show = chosen => {  // what the answer will show, at once
    const weights = new Uint16Array(Uint8Array.from(atob(data.pairs), c => c.charCodeAt(0)).buffer)
    cells.forEach((cell, j) => {
      const weight = weights[chosen * cells.length + j] / 65535
      ink_in(cell, 0.5 + (j <= chosen ? 0.5 : -0.5) * Math.sqrt(weight))
      write(cell, data.tokens[j].text, weight >= data.noted ? Math.round(100 * weight) + data.percent : "")
      choose(cell, j === chosen)
    })
  }
  strip.onclick = event => {
    const i = cells.indexOf(event.target.closest("button"))
    if (i < 0) return
    memory.set(host, { focus: i })
    if (data.pairs) show(i)
    setTriggerValue("clicked", i)
  }
}
"""

_component = st.components.v2.component("glassbox_token_strip", html='<div class="strip"></div>\n', css=_CSS, js=_JS)


@dataclass(frozen=True)
class Token:
    """One token as the strip shows it."""

    text: str  # Tokenizer.label(id)
    value: float | None = None  # 0..1 picks the colour; None = no colour
    title: str = ""  # tooltip and what a screen reader says
    note: str = ""  # small print under the token, such as "62%"
    state: str = ""  # "" | "dropped" (forgotten, greyed) | "fresh" (new) | "marked"


def read_tokens(page, reading, fresh: int = 0) -> list[Token]:
    """The tokens of a `live.Reading`, coloured by the probability each had where it stands; the last `fresh` are new."""
    names, shares = page.lm.tokenizer.labels(reading.ids), reading.logprobs.exp().tolist()
    tokens = [Token(names[0], title=page.t.plain("token.first", token=names[0]))]
    for i in range(1, len(names)):
        title = page.t.plain("token.share", token=names[i], share=shares[i])
        tokens.append(Token(names[i], _root(shares[i]), title, state="fresh" if i >= len(names) - fresh else ""))
    return tokens


def candidates(page, names: Sequence[str], shares: Sequence[float]) -> list[Token]:
    """Possible next tokens with their probabilities underneath."""
    t = page.t
    return [Token(n, _root(p), t.plain("token.share", token=n, share=p), t.number(p, ".0%")) for n, p in zip(names, shares)]


def expected_there(page, reading, i: int) -> None:
    """In a sentence: what the model expected at token i >= 1 of a `live.Reading`. Text: `text.expected`."""
    t, label = page.t, page.lm.tokenizer.label
    share, rank, likeliest = live.expected(page.lm, reading, i)
    words = t.join(f"{label(token)} {t.number(p, '.0%')}" for token, p in likeliest)
    st.caption(t("text.expected", n=i + 1, token=label(reading.ids[i]), share=share, rank=rank, expected=words))


def _root(share: float) -> float:
    """A probability's place on the palette: small ones stay apart, and 1 is still a colour to read on."""
    return 0.72 * min(max(share, 0.0), 1.0) ** 0.5


def token_strip(
    page,
    name: str,
    tokens: Sequence[Token],
    label: str,
    on_click: Callable[[int], None] | None = None,
    selected: int | None = None,
    palette: str = "sequential",
    pairs: np.ndarray | None = None,
) -> None:
    """Draw the tokens; `on_click(index)` runs before the rerun that a click causes.

    `label` says to a screen reader what the row is; `palette` is sequential or diverging. `pairs` (n, n) are the weights 0..1
    that all tokens get when one is chosen, those behind it in the other colour: then a click is answered in the browser.
    """
    key = page.key(name)
    data = {
        "tokens": [asdict(token) for token in tokens],
        "clickable": on_click is not None,
        "selected": selected,
        "palette": palette,
        "label": label,
    }
    if pairs is not None and len(tokens) <= MOST_PAIRS:
        sent = b64encode(np.rint(np.asarray(pairs, np.float64) * 65535).astype("<u2").tobytes()).decode()
        data |= {"pairs": sent, "noted": NOTED, "percent": page.t.number(1, ".0%").removeprefix("100")}

    def clicked():
        index = st.session_state[key].clicked
        if on_click is not None and index is not None and 0 <= int(index) < len(tokens):
            on_click(int(index))

    _component(key=key, data=data, on_clicked_change=clicked)
