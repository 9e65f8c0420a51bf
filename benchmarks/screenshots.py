"""`python -m benchmarks.screenshots`: the pages as pictures, docs/*.png, for README and to be looked at."""

import io
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.browser import chromium, chromium_path, opened, served
from protoviz.explorer.pages import PAGES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LESSON = ROOT / "build" / "course" / "05_prototypes.html"  # `make course` writes it
HEIGHTS = {1100: 1400, 1600: 1080, 2200: 1080}  # of the window, by its width; narrow pages are taller
EVERY = 1600  # every page is taken at this width, light and dark; the first one at the others too
COLOURS = 192  # as a palette picture: a third of the bytes, and no difference to see


def main() -> None:
    """Write docs/PAGE.png and docs/PAGE-dark.png, and the first page at other widths."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no browser: install chromium, or name one in PROTOVIZ_CHROMIUM")
    DOCS.mkdir(exist_ok=True)
    first = next(iter(PAGES))
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "log") as address,
        chromium(path) as browser,
    ):
        for key in PAGES:
            page = _page(browser, address, key, EVERY)
            _write(page, f"{key}.png")
            page.get_by_label("Toggle theme").click()
            _write(page, f"{key}-dark.png")
            page.close()
        for width in HEIGHTS.keys() - {EVERY}:
            page = _page(browser, address, first, width)
            _write(page, f"{first}-{width}.png")
            page.close()
        if LESSON.exists():
            _write(_lesson(browser), "course.png")
        else:
            raise SystemExit("no picture of the course: run `make course`, then this again")


def _page(browser, address: str, key: str, width: int):
    page = opened(browser, f"{address}?page={key}")
    page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    return page


def _lesson(browser):
    """The page of a lesson at its mixer, with some prototypes muted, from the file and without a network."""
    page = browser.new_context(viewport={"width": 1200, "height": 1080}, offline=True).new_page()
    page.goto(LESSON.as_uri())
    page.get_by_role("button", name="Mute prototype").first.wait_for()
    for rank in (0, 2):
        page.get_by_role("button", name="Mute prototype").nth(rank).click()
    page.locator("h2", has_text="Your turn with the mixer").evaluate("h => h.scrollIntoView()")
    return page


def _write(page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(2500)  # the theme fades over, fonts and lazily made pictures arrive
    page.wait_for_function("window.Bokeh == null || Bokeh.documents.every((d) => d.is_idle)")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(DOCS / name, optimize=True)
    print(DOCS / name, f"{(DOCS / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
