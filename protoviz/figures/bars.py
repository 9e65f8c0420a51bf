"""Every class as a row: its probability under each probe, and what a what-if does to it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Range1d

from protoviz.figures.canvas import TIP, WORDS, Drawn, describe, dress, quiet_figure
from protoviz.figures.colours import INK, TRUTH_COLOUR, probe_colour, readable
from protoviz.figures.style import LINE, QUIET, minus, plain, shortened, spoken

ROW = 22  # pixels a class
PANEL = 1.22  # width of a panel in units of its probability axis: room for the dot, and a gap
HEAD = 2.2  # rows above the first class: a heading of two lines
EDGE = 0.14  # left of a panel's zero, for the dot
ROOM = 0.3  # beside a panel, in units of its probability axis: for the change of the logit
UNSEEN = 0.005  # a change of a logit that its two digits do not show
NAMED = 5  # classes that the figure's words name, the highest of each probe
HEADING = {**WORDS, "text_baseline": "bottom"}
MARKS = {0: "0", 0.5: "0.5", 1: "1"}


class ClassRows(Drawn):
    """A figure with a row a class. Its height follows their number; a band lies behind the chosen one."""

    def __init__(self, name: str, label: str, left: float, right: float, dark: bool = False):
        self.order: list[str] = []
        self.figure = quiet_figure(
            name=name,
            x_range=Range1d(left, right),
            y_range=Range1d(0, -HEAD),
            x_axis_label=label,
        )
        self.chosen = ColumnDataSource({"y": []})
        whole = {"y": "y", "height": 1, "left": -1e3, "right": 1e3, "line_color": None}
        self.band = self.figure.hbar(**whole, source=self.chosen, fill_alpha=0.1, level="overlay")
        self.told = ColumnDataSource({"y": [], "tip": []}, name=f"{name}-rows")
        pointed = self.figure.hbar(**whole, source=self.told, fill_alpha=0)
        self.figure.add_tools(HoverTool(renderers=[pointed], tooltips=TIP, visible=False))
        self._draw()
        self.set_dark(dark)

    def _draw(self) -> None:
        """Draw what stands in the rows."""

    def arrange(self, order: Sequence[str], tips: Mapping[str, str]) -> dict[str, int]:
        """Give these classes their rows, from the top; return class -> row. tips: what each says, as HTML."""
        if len(order) != len(self.order):
            self.figure.height = round(ROW * (len(order) - 0.5 + HEAD)) + 50
            self.figure.y_range.start = len(order) - 0.5
            self.figure.left[0].ticker = FixedTicker(ticks=list(range(len(order))))
        self.order = [*order]
        rows = {name: row for row, name in enumerate(order)}
        names = {row: shortened(spoken(name)) for name, row in rows.items()}
        self.figure.left[0].major_label_overrides = names
        told = [f"<b>{plain(spoken(name))}</b>{tips.get(name, '')}" for name in order]
        self.told.data = {"y": [*rows.values()], "tip": told}
        return rows

    def choose(self, name: str) -> None:
        """Put the band behind this class, where it is listed."""
        self.chosen.data = {"y": [self.order.index(name)] if name in self.order else []}

    def at(self, y: float) -> str | None:
        """Return the class whose row lies at this height."""
        return self.order[round(y)] if -0.5 <= y < len(self.order) - 0.5 else None

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; what `show` colours gets its own with the next one."""
        self.dark = dark
        dress(self.figure, dark, ticks=False)
        self.band.glyph.fill_color = INK[dark]


class ClassBars(ClassRows):
    """Probability of the listed classes under one or two probes, side by side over the same rows.

    Present classes carry a dot and full colour, the others a pale bar; where the probe missed one, the dot is
    a ring. A dashed line is the threshold, and a bar that reaches it has an outline.
    """

    named = ("classes", "class-bars")  # the figure and its bars
    room = 0.0  # at the right

    def __init__(self, label: str = "probability (sigmoid of the logit)", dark: bool = False):
        super().__init__(self.named[0], label, -EDGE, 2 * PANEL - EDGE + self.room, dark)

    def _draw(self) -> None:
        plot, upright = self.figure, {"x0": "x", "x1": "x", "y0": -0.5, "y1": "end"}
        none = {"x": [], "end": []}
        self.rules = plot.segment(**upright, source=ColumnDataSource(none), line_width=1)
        threshold = ColumnDataSource(none, name="threshold")
        self.threshold = plot.segment(**upright, source=threshold, line_width=1.5, line_dash="5 4")
        names = ("y", "left", "right", "colour", "alpha", "dot", "filled", "outline")
        self.bars = ColumnDataSource({name: [] for name in names}, name=self.named[1])
        look = {"fill_color": "colour", "fill_alpha": "alpha", "line_alpha": "outline", "line_width": 1.5}
        sides = {"y": "y", "left": "left", "right": "right", "height": 0.62}
        self.lengths = plot.hbar(**sides, **look, source=self.bars)
        look = {"size": 10, "line_width": 2, "fill_alpha": "filled", "marker": "circle"}
        self.dots = plot.scatter(x="dot", y="y", source=self.bars, **look)
        self.heads = ColumnDataSource({"x": [], "text": [], "colour": []})
        look = {"text_color": "colour", "text_font_style": "bold", **HEADING}
        plot.text(x="x", y=-0.6, text="text", source=self.heads, **look)

    def show(
        self,
        scores: pd.DataFrame,
        order: Sequence[str],
        titles: Mapping[str, str],
        threshold: float | None = None,
    ) -> None:
        """Show a frame of `class_scores`, these of its classes from the top; titles: probe -> heading."""
        panel = {probe: i for i, probe in enumerate(scores.probe.drop_duplicates())}
        scores = scores[scores["class"].isin(order)]
        rows = self.arrange(order, _told(scores, titles))
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
        self._frame(panel, colours, titles, threshold)
        describe(self.figure, f"Probability of {len(order)} classes, {_best(scores, titles)}.")

    def _frame(self, panel: Mapping, colours: Mapping, titles: Mapping, threshold: float | None) -> None:
        """Headings, zeros, thresholds and marks of so many panels."""
        zeros, end = [i * PANEL for i in panel.values()], len(self.order) - 0.5
        marks = [] if threshold is None else [zero + threshold for zero in zeros]
        self.threshold.data_source.data = {"x": marks, "end": [end] * len(marks)}
        self.rules.data_source.data = {"x": zeros, "end": [end] * len(zeros)}
        self.heads.data = {
            "x": zeros,
            "text": [titles[probe].replace(" + ", "\n+ ") for probe in panel],
            "colour": [readable(colours[probe], self.dark) for probe in panel],
        }
        ends = {zero + place: text for zero in zeros for place, text in MARKS.items()}
        if ends != self.figure.below[0].major_label_overrides:
            self.figure.below[0].update(ticker=FixedTicker(ticks=list(ends)), major_label_overrides=ends)
            self.figure.x_range.end = len(panel) * PANEL - EDGE + self.room

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.rules.glyph.line_color = LINE[dark]
        self.threshold.glyph.line_color = self.lengths.glyph.line_color = INK[dark]
        self.dots.glyph.update(fill_color=TRUTH_COLOUR[dark], line_color=TRUTH_COLOUR[dark])


class ChangeBars(ClassBars):
    """One probe's `ClassBars` as they have become, the outline of what they were, and each logit's change."""

    named = ("changes", "changed")
    room = ROOM

    def _draw(self) -> None:
        super()._draw()
        self.ghosts = ColumnDataSource({"y": [], "right": [], "text": []}, name="ghosts")
        look = {"height": 0.62, "fill_color": None, "line_width": 1}
        self.outlines = self.figure.hbar(y="y", left=0, right="right", source=self.ghosts, **look)
        at = {"x": PANEL - EDGE + ROOM, "text_align": "right"}
        self.words = self.figure.text(y="y", text="text", source=self.ghosts, **at, **WORDS)
        at["x"] = [at["x"]]
        self.column = self.figure.text(y=[-0.6], text=["change of\nthe logit"], **at, **HEADING)

    def show_changes(
        self,
        changes: pd.DataFrame,
        scores: pd.DataFrame,
        order: Sequence[str],
        titles: Mapping[str, str],
    ) -> None:
        """Show a frame of `class_changes`, and one of `class_scores` of the new logits.

        order, titles: as in `show`.
        """
        self.show(scores, order, titles)
        changes = changes[changes["class"].isin(order)]
        rows = {name: row for row, name in enumerate(order)}
        self.ghosts.data = {
            "y": [rows[name] for name in changes["class"]],
            "right": changes.probability.tolist(),
            "text": [signed_change(change) for change in changes.change],
        }

    def set_dark(self, dark: bool) -> None:
        super().set_dark(dark)
        self.outlines.glyph.line_color = QUIET[dark]
        self.words.glyph.text_color = INK[dark]
        self.column.glyph.text_color = QUIET[dark]


def signed_change(value: float) -> str:
    """Return a change of a logit in two digits; "" where they do not show it."""
    return "" if abs(value) < UNSEEN else minus(f"{value:+.2f}")


def _best(scores: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """The highest classes of each probe, in words, as HTML."""
    said = []
    for probe, rows in scores.groupby("probe", sort=False):
        best = rows.nlargest(NAMED, "probability")
        values = zip(best["class"], best.probability, strict=True)
        named = ", ".join(f"{plain(spoken(name))} {value:.2f}" for name, value in values)
        said.append(f"the highest of {plain(titles[probe])}: {named}")
    return "; ".join(said)


def _told(scores: pd.DataFrame, titles: Mapping[str, str]) -> dict[str, str]:
    """What the probes say of each class, as HTML."""
    said: dict[str, str] = {}
    for row in scores.rename(columns={"class": "name", "rank": "place"}).itertuples():
        line = f"<br>{plain(titles[row.probe])}: {row.probability:.2f}, rank {row.place}"
        said[row.name] = said.get(row.name, "") + line
    return said
