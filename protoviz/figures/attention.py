"""Figures of attention: where the heads of one layer look in a clip, and how far that spreads by layer."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from bokeh.layouts import gridplot

from protoviz.analysis.attention import by_layer, mean_map, over_cells
from protoviz.audio import FilterBank
from protoviz.figures.canvas import Drawn
from protoviz.figures.clip import mel_bytes
from protoviz.figures.colours import INK, SIDE_COLOURS
from protoviz.figures.engine import holoviews
from protoviz.figures.picture import ClipPicture, MapLook
from protoviz.figures.style import FONT, still

TEXT = {"ticks": FONT, "labels": FONT, "title": FONT, "legend": FONT}
WIDE, HIGH = 320, 200  # pixels of a panel's picture: two stand side by side in a column of text
MOST = 6.0  # full colour at 2^6 = 64 times the equal share
POINTED = "<b>@times{0.00} ×</b> the equal share<br>@percent{0.000} % of the attention<br>$x{0.00} s"


def attention_maps(
    rows,
    grid,
    waveform=None,
    events: Iterable = (),
    mask=None,
    bank: FilterBank | None = None,
    dark: bool = False,
    picture: tuple[np.ndarray, float] | None = None,
) -> Drawn:
    """Return a layout: the mean of the heads and every head of one layer, each over the spectrogram of the
    clip.

    rows (h n): softmax rows of [cls] over the cells, as `Encoding.attention[l][b]`; grid: the encoder's
    `cell_grid()`; waveform, events and picture as for `spectrogram`; mask (n): the real cells. Drawn is log2
    of (share x number of real cells): clear up to the equal share, full colour from 64 times on, one scale
    for all maps.
    """
    bank = bank or FilterBank()
    shares = over_cells(np.asarray(rows, dtype=float), mask)
    real = np.ones(shares.shape[-1], dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
    maps = {"mean of the heads": mean_map(shares[None])[0]}
    maps |= {f"head {head}": row for head, row in enumerate(shares, 1)}
    below = picture or mel_bytes(waveform, grid.seconds, bank)
    look = MapLook("× equal share", SIDE_COLOURS[0], tip=POINTED, ink=0.5, level=False)
    size = {"sizing_mode": None, "height": None, "frame_width": WIDE, "frame_height": HIGH}
    events, panels = list(events), []
    for title, row in maps.items():
        times = np.where(real, row * real.sum(), np.nan).reshape(grid.times, grid.freqs)
        panel = ClipPicture(grid, bank, look, tools=False, dark=dark, title=title, **size)
        panel.figure.title.text_color = INK[dark]
        panel.show_picture(*below)
        tips = {"times": times, "percent": 100 * times / real.sum()}
        panel.show_map(np.log2(np.maximum(times, 1.0)), (0.0, MOST), grid, **tips)
        panel.map_bar.visible = False
        panel.show_events(events)
        panels.append(panel.figure)
    return Drawn(gridplot(panels, ncols=2, toolbar_location=None))


def diffusion_by_layer(frames: Mapping[str, pd.DataFrame], dark: bool = False):
    """Return a layout: effective tokens, and the attention on true events, by layer; one colour an encoder.

    frames: encoder -> a frame of `protoviz.analysis.attention.diffusion` (of one clip, or of several one
    below the other), or of `over_clips`. A dot is a head in one clip, or in the mean of all; a line the mean
    of `by_layer`; dashed: the equal share.
    Where no true events are known, the second panel is left out.
    """
    hv = holoviews()
    panels = [_by_layer(hv, frames, "effective", "uniform", "effective tokens, exp(H)", dark)]
    panels[0].opts(logy=True, ylim=(1, None))
    known = {name: frame for name, frame in frames.items() if frame.mass.notna().any()}
    if known:
        panels.append(_by_layer(hv, known, "mass", "area", "share of attention on true events", dark))
        panels[1].opts(ylim=(0, 1))
    return hv.Layout(panels).cols(2).opts(toolbar=None)


def _by_layer(hv, frames: Mapping[str, pd.DataFrame], column: str, level: str, label: str, dark: bool):
    layers = []
    for place, (name, frame) in enumerate(frames.items()):
        colour = SIDE_COLOURS[place % len(SIDE_COLOURS)][dark]
        means = by_layer(frame)
        style = ["solid", "dotdash", "dotted"][place // len(SIDE_COLOURS) % 3]
        curve = hv.Curve(means[["layer", column]], "layer", (column, label), label=str(name))
        dots = hv.Scatter(frame[["layer", column]], "layer", (column, label), label=str(name))
        layers += [
            curve.opts(color=colour, line_width=2.5, line_dash=style),
            dots.opts(color=colour, size=6, alpha=0.5),
        ]
    equal = float(np.mean([frame[level].mean() for frame in frames.values()]))
    layers.append(hv.HLine(equal).opts(color=INK[dark], line_dash="dashed", line_width=1.5))
    depth = max(int(frame.layer.max()) for frame in frames.values())
    return hv.Overlay(layers).opts(
        frame_width=WIDE,
        height=340,
        legend_position="bottom",
        xlim=(0.7, depth + 0.3),
        xticks=list(range(1, depth + 1)),
        fontsize=TEXT,
        hooks=[still],
    )
