// The theme's colours, for components that paint: Streamlit hands the chart palettes in as CSS variables.

function palette(element, name) {
  const raw = getComputedStyle(element).getPropertyValue(name)
  return raw.split(/,(?![^(]*\))/).map(c => c.trim()).filter(Boolean)
}

function channels(color) {
  if (color.startsWith("#")) {
    const hex = color.length === 4 ? [...color.slice(1)].map(c => c + c).join("") : color.slice(1, 7)
    return [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16))
  }
  return color.match(/[\d.]+/g).slice(0, 3).map(Number)
}

function shade(colors, value) {
  const x = Math.min(Math.max(value, 0), 1) * (colors.length - 1)
  const low = colors[Math.floor(x)], high = colors[Math.ceil(x)], part = x - Math.floor(x)
  return low.map((c, i) => Math.round(c + (high[i] - c) * part))
}

function ink([r, g, b]) {
  const light = [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2] > 0.179 ? "#000000" : "#ffffff"  // at least 4.5 to 1 on every colour
}
