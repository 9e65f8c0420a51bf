// Real links (they open in a new tab, and can be copied), whose plain click only asks for another page.
const STYLE = `
  nav { display: flex; flex-wrap: wrap; gap: 2px; font: 15px/1.4 var(--bokeh-base-font, sans-serif); }
  a { color: #fff; text-decoration: none; padding: 8px 12px; border-radius: 8px; white-space: nowrap; }
  a:hover { background: rgb(255 255 255 / 14%); }
  a:focus-visible { outline: 3px solid #fff; outline-offset: -3px; }
  a[aria-current=page] { background: rgb(255 255 255 / 22%); font-weight: 600; }
  @media (max-width: 1250px) { a { padding: 8px 8px; } }`
const DRAG = 700 // milliseconds: steps that follow each other faster are one, as of a slider that is dragged
const AGAIN = 1000 // milliseconds between two looks for a server that is away

function say(words) {
  const line = document.createElement("div")
  line.id = "connection"
  line.setAttribute("role", "alert")
  line.style = "position: fixed; inset: auto 0 0 0; z-index: 3000; padding: 12px 24px; background: #8c1d18; " +
    "color: #fff; font: 15px/1.4 Roboto, Helvetica, Arial, sans-serif; text-align: center"
  line.textContent = words
  document.body.append(line)
}

async function answers() {
  try {
    return (await fetch(window.location.href, {method: "HEAD", cache: "no-store"})).status < 500
  } catch {
    return false
  }
}

// The session's name, as long as its token lets a page in.
function session(connection) {
  const told = connection?.token.split(".")[0].replace(/_/g, "/").replace(/-/g, "+")
  const {session_id, session_expiry} = told ? JSON.parse(atob(told)) : {}
  return session_expiry > Date.now() / 1000 + 60 ? session_id : null
}

// A lost connection is said, and mended by loading the page: of the same session where it is still there, else
// its link makes a new one. Bokeh's own way back into a page fails where a document holds arrays.
async function mend(_, lost) {
  const held = session(lost.connection.deref())
  say("The connection to the server is lost; nothing here answers until it is back. Trying again …")
  while (!await answers()) { await new Promise((done) => setTimeout(done, AGAIN)) }
  const link = new URL(window.location.href)
  if (held) { link.searchParams.set("bokeh-session-id", held) }
  window.location.replace(link)
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
      if (key === model.page) {
        link.setAttribute("aria-current", "page")
        document.title = `${link.textContent} · protoviz`
      } else { link.removeAttribute("aria-current") }
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
  draw()
  // Whatever the page was opened by, what stands above is the link to its view, without a session's name.
  if (model.address.query) { window.history.replaceState(null, "", model.address.query) }
  view.model.document?.on_event("connection_lost", mend)
}
