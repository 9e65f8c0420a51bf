// Real links (they open in a new tab, and can be copied), whose plain click only asks for another page.
const STYLE = `
  nav { display: flex; flex-wrap: wrap; gap: 2px; font: 15px/1.4 var(--bokeh-base-font, sans-serif); }
  a { color: #fff; text-decoration: none; padding: 8px 12px; border-radius: 8px; white-space: nowrap; }
  a:hover { background: rgb(255 255 255 / 14%); }
  a:focus-visible { outline: 3px solid #fff; outline-offset: -3px; }
  a[aria-current=page] { background: rgb(255 255 255 / 22%); font-weight: 600; }
  @media (max-width: 1250px) { a { padding: 8px 8px; } }`
const DRAG = 700 // milliseconds: steps that follow each other faster are one, as of a slider that is dragged

export function render({model, el}) {
  el.innerHTML = `<style>${STYLE}</style><nav aria-label="Pages"></nav>`
  const nav = el.querySelector("nav")
  const links = new Map()
  for (const [key, title] of model.pages) {
    const link = document.createElement("a")
    link.textContent = title
    link.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) { return }
      event.preventDefault()
      model.page = key
    }
    nav.append(link)
    links.set(key, link)
  }
  const draw = () => {
    for (const [key, link] of links) {
      const words = new URLSearchParams(model.address.query)
      words.set("page", key)
      link.href = `?${words}`
      if (key === model.page) { link.setAttribute("aria-current", "page") } else { link.removeAttribute("aria-current") }
    }
  }
  let last = -Infinity
  const write = () => {
    draw()
    const {query, step} = model.address
    if (!query || step === null || query === window.location.search) { return }
    const fresh = step && performance.now() - last > DRAG
    if (step) { last = performance.now() }
    window.history[fresh ? "pushState" : "replaceState"](null, "", query)
  }
  const back = () => { model.send_msg({query: window.location.search}) }
  model.on("address", write)
  model.on("page", draw)
  window.addEventListener("popstate", back)
  model.on("remove", () => window.removeEventListener("popstate", back))
  write()
}
