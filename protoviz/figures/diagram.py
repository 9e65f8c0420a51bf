"""Drawings that explain: protobin as a chain of steps, and what stands in for the slope of a sign."""

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER, TRUTH_COLOUR
from protoviz.figures.engine import holoviews
from protoviz.figures.style import FONT, LINE, QUIET, dressed

WIDE, HIGH = 0.86, 0.56  # of a box; columns are 1 apart, rows 1


def protobin_diagram(grid: tuple[int, int], dim: int, prototypes: int, classes: int, dark: bool = False):
    """An overlay: protobin's steps as boxes with the shapes that leave them, from tokens to logits.

    grid (T, F) of the token map, token width, prototypes in all, classes. The dashed arrow is the backward
    pass around the sign. Source: the paper's figure 3, drawn anew.
    """
    hv = holoviews()
    t, f = grid
    token, learnt = FAMILY_COLOURS["cls"][dark], FAMILY_COLOURS["prototype"][dark]
    boxes = pd.DataFrame(
        [
            (0, 1, "tokens z", f"{t} × {f} × {dim}", token),
            (1, 1, "length 1", f"{t} × {f} × {dim}", QUIET[dark]),
            (0, -1, "latent v", f"{prototypes} × {dim}", learnt),
            (1, -1, "sign", f"{prototypes} × {dim}, ±1", QUIET[dark]),
            (2, -1, "length 1", f"{prototypes} × {dim}", QUIET[dark]),
            (3, 0, "cosine", f"{prototypes} × {t} × {f}", QUIET[dark]),
            (4, 0, "max over t, f", f"s: {prototypes}", QUIET[dark]),
            (5, 0, "linear W s + b", f"W: {classes} × {prototypes}", learnt),
            (6, 0, "logits", f"{classes}", INK[dark]),
        ],
        columns=["x", "y", "name", "shape", "colour"],
    )
    boxes = boxes.assign(
        x0=boxes.x - WIDE / 2,
        x1=boxes.x + WIDE / 2,
        y0=boxes.y - HIGH / 2,
        y1=boxes.y + HIGH / 2,
        above=boxes.y + 0.11,
        below=boxes.y - 0.13,
    )
    half = WIDE / 2
    lines = [(0, 1, 1, 1), (0, -1, 1, -1), (1, -1, 2, -1), (3, 0, 4, 0), (4, 0, 5, 0), (5, 0, 6, 0)]
    arrows = [(a + half, b, c - half, d) for a, b, c, d in lines]
    arrows += [(3, 1, 3, HIGH / 2), (3, -1, 3, -HIGH / 2)]
    bends = [(1 + half, 1, 3, 1), (2 + half, -1, 3, -1)]
    down = -1 - HIGH / 2
    back = [(1, down, 1, down - 0.35), (1, down - 0.35, 0, down - 0.35)]
    ends = [(0, down - 0.35, 0, down)]
    layers = [
        *_arrows(hv, arrows, bends, QUIET[dark], "solid"),
        *_arrows(hv, ends, back, TRUTH_COLOUR[dark], "dashed"),
        hv.Rectangles(boxes, ["x0", "y0", "x1", "y1"], ["colour"]).opts(
            fill_color=PAPER[dark], line_color="colour", line_width=2.5
        ),
        _words(hv, boxes, "above", "name", INK[dark], "bold"),
        _words(hv, boxes, "below", "shape", QUIET[dark]),
        _words(
            hv,
            pd.DataFrame({"x": [0.5], "y": [down - 0.56], "t": ["backward: passed on unchanged"]}),
            "y",
            "t",
            TRUTH_COLOUR[dark],
        ),
    ]
    return dressed(
        hv.Overlay(layers), dark, 380, xlim=(-0.75, 6.55), ylim=(-2.15, 1.45), xaxis=None, yaxis=None
    )


def straight_through(dark: bool = False):
    """An overlay: the sign that runs forward, and the two lines whose slope runs backward in its place."""
    hv = holoviews()
    v = np.linspace(-2, 2, 81)
    step = np.where(v >= 0, 1.0, -1.0)
    curves = [
        (step, INK[dark], "solid", "forward: sign(v)", (0.45, 1.18)),
        (v, FAMILY_COLOURS["prototype"][dark], "dashed", "backward: slope 1 everywhere", (1.18, 1.62)),
        (np.clip(v, -1, 1), FAMILY_COLOURS["cls"][dark], "dotted", "or: slope 1 within ±1", (0.62, 0.42)),
    ]
    layers = [
        hv.HLine(0).opts(color=LINE[dark], line_width=1),
        hv.VLine(0).opts(color=LINE[dark], line_width=1),
    ]
    for values, colour, dash, words, place in curves:
        curve = hv.Curve((v, values), "latent v", "value")
        curve = curve.opts(interpolation="steps-mid") if dash == "solid" else curve
        layers.append(curve.opts(color=colour, line_width=2.5, line_dash=dash))
        label = pd.DataFrame({"x": [place[0]], "y": [place[1]], "t": [words]})
        align = "right" if dash == "dashed" else "left"
        layers.append(_words(hv, label, "y", "t", colour, align=align))
    return dressed(
        hv.Overlay(layers),
        dark,
        300,
        xlim=(-2, 2),
        ylim=(-2, 2),
        xticks=[-2, -1, 0, 1, 2],
        yticks=[-1, 0, 1],
        xlabel="latent weight v",
        ylabel="value",
    )


def _arrows(hv, heads: list, lines: list, colour: str, dash: str) -> list:
    """Lines, the first ones with a head at their end; a head points along the longer way."""
    style = {"color": colour, "line_width": 2, "line_dash": dash}
    layers = [hv.Segments(heads + lines).opts(**style)]
    points = pd.DataFrame(heads, columns=["x0", "y0", "x", "y"])
    across, up = points.x - points.x0, points.y - points.y0
    sideways = across.abs() > up.abs()
    angles = np.where(sideways, np.where(across > 0, -90, 90), np.where(up > 0, 0, 180))
    for angle in sorted(set(angles.tolist())):
        some = points[angles == angle]
        layers.append(hv.Points(some, ["x", "y"]).opts(marker="triangle", angle=angle, size=10, color=colour))
    return layers


def _words(hv, rows: pd.DataFrame, y: str, text: str, colour: str, weight="normal", align="center"):
    style = {"text_align": align, "text_baseline": "middle", "text_font_size": FONT}
    return hv.Labels(rows, ["x", y], [text]).opts(text_color=colour, text_font_style=weight, **style)
