"""Figures on the cells of a token map: one number a cell, in seconds and hertz; the waveform over them."""

from collections.abc import Iterable

import numpy as np

from protoviz.audio import mono
from protoviz.audio.picture import hertz_ticks, mel_row
from protoviz.figures.colours import INK, TRUTH_COLOUR, diverging_palette, ink_palette
from protoviz.figures.engine import holoviews
from protoviz.figures.style import FONT, LINE, apart, dressed, words

COLUMNS = 1200  # of a waveform's picture: more than a screen shows side by side


def cell_map(
    values,
    grid,
    events: Iterable = (),
    label: str = "",
    limits: tuple[float, float] | None = None,
    signed: bool = False,
    title: str = "",
    mark: int | None = None,
    dark: bool = False,
):
    """Return an overlay: one number a cell on the exact grid, true event boxes on top, the key beside it.

    values (n) or (t f), NaN where there is none; grid: the encoder's `CellGrid`; label names the values and
    their unit. limits: the ends of the key, the values' own if absent. signed: colours for below and above
    zero, limits then lie even about it. mark: a cell n to frame.
    """
    hv = holoviews()
    values = np.asarray(values, dtype=float).reshape(grid.times, grid.freqs)
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    if signed:
        high = max(abs(low), abs(high))
        low = -high
    image = hv.Image(
        values.T[::-1].astype(np.float32),
        kdims=["seconds", "band"],
        vdims=[label or "value"],
        bounds=(0, 0, grid.seconds, grid.freqs),
    ).opts(
        cmap=list(diverging_palette(dark) if signed else ink_palette(dark)),
        clim=(low, high if high > low else low + 1),
        clipping_colors={"NaN": "transparent"},
        colorbar=True,
        colorbar_opts={"title": label, "title_text_font_size": FONT, "major_label_text_font_size": FONT},
    )
    layers = [image, _meshes(hv, grid, dark), *_boxes(hv, list(events), grid, dark)]
    if mark is not None:
        t, f = grid.place(mark)
        step = grid.seconds / grid.times
        frame = hv.Rectangles([(t * step, f, (t + 1) * step, f + 1)])
        layers.append(frame.opts(fill_alpha=0, line_color=INK[dark], line_width=3))
    return dressed(
        hv.Overlay(layers),
        dark,
        270,
        xlim=(0, grid.seconds),
        ylim=(0, grid.freqs),
        xlabel="seconds",
        ylabel="hertz (mel axis)",
        yticks=_ticks(grid),
    ).opts(title=title)


def waveform_curve(waveform, sample_rate: int, events: Iterable = (), dark: bool = False):
    """Return an overlay: the waveform (s,) between its least and largest sample in every column; events as
    bars.

    Bars lie below the curve, one an event, from onset to offset: where they stand above each other, several
    sound at once.
    """
    hv = holoviews()
    waveform = mono(waveform)
    starts = np.unique(np.linspace(0, len(waveform) - 1, COLUMNS).astype(int))
    low, high = np.minimum.reduceat(waveform, starts), np.maximum.reduceat(waveform, starts)
    curve = hv.Area((starts / sample_rate, low, high), "seconds", ["amplitude", "highest"])
    layers = [curve.opts(color=INK[dark], line_width=0.5, fill_alpha=1)]
    events = sorted(events, key=lambda event: event.onset)
    peak = float(np.abs(waveform).max()) or 1.0
    step = 0.24 * peak
    heights = [-peak - (row + 0.75) * step for row in range(len(events))]
    layers += _bars(hv, events, heights, 0.3 * step, len(waveform) / sample_rate, dark)
    return dressed(
        hv.Overlay(layers),
        dark,
        210 + 20 * len(events),
        xlim=(0, len(waveform) / sample_rate),
        ylim=((heights[-1] if events else -peak) - step, 1.05 * peak),
        yticks=[(peak, f"{peak:.2g}"), (0, "0"), (-peak, f"−{peak:.2g}")],
        xlabel="seconds",
        ylabel="amplitude",
    )


def _ticks(grid) -> list[tuple[float, str]]:
    """Round frequencies at their places, those left out that would print over the one below."""
    return apart(hertz_ticks(grid.freqs, grid.low_hz, grid.high_hz), grid.freqs / 16)


def _meshes(hv, grid, dark: bool):
    """Thin lines between the cells."""
    step = grid.seconds / grid.times
    upright = [(t * step, 0, t * step, grid.freqs) for t in range(1, grid.times)]
    level = [(0, f, grid.seconds, f) for f in range(1, grid.freqs)]
    return hv.Segments(upright + level).opts(color=LINE[dark], line_width=0.5, alpha=0.6)


def _boxes(hv, events: list, grid, dark: bool) -> list:
    if not events:
        return []
    low, high = (
        mel_row([getattr(event, end) for event in events], grid.freqs, grid.low_hz, grid.high_hz)
        for end in ("low_hz", "high_hz")
    )
    boxes = [(e.onset, lo, e.offset, hi) for e, lo, hi in zip(events, low, high, strict=True)]
    return [hv.Rectangles(boxes).opts(fill_alpha=0, line_color=TRUTH_COLOUR[dark], line_width=2)]


def _bars(hv, events: list, heights: list[float], half: float, seconds: float, dark: bool) -> list:
    """A bar an event at its height, onset to offset, its name beside it (before it where it ends late)."""
    if not events:
        return []
    colour, placed = TRUTH_COLOUR[dark], list(zip(events, heights, strict=True))
    bars = [(event.onset, y - half, event.offset, y + half) for event, y in placed]
    layers = [hv.Rectangles(bars).opts(fill_color=colour, fill_alpha=0.75, line_color=None)]
    late = [event.offset > 0.8 * seconds for event in events]
    after = [(e.offset + 0.08, y, e.label) for (e, y), at_end in zip(placed, late, strict=True) if not at_end]
    before = [(e.onset - 0.08, y, e.label) for (e, y), at_end in zip(placed, late, strict=True) if at_end]
    sides = ((after, "left"), (before, "right"))
    return layers + [words(names, colour=colour, align=align) for names, align in sides if names]
