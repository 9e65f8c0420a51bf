"""Two pictures over the same order of prototypes: cosines of all pairs, and the classifier's weights.

Bytes in an image, patched and never rebuilt; what marks a choice lies on the overlay.
"""

from collections.abc import Callable, Sequence

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, FixedTicker, LinearColorMapper, Range1d

from protoviz.analysis.geometry import block_means, per_pixel, signed_bytes
from protoviz.explorer.text import spoken
from protoviz.explorer.widgets.look import CLICKS, colour_bar, dress, quiet_figure
from protoviz.figures import INK, diverging_palette

ROW = 18  # pixels a class in the weight map
LABEL = 17  # pixels that a line of text needs
NARROWEST = 350  # pixels of the matrix on a page 1,100 wide
NAMES = 112  # pixels left of the matrix: the longest class name
RUG = 0.025  # height of the strip beside the matrix, in its sides
BAR = {"orientation": "horizontal", "height": 10, "width": "auto", "padding": 4, "title_standoff": 6}


class SignedMap:
    """An image of values about 0 over an order of prototypes. `on_prototype(prototype)`: one was clicked.

    A subclass says in `_column` which place along the order a click means.
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

    def _paint(self, image: np.ndarray, limit: float, across: int, up: int) -> None:
        """Show values (rows columns), first row on top; across, up: the size in prototypes and rows."""
        self.image.data = {"image": [signed_bytes(image, limit)[::-1]]}
        self.picture.glyph.update(dw=across, dh=up)
        each = per_pixel(across)
        self.bar.title = self._quantity if each == 1 else f"{self._quantity}, mean over {each} prototypes"
        self.bar.color_mapper.update(low=-limit, high=limit)

    def _place(self, prototype: int) -> float | None:
        """Where along the order the middle of a prototype lies; None where none is chosen."""
        return None if prototype < 0 else float(np.flatnonzero(self.sequence == prototype)[0]) + 0.5

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        dress(self.figure, dark, ticks=False)
        for mapper in (self.mapper, self.bar.color_mapper):
            mapper.palette = diverging_palette(dark)

    def _column(self, event: Tap) -> float:
        return event.x

    def _tapped(self, event: Tap) -> None:
        place = self._column(event) if event.x is not None and event.y is not None else -1
        if 0 <= place < len(self.sequence):
            self._on_prototype(int(self.sequence[int(place)]))


class CosineMap(SignedMap):
    """The matrix of cosines. A click on a row chooses its prototype; a strip marks the chosen class's own."""

    def __init__(self, on_prototype: Callable[[int], None]):
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

    def show(self, image: np.ndarray, limit: float, sequence: np.ndarray) -> None:
        """Show cosines (p p) of the prototypes in this order; the colours end at -limit and limit."""
        self.sequence, count = sequence, len(sequence)
        self._paint(image, limit, count, count)
        self.figure.x_range.update(start=-2 * RUG * count, end=count)
        self.figure.y_range.update(start=0, end=count * (1 + 2 * RUG))

    def name_rows(self, names: Sequence[str] | None) -> None:
        """Show names (j,) of the rows, once a run of equals where there is room; None: no names."""
        count = len(self.sequence)
        spots = {} if names is None else {count - (a + b) / 2: names[a] for a, b in runs(names)}
        spots = apart(spots, count * LABEL / NARROWEST)
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(spots)), major_label_overrides=spots)

    def mark(self, own: np.ndarray, prototype: int) -> None:
        """Draw a strip beside the rows and columns where `own` (j,) is true, and
        lines through one prototype's.
        """
        count, rug = len(self.sequence), RUG * len(self.sequence)
        found = [(a, b) for a, b in runs(own) if own[a]]
        first, last = np.array(found, dtype=int).reshape(-1, 2).T
        near, far = np.full(len(found), 0.5 * rug), np.full(len(found), 1.4 * rug)
        self.strip.data = {  # beside the rows, then above the columns
            "left": np.concatenate([-far, first]),
            "right": np.concatenate([-near, last]),
            "bottom": np.concatenate([count - last, count + near]),
            "top": np.concatenate([count - first, count + far]),
        }
        place = self._place(prototype)
        x, y = ([], []) if place is None else ([place], [count - place])
        self.cross.data = {
            "x0": [*x, *[-2 * rug for _ in y]],
            "x1": [*x, *[count for _ in y]],
            "y0": [*[0 for _ in x], *y],
            "y1": [*[count + 2 * rug for _ in x], *y],
        }

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        super().set_dark(dark)
        self.marks.glyph.fill_color = self.lines.glyph.line_color = INK[dark]

    def _column(self, event: Tap) -> float:
        return len(self.sequence) - event.y if event.x <= len(self.sequence) else -1


class WeightMap(SignedMap):
    """The classifier's weights, one row a class. A click on a column chooses its prototype."""

    def __init__(self, classes: tuple[str, ...], on_prototype: Callable[[int], None]):
        self.classes = classes
        height = max(ROW * len(classes), 60) + 90
        super().__init__("weight-map", "classifier weight", on_prototype, height=height)
        self.figure.below[0].update(axis_label="prototypes, in the order above", ticker=FixedTicker(ticks=[]))
        rows = len(classes)
        self.figure.y_range.update(start=0, end=rows)
        names = {rows - row - 0.5: spoken(name) for row, name in enumerate(classes)}
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(names)), major_label_overrides=names)
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

    def show(self, weight: np.ndarray, limit: float, sequence: np.ndarray) -> None:
        """Show weights (c j) of the prototypes in this order; the colours end at -limit and limit."""
        self.sequence, count = sequence, len(sequence)
        self._paint(block_means(weight, per_pixel(count), axis=1), limit, count, len(self.classes))
        self.figure.x_range.update(start=0, end=count)
        self.band.glyph.width = count

    def mark(self, class_name: str, prototype: int) -> None:
        """Draw a frame around a class's row, a line through a prototype's column."""
        count, rows = len(self.sequence), len(self.classes)
        self.row.data = {"x": [count / 2], "y": [rows - self.classes.index(class_name) - 0.5]}
        place = self._place(prototype)
        self.column.data = {"x": [] if place is None else [place]}

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        super().set_dark(dark)
        self.band.glyph.line_color = self.line.glyph.line_color = INK[dark]

    def _column(self, event: Tap) -> float:
        return event.x if 0 <= event.y < len(self.classes) else -1


def runs(values: Sequence) -> list[tuple[int, int]]:
    """Return (first, behind the last) of every run of equal neighbours."""
    values = np.asarray(values)
    edges = np.flatnonzero(values[1:] != values[:-1]) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(values)], strict=True))


def apart(spots: dict[float, str], room: float) -> dict[float, str]:
    """Return those of the labels that stand at least `room` from the last one kept, from the top down."""
    kept: dict[float, str] = {}
    for place in sorted(spots, reverse=True):
        if not kept or min(kept) - place >= room:
            kept[place] = spots[place]
    return kept
