"""A table of steps: what each one reads, and what becomes of every token's keys and values without and with a cache.

Every bar stands for the whole text, so that long runs of tokens take no more room than short ones. Texts are
written as text, never as HTML.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.charts.theme import ROLES
from core.measure.segments import Segment, count, ranges

COLUMNS = ("step", "input", "without", "cached", "now")
MOST_RANGES = 2  # runs of tokens that are written out; more are counted

_HTML = '<div class="sheet"><table><thead><tr></tr></thead><tbody></tbody><tfoot><tr></tr></tfoot></table></div>\n'

_CSS = """
:host { display: block; }
.sheet { container-type: inline-size; font-family: var(--st-font); color: var(--st-text-color); }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-size: 0.9rem; line-height: 1.3; }
th, td { text-align: left; padding: 5px 8px; vertical-align: middle; overflow-wrap: anywhere; }
thead th { font-weight: 600; font-size: 0.85rem; vertical-align: bottom; }
tbody tr { border-top: 1px solid var(--st-border-color); transition: opacity 120ms; }
tbody tr.later { opacity: 0.35; }
tbody tr.chosen { background: var(--st-secondary-background-color); }
tfoot td { border-top: 2px solid var(--st-border-color); font-weight: 600; font-variant-numeric: tabular-nums; }
.step { width: 3.2em; }
.input { width: 20%; }
button { font: inherit; color: inherit; background: none; border: 1px solid transparent; border-radius: 6px;
  padding: 3px 9px; cursor: pointer; }
button:hover { border-color: var(--st-text-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
tr.chosen button { font-weight: 700; border-color: var(--st-primary-color); }
.bar { display: block; position: relative; height: 12px; border-radius: 3px; overflow: hidden; background: transparent; }
.bar i { position: absolute; top: 0; bottom: 0; min-width: 3px; }
.bar i[data-role="reused"] { z-index: 1; }
small { display: block; font-size: 0.78rem; opacity: 0.85; font-variant-numeric: tabular-nums; }
@container (max-width: 560px) {
  table { font-size: 0.78rem; } th, td { padding: 4px 3px; } thead th { font-size: 0.72rem; hyphens: auto; }
  small { font-size: 0.68rem; } .step { width: 2.3em; } .input { width: 22%; } button { padding: 6px 4px; min-width: 2em; }
}
@media (prefers-reduced-motion: reduce) { tbody tr { transition: none; } }
"""

_JS = """
const memory = new WeakMap()

function cell(kind, part) {
  const made = document.createElement(kind)
  if (part.bar) {
    const bar = document.createElement("span")
    bar.className = "bar"
    for (const [left, width, role] of part.bar) {
      const run = document.createElement("i")
      run.dataset.role = role
      run.style.left = `min(${left}%, 100% - 3px)`
      run.style.width = width + "%"
      bar.append(run)
    }
    made.append(bar)
  }
  for (const line of part.lines) {
    const text = document.createElement(part.bar ? "small" : "span")
    text.textContent = line
    made.append(text)
  }
  if (part.title) made.title = part.title
  return made
}

export default function ({ data, parentElement, setTriggerValue }) {
  const table = parentElement.querySelector("table")
  if (!table) return
  table.lang = data.language
  table.setAttribute("aria-label", data.label)
  const [head, foot] = [table.tHead.rows[0], table.tFoot.rows[0]], body = table.tBodies[0]
  const content = JSON.stringify([data.head, data.rows])
  if (memory.get(table) !== content) {
    memory.set(table, content)
    head.replaceChildren(...data.head.map((text, i) => {
      const made = cell("th", { lines: [text] })
      made.className = data.columns[i]
      made.scope = "col"
      return made
    }))
    body.replaceChildren(...data.rows.map((row, i) => {
      const made = document.createElement("tr"), first = document.createElement("td"), button = document.createElement("button")
      button.type = "button"
      button.textContent = i + 1
      button.setAttribute("aria-label", `${data.head[0]} ${i + 1}`)
      first.append(button)
      made.append(first, ...row.map(part => cell("td", part)))
      return made
    }))
  }
  foot.replaceChildren(...data.foot.map(text => cell("td", { lines: [text] })))
  foot.cells[0].colSpan = 2
  const colors = getComputedStyle(table).getPropertyValue("--st-chart-categorical-colors").split(/,(?![^(]*\\))/)
  table.querySelectorAll("i").forEach(run => { run.style.background = colors[data.roles.indexOf(run.dataset.role)] })
  ;[...body.rows].forEach((row, i) => {
    row.className = i === data.chosen ? "chosen" : i > data.chosen ? "later" : ""
    row.querySelector("button").setAttribute("aria-pressed", String(i === data.chosen))
  })
  body.onclick = event => {
    const row = event.target.closest("tr")
    if (row) setTriggerValue("clicked", [...body.rows].indexOf(row))
  }
}
"""

_component = st.components.v2.component("glassbox_step_table", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class StepRow:
    """One step: what the model was given new, and the fate of every token of the text so far."""

    input: str
    without: list[Segment]
    cached: list[Segment]


def step_data(rows: Sequence[StepRow]) -> pd.DataFrame:
    """One row a step: how many tokens had which fate, and which ("1-4 73-99", counted from 1)."""
    table = []
    for i, row in enumerate(rows, 1):
        counts = [count(row.without, "computed"), *(count(row.cached, role) for role in ("reused", "dropped", "computed"))]
        which = [_written(ranges(row.cached, role), "-", " ") for role in ("reused", "dropped", "computed")]
        table.append((i, row.input, *counts, *which))
    counts = ("computed_without_cache", "reused", "dropped", "computed")
    return pd.DataFrame(table, columns=["step", "input", *counts, "reused_tokens", "dropped_tokens", "computed_tokens"])


def step_table(page, name: str, rows: Sequence[StepRow], chosen: int, n_tokens: int, on_click: Callable[[int], None]) -> None:
    """Draw the steps; those after `chosen` (from 0) are pale. `on_click(index)` runs before the rerun that a click causes.

    `n_tokens` is how many tokens a full bar stands for. Texts: `<name>.head.<column>`, `<name>.label`, `.total`, `.places`, `.gone`.
    """
    t, key = page.t, page.key(name)
    shown = rows[: chosen + 1]
    totals = [sum(count(row.without, "computed") for row in shown)]
    totals += [sum(count(row.cached, role) for row in shown) for role in ("reused", "computed")]
    data = {
        "columns": COLUMNS,
        "head": [t.plain(f"{name}.head.{column}") for column in COLUMNS],
        "rows": [_parts(page, name, row, n_tokens) for row in rows],
        "foot": [t.plain(f"{name}.total", n=len(shown)), *(t.number(total, ",d") for total in totals)],
        "chosen": chosen,
        "roles": ROLES,
        "label": t.plain(f"{name}.label"),
        "language": page.language,
    }

    def clicked():
        index = st.session_state[key].clicked
        if index is not None and 0 <= int(index) < len(rows):
            on_click(int(index))

    _component(key=key, data=data, on_clicked_change=clicked)


def _parts(page, name: str, row: StepRow, n_tokens: int) -> list[dict]:
    """The cells of one row behind its number."""
    gone = count(row.cached, "dropped")
    return [
        {"lines": [row.input], "title": row.input},
        _part(page, name, row.without, ("computed",), n_tokens),
        _part(page, name, row.cached, ("reused", "dropped"), n_tokens, [page.t.plain(f"{name}.gone", n=gone)] if gone else []),
        _part(page, name, row.cached, ("computed",), n_tokens),
    ]


def _part(page, name: str, segments: Sequence[Segment], roles: Sequence[str], n_tokens: int, more: Sequence[str] = ()) -> dict:
    """A bar with the tokens of some fates, and below it which tokens have the first of them."""
    bar = [(100 * s.start / n_tokens, 100 * (s.end - s.start) / n_tokens, s.state) for s in segments if s.state in roles]
    found = ranges(segments, roles[0])
    written = _written(found, "–", ", ")
    n = sum(end - start + 1 for start, end in found)
    line = page.t.plain(f"{name}.places", n=n, places=len(found)) if len(found) > MOST_RANGES else written or "–"
    return {"bar": bar, "lines": [line, *more], "title": written}


def _written(found: Sequence[tuple[int, int]], to: str, between: str) -> str:
    return between.join(str(start) if start == end else f"{start}{to}{end}" for start, end in found)
