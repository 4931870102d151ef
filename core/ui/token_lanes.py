"""One text in several encodings, one row each, aligned letter by letter; where they cut differently is ringed.

Left and right move along a row, up and down to another encoding; Enter or Space chooses a token. Tokens are
written as text, never as HTML; what did not change is not drawn again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.tokenization import Chunk, Lane
from core.tokenizers import readable
from core.ui import url

_CSS = """
:host { display: block; }
.frame { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.9rem; }
.lanes { display: grid; grid-template-columns: auto auto 1fr; gap: 3px 12px; align-items: center; margin: 0 0 14px; padding: 0; }
.lanes b { font-weight: 600; border-left: 12px solid var(--lane); border-radius: 3px; padding-left: 7px; }
.lanes span { font-variant-numeric: tabular-nums; }
.lanes i { height: 9px; border-radius: 5px; background: var(--lane); width: var(--share); transition: width 150ms; min-width: 3px; }
.text { display: flex; flex-wrap: wrap; gap: 9px 4px; }
.chunk { display: grid; gap: 2px; padding: 3px; border: 2px solid transparent; border-radius: 9px; max-width: 100%;
  box-sizing: border-box; overflow-x: auto; grid-auto-columns: minmax(0.58em, auto); grid-auto-rows: 1.85rem; }
.noted .chunk { grid-auto-rows: 2.5rem; }
.chunk.differs { border-color: var(--st-text-color); }
.chunk button { font: inherit; color: inherit; cursor: pointer; border: 1px solid transparent; border-radius: 5px; margin: 0;
  padding: 0 3px; min-width: 0; white-space: pre; line-height: 1.15; text-align: center;
  background: color-mix(in srgb, var(--lane) 26%, var(--st-background-color)); }
.chunk button:hover { border-color: var(--st-text-color); }
.chunk button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.chunk button.selected { outline: 2px solid var(--st-primary-color); outline-offset: 0; font-weight: 700; }
.chunk small { display: block; font-size: 0.66rem; font-weight: 400; opacity: 0.85; font-variant-numeric: tabular-nums; }
@media (prefers-reduced-motion: reduce) { .lanes i { transition: none; } }
"""

_JS = """
const memory = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  if (!frame) return
  const own = memory.get(frame) ?? { focus: null }
  memory.set(frame, own)
  const raw = getComputedStyle(frame).getPropertyValue("--st-chart-categorical-colors")
  const colors = raw.split(/,(?![^(]*\\))/).map(c => c.trim())
  const make = (tag, text, className = "") => Object.assign(document.createElement(tag), { textContent: text, className })

  const most = Math.max(...data.lanes.map(lane => lane.tokens), 1)
  frame.querySelector(".lanes").replaceChildren(...data.lanes.flatMap(lane => {
    const cells = [make("b", lane.label), make("span", lane.note), make("i", "")]
    cells.forEach(cell => cell.style.setProperty("--lane", colors[lane.color]))
    cells[2].style.setProperty("--share", `${100 * lane.tokens / most}%`)
    return cells
  }))

  const text = frame.querySelector(".text")
  text.setAttribute("aria-label", data.label)
  frame.classList.toggle("noted", data.under !== "none")
  const frozen = data.under + colors + data.lanes.map(lane => lane.label + lane.color)
  data.chunks.forEach((chunk, c) => {
    const known = text.children[c], written = frozen + JSON.stringify(chunk)
    if (known?.written === written) return
    const box = make("div", "", chunk.differs ? "chunk differs" : "chunk")
    box.written = written
    chunk.lanes.forEach((tokens, l) => {
      let column = 1
      tokens.forEach(([span, shown, id, hex], i) => {
        const cell = make("button", shown)
        cell.type = "button"
        cell.style.gridArea = `${l + 1} / ${column} / auto / span ${span}`
        cell.style.setProperty("--lane", colors[data.lanes[l].color])
        cell.title = `${data.lanes[l].label}: ${shown} · ${data.words.id} ${id} · ${data.words.bytes} ${hex}`
        if (data.under !== "none") cell.append(make("small", data.under === "id" ? String(id) : hex))
        cell.lane = l
        cell.place = i
        cell.tabIndex = -1
        column += span
        box.append(cell)
      })
    })
    known ? text.replaceChild(box, known) : text.append(box)
  })
  while (text.children.length > data.chunks.length) text.lastChild.remove()

  const rows = data.lanes.map(() => [])
  ;[...text.children].forEach((box, c) => {
    for (const cell of box.children) {
      cell.chunk = c
      cell.index = rows[cell.lane].push(cell) - 1
      const chosen = cell.lane === data.selected[0] && cell.index === data.selected[1]
      cell.classList.toggle("selected", chosen)
      cell.setAttribute("aria-pressed", String(chosen))
      if (chosen && !own.focus?.isConnected) own.focus = cell
    }
  })
  if (!own.focus?.isConnected) own.focus = rows[0][0]
  if (own.focus) own.focus.tabIndex = 0
  const beside = (cell, step) => {
    const row = rows[cell.lane + step]
    return row?.find(other => other.chunk === cell.chunk)
  }
  text.onkeydown = event => {
    const cell = event.target.closest("button")
    if (!cell) return
    const row = rows[cell.lane]
    const to = { ArrowRight: row[cell.index + 1], ArrowLeft: row[cell.index - 1], ArrowUp: beside(cell, -1),
      ArrowDown: beside(cell, 1), Home: row[0], End: row.at(-1) }[event.key]
    if (!to) return
    event.preventDefault()
    own.focus.tabIndex = -1
    own.focus = to
    to.tabIndex = 0
    to.focus()
  }
  text.onclick = event => {
    const cell = event.target.closest("button")
    if (!cell) return
    own.focus.tabIndex = -1
    own.focus = cell
    cell.tabIndex = 0
    setTriggerValue("chosen", [cell.lane, cell.index])
  }
}
"""

_HTML = '<div class="frame"><div class="lanes"></div><div class="text" role="group"></div></div>\n'
_component = st.components.v2.component("glassbox_token_lanes", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Row:
    """One encoding as the picture shows it."""

    lane: Lane
    label: str
    note: str  # what is counted, beside the name
    color: int  # place in the theme's categorical palette


def token_lanes(
    page, name: str, rows: Sequence[Row], chunks: Sequence[Chunk], under: str, selected: tuple[int, int], label: str,
    on_choose: Callable[[tuple[int, int]], None],
) -> None:  # fmt: skip
    """Draw `chunks`, which `core.tokenization.align` made of the rows' lanes, each token with its id or bytes `under` it.

    `under` is "id", "bytes" or "none"; `selected` (row, token) is framed; `on_choose((row, token))` runs before the rerun
    that a click causes. Texts: `<name>.id`, `<name>.bytes`.
    """
    key = page.key(name)
    data = {
        "lanes": [{"label": row.label, "note": row.note, "color": row.color, "tokens": len(row.lane.ids)} for row in rows],
        "chunks": [{"differs": c.differs, "lanes": [_cells(r.lane, s, f) for r, s, f in zip(rows, c.spans, c.first)]} for c in chunks],
        "under": under,
        "selected": list(selected),
        "label": label,
        "words": {word: page.t.plain(f"{name}.{word}") for word in ("id", "bytes")},
    }

    def chosen():
        row, token = (int(i) for i in st.session_state[key].chosen or (-1, -1))
        if 0 <= row < len(rows) and 0 <= token < len(rows[row].lane.ids):
            on_choose((row, token))

    _component(key=key, data=data, on_chosen_change=chosen)


def chosen_token(page, rows: Sequence[Row]) -> tuple[int, int]:
    """(row, token) that the viewer chose, else the longest token of the first row. In the link as `<page>_chosen=1.4`."""
    url.seed(page, "chosen", None, _place)
    place = st.session_state[page.key("chosen")]
    if place and place[0] < len(rows) and place[1] < len(rows[place[0]].lane.ids):
        url.share(page, "chosen", f"{place[0]}.{place[1]}")
        return place
    url.share(page, "chosen", None)
    return 0, max(range(len(rows[0].lane.ids)), key=lambda i: len(rows[0].lane.tokens[i]))


def _place(raw: str) -> tuple[int, int]:
    row, _, token = raw.partition(".")
    if not (row.isdecimal() and token.isdecimal()):
        raise ValueError(f"must be a row and a token such as 0.3, got {raw}")
    return int(row), int(token)


def _cells(lane: Lane, spans: Sequence[range], first: int) -> list[tuple[int, str, int, str]]:
    """(columns, label, id, bytes) of the tokens from `first` on."""
    tokens = zip(spans, lane.tokens[first:], lane.ids[first:])
    return [(len(span), readable(token), token_id, token.hex(" ").upper()) for span, token, token_id in tokens]
