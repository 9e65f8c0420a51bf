"""What a what-if does to every class: bars with a ghost of what was, and three logits on one line."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, FixedTicker, Range1d

from protoviz.explorer.text import spoken
from protoviz.explorer.widgets.bars import EDGE, HEAD, PANEL, ROW, WORDS, ClassBars
from protoviz.explorer.widgets.look import CLICKS, LINE, QUIET, dress, quiet_figure
from protoviz.figures import FAMILY_COLOURS, INK, TRUTH_COLOUR
from protoviz.figures.style import minus

ROOM = 0.3  # beside a panel, in units of its probability axis: for the change of the logit
UNSEEN = 0.005  # a change of a logit that its two digits do not show


class ChangeBars(ClassBars):
    """One probe's `ClassBars` as they have become, the outline of what they were, and each logit's change."""

    def _draw(self) -> None:
        super()._draw()
        self.figure.name, self.bars.name = "changes", "changed"
        self.figure.x_range.end = PANEL - EDGE + ROOM
        self.figure.below[0].ticker = FixedTicker(ticks=[0, 0.5, 1])
        self.ghosts = ColumnDataSource({"y": [], "right": [], "text": []}, name="ghosts")
        self.outlines = self.figure.hbar(
            y="y", left=0, right="right", height=0.62, source=self.ghosts, fill_color=None, line_width=1
        )
        self.words = self.figure.text(
            x=PANEL - EDGE + ROOM, y="y", text="text", text_align="right", source=self.ghosts, **WORDS
        )
        self.column = self.figure.text(
            x=[PANEL - EDGE + ROOM],
            y=[-0.6],
            text=["change of\nthe logit"],
            text_align="right",
            **{**WORDS, "text_baseline": "bottom"},
        )

    def show_changes(
        self, changes: pd.DataFrame, scores: pd.DataFrame, order: list[str], titles: Mapping[str, str]
    ) -> None:
        """Show a frame of `class_changes`, and one of `class_scores` of the new logits."""
        self.show(scores, order, titles)
        self.figure.x_range.end = PANEL - EDGE + ROOM
        rows = {name: row for row, name in enumerate(order)}
        self.ghosts.data = {
            "y": [rows[name] for name in changes["class"]],
            "right": changes.probability.tolist(),
            "text": [_signed(change) for change in changes.change],
        }

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.outlines.glyph.line_color = QUIET[dark]
        self.words.glyph.text_color = INK[dark]
        self.column.glyph.text_color = QUIET[dark]


class RegionDots:
    """Three logits a class on one line: as it is (ring), left out (dot), taken out (diamond).

    The bar between dot and diamond is their difference, told at the right. `on_class(name)` is called when a
    row is clicked.
    """

    def __init__(self, classes: tuple[str, ...], on_class: Callable[[str], None]):
        self.count, self._on_class = len(classes), on_class
        self.order = list(classes)
        self.figure = quiet_figure(
            name="region-logits",
            height=round(ROW * (self.count - 0.5 + HEAD)) + 50,
            x_range=Range1d(-1, 1),
            y_range=Range1d(self.count - 0.5, -HEAD),
            x_axis_label="logit",
        )
        self.figure.left[0].ticker = FixedTicker(ticks=list(range(self.count)))
        self._draw()
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    def _draw(self) -> None:
        names = ("y", "original", "left_out", "taken_out", "text", "edge", "truth")
        self.rows = ColumnDataSource({name: [] for name in names}, name="effects")
        self.chosen = ColumnDataSource({"y": [0]})
        plot, source = self.figure, self.rows
        self.band = plot.hbar(
            y="y", height=1, left=-1e3, right=1e3, source=self.chosen, line_color=None, fill_alpha=0.1
        )
        self.zero = plot.segment(x0=0, x1=0, y0=-0.5, y1=self.count - 0.5, line_width=1)
        self.moved = plot.segment(x0="original", x1="left_out", y0="y", y1="y", source=source, line_width=1.5)
        self.leak = plot.segment(
            x0="left_out", x1="taken_out", y0="y", y1="y", source=source, line_width=6, line_alpha=0.35
        )
        ring = {"marker": "circle", "size": 11, "fill_color": None, "line_width": 2}
        self.rings = plot.scatter(x="original", y="y", source=source, **ring)
        self.dots = plot.scatter(x="left_out", y="y", source=source, marker="circle", size=8, line_color=None)
        self.diamonds = plot.scatter(x="taken_out", y="y", source=source, marker="diamond", size=12)
        self.truth = plot.scatter(x="truth", y="y", source=source, marker="circle", size=10, line_color=None)
        self.words = plot.text(x="edge", y="y", text="text", text_align="right", source=source, **WORDS)
        self.head = ColumnDataSource({"x": [1], "text": ["taken out\n− left out"]})
        self.column = plot.text(
            x="x",
            y=-0.6,
            text="text",
            text_align="right",
            source=self.head,
            **{**WORDS, "text_baseline": "bottom"},
        )

    def show(self, effects: pd.DataFrame, order: list[str], present: frozenset[str]) -> None:
        """Show a frame of `region_effects`, classes in this order from the top; present ones carry a dot."""
        self.order = order
        rows = {name: row for row, name in enumerate(order)}
        values = effects[["original", "left_out", "taken_out"]].to_numpy()
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        span = max(high - low, 1e-6)
        left, right = low - 0.12 * span, high + 0.32 * span
        self.rows.data = {
            "y": [rows[name] for name in effects["class"]],
            **{name: effects[name].tolist() for name in ("original", "left_out", "taken_out")},
            "text": ["" if np.isnan(gap) else _signed(gap) for gap in effects.difference],
            "edge": np.full(len(effects), right),
            "truth": np.where(effects["class"].isin(list(present)), left + 0.03 * span, np.nan),
        }
        self.head.data = {"x": [right], "text": ["taken out\n− left out"]}
        self.figure.x_range.update(start=left, end=right)
        names = {row: spoken(name) for name, row in rows.items()}
        self.figure.left[0].major_label_overrides = names

    def choose(self, name: str) -> None:
        """Put the band behind this class."""
        self.chosen.data = {"y": [self.order.index(name)]}

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        orange, ink = FAMILY_COLOURS["prototype"][dark], INK[dark]
        dress(self.figure, dark)
        self.band.glyph.fill_color = ink
        self.zero.glyph.line_color = LINE[dark]
        self.moved.glyph.line_color = QUIET[dark]
        self.leak.glyph.line_color = orange
        self.rings.glyph.line_color = QUIET[dark]
        self.dots.glyph.fill_color = orange
        self.diamonds.glyph.update(fill_color=ink, line_color=ink)
        self.truth.glyph.fill_color = TRUTH_COLOUR[dark]
        self.words.glyph.text_color = ink
        self.column.glyph.text_color = QUIET[dark]

    def _tapped(self, event) -> None:
        row = round(event.y) if event.y is not None else -1
        if 0 <= row < len(self.order):
            self._on_class(self.order[row])


def _signed(value: float) -> str:
    return "" if abs(value) < UNSEEN else minus(f"{value:+.2f}")
