"""A figure of one clip over time: what a detector says of each class, beside what sounds."""

from collections.abc import Sequence

import numpy as np

from protoviz.audio import CellGrid
from protoviz.figures.colours import FAMILY_COLOURS, INK, TRUTH_COLOUR, wash_palette
from protoviz.figures.engine import holoviews
from protoviz.figures.style import dressed, spoken
from protoviz.scenes import Event

ROW = 34  # pixels
ENDS = 90  # of the axis below and of the words above


def detections(
    scores: np.ndarray,
    thresholds: np.ndarray | float,
    grid: CellGrid,
    classes: Sequence[str],
    events: Sequence[Event],
    told: Sequence[Event],
    dark: bool = False,
):
    """Return an overlay: a row a class with its scores over time, true events framed, detected ones as bars.

    scores (t c), drawn as what lies above or below the thresholds (c); told: the events detected
    (`told_events`). Classes that sound come first, by onset, then those that are detected and do not sound.
    """
    hv = holoviews()
    names = list(dict.fromkeys(event.label for event in (*sorted(events, key=lambda e: e.onset), *told)))
    over = (np.asarray(scores) - thresholds)[:, [classes.index(name) for name in names]].astype(np.float32)
    high = float(np.quantile(np.abs(over), 0.98)) or 1.0
    value = "logit above the threshold"
    image = hv.Image(
        over.T, kdims=["seconds", "class"], vdims=[value], bounds=(0, 0, grid.seconds, len(names))
    ).opts(
        cmap=list(wash_palette(FAMILY_COLOURS["prototype"][dark])),
        clim=(-high, high),
        colorbar=True,
        clabel=value,
    )
    row = {name: len(names) - 1 - place for place, name in enumerate(names)}
    frames = [(e.onset, row[e.label] + 0.06, e.offset, row[e.label] + 0.94) for e in events]
    bars = [(e.onset, row[e.label] + 0.12, e.offset, row[e.label] + 0.32) for e in told]
    layers = [
        image,
        hv.HLines(range(1, len(names))).opts(color=INK[dark], line_width=0.5, alpha=0.3),
        hv.Rectangles(bars).opts(fill_color=INK[dark], line_color=None),
        hv.Rectangles(frames).opts(fill_alpha=0, line_color=TRUTH_COLOUR[dark], line_width=3),
    ]
    return dressed(
        hv.Overlay(layers),
        dark,
        ENDS + ROW * len(names),
        xlim=(0, grid.seconds),
        ylim=(0, len(names)),
        xlabel="seconds",
        ylabel="",
        yticks=[(place + 0.5, spoken(name)) for name, place in row.items()],
    )
