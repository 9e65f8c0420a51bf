"""Figures of curves that a reader names by their ends: losses, scores over prototypes, clips or bytes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from rich.filesize import decimal

from protoviz.analysis.views import ANEW
from protoviz.figures.colours import FAMILY_COLOURS, INK, method_looks
from protoviz.figures.engine import holoviews
from protoviz.figures.style import (
    QUIET,
    TIP,
    dressed,
    lines_at_ends,
    marked,
    names_at_ends,
    ranged,
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
    return _log_curves(table, "per_class", "J = {}".format, "prototypes a class, J (logarithmic)", dark)


def learning_curves(table: pd.DataFrame, events: int, dark: bool = False):
    """Return an overlay: each method's mean test score over training scenes (logarithmic), with its interval.

    table: a frame of `protoviz.analysis.learning.learning_table` of one encoder, of which the scenes of so
    many events are drawn. Lines, marks and names as in `per_class_curves`.
    """
    shown = table[table.events == events]
    return _log_curves(shown, "train_clips", "{:,} scenes".format, "training scenes (logarithmic)", dark)


def views_curves(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: each method's mean test score over the bytes of a cache of several views
    (logarithmic), with its interval; dotted: with views that are encoded anew in every pass.

    table: a frame of `protoviz.analysis.views.by_views`.
    """
    kept = table[table.views != ANEW]
    views = kept.groupby("bytes").views.first()
    tick = {size: f"{decimal(int(size))}, {count}" for size, count in views.items()}
    bound = table[table.views == ANEW].set_index("method").score.to_dict()
    axis = "bytes of the cache (logarithmic), views of a training clip; dotted: encoded anew in every pass"
    return _log_curves(kept, "bytes", tick.get, axis, dark, tick.get, bound)


def _log_curves(
    table: pd.DataFrame,
    over: str,
    told: Callable[[int], str],
    axis: str,
    dark: bool,
    tick: Callable[[int], str] = "{:,}".format,
    bound: Mapping[str, float] | None = None,
):
    """Curves of `score` with `low` and `high` (0 to 1) a method, over a column of counts.

    told, tick: one count, in a tip and on the axis; bound: a method's level, drawn dotted over the width.
    """
    hv = holoviews()
    counts = sorted(table[over].unique().tolist())
    table = table.assign(x=np.log2(table[over]), percent=100 * table.score)
    table = table.assign(floor=100 * table.low, top=100 * table.high)
    methods = table.method.drop_duplicates().tolist()
    layers, ends, levels = [], [], [100 * level for level in (bound or {}).values()]
    first, last = np.log2(counts[0]), np.log2(counts[-1])
    room = (last - first) or 1.0
    for method, look in method_looks(methods, dark).items():
        if bound and method in bound:
            level = hv.Curve([(end, 100 * bound[method]) for end in (first, last)])
            layers.append(level.opts(color=look.colour, line_width=1.5, line_dash="dotted"))
        rows = table[table.method == method].sort_values("x")
        rows = rows.assign(
            tip=[
                f"{method}, {told(count)}: {ranged(*row)}"
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
    low = float(np.nanmin([*table[["percent", "floor"]].to_numpy().ravel(), *levels])) - 3
    high = float(np.nanmax([*table[["percent", "top"]].to_numpy().ravel(), *levels])) + 3
    layers += lines_at_ends(ends, last + 0.03 * room, KEY * room, low, high, GAP, dark)
    beside = KEY + max(0.45, LETTER * max(map(len, methods)))
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.05 * room, last + beside * room),
        ylim=(low, high),
        xticks=[(float(np.log2(count)), tick(count)) for count in counts],
        xlabel=axis,
        ylabel="test mAP, %",
    )


def _round_ticks(last: int) -> list[int]:
    step = max(1, round(last / 5))
    return list(range(0, last + 1, step))
