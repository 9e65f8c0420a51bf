"""Pages for everyone: axe-core, any window, paper, the system's wishes, and keys alone."""

import pytest
from jinja2 import Template

from benchmarks.everyone import findings, grave
from protoviz.explorer.pages import PAGES
from protoviz.explorer.server import LOGIN

# Width and height of a window, and the share of its width that the widest figure has at least: two encoders
# lie side by side on a tablet's long side, and on a large screen every page has two columns.
WINDOWS = ((360, 780, 0.8), (768, 1024, 0.8), (1024, 768, 0.43), (1600, 1000, 0.5))
A4 = 718  # pixels between the margins that a browser leaves
COLOURS = ("color-contrast", "link-in-text-block")  # axe-core's rules that look at colours
# What is seen: figures (width, words), cards (top, bottom, how each box around it lays out its parts), groups
# without a name, the header's foot, the top of what follows.
SEEN = """() => {
    const text = (one, id) => id && one.getRootNode().getElementById(id)?.textContent.trim()
    const told = (one, name) => one.getAttribute(name)?.trim() ?? ""
    const named = (one) =>
        told(one, "aria-label") || told(one, "aria-labelledby").split(" ").some((id) => text(one, id))
    const around = (one, found = []) => {
        const host = one.getRootNode().host
        if (!host) return found
        const parts = [...host.shadowRoot.children].filter((part) => part.getBoundingClientRect().height)
        return around(host, parts.length > 1 ? [...found, getComputedStyle(host).display] : found)
    }
    const seen = {figures: [], cards: [], nameless: [], across: document.documentElement.scrollWidth,
                  high: document.documentElement.scrollHeight}
    const walk = (node) => {
        for (const one of [...(node.shadowRoot?.children ?? []), ...(node.children ?? [])]) {
            const box = one.getBoundingClientRect()
            if (box.width > 1) {
                const has = (name) => one.classList.contains(name)
                if (one.matches("[role=group], [role=region]") && !named(one))
                    seen.nameless.push(one.outerHTML.slice(0, 200))
                if (has("bk-Figure")) seen.figures.push([box.width, one.getAttribute("aria-label") ?? ""])
                if (has("card")) seen.cards.push([box.top + scrollY, box.bottom + scrollY, around(one)])
                if (has("header")) seen.header = box.bottom
                if (has("main-content")) seen.first = box.top
            }
            walk(one)
        }
    }
    walk(document.body)
    return seen
}"""
# The longest transition or animation of anything on the page, in seconds.
LONGEST = """() => {
    let longest = 0
    const walk = (node) => {
        for (const one of [...(node.shadowRoot?.children ?? []), ...(node.children ?? [])]) {
            const {transitionDuration, animationDuration} = getComputedStyle(one)
            for (const time of `${transitionDuration}, ${animationDuration}`.split(", ")) {
                longest = Math.max(longest, parseFloat(time) * (time.endsWith("ms") ? 0.001 : 1))
            }
            walk(one)
        }
    }
    walk(document.body)
    return longest
}"""
# Numbers every control that can be seen; `reached` then names the one with the focus, and if that shows.
CONTROLS = """() => {
    const kinds = "a[href], button, input, textarea, select, [role=combobox], [role=slider], [tabindex='0']"
    window.controls = []
    const walk = (node) => {
        for (const one of [...(node.shadowRoot?.children ?? []), ...(node.children ?? [])]) {
            const style = getComputedStyle(one), box = one.getBoundingClientRect()
            const hidden = one.disabled || one.tabIndex < 0 || style.visibility == "hidden"
            if (one.matches(kinds) && !hidden && (box.width || box.height)) controls.push(one)
            walk(one)
        }
    }
    walk(document.body)
    window.reached = () => {
        let one = document.activeElement
        while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement
        if (!one || one === document.body) return null
        const around = [one, one.parentElement, one.parentElement?.parentElement].filter(Boolean)
        const shows = around.some((part) => {
            const style = getComputedStyle(part)
            return (style.outlineStyle != "none" && parseFloat(style.outlineWidth) >= 1) ||
                part.matches(".Mui-focused, .Mui-focusVisible")
        })
        return [controls.indexOf(one), shows, one.outerHTML.slice(0, 200)]
    }
    return controls.map((one) => one.outerHTML.slice(0, 200))
}"""


def show(opened, key: str) -> None:
    """Go to another page by its link, and wait until it is drawn."""
    opened.page.get_by_role("link", name=PAGES[key], exact=True).click()
    opened.page.get_by_role("heading", level=1, name=PAGES[key], exact=True).wait_for(state="attached")
    opened.settle()


def assert_nothing_grave(opened, rules: tuple[str, ...] = ()) -> None:
    """Wait until what fades has faded: axe-core finds nothing that keeps somebody out."""
    opened.until(lambda: grave(findings(opened.page, rules)) == [], why=lambda: findings(opened.page, rules))


def assert_width(opened, width: int, least: float) -> None:
    """The page is no wider than the window, and its widest figure has its share."""

    def holds() -> bool:
        seen = opened.tell(SEEN)
        wide = max((figure for figure, _ in seen["figures"]), default=0)
        return seen["across"] <= width and wide > least * width and seen["first"] >= seen["header"] - 1

    opened.settle()
    opened.until(holds, why=lambda: (opened.state.page, width, opened.tell(SEEN)))


def test_every_page_is_for_everyone_dark_or_light_in_any_window(open_page):
    """One walk builds each page once, in the dark; then the light ones differ in their colours alone."""
    opened = open_page(color_scheme="dark", reduced_motion="reduce")
    opened.until(lambda: opened.frame.page.dark_theme)
    for key in PAGES:
        windows = WINDOWS if key == "listen" else WINDOWS[::2]
        opened.page.set_viewport_size({"width": windows[0][0], "height": windows[0][1]})
        show(opened, key)  # a phone's first
        for width, height, least in windows:
            opened.page.set_viewport_size({"width": width, "height": height})
            assert_width(opened, width, least)
        opened.page.set_viewport_size({"width": 1600, "height": 1000})
        opened.settle()
        assert_nothing_grave(opened)
        seen = opened.tell(SEEN)
        assert seen["nameless"] == [], key
        told = seen["figures"]
        assert told, key
        assert [words for _, words in told if len(words) < 25] == [], key
    opened.page.get_by_label("Toggle theme").click()
    opened.until(lambda: not opened.frame.page.dark_theme)
    for key in PAGES:
        show(opened, key)
        assert_nothing_grave(opened, COLOURS)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave_on_the_login(browser, theme, tmp_path):
    login = tmp_path / "login.html"
    login.write_text(Template(LOGIN.read_text()).render(errormessage="Wrong"))
    page = browser.new_page(color_scheme=theme)
    page.goto(login.as_uri())
    assert grave(findings(page)) == []
    page.close()


def test_paper_has_the_whole_page(open_page):
    opened = open_page()
    show(opened, "ranks")
    widest = max(width for width, _ in opened.tell(SEEN)["figures"])
    assert opened.page.pdf(format="A4").count(b"/Type /Page\n") >= 2
    opened.page.emulate_media(media="print")
    assert widest * opened.tell("Number(getComputedStyle(document.body).zoom)") < A4
    seen = opened.tell(SEEN)
    assert max(bottom for _, bottom, _ in seen["cards"]) <= seen["high"]
    # A flex box does not grow over sheets: what goes to the next one would lie on what follows.
    assert {way for *_, ways in seen["cards"] for way in ways} == {"block"}


def test_the_system_says_dark_until_the_visitor_chooses(open_page):
    opened = open_page(color_scheme="dark")
    opened.until(lambda: opened.frame.page.dark_theme)
    bars = "model('class-bars').data.colour[0]"
    light = "#0072B2"
    opened.until(lambda: opened.tell(bars) != light, why=lambda: opened.tell(bars))
    opened.page.get_by_label("Toggle theme").click()
    opened.until(lambda: opened.tell(bars) == light)
    opened.page.reload()
    opened.page.wait_for_selector(".bk-Figure")
    opened.page.wait_for_selector("#opening", state="detached")
    assert opened.tell("document.documentElement.dataset.theme") == "light"


def test_nothing_moves_where_that_is_asked(open_page):
    opened = open_page()
    assert opened.tell(LONGEST) > 0.1
    opened.page.emulate_media(reduced_motion="reduce")
    assert opened.tell(LONGEST) < 0.001


@pytest.mark.parametrize("key", ["listen", "prototypes"])
def test_keys_reach_every_control_in_order_and_show_where_they_are(open_page, key):
    opened = open_page(f"?page={key}")
    controls = opened.tell(CONTROLS)
    places, silent = [], []
    for _ in range(len(controls) + 5):
        opened.page.keyboard.press("Tab")
        reached = opened.tell("reached()")
        if reached is None or reached[0] in places:
            break
        place, shows, what = reached
        places.append(place)
        if not shows:
            silent.append(what)
    assert silent == []
    assert [controls[place] for place in set(range(len(controls))) - set(places)] == []
    known = [place for place in places if place >= 0]
    assert known == sorted(known)
