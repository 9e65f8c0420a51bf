"""The figure of the polyphony dial: each method's score over the number of events in a scene."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protoviz.figures.colours import PAPER, probe_colour
from protoviz.figures.engine import holoviews
from protoviz.figures.style import FONT, QUIET, TIP, dressed, percent

HEIGHT = 470
LINE = 0.042  # of the height: what a name beside a curve takes


def dial_curves(table: pd.DataFrame, axis: str = "mAP", dark: bool = False):
    """An overlay: a curve a method over k with its interval, names beside their ends, chance dashed.

    table: a frame of `protoviz.analysis.dial.curves`; axis: what its scores are. A variant of a method (its
    title has a "+") is drawn with a dashed line in the same colour.
    """
    hv = holoviews()
    table = table.assign(percent=100 * table.score, floor=100 * table.low, top=100 * table.high)
    methods = table.method.drop_duplicates().tolist()
    chance = table.drop_duplicates("polyphony").sort_values("polyphony")
    low = min(0.0, float(np.nanmin(table[["percent", "floor"]].to_numpy()))) - 3
    high = min(100.0, float(np.nanmax(table[["percent", "top"]].to_numpy())) + 5)
    rule = hv.Curve((chance.polyphony, 100 * chance.chance), "k", "score")
    layers = [rule.opts(color=QUIET[dark], line_dash="dotted", line_width=2.5)]
    for method in methods:
        layers += _curve(hv, table[table.method == method].sort_values("polyphony"), method, dark)
    last = int(table.polyphony.max())
    ends = table[table.polyphony == last].set_index("method").percent.loc[methods]
    names = [*methods, "chance"]
    values = np.array([*ends, 100 * chance.chance.iloc[-1]])
    colours = [*(probe_colour(name, dark) for name in methods), QUIET[dark]]
    line = LINE * (high - low)
    spots = spread(values, line, low + line / 2, high - line / 2)
    labels = pd.DataFrame({"x": last + 0.15, "y": spots, "name": names, "colour": colours})
    layers.append(
        hv.Labels(labels, ["x", "y"], ["name", "colour"]).opts(
            text_color="colour", text_align="left", text_baseline="middle", text_font_size=FONT
        )
    )
    first = int(table.polyphony.min())
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.4, last + 0.48 * (last - first + 1)),
        ylim=(low, high),
        xticks=list(range(first, last + 1)),
        xlabel="k, events in the scene",
        ylabel=f"{axis}, %",
    )


def spread(values: Sequence[float] | np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Places as near to the values (n) as a distance of at least `gap` allows, within [low, high].

    The order of the values is kept; where they do not all fit, they lie evenly.
    """
    values = np.asarray(values, dtype=float)
    order = np.argsort(values, kind="stable")
    count = len(values)
    if (count - 1) * gap >= high - low:
        places = np.linspace(low, high, count)
    else:
        places = np.clip(values[order], low, high)
        for i in range(1, count):
            places[i] = max(places[i], places[i - 1] + gap)
        places[-1] = min(places[-1], high)
        for i in range(count - 2, -1, -1):
            places[i] = min(places[i], places[i + 1] - gap)
    found = np.empty(count)
    found[order] = places
    return found


def _tip(row) -> str:
    words = f"{row.method}, k = {row.polyphony}: {percent(row.score)}"
    return words if np.isnan(row.low) else f"{words} ({percent(row.low)} to {percent(row.high)})"


def _curve(hv, rows: pd.DataFrame, method: str, dark: bool) -> list:
    colour = probe_colour(method, dark)
    dash = "dashed" if "+" in method else "solid"
    layers = []
    if rows.floor.notna().all():
        band = hv.Area(rows, "polyphony", ["floor", "top"])
        layers.append(band.opts(color=colour, fill_alpha=0.2, line_alpha=0))
    curve = hv.Curve(rows, "polyphony", "percent").opts(color=colour, line_width=2.5, line_dash=dash)
    rows = rows.assign(tip=[_tip(row) for row in rows.itertuples()])
    points = hv.Points(rows, ["polyphony", "percent"], ["method", "score", "low", "high", "chance", "tip"])
    fill = PAPER[dark] if dash == "dashed" else colour
    return [*layers, curve, points.opts(fill_color=fill, line_color=colour, line_width=2, size=8, **TIP)]
