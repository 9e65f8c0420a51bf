"""A map of points that stays quick at 50,000 of them: one still layer, and small layers above that change.

All that a choice changes lies on Bokeh's overlay, a canvas of its own, so the many points are painted only
when another map is shown or the map is moved. A Bokeh selection would paint every one of them again.
"""

from collections.abc import Callable, Sequence

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, HoverTool, PanTool, Range1d, WheelZoomTool

from protoviz.analysis.neighbours import nearest_point
from protoviz.explorer.parts.look import CLICKS, QUIET, dress, quiet_figure
from protoviz.explorer.parts.spectrogram import TIP
from protoviz.figures import INK, PAPER

HEIGHT = 420
REACH = 24  # pixels around a click in which a point is looked for: a finger's width
EDGE = 0.06  # around the points, as a share of their extent
FEW = 2000  # up to so many points are drawn large


class Cloud:
    """The figure and its sources. `on_point(index)` is called with the point next to a click.

    backend: "canvas", or "webgl" where a graphics card draws (in software it is the slower one).
    """

    def __init__(self, on_point: Callable[[int], None], backend: str = "canvas"):
        self._on_point = on_point
        self.x = self.y = np.zeros(0, np.float32)
        self.figure = quiet_figure(
            name="cloud",
            height=HEIGHT,
            x_range=Range1d(0, 1),
            y_range=Range1d(0, 1),
            x_axis_location=None,
            y_axis_location=None,
        )
        self.figure.output_backend = backend
        self._draw()
        pan, wheel = PanTool(), WheelZoomTool(modifiers="ctrl")  # the bare wheel scrolls the page
        self.figure.add_tools(pan, wheel)
        self.figure.toolbar.active_scroll = wheel
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    def _draw(self) -> None:
        def points(name: str, **style):
            source = ColumnDataSource({"x": [], "y": []}, name=name)
            return source, self.figure.scatter(x="x", y="y", source=source, **style)

        self.all, self.dots = points("points", line_color=None, fill_alpha=0.35)
        self.classed, self.marks = points("of class", level="overlay", line_width=0.5)
        self.around, self.rings = points("here", level="overlay", fill_alpha=0, line_width=1.5)
        self.focus, self.ring = points("chosen point", level="overlay", size=20, fill_alpha=0, line_width=3.5)
        # What the pointer finds: points without a look of their own, and only where they have words.
        self.named = ColumnDataSource({"x": [], "y": [], "tip": []}, name="named points")
        under = self.figure.scatter(x="x", y="y", source=self.named, size=12, fill_alpha=0, line_alpha=0)
        self.figure.add_tools(HoverTool(renderers=[under], tooltips=TIP, attachment="horizontal"))

    # -- what is shown

    def show_points(self, x: np.ndarray, y: np.ndarray, tips: Sequence[str] = ()) -> None:
        """Another map: places (p,), all in view; tips: HTML a point, or nothing."""
        self.x, self.y = np.asarray(x, np.float32), np.asarray(y, np.float32)
        self.all.data = {"x": self.x, "y": self.y}
        named = len(tips) > 0
        self.named.data = {
            "x": self.x if named else self.x[:0],
            "y": self.y if named else self.y[:0],
            "tip": list(tips),
        }
        few = len(self.x) <= FEW
        self.dots.glyph.size = 7 if few else 3
        self.marks.glyph.size = 9 if few else 5
        self.rings.glyph.size = 14 if few else 6
        self.rings.glyph.line_width = 1.5 if few else 1
        self.whole()

    def show_marks(self, of_class: np.ndarray, here: np.ndarray) -> None:
        """Colour the points of the class and ring those of the shown clip; (p,) bool each."""
        self.classed.data = {"x": self.x[of_class], "y": self.y[of_class]}
        self.around.data = {"x": self.x[here], "y": self.y[here]}

    def show_chosen(self, point: int | None) -> None:
        """The heavy ring around the chosen point; None: nowhere."""
        chosen = [] if point is None else [point]
        self.focus.data = {"x": self.x[chosen], "y": self.y[chosen]}

    def whole(self) -> None:
        """Bring all points into view."""
        for values, range_ in ((self.x, self.figure.x_range), (self.y, self.figure.y_range)):
            low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
            edge = EDGE * max(high - low, 1e-6)
            range_.update(start=low - edge, end=high + edge)

    def zoom(self, factor: float) -> None:
        """Look closer (above 1) or from farther, at the chosen point where there is one in view."""
        for name, range_ in (("x", self.figure.x_range), ("y", self.figure.y_range)):
            middle = (range_.start + range_.end) / 2
            chosen = self.focus.data[name]
            if len(chosen) and range_.start <= chosen[0] <= range_.end:
                middle = float(chosen[0])
            half = (range_.end - range_.start) / factor / 2
            range_.update(start=middle - half, end=middle + half)

    def colour(self, marks: str) -> None:
        """The colour of the points of the class."""
        self.marks.glyph.update(fill_color=marks, line_color=self.paper)

    def set_dark(self, dark: bool) -> None:
        """Colours for a light or a dark page; the points of the class get theirs with `colour`."""
        dress(self.figure, dark)
        self.paper = PAPER[dark]
        self.figure.background_fill_color = self.paper
        self.dots.glyph.fill_color = QUIET[dark]
        self.rings.glyph.line_color = self.ring.glyph.line_color = INK[dark]

    def _tapped(self, event: Tap) -> None:
        plot, across, up = self.figure, self.figure.x_range, self.figure.y_range
        # Told by the browser; before it has drawn anything, about what it will be.
        wide, high = plot.inner_width or 1.5 * HEIGHT, plot.inner_height or HEIGHT
        pixels = wide / (across.end - across.start), high / (up.end - up.start)
        found = nearest_point(self.x, self.y, (event.x, event.y), pixels, REACH)
        if found is not None:
            self._on_point(found)
