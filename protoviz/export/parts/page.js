// Draws a figure when it comes near the window, and folds code; a page without figures has no Bokeh.
const drawn = new Map()
const draw = (figure) => {
  if (!drawn.has(figure)) {
    figure.dataset.state = "drawing"
    const {documents, items} = JSON.parse(figure.querySelector("script").textContent)
    const done = () => { figure.dataset.state = "drawn" }
    drawn.set(figure, Bokeh.embed.embed_items(documents, items).then(done))
  }
  return drawn.get(figure)
}
const figures = [...document.querySelectorAll(".figure")]
const near = new IntersectionObserver((entries) => {
  for (const {isIntersecting, target} of entries) { if (isIntersecting) { draw(target) } }
}, {rootMargin: "600px"})
figures.forEach((figure) => near.observe(figure))

// Keys reach what scrolls by itself, and only that.
const reach = new ResizeObserver((sized) => {
  for (const {target} of sized) {
    if (target.scrollWidth > target.clientWidth) { target.tabIndex = 0 } else { target.removeAttribute("tabindex") }
  }
})
for (const one of document.querySelectorAll("pre, .output, .figure, .math.block, .prose table")) { reach.observe(one) }

const blocks = [...document.querySelectorAll("details.code")], fold = document.getElementById("fold")
fold.hidden = !blocks.length
fold.onclick = () => {
  const open = !blocks.some((block) => block.open)
  for (const block of blocks) { block.open = open }
}
const words = () => { fold.textContent = blocks.some((block) => block.open) ? "Hide code" : "Show code" }
for (const block of blocks) { block.addEventListener("toggle", words) }
words()

const contents = document.querySelector(".columns > nav details")
const wide = matchMedia("(min-width: 1180px)")
const unfold = () => { if (contents) { contents.open = wide.matches } }
wide.addEventListener("change", unfold)
unfold()
// Paper has all that is folded. A figure takes a moment to draw and a print from the menu does not wait: the keys do.
const whole = () => {
  for (const block of document.querySelectorAll("details")) { block.open = true }
  return Promise.all(figures.map(draw))
}
const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
addEventListener("beforeprint", whole)
addEventListener("keydown", (event) => {
  if (event.key !== "p" || !(event.ctrlKey || event.metaKey)) { return }
  event.preventDefault()
  whole().then(painted).then(() => print())
})

// Answers are judged as `check` of protoviz.course does: by the first case that fits.
const given = (text, like) => {
  const words = text.trim().toLowerCase().replace(/^["']|["']$/g, "")
  if (typeof like === "string") { return words }
  const plain = words.replace(/[()[\]%]/g, " ").replace(/\u2212/g, "-").trim()
  const parts = like.length === 1 ? [plain.replace(/,(?=\d{3}(\D|$))/g, "")] : plain.split(/[\s,;]+/)
  const found = parts.map((part) => part === "" ? NaN : Number(part))
  return found.length === like.length && !found.some(Number.isNaN) ? found : null
}
const fits = (answer, {answer: asked, within}) => typeof asked === "string"
  ? answer === asked
  : asked.every((value, i) => value === null || Math.abs(answer[i] - value) <= within)
for (const form of document.querySelectorAll("form.answer")) {
  const bytes = Uint8Array.from(atob(form.dataset.judge), (letter) => letter.charCodeAt(0))
  const {cases, otherwise} = JSON.parse(new TextDecoder().decode(bytes))
  const like = cases[0].answer, said = form.querySelector("output")
  const form_of = typeof like === "string" ? "a word" : like.length === 1 ? "a number" : `${like.length} numbers`
  form.hidden = false
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const answer = given(form.querySelector("input").value, like)
    const unread = answer === null || answer === ""
    const hint = unread ? `Write ${form_of}.` : (cases.find((one) => fits(answer, one)) ?? {says: otherwise}).says
    said.className = hint === null ? "right" : "wrong"
    said.textContent = hint === null ? "\u2713 Right." : `\u2192 ${unread ? "" : "Not yet. "}${hint}`
  })
}
