"""Figures of polyphony: scores over the number of events, events found by level, places by k."""

import numpy as np
import pandas as pd

from protoviz.figures.colours import INK, PAPER, probe_colour
from protoviz.figures.engine import holoviews
from protoviz.figures.style import QUIET, TIP, dressed, minus, names_at_ends, percent, ranged

HEIGHT = 470
LINE = 0.042  # of the height: what a name beside a curve takes


def polyphony_curves(table: pd.DataFrame, axis: str = "mAP", dark: bool = False):
    """Return an overlay: a curve a method over k with its interval, names beside their ends, chance dashed.

    table: a frame of `protoviz.analysis.polyphony.curves`; axis: what its scores are. A variant of a method
    (its title has a "+") is drawn with a dashed line in the same colour.
    """
    hv = holoviews()
    table = table.assign(percent=100 * table.score, floor=100 * table.low, top=100 * table.high)
    methods = table.method.drop_duplicates().tolist()
    chance = table.drop_duplicates("polyphony").sort_values("polyphony")
    base = 0.0 if chance.chance.min() < 0.4 else 40.0  # nothing lies far below an AUROC of one half
    low = min(base, float(np.nanmin(table[["percent", "floor"]].to_numpy()))) - 3
    high = min(100.0, float(np.nanmax(table[["percent", "top"]].to_numpy())) + 5)
    layers = [_chance_line(hv, chance.polyphony, chance, dark)]
    for method in methods:
        layers += _curve(hv, table[table.method == method].sort_values("polyphony"), method, dark)
    last = int(table.polyphony.max())
    ends = table[table.polyphony == last].set_index("method").percent.loc[methods]
    # Prevalence moves mAP by itself: where it does, the figure says so.
    rises = chance.chance.iloc[-1] > chance.chance.iloc[0] + 0.05
    named = [(value, name, probe_colour(name, dark)) for name, value in ends.items()]
    named.append((100 * chance.chance.iloc[-1], "chance rises with k" if rises else "chance", QUIET[dark]))
    layers.append(names_at_ends(named, last + 0.15, low, high, LINE))
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
    layers = [_chance_line(hv, chance.x, chance, dark)]
    for place, method in enumerate(methods):
        rows = table[table.method == method].sort_values("x")
        rows = rows.assign(x=rows.x + _aside(place, len(methods)))
        tips = [
            f"{method}, {_decibels(row.low_db, row.high_db)} dB: {percent(row.recall)} of {row.events}"
            for row in rows.itertuples()
        ]
        layers += _line(hv, rows.assign(tip=tips), "x", method, dark)
    ends = table[table.x == table.x.max()].set_index("method").percent.reindex(methods)
    layers.append(_beside(ends.fillna(0), 100 * chance.chance.iloc[-1], len(at) - 0.62, 0.0, 104.0, dark))
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(-0.6, 1.42 * len(at) - 0.4),
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
    for place, name in enumerate(names):
        rows = table[table.name == name].sort_values("polyphony")
        rows = rows.assign(x=rows.polyphony + _aside(place, len(names)))
        tips = [
            f"{name}, k = {row.polyphony}: {ranged(row.score, row.low, row.high)}, "
            f"chance {percent(row.chance)}, {row.scenes} scenes"
            for row in rows.itertuples()
        ]
        layers += _line(hv, rows.assign(tip=tips), "x", name, dark)
    first, last = int(table.polyphony.min()), int(table.polyphony.max())
    high = min(104.0, 100 * float(np.nanmax(table[["score", "high"]].to_numpy())) + 4)
    ends = table[table.polyphony == last].set_index("name").percent.reindex(names)
    beside = last + _aside(len(names), len(names)) + 0.12
    layers.append(_beside(ends.fillna(0), 100 * chance.chance.iloc[-1], beside, 0.0, high, dark))
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.4, last + 0.52 * (last - first + 1)),
        ylim=(0, high),
        xticks=list(range(first, last + 1)),
        xlabel="k, events in the scene",
        ylabel=f"{axis}, %",
    )


def _tip(row) -> str:
    return f"{row.method}, k = {row.polyphony}: {ranged(row.score, row.low, row.high)}"


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


def _dashes(name: str) -> str:
    """A variant is dashed, contributions of cells dash-dotted; colour is left to the family."""
    return "dotdash" if name.endswith(": cells") else "dashed" if "+" in name else "solid"


def _colour(name: str, dark: bool) -> str:
    """The family's colour; of what no probe is behind: the encoder's [cls], and ink for the sound itself."""
    if name == "loudest cell":
        return INK[dark]
    return probe_colour("linear" if name == "[cls] attention" else name.split(":")[0], dark)


def _line(hv, rows: pd.DataFrame, x: str, name: str, dark: bool) -> list:
    """A curve with bars of its intervals; rows: x, percent, low, high (0 to 1), tip."""
    colour, dash = _colour(name, dark), _dashes(name)
    bars = rows.assign(floor=100 * rows.low, top=100 * rows.high).dropna(subset=["floor", "top"])
    layers = []
    if len(bars):
        layers.append(hv.Segments(bars, [x, "floor", x, "top"]).opts(color=colour, line_width=2, alpha=0.6))
    layers.append(hv.Curve(rows, x, "percent").opts(color=colour, line_width=2.5, line_dash=dash))
    fill = colour if dash == "solid" else PAPER[dark]
    points = hv.Points(rows, [x, "percent"], ["tip"])
    return [*layers, points.opts(fill_color=fill, line_color=colour, line_width=2, size=8, **TIP)]


def _beside(ends: pd.Series, chance: float, x: float, low: float, high: float, dark: bool):
    """Names beside the ends of their lines, and of the line of chance, moved apart."""
    named = [(value, name, _colour(name, dark)) for name, value in ends.items()]
    return names_at_ends([*named, (chance, "chance", QUIET[dark])], x, low, high, LINE)


def _chance_line(hv, places: pd.Series, rows: pd.DataFrame, dark: bool):
    line = hv.Curve((places, 100 * rows.chance), "k", "percent")
    return line.opts(color=QUIET[dark], line_dash="dotted", line_width=2.5)
