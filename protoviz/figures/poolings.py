"""Figures of what a pooling is up against: events that share cells, and one event among all cells."""

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER, TRUTH_COLOUR, method_looks
from protoviz.figures.engine import holoviews
from protoviz.figures.style import LINE, QUIET, dressed, marked, spread, words


def overlap_curves(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: what several events of a scene share, in %, over the number of events; means and
    scenes.

    table: a frame of `protoviz.analysis.overlap.overlap_table`.
    """
    hv = holoviews()
    kinds = {
        "together": ("time with two or more events", INK[dark], "solid"),
        "covered": ("area under an event", TRUTH_COLOUR[dark], "solid"),
        "shared": ("of that area: under two or more", TRUTH_COLOUR[dark], "dashed"),
    }
    means = table.groupby("polyphony")[list(kinds)].mean() * 100
    spots = spread(means.iloc[-1].to_numpy(), 6.0, 0.0, 100.0)
    layers = []
    for spot, (column, (name, colour, dash)) in zip(spots, kinds.items(), strict=True):
        dots = hv.Points((table.polyphony, 100 * table[column]), ["k", "percent"])
        curve = hv.Curve((means.index, means[column]), "k", "percent")
        layers += [
            dots.opts(color=colour, size=5, alpha=0.25),
            curve.opts(color=colour, line_width=3, line_dash=dash),
            words([(means.index[-1] + 0.15, spot, name)], colour=colour, align="left"),
        ]
    last = int(table.polyphony.max())
    return dressed(
        hv.Overlay(layers),
        dark,
        330,
        xlim=(0.6, last + 0.55 * last),
        ylim=(-3, max(60.0, 105 * float(table[list(kinds)].to_numpy().max()))),
        xticks=list(range(1, last + 1)),
        xlabel="k, events in the scene",
        ylabel="%",
    )


def mean_and_max(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: what a mean and a max over the cells read of each event, over its share of the
    cells.

    table: a frame of `protoviz.analysis.mean_loss.events_in_means`. Filled: the max lies in a cell of the
    event; open: elsewhere.
    """
    hv = holoviews()
    most, mean = FAMILY_COLOURS["prototype"][dark], FAMILY_COLOURS["token map"][dark]
    table = table.assign(percent=100 * table.share, fill=np.where(table.found, most, PAPER[dark]))
    ends = np.array([table.percent.min() * 0.8, table.percent.max() * 1.25])
    layers = [
        hv.Curve((ends, [1.0, 1.0])).opts(color=QUIET[dark], line_dash="dashed", line_width=1.5),
        hv.Curve((ends, ends / 100), "percent", "reading").opts(color=LINE[dark], line_width=1.5),
        hv.Points(table, ["percent", "mean"]).opts(color=mean, size=7, alpha=0.8),
        hv.Points(table, ["percent", "best"], ["fill"]).opts(
            fill_color="fill", line_color=most, line_width=2, size=8
        ),
    ]
    readings = [
        (ends[1], float(table.best.median()), "max over the cells", most),
        (ends[1], float(ends[1] / 100), "mean over the cells", mean),
        (ends[1], 1.0, "as the event's mean token", QUIET[dark]),
    ]
    layers += [words([(x * 1.08, y, word)], colour=colour, align="left") for x, y, word, colour in readings]
    return dressed(
        hv.Overlay(layers),
        dark,
        420,
        logx=True,
        logy=True,
        xlim=(ends[0], ends[1] * 5),
        ylim=(float(table["mean"].min()) / 1.5, float(table.best.max()) * 1.5),
        xticks=[(share, f"{share:g}") for share in (0.2, 0.5, 1, 2, 5, 10, 20, 50) if share < ends[1]],
        yticks=[(value, f"{value:g}") for value in (0.01, 0.03, 0.1, 0.3, 1, 3)],
        xlabel="share of the clip's cells that hold the event, %",
        ylabel="reading along the event's direction",
    )


def hit_curves(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: the share of events that each probe hits, in %, from small to large ones.

    table: a frame of `protoviz.analysis.mean_loss.hits_by_size`. Lines and marks are those of
    `method_looks`.
    """
    hv = holoviews()
    fixed = ["count", "fewest cells", "most cells"]
    values = 100 * table.drop(columns=fixed)
    at = np.arange(len(values))
    spots = spread(values.iloc[0].to_numpy(), 5.5, 0.0, 100.0)
    layers = []
    looks = method_looks(map(str, values), dark)
    for spot, (name, look) in zip(spots, looks.items(), strict=True):
        curve = hv.Curve((at, values[name]))
        layers += [
            curve.opts(color=look.colour, line_width=3, line_dash=look.dash),
            hv.Points((at, values[name])).opts(**marked(look)),
            words([(-0.06, spot, name)], colour=look.colour, align="right"),
        ]
    sizes = [
        f"{name}: {row['fewest cells']:.0f} to {row['most cells']:.0f} cells"
        for name, row in table.iterrows()
    ]
    return dressed(
        hv.Overlay(layers),
        dark,
        380,
        xlim=(-0.75, len(values) - 0.6),
        ylim=(-3, 103),
        xticks=list(enumerate(sizes)),
        xlabel="events by the cells they fill",
        ylabel="events hit, %",
    )
