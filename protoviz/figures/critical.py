"""The diagram of critical difference: average ranks on a line, and bars under what is not told apart."""

import numpy as np
import pandas as pd

from protoviz.analysis.significance import CriticalDifference
from protoviz.figures.colours import INK, PAPER, probe_colour
from protoviz.figures.engine import holoviews
from protoviz.figures.style import LINE, QUIET, TIP, dressed, words

ROW = 30  # pixels between two names, or two bars
BAR_ROW = 0.55  # of that: between two bars


def critical_diagram(found: CriticalDifference, published: str = "", dark: bool = False):
    """Return an overlay: each method at its average rank, the best on the left; a thick bar joins a clique.

    found: of `critical_difference`. The bracket above the line is as long as the critical difference.
    """
    hv = holoviews()
    ranks = found.ranks
    methods, most = list(ranks.index), len(ranks)
    bars = [(ranks[group[0]], ranks[group[-1]]) for group in found.cliques]
    lanes = _lanes(bars)
    first = -1.0 - BAR_ROW * (max(lanes, default=-1) + 1)
    names = _names(ranks, first, dark)
    names["fill"] = PAPER[dark] if published else names.colour  # published markers are open
    room = 0.16 * (most - 1) + 0.11 * max(map(len, methods)) * (most - 1) / 6
    ends = (1 - room, most + room)
    layers = [
        hv.Segments([(1, 0, most, 0)]).opts(color=INK[dark], line_width=1.5),
        *_scale(hv, most, dark),
        *_bracket(hv, found.difference, most, dark),
        hv.Segments(names, ["x", "y0", "x", "y"], ["colour"]).opts(color="colour", line_width=1.5),
        hv.Segments(names, ["x", "y", "edge", "y"], ["colour"]).opts(color="colour", line_width=1.5),
        hv.Points(names.assign(y=0.0), ["x", "y"], ["method", "rank", "colour", "fill", "tip"]).opts(
            fill_color="fill", line_color="colour", line_width=2.5, size=10, **TIP
        ),
    ]
    if bars:
        rows = [
            (low - 0.03, -0.6 - BAR_ROW * k, high + 0.03, -0.6 - BAR_ROW * k)
            for (low, high), k in zip(bars, lanes, strict=True)
        ]
        layers.append(hv.Segments(rows).opts(color=INK[dark], line_width=6, line_cap="round"))
    for side in ("left", "right"):
        rows = names[names.side == side]
        if len(rows):
            align = {"left": "right", "right": "left"}[side]
            layers.append(words(rows, "at", text="label", colour="colour", align=align))
    low = names.y.min() - 0.8
    return dressed(
        hv.Overlay(layers),
        dark,
        int(70 + ROW * (2.6 - low)),
        published,
        xlim=ends,
        ylim=(low, 2.6),
        xaxis=None,
        yaxis=None,
    )


def _names(ranks: pd.Series, first: float, dark: bool) -> pd.DataFrame:
    """Where each name stands: the better half left of the line, the best on top; the others right."""
    most, left = len(ranks), (len(ranks) + 1) // 2
    rows = pd.DataFrame({"method": ranks.index, "x": ranks.to_numpy(), "y0": 0.0})
    place = np.arange(most)
    rows["side"] = np.where(place < left, "left", "right")
    rows["y"] = first - np.where(place < left, place, most - 1 - place)
    lead = 0.12 * (most - 1) / 2
    rows["edge"] = np.where(rows.side == "left", min(1.0, ranks.min()) - lead, most + lead)
    rows["at"] = rows.edge + np.where(rows.side == "left", -1, 1) * 0.03 * (most - 1) / 2
    rows["colour"] = [probe_colour(name, dark) for name in rows.method]
    rows["rank"] = rows.x
    rows["label"] = [f"{name}  {rank:.2f}" for name, rank in zip(rows.method, rows.x, strict=True)]
    rows["tip"] = [f"{name}: average rank {rank:.2f}" for name, rank in zip(rows.method, rows.x, strict=True)]
    return rows


def _lanes(bars: list[tuple[float, float]]) -> list[int]:
    """A lane for each bar, so that bars that meet lie below each other."""
    reach: list[float] = []
    found = []
    for low, high in bars:
        lane = next((k for k, end in enumerate(reach) if end < low - 0.1), len(reach))
        reach[lane : lane + 1] = [high]
        found.append(lane)
    return found


def _scale(hv, most: int, dark: bool) -> list:
    ticks = pd.DataFrame({"x": np.arange(1, most + 1)})
    ticks["y0"], ticks["y1"], ticks["at"], ticks["label"] = 0.0, 0.18, 0.55, ticks.x.astype(str)
    return [
        hv.Segments(ticks, ["x", "y0", "x", "y1"]).opts(color=INK[dark], line_width=1.5),
        words(ticks, y="at", text="label", colour=INK[dark]),
    ]


def _bracket(hv, difference: float, most: int, dark: bool) -> list:
    """The length of the critical difference; where it is longer than the line it says so."""
    end, high = min(1 + difference, most), 1.4
    rows = [(1, high, end, high), (1, high - 0.15, 1, high + 0.15)]
    if end < most:
        rows.append((end, high - 0.15, end, high + 0.15))
    beyond = "" if 1 + difference <= most else ", longer than the line"
    label = (1.0, 2.05, f"critical difference {difference:.2f}{beyond}")
    return [
        hv.Segments(rows).opts(color=QUIET[dark], line_width=2),
        words([label], colour=QUIET[dark], align="left"),
        hv.Segments([(end, 0.2, end, high)]).opts(color=LINE[dark], line_width=1, line_dash="dotted"),
    ]
