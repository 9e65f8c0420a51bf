"""The spectrogram of the page: one Bokeh figure whose sources are patched, never rebuilt.

Layers, bottom up: mel spectrogram (uint8), a map over the cells (uint8, exact cells: similarity, attention),
true event boxes, numbered cells, play bar. All but the images lie on Bokeh's overlay, a canvas of its own: a
click or a moving play bar does not paint the images again. Time runs in seconds, height in mel rows with
ticks in hertz.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from bokeh.events import Tap
from bokeh.models import (
    BoxAnnotation,
    ColumnDataSource,
    CustomJS,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    Range1d,
    Span,
    TapTool,
)

from protoviz.audio import CellGrid, FilterBank
from protoviz.audio.picture import hertz_ticks, mel_row
from protoviz.explorer.reading import Reading
from protoviz.explorer.widgets.layers import cell_columns, event_columns, tag_columns
from protoviz.explorer.widgets.look import (
    CLICKS,
    GLYPH_TEXT,
    LINE,
    TAG,
    TIP,
    colour_bar,
    dress,
    quiet_figure,
)
from protoviz.figures import FAMILY_COLOURS, INK, PAPER, TRUTH_COLOUR, ink_palette, wash_palette
from protoviz.figures.clip import QUIET_SCALE
from protoviz.figures.labels import Picture

HEIGHT = 360
LOUDEST = "dB, 0 = the loudest"
# A click outside every cell moves the player there, in the browser alone; a click on a cell goes to Python.
SEEK = """
const {left, right, bottom, top} = cells.data
for (let i = 0; i < left.length; i++)
  if (cb_obj.x >= left[i] && cb_obj.x < right[i] && cb_obj.y >= bottom[i] && cb_obj.y < top[i]) return
if (cb_obj.x >= 0 && cb_obj.x <= seconds)
  window.dispatchEvent(new CustomEvent("protoviz:seek", {detail: {channel, time: cb_obj.x}}))
"""

# A click on an event's name: the player hands it on to Python.
NAMED = """
const [event] = cb_data.source.inspected.indices
if (event != null)
  window.dispatchEvent(new CustomEvent("protoviz:event", {detail: {channel, event}}))
"""


@dataclass(frozen=True)
class MapLook:
    """How the map over the cells is drawn."""

    title: str = "cosine similarity"  # of its colour bar
    colour: tuple[str, str] = FAMILY_COLOURS["prototype"]  # (light, dark)
    ticks: Mapping[float, str] | None = None  # value -> label; None: Bokeh's choice
    tip: str = ""  # what a pointed-at cell says: HTML with @column for the columns given to `show_map`
    ink: float = 0.6  # opacity of the spectrogram below it


class Spectrogram:
    """The figure and its sources. `on_cell(prototype)` is called when a numbered cell is clicked.

    `on_shift(prototype)`, where a page sets it, is called instead when Shift is held down.
    A click on an event's name is a window event "protoviz:event" {channel, event}, a click beside everything
    "protoviz:seek" {channel, time}.
    prefix: before the names of figure and sources, for a second spectrogram on a page.
    """

    on_shift: Callable[[int], None] | None = None

    def __init__(
        self,
        grid: CellGrid,
        bank: FilterBank,
        channel: str,
        on_cell: Callable[[int], None] = lambda prototype: None,
        look: MapLook = MapLook(),
        height: int = HEIGHT,
        prefix: str = "",
    ):
        self.grid, self.bank, self._on_cell, self.look, self._prefix = grid, bank, on_cell, look, prefix
        self.size = Picture(grid.seconds, bank.mels)
        self.figure = quiet_figure(
            name=f"{prefix}spectrogram",
            height=height,
            x_range=Range1d(0, grid.seconds, bounds=(0, grid.seconds)),
            y_range=Range1d(0, bank.mels),
            x_axis_label="seconds",
            y_axis_label="hertz (mel axis)",
        )
        ticks = hertz_ticks(bank.mels, bank.low_hz, bank.top_hz)
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(ticks)), major_label_overrides=ticks)
        self._draw_picture()
        self._draw_events()
        self._draw_cells()
        self.bar = Span(
            location=0, dimension="height", line_width=2, level="overlay", name=f"{prefix}bar-{channel}"
        )
        self.figure.add_layout(self.bar)
        named = CustomJS(args={"channel": channel}, code=NAMED)
        self.figure.add_tools(TapTool(renderers=[self.labels], behavior="inspect", callback=named))
        arguments = {"cells": self.cells, "seconds": grid.seconds, "channel": channel}
        for click in CLICKS:
            self.figure.js_on_event(click, CustomJS(args=arguments, code=SEEK))
            self.figure.on_event(click, self._tapped)
        self.set_dark(False)

    # -- layers

    def _draw_picture(self) -> None:
        whole = {"x": 0, "y": 0, "dw": self.grid.seconds, "dh": self.bank.mels}
        self.picture = ColumnDataSource(
            {"image": [np.zeros((1, 1), np.uint8)]}, name=f"{self._prefix}picture"
        )
        self.ink = LinearColorMapper(palette=ink_palette(), low=0, high=255)
        self.image = self.figure.image("image", source=self.picture, color_mapper=self.ink, **whole)
        self.map = ColumnDataSource({"image": [np.zeros((1, 1), np.uint8)]}, name=f"{self._prefix}map")
        self.wash = LinearColorMapper(palette=wash_palette("#000000"), low=0, high=255)
        self.mapped = self.figure.image("image", source=self.map, color_mapper=self.wash, **whole)
        self.mapped.visible = False
        self.level_bar = colour_bar(LOUDEST)
        self.map_bar = colour_bar(self.look.title)
        if self.look.ticks:
            places = FixedTicker(ticks=list(self.look.ticks))
            self.map_bar.update(ticker=places, major_label_overrides=dict(self.look.ticks))
        if self.look.tip:
            tip = TIP.replace("@tip{safe}", self.look.tip)
            self.figure.add_tools(HoverTool(renderers=[self.mapped], tooltips=tip, attachment="above"))
        self.map_bar.visible = False
        self.figure.add_layout(self.level_bar, "right")
        self.figure.add_layout(self.map_bar, "right")
        # Where a clip is shorter than the picture; what the encoder is not shown either.
        self.empty = BoxAnnotation(left=0, right=0, fill_alpha=0.5, line_color=None, visible=False)
        self.figure.add_layout(self.empty)

    def _draw_events(self) -> None:
        names = ("left", "right", "bottom", "top", "width", "fill", "label", "x", "y", "anchor", "tip")
        self.events = ColumnDataSource({name: [] for name in names}, name=f"{self._prefix}events")
        edges = {side: side for side in ("left", "right", "bottom", "top")}
        self.boxes = self.figure.quad(
            **edges,
            source=self.events,
            level="overlay",
            fill_alpha="fill",
            line_width="width",
        )
        self.labels = self.figure.text(
            x="x",
            y="y",
            text="label",
            anchor="anchor",
            level="overlay",
            source=self.events,
            text_font_style="bold",
            **GLYPH_TEXT,
            background_fill_alpha=0.75,
            padding=2,
            border_radius=3,
        )
        self.figure.add_tools(HoverTool(renderers=[self.labels], tooltips=TIP, attachment="above"))

    def _draw_cells(self) -> None:
        names = ("left", "right", "bottom", "top", "prototype", "rank", "alpha", "width", "dash", "tip")
        self.cells = ColumnDataSource({name: [] for name in names}, name=f"{self._prefix}cells")
        edges = {side: side for side in ("left", "right", "bottom", "top")}
        self.rectangles = self.figure.quad(
            **edges,
            source=self.cells,
            level="overlay",
            fill_alpha="alpha",
            line_width="width",
            line_dash="dash",
            line_join="miter",
        )
        self._tagged: pd.DataFrame | None = None
        self.tags = ColumnDataSource({name: [] for name in ("x", "y", "text", "anchor")})
        self.numbers = self.figure.text(
            x="x",
            y="y",
            text="text",
            anchor="anchor",
            level="overlay",
            source=self.tags,
            text_font_style="bold",
            **GLYPH_TEXT,
            padding=[1, 4],
            border_radius=3,
        )
        hover = HoverTool(renderers=[self.rectangles], tooltips=TIP, attachment="horizontal")
        self.figure.add_tools(hover)

    # -- what is shown

    def show_clip(self, reading: Reading) -> None:
        """Show another clip: its picture, and how far its sound goes."""
        self.picture.data = {"image": [reading.picture]}
        self.level_bar.color_mapper.low = -reading.span
        self.level_bar.title = LOUDEST if reading.picture.max() == 255 else QUIET_SCALE
        short = reading.seconds < self.grid.seconds - 0.05
        self.empty.update(left=reading.seconds, right=self.grid.seconds, visible=short)

    def show_events(self, reading: Reading, chosen: str, visible: bool, looped: int = -1) -> None:
        """Draw the true event boxes, those of the chosen class with a heavier line;
        the looped event is filled.
        """
        events = reading.events if visible else ()
        low, high = self._rows([e.low_hz for e in events]), self._rows([e.high_hz for e in events])
        self.events.data = event_columns(events, low, high, chosen, looped, self.size)

    def show_cells(
        self, strongest: pd.DataFrame, chosen: int, silent: Collection[int] = (), hits: bool = False
    ) -> None:
        """Show the numbered cells of a frame of `strongest_prototypes`; the chosen prototype's filled more.

        Those of silent prototypes are empty. hits: a cell beside every true event of the class is dashed.
        """
        step = self.bank.mels / self.grid.freqs  # mel rows in a cell
        self.cells.data = cell_columns(strongest, step, chosen, silent, hits)
        if strongest is not self._tagged:  # where tags lie takes longer to find than all else here
            self._tagged = strongest
            self.tags.data = tag_columns(strongest, step, self.size)

    def show_map(
        self,
        values: np.ndarray | None,
        limits: tuple[float, float] | None = None,
        grid: CellGrid | None = None,
        **columns: np.ndarray,
    ) -> None:
        """Show a map (t f) over the cells of a grid (None: the figure's), or none; NaN stays clear.

        limits: the values without and with full colour; None: the smallest and the largest. columns: further
        maps (t f) for the tip.
        """
        if values is not None:
            low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
            share = np.clip(np.nan_to_num((values - low) / max(high - low, 1e-12)), 0, 1)
            tips = {name: [np.ascontiguousarray(column.T)] for name, column in columns.items()}
            self.map.data = {"image": [np.rint(share.T * 255).astype(np.uint8)], **tips}
            self.map_bar.color_mapper.update(low=low, high=high)
            grid = grid or self.grid
            bottom, top = self._rows([grid.low_hz, grid.high_hz]).tolist()
            self.mapped.glyph.update(dw=grid.seconds, y=bottom, dh=top - bottom)
        self.mapped.visible = self.map_bar.visible = values is not None
        self.image.glyph.global_alpha = 1.0 if values is None else self.look.ink

    def follow(self, other: "Spectrogram") -> None:
        """Move the play bar with another's: the player moves one. In the browser alone."""
        code = "bar.setv({location: cb_obj.location}, {sync: false})"
        other.bar.js_on_change("location", CustomJS(args={"bar": self.bar}, code=code))

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        orange, truth = FAMILY_COLOURS["prototype"][dark], TRUTH_COLOUR[dark]
        dress(self.figure, dark)
        for mapper in (self.ink, self.level_bar.color_mapper):
            mapper.palette = ink_palette(dark)
        for mapper in (self.wash, self.map_bar.color_mapper):
            mapper.palette = wash_palette(self.look.colour[dark])
        self.bar.line_color = INK[dark]
        self.empty.fill_color = LINE[dark]
        self.boxes.glyph.update(line_color=truth, fill_color=truth)
        self.labels.glyph.update(text_color=truth, background_fill_color=PAPER[dark])
        self.rectangles.glyph.update(fill_color=orange, line_color=orange)
        self.numbers.glyph.update(text_color=PAPER[dark], background_fill_color=TAG[dark])

    # -- helpers

    def _rows(self, hertz) -> np.ndarray:
        return np.atleast_1d(mel_row(hertz, self.bank.mels, self.bank.low_hz, self.bank.top_hz))

    def _tapped(self, event: Tap) -> None:
        data = self.cells.data
        inside = [
            (rank, prototype)
            for rank, prototype, left, right, bottom, top in zip(
                *(data[name] for name in ("rank", "prototype", "left", "right", "bottom", "top")), strict=True
            )
            if left <= event.x < right and bottom <= event.y < top
        ]
        if inside:  # prototypes that share a cell share its sound: the strongest speaks
            shift = self.on_shift and (event.modifiers or {}).get("shift")  # what comes is a dict
            (self.on_shift if shift else self._on_cell)(min(inside)[1])
