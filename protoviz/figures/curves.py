"""Figures of curves that a reader names by their ends: a loss, scores over prototypes or training scenes."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER, method_looks
from protoviz.figures.engine import holoviews
from protoviz.figures.style import (
    QUIET,
    TIP,
    dressed,
    lines_at_ends,
    marked,
    names_at_ends,
    ranged,
    spoken,
    words,
)

HEIGHT = 380
GAP = 0.07  # of the height: what a name beside a curve takes
KEY = 0.08  # of the width of the curves: the piece of a line before its name
LETTER = 0.021  # of the width of the curves: what a letter beside them takes


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
    layers.append(names_at_ends(ends, last + 0.015 * last, 0.0, top, GAP, dark))
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

    table: method, per_class, score, low, high (0 to 1), of own runs. Lines and marks are those of
    `method_looks`.
    """
    return _log_curves(table, "per_class", "J = {}", "prototypes a class, J (logarithmic)", dark)


def learning_curves(table: pd.DataFrame, events: int, dark: bool = False):
    """Return an overlay: each method's mean test score over training scenes (logarithmic), with its interval.

    table: a frame of `protoviz.analysis.learning.learning_table` of one encoder, of which the scenes of so
    many events are drawn. Lines, marks and names as in `per_class_curves`.
    """
    shown = table[table.events == events]
    return _log_curves(shown, "train_clips", "{:,} scenes", "training scenes (logarithmic)", dark)


def _log_curves(table: pd.DataFrame, over: str, told: str, axis: str, dark: bool):
    """Curves of `score` with `low` and `high` (0 to 1) a method, over a column of counts; told: one count."""
    hv = holoviews()
    counts = sorted(table[over].unique().tolist())
    table = table.assign(x=np.log2(table[over]), percent=100 * table.score)
    table = table.assign(floor=100 * table.low, top=100 * table.high)
    methods = table.method.drop_duplicates().tolist()
    layers, ends = [], []
    for method, look in method_looks(methods, dark).items():
        rows = table[table.method == method].sort_values("x")
        rows = rows.assign(
            tip=[
                f"{method}, {told.format(count)}: {ranged(*row)}"
                for count, *row in rows[[over, "score", "low", "high"]].itertuples(index=False)
            ]
        )
        sure = rows.dropna(subset=["floor"])
        if len(sure):
            bars = hv.Segments(sure, ["x", "floor", "x", "top"])
            layers.append(bars.opts(color=look.colour, line_width=2))
        curve = hv.Curve(rows, "x", "percent")
        layers.append(curve.opts(color=look.colour, line_width=2, line_dash=look.dash))
        points = hv.Points(rows, ["x", "percent"], ["method", over, "score", "tip"])
        layers.append(points.opts(**marked(look), **TIP))
        ends.append((float(rows.percent.iloc[-1]), method, look))
    low = float(np.nanmin(table[["percent", "floor"]].to_numpy())) - 3
    high = float(np.nanmax(table[["percent", "top"]].to_numpy())) + 3
    first, last = np.log2(counts[0]), np.log2(counts[-1])
    room = (last - first) or 1.0
    layers += lines_at_ends(ends, last + 0.03 * room, KEY * room, low, high, GAP, dark)
    beside = KEY + max(0.45, LETTER * max(map(len, methods)))
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.05 * room, last + beside * room),
        ylim=(low, high),
        xticks=[(float(np.log2(count)), f"{count:,}") for count in counts],
        xlabel=axis,
        ylabel="test mAP, %",
    )


def pruning_curves(table: pd.DataFrame, chosen: int | None = None, dark: bool = False):
    """Return an overlay: score over prototypes kept (logarithmic), of each class (thin) and their mean.

    table: kept, class ("" is the mean), score (0 to 1), as `Pruning.curve` gives them. chosen: a number that
    is marked on the mean. A thin line tells its class when pointed at.
    """
    hv = holoviews()
    ink, quiet, own = INK[dark], QUIET[dark], FAMILY_COLOURS["prototype"][dark]
    table = table.dropna(subset=["score"]).sort_values("kept")
    table = table.assign(x=np.log2(table.kept), percent=100 * table.score)
    names = {name: spoken(name) if name else "mean over classes" for name in table["class"].unique()}
    table["tip"] = [
        f"{escape(names[row[0]])}: {row[1]:.1f} with {row[2]}"
        for row in zip(table["class"], table.percent, table.kept, strict=True)
    ]
    layers = []
    for name, rows in sorted(table.groupby("class"), reverse=True):  # the mean above the others
        drawn = hv.Curve(rows, "x", ["percent", "tip"])
        style = (
            {"color": own, "line_width": 3} if not name else {"color": quiet, "line_width": 1, "alpha": 0.6}
        )
        layers.append(drawn.opts(**style, **TIP))
    mean = table[table["class"] == ""]
    ends = [(float(mean.percent.iloc[-1]), "mean over classes", own)]
    if chosen is not None:
        mark = mean[mean.kept == chosen].assign(text=f"best on validation: {chosen}")
        point = hv.Points(mark, ["x", "percent"], ["tip"])
        layers.append(point.opts(color=own, size=11, line_color=PAPER[dark], line_width=2, **TIP))
        foot = hv.Segments(mark.assign(low=9), ["x", "low", "x", "percent"])
        layers.append(foot.opts(color=own, line_dash="dotted"))
        layers.append(words(mark.assign(percent=5), "x", "percent", colour=ink))
    first, last = float(table.x.min()), float(table.x.max())
    layers.append(names_at_ends(ends, last + 0.02 * (last - first), 0, 100, GAP, dark))
    ticks = [2**power for power in range(int(first), int(last) + 1)]
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first, last + 0.28 * (last - first or 1.0)),
        ylim=(0, 100),
        xticks=[(float(np.log2(count)), str(count)) for count in ticks],
        xlabel="prototypes kept, of all classes (logarithmic)",
        ylabel="average precision, %",
    )


def _round_ticks(last: int) -> list[int]:
    step = max(1, round(last / 5))
    return list(range(0, last + 1, step))
