"""The spectrogram of a page: the picture of a clip that is clicked, and that follows the player."""

from collections.abc import Callable

from bokeh.events import Tap
from bokeh.models import CustomJS, TapTool

from protoviz.audio import CellGrid, FilterBank
from protoviz.explorer.reading import Reading
from protoviz.explorer.widgets.look import CLICKS
from protoviz.figures.picture import ClipPicture
from protoviz.figures.picture import MapLook as MapLook

LEAST = 450  # pixels that a picture beside a column of text is wide on a small screen
# Where a place lies in a cell, the click is the cell's: nothing that covers it takes it.
IN_CELL = """
const {left, right, bottom, top} = cells.data
const in_cell = (x, y) => left.some((_, i) => x >= left[i] && x < right[i] && y >= bottom[i] && y < top[i])
"""
# A click outside every cell moves the player there, in the browser alone; a click on a cell goes to Python.
SEEK = f"""{IN_CELL}
if (!in_cell(cb_obj.x, cb_obj.y) && cb_obj.x >= 0 && cb_obj.x <= seconds)
  window.dispatchEvent(new CustomEvent("protoviz:seek", {{detail: {{channel, time: cb_obj.x}}}}))
"""
# A click on an event's name: the player hands it on to Python.
NAMED = f"""{IN_CELL}
const [event] = cb_data.source.inspected.indices, {{x, y}} = cb_data.geometries
if (event != null && !in_cell(x, y))
  window.dispatchEvent(new CustomEvent("protoviz:event", {{detail: {{channel, event}}}}))
"""


class Spectrogram(ClipPicture):
    """A `ClipPicture` that calls `on_cell(prototype)` when a numbered cell is clicked.

    `on_shift(prototype)`, where a page sets it, is called instead when Shift is held down.
    A click on an event's name is a window event "protoviz:event" {channel, event}, a click beside everything
    "protoviz:seek" {channel, time}. A cell's click is never a name's.
    """

    on_shift: Callable[[int], None] | None = None

    def __init__(
        self,
        grid: CellGrid,
        bank: FilterBank,
        channel: str,
        on_cell: Callable[[int], None] = lambda prototype: None,
        **look,
    ):
        super().__init__(grid, bank, **{"width": LEAST, **look})
        self._on_cell = on_cell
        self.bar.update(name=f"{self._prefix}bar-{channel}", visible=True)
        arguments = {"cells": self.cells, "seconds": grid.seconds, "channel": channel}
        named = CustomJS(args=arguments, code=NAMED)
        names = TapTool(renderers=[self.labels], behavior="inspect", callback=named, visible=False)
        self.figure.add_tools(names)
        self.figure.toolbar.active_tap = names
        for click in CLICKS:
            self.figure.js_on_event(click, CustomJS(args=arguments, code=SEEK))
            self.figure.on_event(click, self._tapped)

    def show_clip(self, reading: Reading) -> None:
        """Show another clip: its picture, how far its sound goes, and where it begins in its file."""
        self.show_picture(reading.picture, reading.span, reading.seconds, reading.origin)

    def show_truth(self, reading: Reading, chosen: str, visible: bool, looped: int = -1) -> None:
        """Draw what is known to sound, unless it is to be hidden; see `show_events`."""
        events = reading.events if visible else ()
        self.show_events(events, chosen, looped, labelled=visible and reading.truth is not None)

    def follow(self, other: "Spectrogram") -> None:
        """Move the play bar with another's: the player moves one. In the browser alone."""
        code = "bar.setv({location: cb_obj.location}, {sync: false})"
        other.bar.js_on_change("location", CustomJS(args={"bar": self.bar}, code=code))

    def _tapped(self, event: Tap) -> None:
        data = self.cells.data
        inside = [
            (rank, prototype)
            for rank, prototype, left, right, bottom, top in zip(
                *(data[name] for name in ("rank", "prototype", "left", "right", "bottom", "top")), strict=True
            )
            if left <= event.x < right and bottom <= event.y < top
        ]
        if inside:  # prototypes that share a cell share its sound: the strongest speaks
            shift = self.on_shift and (event.modifiers or {}).get("shift")  # what comes is a dict
            (self.on_shift if shift else self._on_cell)(min(inside)[1])
