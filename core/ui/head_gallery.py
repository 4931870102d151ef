"""All attention heads as small pictures: one button each, opened with a click or the keyboard.

Arrow keys, Home and End move; Enter or Space opens. The buttons above show the heads of one kind only; that
happens in the browser.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import streamlit as st

_CSS = """
:host { display: block; }
.frame { font-family: var(--st-font); color: var(--st-text-color); }
.kinds { display: flex; flex-wrap: wrap; gap: 6px; margin-bottom: 10px; }
.kinds button { font: inherit; font-size: 0.8rem; color: inherit; background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: 999px; padding: 2px 10px; }
.kinds button[aria-pressed=true] { border-color: var(--st-primary-color); color: var(--st-background-color);
  background: var(--st-primary-color); }
.grid { display: grid; gap: 4px; grid-template-columns: repeat(var(--heads), minmax(0, 1fr)); max-width: calc(var(--heads) * 84px); }
.grid button { font: inherit; color: inherit; background: var(--st-secondary-background-color); border: 1px solid transparent;
  border-radius: 6px; padding: 3px; cursor: pointer; min-width: 0;
  display: flex; flex-direction: column; justify-content: flex-start; transition: opacity 120ms; }
.grid button:hover { border-color: var(--st-text-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.grid button.opened { outline: 2px solid var(--st-primary-color); outline-offset: 1px; }
.grid button.other { opacity: 0.18; }
.picture { display: block; width: 100%; aspect-ratio: 1; image-rendering: pixelated;
  --all: calc(100% * var(--heads)) calc(100% * var(--layers)); mask-size: var(--all); -webkit-mask-size: var(--all); }
.grid span { display: block; font-size: 0.66rem; line-height: 1.25; overflow-wrap: anywhere; hyphens: auto; }
.grid .kind { opacity: 0.85; }
.grid .name { font-weight: 600; font-variant-numeric: tabular-nums; }
.many { gap: 2px; padding-left: 1.6rem; grid-template-columns: repeat(var(--heads), minmax(0, 2.1rem)); }
.many button { padding: 1px; border-radius: 3px; position: relative; }
.many .name, .many .kind { display: none; }
.many button[data-layer]::before { content: attr(data-layer); position: absolute; right: calc(100% + 6px); top: 50%;
  transform: translateY(-50%); font-size: 0.68rem; opacity: 0.75; font-variant-numeric: tabular-nums; }
@media (prefers-reduced-motion: reduce) { .grid button { transition: none; } }
"""

_JS = """
const memory = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  if (!frame) return
  const host = parentElement.host ?? parentElement
  const own = memory.get(host) ?? { shown: null, focus: null }
  memory.set(host, own)
  const kinds = frame.querySelector(".kinds"), grid = frame.querySelector(".grid")
  const color = getComputedStyle(frame).getPropertyValue("--st-chart-categorical-colors").split(/,(?![^(]*\\))/)[0].trim()
  frame.style.setProperty("--layers", data.layers)
  frame.style.setProperty("--heads", data.heads)
  frame.lang = data.language
  grid.setAttribute("aria-label", data.label)
  grid.classList.toggle("many", data.many)

  const fill = (parent, n, tag) => {
    while (parent.children.length < n) parent.append(document.createElement(tag))
    while (parent.children.length > n) parent.lastChild.remove()
    return [...parent.children]
  }
  const write = (element, text) => { if (element.textContent !== text) element.textContent = text }

  if (!data.kinds.some(k => k.kind === own.shown)) own.shown = null
  const chips = fill(kinds, data.kinds.length, "button")
  const cells = fill(grid, data.cells.length, "button")
  const dim = () => {
    chips.forEach((chip, i) => chip.setAttribute("aria-pressed", String(data.kinds[i].kind === own.shown)))
    cells.forEach((cell, i) => cell.classList.toggle("other", own.shown !== null && data.cells[i].kind !== own.shown))
  }
  chips.forEach((chip, i) => {
    chip.type = "button"
    write(chip, data.kinds[i].text)
    chip.onclick = () => { own.shown = own.shown === data.kinds[i].kind ? null : data.kinds[i].kind; dim() }
  })
  cells.forEach((cell, i) => {
    const head = data.cells[i]
    if (!cell.firstChild) {
      cell.type = "button"
      for (const name of ["picture", "name", "kind"]) cell.append(Object.assign(document.createElement("span"), { className: name }))
    }
    const [picture, name, kind] = cell.children
    const layer = Math.floor(i / data.heads), column = i % data.heads
    if (data.many && column === 0) cell.dataset.layer = layer + 1
    else delete cell.dataset.layer
    const at = `${100 * column / Math.max(data.heads - 1, 1)}% ${100 * layer / Math.max(data.layers - 1, 1)}%`
    if (picture.dataset.source !== data.picture) {
      picture.style.maskImage = picture.style.webkitMaskImage = `url(${data.picture})`
      picture.dataset.source = data.picture
    }
    picture.style.maskPosition = picture.style.webkitMaskPosition = at
    picture.style.backgroundColor = color
    write(name, head.name)
    write(kind, head.text)
    cell.title = head.title
    cell.setAttribute("aria-label", head.title)
    cell.setAttribute("aria-pressed", String(i === data.opened))
    cell.className = i === data.opened ? "opened" : ""
  })
  dim()

  const rove = to => cells.forEach((cell, i) => { cell.tabIndex = i === to ? 0 : -1 })
  rove(Math.min(own.focus ?? data.opened, cells.length - 1))
  grid.onkeydown = event => {
    const i = cells.indexOf(event.target)
    const down = data.heads, last = cells.length - 1
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, ArrowDown: i + down, ArrowUp: i - down, Home: 0, End: last }[event.key]
    if (i < 0 || to === undefined) return
    event.preventDefault()
    if (to < 0 || to > last) return
    own.focus = to
    rove(to)
    cells[to].focus()
  }
  grid.onclick = event => {
    const i = cells.indexOf(event.target.closest("button"))
    if (i < 0) return
    own.focus = i
    setTriggerValue("opened", i)
  }
}
"""

_HTML = '<div class="frame"><div class="kinds"></div><div class="grid" role="group"></div></div>\n'
_component = st.components.v2.component("glassbox_head_gallery", html=_HTML, css=_CSS, js=_JS)

MANY = 120  # heads; above, the small maps stand without their names, each row with the number of its layer


@dataclass(frozen=True)
class Cell:
    """One head as the gallery shows it."""

    name: str  # "8.6"
    kind: str
    text: str  # what stands under the picture
    title: str  # tooltip and what a screen reader says


def head_gallery(
    page, name: str, png: bytes, cells: Sequence[Cell], shape: tuple[int, int], kinds: Mapping[str, str], opened: int, label: str,
    on_open: Callable[[int], None],
) -> None:  # fmt: skip
    """Draw the heads of `shape` (layers, heads), `cells` in that order, cut out of one montage `png`.

    `kinds` (kind -> words) are the filters; `on_open(index)` runs before the rerun that a click causes.
    """
    key = page.key(name)
    data = {
        "picture": "data:image/png;base64," + b64encode(png).decode(),
        "layers": shape[0],
        "heads": shape[1],
        "cells": [asdict(cell) for cell in cells],
        "kinds": [{"kind": kind, "text": text} for kind, text in kinds.items()],
        "many": len(cells) > MANY,
        "opened": opened,
        "label": label,
        "language": page.language,
    }

    def clicked():
        index = st.session_state[key].opened
        if index is not None and 0 <= int(index) < len(cells):
            on_open(int(index))

    _component(key=key, data=data, on_opened_change=clicked)
