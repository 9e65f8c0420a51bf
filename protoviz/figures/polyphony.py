"""Figures of polyphony: scores over the number of events, events found by level, places by k."""

import numpy as np
import pandas as pd

from protoviz.figures.colours import MethodLook, method_looks
from protoviz.figures.engine import holoviews
from protoviz.figures.style import (
    QUIET,
    TIP,
    dressed,
    lines_at_ends,
    marked,
    minus,
    percent,
    ranged,
)

HEIGHT = 470
CHANCE = "dotted"  # no method has it
LINE = 0.042  # of the height: what a name beside a curve takes


def curve_limits(table: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of the axis, %, for frames of `protoviz.analysis.polyphony.curves`, one or several."""
    base = 0.0 if table.chance.min() < 0.4 else 40.0  # nothing lies far below an AUROC of one half
    low = min(base, 100 * float(np.nanmin(table[["score", "low"]].to_numpy()))) - 3
    return low, min(100.0, 100 * float(np.nanmax(table[["score", "high"]].to_numpy())) + 5)


def polyphony_curves(
    table: pd.DataFrame,
    axis: str = "mAP",
    dark: bool = False,
    limits: tuple[float, float] | None = None,
):
    """Return an overlay: a curve a method over k with its interval, names beside their ends, chance dashed.

    table: a frame of `protoviz.analysis.polyphony.curves`; axis: what its scores are; limits: of the axis,
    where several figures share one. Lines and marks are those of `method_looks`.
    """
    hv = holoviews()
    low, high = limits or curve_limits(table)
    table = table.assign(percent=100 * table.score, floor=100 * table.low, top=100 * table.high)
    methods = table.method.drop_duplicates().tolist()
    chance = table.drop_duplicates("polyphony").sort_values("polyphony")
    looks = method_looks(methods, dark)
    layers = [_chance_line(hv, chance.polyphony, chance, dark)]
    for method, look in looks.items():
        layers += _curve(hv, table[table.method == method].sort_values("polyphony"), look)
    last = int(table.polyphony.max())
    ends = table[table.polyphony == last].set_index("method").percent.loc[methods]
    # Prevalence moves mAP by itself: where it does, the figure says so.
    rises = chance.chance.iloc[-1] > chance.chance.iloc[0] + 0.05
    said = "chance rises with k" if rises else "chance"
    first = int(table.polyphony.min())
    length = 0.08 * (last - first + 1)
    layers += _beside(
        ends, looks, (100 * chance.chance.iloc[-1], said), last + 0.15, length, (low, high), dark
    )
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.4, last + 0.58 * (last - first + 1)),
        ylim=(low, high),
        xticks=list(range(first, last + 1)),
        xlabel="k, events in the scene",
        ylabel=f"{axis}, %",
    )


def recall_by_loudness(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: the share of events found, in %, over their level under the loudest other event.

    table: a frame of `protoviz.analysis.polyphony.recall_curves`. An event is found where its class scores
    above all but a share of the scenes of as many events that lack it. Dotted: chance. Bars: intervals over
    seeds.
    """
    hv = holoviews()
    bins = table[["low_db", "high_db"]].drop_duplicates().sort_values("low_db")
    at = {low: i for i, low in enumerate(bins.low_db)}
    table = table.assign(x=table.low_db.map(at), percent=100 * table.recall)
    methods = table.method.drop_duplicates().tolist()
    chance = table.drop_duplicates("x").sort_values("x")
    looks = method_looks(methods, dark)
    layers = [_chance_line(hv, chance.x, chance, dark)]
    for place, method in enumerate(methods):
        rows = table[table.method == method].sort_values("x")
        rows = rows.assign(x=rows.x + _aside(place, len(methods)))
        tips = [
            f"{method}, {_decibels(row.low_db, row.high_db)} dB: {percent(row.recall)} of {row.events}"
            for row in rows.itertuples()
        ]
        layers += _line(hv, rows.assign(tip=tips), "x", looks[method])
    ends = table[table.x == table.x.max()].set_index("method").percent.reindex(methods)
    floor = 100 * chance.chance.iloc[-1], "chance"
    layers += _beside(ends.fillna(0), looks, floor, len(at) - 0.62, 0.06 * len(at), (0.0, 104.0), dark)
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(-0.6, 1.5 * len(at) - 0.4),
        ylim=(0, 104),
        xticks=[(at[low] - 0.5, minus(f"{low:.0f}")) for low in bins.low_db if not np.isinf(low)],
        xlabel="level of the event against the loudest other event, dB",
        ylabel="events found, %",
    )


def places_by_polyphony(table: pd.DataFrame, axis: str = "first place on the event", dark: bool = False):
    """Return an overlay: how often maps look where an event is, in %, over the number of events; chance
    dotted.

    table: rows of `protoviz.analysis.polyphony.localisation` of one encoder, data set and measure; a line
    a method and map. Bars: 95 % intervals over scenes.
    """
    hv = holoviews()
    table = table.assign(percent=100 * table.score, name=_map_names(table))
    chance = table.groupby("polyphony").chance.mean().reset_index()
    layers = [_chance_line(hv, chance.polyphony, chance, dark)]
    names = table.name.drop_duplicates().tolist()
    looks = method_looks(names, dark)
    for place, name in enumerate(names):
        rows = table[table.name == name].sort_values("polyphony")
        rows = rows.assign(x=rows.polyphony + _aside(place, len(names)))
        tips = [
            f"{name}, k = {row.polyphony}: {ranged(row.score, row.low, row.high)}, "
            f"chance {percent(row.chance)}, {row.scenes} scenes"
            for row in rows.itertuples()
        ]
        layers += _line(hv, rows.assign(tip=tips), "x", looks[name])
    first, last = int(table.polyphony.min()), int(table.polyphony.max())
    high = min(104.0, 100 * float(np.nanmax(table[["score", "high"]].to_numpy())) + 4)
    ends = table[table.polyphony == last].set_index("name").percent.reindex(names)
    beside = last + _aside(len(names), len(names)) + 0.12
    floor, length = (100 * chance.chance.iloc[-1], "chance"), 0.08 * (last - first + 1)
    layers += _beside(ends.fillna(0), looks, floor, beside, length, (0.0, high), dark)
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.4, last + 0.6 * (last - first + 1)),
        ylim=(0, high),
        xticks=list(range(first, last + 1)),
        xlabel="k, events in the scene",
        ylabel=f"{axis}, %",
    )


def _tip(row) -> str:
    return f"{row.method}, k = {row.polyphony}: {ranged(row.score, row.low, row.high)}"


def _curve(hv, rows: pd.DataFrame, look: MethodLook) -> list:
    layers = []
    if rows.floor.notna().all():
        band = hv.Area(rows, "polyphony", ["floor", "top"])
        layers.append(band.opts(color=look.colour, fill_alpha=0.2, line_alpha=0))
    curve = hv.Curve(rows, "polyphony", "percent")
    curve = curve.opts(color=look.colour, line_width=2.5, line_dash=look.dash)
    rows = rows.assign(tip=[_tip(row) for row in rows.itertuples()])
    points = hv.Points(rows, ["polyphony", "percent"], ["method", "score", "low", "high", "chance", "tip"])
    return [*layers, curve, points.opts(**marked(look), **TIP)]


def _aside(place: int, count: int) -> float:
    """How far beside its place a line is drawn, so that the bars of several do not cover each other."""
    return 0.06 * (place - (count - 1) / 2)


def _decibels(low: float, high: float) -> str:
    if np.isinf(low):
        return f"under {minus(f'{high:.0f}')}"
    if np.isinf(high):
        return f"over {minus(f'{low:.0f}')}"
    return f"{minus(f'{low:.0f}')} to {minus(f'{high:.0f}')}"


def _map_names(table: pd.DataFrame) -> list[str]:
    """What a line is called: its method, and the map where that is not the prototypes'."""
    return [
        method if name in ("prototypes", method) else f"{method}: {name}"
        for method, name in zip(table.method, table["map"], strict=True)
    ]


def _line(hv, rows: pd.DataFrame, x: str, look: MethodLook) -> list:
    """A curve with bars of its intervals; rows: x, percent, low, high (0 to 1), tip."""
    bars = rows.assign(floor=100 * rows.low, top=100 * rows.high).dropna(subset=["floor", "top"])
    layers = []
    if len(bars):
        bars = hv.Segments(bars, [x, "floor", x, "top"])
        layers.append(bars.opts(color=look.colour, line_width=2, alpha=0.6))
    curve = hv.Curve(rows, x, "percent")
    layers.append(curve.opts(color=look.colour, line_width=2.5, line_dash=look.dash))
    return [*layers, hv.Points(rows, [x, "percent"], ["tip"]).opts(**marked(look), **TIP)]


def _beside(
    ends: pd.Series,
    looks: dict[str, MethodLook],
    chance: tuple[float, str],
    x: float,
    length: float,
    limits: tuple[float, float],
    dark: bool,
) -> list:
    """Names beside the ends of their lines, and of the line of chance (value, name), moved apart."""
    lines = [(value, name, looks[name]) for name, value in ends.items()]
    dots = MethodLook(QUIET[dark], QUIET[dark], CHANCE, "")
    return lines_at_ends([*lines, (*chance, dots)], x, length, *limits, LINE, dark)


def _chance_line(hv, places: pd.Series, rows: pd.DataFrame, dark: bool):
    line = hv.Curve((places, 100 * rows.chance), "k", "percent")
    return line.opts(color=QUIET[dark], line_dash=CHANCE, line_width=2.5)
