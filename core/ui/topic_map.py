"""The map of all topics: the life of a model from left to right, each station with its pages."""

from collections.abc import Mapping, Sequence

import streamlit as st

from core.ui import url

_HTML = '<nav class="map"></nav>\n'

_CSS = """
:host { display: block; }
.map { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 14px 26px; color: var(--st-text-color);
  font-family: var(--st-font); }
.station { position: relative; border: 1px solid var(--st-border-color); border-radius: 14px; padding: 12px 14px 10px;
  background: var(--st-secondary-background-color); }
.station:not(:last-child)::after { content: "→"; position: absolute; right: -23px; top: 10px; font-size: 1.3rem; line-height: 1.6rem;
  color: var(--st-primary-color); }
.station h3 { display: flex; align-items: center; gap: 8px; margin: 0; font-size: 1.05rem; }
.station h3 span { flex: none; width: 1.6rem; height: 1.6rem; border-radius: 50%; display: grid; place-items: center;
  font-size: 0.9rem; background: var(--st-primary-color); color: var(--st-background-color); }
.station p { margin: 4px 0 8px; font-size: 0.9rem; }
.station ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 6px; }
.station button { font: inherit; font-size: 0.92rem; text-align: left; cursor: pointer; border: 1px solid var(--st-border-color);
  border-radius: 9px; padding: 4px 9px; min-height: 30px; background: var(--st-background-color); color: inherit; }
.station button:hover { border-color: var(--st-primary-color); color: var(--st-link-color); }
.station button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
@media (min-width: 701px) {
  .station:nth-child(3n)::after { content: none !important; }  /* the end of a row points nowhere */
}
@media (max-width: 700px) {
  .map { grid-template-columns: 1fr; gap: 24px; }
  .station:not(:last-child)::after { content: "↓"; right: auto; left: 18px; top: auto; bottom: -25px; }
  .station button { min-height: 40px; }
}
"""

_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const map = parentElement.querySelector(".map")
  if (!map) return
  const written = JSON.stringify(data)
  if (map.dataset.written === written) return
  map.dataset.written = written
  map.setAttribute("aria-label", data.label)
  const made = (tag, text, ...inside) => {
    const element = document.createElement(tag)
    if (text) element.textContent = text
    element.append(...inside)
    return element
  }
  map.replaceChildren(...data.stations.map((station, i) => {
    const number = made("span", String(i + 1))
    number.setAttribute("aria-hidden", "true")
    const head = made("h3", "", number, made("b", station.title))
    const links = made("ul", "", ...station.pages.map(page => {
      const button = made("button", page.title)
      button.type = "button"
      button.title = page.question
      button.onclick = () => setTriggerValue("opened", page.name)
      return made("li", "", button)
    }))
    const box = made("section", "", head, made("p", station.what), links)
    box.className = "station"
    return box
  }))
}
"""

_component = st.components.v2.component("glassbox_topic_map", html=_HTML, css=_CSS, js=_JS)


def topic_map(page, sections: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Draw the map of `frame.sections()`; a click opens the page. Texts: `map.label` and `map.<section>`, one sentence each."""
    t, key = page.t, page.key("map")
    stations = [
        {
            "title": t.plain(f"sections.{section}"),
            "what": t.plain(f"map.{section}"),
            "pages": [{"name": s, "title": t.plain(f"pages.{s}.title"), "question": t.plain(f"pages.{s}.question")} for s, _ in pages],
        }
        for section, pages in sections.items()
    ]
    opened = _component(key=key, data={"label": t.plain("map.label"), "stations": stations}, on_opened_change=lambda: None).opened
    if opened in {stem for pages in sections.values() for stem, _ in pages}:
        url.open_page(opened)
