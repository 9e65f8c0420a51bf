"""A prototype's score over all test clips, and where in it the shown clips lie."""

from collections.abc import Sequence

import numpy as np
from bokeh.models import BasicTicker, ColumnDataSource, Range1d

from protoviz.explorer.widgets.look import QUIET, dress, quiet_figure
from protoviz.figures import FAMILY_COLOURS

HEIGHT, ROOM = 132, 0.16  # pixels; share of the highest bar that is left below the bars for the marks


class ScoreHistogram:
    """Bars: test clips a bin of scores. Marks under them: the shown clips."""

    def __init__(self):
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
        self.set_dark(False)

    def show(self, edges: np.ndarray, counts: np.ndarray, scores: Sequence[float]) -> None:
        """Show counts of clips between edges, and marks at the scores of the shown ones."""
        highest = max(int(counts.max()), 1)
        self.clips.data = {"left": edges[:-1], "right": edges[1:], "top": counts}
        self.shown.data = {"x": list(scores), "y": [-ROOM * highest / 2] * len(scores)}
        edge = 0.02 * (edges[-1] - edges[0]) or 0.01
        self.figure.x_range.update(start=float(edges[0] - edge), end=float(edges[-1] + edge))
        self.figure.y_range.update(start=-ROOM * highest, end=1.05 * highest)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        dress(self.figure, dark)
        self.bars.glyph.fill_color = QUIET[dark]
        self.marks.glyph.fill_color = FAMILY_COLOURS["prototype"][dark]
