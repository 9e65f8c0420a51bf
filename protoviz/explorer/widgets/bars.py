"""The bar charts of the page, patched and never rebuilt: classes under each probe, summands of one logit."""

from collections.abc import Callable, Collection, Mapping

import numpy as np
import pandas as pd
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, FixedTicker, Range1d

from protoviz.explorer.text import spoken
from protoviz.explorer.widgets.look import CLICKS, GLYPH_TEXT, LINE, QUIET, dress, quiet_figure
from protoviz.figures import FAMILY_COLOURS, INK, TRUTH_COLOUR, probe_colour
from protoviz.figures.style import minus

ROW = 22  # pixels a class
PANEL = 1.22  # width of a panel in units of its probability axis: room for the dot, and a gap
HEAD = 2.2  # rows above the first class: a heading of two lines
EDGE = 0.14  # left of a panel's zero, for the dot
PARTS_ROW = 24
WORDS = {**GLYPH_TEXT, "text_baseline": "middle"}


class ClassBars:
    """Probability of every class under one or two probes, side by side over the same rows.

    Present classes carry a dot and full colour, the others a pale bar; where the probe missed one, the dot is
    a ring. A dashed line is the threshold, and a bar that reaches it has an outline.
    `on_class(name)` is called when a row is clicked.
    """

    def __init__(self, classes: tuple[str, ...], on_class: Callable[[str], None]):
        self.count, self._on_class = len(classes), on_class
        self.order: list[str] = list(classes)
        self.dark = False
        self.figure = quiet_figure(
            name="classes",
            height=round(ROW * (self.count - 0.5 + HEAD)) + 50,
            x_range=Range1d(-EDGE, 2 * PANEL - EDGE),
            y_range=Range1d(self.count - 0.5, -HEAD),
            x_axis_label="probability (sigmoid of the logit)",
        )
        self.figure.left[0].ticker = FixedTicker(ticks=list(range(self.count)))
        marks = {0: "0", 0.5: "0.5", 1: "1"}
        both = {panel * PANEL + place: text for panel in (0, 1) for place, text in marks.items()}
        self.figure.below[0].update(ticker=FixedTicker(ticks=list(both)), major_label_overrides=both)
        self._draw()
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    def _draw(self) -> None:
        self.chosen = ColumnDataSource({"y": [0]})
        self.band = self.figure.hbar(
            y="y",
            height=1,
            left=-EDGE,
            right=2 * PANEL - EDGE,
            source=self.chosen,
            line_color=None,
            fill_alpha=0.1,
            level="overlay",
        )
        self._draw_rules()
        self._draw_bars()

    def _draw_rules(self) -> None:
        self.rules = self.figure.segment(
            x0="x", x1="x", y0=-0.5, y1=self.count - 0.5, source=ColumnDataSource({"x": []}), line_width=1
        )
        self.threshold = self.figure.segment(
            x0="x",
            x1="x",
            y0=-0.5,
            y1=self.count - 0.5,
            source=ColumnDataSource({"x": []}, name="threshold"),
            line_width=1.5,
            line_dash="5 4",
        )

    def _draw_bars(self) -> None:
        names = ("y", "left", "right", "colour", "alpha", "dot", "filled", "outline")
        self.bars = ColumnDataSource({name: [] for name in names}, name="class-bars")
        self.lengths = self.figure.hbar(
            y="y",
            left="left",
            right="right",
            height=0.62,
            source=self.bars,
            fill_color="colour",
            fill_alpha="alpha",
            line_alpha="outline",
            line_width=1.5,
        )
        self.dots = self.figure.scatter(
            x="dot", y="y", source=self.bars, size=10, line_width=2, fill_alpha="filled", marker="circle"
        )
        self.heads = ColumnDataSource({"x": [], "text": [], "colour": []})
        self.figure.text(
            x="x",
            y=-0.6,
            text="text",
            text_color="colour",
            source=self.heads,
            text_font_style="bold",
            **{**WORDS, "text_baseline": "bottom"},
        )

    def show(
        self,
        scores: pd.DataFrame,
        order: list[str],
        titles: Mapping[str, str],
        threshold: float | None = None,
    ) -> None:
        """Show a frame of `class_scores`, classes in this order from the top; titles: probe -> heading."""
        self.order = order
        rows = {name: row for row, name in enumerate(order)}
        panel = {probe: i for i, probe in enumerate(scores.probe.drop_duplicates())}
        base = scores.probe.map(panel).to_numpy() * PANEL
        present = scores.present.fillna(False).astype(bool).to_numpy()
        known, probability = scores.present.notna().any(), scores.probability.to_numpy()
        colours = {probe: probe_colour(probe, self.dark) for probe in panel}
        # Lists: each array would travel as two messages of its own, and here are only some dozens of numbers.
        self.bars.data = {
            "y": [rows[name] for name in scores["class"]],
            "left": base.tolist(),
            "right": (base + probability).tolist(),
            "colour": [colours[probe] for probe in scores.probe],
            "alpha": np.where(present | ~known, 0.9, 0.22).tolist(),
            "dot": np.where(present, base - 0.07, np.nan).tolist(),
            "filled": np.where(scores.missed, 0.0, 1.0).tolist(),
            "outline": np.where(probability >= (2 if threshold is None else threshold), 1.0, 0.0).tolist(),
        }
        marks = [] if threshold is None else [i * PANEL + threshold for i in panel.values()]
        self.threshold.data_source.data = {"x": marks}
        self.heads.data = {
            "x": [i * PANEL for i in panel.values()],
            "text": [titles[probe].replace(" + ", "\n+ ") for probe in panel],
            "colour": [probe_colour(probe, self.dark) for probe in panel],
        }
        self.rules.data_source.data = {"x": [i * PANEL for i in panel.values()]}
        names = {i: spoken(name) for i, name in enumerate(order)}
        self.figure.left[0].major_label_overrides = names
        self.figure.x_range.end = len(panel) * PANEL - EDGE

    def choose(self, name: str) -> None:
        """Put the band behind this class."""
        self.chosen.data = {"y": [self.order.index(name)]}

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; the bars get theirs with the next `show`."""
        self.dark = dark
        dress(self.figure, dark, ticks=False)
        self.band.glyph.fill_color = INK[dark]
        self.rules.glyph.line_color = LINE[dark]
        self.threshold.glyph.line_color = self.lengths.glyph.line_color = INK[dark]
        self.dots.glyph.update(fill_color=TRUTH_COLOUR[dark], line_color=TRUTH_COLOUR[dark])

    def _tapped(self, event: Tap) -> None:
        row = round(event.y) if event.y is not None else -1
        if 0 <= row < len(self.order):
            self._on_class(self.order[row])


class LogitBars:
    """How a class's logit comes about: the strongest prototypes' contributions, the rest, the bias, the sum.

    The rows and their names never change, so that a click costs no new layout.
    `on_prototype(prototype)` is called when the bar of one prototype is clicked.
    """

    def __init__(self, most: int, on_prototype: Callable[[int], None]):
        self._on_prototype = on_prototype
        self.dark = False
        names = [*map(str, range(1, most + 1)), "all others", "bias", "logit"]
        self.rows = {part: most + i for i, part in enumerate(("others", "bias", "logit"))}
        self.figure = quiet_figure(
            name="logit",
            height=PARTS_ROW * len(names) + 10,
            x_range=Range1d(-1, 1),
            y_range=Range1d(len(names) - 0.5, -0.6),
            x_axis_location=None,  # every bar carries its value
        )
        rows = dict(enumerate(names))
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(rows)), major_label_overrides=rows)
        self._draw(len(names))
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    def _draw(self, rows: int) -> None:
        names = ("y", "left", "right", "colour", "alpha", "prototype", "name", "edge")
        names += ("value", "value_x", "align", "shift")
        self.bars = ColumnDataSource({name: [] for name in names}, name="parts")
        self.zero = self.figure.segment(x0=0, x1=0, y0=-0.5, y1=rows - 0.5, line_width=1)
        self.figure.hbar(
            y="y",
            left="left",
            right="right",
            height=0.62,
            source=self.bars,
            fill_color="colour",
            fill_alpha="alpha",
            line_color=None,
        )
        self.names = self.figure.text(x="edge", y="y", text="name", source=self.bars, **WORDS)
        self.values = self.figure.text(
            x="value_x", y="y", text="value", text_align="align", x_offset="shift", source=self.bars, **WORDS
        )

    def show(
        self, parts: pd.DataFrame, chosen: int, silent: Collection[int] = (), largest: float | None = None
    ) -> None:
        """Show a frame of `logit_parts`; the chosen prototype's bar is filled more, a silent one's less.

        largest: the value that decides on the digits; None: the largest of these parts.
        """
        if parts.empty:
            self.bars.data = {name: [] for name in self.bars.data}
            return
        orange, ink, quiet = FAMILY_COLOURS["prototype"][self.dark], INK[self.dark], QUIET[self.dark]
        colours = {"prototype": orange, "others": quiet, "bias": quiet, "logit": ink}
        rows = list(parts.itertuples(index=False))
        low = np.minimum(parts.start, parts.end).to_numpy()
        high = np.maximum(parts.start, parts.end).to_numpy()
        negative = parts.value.to_numpy() < 0
        span = max(high.max() - low.min(), 1e-6)
        start = float(min(0.0, low.min()) - 0.36 * span)  # room for the names and a value
        digits = 2 if (np.abs(parts.value).max() if largest is None else largest) >= 0.5 else 4
        self.bars.data = {
            "y": [self.rows.get(row.part, row.rank - 1) for row in rows],
            "left": low.tolist(),
            "right": high.tolist(),
            "colour": [colours[row.part] for row in rows],
            "alpha": [_strength(row, chosen, silent) for row in rows],
            "prototype": [row.prototype for row in rows],
            "name": [_name(row) for row in rows],
            "edge": [start] * len(rows),
            "value": [_signed(row.value, digits) for row in rows],
            "value_x": np.where(negative, low, high).tolist(),
            "align": np.where(negative, "right", "left").tolist(),
            "shift": np.where(negative, -6, 6).tolist(),
        }
        self.figure.x_range.update(start=start, end=float(max(0.0, high.max()) + 0.14 * span))

    def row_places(self) -> tuple[float, float]:
        """Return pixels from the figure's top to the middle of the first row, and from row to row."""
        inner = self.figure.height - 2 * self.figure.min_border
        step = inner / (self.figure.y_range.start - self.figure.y_range.end)
        return self.figure.min_border - self.figure.y_range.end * step, step

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; the bars get theirs with the next `show`."""
        self.dark = dark
        dress(self.figure, dark, ticks=False)
        self.zero.glyph.line_color = LINE[dark]
        self.values.glyph.text_color = INK[dark]
        self.names.glyph.text_color = QUIET[dark]

    def _tapped(self, event: Tap) -> None:
        row = round(event.y) if event.y is not None else -1
        for y, prototype in zip(self.bars.data["y"], self.bars.data["prototype"], strict=True):
            if y == row and prototype >= 0:
                self._on_prototype(int(prototype))


def _signed(value: float, digits: int) -> str:
    words = f"{value:+.{digits}f}"
    return minus(words) if float(words) else "0"


def _strength(row, chosen: int, silent: Collection[int]) -> float:
    if row.part != "prototype":
        return 0.85
    if row.prototype in silent:
        return 0.15
    return 0.95 if row.prototype == chosen else 0.45


def _name(row) -> str:
    names = {"prototype": f"prototype {row.prototype}", "others": f"{row.count} prototypes"}
    return names.get(row.part, "")
