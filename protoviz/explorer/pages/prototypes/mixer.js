// One row of buttons a prototype, level with the bars beside it; the state lives in Python.
const STYLE = `
  .mixer { position: relative; font: 14px/1 var(--bokeh-base-font, sans-serif);
           color: var(--panel-on-background-color, #12203a); }
  .row { position: absolute; left: 0; display: flex; gap: 4px; align-items: center; height: 22px; }
  button { font: inherit; font-weight: 600; color: inherit; background: none; width: 28px; height: 22px; padding: 0;
           border: 1px solid color-mix(in srgb, currentColor 35%, transparent); border-radius: 5px; cursor: pointer; }
  button:hover { background: color-mix(in srgb, currentColor 10%, transparent); }
  button:focus-visible { outline: 3px solid var(--panel-primary-color, #27406b); outline-offset: 1px; }
  button[aria-pressed=true] { background: var(--panel-on-background-color, #12203a);
           color: var(--panel-background-color, #fff); }
  .hit { display: inline-flex; align-items: center; gap: 5px; margin-left: 4px; white-space: nowrap; }
  .hit::before { content: ""; width: 8px; height: 8px; border-radius: 50%; border: 2px solid var(--truth);
           background: var(--truth); }
  .hit.miss::before { background: none; }
  .hit.miss { opacity: 0.8; }`

export function render({model, el}) {
  el.innerHTML = `<style>${STYLE}</style><div class="mixer" role="group" aria-label="Mute and solo"></div>`
  const mixer = el.querySelector(".mixer")
  const made = new Map() // "mute 3" -> button: kept, so that the focus stays where it is
  const button = (what, rank) => {
    const one = document.createElement("button")
    one.textContent = what === "mute" ? "M" : "S"
    one.onclick = () => model.send_msg({what, prototype: Number(one.dataset.prototype)})
    made.set(`${what} ${rank}`, one)
    return one
  }
  const rows = []
  const row = (rank) => {
    const place = document.createElement("div")
    place.className = "row"
    place.append(button("mute", rank), button("solo", rank), document.createElement("span"))
    mixer.append(place)
    return place
  }
  const draw = () => {
    el.style.setProperty("--truth", model.truth)
    mixer.style.height = `${model.tall}px`
    while (rows.length < model.rows.length) { rows.push(row(rows.length)) }
    rows.forEach((place, i) => {
      const told = model.rows[i]
      place.hidden = told == null
      place.style.display = told == null ? "none" : ""
      if (told == null) { return }
      place.style.top = `${model.first + i * model.step - 11}px`
      for (const what of ["mute", "solo"]) {
        const one = made.get(`${what} ${i}`)
        one.dataset.prototype = told.prototype
        one.setAttribute("aria-pressed", told[what])
        one.setAttribute("aria-label", `${what === "mute" ? "Mute" : "Solo"} prototype ${told.prototype}`)
        one.title = one.getAttribute("aria-label")
      }
      const mark = place.lastElementChild
      mark.className = told.hit == null ? "" : told.hit ? "hit" : "hit miss"
      mark.textContent = told.hit == null ? "" : told.hit ? "hit" : "miss"
    })
  }
  for (const name of ["rows", "truth", "tall", "first", "step"]) { model.on(name, draw) }
  draw()
}
