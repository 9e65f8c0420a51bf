"""A map of points that stays quick at 50,000 of them: one still layer, and small layers above that change.

All that a choice changes lies on Bokeh's overlay, a canvas of its own, so the many points are painted only
when another map is shown or the map is moved. A Bokeh selection would paint every one of them again.
"""

from collections.abc import Callable, Sequence

import numpy as np
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, HoverTool, PanTool, Range1d, WheelZoomTool

from protoviz.analysis.neighbours import nearest_point
from protoviz.figures.canvas import CLICKS, GLYPH_TEXT, TIP, Drawn, dress, quiet_figure
from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER, TAG, TRUTH_COLOUR
from protoviz.figures.style import QUIET

HEIGHT = 400
REACH = 24  # pixels around a click in which a point is looked for: a finger's width
EDGE = 0.06  # around the points, as a share of their extent
FEW = 2000  # up to so many points are drawn large


class Cloud(Drawn):
    """The figure and its sources. `on_point(index)` is called with the point next to a click.

    backend: "canvas", or "webgl" where a graphics card draws (in software it is the slower one).
    """

    def __init__(
        self,
        on_point: Callable[[int], None] | None = None,
        backend: str = "canvas",
        dark: bool = False,
    ):
        self._on_point = on_point
        self.x = self.y = np.zeros(0, np.float32)
        self._numbered: list[tuple[int, str]] = []
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
        for click in CLICKS if on_point else ():
            self.figure.on_event(click, self._tapped)
        self.set_dark(dark)

    def _draw(self) -> None:
        def points(name: str, **style):
            source = ColumnDataSource({"x": [], "y": []}, name=name)
            return source, self.figure.scatter(x="x", y="y", source=source, **style)

        above = {"level": "overlay"}
        self.all, self.dots = points("points", line_color=None, fill_alpha=0.35)
        self.here, self.circles = points("here", **above, fill_alpha=0, line_width=1)
        self.listening, self.green = points("listening", **above, line_width=2)
        self.arguing, self.orange = points("arguing", **above, line_width=0.5)
        self.focus, self.ring = points("chosen point", **above, size=20, fill_alpha=0, line_width=3.5)
        self.numbers = ColumnDataSource({"x": [], "y": [], "text": []}, name="numbered points")
        self.tags = self.figure.text(
            x="x",
            y="y",
            y_offset=-10,
            text="text",
            anchor="bottom_center",
            source=self.numbers,
            text_font_style="bold",
            padding=[1, 4],
            border_radius=3,
            **above,
            **GLYPH_TEXT,
        )
        # What the pointer finds: points without a look of their own, and only where they have words.
        self.named = ColumnDataSource({"x": [], "y": [], "tip": []}, name="named points")
        under = self.figure.scatter(x="x", y="y", source=self.named, size=12, fill_alpha=0, line_alpha=0)
        self.figure.add_tools(HoverTool(renderers=[under], tooltips=TIP, attachment="horizontal"))

    # -- what is shown

    def show_points(self, x: np.ndarray, y: np.ndarray, tips: Sequence[str] = ()) -> None:
        """Show another map: places (p,), all in view; tips: HTML a point, or nothing."""
        self.x, self.y = np.asarray(x, np.float32), np.asarray(y, np.float32)
        self.all.data = {"x": self.x, "y": self.y}
        self.show_chosen(None)
        named = np.arange(len(tips))
        self.named.data = {"x": self.x[named], "y": self.y[named], "tip": list(tips)}
        few = len(self.x) <= FEW
        self.dots.glyph.size = 7 if few else 3
        self.green.glyph.update(size=14 if few else 5, fill_alpha=0 if few else 0.9)
        self.orange.glyph.size = 8
        self.circles.glyph.size = 6
        self.whole()

    def show_marks(self, listening: np.ndarray, arguing: np.ndarray, here: np.ndarray) -> None:
        """Mark the points of the class, by what is heard and by weight, and those of the clip; (p,) bool."""
        sources = (self.listening, self.arguing, self.here)
        for source, marked in zip(sources, (listening, arguing, here), strict=True):
            source.data = {"x": self.x[marked], "y": self.y[marked]}

    def show_chosen(self, point: int | None, numbered: Sequence[tuple[int, str]] = ()) -> None:
        """Draw the heavy ring around the chosen point (None: nowhere), and numbers
        beside some (point, text).
        """
        chosen = [] if point is None else [point]
        self.focus.data = {"x": self.x[chosen], "y": self.y[chosen]}
        if list(numbered) == self._numbered:  # a tap moves the ring alone
            return
        self._numbered = list(numbered)
        places = [point for point, _ in numbered]
        self.numbers.data = {
            "x": self.x[places],
            "y": self.y[places],
            "text": [text for _, text in numbered],
        }

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

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        dress(self.figure, dark)
        truth, orange = TRUTH_COLOUR[dark], FAMILY_COLOURS["prototype"][dark]
        self.dots.glyph.fill_color = QUIET[dark]
        self.green.glyph.update(fill_color=truth, line_color=truth)
        self.orange.glyph.update(fill_color=orange, line_color=PAPER[dark])
        self.tags.glyph.update(text_color=PAPER[dark], background_fill_color=TAG[dark])
        self.circles.glyph.line_color = self.ring.glyph.line_color = INK[dark]

    def _tapped(self, event: Tap) -> None:
        plot, across, up = self.figure, self.figure.x_range, self.figure.y_range
        try:
            wide, high = plot.inner_width, plot.inner_height
        except UnsetValueError:  # no browser has drawn it
            wide, high = HEIGHT, HEIGHT
        pixels = wide / (across.end - across.start), high / (up.end - up.start)
        found = nearest_point(self.x, self.y, (event.x, event.y), pixels, REACH)
        if found is not None:
            self._on_point(found)
