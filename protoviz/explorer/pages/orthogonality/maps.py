"""Two pictures over the same order of prototypes: cosines of all pairs, and the classifier's weights.

Bytes in an image, patched and never rebuilt; what marks a choice lies on the overlay.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, FixedTicker, LinearColorMapper, Range1d

from protoviz.analysis.matrix_pictures import per_pixel, signed_bytes
from protoviz.explorer.pages.orthogonality.sets import PIXELS, Window
from protoviz.explorer.text import spoken
from protoviz.explorer.widgets.look import CLICKS, colour_bar, dress, quiet_figure
from protoviz.figures import INK, diverging_palette
from protoviz.figures.style import shortened

ROW, HIGHEST = 18, 480  # pixels a class in the weight map, and all of them at most
LABEL = 17  # pixels that a line of text needs
NARROWEST = 350  # pixels of the matrix on a page 1,100 wide
NAMES, LONGEST = 112, 16  # pixels left of the matrix, and letters of a class that they hold
RUG = 0.025  # height of the strip beside the matrix, in its sides
BAR = {"orientation": "horizontal", "height": 10, "width": "auto", "padding": 4, "title_standoff": 6}


class SignedMap(ABC):
    """An image of values about 0 over an order of prototypes. `on_prototype(prototype)`: one was clicked.

    A subclass says in `_touch` what a click means.
    """

    def __init__(self, name: str, quantity: str, on_prototype: Callable[[int], None], **options):
        self._on_prototype, self._quantity = on_prototype, quantity
        self.sequence = np.arange(1)
        self.figure = quiet_figure(name=name, x_range=Range1d(0, 1), y_range=Range1d(0, 1), **options)
        self.image = ColumnDataSource({"image": [np.zeros((1, 1), np.uint8)]}, name=f"{name}-image")
        self.mapper = LinearColorMapper(palette=diverging_palette(), low=0, high=254)
        self.picture = self.figure.image(
            "image", source=self.image, x=0, y=0, dw=1, dh=1, color_mapper=self.mapper
        )
        self.bar = colour_bar(quantity, **BAR)
        self.figure.add_layout(self.bar, "above")
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)

    def _paint(self, image: np.ndarray, limit: float, place: tuple[int, int, int, int], mean: str) -> None:
        """Show values (rows columns), first row on top. place: left, bottom, width and height, in prototypes
        and rows; mean: over what each pixel is one, if it is.
        """
        left, bottom, across, up = place
        self.image.data = {"image": [signed_bytes(image, limit)[::-1]]}
        self.picture.glyph.update(x=left, y=bottom, dw=across, dh=up)
        self.bar.title = f"{self._quantity}, mean over {mean}" if mean else self._quantity
        self.bar.color_mapper.update(low=-limit, high=limit)

    def _place(self, prototype: int, shown: tuple[int, int]) -> float | None:
        """Where along the order the middle of a prototype lies; None where it is not among those shown."""
        found = np.flatnonzero(self.sequence[slice(*shown)] == prototype)
        return float(shown[0] + found[0]) + 0.5 if len(found) else None

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        dress(self.figure, dark, ticks=False)
        for mapper in (self.mapper, self.bar.color_mapper):
            mapper.palette = diverging_palette(dark)

    def _tapped(self, event: Tap) -> None:
        if event.x is not None and event.y is not None:
            self._touch(event.x, event.y)

    @abstractmethod
    def _touch(self, x: float, y: float) -> None:
        """What a click at this place of the picture means."""


class CosineMap(SignedMap):
    """The matrix of cosines, or a part of it; a strip marks the chosen class's own prototypes.

    A click on a row chooses its prototype. Where a pixel is a mean over several, it calls `on_place` with the
    row and the column instead.
    """

    def __init__(self, on_prototype: Callable[[int], None], on_place: Callable[[int, int], None]):
        self._on_place, self.window = on_place, ((0, 1), (0, 1))
        # The names left and the bar above take about the same room: the matrix is square within 5 %.
        super().__init__("cosine-map", "cosine", on_prototype)
        self.figure.update(sizing_mode="scale_width", aspect_ratio=1.09, min_height=380)
        self.figure.min_border_left = NAMES  # where nothing is named too
        self.figure.below[0].visible = False
        self.strip = ColumnDataSource({side: [] for side in ("left", "right", "bottom", "top")}, name="strip")
        self.marks = self.figure.quad(
            **{side: side for side in self.strip.data},
            source=self.strip,
            line_color=None,
            level="overlay",
        )
        self.cross = ColumnDataSource({key: [] for key in ("x0", "x1", "y0", "y1")}, name="cross")
        self.lines = self.figure.segment(
            **{key: key for key in self.cross.data},
            source=self.cross,
            line_width=1,
            level="overlay",
        )
        self.set_dark(False)

    def show(self, image: np.ndarray, limit: float, sequence: np.ndarray, window: Window) -> None:
        """Show cosines (r c) of a part of the prototypes in this order; the colours end at -limit, limit."""
        self.sequence, self.window, count = sequence, window, len(sequence)
        (top, below), (left, right) = window
        each = self._each
        mean = f"{each} × {each} pairs" if each > 1 else ""
        self._paint(image, limit, (left, count - below, right - left, below - top), mean)
        self.figure.x_range.update(start=left - 2 * RUG * (right - left), end=right)
        self.figure.y_range.update(start=count - below, end=count - top + 2 * RUG * (below - top))

    @property
    def _each(self) -> int:
        return per_pixel(max(end - start for start, end in self.window), PIXELS)

    def name_rows(self, names: Sequence[str] | None) -> None:
        """Show names (j,) of the rows, once a run of equals where there is room; None: no names."""
        count, (top, below) = len(self.sequence), self.window[0]
        found = [] if names is None else runs(names[top:below])
        spots = apart(
            {count - top - (a + b) / 2: names[top + a] for a, b in found}, (below - top) * LABEL / NARROWEST
        )
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(spots)), major_label_overrides=spots)

    def mark(self, own: np.ndarray, prototype: int) -> None:
        """Draw a strip beside the rows and columns where `own` (j,) is true, and
        lines through one prototype's.
        """
        count, (rows, columns) = len(self.sequence), self.window
        near, far = (share * RUG for share in (0.5, 1.4))
        wide, high = (end - start for start, end in (columns, rows))
        strips = [  # beside the rows, then above the columns
            (columns[0] - far * wide, columns[0] - near * wide, count - last, count - first)
            for first, last in _within(own, rows)
        ] + [
            (first, last, count - rows[0] + near * high, count - rows[0] + far * high)
            for first, last in _within(own, columns)
        ]
        edges = np.array(strips, dtype=float).reshape(-1, 4).T
        self.strip.data = dict(zip(("left", "right", "bottom", "top"), edges, strict=True))
        across, down = (self._place(prototype, shown) for shown in (columns, rows))
        bottom, top = count - rows[1], count - rows[0] + 2 * RUG * high
        ends = [] if across is None else [(across, across, bottom, top)]
        ends += (
            [] if down is None else [(columns[0] - 2 * RUG * wide, columns[1], count - down, count - down)]
        )
        self.cross.data = {key: [line[i] for line in ends] for i, key in enumerate(("x0", "x1", "y0", "y1"))}

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        super().set_dark(dark)
        self.marks.glyph.fill_color = self.lines.glyph.line_color = INK[dark]

    def _touch(self, x: float, y: float) -> None:
        row, column, (rows, columns) = int(np.floor(len(self.sequence) - y)), int(np.floor(x)), self.window
        if self._each > 1 and rows[0] <= row < rows[1] and columns[0] <= column < columns[1]:
            self._on_place(row, column)
        elif self._each == 1 and rows[0] <= row < rows[1] and x <= columns[1]:
            self._on_prototype(int(self.sequence[row]))


class WeightMap(SignedMap):
    """The classifier's weights, one row a class. A click on a column chooses its prototype."""

    def __init__(self, classes: tuple[str, ...], on_prototype: Callable[[int], None]):
        self.classes, self.shown = classes, (0, 1)
        height = min(max(ROW * len(classes), 60), HIGHEST) + 90
        super().__init__("weight-map", "classifier weight", on_prototype, height=height)
        self.figure.below[0].update(axis_label="prototypes, in the order above", ticker=FixedTicker(ticks=[]))
        rows = len(classes)
        self.figure.y_range.update(start=0, end=rows)
        self._named = ROW * rows <= HIGHEST  # else there is room for the chosen class alone
        self._name(classes if self._named else ())
        self.row = ColumnDataSource({"y": [], "x": []}, name="class-row")
        self.band = self.figure.rect(
            x="x",
            y="y",
            width=1,
            height=1,
            source=self.row,
            fill_color=None,
            line_width=2,
            level="overlay",
        )
        self.column = ColumnDataSource({"x": []}, name="prototype-column")
        self.line = self.figure.segment(
            x0="x", x1="x", y0=0, y1=rows, source=self.column, line_width=1, level="overlay"
        )
        self.set_dark(False)

    def show(self, weight: np.ndarray, limit: float, sequence: np.ndarray, shown: tuple[int, int]) -> None:
        """Show weights (c k) of the shown part of the prototypes in this order, a column a pixel or a
        prototype; the colours end at -limit and limit.
        """
        self.sequence, self.shown, (left, right) = sequence, shown, shown
        each = per_pixel(right - left, PIXELS)
        mean = f"{each} prototypes" if each > 1 else ""
        place = left, 0, right - left, len(self.classes)
        self._paint(weight, limit, place, mean)
        self.figure.x_range.update(start=left, end=right)
        self.band.glyph.width = right - left

    def mark(self, class_name: str, prototype: int) -> None:
        """Draw a frame around a class's row, a line through a prototype's column."""
        rows = len(self.classes)
        self.row.data = {"x": [sum(self.shown) / 2], "y": [rows - self.classes.index(class_name) - 0.5]}
        place = self._place(prototype, self.shown)
        self.column.data = {"x": [] if place is None else [place]}
        if not self._named:
            self._name([class_name])

    def _name(self, classes: Sequence[str]) -> None:
        """Write the names of classes beside their rows."""
        names = {name: shortened(spoken(name), LONGEST) for name in classes}
        places = {len(self.classes) - self.classes.index(name) - 0.5: said for name, said in names.items()}
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(places)), major_label_overrides=places)

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        super().set_dark(dark)
        self.band.glyph.line_color = self.line.glyph.line_color = INK[dark]

    def _touch(self, x: float, y: float) -> None:
        if 0 <= y < len(self.classes) and self.shown[0] <= x < self.shown[1]:
            self._on_prototype(int(self.sequence[int(x)]))


def runs(values: Sequence) -> list[tuple[int, int]]:
    """Return (first, behind the last) of every run of equal neighbours."""
    values = np.asarray(values)
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True))


def _within(own: np.ndarray, shown: tuple[int, int]) -> list[tuple[int, int]]:
    """(first, behind the last) of each run of what is true among the shown places."""
    part = own[slice(*shown)]
    return [(shown[0] + a, shown[0] + b) for a, b in runs(part) if part[a]]


def apart(spots: dict[float, str], room: float) -> dict[float, str]:
    """Return those of the labels that stand at least `room` from the last one kept, from the top down."""
    kept, last = {}, np.inf
    for place in sorted(spots, reverse=True):
        if last - place >= room:
            kept[place], last = spots[place], place
    return kept
