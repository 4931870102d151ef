// The keys of lecture mode press the buttons of its bar; what is typed into a field stays there.
const BUTTONS = {
  PageDown: "next", ArrowRight: "next", " ": "next", PageUp: "back", ArrowLeft: "back",
  ArrowDown: "down", ArrowUp: "up", o: "all", a: "reveal", 0: "reset", l: "language", n: "notes", h: "help", "?": "help", q: "end",
}
const OWN = "input, textarea, select, [contenteditable=true], [role=slider], [role=toolbar], [role=listbox], [role=combobox], [role=dialog]"

// The row of presets to the top, so that the experiment below it fills the screen.
function showPresets() {
  const row = [...document.querySelectorAll("[class*='_preset']")].find(element => /(^| )st-key-\w+_preset( |$)/.test(element.className))
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches
  row?.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" })
}

export default function ({ parentElement }) {
  const press = event => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return
    const path = event.composedPath().filter(node => node instanceof Element)
    if (path.some(node => node.matches(OWN))) return
    if (event.key === " " && path.some(node => node.matches("button, a, summary"))) return
    const name = BUTTONS[event.key.length === 1 ? event.key.toLowerCase() : event.key]
    const button = name && document.querySelector(`.st-key-_lecture_${name} button`)
    if (!button) return
    event.preventDefault()
    button.click()
    if (name === "next" || name === "back") setTimeout(showPresets, 500)
  }
  document.addEventListener("keydown", press)
  parentElement.querySelector("span")?.setAttribute("data-ready", "")
  return () => document.removeEventListener("keydown", press)
}
