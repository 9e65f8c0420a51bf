"""The nearest clips of a prototype side by side: small spectrograms in one Bokeh figure, patched only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from bokeh.events import Tap
from bokeh.models import ColumnDataSource, HoverTool, LinearColorMapper, Range1d

from protoviz.analysis.neighbours import BACKGROUND
from protoviz.audio import CellGrid, FilterBank
from protoviz.audio.picture import mel_row
from protoviz.figures.canvas import CLICKS, GLYPH_TEXT, TIP, Drawn, dress, quiet_figure
from protoviz.figures.colours import FAMILY_COLOURS, INK, TRUTH_COLOUR, ink_palette
from protoviz.figures.style import LINE, QUIET, place, plain, shortened, spoken
from protoviz.scenes import Event

COLUMNS, LINES = 4, 2
PICTURE, CAPTION, BELOW = 140, 24, 14  # pixels of a thumbnail, of the words above it, of the gap under it
PITCH = PICTURE + CAPTION + BELOW
LONGEST = 20  # letters of a title in a thumbnail
GAP = 0.08  # between columns, in widths of a thumbnail
ROWS, PIXELS = 64, 256  # about as many pixels as a thumbnail has on the screen
BLANK = np.zeros((1, 1), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A clip at a glance; sessions share it."""

    # uint8, at most (ROWS, PIXELS), row 0 lowest, read-only; as `mel_picture`, but coarser
    picture: np.ndarray
    events: tuple[Event, ...]


def coarser(picture: np.ndarray) -> np.ndarray:
    """Return the picture (rows frames) in ROWS by PIXELS means at most, rounded to uint8; read-only."""
    sizes = [min(pair) for pair in zip((ROWS, PIXELS), picture.shape, strict=True)]
    edges = [np.arange(n) * size // n for n, size in zip(sizes, picture.shape, strict=True)]
    counts = [np.diff([*edge, size]) for edge, size in zip(edges, picture.shape, strict=True)]
    sums = np.add.reduceat(np.add.reduceat(picture.astype(float), edges[0], 0), edges[1], 1)
    small = np.rint(sums / np.outer(*counts)).astype(np.uint8)
    small.setflags(write=False)
    return small


class NearestClips(Drawn):
    """The figure and its sources. `on_clip(number)` is called when a thumbnail is clicked.

    Units: across, thumbnails (thumbnail i starts at i * (1 + GAP)); up, pixels.
    """

    most = COLUMNS * LINES

    def __init__(
        self,
        grid: CellGrid,
        bank: FilterBank,
        on_clip: Callable[[int], None] | None = None,
        dark: bool = False,
    ):
        self.grid, self.bank, self._on_clip = grid, bank, on_clip
        self.rows = pd.DataFrame()
        self._thumbnails: dict[int, Thumbnail] = {}
        self.figure = quiet_figure(
            name="nearest",
            height=LINES * PITCH + 8,
            x_range=Range1d(-0.01, COLUMNS * (1 + GAP) - GAP + 0.01),
            y_range=Range1d(0, LINES * PITCH),
            x_axis_location=None,
            y_axis_location=None,
        )
        self._draw()
        for click in CLICKS if on_clip else ():
            self.figure.on_event(click, self._tapped)
        self.set_dark(dark)

    def _draw(self) -> None:
        plot, edges = self.figure, {side: side for side in ("left", "right", "bottom", "top")}
        self.ink = LinearColorMapper(palette=ink_palette(), low=0, high=255)
        self.pictures = []
        for i in range(self.most):
            source = ColumnDataSource({"image": [BLANK]}, name=f"thumbnail-{i + 1}")
            x, y = self._corner(i)
            image = plot.image(
                "image", source=source, x=x, y=y, dw=1, dh=PICTURE, color_mapper=self.ink, visible=False
            )
            self.pictures.append((source, image))
        names = (*edges, "width", "colour")
        self.frames = ColumnDataSource({name: [] for name in names}, name="frames")
        plot.quad(
            **edges,
            source=self.frames,
            fill_alpha=0,
            line_color="colour",
            line_width="width",
            level="overlay",
        )
        self.events = ColumnDataSource({name: [] for name in edges}, name="heard events")
        self.boxes = plot.quad(**edges, source=self.events, fill_alpha=0, line_width=1.5, level="overlay")
        self.cells = ColumnDataSource({name: [] for name in edges}, name="nearest cells")
        self.rectangles = plot.quad(
            **edges, source=self.cells, fill_alpha=0.35, line_width=2.5, level="overlay", line_join="miter"
        )
        self.captions = ColumnDataSource(
            {name: [] for name in ("x", "end", "y", "name", "label", "colour")}, name="captions"
        )
        words = {**GLYPH_TEXT, "text_baseline": "middle", "source": self.captions, "level": "overlay"}
        self.names = plot.text(x="x", y="y", text="name", **words)
        plot.text(x="end", y="y", text="label", text_color="colour", text_align="right", **words)
        self.absent = ColumnDataSource({name: [] for name in ("x", "y", "text")}, name="clips not kept")
        told = {**GLYPH_TEXT, "text_baseline": "middle", "text_align": "center", "source": self.absent}
        self.ids = plot.text(x="x", y="y", text="text", level="overlay", **told)
        self.places = ColumnDataSource({name: [] for name in (*edges, "tip")})
        whole = plot.quad(**edges, source=self.places, fill_alpha=0, line_alpha=0)
        plot.add_tools(HoverTool(renderers=[whole], tooltips=TIP, attachment="vertical"))

    @staticmethod
    def _corner(i: int) -> tuple[float, float]:
        """Left and bottom of thumbnail i."""
        return (i % COLUMNS) * (1 + GAP), (LINES - 1 - i // COLUMNS) * PITCH + BELOW

    # -- what is shown

    def show(self, rows: pd.DataFrame, thumbnails: dict[int, Thumbnail], chosen: int) -> None:
        """Show the rows of a part of one prototype's clips, and the pictures that are there already.

        A clip that is not here (column `here`) is its id.
        """
        self.rows, self._thumbnails = rows.head(self.most), {}
        placed = [(row, *self._corner(i)) for i, row in enumerate(self.rows.itertuples(index=False))]
        self.cells.data = self._boxes([(x, y, *_place(row)) for row, x, y in placed if row.here])
        self.events.data = self._boxes([])
        self.places.data = {
            "left": [x for _, x, _ in placed],
            "right": [x + 1 for _, x, _ in placed],
            "bottom": [y for _, _, y in placed],
            "top": [y + PICTURE for _, _, y in placed],
            "tip": [_tip(row) for row, _, _ in placed],
        }
        self._write_captions(placed)
        absent = [(x + 0.5, y + PICTURE / 2, _brief(row.title)) for row, x, y in placed if not row.here]
        self.absent.data = {key: [one[i] for one in absent] for i, key in enumerate(("x", "y", "text"))}
        self.choose(chosen)
        for i, (source, image) in enumerate(self.pictures):
            found = thumbnails.get(i + 1)
            if found is not None:
                self._put(i + 1, found)
            elif image.visible:
                image.visible = False
                source.data = {"image": [BLANK]}
        self._show_events()

    def fill(self, number: int, thumbnail: Thumbnail) -> None:
        """Show the picture of one of them, made after the others were drawn."""
        self._put(number, thumbnail)
        self._show_events()

    def choose(self, number: int) -> None:
        """Put a heavy frame around the thumbnail of this number; 0: around none."""
        heavy = [i + 1 == number for i in range(len(self.rows))]
        places = {side: self.places.data[side] for side in ("left", "right", "bottom", "top")}
        colours = [INK[self.dark] if chosen else LINE[self.dark] for chosen in heavy]
        self.frames.data = {**places, "width": [3 if chosen else 1 for chosen in heavy], "colour": colours}

    def set_dark(self, dark: bool) -> None:
        """Set colours for a light or a dark page; the words get theirs with the next `show`."""
        self.dark = dark
        dress(self.figure, dark)
        self.ink.palette = ink_palette(dark)
        orange = FAMILY_COLOURS["prototype"][dark]
        self.rectangles.glyph.update(fill_color=orange, line_color=orange)
        self.boxes.glyph.line_color = TRUTH_COLOUR[dark]
        self.names.glyph.text_color = INK[dark]
        self.ids.glyph.text_color = QUIET[dark]

    # -- helpers

    def _put(self, number: int, thumbnail: Thumbnail) -> None:
        self._thumbnails[number] = thumbnail
        source, image = self.pictures[number - 1]
        source.data = {"image": [thumbnail.picture]}
        image.visible = True

    def _show_events(self) -> None:
        """The true event on which each winning cell lies, where there is one."""
        found = []
        for i, row in enumerate(self.rows.itertuples(index=False)):
            known = self._thumbnails.get(i + 1)
            for event in known.events if known else ():
                if event.label == row.label:
                    found.append((*self._corner(i), *_place(event)))
        self.events.data = self._boxes(found)

    def _boxes(self, boxes: list[tuple]) -> dict:
        """Edges of boxes (x, y of the thumbnail, onset, offset, low_hz, high_hz) in the figure's units."""
        x, y, onset, offset, low, high = np.array(boxes, dtype=float).reshape(-1, 6).T
        axis = (PICTURE, self.bank.low_hz, self.bank.top_hz)
        return {
            "left": x + onset / self.grid.seconds,
            "right": x + offset / self.grid.seconds,
            "bottom": y + mel_row(low, *axis),
            "top": y + mel_row(high, *axis),
        }

    def _write_captions(self, placed: list[tuple]) -> None:
        truth, quiet = TRUTH_COLOUR[self.dark], QUIET[self.dark]
        labels = [None if pd.isna(row.label) else row.label for row, _, _ in placed]
        self.captions.data = {
            "x": [x for _, x, _ in placed],
            "end": [x + 1 for _, x, _ in placed],
            "y": [y + PICTURE + CAPTION / 2 for _, _, y in placed],
            "name": [f"{i + 1}   {row.score:.3f}" for i, (row, _, _) in enumerate(placed)],
            "label": ["" if label is None else spoken(label) for label in labels],
            "colour": [quiet if label in (None, BACKGROUND) else truth for label in labels],
        }

    def _tapped(self, event: Tap) -> None:
        places = self.places.data
        edges = (places[side] for side in ("left", "right", "bottom", "top"))
        for i, (left, right, bottom, top) in enumerate(zip(*edges, strict=True)):
            if left <= event.x < right and bottom <= event.y < top + CAPTION:
                self._on_clip(i + 1)


def _place(box) -> tuple[float, float, float, float]:
    return box.onset, box.offset, box.low_hz, box.high_hz


def _brief(title: str) -> str:
    """A title, cut to what a thumbnail has room for, and that the clip is not here."""
    return f"{shortened(title, LONGEST)}\nnot kept here"


def _tip(row) -> str:
    where = "" if pd.isna(row.label) else f"<br>on {plain(spoken(row.label))}"
    absent = "" if row.here else "<br>its picture and sound are not kept here"
    return (
        f"<b>{row.number}</b> {plain(row.title)}<br>similarity {row.score:.3f}, rank {row.rank:,}"
        f"<br>{place(row)}{where}{absent}"
    )
