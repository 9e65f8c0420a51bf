"""Driving the page: one opened page with what the tests do to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import waiting

from benchmarks.browser import IDLE
from protoviz.explorer.frame import Frame
from protoviz.explorer.pages import PAGES
from protoviz.explorer.pages.view import PageView
from protoviz.explorer.workbench import Workbench

PATIENCE = 1000 * waiting.PATIENCE  # milliseconds, as playwright counts


def refuse_others(context, ours: Callable[[str], object], found: list[str]) -> None:
    """Let a browser ask for our addresses alone; every other one is refused and noted in `found`."""

    def only_ours(route):
        if ours(route.request.url):
            return route.continue_()
        found.append(route.request.url)
        return route.abort()

    context.route("**/*", only_ours)


@dataclass
class Server:
    """A running server, what its next page shows, and the frames of its sessions in the order of opening."""

    address: str
    bench: Workbench
    frames: list[Frame] = field(default_factory=list)


@dataclass
class Opened:
    """One page in the browser and its frame on the server."""

    page: object
    frame: Frame | None
    errors: list[str]
    foreign: list[str]

    @property
    def state(self):
        return self.frame.state

    @property
    def view(self) -> PageView:
        """The page that is shown."""
        return self.frame.view

    def settle(self) -> None:
        """Wait until everything that the server has said is drawn."""
        self.page.wait_for_function(IDLE, timeout=PATIENCE)
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def wait(self, javascript: str) -> None:
        """Wait until this holds in the page."""
        self.page.wait_for_function(javascript, timeout=PATIENCE)

    def pages(self) -> Iterator[str]:
        """Go to every page by its link; yield its key once it is drawn, cards and all."""
        for key, title in PAGES.items():
            self.page.get_by_role("link", name=title, exact=True).click()
            self.wait(f"location.search.includes('page={key}')")
            self.settle()
            assert self.page.locator(".card:visible").count() > 0
            yield key

    def until(self, holds: Callable[[], bool], **why: Callable[[], object]) -> None:
        """Wait until this holds here, on the server or in what the page tells."""
        waiting.until(holds, lambda seconds: self.page.wait_for_timeout(1000 * seconds), **why)

    def tell(self, javascript: str):
        return self.page.evaluate(javascript)

    def reveal(self, figure: str) -> None:
        """Scroll until the figure is in the window: a mouse clicks nothing outside."""
        self.tell(f"Bokeh.index.find_one_by_id(model('{figure}').id).el.scrollIntoView({{block: 'nearest'}})")

    def click_at(self, figure: str, x: float, y: float) -> None:
        """Click a place of a figure, in its own units."""
        self.reveal(figure)
        self.page.mouse.click(*self.tell(f"pixel('{figure}', {x}, {y})"))

    def drop(self, name: str, data: bytes) -> None:
        """Hand over a file as its button does."""
        file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        self.page.locator("input[type=file]").set_input_files(file)


# Also in shadow roots: every text that is an element's own, and what only a name can have made, which is
# elements, their attributes, and what a script would leave.
WRITTEN = """(() => {
    const texts = [], made = window.injected ? ["a script ran"] : []
    const look = (root) => {
        for (const node of root.querySelectorAll("*")) {
            const text = node.textContent, parts = "b, i, a, em, code, script, math, mjx-container"
            const away = [node.src, node.href].some((to) => to && new URL(to, location).host == "h.example")
            const acts = [...node.attributes].some(({name}) => name.startsWith("on"))
            const written = node.matches(parts) && /^(bold|i|a|x|y|c|injected=1)$/.test(text)
            if (away || acts || written) made.push(node.outerHTML)
            if (!node.children.length) texts.push(text)
            if (node.shadowRoot) look(node.shadowRoot)
        }
    }
    look(document)
    return {texts, made}
})()"""

# Every card's box, and every visible text below 14 px (a field's label is scaled; the factor rounds).
LAYOUT = """() => {
    const cards = [], small = []
    const look = (node) => {
        const box = node.getBoundingClientRect(), style = getComputedStyle(node)
        if (node.classList?.contains("card") && box.width > 1)
            cards.push([box.left, box.right, box.top, box.bottom])
        const words = [...node.childNodes].filter((n) => n.nodeType == 3 && n.textContent.trim())
        const shown = box.width > 1 && box.height > 1 && style.visibility != "hidden" && style.opacity > 0
        if (words.length && shown && !["STYLE", "SCRIPT"].includes(node.tagName)) {
            const size = parseFloat(style.fontSize) * (box.height / (node.offsetHeight || box.height))
            if (size < 13.5) small.push([words[0].textContent.trim(), size])
        }
    }
    const walk = (node) => {
        for (const child of [...(node.shadowRoot?.children ?? []), ...(node.children ?? [])]) {
            look(child)
            walk(child)
        }
    }
    walk(document.body)
    return {cards, small}
}"""


# Of the models of a name the last made: a figure whose place it took stays in the document for a while.
NEWEST = "Bokeh.documents.flatMap((d) => [...d._all_models.values()]).filter((m) => m.name == '{}').at(-1)"


def assert_layout(opened: Opened, width: int, cards: int, narrowest: int = 380) -> None:
    """Once drawn, nothing is wider than the page, no text is small, and the cards do not overlap."""
    if opened.page.viewport_size["width"] != width:
        opened.page.set_viewport_size({**opened.page.viewport_size, "width": width})
    opened.settle()
    faults = partial(_faults, opened, width, cards, narrowest)
    opened.until(lambda: not list(faults()), why=lambda: list(faults()))


def _faults(opened: Opened, width: int, cards: int, narrowest: int) -> Iterator[str]:
    if opened.tell("document.documentElement.scrollWidth") > width:
        yield "wider than the page"
    told = opened.tell(LAYOUT)
    yield from (f"small: {text}" for text in told["small"])  # a tooltip grows to its size
    if len(told["cards"]) != cards:
        yield f"{len(told['cards'])} cards"
    for i, (left, right, top, bottom) in enumerate(told["cards"]):
        if left < 0 or right > width or right - left < narrowest:
            yield f"card {i} is {left} to {right}"
        for other in told["cards"][:i]:
            beside = min(right, other[1]) <= max(left, other[0])
            if not beside and min(bottom, other[3]) > max(top, other[2]):
                yield f"card {i} overlaps another"
