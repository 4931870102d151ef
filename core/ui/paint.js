// A picture one can paint on: pointer, or arrow keys and space. Reports the painting when the pointer is lifted.
const memory = new WeakMap()

export default function ({ data, parentElement, setTriggerValue }) {
  const canvas = parentElement.querySelector("canvas"), row = parentElement.querySelector(".inks")
  if (!canvas) return
  const own = memory.get(canvas) ?? { ink: 1, x: data.side >> 1, y: data.side >> 1, focused: false, down: false }
  memory.set(canvas, own)
  canvas.width = canvas.height = data.side
  canvas.setAttribute("aria-label", data.label)
  own.painted = [...data.painted]
  const base = Uint8Array.from(atob(data.picture), c => c.charCodeAt(0))
  const inks = data.inks.map(ink => ink.rgb)
  const context = canvas.getContext("2d"), image = context.createImageData(data.side, data.side)

  const show = () => {
    for (let i = 0; i < data.side ** 2; i++) {
      const sign = own.painted[i]
      const rgb = sign === "." ? base.subarray(3 * i, 3 * i + 3) : inks[Number(sign)]
      image.data.set([rgb[0], rgb[1], rgb[2], 255], 4 * i)
    }
    context.putImageData(image, 0, 0)
    if (own.focused) {
      context.strokeStyle = "#14171c"
      context.lineWidth = 0.5
      context.strokeRect(own.x - 0.75, own.y - 0.75, 2.5, 2.5)
    }
  }
  const dab = (x, y) => {
    for (const [dx, dy] of [[0, 0], [1, 0], [0, 1], [1, 1]]) {
      const u = x + dx, v = y + dy
      if (u >= 0 && v >= 0 && u < data.side && v < data.side) own.painted[v * data.side + u] = String(own.ink)
    }
  }
  const send = () => setTriggerValue("painted", own.painted.join(""))
  const at = event => {
    const box = canvas.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top].map(d => Math.floor(d / box.width * data.side))
  }
  const stroke = event => {
    const [x, y] = at(event), steps = Math.max(Math.abs(x - own.x), Math.abs(y - own.y), 1)
    for (let i = 0; i <= steps; i++) dab(Math.round(own.x + (x - own.x) * i / steps), Math.round(own.y + (y - own.y) * i / steps))
    own.x = x
    own.y = y
    show()
  }
  canvas.onpointerdown = event => {
    event.preventDefault()
    canvas.setPointerCapture(event.pointerId)
    own.down = true
    ;[own.x, own.y] = at(event)
    stroke(event)
  }
  canvas.onpointermove = event => { if (own.down) stroke(event) }
  canvas.onpointerup = canvas.onpointercancel = () => { if (own.down) { own.down = false; send() } }
  canvas.onfocus = () => { own.focused = canvas.matches(":focus-visible"); show() }
  canvas.onblur = () => { own.focused = false; show() }
  canvas.onkeydown = event => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (!step && event.key !== " ") return
    event.preventDefault()
    own.focused = true
    if (step) {
      own.x = Math.min(Math.max(own.x + step[0], 0), data.side - 1)
      own.y = Math.min(Math.max(own.y + step[1], 0), data.side - 1)
      show()
    } else {
      dab(own.x, own.y)
      show()
      send()
    }
  }

  row.setAttribute("aria-label", data.inks_label)
  data.inks.forEach((ink, i) => {
    let button = row.children[i]
    if (!button) {
      button = document.createElement("button")
      button.type = "button"
      button.setAttribute("role", "radio")
      row.append(button)
    }
    button.style.backgroundColor = `rgb(${ink.rgb})`
    button.title = ink.name
    button.setAttribute("aria-label", ink.name)
    button.onclick = () => { own.ink = i; choose() }
  })
  const choose = () => [...row.children].forEach((button, i) => button.setAttribute("aria-checked", String(i === own.ink)))
  choose()
  show()
}
