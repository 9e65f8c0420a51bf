"""The page in headless Chromium: first paint, click on a class to picture, change of clip; and a classroom.

Everything is measured inside the page, from the browser's own event to the second animation frame after the
last source that the event changes: by then the canvas is painted. Server and browser share this machine,
and the browser renders in software.
"""

import statistics
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import classroom
from benchmarks.browser import chromium, chromium_path, opened, served, watched
from protoviz.explorer.workbench import DemoError, load_demo

CLICKS, SCENES, LOADS = 40, 10, 5
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def rows() -> list[dict]:
    """One row a figure: what, how many times it was measured, median and 95th percentile in ms, target."""
    path = chromium_path()
    if path is None:
        raise SystemExit("no browser: install chromium, or name one in PROTOVIZ_CHROMIUM")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "log") as address,
        chromium(path) as browser,
    ):
        loads = [_load(browser, address) for _ in range(LOADS)]
        clicks = _clicks(browser, address)
        fresh = _new_scenes(browser, address)
        known = _known_scenes(browser, address)
    return [
        _row("first paint after navigation", [first for first, _ in loads], "2,000"),
        _row("page complete after navigation", [whole for _, whole in loads], ""),
        _row("click on a class -> cells painted", clicks, "80 / 200"),
        _row("new scene: mixed, encoded, painted", fresh, ""),
        _row("scene seen before -> painted", known, ""),
    ]


def _row(what: str, times: list[float], target: str) -> dict:
    ordered = sorted(times)
    high = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    return {"what": what, "n": len(times), "median": statistics.median(times), "p95": high, "target": target}


def _load(browser, address: str) -> tuple[float, float]:
    page = opened(browser, address)
    page.wait_for_function(f"({PAINTED}) != null")
    times = page.evaluate(PAINTED), page.evaluate("performance.now()")
    page.close()
    return times


def _clicks(browser, address: str) -> list[float]:
    page = watched(browser, address)
    page.evaluate("watch('pointerup', ['cells', 'parts'])")
    classes = page.evaluate("model('classes').y_range.start - 0.5") + 1
    for i in range(CLICKS):
        row = (7 * i + 12) % int(classes)  # never the class that is shown already
        page.mouse.click(*page.evaluate(f"pixel('classes', 0.3, {row})"))
        page.wait_for_function(f"took.length == {i + 1}")
    return page.evaluate("took")


def _new_scenes(browser, address: str) -> list[float]:
    page = watched(browser, address)
    page.evaluate("watch('pointerup', ['picture', 'cells'])")
    for i in range(SCENES):
        page.get_by_role("button", name="New scene").click()
        page.wait_for_function(f"took.length == {i + 1}")
    return page.evaluate("took")


def _known_scenes(browser, address: str) -> list[float]:
    page = watched(browser, address)
    slider = page.get_by_role("slider").first
    page.evaluate("watch('keydown', ['picture', 'cells'])")
    for i in range(SCENES + 1):
        slider.press("ArrowRight" if i % 2 == 0 else "ArrowLeft")
        page.wait_for_function(f"took.length == {i + 1}")
    return page.evaluate("took")[1:]  # the first was new


def main() -> None:
    """Print the table."""
    console = Console()
    try:
        note = load_demo().note
    except DemoError as error:
        console.print(f"page: {error}")
        return
    table = Table("ms", "n", "median", "p95", "target", title=f"The page in headless Chromium ({note})")
    for row in rows():
        table.add_row(
            row["what"], str(row["n"]), f"{row['median']:,.0f}", f"{row['p95']:,.0f}", row["target"]
        )
    console.print(table)
    console.print(classroom.table())


if __name__ == "__main__":
    main()
