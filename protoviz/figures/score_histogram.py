"""A prototype's score over all test clips, and where in it the shown clips lie."""

from collections.abc import Sequence

import pandas as pd
from bokeh.models import BasicTicker, ColumnDataSource, Range1d

from protoviz.figures.canvas import Drawn, dress, quiet_figure
from protoviz.figures.colours import FAMILY_COLOURS
from protoviz.figures.style import QUIET

BARS = {"left": "from", "right": "to", "top": "clips"}  # an edge of a bar -> its column of `score_bins`
HEIGHT, ROOM = 132, 0.16  # pixels; share of the highest bar that is left below the bars for the marks


class ScoreHistogram(Drawn):
    """Bars: test clips a bin of scores. Marks under them: the shown clips."""

    def __init__(self, dark: bool = False):
        self.figure = quiet_figure(
            name="scores",
            height=HEIGHT,
            x_range=Range1d(0, 1),
            y_range=Range1d(0, 1),
            x_axis_label="its score in a clip",
            y_axis_label="clips",
        )
        self.figure.left[0].ticker = BasicTicker(desired_num_ticks=3)
        self.clips = ColumnDataSource({"left": [], "right": [], "top": []}, name="clips by score")
        self.bars = self.figure.quad(
            left="left", right="right", bottom=0, top="top", source=self.clips, line_color=None
        )
        self.shown = ColumnDataSource({"x": [], "y": []}, name="shown clips")
        self.marks = self.figure.scatter(
            "x", "y", source=self.shown, marker="triangle", size=10, line_color=None, fill_alpha=0.8
        )
        self.set_dark(dark)

    def show(self, bins: pd.DataFrame, scores: Sequence[float]) -> None:
        """Show a table of `score_bins`, and marks at the scores of the shown clips."""
        low, high = float(bins["from"].iloc[0]), float(bins["to"].iloc[-1])
        highest = max(int(bins.clips.max()), 1)
        self.clips.data = {side: bins[name].to_numpy() for side, name in BARS.items()}
        self.shown.data = {"x": list(scores), "y": [-ROOM * highest / 2] * len(scores)}
        edge = 0.02 * (high - low) or 0.01
        self.figure.x_range.update(start=low - edge, end=high + edge)
        self.figure.y_range.update(start=-ROOM * highest, end=1.05 * highest)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        dress(self.figure, dark)
        self.bars.glyph.fill_color = QUIET[dark]
        self.marks.glyph.fill_color = FAMILY_COLOURS["prototype"][dark]
