// Draws a figure when it comes near the window, and folds code; a page without figures has no Bokeh.
const draw = (figure) => {
  if (figure.dataset.state) { return }
  figure.dataset.state = "drawing"
  const {documents, items} = JSON.parse(figure.querySelector("script").textContent)
  Bokeh.embed.embed_items(documents, items).then(() => { figure.dataset.state = "drawn" })
}
const figures = [...document.querySelectorAll(".figure")]
const near = new IntersectionObserver((entries) => {
  for (const {isIntersecting, target} of entries) { if (isIntersecting) { draw(target) } }
}, {rootMargin: "600px"})
figures.forEach((figure) => near.observe(figure))

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
addEventListener("beforeprint", () => {
  for (const block of document.querySelectorAll("details")) { block.open = true }
  figures.forEach(draw)
})
