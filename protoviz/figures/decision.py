"""Figures of one decision: the summands of a logit, and what muting does to every class."""

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER, TRUTH_COLOUR, probe_colour
from protoviz.figures.engine import holoviews
from protoviz.figures.style import LINE, QUIET, TIP, dressed, minus, spoken, words

ROW = 30  # pixels
PANEL = 1.25  # from a probe's zero to the next one's, in units of its probability: room for the dot


def class_bars(scores: pd.DataFrame, dark: bool = False):
    """Return an overlay with a panel a probe, side by side: each class's probability as a bar over the same
    rows.

    scores: a frame of `protoviz.analysis.prototypes.class_scores`; classes in its order, from the top.
    Present classes have full colour and a dot, a ring where the probe missed them (its first k ranks do not
    hold them, k present); all others are pale. Without truth all bars have full colour.
    """
    hv = holoviews()
    classes, probes = scores["class"].drop_duplicates().tolist(), scores.probe.drop_duplicates().tolist()
    rows = _class_rows(scores, classes, probes, dark)
    zeros = [PANEL * i for i in range(len(probes))]
    heads = [(x, -0.75, probe) for x, probe in zip(zeros, probes, strict=True)]
    bars, dots = ["x0", "y0", "x1", "y1"], ["dot", "y"]
    layers = [
        hv.Rectangles(rows, bars, ["class", "probe", "probability", "colour", "alpha", "tip"]).opts(
            fill_color="colour", fill_alpha="alpha", line_color=None, **TIP
        ),
        hv.Segments([(x, -0.5, x, len(classes) - 0.5) for x in zeros]).opts(color=LINE[dark], line_width=1.5),
        hv.Points(rows[rows.there], dots, ["inside", "tip"]).opts(
            fill_color="inside", line_color=TRUTH_COLOUR[dark], line_width=2, size=9, **TIP
        ),
        words(heads, colour=INK[dark], align="left", text_font_style="bold", text_baseline="bottom"),
    ]
    return dressed(
        hv.Overlay(layers),
        dark,
        90 + 22 * len(classes),
        xlim=(-0.1, PANEL * len(probes) - 0.15),
        ylim=(-2.2, len(classes) - 0.4),
        invert_yaxis=True,
        yticks=[(row, spoken(name)) for row, name in enumerate(classes)],
        xticks=[(x + at, f"{at:g}") for x in zeros for at in (0, 0.5, 1)],
        xlabel="probability; ● present, ○ present but missed",
        ylabel="",
    )


def _class_rows(scores: pd.DataFrame, classes: list, probes: list, dark: bool) -> pd.DataFrame:
    """The frame with the places and looks of bars and dots."""
    zero = scores.probe.map({probe: PANEL * i for i, probe in enumerate(probes)})
    present = scores.present.fillna(False).astype(bool)
    rows = scores.assign(
        there=present,
        x0=zero,
        x1=zero + scores.probability,
        y=scores["class"].map({name: row for row, name in enumerate(classes)}),
        dot=zero - 0.05,
        colour=[probe_colour(probe, dark) for probe in scores.probe],
        alpha=np.where(present | scores.present.isna(), 0.9, 0.25),
        inside=np.where(scores.missed, PAPER[dark], TRUTH_COLOUR[dark]),
        tip=[
            f"{probe}, {spoken(name)}: {value:.2f}"
            for probe, name, value in scores[["probe", "class", "probability"]].itertuples(index=False)
        ],
    )
    rows["y0"], rows["y1"] = rows.y - 0.34, rows.y + 0.34
    return rows


def logit_steps(parts: pd.DataFrame, probe: str = "protobin", dark: bool = False):
    """Return an overlay: the summands of a logit as bars, each from where the one above ended; the logit
    last.

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
        words(rows, "x1", colour=INK[dark], align="left"),
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
    """Return an overlay: each class's logit before (open mark) and after a change (filled), joined by a line.

    changes: a frame of `protoviz.analysis.what_if.class_changes`, drawn in its order from the top; classes
    in `present` have a `●` before their name. now: a word for the state after the change.
    """
    hv = holoviews()
    names = [("● " if name in set(present) else "") + spoken(name) for name in changes["class"]]
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
        words(rows, "edge", colour=INK[dark], align="left"),
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
