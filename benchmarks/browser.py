"""A headless Chromium and the served page: shared by the benchmark, the screenshots and the browser tests."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

APP = Path(__file__).resolve().parents[1] / "protoviz" / "app.py"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Behave as root and on a closed network; play sound without a hand on the mouse; a microphone that beeps.
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
IDLE = "window.Bokeh && Bokeh.documents.length && Bokeh.documents.every((d) => d.is_idle)"
# model(name): a Bokeh model; pixel(figure, x, y): a place of a figure on the page; bar(): seconds.
HELP = """
window.model = (name) => {
  for (const d of Bokeh.documents) { const m = d.get_model_by_name(name); if (m) return m }
  return null
}
window.pixel = (name, x, y) => {
  const view = Bokeh.index.find_one_by_id(model(name).id), box = view.canvas_view.el.getBoundingClientRect()
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)]
}
window.bar = () => {
  for (const d of Bokeh.documents)
    for (const m of d._all_models.values()) if (m.type == "Span") return m.location
}
undefined  // playwright would call a function
"""
# Sets window.took: the times of each event (milliseconds) until what it changes is painted.
WATCH = """
window.took = []
window.watch = (event, names) => {
  let start = 0, waiting = new Set()
  document.addEventListener(event, (e) => { start = performance.now(); waiting = new Set(names) }, true)
  for (const name of names) model(name).properties.data.change.connect(() => {
    if (waiting.delete(name) && waiting.size == 0) {
      const frame = requestAnimationFrame
      frame(() => frame(() => window.took.push(performance.now() - start)))
    }
  })
}
undefined  // playwright would call a function
"""


def chromium_path() -> str | None:
    """The browser to drive: PROTOVIZ_CHROMIUM, or the first that is on the path; None where there is none."""
    named = os.environ.get("PROTOVIZ_CHROMIUM")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


def browser_or_exit() -> str:
    """The same; ends the process where there is none."""
    if path := chromium_path():
        return path
    raise SystemExit("no browser: install chromium, or name one in PROTOVIZ_CHROMIUM")


def free_port() -> int:
    """A port of this machine that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(log: Path, **environment: str) -> Iterator[str]:
    """`panel serve protoviz/app.py --warm` as a process of its own; gives the page's address."""
    with server(log, **environment) as (address, _):
        yield address


@contextmanager
def server(log: Path, *options: str, **environment: str) -> Iterator[tuple[str, int]]:
    """The same, with further options; gives the page's address and the number of the process."""
    port = free_port()
    command = [sys.executable, "-m", "panel", "serve", str(APP), "--address", "127.0.0.1"]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--warm", *options],
            stdout=file,
            stderr=file,
            env={**os.environ, **environment},
        )
    try:
        while "running at" not in log.read_text():
            if process.poll() is not None:
                raise RuntimeError(f"panel serve has ended:\n{log.read_text()}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/app", process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def chromium(path: str) -> Iterator:
    """A running browser (playwright)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def opened(browser, address: str):
    """A page at this address, complete, with `HELP`."""
    page = browser.new_context(viewport={"width": 1600, "height": 1200}).new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_function(IDLE)
    page.wait_for_selector(".bk-Figure:visible")  # some page hides its first one
    page.evaluate(HELP)
    return page


def watched(browser, address: str):
    """The same with `WATCH`, and settled."""
    page = opened(browser, address)
    page.evaluate(WATCH)
    page.wait_for_timeout(1000)  # fonts arrive, and the layout moves for the last time
    return page


class Processor:
    """The browser's processor time of one page, all its threads' ticks and not the clock, in seconds."""

    def __init__(self, page):
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent(self) -> float:
        """Seconds so far, once the page has nothing more to do."""
        self._page.wait_for_function(IDLE)
        before, quiet = self._now(), 0
        while quiet < 3:
            self._page.wait_for_timeout(200)
            now = self._now()
            quiet = quiet + 1 if now - before < 0.01 else 0
            before = now
        return before

    def _now(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "TaskDuration")
