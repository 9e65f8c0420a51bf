"""A region of the spectrogram in whole cells: drawn as a frame, chosen by dragging."""

from collections.abc import Callable
from math import ceil, floor

from bokeh.events import SelectionGeometry
from bokeh.models import BoxAnnotation, BoxSelectTool

from protoviz.explorer.widgets.spectrogram import Spectrogram
from protoviz.figures import INK

Region = tuple[int, int, int, int]


class RegionFrame:
    """Laid over a `Spectrogram`; `on_region([t0, t1, f0, f1])` hears of all cells that a drag touched."""

    def __init__(self, spectrogram: Spectrogram, on_region: Callable[[list[int]], None]):
        self._grid, self._on_region = spectrogram.grid, on_region
        self._step = spectrogram.bank.mels / self._grid.freqs  # mel rows in a cell
        style = {"fill_alpha": 0.1, "line_width": 2, "line_alpha": 1, "line_dash": "7 4", "level": "overlay"}
        self.frame = BoxAnnotation(visible=False, name="region", **style)
        spectrogram.figure.add_layout(self.frame)
        self.tool = BoxSelectTool(
            renderers=[], description="Mark a region"
        )  # it tells a rectangle, selects nothing
        self.tool.overlay.update(fill_alpha=0.1, line_width=2, line_dash="7 4")
        spectrogram.figure.add_tools(self.tool)
        spectrogram.figure.toolbar.active_drag = self.tool
        spectrogram.figure.on_event(SelectionGeometry, self._dragged)
        self.set_dark(False)

    def show(self, region: Region | None) -> None:
        """Show the frame around these cells; None: no frame."""
        if region is not None:
            t0, t1, f0, f1 = region
            seconds = self._grid.seconds / self._grid.times
            sides = {"left": t0 * seconds, "right": t1 * seconds}
            self.frame.update(**sides, bottom=f0 * self._step, top=f1 * self._step)
        self.frame.visible = region is not None

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        for box in (self.frame, self.tool.overlay):
            box.update(fill_color=INK[dark], line_color=INK[dark])

    def _dragged(self, event: SelectionGeometry) -> None:
        told, grid = event.geometry, self._grid
        if not event.final or told["type"] != "rect":
            return
        seconds = grid.seconds / grid.times
        self._on_region(
            [
                *_touched(told["x0"] / seconds, told["x1"] / seconds, grid.times),
                *_touched(told["y0"] / self._step, told["y1"] / self._step, grid.freqs),
            ]
        )


def _touched(a: float, b: float, count: int) -> tuple[int, int]:
    """First cell and end of what a..b touches, one cell at least."""
    low, high = max(0.0, min(a, b)), min(float(count), max(a, b))
    first = min(floor(low), count - 1)
    return first, max(ceil(high), first + 1)
