"""The page in headless Chromium: first paint, click to picture, change of clip, a large map; and a classroom.

`python -m benchmarks page --study FOLDER` does so with another study than the demo, without mixing scenes;
`python -m benchmarks large` with the one that `large` makes.

Everything is measured inside the page, from the browser's own event to the second animation frame after the
last source that the event changes: by then the canvas is painted. Server and browser share this machine,
and the browser renders in software.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.spatial import cKDTree

from benchmarks import classroom
from benchmarks.browser import WATCH, Processor, browser_or_exit, chromium, opened, served, watched
from protoviz.explorer.pages import PAGES
from protoviz.explorer.studies import VARIABLE, served_studies
from protoviz.explorer.workbench import BenchError
from protoviz.paths import data_folder

CLICKS, SCENES, LOADS, RETURNS = 40, 10, 5, 3
POINTS, TAPS, STEPS = 50_000, 15, 30
# The same for a map that is dragged: from a pointer's move to what it moves.
DRAG = """
window.took = []
document.addEventListener("pointermove", () => { window.moved = performance.now() }, true)
model("cloud").x_range.properties.start.change.connect(() => {
  const start = window.moved, frame = requestAnimationFrame
  frame(() => frame(() => window.took.push(performance.now() - start)))
})
undefined
"""
# From the next click until a figure that was not there is painted.
FIRST = """
window.took = []
window.first = (name) => document.addEventListener("pointerup", () => {
  const start = performance.now(), frame = requestAnimationFrame
  const look = () => {
    const figure = model(name), view = figure && Bokeh.index.find_one_by_id(figure.id)
    if (view && view.has_finished()) frame(() => frame(() => window.took.push(performance.now() - start)))
    else frame(look)
  }
  look()
}, {capture: true, once: true})
undefined
"""
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def rows(study: Path | None = None, clicks: int = CLICKS) -> list[dict]:
    """One row a figure: what, how many times it was measured, median and 95th percentile in ms, target."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "log", **shown(study)) as address,
        chromium(browser_or_exit()) as browser,
    ):
        loads = [_load(browser, address) for _ in range(LOADS)]
        clicked, muted, seen = (one(browser, address, clicks) for one in (_clicks, _mutes, _maps))
        found = [
            _row("first_paint", "first paint after navigation", [first for first, _ in loads], "2,000"),
            _row("complete", "page complete after navigation", [whole for _, whole in loads], ""),
            _row("class", "click on a class -> cells painted", clicked, "80 / 200"),
            _row("mute", "prototype muted -> every class painted", muted, "80 / 200"),
            _row("layer", "click on a layer and head -> maps painted", seen, "80 / 200"),
        ]
        first, chosen, parts = _matrix(browser, address, clicks)
        found += [
            _row("matrix", "click on Orthogonality -> matrix painted", first, "200"),
            _row("pair", "click on a row of the matrix -> lines painted", chosen, "80 / 200"),
        ]
        if parts:
            found += [_row("part", "part of the matrix chosen, and left -> painted", parts, "80 / 200")]
        found += [
            _row(f"back_{key}", f"back to {PAGES[key]}: processor time of the browser", times, "500")
            for key, times in _returns(browser, address).items()
        ]
        if study is None:
            found += _of_scenes(browser, address, Path(folder))
        return found


def _of_scenes(browser, address: str, folder: Path) -> list[dict]:
    """What only the demo has: scenes that are mixed, and a map of which there are copies."""
    fresh, known = _new_scenes(browser, address), _known_scenes(browser, address)
    taps, steps = _large_map(browser, folder)
    return [
        _row("scene_new", "new scene: mixed, encoded, painted", fresh, ""),
        _row("scene_again", "scene seen before -> painted", known, ""),
        _row("tap", f"tap on one of {POINTS:,} points -> ring painted", taps, "80 / 200"),
        _row("drag", f"step of dragging {POINTS:,} points", steps, ""),
    ]


def shown(study: Path | None) -> dict[str, str]:
    """The variables by which a server shows a study; None: the demo."""
    return {} if study is None else {VARIABLE: str(study)}


def _row(key: str, what: str, times: list[float], target: str) -> dict:
    return {"key": key, "what": what, "n": len(times), **classroom.middle(times), "target": target}


def _load(browser, address: str) -> tuple[float, float]:
    page = opened(browser, address)
    page.wait_for_function(f"({PAINTED}) != null")
    times = page.evaluate(PAINTED), page.evaluate("performance.now()")
    page.close()
    return times


def _clicks(browser, address: str, count: int) -> list[float]:
    page = watched(browser, address)
    page.evaluate("watch('pointerup', ['cells', 'parts'])")
    classes = page.evaluate("model('classes').y_range.start - 0.5") + 1
    for i in range(count):
        row = (7 * i + 12) % int(classes)  # never the class that is shown already
        page.mouse.click(*page.evaluate(f"pixel('classes', 0.3, {row})"))
        page.wait_for_function(f"took.length == {i + 1}")
    return page.evaluate("took")


def _mutes(browser, address: str, count: int) -> list[float]:
    page = watched(browser, f"{address}?page=prototypes")
    page.wait_for_timeout(2000)  # the nearest clips' pictures arrive one by one
    page.evaluate("watch('pointerup', ['ghosts', 'cells'])")
    buttons = page.get_by_role("button", name="Mute prototype")
    for i in range(count):
        buttons.nth(i % 9).click()
        page.wait_for_function(f"took.length == {i + 1}")
    return page.evaluate("took")


def _maps(browser, address: str, count: int) -> list[float]:
    page = watched(browser, f"{address}?page=attention")
    page.set_viewport_size({"width": 1600, "height": 1300})  # a mouse clicks nothing outside
    page.wait_for_timeout(500)
    # A study of one encoder may have nothing to show on the right.
    shown = ["left"] if page.get_by_text("cannot be shown").count() else ["left", "right"]
    page.evaluate(f"watch('pointerup', {[f'attention-{side}-map' for side in shown]})")
    for i in range(count):
        page.mouse.click(*page.evaluate(f"pixel('attention-left-maps', {i % 4 + 0.5}, {i % 6 + 0.5})"))
        page.wait_for_function(f"took.length == {i + 1}")
    return page.evaluate("took")


def _matrix(browser, address: str, count: int) -> tuple[list[float], list[float], list[float]]:
    """First pictures (of a page each), rows chosen, and parts of a matrix of more rows than pixels."""
    first, parts = [], []
    for _ in range(LOADS):
        page = watched(browser, address)
        page.evaluate(FIRST)
        page.evaluate("first('cosine-map')")
        page.get_by_role("link", name="Orthogonality").click()
        page.wait_for_function("took.length == 1")
        first += page.evaluate("took")
        page.context.close()
    page = watched(browser, f"{address}?page=orthogonality")
    whole = page.get_by_role("button", name="Whole matrix")
    if whole.is_visible():
        page.evaluate("watch('pointerup', ['cosine-map-image'])")
        for i in range(count):
            _click_in_matrix(page, i)
            page.wait_for_function(f"took.length == {2 * i + 1}")
            whole.click()
            page.wait_for_function(f"took.length == {2 * i + 2}")
        parts = page.evaluate("took")
        _click_in_matrix(page, 0)
        page.wait_for_timeout(1000)
        page.evaluate(WATCH)
    page.evaluate("watch('pointerup', ['cross', 'prototype-column'])")
    for i in range(count):
        _click_in_matrix(page, i)
        page.wait_for_function(f"took.length == {i + 1}")
    return first, page.evaluate("took"), parts


def _click_in_matrix(page, number: int) -> None:
    """A click into what is shown of the matrix, each at another row."""
    across, up = 0.3 + 0.4 * (number % 2), (7 * number + 12) % 90 / 100 + 0.03
    shares = {"x": across, "y": up}
    ranges = {axis: f"model('cosine-map').{axis}_range" for axis in shares}
    x, y = (f"{one}.start + {shares[axis]} * ({one}.end - {one}.start)" for axis, one in ranges.items())
    page.mouse.click(*page.evaluate(f"pixel('cosine-map', {x}, {y})"))


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


def _returns(browser, address: str) -> dict[str, list[float]]:
    """Milliseconds of the browser's processor for each page that is shown again, after all have been seen."""
    page = opened(browser, address)
    processor = Processor(page)

    def show(key: str) -> float:
        before = processor.spent()
        page.get_by_role("link", name=PAGES[key], exact=True).click()
        page.wait_for_function("(key) => location.search.includes(`page=${key}`)", arg=key)
        return 1000 * (processor.spent() - before)

    keys = [*PAGES][1:] + [*PAGES][:1]
    for key in keys:
        show(key)
    times = [(key, show(key)) for _ in range(RETURNS) for key in keys]
    page.close()
    return {key: [spent for one, spent in times if one == key] for key in PAGES}


def _large_map(browser, folder: Path) -> tuple[list[float], list[float]]:
    """Taps on tokens of the shown clip, and steps of dragging, on a map of POINTS tokens."""
    data = folder / "data"
    shutil.copytree(data_folder() / "demo", data / "demo")
    (data / "encoders").symlink_to(data_folder() / "encoders", target_is_directory=True)
    clip, goals = _write_large_map(next((data / "demo" / "results" / "map-tokens").rglob("*.parquet")))
    query = f"?page=prototypes&neighbours.cloud=tokens&scene={clip.seed}&events={clip.polyphony}"
    with served(folder / "large-log", PROTOVIZ_DATA=str(data)) as address:
        page = watched(browser, address + query)
        page.wait_for_function(f"model('points').data.x.length == {POINTS}")
        page.get_by_role("button", name="Whole map").scroll_into_view_if_needed()
        page.evaluate("watch('pointerup', ['chosen point'])")
        for i, (x, y) in enumerate(goals):
            page.mouse.click(*page.evaluate(f"pixel('cloud', {x}, {y})"))
            page.wait_for_function(f"took.length == {i + 1}")
        taps = page.evaluate("took")
        page.evaluate(DRAG)
        x, y = page.evaluate("pixel('cloud', model('cloud').x_range.start, model('cloud').y_range.start)")
        page.mouse.move(x + 50, y - 50)
        page.mouse.down()
        for i in range(STEPS):
            page.mouse.move(x + 50 + 4 * (i + 1), y - 50 - 2 * (i + 1))
            page.wait_for_timeout(60)
        page.mouse.up()
        page.wait_for_timeout(1000)
        return taps, page.evaluate("took")


def _write_large_map(path: Path) -> tuple[pd.Series, np.ndarray]:
    """Add moved copies to the map in this file; gives a row of one clip, and places that only it has."""
    points = pd.read_parquet(path)
    rest, clip = (part for _, part in points.groupby(points["clip"] == points["clip"].iloc[-1]))
    rng = np.random.default_rng(0)
    copies = rest.iloc[rng.integers(0, len(rest), POINTS - len(points))].reset_index(drop=True)
    copies[["x", "y"]] += rng.normal(0, 0.3, (len(copies), 2)).astype(np.float32)
    many = pd.concat([points, copies], ignore_index=True)
    many.to_parquet(path)
    places = many[["x", "y"]].to_numpy() / many[["x", "y"]].std().to_numpy()
    own = np.flatnonzero(many["clip"] == clip["clip"].iloc[0])
    apart = cKDTree(places).query(places[own], 2)[0][:, 1]
    return clip.iloc[0], many[["x", "y"]].to_numpy()[own[np.argsort(-apart)[:TAPS]]]


def main(study: Path | None = None) -> dict | None:
    """Print the tables; gives the rates of `protoviz.analysis.scaling.SPEED`, None without a study."""
    console = Console()
    try:
        note = served_studies([str(study)] if study else ()).first().note
    except BenchError as error:
        console.print(f"page: {error}")
        return None
    table = Table("ms", "n", "median", "p95", "target", title=f"The page in headless Chromium ({note})")
    found = rows(study)
    for row in found:
        times = (f"{row[name]:,.0f}" for name in ("median", "p95"))
        table.add_row(row["what"], str(row["n"]), *times, row["target"])
    console.print(table)
    table, students = classroom.table(**shown(study))
    console.print(table)
    times = {row["key"]: {name: row[name] for name in ("median", "p95")} for row in found}
    return {**times, **({"points": POINTS} if study is None else {}), **students}


if __name__ == "__main__":
    main()
