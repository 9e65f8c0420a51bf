"""Figures of one decision: the summands of a logit, and what muting does to every class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER, probe_colour
from protoviz.figures.engine import holoviews
from protoviz.figures.style import FONT, LINE, QUIET, TIP, dressed, minus

ROW = 30  # pixels


def logit_steps(parts: pd.DataFrame, probe: str = "protobin", dark: bool = False):
    """An overlay: the summands of a logit as bars, each from where the one above ended; the logit last.

    parts: a frame of `protoviz.analysis.prototypes.logit_parts`. Single prototypes have the colour of the
    probe's family, all others together and the bias are grey, the logit is ink.
    """
    hv = holoviews()
    colours = {"prototype": probe_colour(probe, dark), "logit": INK[dark]}
    rows = parts.assign(
        y=np.arange(len(parts)),
        name=[_part_name(row) for row in parts.itertuples()],
        x0=parts[["start", "end"]].min(axis=1),
        x1=parts[["start", "end"]].max(axis=1),
        colour=[colours.get(part, QUIET[dark]) for part in parts.part],
        text=[" " + minus(f"{value:+.2f}") for value in parts.value],
    )
    rows["y0"], rows["y1"] = rows.y - 0.36, rows.y + 0.36
    rows["tip"] = rows.name + ":" + rows.text
    low, high = min(0.0, rows.x0.min()), max(0.0, rows.x1.max())
    room = (high - low) or 1.0
    steps = rows.assign(next=rows.y + 1)[:-1]  # where one bar ends the next begins
    layers = [
        hv.VLine(0).opts(color=LINE[dark], line_width=1.5),
        hv.Segments(steps, ["end", "y", "end", "next"]).opts(color=LINE[dark], line_width=1.5),
        hv.Rectangles(rows, ["x0", "y0", "x1", "y1"], ["part", "prototype", "value", "colour", "tip"]).opts(
            fill_color="colour", line_color=None, fill_alpha=0.9, **TIP
        ),
        _text(hv, rows, "x1", dark),
    ]
    return dressed(
        hv.Overlay(layers),
        dark,
        70 + ROW * len(rows),
        xlim=(low - 0.03 * room, high + 0.15 * room),
        ylim=(-0.6, len(rows) - 0.4),
        invert_yaxis=True,
        yticks=list(zip(rows.y.tolist(), rows.name, strict=True)),
        xlabel="logit",
        ylabel="",
    )


def change_bars(changes: pd.DataFrame, present=(), now: str = "now", dark: bool = False):
    """An overlay: each class's logit before (open mark) and after a change (filled), joined by a line.

    changes: a frame of `protoviz.analysis.what_if.class_changes`, drawn in its order from the top; classes
    in `present` have a `●` before their name. now: a word for the state after the change.
    """
    hv = holoviews()
    names = [("● " if name in set(present) else "") + name.replace("_", " ") for name in changes["class"]]
    rows = changes.assign(y=np.arange(len(changes)), name=names)
    tips = [
        minus(f"{r.name_}: {r.logit:+.2f}, {now} {r.new_logit:+.2f}")
        for r in rows.rename(columns={"name": "name_"}).itertuples()
    ]
    rows = rows.assign(
        tip=tips,
        edge=rows[["logit", "new_logit"]].max(axis=1),
        text=["\N{EM SPACE}" + minus(f"{change:+.2f}") for change in rows.change],
    )
    colour = FAMILY_COLOURS["prototype"][dark]
    layers = [
        hv.VLine(0).opts(color=LINE[dark], line_width=1.5),
        hv.Segments(rows, ["logit", "y", "new_logit", "y"]).opts(color=INK[dark], line_width=2),
        hv.Points(rows, ["logit", "y"], ["tip"]).opts(
            fill_color=PAPER[dark], line_color=INK[dark], line_width=2, size=10, **TIP
        ),
        hv.Points(rows, ["new_logit", "y"], ["tip"]).opts(color=colour, line_color=None, size=11, **TIP),
        _text(hv, rows, "edge", dark),
    ]
    low, high = rows[["logit", "new_logit"]].min().min(), rows.edge.max()
    low, high = min(low, 0.0), max(high, 0.0)
    room = (high - low) or 1.0
    return dressed(
        hv.Overlay(layers),
        dark,
        70 + ROW * len(rows),
        xlim=(low - 0.06 * room, high + 0.18 * room),
        ylim=(-0.6, len(rows) - 0.4),
        invert_yaxis=True,
        yticks=list(zip(rows.y.tolist(), rows.name, strict=True)),
        xlabel=f"logit: open before, filled {now}",
        ylabel="",
    )


def _part_name(row) -> str:
    names = {
        "prototype": f"{row.rank} · prototype {row.prototype}",
        "others": f"the {row.count} others",
    }
    return names.get(row.part, row.part)


def _text(hv, rows: pd.DataFrame, x: str, dark: bool):
    style: Mapping = {"text_align": "left", "text_baseline": "middle", "text_font_size": FONT}
    return hv.Labels(rows, [x, "y"], ["text"]).opts(text_color=INK[dark], **style)
