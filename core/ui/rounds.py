"""Rounds of speculative decoding as rows: what the draft proposed, what stayed of it, and what the large model added."""

from collections.abc import Sequence

import streamlit as st

from core.decoding import Round

_CSS = """
:host { display: block; }
.frame { font-family: var(--st-font); color: var(--st-text-color); font-size: 1rem; --line: var(--st-border-color); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 10px; font-size: 0.85rem; }
.legend span::before { content: ""; display: inline-block; width: 0.8em; height: 0.8em; border-radius: 3px; margin-right: 6px;
  background: var(--kind); border: 1px solid var(--edge, transparent); vertical-align: -1px; }
.text { line-height: 1.9; margin: 0 0 14px; overflow-wrap: anywhere; white-space: pre-wrap; }
.text i { font-style: normal; opacity: 0.75; }
.text b { font-weight: 400; border-bottom: 4px solid var(--kind); padding-bottom: 1px; }
ol { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 2.2em 1fr; align-items: center; padding: 4px 0; border-top: 1px solid var(--line); }
li > small { opacity: 0.75; font-variant-numeric: tabular-nums; }
.cells { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; }
.cells > span { border: 1px solid transparent; border-radius: 6px; padding: 3px 7px; min-width: 1.2em; text-align: center; line-height: 1.2;
  white-space: pre-wrap; overflow-wrap: anywhere; background: color-mix(in srgb, var(--kind) 30%, var(--st-background-color));
  border-left: 4px solid var(--kind); transition: background-color 120ms; }
.cells small { display: inline-block; width: 100%; font-size: 0.68rem; line-height: 1; opacity: 0.85;
  font-variant-numeric: tabular-nums; }
.cells .rejected { text-decoration: line-through; text-decoration-thickness: 1px; }
.cells .unread { background: transparent; border: 1px dashed var(--kind); opacity: 0.72; text-decoration: line-through; }
.cells .own { margin-left: 10px; font-weight: 600; background: color-mix(in srgb, var(--kind) 42%, var(--st-background-color)); }
@media (prefers-reduced-motion: reduce) { .cells > span { transition: none; } }
"""

_JS = """
const places = { accepted: 1, rejected: 2, unread: 2, corrected: 0, bonus: 4 }  // in the theme's categorical colours

export default function ({ data, parentElement }) {
  const frame = parentElement.querySelector(".frame")
  if (!frame) return
  const raw = getComputedStyle(frame).getPropertyValue("--st-chart-categorical-colors")
  const colors = raw.split(/,(?![^(]*\\))/).map(c => c.trim())
  const make = (tag, text, kind = "", className = kind) => {
    const node = Object.assign(document.createElement(tag), { textContent: text, className })
    if (kind) node.style.setProperty("--kind", colors[places[kind]])
    return node
  }

  frame.querySelector(".legend").replaceChildren(...Object.entries(data.legend).map(([kind, words]) => make("span", words, kind)))

  const text = frame.querySelector(".text")
  text.replaceChildren(make("i", data.prompt), ...data.text.map(([piece, kind]) => make("b", piece, kind)))

  const list = frame.querySelector("ol")
  list.setAttribute("aria-label", data.label)
  data.rounds.forEach((round, r) => {
    const written = JSON.stringify(round) + colors
    const known = list.children[r]
    if (known?.written === written) return
    const row = document.createElement("li")
    row.written = written
    const cells = make("div", "", "", "cells")
    for (const [token, kind, note, title, own] of round) {
      const cell = make("span", token, kind, own ? `${kind} own` : kind)
      cell.title = title
      cell.setAttribute("aria-label", title)
      cell.setAttribute("role", "img")
      if (note) cell.append(make("small", note))
      cells.append(cell)
    }
    row.append(make("small", String(r + 1)), cells)
    known ? list.replaceChild(row, known) : list.append(row)
  })
  while (list.children.length > data.rounds.length) list.lastChild.remove()
}
"""

_HTML = '<div class="frame"><div class="legend"></div><p class="text"></p><ol></ol></div>\n'
_component = st.components.v2.component("glassbox_rounds", html=_HTML, css=_CSS, js=_JS)
KINDS = ("accepted", "rejected", "corrected", "bonus")
_TAIL = 24  # tokens of the prompt before what was written


def draw_rounds(page, name: str, ids: Sequence[int], rounds: Sequence[Round]) -> None:
    """The text with every token's origin, then one row a round. Texts: `<name>.legend.<kind>`, `.says.<kind>`, `.label`."""
    t, lm = page.t, page.lm
    tokens = [(token, kind) for r in rounds for token, kind in zip(r.tokens, r.kinds)]
    data = {
        "legend": {kind: t.plain(f"{name}.legend.{kind}") for kind in KINDS},
        "label": t.plain(f"{name}.label"),
        "prompt": ("… " if len(ids) > _TAIL else "") + lm.tokenizer.decode(ids[-_TAIL:]).strip("\ufffd"),
        "text": _pieces(lm.tokenizer, tokens),
        "rounds": [_cells(page, name, r) for r in rounds],
    }
    _component(key=page.key(name), data=data)


def _cells(page, name: str, r: Round) -> list[tuple[str, str, str, str, bool]]:
    """(label, kind, small print, title, whether the large model added it) of a round's tokens."""
    t, label = page.t, page.lm.tokenizer.label
    cells = []
    for i, token in enumerate(r.drafted):
        kind = "accepted" if i < r.accepted else "rejected" if i == r.accepted else "unread"
        note = "" if kind == "unread" else t.number(r.passes[i], ".0%")
        cells.append((label(token), kind, note, t.plain(f"{name}.says.{kind}", token=label(token), share=r.passes[i]), False))
    if r.token is not None:
        cells.append((label(r.token), r.kinds[-1], "", t.plain(f"{name}.says.{r.kinds[-1]}", token=label(r.token)), True))
    return cells


def _pieces(tokenizer, tokens: Sequence[tuple[int, str]]) -> list[tuple[str, str]]:
    """Text and kind of every token; a character of several tokens stands with the last of them."""
    pieces, before = [], ""
    for i, (_, kind) in enumerate(tokens, 1):
        now = tokenizer.decode([token for token, _ in tokens[:i]])
        if now.endswith("\ufffd") and i < len(tokens):
            continue
        pieces.append((now[len(before) :], kind))
        before = now
    return pieces
