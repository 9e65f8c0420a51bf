"""Driving the page: one opened page with what the tests do to it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.browser import IDLE
from protoviz.explorer.frame import Frame
from protoviz.explorer.pages import PageView

PATIENCE = 60_000  # milliseconds: tests share two cores with others


@dataclass
class Server:
    """A running server and the frames of its sessions, in the order in which they were opened."""

    address: str
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
