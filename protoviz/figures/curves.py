"""Figures of curves that a reader names by their ends: a training loss, scores over prototypes a class."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER, probe_colour
from protoviz.figures.engine import holoviews
from protoviz.figures.style import QUIET, TIP, dressed, names_at_ends, ranged

HEIGHT = 380
GAP = 0.07  # of the height: what a name beside a curve takes


def loss_curves(runs: Mapping[str, Sequence[float]], dark: bool = False):
    """Return an overlay: each run's mean training loss over its epochs (from 1), its name beside its end.

    runs: a name -> the loss of every epoch; up to three, told apart by colour and dash.
    """
    hv = holoviews()
    colours = (FAMILY_COLOURS["prototype"][dark], INK[dark], QUIET[dark])
    layers, ends = [], []
    for (run, losses), colour, dash in zip(
        runs.items(), colours, ("solid", "dashed", "dotted"), strict=False
    ):
        curve = hv.Curve((range(1, len(losses) + 1), losses), "epoch", "loss")
        layers.append(curve.opts(color=colour, line_width=2.5, line_dash=dash))
        ends.append((losses[-1], run, colour))
    last, top = max(map(len, runs.values())), 1.05 * max(map(max, runs.values()))
    layers.append(names_at_ends(ends, last + 0.015 * last, 0.0, top, GAP))
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(0, 1.35 * last),
        ylim=(0, top),
        xticks=_round_ticks(last),
        xlabel="epoch",
        ylabel="training loss",
    )


def per_class_curves(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: each method's mean test score over prototypes a class (logarithmic), with its
    interval.

    table: method, per_class, score, low, high (0 to 1), of own runs. A variant of a method (its title has a
    "+") is dashed; methods of one family are told apart by their marks and by the names at their ends.
    """
    hv = holoviews()
    counts = sorted(table.per_class.unique().tolist())
    table = table.assign(x=np.log2(table.per_class), percent=100 * table.score)
    table = table.assign(floor=100 * table.low, top=100 * table.high)
    methods = table.method.drop_duplicates().tolist()
    shades = _shades(methods, dark)
    layers, ends = [], []
    for method, mark in zip(methods, ("circle", "square", "triangle", "diamond", "hex"), strict=False):
        rows = table[table.method == method].sort_values("x")
        rows = rows.assign(tip=[_tip(row) for row in rows.itertuples()])
        colour, dash = shades[method], "dashed" if "+" in method else "solid"
        sure = rows.dropna(subset=["floor"])
        if len(sure):
            layers.append(hv.Segments(sure, ["x", "floor", "x", "top"]).opts(color=colour, line_width=2))
        layers.append(hv.Curve(rows, "x", "percent").opts(color=colour, line_width=2, line_dash=dash))
        points = hv.Points(rows, ["x", "percent"], ["method", "per_class", "score", "tip"])
        fill = PAPER[dark] if "+" in method else colour
        style = {"fill_color": fill, "line_color": colour, "line_width": 2, "size": 9, "marker": mark}
        layers.append(points.opts(**style, **TIP))
        ends.append((float(rows.percent.iloc[-1]), method, colour))
    low = float(np.nanmin(table[["percent", "floor"]].to_numpy())) - 3
    high = float(np.nanmax(table[["percent", "top"]].to_numpy())) + 3
    first, last = np.log2(counts[0]), np.log2(counts[-1])
    room = (last - first) or 1.0
    layers.append(names_at_ends(ends, last + 0.03 * room, low, high, GAP))
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.05 * room, last + 0.45 * room),
        ylim=(low, high),
        xticks=[(float(np.log2(count)), str(count)) for count in counts],
        xlabel="prototypes a class, J (logarithmic)",
        ylabel="test mAP, %",
    )


def _shades(methods: list[str], dark: bool) -> dict[str, str]:
    """A colour a method: its family's, then ink and grey where that is taken; another family's never."""
    found: dict[str, str] = {}
    for method in methods:
        colour = probe_colour(method, dark)
        bare = method.split(" + ")[0]
        taken = {shade for name, shade in found.items() if name.split(" + ")[0] != bare}
        spare = [colour, INK[dark], QUIET[dark]]
        found[method] = next((shade for shade in spare if shade not in taken), colour)
    return found


def _round_ticks(last: int) -> list[int]:
    step = max(1, round(last / 5))
    return list(range(0, last + 1, step))


def _tip(row) -> str:
    return f"{row.method}, J = {row.per_class}: {ranged(row.score, row.low, row.high)}"
