"""Drawings that explain: protobin as a chain of steps, and what stands in for the slope of a sign."""

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER
from protoviz.figures.engine import holoviews
from protoviz.figures.style import LINE, QUIET, dressed, words

BACKWARD = FAMILY_COLOURS["attentive"]  # the way of a gradient
WIDE, HIGH = 0.8, 0.62  # of a box; columns and rows are 1 apart


def protobin_diagram(grid: tuple[int, int], dim: int, prototypes: int, classes: int, dark: bool = False):
    """Return an overlay: protobin's steps as boxes with the shapes that leave them, from tokens to logits.

    grid (T, F) of the token map, token width, prototypes in all, classes. The dashed arrow is the backward
    pass around the sign. Source: the paper's figure 3, drawn anew.
    """
    hv = holoviews()
    t, f = grid
    token, learnt = FAMILY_COLOURS["cls"][dark], FAMILY_COLOURS["prototype"][dark]
    boxes = pd.DataFrame(
        [
            (0, 1, "tokens z", f"{t} × {f} × {dim}", token),
            (0, -1, "latent v", f"{prototypes} × {dim}", learnt),
            (1, -1, "sign", f"{prototypes} × {dim}, ±1", QUIET[dark]),
            (2, 0, "cosine", f"{prototypes} × {t} × {f}", QUIET[dark]),
            (3, 0, "max over t, f", f"s: {prototypes}", QUIET[dark]),
            (4, 0, "W s + b", f"W: {classes} × {prototypes}", learnt),
            (5, 0, "logits", f"{classes}", INK[dark]),
        ],
        columns=["x", "y", "name", "shape", "colour"],
    )
    across, up, half = WIDE / 2, HIGH / 2, HIGH / 5
    boxes = boxes.assign(x0=boxes.x - across, x1=boxes.x + across, y0=boxes.y - up, y1=boxes.y + up)
    boxes = boxes.assign(above=boxes.y + half, below=boxes.y - half)
    steps = [(0, -1), (2, 0), (3, 0), (4, 0)]
    heads = [(x + across, y, x + 1 - across, y) for x, y in steps] + [(2, 1, 2, up), (2, -1, 2, -up)]
    bends = [(across, 1, 2, 1), (1 + across, -1, 2, -1)]
    down = -1 - up
    back = [(1, down, 1, down - 0.35), (1, down - 0.35, 0, down - 0.35)]
    note = [(0.5, down - 0.58, "backward: passed unchanged")]
    shaped = {"fill_color": PAPER[dark], "line_color": "colour", "line_width": 2.5}
    layers = [
        *_arrows(hv, heads, bends, QUIET[dark], "solid"),
        *_arrows(hv, [(0, down - 0.35, 0, down)], back, BACKWARD[dark], "dashed"),
        hv.Rectangles(boxes, ["x0", "y0", "x1", "y1"], ["colour"]).opts(**shaped),
        words(boxes, y="above", text="name", colour=INK[dark], text_font_style="bold"),
        words(boxes, y="below", text="shape", colour=QUIET[dark]),
        words(note, colour=BACKWARD[dark]),
    ]
    edges = {"xlim": (-0.55, 5.5), "ylim": (-2.15, 1.45), "xaxis": None, "yaxis": None}
    return dressed(hv.Overlay(layers), dark, 380, **edges)


def straight_through(dark: bool = False):
    """Return an overlay: the sign that runs forward, and the two lines whose slope runs backward instead."""
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
    for values, colour, dash, said, place in curves:
        curve = hv.Curve((v, values), "latent v", "value")
        curve = curve.opts(interpolation="steps-mid") if dash == "solid" else curve
        layers.append(curve.opts(color=colour, line_width=2.5, line_dash=dash))
        layers.append(words([(*place, said)], colour=colour, align="right" if dash == "dashed" else "left"))
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
    """Lines, the first ones with a head at their end; they run along the axes."""
    layers = [hv.Segments(heads + lines).opts(color=colour, line_width=2, line_dash=dash)]
    points = pd.DataFrame(heads, columns=["x0", "y0", "x", "y"])
    way = np.sign(points[["x", "y"]].to_numpy() - points[["x0", "y0"]].to_numpy())
    # So far before the end that the tip touches the box.
    points = points.assign(x=points.x - 0.035 * way[:, 0], y=points.y - 0.04 * way[:, 1])
    angles = np.where(way[:, 0] != 0, -90 * way[:, 0], 90 - 90 * way[:, 1])
    for angle in sorted(set(angles.tolist())):
        style = {"marker": "triangle", "angle": angle, "size": 11, "color": colour}
        layers.append(hv.Points(points[angles == angle], ["x", "y"]).opts(**style))
    return layers
