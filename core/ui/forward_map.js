// The map of one forward pass. Rows are the parts in the order of computing, columns are tokens; every number comes
// from the server. Text is written with textContent only.

const memory = new WeakMap()

const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0))
const floats = text => new Float32Array(bytes(text).buffer)
const put = (template, values) => template.replace(/\[(\w+)\]/g, (all, name) => name in values ? values[name] : all)
const rgb = color => `rgb(${color})`

function element(tag, name = "", text = null) {
  const made = document.createElement(tag)
  if (name) made.className = name
  if (text !== null) made.textContent = text
  if (tag === "button") made.type = "button"
  return made
}

// Which tokens have a column: all, or the last ones (moved back so that the followed token is among them) and before
// them the few earlier ones that moved the answer most. -1 is one column for all the others before.
function visible(data, width, weights) {
  const most = Math.max(6, Math.floor(width / data.narrowest)), all = [...data.tokens.keys()]
  let from = 0, run = all.length, picked = []
  if (run > most) {
    const few = Math.min(5, Math.floor(most / 4))
    run = most - 1 - few
    from = Math.min(all.length - run, Math.max(0, data.position - data.first - Math.floor(run * 0.75)))
    picked = all.slice(0, from).sort((a, b) => weights[b] - weights[a]).slice(0, few).sort((a, b) => a - b)
  }
  const shown = [...picked, ...all.slice(from, from + run)]
  const slots = data.first > 0 || picked.length < from ? [-1, ...shown] : shown
  const step = Math.min(92, width / slots.length)
  return { from, run, picked, slots, step, at: new Map(slots.map((i, slot) => [i, slot])), x: slot => (slot + 0.5) * step }
}

// A canvas with one unit a pixel of the page, sharp on every screen.
function canvas(target, width, height) {
  const ratio = window.devicePixelRatio || 1
  target.width = Math.max(1, Math.round(width * ratio))
  target.height = Math.round(height * ratio)
  target.style.height = height + "px"
  const pen = target.getContext("2d")
  pen.scale(ratio, ratio)
  return pen
}

function strip(target, values, colors, largest, rows = 1) {
  const wide = Math.ceil(values.length / rows)
  Object.assign(target, { width: wide, height: rows })
  const image = new ImageData(wide, rows)
  values.forEach((value, i) => {
    const part = value / (largest || 1)
    const color = shade(colors, 0.5 + 0.5 * Math.sign(part) * Math.sqrt(Math.abs(part)))
    image.data.set([...color, 255], 4 * i)
  })
  target.getContext("2d").putImageData(image, 0, 0)
}

function smallMap(target, values, side, color) {
  Object.assign(target, { width: side, height: side })
  const image = new ImageData(side, side)
  values.forEach((value, i) => image.data.set([...color, value], 4 * i))
  target.getContext("2d").putImageData(image, 0, 0)
}

export default function ({ data, parentElement, setTriggerValue }) {
  const map = parentElement.querySelector(".map")
  if (!map) return
  const host = parentElement.host ?? parentElement
  const own = memory.get(host) ?? {}
  memory.set(host, own)
  own.data = data
  own.send = setTriggerValue
  if (!own.watch) {
    own.watch = new ResizeObserver(() => { if (own.width !== map.clientWidth) draw(map, own) })
    own.watch.observe(map)
  }
  draw(map, own)
}

function draw(map, own) {
  const { data, send } = own, words = data.words
  own.width = map.clientWidth
  const paint = {
    roles: palette(map, "--st-chart-categorical-colors").map(channels),
    low: palette(map, "--st-chart-sequential-colors").map(channels),
    signed: palette(map, "--st-chart-diverging-colors").map(channels),
    line: getComputedStyle(map).getPropertyValue("--st-text-color").trim(),
  }
  if (!paint.roles.length || !own.width) return
  const toward = paint.signed[paint.signed.length - 3], against = paint.signed[2]
  map.style.setProperty("--computed", rgb(paint.roles[0]))
  map.style.setProperty("--on-computed", ink(paint.roles[0]))
  map.setAttribute("aria-label", data.label)
  map.style.setProperty("--dropped", rgb(paint.roles[2]))
  const number = (value, style) => new Intl.NumberFormat(data.language, style).format(value)
  const percent = value => number(value, { style: "percent", maximumFractionDigits: 1 })
  const plus = value => number(value, { signDisplay: "exceptZero", minimumFractionDigits: 2, maximumFractionDigits: 2 })
  const font = getComputedStyle(map).fontFamily
  const focused = map.getRootNode().activeElement?.dataset?.focus

  const button = (focus, text, act, name = "") => {
    const made = element("button", name, text)
    made.dataset.focus = focus
    made.onclick = act
    return made
  }
  const both = (long, short) => {
    const cell = element("div", "name")
    cell.append(element("span", "long", long), element("span", "short", short))
    return cell
  }
  const openButton = part => {
    const cell = element("div", "name")
    const made = button("part " + part.key, "", () => send("opened", part.key))
    made.append(element("span", "long", part.name), element("span", "short", part.short))
    made.setAttribute("aria-expanded", String(part.key === data.open))
    made.setAttribute("aria-label", part.title)
    made.title = part.title
    cell.append(made)
    return cell
  }
  const said = (text, share, right, note) => {
    const cell = element("div", right ? "lens right" : "lens"), bar = element("i")
    bar.style.width = `${100 * share}%`
    cell.append(bar, element("span", "", text), element("span", "", note))
    cell.title = `${text} ${note}`
    return cell
  }

  // The tokens stand over their columns.
  const head = element("div", "row heads-row"), tokens = element("div", "tokens")
  tokens.setAttribute("role", "toolbar")
  tokens.setAttribute("aria-label", words.tokens)
  head.append(both(words.text, ""), tokens, element("div", "", words.lens), element("div", "", words.moved))
  const note = element("p", "window")
  const kept = [note, head]
  map.replaceChildren(...kept)
  const brought = floats(data.brought), moved = floats(data.pushed), N = data.tokens.length, stride = N + 1
  const weights = new Float64Array(N)
  moved.forEach((value, i) => { if (i % stride) weights[i % stride - 1] += Math.abs(value) })
  const width = tokens.clientWidth, look = visible(data, width, weights), chosen = data.position - data.first
  note.hidden = look.slots.length === data.all
  note.textContent = put(words.window, { from: data.first + look.from + 1, to: data.first + look.from + look.run, all: data.all, n: look.picked.length })
  const cells = []
  look.slots.forEach((i, slot) => {
    const earlier = i < 0
    const place = data.first + (earlier ? look.from - 1 : i)
    const cell = button("token " + place, earlier ? "…" : data.tokens[i], () => send("followed", place))
    cell.className = [look.step < 46 ? "upright" : "", look.step < 14 ? "tight" : "", i === chosen ? "chosen" : i > chosen ? "later" : ""].join(" ").trim()
    cell.style.left = look.x(slot) + "px"
    if (look.step >= 46) cell.style.maxWidth = look.step - 2 + "px"
    cell.setAttribute("aria-pressed", String(i === chosen))
    cell.setAttribute("aria-label", earlier ? words.earlier : data.tokens[i])
    cell.title = earlier ? words.earlier : `${place + 1}: ${data.tokens[i]}`
    cell.tabIndex = i === chosen ? 0 : -1
    cells.push(cell)
  })
  tokens.append(...cells)
  tokens.onkeydown = event => {
    const i = cells.indexOf(event.target)
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: cells.length - 1 }[event.key]
    if (i < 0 || to === undefined || !cells[to]) return
    event.preventDefault()
    cells.forEach((cell, j) => { cell.tabIndex = j === to ? 0 : -1 })
    cells[to].focus()
  }

  const sizes = { attention: bytes(data.attention), mlp: bytes(data.mlp) }
  const high = data.parts.length <= 16 ? 42 : 28, low = 30  // pixels of a block, and of the parts before and after
  head.style.setProperty("--tall", look.step < 46 ? "84px" : "30px")
  const strongest = Math.max(1e-6, ...moved.map(Math.abs))
  const opened = data.detail?.weights ? floats(data.detail.weights) : null

  const columns = (pen, height) => {
    pen.fillStyle = rgb(paint.roles[0])
    pen.globalAlpha = 0.1
    pen.fillRect(look.x(look.at.get(chosen)) - look.step / 2, 0, look.step, height)
    look.slots.forEach((i, slot) => {
      pen.globalAlpha = i === chosen ? 1 : i > chosen ? 0.12 : 0.3
      pen.strokeStyle = i === chosen ? rgb(paint.roles[0]) : paint.line
      pen.lineWidth = i === chosen ? 3 : 1
      pen.beginPath()
      pen.setLineDash(i < 0 || look.picked.includes(i) ? [2, 3] : [])
      pen.moveTo(look.x(slot), 0)
      pen.lineTo(look.x(slot), height)
      pen.stroke()
    })
    pen.setLineDash([])
    pen.globalAlpha = 1
  }
  // What the followed token gets from each column in a layer; columns that do not fit count in the first one.
  const sources = (layer, values) => {
    const got = new Float64Array(look.slots.length)
    for (let j = 0; j <= chosen + 1; j++)  // 0 stands for all tokens before those sent
      got[look.at.get(j - 1) ?? 0] += values[layer * stride + j]
    return got
  }
  const block = (target, layer, part) => {
    const pen = canvas(target, width, high), at = high * 0.52, below = high * 0.82
    columns(pen, high)
    const own = opened && part.key === data.open
    const amount = own ? sources(0, opened) : sources(layer, brought), effect = sources(layer, moved)
    const order = [...amount.keys()].filter(i => amount[i] > 0.015).sort((a, b) => amount[a] - amount[b])
    for (const i of order) {
      const x = look.x(i), to = look.x(look.at.get(chosen))
      if (Math.abs(x - to) < 1) continue
      const push = effect[i] / strongest
      pen.strokeStyle = own ? rgb(paint.roles[0]) : Math.abs(push) < 0.04 ? paint.line : rgb(push > 0 ? toward : against)
      pen.globalAlpha = own ? 0.85 : Math.abs(push) < 0.04 ? 0.28 : 0.45 + 0.5 * Math.min(1, 2 * Math.abs(push))
      pen.lineWidth = 0.6 + 6 * amount[i]
      pen.lineCap = "round"
      pen.beginPath()
      pen.moveTo(x, 0)
      pen.bezierCurveTo(x, at * 0.9, (x + to) / 2, at, to, at)
      pen.stroke()
    }
    pen.globalAlpha = 1
    const half = Math.min(7, look.step * 0.32)
    for (const [i, slot] of look.at) {
      if (i < 0) continue
      const x = look.x(slot)
      pen.globalAlpha = i > chosen ? 0.35 : 1
      pen.strokeStyle = paint.line
      pen.lineWidth = i === chosen ? 1.2 : 0.4
      pen.fillStyle = rgb(shade(paint.low, sizes.attention[layer * N + i] / 255))
      pen.beginPath()
      pen.roundRect(x - half, at - 3, 2 * half, 6, 2)
      pen.fill()
      pen.stroke()
      pen.fillStyle = rgb(shade(paint.low, sizes.mlp[layer * N + i] / 255))
      pen.beginPath()
      pen.arc(x, below, Math.min(3.6, half), 0, 7)
      pen.fill()
      pen.stroke()
    }
    target.onmousemove = event => {
      const i = Math.floor(event.offsetX / look.step), column = look.slots[i]
      const token = column < 0 ? words.earlier : data.tokens[column]
      if (token === undefined) { target.title = ""; return }
      target.title = column > chosen ? put(words.tip_later, { token })
        : put(own ? words.tip_head : words.tip, { token, share: percent(amount[i]), effect: plus(effect[i]), block: part.short })
    }
  }
  const ends = target => {
    const pen = canvas(target, width, low), half = Math.min(5, look.step * 0.32)
    columns(pen, low)
    for (const [i, slot] of look.at) {
      if (i < 0) continue
      pen.globalAlpha = i > chosen ? 0.35 : 1
      pen.fillStyle = i === chosen ? rgb(paint.roles[0]) : rgb(paint.roles[2])
      pen.fillRect(look.x(slot) - half, low / 2 - half, 2 * half, 2 * half)
    }
  }
  const bars = (target, part, wide) => {
    const two = part.effects.length > 1, tall = two ? high : low
    const pen = canvas(target, wide, tall)
    const least = Math.min(0, data.least), span = Math.max(data.greatest - least, 1e-6)
    const text = wide > 90, room = wide - (text ? 40 : 4), zero = -least / span * room
    pen.font = `${high > 30 ? 11 : 9.5}px ${font}`
    part.effects.forEach((value, i) => {
      const y = tall * (two ? i ? 0.74 : 0.3 : 0.5), length = value / span * room
      pen.fillStyle = rgb(value < 0 ? against : toward)
      pen.fillRect(Math.min(zero, zero + length), y - high * 0.12, Math.max(1, Math.abs(length)), high * 0.24)
      if (text && Math.abs(value) > span * 0.04) {
        pen.fillStyle = paint.line
        pen.fillText(plus(value), Math.max(zero, zero + length) + 4, y + 4)
      }
    })
    pen.fillStyle = paint.line
    pen.globalAlpha = 0.35
    pen.fillRect(zero, 0, 1, tall)
  }

  const lines = data.parts.map(part => {
    const line = element("div", "row part" + (part.key === data.open ? " open" : ""))
    const picture = element("canvas"), target = element("canvas"), cell = element("div", "moved")
    picture.setAttribute("role", "img")
    picture.setAttribute("aria-label", part.title)
    picture.onclick = event => {
      const i = look.slots[Math.floor(event.offsetX / look.step)]
      if (i >= 0) send("followed", data.first + i)
    }
    cell.append(target)
    cell.title = part.moved
    if (part.sum) cell.replaceChildren(element("span", "sum", part.sum))
    line.append(openButton(part), picture, said(part.says, part.share, part.right, part.note), cell)
    line.style.height = (part.layer === null ? low : high) + "px"
    if (part.layer === null) ends(picture)
    else block(picture, part.layer, part)
    return { part, line, target, cell }
  })
  map.append(...lines.flatMap(({ part, line }) => part.key === data.open && data.detail ? [line, detail(data.detail)] : [line]))
  const wide = lines[0].cell.clientWidth  // asked once: every question about a size has the page laid out anew
  for (const { part, target } of lines) if (!part.sum) bars(target, part, wide)

  map.append(element("p", "answers-title", words.answers))
  const answers = element("div", "answers")
  for (const one of data.answers) {
    const made = button("answer " + one.id, null, () => send("asked", one.id))
    made.append(said(one.text, one.share, one.chosen, one.note))
    made.setAttribute("aria-pressed", String(one.chosen))
    made.setAttribute("aria-label", `${one.text} ${one.note}`)
    answers.append(made)
  }
  const legend = element("div", "legend")
  for (const [name, mark, text] of [["node", rgb(paint.low[6]), words.key_size], ["", rgb(toward), words.key_toward],
    ["", rgb(against), words.key_against], ["bar", rgb(toward), words.key_bars]]) {
    const entry = element("span", name, text)
    entry.style.setProperty("--mark", mark)
    legend.append(entry)
  }
  map.append(answers, legend)
  const back = focused && [...map.querySelectorAll("[data-focus]")].find(e => e.dataset.focus === focused)
  if (back) back.focus({ preventScroll: true })

  function detail(found) {
    const box = element("div", "detail")
    box.setAttribute("role", "group")
    box.setAttribute("aria-label", found.title)
    for (const part of found.sections) {
      const section = element("section")
      section.append(element("h4", "", part.title))
      if (part.maps) section.append(heads(part))
      if (part.strips) section.append(strips(part.strips))
      if (part.text) section.append(element("p", "", part.text))
      box.append(section)
    }
    return box
  }
  function heads(part) {
    const row = element("div", "small-maps"), values = bytes(part.maps), area = part.side ** 2
    part.heads.forEach((one, i) => {
      const made = button("head " + i, null, () => send("head", i))
      const picture = element("canvas"), text = element("span")
      smallMap(picture, values.subarray(i * area, (i + 1) * area), part.side, paint.roles[0])
      text.append(element("b", "", one.name), element("span", "", one.effect))
      made.append(picture, text)
      made.title = one.title
      made.setAttribute("aria-label", one.title)
      made.setAttribute("aria-pressed", String(i === part.chosen))
      row.append(made)
    })
    return row
  }
  function strips(list) {
    const grid = element("div", "bars")
    for (const one of list) {
      const values = floats(one.values), picture = element("canvas", one.rows > 1 ? "tall" : "")
      strip(picture, values, paint.signed, one.largest, one.rows)
      picture.setAttribute("role", "img")
      picture.setAttribute("aria-label", one.title)
      picture.title = one.title
      picture.onmousemove = event => {
        const wide = Math.ceil(values.length / one.rows)
        const i = Math.floor(event.offsetY / picture.clientHeight * one.rows) * wide + Math.floor(event.offsetX / picture.clientWidth * wide)
        if (i in values) picture.title = `${i + 1}: ${plus(values[i])}`
      }
      const name = element("span", "", one.name)
      name.title = one.title
      grid.append(name, picture)
    }
    return grid
  }
}
