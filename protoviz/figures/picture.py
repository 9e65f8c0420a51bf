"""The picture of a clip: one Bokeh figure whose sources are patched, never rebuilt.

Layers, bottom up: mel spectrogram (uint8), a map over the cells (uint8, exact cells: similarity, attention),
true event boxes, numbered cells, play bar. All but the images lie on Bokeh's overlay, a canvas of its own: a
click or a moving play bar does not paint the images again. Time runs in seconds, height in mel rows with
ticks in hertz.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from bokeh.models import (
    BoxAnnotation,
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    Label,
    LinearColorMapper,
    Range1d,
    Span,
)

from protoviz.audio import CellGrid, FilterBank
from protoviz.audio.picture import hertz_ticks
from protoviz.figures.canvas import (
    FONT,
    GLYPH_TEXT,
    TEXT,
    TIP,
    Drawn,
    colour_bar,
    describe,
    dress,
    quiet_figure,
)
from protoviz.figures.colours import (
    FAMILY_COLOURS,
    INK,
    PAPER,
    TAG,
    TRUTH_COLOUR,
    ink_palette,
    wash_palette,
)
from protoviz.figures.labels import Picture
from protoviz.figures.overlay import cell_columns, event_columns, knowledge, places_told, rows_of, tag_columns
from protoviz.figures.style import LINE, MINUTE, QUIET, apart
from protoviz.figures.tools import add_tools, clock_ticks
from protoviz.scenes import Event

HEIGHT = 390
AROUND = 90  # pixels of a figure's height that are not its picture: axis, tools and what is read out
TOLD = 0.4  # share of the width from which on what is past the clip's end has room for words
PAST = {"text_align": "center", "text_baseline": "middle", "text_font": FONT, "text_font_size": TEXT}
LOUDEST = "dB, 0 = the loudest"
QUIET_SCALE = "dB, 0 = the loudest of a quiet scene"  # where the clip itself is quieter
SIDES = {side: side for side in ("left", "right", "bottom", "top")}


@dataclass(frozen=True)
class MapLook:
    """How the map over the cells is drawn."""

    title: str = "cosine similarity"  # of its colour bar
    colour: tuple[str, str] = FAMILY_COLOURS["prototype"]  # (light, dark)
    ticks: Mapping[float, str] | None = None  # value -> label; None: Bokeh's choice
    tip: str = ""  # what a pointed-at cell says: HTML with @column for the columns given to `show_map`
    ink: float = 0.6  # opacity of the spectrogram below it
    level: bool = True  # the spectrogram's own scale stands beside it too


class ClipPicture(Drawn):
    """The figure and its sources.

    prefix: before the names of figure and sources, for a second one on a page. tools: zoom, pan, the way back
    and what is read out under the pointer; without them only what is pointed at speaks. width: pixels that
    the picture has at least, so that its words have room. place: sizes that differ from a page's usual ones,
    as Bokeh's figure takes them.
    """

    def __init__(
        self,
        grid: CellGrid,
        bank: FilterBank,
        look: MapLook = MapLook(),
        prefix: str = "",
        tools: bool = True,
        width: float = Picture.width,
        dark: bool = False,
        **place,
    ):
        self.grid, self.bank, self.look, self._prefix = grid, bank, look, prefix
        self.offset = 0.0  # where the picture begins in its file, seconds
        self.figure = quiet_figure(
            **{
                "name": f"{prefix}spectrogram",
                "height": HEIGHT,
                "x_range": self._range(0, grid.seconds),
                "y_range": self._range(0, bank.mels),
                "x_axis_label": "seconds",
                "y_axis_label": "hertz (mel axis)",
                **place,
            }
        )
        high = self.figure.frame_height or self.figure.height - AROUND
        self.size = Picture(grid.seconds, bank.mels, self.figure.frame_width or width, high)
        ticks = dict(apart(hertz_ticks(bank.mels, bank.low_hz, bank.top_hz), bank.mels * 18 / high))
        self.figure.left[0].update(ticker=FixedTicker(ticks=list(ticks)), major_label_overrides=ticks)
        self.file = self._range(0, grid.seconds)  # the same seconds, counted in the file
        self.file.name = f"{prefix}file"
        self.figure.extra_x_ranges = {"file": self.file}
        self.figure.below[0].update(x_range_name="file", formatter=clock_ticks(self.file))
        self._draw_picture()
        self._draw_events()
        self._draw_cells()
        self.bar = Span(location=0, dimension="height", line_width=2, level="overlay", visible=False)
        self.figure.add_layout(self.bar)
        if tools:
            self.said = add_tools(self)
            self.said.name = f"{prefix}pointed"
        self.set_dark(dark)

    @staticmethod
    def _range(low: float, high: float) -> Range1d:
        """A range that is never left."""
        return Range1d(low, high, reset_start=low, reset_end=high, bounds=(low, high))

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
        self.level_bar = colour_bar(LOUDEST)
        self.map_bar = colour_bar(self.look.title)
        if self.look.ticks:
            places = FixedTicker(ticks=list(self.look.ticks))
            self.map_bar.update(ticker=places, major_label_overrides=dict(self.look.ticks))
        if self.look.tip:
            self._point(self.mapped, TIP.replace("@tip{safe}", self.look.tip))
        for bar in (self.level_bar, self.map_bar):
            self.figure.add_layout(bar, "right")
        for part in (self.image, self.mapped, self.level_bar, self.map_bar):
            part.visible = False
        # Where a clip is shorter than the picture; what the encoder is not shown either.
        self.empty = BoxAnnotation(left=0, right=0, fill_alpha=0.5, line_color=None, visible=False)
        self.over = Label(x=0, y=self.bank.mels / 2, text="after the end", visible=False, **PAST)
        self.figure.add_layout(self.empty)
        self.figure.add_layout(self.over)

    def _draw_events(self) -> None:
        self.events = ColumnDataSource(event_columns((), self.bank, self.size), name=f"{self._prefix}events")
        look = {"fill_alpha": "fill", "line_width": "width", "level": "overlay"}
        self.boxes = self.figure.quad(**SIDES, **look, source=self.events)
        self.labels = self._names(
            self.events, "label", background_fill_alpha=0.75, padding=2, border_radius=3
        )
        self._point(self.labels, TIP)

    def _draw_cells(self) -> None:
        names = ("left", "right", "bottom", "top", "prototype", "rank", "alpha", "width", "dash", "tip")
        self.cells = ColumnDataSource({name: [] for name in names}, name=f"{self._prefix}cells")
        look = {"fill_alpha": "alpha", "line_width": "width", "line_dash": "dash", "line_join": "miter"}
        self.rectangles = self.figure.quad(**SIDES, **look, level="overlay", source=self.cells)
        self._tagged: pd.DataFrame | None = None
        self.tags = ColumnDataSource({name: [] for name in ("x", "y", "text", "anchor")})
        self.numbers = self._names(self.tags, "text", padding=[1, 4], border_radius=3)
        self._point(self.rectangles, TIP, "horizontal")

    def _names(self, source: ColumnDataSource, column: str, **look):
        """Words at places that `labels` found."""
        look = {**GLYPH_TEXT, "text_font_style": "bold", "anchor": "anchor", "level": "overlay", **look}
        return self.figure.text(x="x", y="y", text=column, source=source, **look)

    def _point(self, renderer, tip: str, attachment: str = "above") -> None:
        """Let what is pointed at speak."""
        self.figure.add_tools(
            HoverTool(renderers=[renderer], tooltips=tip, attachment=attachment, visible=False)
        )

    # -- what is shown

    def show_picture(
        self, pixels: np.ndarray, span: float, seconds: float | None = None, offset: float = 0.0
    ) -> None:
        """Show another clip as a whole: bytes and span of `mel_picture`, and how far its sound goes.

        offset: where it begins in its file, seconds: axis, tips and what is read out count from there.
        """
        self.picture.data = {"image": [pixels]}
        self.image.visible, self.level_bar.visible = True, self.look.level
        self.level_bar.color_mapper.low = -span
        self.level_bar.title = LOUDEST if pixels.max() == 255 else QUIET_SCALE
        whole = self.grid.seconds
        seconds = whole if seconds is None else seconds
        self.empty.update(left=seconds, right=whole, visible=seconds < whole - 0.05)
        self.over.update(x=(seconds + whole) / 2, visible=seconds < (1 - TOLD) * whole)
        self.offset = offset
        for part, low, high in (
            (self.figure.x_range, 0.0, whole),
            (self.file, offset, offset + whole),
            (self.figure.y_range, 0.0, self.bank.mels),
        ):
            # Bounds first: the browser clips what comes to those that it has.
            part.update(bounds=(low, high), start=low, end=high, reset_start=low, reset_end=high)
        unit = "minutes:seconds" if offset + whole >= MINUTE else "seconds"
        self.figure.below[0].axis_label = f"{unit} of the file" if offset else unit

    def show_events(
        self, events: Sequence[Event], chosen: str = "", looped: int = -1, labelled: bool = False
    ) -> None:
        """Draw the true event boxes, those of the chosen class with a heavier line; the looped one is filled.

        An event of which only the time is known reaches over the full height. labelled: there are labels, and
        nobody knows what sounds when.
        """
        self.events.data = event_columns(events, self.bank, self.size, chosen, looped, self.offset)
        if self.figure.toolbar_location:
            legend = knowledge(events, self.bank, labelled)
            self.said.update(text=legend, tags=[legend])
        self._describe()

    def show_cells(
        self, strongest: pd.DataFrame, chosen: int = -1, silent: Collection[int] = (), hits: bool = False
    ) -> None:
        """Show the numbered cells of a frame of `strongest_prototypes`; the chosen prototype's filled more.

        Those of silent prototypes are empty. hits: a cell beside every true event of the class is dashed.
        """
        step = self.bank.mels / self.grid.freqs  # mel rows in a cell
        self.cells.data = cell_columns(strongest, step, chosen, silent, hits, self.offset)
        if strongest is not self._tagged:  # where tags lie takes longer to find than all else here
            self._tagged = strongest
            self.tags.data = tag_columns(strongest, step, self.size, self.events.data)
        self._describe()

    def _describe(self) -> None:
        where = places_told(self.events.data, self.cells.data, self.offset)
        describe(self.figure, f"Spectrogram of {self.grid.seconds:g} s. {where}")

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
            bottom, top = rows_of([grid.low_hz, grid.high_hz], self.bank).tolist()
            self.mapped.glyph.update(dw=grid.seconds, y=bottom, dh=top - bottom)
        self.mapped.visible = self.map_bar.visible = values is not None
        self.image.glyph.global_alpha = 1.0 if values is None else self.look.ink

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page."""
        orange, truth = FAMILY_COLOURS["prototype"][dark], TRUTH_COLOUR[dark]
        dress(self.figure, dark)
        for mapper in (self.ink, self.level_bar.color_mapper):
            mapper.palette = ink_palette(dark)
        for mapper in (self.wash, self.map_bar.color_mapper):
            mapper.palette = wash_palette(self.look.colour[dark])
        self.bar.line_color = INK[dark]
        self.empty.fill_color, self.over.text_color = LINE[dark], QUIET[dark]
        self.boxes.glyph.update(line_color=truth, fill_color=truth)
        self.labels.glyph.update(text_color=truth, background_fill_color=PAPER[dark])
        self.rectangles.glyph.update(fill_color=orange, line_color=orange)
        self.numbers.glyph.update(text_color=PAPER[dark], background_fill_color=TAG[dark])
        if self.figure.toolbar_location:
            self.said.text_color = QUIET[dark]
