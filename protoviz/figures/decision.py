"""Figures of one decision: what each probe says of the classes, a logit's summands, and what muting does."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d

from protoviz.analysis.prototypes import class_scores, listed_classes
from protoviz.figures.bars import ChangeBars, ClassBars
from protoviz.figures.canvas import TIP, WORDS, Drawn, describe, dress, quiet_figure
from protoviz.figures.colours import INK, probe_colour
from protoviz.figures.style import LINE, QUIET, minus

ROW = 24  # pixels a summand


class LogitBars(Drawn):
    """How a class's logit comes about: the strongest prototypes' contributions, the rest, the bias, the sum.

    Each summand begins where the one above ended. The rows and their names never change, so that a click
    costs no new layout.
    """

    def __init__(self, most: int, dark: bool = False, probe: str = "protobin"):
        self.probe = probe
        names = [*map(str, range(1, most + 1)), "all others", "bias", "logit"]
        self.rows = {part: most + i for i, part in enumerate(("others", "bias", "logit"))}
        self.figure = quiet_figure(
            name="logit",
            height=ROW * len(names) + 10,
            x_range=Range1d(-1, 1),
            y_range=Range1d(len(names) - 0.5, -0.6),
            x_axis_location=None,  # every bar carries its value
        )
        rows = dict(enumerate(names))
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(rows)), major_label_overrides=rows)
        self._draw(len(names))
        self.set_dark(dark)

    def _draw(self, rows: int) -> None:
        names = ("y", "left", "right", "colour", "alpha", "prototype", "name", "edge")
        names += ("value", "value_x", "align", "shift", "tip", "end", "next")
        self.bars = ColumnDataSource({name: [] for name in names}, name="parts")
        plot, source = self.figure, self.bars
        self.zero = plot.segment(x0=0, x1=0, y0=-0.5, y1=rows - 0.5, line_width=1)
        self.steps = plot.segment(x0="end", x1="end", y0="y", y1="next", source=source, line_width=1)
        look = {"height": 0.62, "fill_color": "colour", "fill_alpha": "alpha", "line_color": None}
        bars = plot.hbar(y="y", left="left", right="right", source=source, **look)
        plot.add_tools(HoverTool(renderers=[bars], tooltips=TIP, visible=False))
        self.names = plot.text(x="edge", y="y", text="name", source=source, **WORDS)
        at = {"x": "value_x", "text_align": "align", "x_offset": "shift"}
        self.values = plot.text(y="y", text="value", source=source, **at, **WORDS)

    def show(
        self,
        parts: pd.DataFrame,
        chosen: int | None = None,
        silent: Collection[int] = (),
        largest: float | None = None,
    ) -> None:
        """Show a frame of `logit_parts`; the chosen prototype's bar is filled more, a silent one's less.

        chosen: None fills all alike. largest: the value that decides on the digits; None: the largest of
        these parts.
        """
        if parts.empty:
            self.bars.data = {name: [] for name in self.bars.data}
            return
        colour, ink, quiet = probe_colour(self.probe, self.dark), INK[self.dark], QUIET[self.dark]
        colours = {"prototype": colour, "others": quiet, "bias": quiet, "logit": ink}
        rows = list(parts.itertuples(index=False))
        low = np.minimum(parts.start, parts.end).to_numpy()
        high = np.maximum(parts.start, parts.end).to_numpy()
        negative = parts.value.to_numpy() < 0
        span = max(high.max() - low.min(), 1e-6)
        start = float(min(0.0, low.min()) - 0.36 * span)  # room for the names and a value
        largest = np.abs(parts.value).max() if largest is None else largest
        digits = next((digits for digits, least in ((2, 0.5), (3, 0.05)) if largest >= least), 4)
        values, names = [_signed(row.value, digits) for row in rows], [_name(row) for row in rows]
        places = [self.rows.get(row.part, row.rank - 1) for row in rows]
        told = zip(names, rows, values, strict=True)
        said = ", ".join(f"{name or row.part} {value}" for name, row, value in told)
        describe(self.figure, f"What makes the logit: {said}.")
        self.bars.data = {
            "y": places,
            "left": low.tolist(),
            "right": high.tolist(),
            "colour": [colours[row.part] for row in rows],
            "alpha": [_strength(row, chosen, silent) for row in rows],
            "prototype": [row.prototype for row in rows],
            "name": names,
            "edge": [start] * len(rows),
            "value": values,
            "value_x": np.where(negative, low, high).tolist(),
            "align": np.where(negative, "right", "left").tolist(),
            "shift": np.where(negative, -6, 6).tolist(),
            "tip": [
                f"{name or row.part}: {value}" for row, name, value in zip(rows, names, values, strict=True)
            ],
            "end": parts.end.tolist(),
            "next": [*places[1:], places[-1]],
        }
        self.figure.x_range.update(start=start, end=float(max(0.0, high.max()) + 0.14 * span))

    def row_places(self) -> tuple[float, float]:
        """Return pixels from the figure's top to the middle of the first row, and from row to row."""
        inner = self.figure.height - 2 * self.figure.min_border
        step = inner / (self.figure.y_range.start - self.figure.y_range.end)
        return self.figure.min_border - self.figure.y_range.end * step, step

    def at(self, y: float) -> int | None:
        """Return the prototype whose bar lies at this height."""
        rows = dict(zip(self.bars.data["y"], self.bars.data["prototype"], strict=True))
        return next((int(j) for j in [rows.get(round(y), -1)] if j >= 0), None)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; the bars get theirs with the next `show`."""
        self.dark = dark
        dress(self.figure, dark, ticks=False)
        self.zero.glyph.line_color = self.steps.glyph.line_color = LINE[dark]
        self.values.glyph.text_color = INK[dark]
        self.names.glyph.text_color = QUIET[dark]


def class_bars(scores: pd.DataFrame, dark: bool = False) -> ClassBars:
    """Return `ClassBars` of a frame of `class_scores`: a panel a probe, side by side.

    Classes stand in the frame's order; of many, those that `listed_classes` names.
    """
    drawn = ClassBars("probability; ● present, ○ present but missed", dark)
    order = listed_classes(scores, scores["class"].drop_duplicates().tolist())
    drawn.show(scores, order, {probe: probe for probe in scores.probe.unique()})
    return drawn


def logit_steps(parts: pd.DataFrame, probe: str = "protobin", dark: bool = False) -> LogitBars:
    """Return `LogitBars` of a frame of `logit_parts`; prototypes have the colour of the probe's family."""
    drawn = LogitBars(max(int(parts["rank"].max()), 0), dark, probe)
    drawn.show(parts)
    return drawn


def change_bars(
    changes: pd.DataFrame, present=(), now: str = "now", probe: str = "protobin", dark: bool = False
) -> ChangeBars:
    """Return `ChangeBars` of a frame of `class_changes`, in its order from the top: bars as they have become,
    outlines of what they were.

    present: classes that have a dot. now: a word for the state after the change, the heading.
    """
    drawn, names = ChangeBars("probability: outlined before", dark), changes["class"].tolist()
    scores = class_scores(names, {probe: changes.new_logit.to_numpy()}, set(present) or None)
    drawn.show_changes(changes, scores.assign(missed=False), names, {probe: now})
    return drawn


def _signed(value: float, digits: int) -> str:
    words = f"{value:+.{digits}f}"
    return minus(words) if float(words) else "0"


def _strength(row, chosen: int | None, silent: Collection[int]) -> float:
    if row.part != "prototype":
        return 0.85
    if row.prototype in silent:
        return 0.15
    return 0.95 if chosen in (None, row.prototype) else 0.45


def _name(row) -> str:
    names = {
        "prototype": f"prototype {row.prototype}",
        "others": f"{row.count} prototype{'s' * (row.count != 1)}",
    }
    return names.get(row.part, "")
