"""A tree of merges, built up and taken apart step by step in the browser: bytes below, tokens on top.

The slider and the buttons move through the steps; a click on a block undoes its merge.
"""

from collections.abc import Sequence

import streamlit as st

from core.tokenization import Node
from core.tokenizers import readable
from core.ui import url

_CSS = """
:host { display: block; }
.frame { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.9rem; }
.line { min-height: 1.5em; margin-bottom: 8px; font-weight: 600; }
.scroll { overflow-x: auto; padding: 3px; }
.tree { display: grid; gap: 2px; grid-auto-columns: minmax(1.45rem, 1fr); grid-auto-rows: 1.75rem; }
.tree button { font: inherit; color: inherit; margin: 0; padding: 0 3px; min-width: 0; overflow: hidden; text-overflow: ellipsis;
  white-space: pre; border: 1px solid var(--st-border-color); border-radius: 5px; cursor: pointer;
  background: color-mix(in srgb, var(--kind) 24%, var(--st-background-color)); }
.tree button.byte { cursor: default; font-size: 0.8rem; padding: 0; text-overflow: clip; }
.tree button.now { background: var(--kind); color: #14171c; font-weight: 700; }
.tree button.other { opacity: 0.45; }
.tree button:hover:not(.byte) { border-color: var(--st-text-color); }
button:focus-visible, input:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.steps { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin-top: 12px; }
.steps button { font: inherit; color: inherit; background: transparent; border: 1px solid var(--st-border-color); border-radius: 8px;
  padding: 4px 12px; cursor: pointer; }
.steps button:disabled { opacity: 0.4; cursor: default; }
.steps input { flex: 1 1 8rem; min-width: 6rem; height: 24px; margin: 0; accent-color: var(--st-primary-color); cursor: pointer; }
"""

_JS = """
const memory = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const frame = parentElement.querySelector(".frame")
  if (!frame) return
  const own = memory.get(frame) ?? { tree: null, step: 0, timer: 0 }
  memory.set(frame, own)
  const raw = getComputedStyle(frame).getPropertyValue("--st-chart-categorical-colors")
  const colors = raw.split(/,(?![^(]*\\))/).map(c => c.trim())
  const part = name => frame.querySelector("." + name)
  const tree = part("tree"), slider = part("at"), last = data.lines.length - 1
  const stop = () => { clearInterval(own.timer); own.timer = 0 }
  const fresh = own.tree !== data.tree
  if (fresh) {
    stop()
    own.tree = data.tree
    own.step = data.step
  }
  const top = Math.max(...data.nodes.map(node => node.height))
  const parent = data.nodes.map((node, i) => data.nodes.findIndex((other, j) => j > i && other.step > node.step
    && other.start <= node.start && node.end <= other.end))
  tree.setAttribute("aria-label", data.label)
  slider.max = last
  slider.setAttribute("aria-label", data.words.step)
  const buttons = { back: part("back"), on: part("on"), play: part("play") }
  for (const [name, button] of Object.entries(buttons)) button.textContent = data.words[name]

  const write = () => {
    slider.value = own.step
    part("line").textContent = data.lines[own.step]
    buttons.back.disabled = own.step === 0
    buttons.on.disabled = own.step === last
    data.nodes.forEach((node, i) => {
      let cell = tree.children[i]
      if (!cell) {
        cell = document.createElement("button")
        cell.type = "button"
        tree.append(cell)
      }
      const above = data.nodes[parent[i]]
      const ceiling = above && above.step <= own.step ? above.height : node.height + 1
      cell.hidden = node.step > own.step
      cell.style.display = cell.hidden ? "none" : ""
      cell.style.gridArea = `${top + 2 - ceiling} / ${node.start + 1} / ${top + 2 - node.height} / ${node.end + 1}`
      cell.textContent = node.text
      cell.title = node.title
      cell.className = (node.step === 0 ? "byte" : node.step === own.step ? "now" : "") + (node.own ? "" : " other")
      cell.style.setProperty("--kind", colors[node.step === 0 ? 2 : node.step === own.step ? 0 : 1])
      cell.tabIndex = node.step === 0 ? -1 : 0
      cell.onclick = () => { if (node.step) go(node.step - 1) }
    })
    while (tree.children.length > data.nodes.length) tree.lastChild.remove()
  }
  const go = (step, settled = true) => {
    own.step = Math.min(Math.max(step, 0), last)
    write()
    if (settled) {
      stop()
      setTriggerValue("settled", own.step)
    }
  }
  slider.oninput = () => { stop(); go(Number(slider.value), false) }
  slider.onchange = () => go(Number(slider.value))
  buttons.back.onclick = () => go(own.step - 1)
  buttons.on.onclick = () => go(own.step + 1)
  buttons.play.onclick = () => {
    stop()
    go(0, false)
    own.timer = setInterval(() => {
      if (!frame.isConnected) stop()
      else go(own.step + 1, own.step + 1 >= last)
    }, 450)
  }
  write()
  if (fresh) {
    const cell = [...tree.children].find((_, i) => data.nodes[i].own)
    part("scroll").scrollLeft = cell.offsetLeft - tree.offsetLeft
  }
  return stop
}
"""

_HTML = (
    '<div class="frame"><div class="line" aria-live="polite"></div><div class="scroll"><div class="tree" role="group"></div></div>'
    '<div class="steps"><button type="button" class="back"></button><input type="range" class="at" min="0" step="1">'
    '<button type="button" class="on"></button><button type="button" class="play"></button></div></div>\n'
)
_component = st.components.v2.component("glassbox_merge_steps", html=_HTML, css=_CSS, js=_JS)


def merge_steps(page, name: str, nodes: Sequence[Node], own: range, encoding: str) -> None:
    """Draw the nodes of `core.tokenization.merge_tree`; bytes outside `own` belong to other tokens and stand back.

    At first it stands where the token of `own` is complete. The step is in the link as `<page>_step`.
    Texts: `<name>.line`, `.none`, `.start`, `.node`, `.byte`, `.tree` and the
    buttons `.back`, `.on`, `.play`, `.step`.
    """
    t, key = page.t, page.key(name)
    lines = _lines(page, name, nodes)
    tree = encoding + " " + b"".join(node.token for node in nodes if node.step == 0).hex()
    url.seed(page, "step", None, lambda raw: _step(raw, len(lines) - 1))
    if st.session_state.setdefault(key + "_tree", tree) != tree:
        st.session_state[key + "_tree"], st.session_state[page.key("step")] = tree, None
    complete = max(node.step for node in nodes if _inside(node, own))
    chosen = st.session_state[page.key("step")]
    step = complete if chosen is None else min(chosen, len(lines) - 1)
    url.share(page, "step", None if step == complete else str(step))
    data = {
        "tree": f"{tree} {own.start}",
        "nodes": [_shown(page, name, node, own) for node in nodes],
        "lines": lines,
        "step": step,
        "label": t.plain(f"{name}.tree", n=len(lines) - 1, last=lines[-1]),
        "words": {word: t.plain(f"{name}.{word}") for word in ("back", "on", "play", "step")},
    }

    def settled():
        value = st.session_state[key].settled
        if value is not None:
            st.session_state[page.key("step")] = min(max(int(value), 0), len(lines) - 1)

    _component(key=key, data=data, on_settled_change=settled)


def _lines(page, name: str, nodes: Sequence[Node]) -> list[str]:
    """What happens in each step, from none to the last."""
    t, parts, lines = page.t, [], []
    steps = max(node.step for node in nodes)
    for node in nodes:
        if node.step == 0:
            parts.append(node)
            continue
        i = next(i for i, part in enumerate(parts) if part.start == node.start)
        left, right = parts[i : i + 2]
        parts[i : i + 2] = [node]
        words = {"left": readable(left.token), "right": readable(right.token), "new": readable(node.token)}
        lines.append(t.plain(f"{name}.line", step=node.step, steps=steps, rank=node.rank, **words))
    n = sum(node.step == 0 for node in nodes)
    return [t.plain(f"{name}.start" if steps else f"{name}.none", n=n), *lines]


def _shown(page, name: str, node: Node, own: range) -> dict:
    kind = "byte" if node.step == 0 else "node"
    title = page.t.plain(f"{name}.{kind}", token=readable(node.token), hex=node.token.hex(" ").upper(), rank=node.rank)
    return {
        "start": node.start,
        "end": node.end,
        "text": readable(node.token) if node.step else _byte(node.token),
        "step": node.step,
        "height": node.height,
        "own": _inside(node, own),
        "title": title,
    }


def _inside(node: Node, own: range) -> bool:
    return own.start <= node.start and node.end <= own.stop


def _byte(token: bytes) -> str:
    """A single byte: its character where it is one, else its number."""
    return readable(token) if token[0] < 0x80 else token.hex().upper()


def _step(raw: str, steps: int) -> int:
    if not raw.isdecimal() or int(raw) > steps:
        raise ValueError(f"a step must be in 0..{steps}, got {raw}")
    return int(raw)
