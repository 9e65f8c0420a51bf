"""The whole own file as one strip: probability of the chosen class under each shown probe by window."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from bokeh.events import Tap
from bokeh.models import BoxAnnotation, ColumnDataSource, CustomJSTickFormatter, FixedTicker, Range1d

from protoviz.explorer.widgets.look import CLICKS, LINE, dress, quiet_figure
from protoviz.figures import INK
from protoviz.figures.canvas import CLOCK
from protoviz.figures.colours import method_looks

STEPS = (10, 15, 30, 60, 120, 300, 600)  # seconds between two ticks
MOST_TICKS = 13


class Strip:
    """A level for every window and probe over the file's minutes and seconds, a band over the window shown.

    `on_time(seconds)` is called when the strip is clicked.
    """

    def __init__(self, on_time: Callable[[float], None]):
        self._on_time = on_time
        self.dark = False
        self.figure = quiet_figure(
            name="strip",
            height=150,
            x_range=Range1d(0, 1, bounds=(0, None)),
            y_range=Range1d(0, 1.04),
            x_axis_label="minutes:seconds of the file",
            y_axis_label="probability",
        )
        self.figure.below[0].formatter = CustomJSTickFormatter(code=f"{CLOCK}return clock(tick, 0)")
        self.figure.left[0].ticker = FixedTicker(ticks=[0, 0.5, 1])
        self.window = BoxAnnotation(left=0, right=0, fill_alpha=0.13, line_width=1.5, level="underlay")
        self.figure.add_layout(self.window)
        self.threshold = self.figure.segment(
            x0="left",
            x1="right",
            y0="y",
            y1="y",
            source=ColumnDataSource({"left": [], "right": [], "y": []}),
            line_dash="5 4",
            line_width=1.5,
        )
        self.levels = ColumnDataSource(
            {name: [] for name in ("x", "y", "colour", "dash", "probe")}, name="strip-levels"
        )
        self.figure.multi_line(
            xs="x", ys="y", line_color="colour", line_width=2.5, line_dash="dash", source=self.levels
        )
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    def show(self, strip: pd.DataFrame, seconds: float, threshold: float) -> None:
        """Show a frame of `Scan.strip` for a file of so many seconds; the dashed line is the threshold."""
        self.figure.x_range.update(start=0, end=seconds, bounds=(0, seconds))
        step = next((step for step in STEPS if seconds / step < MOST_TICKS), STEPS[-1])
        self.figure.below[0].ticker = FixedTicker(ticks=list(range(0, int(seconds) + 1, step)))
        self.threshold.data_source.data = {"left": [0], "right": [seconds], "y": [threshold]}
        probes = strip.probe.drop_duplicates().tolist()
        rows = [strip[strip.probe == probe] for probe in probes]
        looks = method_looks(probes, self.dark).values()
        self.levels.data = {
            "x": [np.column_stack([row.left, row.right]).ravel() for row in rows],
            "y": [np.repeat(row.probability.to_numpy(), 2) for row in rows],
            "colour": [look.colour for look in looks],
            "dash": [look.dash for look in looks],
            "probe": probes,
        }

    def show_window(self, left: float, right: float) -> None:
        """Mark which part of the file the page shows, seconds."""
        self.window.update(left=left, right=right)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; the levels get theirs with the next `show`."""
        self.dark = dark
        dress(self.figure, dark)
        self.window.update(fill_color=INK[dark], line_color=INK[dark])
        self.threshold.glyph.line_color = LINE[dark]

    def _tapped(self, event: Tap) -> None:
        if event.x is not None and 0 <= event.x <= self.figure.x_range.end:
            self._on_time(float(event.x))
