"""`python -m benchmarks.screenshots`: the pages as pictures, docs/*.png, for README and to be looked at."""

import io
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.browser import HELP, IDLE, chromium, chromium_path, served

DOCS = Path(__file__).resolve().parents[1] / "docs"
SIZES = ((1100, 1160), (1600, 1080), (2200, 1080))
COLOURS = 192  # as a palette picture: a third of the bytes, and no difference to see


def main() -> None:
    """Write docs/listen-WIDTH.png, and the page of 1600 px in the dark."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no browser: install chromium, or name one in PROTOVIZ_CHROMIUM")
    DOCS.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "log") as address,
        chromium(path) as browser,
    ):
        for width, height in SIZES:
            page = _open(browser, address, width, height)
            _write(page, f"listen-{width}.png")
            if width == 1600:
                page.get_by_label("Toggle theme").click()
                _write(page, "listen-dark.png")
            page.close()


def _open(browser, address: str, width: int, height: int):
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(address)
    page.wait_for_function(IDLE)
    page.wait_for_selector(".bk-Figure")
    page.evaluate(HELP)
    return page


def _write(page, name: str) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)  # the theme fades over, fonts arrive
    page.wait_for_function(IDLE)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(DOCS / name, optimize=True)
    print(DOCS / name, f"{(DOCS / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
