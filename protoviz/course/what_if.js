// The prototype what-if in a page: logits = W s + b, with the scores of silent prototypes replaced.
// The same sums as protoviz/analysis/what_if.py; a test holds the two together. Nothing is asked of a server.
const STYLE = `
  :host { display: block; color-scheme: light dark; }
  .panel { --gap: 16px; container-type: inline-size; background: var(--paper); color: var(--ink); padding: 16px;
    border: 1px solid var(--line); border-radius: 10px; font: 15px/1.45 system-ui, sans-serif; text-align: left; }
  .panel * { box-sizing: border-box; }
  .sides { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--gap); }
  @container (min-width: 780px) { .sides { grid-template-columns: minmax(0, 1.5fr) minmax(300px, 1fr); } }
  .line { display: flex; flex-wrap: wrap; gap: 8px 18px; align-items: center; margin: 0 0 12px; }
  .line > span { display: inline-flex; gap: 6px; align-items: center; white-space: nowrap; }
  button, select { font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 6px;
    padding: 3px 10px; min-height: 30px; cursor: pointer; }
  select { background: var(--paper); }
  button:hover { background: color-mix(in srgb, var(--ink) 9%, transparent); }
  :focus-visible { outline: 3px solid var(--prototype); outline-offset: 1px; }
  button[aria-pressed=true] { background: var(--ink); color: var(--paper); border-color: var(--ink); }
  button:disabled { opacity: 0.45; cursor: default; }
  .both { display: inline-flex; }
  .both button { border-radius: 0; margin-left: -1px; }
  .both button:first-child { border-radius: 6px 0 0 6px; margin: 0; }
  .both button:last-child { border-radius: 0 6px 6px 0; }
  .quiet { color: var(--quiet); }
  p { margin: 10px 0 8px; }
  .picture { position: relative; height: 250px; margin: 4px 2px 40px 42px; }
  .picture canvas { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; }
  .picture div, .picture .tick { position: absolute; }
  .event { border: 2px solid var(--truth); pointer-events: none; }
  .event span { position: absolute; left: 1px; bottom: 100%; color: var(--truth); font-size: 14px; line-height: 1.15;
    white-space: nowrap; font-weight: 600; text-shadow: 0 0 3px var(--paper), 0 0 3px var(--paper); }
  .event.right span { left: auto; right: 1px; }
  .event.top span { bottom: auto; top: 1px; left: 3px; }
  .event.other { border-style: dotted; opacity: 0.75; }
  .picture .cell { position: absolute; padding: 0; min-height: 0; border: 2px solid var(--prototype); border-radius: 0;
    background: color-mix(in srgb, var(--prototype) 34%, transparent); font-weight: 700; font-size: 14px; line-height: 1;
    overflow: visible; white-space: nowrap; }
  .picture .cell span { position: absolute; left: 50%; top: 50%; transform: translate(-50%, -50%);
    text-shadow: 0 0 3px var(--paper), 0 0 3px var(--paper); }
  .picture .cell.silent { background: none; border-style: dashed; opacity: 0.6; }
  .tick { font-size: 14px; color: var(--quiet); line-height: 1; white-space: nowrap; }
  .tick.hertz { right: calc(100% + 6px); transform: translateY(50%); }
  .tick.time { top: calc(100% + 6px); transform: translateX(-50%); }
  .axis { top: calc(100% + 22px); right: 0; }
  ol, ul { list-style: none; margin: 0; padding: 0; }
  .prototype { display: grid; grid-template-columns: 46px 32px 32px minmax(40px, 1fr) 52px 50px; gap: 6px;
    align-items: center; min-height: 34px; border-radius: 6px; }
  .prototype button { padding: 0; font-weight: 600; }
  .prototype .value, .class .value { text-align: right; font-variant-numeric: tabular-nums; }
  .bar { position: relative; height: 18px; }
  .bar i { position: absolute; top: 0; bottom: 0; border-radius: 2px; background: var(--prototype); }
  .bar i.was { background: none; border: 1px solid var(--quiet); }
  .bar i.zero { width: 1px; top: -5px; bottom: -5px; background: var(--line); border-radius: 0; }
  .prototype.silent .bar i.now { background: repeating-linear-gradient(45deg, var(--prototype) 0 2px, transparent 2px 5px); }
  .hit { color: var(--truth); font-weight: 600; }
  .class { display: grid; grid-template-columns: 132px minmax(50px, 1fr) 48px 52px; gap: 8px;
    align-items: center; width: 100%; border: 0; padding: 0 4px; min-height: 28px; text-align: left; border-radius: 5px; }
  .class[aria-pressed=true] { background: color-mix(in srgb, var(--ink) 10%, transparent); color: inherit;
    font-weight: 600; }
  .class .name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .class .name b { color: var(--truth); }
  .class .bar { height: 14px; }
  .up { color: var(--above); } .down { color: var(--below); }
  .head { display: grid; grid-template-columns: 132px minmax(50px, 1fr) 48px 52px; gap: 8px;
    padding: 0 4px 4px; color: var(--quiet); text-align: right; font-size: 14px; }
  .says { min-height: 4.4em; margin-top: 0; }
  @container (max-width: 480px) {
    .prototype { grid-template-columns: 42px 32px 32px minmax(30px, 1fr) 48px; } .prototype .hit, .prototype .miss { display: none; }
  }`

function whatIf(host, told) {
  const count = told.scores.length
  const bytes = Uint8Array.from(atob(told.weight), (letter) => letter.charCodeAt(0))
  const weight = new Float64Array(bytes.buffer) // (c j), row by row; every machine that has a browser is little-endian
  const muted = new Set(), solo = new Set()
  let chosen = told.chosen, baseline = told.means ? "mean" : "zero"

  // -- the sums

  const silent = (j) => muted.has(j) || (solo.size > 0 && !solo.has(j))
  const score = (j) => (!silent(j) ? told.scores[j] : baseline === "mean" ? told.means[j] : 0)
  const logit = (c, s) => {
    let sum = 0
    for (let j = 0; j < count; j++) { sum += weight[c * count + j] * s[j] }
    return sum + told.bias[c]
  }
  const logits = (s) => told.classes.map((_, c) => logit(c, s))
  const scores = () => told.scores.map((_, j) => score(j))
  const before = logits(told.scores)
  const contribution = (row) => {
    const change = score(row.prototype) - told.scores[row.prototype]
    return row.contribution + weight[chosen * count + row.prototype] * change
  }

  // -- what stands on the page

  const root = host.attachShadow({mode: "open"})
  root.innerHTML = `<style>${STYLE}</style><section class="panel" aria-label="What if a prototype kept silent?">
    <div class="line"><span><label for="class">Class</label> <select id="class"></select></span>
      <span>A muted one scores <span class="both" role="group" aria-label="A muted one scores">
        <button data-baseline="mean">its mean</button><button data-baseline="zero">0</button></span></span>
      <span><button data-do="mute">Mute all listed</button><button data-do="clear">Clear</button></span>
      <span><button data-do="clip">▶ the clip</button></span></div>
    <div class="sides"><div><div class="picture"><canvas></canvas></div>
      <p class="listed"></p><ol></ol><p class="quiet key"></p></div>
      <div><p class="says" aria-live="polite"></p>
      <div class="head"><span></span><span></span><span>logit</span><span>change</span></div><ul></ul></div></div>
  </section>`
  const find = (selector) => root.querySelector(selector)
  const element = (tag, name, text = "") => {
    const one = document.createElement(tag)
    one.className = name
    one.textContent = text
    return one
  }
  const percent = (share) => `${(100 * share).toFixed(3)}%`
  const number = (value, sign = false) => {
    const text = Math.abs(value).toFixed(2)
    return `${value < 0 && Number(text) ? "−" : sign && Number(text) ? "+" : ""}${text}`
  }
  const name = (c) => told.classes[c]
  const strong = (text) => { const one = element("b", "", text); return one.outerHTML }

  // -- sound

  const audio = new Audio()
  const clip = find("[data-do=clip]")
  const play = (address) => { audio.src = address; audio.play().catch(() => {}) }
  const tell = () => { clip.textContent = !audio.paused && audio.src === told.clip ? "■ the clip" : "▶ the clip" }
  clip.disabled = !told.clip // its sound did not travel
  for (const happening of ["play", "pause", "ended", "emptied"]) { audio.addEventListener(happening, tell) }
  const play_clip = () => { if (!audio.paused && audio.src === told.clip) { audio.pause() } else { play(told.clip) } }

  // -- the picture

  const picture = find(".picture"), canvas = find("canvas"), image = new Image()
  const place = (one, box) => {
    for (const side of ["left", "width", "bottom", "height"]) { one.style[side] = percent(box[side]) }
    return one
  }
  const apart = (tick, i) => i === 0 || tick.at - told.hertz[i - 1].at > 0.066 // of the height: a line of text
  for (const tick of told.hertz.filter(apart)) {
    const one = element("span", "tick hertz", tick.label)
    one.style.bottom = percent(tick.at)
    picture.append(one)
  }
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30].find((one) => told.seconds / one <= 7) ?? 60
  for (let i = 0; i * step <= told.seconds; i++) {
    const one = element("span", "tick time", String(Number((i * step).toFixed(1))))
    one.style.left = percent((i * step) / told.seconds)
    picture.append(one)
  }
  picture.append(element("span", "tick axis", "seconds; hertz at the left, on a mel axis"))
  const events = told.events.map((event) => {
    const sides = `${event.left > 0.8 ? " right" : ""}${event.bottom + event.height > 0.92 ? " top" : ""}`
    const one = place(element("div", `event${sides}`), event)
    one.append(element("span", "", event.label.replaceAll("_", " ")))
    picture.append(one)
    return one
  })
  const coloured = (dark) => {
    if (!image.naturalWidth) { return }
    canvas.width = image.naturalWidth
    canvas.height = image.naturalHeight
    const pen = canvas.getContext("2d", {willReadFrequently: true})
    pen.drawImage(image, 0, 0)
    const pixels = pen.getImageData(0, 0, canvas.width, canvas.height)
    const palette = told.palettes[dark].map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)))
    for (let i = 0; i < pixels.data.length; i += 4) { pixels.data.set(palette[pixels.data[i]], i) }
    pen.putImageData(pixels, 0, 0)
  }

  // -- the lists; their elements are kept, so that the focus stays where it is

  const bar = (where) => {
    const one = element("span", "bar")
    for (const part of ["now", "was", "zero"]) { one.append(element("i", part)) }
    where.append(one)
    return one
  }
  const stretch = (bar, part, from, to, low, high) => {
    const style = bar.querySelector(part).style
    style.left = percent((Math.min(from, to) - low) / (high - low))
    if (part !== ".zero") { style.width = percent(Math.abs(to - from) / (high - low)) }
  }
  let rows = []
  const draw_list = () => {
    const {rows: told_rows, chance, left_out} = told.listed[chosen]
    find("ol").replaceChildren()
    for (const old of picture.querySelectorAll(".cell")) { old.remove() }
    const boxes = new Map()
    rows = told_rows.map((row, i) => {
      const item = element("li", "prototype"), j = row.prototype, cell = told.cells[row.cell]
      item.setAttribute("aria-label", `prototype ${j}`)
      const button = (text, what) => {
        const one = element("button", "", text)
        one.setAttribute("aria-label", `${what} prototype ${j}`)
        one.title = `${what} prototype ${j}`
        item.append(one)
        return one
      }
      const hear = button(`▶ ${i + 1}`, "Hear"), mute = button("M", "Mute"), alone = button("S", "Solo")
      hear.title += `: ${cell.where}`
      hear.disabled = !cell.sound
      hear.onclick = () => play(cell.sound)
      mute.onclick = () => toggle(muted, j)
      alone.onclick = () => toggle(solo, j)
      const parts = {row, item, mute, alone, hear, bar: bar(item), value: element("span", "value")}
      const mark = row.hit == null ? "" : row.hit ? "hit" : "miss"
      item.append(parts.value, element("span", mark, mark))
      find("ol").append(item)
      if (!boxes.has(row.cell)) {
        const box = place(element("button", "cell"), cell)
        box.append(element("span", ""))
        box.onclick = () => { if (cell.sound) { play(cell.sound) } }
        picture.append(box)
        boxes.set(row.cell, {box, numbers: []})
      }
      const shared = boxes.get(row.cell)
      shared.numbers.push(i + 1)
      shared.box.firstChild.textContent = shared.numbers.join(" ")
      shared.box.setAttribute("aria-label", `Hear cell ${shared.numbers.join(" and ")}: ${cell.where}`)
      shared.box.title = cell.where
      return {...parts, box: shared.box, place: row.cell}
    })
    told.events.forEach((event, i) => {
      events[i].classList.toggle("other", event.label.replaceAll("_", " ") !== name(chosen))
    })
    const hits = told_rows.filter((row) => row.hit).length
    const where = !told.events.length ? "Where it sounds is not known." : chance == null ?
      "The class is not in this clip, so none can be a hit." :
      `<b>${hits} of ${told_rows.length}</b> on a true event of the class; chance ${Math.round(100 * chance)} %.`
    find(".listed").innerHTML = told_rows.length ?
      `${strong(name(chosen))}: what its strongest prototypes add to its logit. ${where}` :
      left_out ? `${strong(name(chosen))} is neither in the clip nor likely: this page keeps no cells of it.` :
      `${strong(name(chosen))}: no prototype argues for it in this clip.`
  }
  const order = told.classes.map((_, c) => c).sort((a, b) => before[b] - before[a] || a - b)
  const class_rows = order.map((c) => {
    const item = document.createElement("li"), one = element("button", "class")
    const words = element("span", "name", name(c))
    if (told.present.includes(c)) { words.innerHTML = `<b title="in the clip">●</b> ${words.innerHTML}` }
    one.append(words)
    const parts = {c, one, bar: bar(one), value: element("span", "value"), change: element("span", "value")}
    one.append(parts.value, parts.change)
    one.onclick = () => choose(c)
    item.append(one)
    find("ul").append(item)
    return parts
  })

  const draw = () => {
    const quiet = told.scores.filter((_, j) => silent(j)).length
    const most = Math.max(...rows.map(({row}) => Math.abs(row.contribution)), 1e-9)
    const values = rows.map(({row}) => contribution(row))
    const least = Math.min(0, ...values)
    rows.forEach((parts, i) => {
      const j = parts.row.prototype
      parts.mute.setAttribute("aria-pressed", muted.has(j))
      parts.alone.setAttribute("aria-pressed", solo.has(j))
      parts.item.classList.toggle("silent", silent(j))
      const here = rows.filter((other) => other.place === parts.place)
      parts.box.classList.toggle("silent", here.every((other) => silent(other.row.prototype)))
      const top = Math.max(most, ...values)
      stretch(parts.bar, ".now", 0, values[i], least, top)
      stretch(parts.bar, ".was", 0, parts.row.contribution, least, top)
      stretch(parts.bar, ".zero", 0, 0, least, top)
      parts.value.textContent = number(values[i], true)
    })
    const after = quiet ? logits(scores()) : before
    const low = Math.floor(Math.min(0, ...before, ...after)), high = Math.ceil(Math.max(0.5, ...before, ...after))
    for (const {c, one, bar, value, change} of class_rows) {
      stretch(bar, ".now", 0, after[c], low, high)
      stretch(bar, ".was", 0, before[c], low, high)
      stretch(bar, ".zero", 0, 0, low, high)
      value.textContent = number(after[c])
      const moved = after[c] - before[c], seen = Math.abs(moved) >= 0.005
      change.textContent = seen ? number(moved, true) : ""
      change.className = `value ${moved > 0 ? "up" : "down"}`
      one.setAttribute("aria-pressed", c === chosen)
    }
    find("select").value = chosen
    for (const one of root.querySelectorAll("[data-baseline]")) {
      one.setAttribute("aria-pressed", one.dataset.baseline === baseline)
      one.disabled = one.dataset.baseline === "mean" && !told.means
    }
    const rest = quiet ? `${quiet} of ${count} are muted` : `all ${count} speak now`
    find(".key").textContent = `M mutes a prototype, S lets only the solo ones speak; ${rest}. Keys: ↑ ↓ a row, ` +
      "M, S, 1–9 hear. Outline: before; striped: muted."
    const instead = baseline === "mean" ? "A muted prototype scores its mean over the training clips." :
      "A muted prototype scores 0, as if its column of W were gone."
    const others = order.filter((c) => c !== chosen)
    const change = (c) => Math.abs(after[c] - before[c])
    const moved = others.reduce((a, b) => (change(b) > change(a) ? b : a), others[0])
    const moves = (c) => `${strong(name(c))}: ${number(before[c])} → ${number(after[c])}`
    const most_moved = others.length ? `Of the others ${moves(moved)} moves most. ` : ""
    find(".says").innerHTML = quiet ? `Logit of ${moves(chosen)}. ${most_moved}` +
      `<span class="quiet">${instead}</span>` : `All prototypes speak. <span class="quiet">${instead}</span>`
  }

  // -- what can be done

  const toggle = (set, j) => {
    if (!set.delete(j)) { set.add(j) }
    draw()
  }
  const choose = (c) => {
    chosen = c
    draw_list()
    draw()
  }
  const actions = {
    mute: () => { for (const {row} of rows) { muted.add(row.prototype) } draw() },
    clear: () => { muted.clear(); solo.clear(); draw() },
    clip: play_clip,
  }
  for (const one of root.querySelectorAll("[data-do]")) { one.onclick = actions[one.dataset.do] }
  for (const one of root.querySelectorAll("[data-baseline]")) {
    one.onclick = () => { baseline = one.dataset.baseline; draw() }
  }
  for (const [c, text] of [...told.classes.entries()].sort((a, b) => a[1].localeCompare(b[1]))) {
    const one = element("option", "", told.present.includes(c) ? `${text} ●` : text)
    one.value = c
    find("select").append(one)
  }
  find("select").onchange = (event) => choose(Number(event.target.value))
  // While the focus is in the panel, every plain key is the panel's; those with Ctrl, Cmd or Alt are not, nor Escape.
  const hear_key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Escape") { return }
    event.stopImmediatePropagation()
    if (root.activeElement?.tagName === "SELECT") { return } // letters choose a class
    const at = rows.findIndex(({item}) => item.contains(root.activeElement)), key = event.key.toLowerCase()
    const next = {arrowdown: at + 1, arrowup: at - 1}[key]
    if (/^[1-9]$/.test(key) && rows[key - 1]) { rows[key - 1].hear.click() }
    else if (at >= 0 && key === "m") { rows[at].mute.click() }
    else if (at >= 0 && key === "s") { rows[at].alone.click() }
    else if (at >= 0 && rows[next]) { rows[next].mute.focus() }
    else { return }
    event.preventDefault()
  }

  // -- light and dark: the notebook's theme where there is one, else the system's

  const system = matchMedia("screen and (prefers-color-scheme: dark)") // paper is light
  const paint = () => {
    const {jpThemeLight, vscodeThemeKind} = document.body.dataset
    const dark = Number(jpThemeLight ? jpThemeLight === "false" : vscodeThemeKind ?
      !vscodeThemeKind.endsWith("light") : system.matches)
    for (const [key, colour] of Object.entries(told.colours[dark])) { host.style.setProperty(`--${key}`, colour) }
    coloured(dark)
  }
  system.addEventListener("change", paint)
  new MutationObserver(paint).observe(document.body, {attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"]})
  image.onload = paint
  image.src = told.picture
  choose(chosen)
  paint()
  host.whatIf = {logits: () => logits(scores()), muted, solo, hear_key} // for whoever wants to ask it
}

// A notebook hears keys at the document, on their way down: M would turn the cell into text and X cut it before the
// panel heard of them. The window comes first. One listener serves all panels, also those that a cell makes again.
if (!window.protovizKeys) {
  window.protovizKeys = (event) => event.composedPath().find((node) => node.whatIf)?.whatIf.hear_key(event)
  window.addEventListener("keydown", window.protovizKeys, true)
}
