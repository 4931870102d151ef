// The keys of lecture mode press the buttons of its bar; what is typed into a field stays there.
const BUTTONS = {
  PageDown: "next", ArrowRight: "next", " ": "next", PageUp: "back", ArrowLeft: "back",
  a: "reveal", 0: "reset", l: "language", n: "notes", h: "help", "?": "help", q: "end",
}
const OWN = "input, textarea, select, [contenteditable=true], [role=slider], [role=toolbar], [role=listbox], [role=combobox], [role=dialog]"

export default function () {
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
  }
  document.addEventListener("keydown", press)
  return () => document.removeEventListener("keydown", press)
}
