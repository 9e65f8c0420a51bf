"""Figures of rankings: encoders' ranks under each pooling, gains over linear, the gap to fine-tuning, wins.

Every function takes `published`, who published the numbers ("" for own ones): published markers are open and
bars are outlines in a dashed frame, own ones are filled.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from protoviz.analysis.tables import BASELINE
from protoviz.figures.colours import INK, PAPER, UNSETTLED, blend, encoder_colours, probe_colour, readable
from protoviz.figures.engine import holoviews
from protoviz.figures.style import LINE, LONG, QUIET, TIP, dressed, percent, ranged, shortened, words

ROW = 90  # pixels between two ranks: a marker, and its value under it
SIDE, LETTER = 0.3, 0.048  # of the distance between poolings: beside them, and more for a name's letter
BAR = 20  # pixels a bar
BESIDE = 0.022  # of the bars' room: a letter of the words beside them
LETTER_POINTS = 1.4  # of the axis of scores: what a letter takes at the pages' widths
NAMES = 3.2  # steps between poolings up to which SIDE and LETTER hold
CLOSE = 6  # steps between poolings above which markers are small and names slanted
HEAVY, LIGHT = 4.5, 2.0  # pixels of a line that is followed, and of the others


def bump_chart(
    table: pd.DataFrame,
    methods: Sequence[str],
    followed: Sequence[str] = (),
    published: str = "",
    dark: bool = False,
):
    """Return an overlay: each encoder's rank under each method, rank 1 on top, its mean score in % below the
    rank.

    table: a frame of `ranks` or `ranks_with_intervals`; what the latter calls uncertain is grey.
    followed: encoders drawn heavy, the others light.
    """
    hv = holoviews()
    encoders = table.encoder.drop_duplicates().tolist()
    colours = encoder_colours(encoders, dark)
    table = table[table.method.isin(methods)].reset_index(drop=True)
    if "uncertain" not in table:
        table = table.assign(uncertain=False)
    table["x"] = table.method.map({name: i for i, name in enumerate(methods)}).astype(float)
    table["y"] = _places(table)
    grey = UNSETTLED[dark]
    table["colour"] = np.where(table.uncertain, grey, table.encoder.map(colours))
    heavy = table.encoder.isin(followed) if len(followed) else pd.Series(True, index=table.index)
    table["weight"] = np.where(heavy, HEAVY, LIGHT)
    strands = hv.Segments(_strands(table, dark), ["x0", "y0", "x1", "y1"], ["colour", "weight"])
    layers = [strands.opts(color="colour", line_width="weight", line_cap="round")]
    layers += _bump_marks(hv, table, methods, published, dark)
    last = len(methods) - 1
    # The names beside them keep their width in pixels, so in poolings it grows with their number.
    side = (SIDE + LETTER * max(len(_name(one)) for one in encoders)) * max(1.0, last / NAMES)
    slanted = {"xrotation": 40} if last > CLOSE else {}
    return dressed(
        hv.Overlay(layers),
        dark,
        86 + ROW * len(encoders) + (80 if slanted else 0),
        published,
        xlim=(-side, last + side),
        ylim=(0.45, len(encoders) + 0.6),
        invert_yaxis=True,
        xticks=list(enumerate(map(_name, methods))),
        yaxis=None,
        **slanted,
        xlabel="pooling (number: rank by the mean score in %, which stands below it)",
        ylabel="",
    )


def gain_bars(table: pd.DataFrame, published: str = "", dark: bool = False, baseline: str = BASELINE):
    """Return an overlay: for each encoder a bar a method, how many points its mean score lies above the
    baseline's.

    table: a frame of `gains` over that baseline; where it has intervals they are lines on the bars.
    """
    rows = table.assign(value=table.gain, label=[percent(gain, sign=True) for gain in table.gain])
    return _grouped_bars(rows, "encoder", f"mean gain over {baseline}, points", published, dark)


def gap_bars(table: pd.DataFrame, published: str = "", dark: bool = False):
    """Return an overlay: how much of the way from linear to the fine-tuned encoder each method goes, in %.

    table: a frame of `gap_closed`.
    """
    rows = table.assign(
        value=table.share,
        label=[f"{percent(share, 0)} %" for share in table.share],
        low=np.nan,
        high=np.nan,
        pair=table.encoder + ", " + table.dataset,
    )
    mark = (1.0, "fine-tuned")
    return _grouped_bars(rows, "pair", "share of the gap closed, %", published, dark, mark)


def score_intervals(table: pd.DataFrame, chance: float | None = None, dark: bool = False):
    """Return an overlay: each method's mean score with its interval, a marker an encoder; own results only.

    table: a frame of `ranks_with_intervals`; methods are drawn in its order from the top, the encoders of
    each the best first.
    """
    hv = holoviews()
    encoders, methods = table.encoder.drop_duplicates().tolist(), table.method.drop_duplicates().tolist()
    colours = encoder_colours(encoders, dark)
    step = 0.7 / len(encoders)
    place = table.groupby("method").score.rank(ascending=False, method="first") - 1
    rows = table.assign(
        y=table.method.map(methods.index) + (place - (len(encoders) - 1) / 2) * step,
        colour=[probe_colour(m, dark) for m in table.method]
        if len(encoders) == 1
        else table.encoder.map(colours),
        value=100 * table.score,
        start=100 * table.low,
        end=100 * table.high,
    )
    rows["label"] = [f" {ranged(*row)}" for row in rows[["score", "low", "high"]].itertuples(index=False)]
    if len(encoders) > 1:
        rows["label"] += "  " + rows.encoder.map(_name)
    rows["edge"] = np.fmax(rows.value, rows.end) + 1
    rows["tip"] = rows.encoder + ", " + rows.method + ":" + rows.label
    segments = rows.dropna(subset=["start"])
    layers = [
        hv.Segments(segments, ["start", "y", "end", "y"], ["colour"]).opts(color="colour", line_width=3),
        hv.Points(rows, ["value", "y"], ["encoder", "method", "score", "colour", "tip"]).opts(
            color="colour", size=11, line_color=PAPER[dark], **TIP
        ),
        words(rows, "edge", text="label", colour=INK[dark], align="left", **_dimmed(dark)),
    ]
    if chance is not None:
        layers.insert(0, hv.VLine(100 * chance).opts(color=QUIET[dark], line_dash="dashed", line_width=1.5))
    return dressed(
        hv.Overlay(layers),
        dark,
        70 + max(28 * len(methods), 24 * len(rows)),
        xlim=(0, max(130, (rows.edge + LETTER_POINTS * rows.label.str.len()).max())),
        xticks=list(range(0, 101, 20)),
        ylim=(-0.6, len(methods) - 0.4),
        invert_yaxis=True,
        yticks=list(enumerate(map(_name, methods))),
        xlabel="mean score, %",
        ylabel="",
    )


def win_matrix(table: pd.DataFrame, published: str = "", dark: bool = False):
    """Return an overlay: in how many pairs of data set and encoder the row's method beats the column's
    clearly.

    table: a frame of `protoviz.analysis.ranking.win_matrix`.
    """
    hv = holoviews()
    methods = list(table.index)
    place = {name: i for i, name in enumerate(methods)}
    rows = table.rename_axis(columns="opponent").stack().rename("wins").reset_index()
    rows = rows[rows.method != rows.opponent]
    rows = rows.assign(x=rows.opponent.map(place), y=rows.method.map(place))
    most = max(int(rows.wins.max()) if len(rows) else 0, 1)
    ink = INK[dark]
    rows["strength"], rows["label"] = 0.04 + 0.3 * rows.wins / most, rows.wins.astype(str)
    for side, name in ((-0.5, "0"), (0.5, "1")):
        rows["x" + name], rows["y" + name] = rows.x + 0.92 * side, rows.y + 0.92 * side
    rows["tip"] = rows.method + " beats " + rows.opponent + ": " + rows.label
    boxes = hv.Rectangles(rows, ["x0", "y0", "x1", "y1"], ["method", "opponent", "wins", "strength", "tip"])
    layers = [
        boxes.opts(fill_color=ink, fill_alpha="strength", line_color=None, **TIP),
        words(rows, text="label", colour=INK[dark]),
    ]
    edge = (-0.5, len(methods) - 0.5)
    return dressed(
        hv.Overlay(layers),
        dark,
        170 + 34 * len(methods),
        published,
        xlim=edge,
        ylim=edge,
        invert_yaxis=True,
        xticks=list(enumerate(map(_name, methods))),
        yticks=list(enumerate(map(_name, methods))),
        xrotation=40,
        xlabel="how often the row beats this method",
        ylabel="",
    )


# -- parts


def _places(table: pd.DataFrame) -> pd.Series:
    """Where each mark lies: at its rank; equal scores share a rank and lie one below the other."""
    order = table.sort_values(["rank", "encoder"]).groupby("method").cumcount() + 1
    return order.sort_index().astype(float)


def _strands(table: pd.DataFrame, dark: bool) -> pd.DataFrame:
    """Pieces (x0, y0, x1, y1, colour, weight) of lines that leave and arrive level, the heavy ones last.

    Light lines have their colour mixed with paper and not a lower opacity: pieces that meet would show.
    """
    share = np.linspace(0, 1, 33)
    rise = share**2 * (3 - 2 * share)
    pieces = []
    for _, rows in table.sort_values("x").groupby("encoder", sort=False):
        for one, two in pairwise(rows.itertuples()):
            colour = one.colour if one.uncertain else two.colour
            if one.weight < HEAVY:
                colour = blend(colour, PAPER[dark], 0.45)
            x, y = one.x + (two.x - one.x) * share, one.y + (two.y - one.y) * rise
            ends = {"x0": x[:-1], "y0": y[:-1], "x1": x[1:], "y1": y[1:]}
            pieces.append(pd.DataFrame({**ends, "colour": colour, "weight": one.weight}))
    return pd.concat(pieces).sort_values("weight", kind="stable")


def _bump_marks(hv, table: pd.DataFrame, methods: Sequence[str], published: str, dark: bool) -> list:
    table = table.assign(
        fill=PAPER[dark] if published else table.colour,
        ink=[readable(colour, dark) for colour in table.colour] if published else PAPER[dark],
        number=table["rank"].astype(str),
        value=[percent(score) for score in table.score],
        tip=[_rank_tip(row) for row in table.itertuples()],
    )
    last = len(methods) - 1
    kept = ["encoder", "method", "rank", "score", "uncertain", "colour", "fill", "tip"]
    marks = hv.Points(table, ["x", "y"], kept).opts(
        fill_color="fill", line_color="colour", line_width=3, size=29 if last <= CLOSE else 22, alpha=1, **TIP
    )
    ends = []
    for end, align, x, pad in ((0, "right", -1, "   "), (last, "left", 1, "   ")):
        rows = table[table.x == end]
        names = [pad + name if x > 0 else name + pad for name in map(_name, rows.encoder)]
        inks = [readable(colour, dark) for colour in rows.colour]
        rows = rows.assign(name=names, ink=inks, at=rows.x + 0.07 * x * max(1.0, last / 4))
        ends.append(words(rows, "at", text="name", colour="ink", align=align, text_font_style="bold"))
    below = table.assign(under=table.y + 0.36)
    return [
        marks,
        words(table, text="number", colour="ink", text_font_style="bold"),
        words(below, y="under", text="value", colour=INK[dark], **_dimmed(dark)),
        *ends,
    ]


def _rank_tip(row) -> str:
    words = f"{row.encoder} under {row.method}: rank {row.rank}, {percent(row.score)} %"
    if np.isnan(getattr(row, "low", np.nan)):
        return words
    return f"{words} ({percent(row.low)} to {percent(row.high)}), rank {row.rank_low} to {row.rank_high}"


def _grouped_bars(rows: pd.DataFrame, group: str, axis: str, published: str, dark: bool, mark=None):
    """Bars in groups from the top, a bar a method in its family's colour; rows: value, low, high, label."""
    hv = holoviews()
    groups, methods = rows[group].drop_duplicates().tolist(), rows.method.drop_duplicates().tolist()
    step = 0.86 / len(methods)
    middle = rows[group].map(groups.index) + (rows.method.map(methods.index) - (len(methods) - 1) / 2) * step
    rows = rows.assign(
        x0=np.minimum(0, 100 * rows.value),
        x1=np.maximum(0, 100 * rows.value),
        y=middle,
        y0=middle - 0.43 * step,
        y1=middle + 0.43 * step,
        colour=[probe_colour(name, dark) for name in rows.method],
        start=100 * rows.low,
        end=100 * rows.high,
    )
    rows["edge"] = np.where(rows.value < 0, np.fmin(rows.x0, rows.start), np.fmax(rows.x1, rows.end))
    rows["text"] = [
        f" {label}  {_name(method)}" for label, method in zip(rows.label, rows.method, strict=True)
    ]
    ticks = {"xticks": [(0, "0 (linear)"), (50, "50"), (100, f"100 ({mark[1]})")]} if mark else {}
    low, high = min(0.0, rows.edge.min()), max(rows.edge.max(), 100 * mark[0] if mark else 0.0)
    room = (high - low) or 1.0
    rows["tip"] = rows[group] + ", " + rows.method + ": " + rows.label
    bars = hv.Rectangles(rows, ["x0", "y0", "x1", "y1"], ["encoder", "method", "value", "colour", "tip"])
    fill = {"fill_alpha": 0.12, "line_width": 2} if published else {"fill_alpha": 0.9, "line_width": 0}
    layers = [
        hv.VLine(0).opts(color=LINE[dark], line_width=1.5),
        bars.opts(fill_color="colour", line_color="colour", **fill, **TIP),
    ]
    sure = rows.dropna(subset=["start"])
    if len(sure):
        layers.append(hv.Segments(sure, ["start", "y", "end", "y"]).opts(color=INK[dark], line_width=2))
    rows["at"] = np.maximum(rows.edge, 0)  # beside a bar to the left of zero its words lie to the right of it
    layers.append(words(rows, "at", colour=INK[dark], align="left", **_dimmed(dark)))
    if mark:
        layers.append(hv.VLine(100 * mark[0]).opts(color=QUIET[dark], line_dash="dashed", line_width=1.5))
    return dressed(
        hv.Overlay(layers),
        dark,
        96 + (BAR * len(methods) + 12) * len(groups),
        published,
        xlim=(low - 0.02 * room, high + max(0.5, BESIDE * rows.text.str.len().max()) * room),
        ylim=(-0.5, len(groups) - 0.5),
        invert_yaxis=True,
        yticks=list(enumerate(map(_name, groups))),
        xlabel=axis,
        ylabel="",
        **ticks,
    )


def _name(name: str) -> str:
    """A method's or an encoder's name as it stands beside a mark."""
    return shortened(name, LONG)


def _dimmed(dark: bool) -> dict:
    """The style of words that can be read although something runs behind them."""
    return {"background_fill_color": PAPER[dark], "background_fill_alpha": 0.7}
