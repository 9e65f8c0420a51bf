"""How cosines spread: the histogram of one set, and all sets as rows over the same axis, against chance."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from bokeh.events import Tap
from bokeh.models import BoxAnnotation, ColumnDataSource, FixedTicker, Range1d

from protoviz.explorer.text import plain
from protoviz.explorer.widgets.look import CLICKS, LINE, QUIET, describe, dress, quiet_figure
from protoviz.figures import FAMILY_COLOURS, INK

SET_ROW = 42  # pixels a row of the sets


class CosineHistogram:
    """Share of pairs a bin: the shown set as bars, the other stage as an outline, random corners dashed."""

    def __init__(self):
        self.figure = quiet_figure(
            name="histogram",
            x_range=Range1d(-1, 1),
            y_range=Range1d(0, 1),
            x_axis_label="cosine of two prototypes",
            y_axis_label="share of pairs, %",
        )
        # About as high as the matrix beside it.
        self.figure.update(sizing_mode="scale_width", aspect_ratio=1.2, min_height=300)
        self.shown = ColumnDataSource({"left": [], "right": [], "top": []}, name="cosines")
        self.bars = self.figure.quad(
            left="left", right="right", bottom=0, top="top", source=self.shown, line_color=None, alpha=0.7
        )
        self.other = ColumnDataSource({"x": [], "y": []}, name="other-stage")
        self.outline = self.figure.line("x", "y", source=self.other, line_width=2)
        self.corners = ColumnDataSource({"x": [], "y": []}, name="random-corners")
        self.reference = self.figure.line("x", "y", source=self.corners, line_width=2, line_dash="6 4")
        self.set_dark(False)

    def show(
        self, edges: np.ndarray, shares: np.ndarray, other: np.ndarray | None, corners: np.ndarray
    ) -> None:
        """Show shares of pairs a bin, 0..1: of the shown set, of the other stage, of random corners."""
        self.shown.data = {"left": edges[:-1], "right": edges[1:], "top": 100 * shares}
        self.other.data = {"x": [], "y": []} if other is None else steps(edges, 100 * other)
        self.corners.data = {"x": (edges[:-1] + edges[1:]) / 2, "y": 100 * corners}
        self.figure.x_range.update(start=float(edges[0]), end=float(edges[-1]))
        highest = max(one.max() for one in (shares, other, corners) if one is not None)
        self.figure.y_range.end = float(105 * highest) or 1.0

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        dress(self.figure, dark)
        self.bars.glyph.fill_color = FAMILY_COLOURS["prototype"][dark]
        self.outline.glyph.line_color = QUIET[dark]
        self.reference.glyph.line_color = INK[dark]


class SetRows:
    """One row a probe and form: mean ± one standard deviation (bar) and the range (line), before and after.

    A band marks ± one standard deviation of random corners. `on_set(probe, form)`: a row was clicked.
    """

    def __init__(self, sets: list[tuple[str, str]], names: list[str], on_set: Callable[[str, str], None]):
        self.sets, self._on_set = sets, on_set
        self.figure = quiet_figure(
            name="sets",
            height=SET_ROW * len(sets) + 54,
            x_range=Range1d(-1, 1),
            y_range=Range1d(len(sets) - 0.5, -0.5),
            x_axis_label="cosine",
        )
        rows = dict(enumerate(names))
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(rows)), major_label_overrides=rows)
        self.band = BoxAnnotation(left=0, right=0, fill_alpha=0.7, line_color=None, level="underlay")
        self.figure.add_layout(self.band)
        self.chosen = ColumnDataSource({"y": []}, name="chosen-set")
        self.row = self.figure.hbar(
            y="y", height=0.96, left=-2, right=2, source=self.chosen, fill_alpha=0.08, line_color=None
        )
        keys = ("y", "low", "high", "left", "right", "mean", "colour")
        self.spreads = ColumnDataSource({key: [] for key in keys}, name="spreads")
        self.ranges = self.figure.segment(
            x0="low", x1="high", y0="y", y1="y", source=self.spreads, line_color="colour", line_width=1.5
        )
        self.bars = self.figure.hbar(
            y="y",
            left="left",
            right="right",
            height=0.24,
            source=self.spreads,
            fill_color="colour",
            line_color=None,
            fill_alpha=0.85,
        )
        self.means = self.figure.scatter(
            x="mean", y="y", source=self.spreads, size=7, marker="circle", line_width=1.5
        )
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.dark = False
        self.set_dark(False)

    def show(self, table: pd.DataFrame, reference: float) -> None:
        """Show a table of `PrototypeSets`, its `shown` row chosen; reference: of random corners."""
        row = {key: i for i, key in enumerate(self.sets)}
        place = np.array([row[key] for key in zip(table.probe, table.form, strict=True)])
        after = (table.stage == "after").to_numpy()
        self.spreads.data = {
            "y": place + np.where(after, 0.18, -0.18),
            "low": table.low.to_numpy(),
            "high": table.high.to_numpy(),
            "left": (table["mean"] - table.sd).to_numpy(),
            "right": (table["mean"] + table.sd).to_numpy(),
            "mean": table["mean"].to_numpy(),
            "colour": np.where(after, FAMILY_COLOURS["prototype"][self.dark], QUIET[self.dark]).tolist(),
        }
        told = (
            f"{plain(row.title)} {row.form} {row.stage} training {row.mean:.3f} ± {row.sd:.3f}"
            for row in table.itertuples()
        )
        describe(self.figure, f"Cosines, mean ± standard deviation: {'; '.join(told)}.")
        self.chosen.data = {"y": place[table.shown.to_numpy()].tolist()}
        self.band.update(left=-reference, right=reference)
        reach = max(4 * reference, float(np.abs(table[["low", "high"]].to_numpy()).max()))
        self.figure.x_range.update(start=max(-1.0, float(table.low.min()) - 0.05), end=min(1.0, reach + 0.05))

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; the bars get theirs with the next `show`."""
        self.dark = dark
        dress(self.figure, dark)
        self.band.fill_color = LINE[dark]
        self.row.glyph.fill_color = INK[dark]
        self.means.glyph.update(fill_color=INK[not dark], line_color=INK[dark])

    def _tapped(self, event: Tap) -> None:
        row = round(event.y) if event.y is not None else -1
        if 0 <= row < len(self.sets):
            self._on_set(*self.sets[row])


def steps(edges: np.ndarray, heights: np.ndarray) -> dict[str, np.ndarray]:
    """Return the outline of a histogram as the points of a line."""
    return {"x": np.repeat(edges, 2), "y": np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])}
