// A button and a menu in the browser's top layer. Files come from Python; figures and the link are taken here.
const SHARP = 3 // pixels of a saved picture in one of the page
const STYLE = `
  :host { font: 15px/1.4 var(--bokeh-base-font, sans-serif); color: var(--panel-on-background-color, #12203a); }
  button { font: inherit; color: inherit; background: none; border: 1px solid var(--border-color, #bbb);
           border-radius: 8px; min-height: 36px; padding: 0 12px; cursor: pointer; white-space: nowrap; }
  button:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
  button:focus-visible { outline: 3px solid var(--panel-primary-color, #27406b); outline-offset: 2px; }
  .menu { position: fixed; inset: auto; margin: 0; padding: 12px 16px; max-height: 75vh; overflow: auto; color: inherit;
          max-width: min(560px, 94vw); box-sizing: border-box; background: var(--panel-surface-color, #fff);
          border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: 12px;
          box-shadow: 0 6px 24px rgb(0 0 0 / 0.22); }
  .line { display: flex; align-items: center; gap: 8px; padding: 3px 0; }
  .line span { flex: 1 1 auto; min-width: 0; margin-right: 12px; overflow-wrap: anywhere; }`

const save = (name, blob) => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}

// Bokeh draws a figure anew, sharper than the screen, or as paths and words.
const painted = (view, kind) => {
  const usual = Object.getOwnPropertyDescriptor(window, "devicePixelRatio")
  Object.defineProperty(window, "devicePixelRatio", {value: SHARP, configurable: true})
  try {
    return view.export(kind)
  } finally {
    Object.defineProperty(window, "devicePixelRatio", usual)
  }
}

const picture = (id, kind, paper) => {
  const layer = painted(Bokeh.index.find_one_by_id(id), kind)
  if (kind === "svg") {
    const text = layer.ctx.get_serialized_svg(true)
    const sheet = `<rect width="100%" height="100%" fill="${paper}"/>`
    return new Blob([text.replace(/<svg[^>]*>/, (head) => head + sheet)], {type: "image/svg+xml"})
  }
  const sheet = Object.assign(document.createElement("canvas"), {width: layer.canvas.width, height: layer.canvas.height})
  const context = sheet.getContext("2d")
  context.fillStyle = paper
  context.fillRect(0, 0, sheet.width, sheet.height)
  context.drawImage(layer.canvas, 0, 0)
  return new Promise((done) => sheet.toBlob(done, "image/png"))
}

const copy = async () => {
  try {
    await navigator.clipboard.writeText(location.href)
    return "Copied"
  } catch { // plain http from another machine has no clipboard
    window.prompt("The link to this view:", location.href)
    return "Copy"
  }
}

export function render({model, el}) {
  el.innerHTML = `<style>${STYLE}</style><button class="open" aria-haspopup="true" aria-expanded="false"
    title="Sounds, tables, figures and the link of this page">Take away</button>
    <div class="menu" popover role="group" aria-label="Take away"></div>`
  const [open, menu] = [".open", ".menu"].map((s) => el.querySelector(s))

  const button = (line, words, sign, act) => {
    const one = document.createElement("button")
    one.textContent = sign
    one.setAttribute("aria-label", `${words}: ${sign}`)
    one.onclick = () => act(one)
    line.append(one)
  }
  const add = (words) => {
    const line = Object.assign(document.createElement("div"), {className: "line"})
    line.append(Object.assign(document.createElement("span"), {textContent: words}))
    menu.append(line)
    return line
  }
  const paper = () => getComputedStyle(menu).backgroundColor
  const fill = () => {
    menu.replaceChildren()
    for (const {words, buttons, figure, stem} of model.menu) {
      const line = add(words)
      for (const kind of figure ? ["png", "svg"] : []) {
        button(line, words, kind.toUpperCase(), async () => save(`${stem}.${kind}`, await picture(figure, kind, paper())))
      }
      for (const [key, sign] of buttons) { button(line, words, sign, () => model.send_msg({take: key})) }
    }
    button(add("The link to this view"), "The link to this view", "Copy", async (one) => { one.textContent = await copy() })
  }
  const place = () => {
    const at = open.getBoundingClientRect()
    menu.style.top = `${at.bottom + 6}px`
    menu.style.right = `${Math.max(8, document.documentElement.clientWidth - at.right)}px`
  }
  open.onclick = () => model.send_msg({open: true})
  menu.addEventListener("toggle", (event) => open.setAttribute("aria-expanded", event.newState === "open"))
  model.on("opened", () => {
    fill()
    place()
    menu.showPopover()
    menu.querySelector("button").focus()
  })
  model.on("made", () => {
    save(model.name_of_file, new Blob([model.file]))
    model.send_msg({saved: true})
  })
}
