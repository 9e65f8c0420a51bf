"""Driving the page: the browser's flags, and one opened page with what the tests do to it."""

import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from protoviz.explorer.listen import Listen

# Behave as root and on a closed network; play sound without a hand on the mouse.
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
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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
"""
PATIENCE = 60_000  # milliseconds: tests share two cores with others
IDLE = "window.Bokeh && Bokeh.documents.length && Bokeh.documents.every((d) => d.is_idle)"


def chromium() -> str | None:
    """The browser to drive: PROTOVIZ_CHROMIUM, or the first that is on the path."""
    named = os.environ.get("PROTOVIZ_CHROMIUM")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


@dataclass
class Server:
    """A running server and the views of its sessions, in the order in which they were opened."""

    address: str
    views: list[Listen] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Opened:
    """One page in the browser and its view on the server."""

    page: object
    view: Listen | None
    errors: list[str]
    foreign: list[str]

    @property
    def state(self):
        return self.view.state

    def settle(self) -> None:
        """Wait until everything that the server has said is drawn."""
        self.page.wait_for_function(IDLE, timeout=PATIENCE)
        self.page.evaluate(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def wait(self, javascript: str) -> None:
        """Wait until this holds in the page."""
        self.page.wait_for_function(javascript, timeout=PATIENCE)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds here, on the server or in what the page tells."""
        end = time.monotonic() + PATIENCE / 1000
        while not holds():
            assert time.monotonic() < end, "it has not come to hold"
            self.page.wait_for_timeout(20)

    def tell(self, javascript: str):
        return self.page.evaluate(javascript)

    def click_at(self, figure: str, x: float, y: float) -> None:
        """Click a place of a figure, in its own units."""
        self.page.mouse.click(*self.tell(f"pixel('{figure}', {x}, {y})"))

    def drop(self, name: str, data: bytes) -> None:
        """Hand over a file as its button does."""
        file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        self.page.locator("input[type=file]").set_input_files(file)
