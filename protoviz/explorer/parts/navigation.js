// Real links (they open in a new tab, and can be copied), whose plain click only asks for another page.
const STYLE = `
  nav { display: flex; flex-wrap: wrap; gap: 2px; font: 15px/1.4 var(--bokeh-base-font, sans-serif); }
  a { color: #fff; text-decoration: none; padding: 8px 12px; border-radius: 8px; white-space: nowrap; }
  a:hover { background: rgb(255 255 255 / 14%); }
  a:focus-visible { outline: 3px solid #fff; outline-offset: -3px; }
  a[aria-current=page] { background: rgb(255 255 255 / 22%); font-weight: 600; }
  @media (max-width: 1250px) { a { padding: 8px 8px; } }`
const DRAG = 700 // milliseconds: steps that follow each other faster are one, as of a slider that is dragged

const ANSWER = 8000 // milliseconds that a session has to say that it is still there
const ASK = [500, 2000, 4000] // when it is asked: what a reconnected document draws anew comes first
const AGAIN = 3000 // between two looks for a server that Bokeh has given up

// One a page: a reconnected document is drawn again, and this component with it.
const link = window.protovizLink ??= {model: null, asked: 0, timers: [], seeking: false, line: null, seen: new WeakSet()}

function say(words) {
  if (!link.line) {
    link.line = document.createElement("div")
    link.line.id = "connection"
    link.line.setAttribute("role", "alert")
    link.line.style = "position: fixed; inset: auto 0 0 0; z-index: 3000; padding: 12px 24px; " +
      "background: #8c1d18; color: #fff; font: 15px/1.4 Roboto, Helvetica, Arial, sans-serif; text-align: center"
  }
  link.line.textContent = words
  document.body.append(link.line)
}

function load() {
  say("The server no longer holds this session: its view is opened again from its link.")
  window.location.reload()
}

async function seek() {
  try {
    const found = await fetch(window.location.href, {method: "HEAD", cache: "no-store"})
    if (found.status < 500) { return load() }
  } catch { /* still away */ }
  setTimeout(seek, AGAIN)
}

function rest() {
  link.timers.forEach(clearTimeout)
  link.timers = []
}

// A lost connection is said, and mended: by Bokeh as long as it tries, else by loading the page's link.
function watch_connection(model, shown) {
  link.model = model
  model.on("alive", () => { rest(); link.line?.remove() })
  if (link.seen.has(shown)) { return }
  link.seen.add(shown)
  shown.on_event("connection_lost", (_, event) => {
    rest()
    say("The connection to the server is lost; nothing here answers until it is back. Trying again …")
    if (event.timeout == null && !link.seeking) { link.seeking = true; seek() }
  })
  shown.on_event("client_reconnected", () => {
    rest()
    const ask = () => link.model.send_msg({alive: ++link.asked})
    link.timers = [...ASK.map((after) => setTimeout(ask, after)), setTimeout(load, ANSWER)]
  })
}

export function render({model, el, view}) {
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
  if (view?.model?.document) { watch_connection(model, view.model.document) }
}
