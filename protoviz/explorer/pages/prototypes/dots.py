"""What a region that is not there does to every class: three logits on one line."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource

from protoviz.figures import FAMILY_COLOURS, INK, TRUTH_COLOUR
from protoviz.figures.bars import HEADING, ClassRows, signed_change
from protoviz.figures.canvas import WORDS
from protoviz.figures.style import LINE, QUIET


class RegionDots(ClassRows):
    """Three logits a class on one line: as it is (ring), left out (dot), taken out (diamond).

    The bar between dot and diamond is their difference, told at the right.
    """

    def __init__(self):
        super().__init__("region-logits", "logit", -1, 1)

    def _draw(self) -> None:
        names = ("y", "original", "left_out", "taken_out", "text", "edge", "truth")
        self.rows = ColumnDataSource({name: [] for name in names}, name="effects")
        self.head = ColumnDataSource({"x": [1], "text": ["taken out\n− left out"], "end": [0]})
        plot, source = self.figure, self.rows
        self.zero = plot.segment(x0=0, x1=0, y0=-0.5, y1="end", source=self.head, line_width=1)
        self.moved = plot.segment(x0="original", x1="left_out", y0="y", y1="y", source=source, line_width=1.5)
        look = {"line_width": 6, "line_alpha": 0.35}
        self.leak = plot.segment(x0="left_out", x1="taken_out", y0="y", y1="y", source=source, **look)
        ring = {"marker": "circle", "size": 11, "fill_color": None, "line_width": 2}
        self.rings = plot.scatter(x="original", y="y", source=source, **ring)
        self.dots = plot.scatter(x="left_out", y="y", source=source, marker="circle", size=8, line_color=None)
        self.diamonds = plot.scatter(x="taken_out", y="y", source=source, marker="diamond", size=12)
        self.truth = plot.scatter(x="truth", y="y", source=source, marker="circle", size=10, line_color=None)
        self.words = plot.text(x="edge", y="y", text="text", text_align="right", source=source, **WORDS)
        self.column = plot.text(x="x", y=-0.6, text="text", text_align="right", source=self.head, **HEADING)

    def show(self, effects: pd.DataFrame, order: Sequence[str], present: Collection[str]) -> None:
        """Show a frame of `region_effects`, these of its classes from the top; present ones carry a dot."""
        effects = effects[effects["class"].isin(order)]
        rows = self.arrange(order, {})
        values = effects[["original", "left_out", "taken_out"]].to_numpy()
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        span = max(high - low, 1e-6)
        left, right = low - 0.12 * span, high + 0.32 * span
        self.rows.data = {
            "y": [rows[name] for name in effects["class"]],
            **{name: effects[name].tolist() for name in ("original", "left_out", "taken_out")},
            "text": ["" if np.isnan(gap) else signed_change(gap) for gap in effects.difference],
            "edge": np.full(len(effects), right),
            "truth": np.where(effects["class"].isin(list(present)), left + 0.03 * span, np.nan),
        }
        self.head.data = {**self.head.data, "x": [right], "end": [len(order) - 0.5]}
        self.figure.x_range.update(start=left, end=right)

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        orange, ink = FAMILY_COLOURS["prototype"][dark], INK[dark]
        self.zero.glyph.line_color = LINE[dark]
        self.moved.glyph.line_color = self.rings.glyph.line_color = QUIET[dark]
        self.leak.glyph.line_color = self.dots.glyph.fill_color = orange
        self.diamonds.glyph.update(fill_color=ink, line_color=ink)
        self.truth.glyph.fill_color = TRUTH_COLOUR[dark]
        self.words.glyph.text_color = ink
        self.column.glyph.text_color = QUIET[dark]
