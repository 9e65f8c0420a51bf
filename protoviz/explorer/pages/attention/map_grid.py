"""Small multiples: every layer and head of an encoder as a picture of its map, in one patched figure."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, LinearColorMapper, Range1d

from protoviz.explorer.widgets.look import CLICKS, FONT, LINE, TEXT, TIP, dress, quiet_figure
from protoviz.figures import INK, PAPER, wash_palette

ROW = 30  # pixels a layer
LEAST = 8  # rows of pixels of a thumbnail
WIDE, HIGH = 0.94, 0.84  # of a thumbnail in its place; the rest is gap


@dataclass(frozen=True)
class Thumbnail:
    """One map of the grid: its row and column from 0, values (t f) from 0 to 1, and what its tip says."""

    row: int
    column: int
    share: np.ndarray
    tip: str


class MapGrid:
    """The figure and its sources. `on_map(row, column)` is called when a thumbnail is clicked."""

    def __init__(
        self, name: str, colour: tuple[str, str], on_map: Callable[[int, int], None], x_label: str = ""
    ):
        self._colour, self._on_map = colour, on_map
        self.rows = self.columns = 1
        self.figure = quiet_figure(
            name=name, height=ROW + 30, x_range=Range1d(0, 1), y_range=Range1d(1, 0), x_axis_location="above"
        )
        self.figure.above[0].update(
            major_label_text_font=FONT,
            major_label_text_font_size=TEXT,
            axis_label_text_font=FONT,
            axis_label_text_font_size=TEXT,
            minor_tick_line_color=None,
        )
        for axis in (self.figure.left[0], self.figure.above[0]):
            axis.ticker = FixedTicker(ticks=[])
        self._draw(name)
        for click in CLICKS:
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    def _draw(self, name: str) -> None:
        self.maps = ColumnDataSource({key: [] for key in ("x", "y", "tip")}, name=f"{name}-maps")
        self.paper = self.figure.rect(
            x="x", y="y", width=WIDE, height=HIGH, source=self.maps, line_width=1, fill_alpha=1
        )
        # All thumbnails are one image, whose zeros are clear: 384 cost no more than 18.
        self.sheet = ColumnDataSource({key: [] for key in ("image", "dw", "dh")}, name=f"{name}-images")
        self.wash = LinearColorMapper(palette=wash_palette("#000000", strongest=1.0), low=0, high=255)
        self.figure.image(
            image="image", x=0, y=0, dw="dw", dh="dh", source=self.sheet, color_mapper=self.wash
        )
        self.chosen = ColumnDataSource({"x": [], "y": []}, name=f"{name}-chosen")
        self.frame = self.figure.rect(
            x="x",
            y="y",
            width=WIDE,
            height=HIGH,
            source=self.chosen,
            line_width=3,
            fill_alpha=0,
            level="overlay",
            line_join="miter",
        )
        self.figure.add_tools(HoverTool(renderers=[self.paper], tooltips=TIP, attachment="vertical"))

    def show(self, maps: list[Thumbnail], rows: list[str], columns: list[str]) -> None:
        """Show other maps; rows and columns: what stands beside and above them."""
        self.rows, self.columns = len(rows), len(columns)
        middle_x = [one.column + 0.5 for one in maps]
        middle_y = [one.row + 0.5 for one in maps]
        self.maps.data = {"x": middle_x, "y": middle_y, "tip": [one.tip for one in maps]}
        sheet = _sheet(maps, self.rows, self.columns)
        self.sheet.data = {"image": [sheet], "dw": [self.columns], "dh": [self.rows]}
        self.figure.update(height=ROW * self.rows + 34)
        self.figure.x_range.end = self.columns
        self.figure.y_range.start = self.rows
        for axis, names in ((self.figure.left[0], rows), (self.figure.above[0], columns)):
            labels = {place + 0.5: name for place, name in enumerate(names)}
            axis.update(ticker=FixedTicker(ticks=list(labels)), major_label_overrides=labels)

    def clear(self) -> None:
        """Show no maps, in the same room."""
        for source in (self.maps, self.sheet, self.chosen):
            source.data = {key: [] for key in source.data}

    def choose(self, row: int, column: int) -> None:
        """Put the frame around this thumbnail."""
        self.chosen.data = {"x": [column + 0.5], "y": [row + 0.5]}

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        dress(self.figure, dark, ticks=False)
        self.figure.above[0].update(
            major_label_text_color=INK[dark], axis_line_color=None, major_tick_line_color=None
        )
        self.paper.glyph.update(fill_color=PAPER[dark], line_color=LINE[dark])
        self.frame.glyph.line_color = INK[dark]
        self.wash.palette = wash_palette(self._colour[dark], strongest=1.0)

    def _tapped(self, event: Tap) -> None:
        row, column = int(np.floor(event.y)), int(np.floor(event.x))
        if 0 <= row < self.rows and 0 <= column < self.columns:
            self._on_map(row, column)


def _sheet(maps: list[Thumbnail], rows: int, columns: int) -> np.ndarray:
    """One picture (uint8) of all maps in their places, with gaps of zeros between them.

    The rows run downwards and so does the picture: a map's lowest frequency is its last row.
    """
    times, freqs = maps[0].share.shape
    each = -(-LEAST // freqs)  # a map of one band is drawn as high as others
    tall, wide = round(freqs * each / HIGH), round(times / WIDE)
    sheet = np.zeros((rows * tall, columns * wide), np.uint8)
    for one in maps:
        drawn = np.rint(np.nan_to_num(one.share).T[::-1] * 255).astype(np.uint8).repeat(each, axis=0)
        top = one.row * tall + (tall - len(drawn)) // 2
        left = one.column * wide + (wide - times) // 2
        sheet[top : top + len(drawn), left : left + times] = drawn
    return sheet
