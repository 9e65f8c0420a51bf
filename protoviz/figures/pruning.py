"""Figures of pruned probes: scores over prototypes kept, and how many of them each class needs."""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from protoviz.figures.colours import FAMILY_COLOURS, INK, PAPER
from protoviz.figures.engine import holoviews
from protoviz.figures.style import QUIET, TIP, dressed, names_at_ends, percent, spoken, words

HEIGHT = 380
GAP = 0.07  # of the height: what a name beside a curve takes
ROW = 24  # pixels of a class
MEAN = "mean over classes"


def pruning_curves(table: pd.DataFrame, chosen: int | Sequence[int] | None = None, dark: bool = False):
    """Return an overlay: score over prototypes kept (logarithmic), of each class (thin) and their mean.

    table: kept, class ("" is the mean), score (0 to 1), as `Pruning.curve` gives them; where it has low and
    high, as from `pruned_means`, the mean has a band. chosen: the number that is best on the clips that
    chose, or one a seed, marked on the mean. A thin line tells its class when pointed at.
    """
    hv = holoviews()
    quiet, own = QUIET[dark], FAMILY_COLOURS["prototype"][dark]
    table = table.dropna(subset=["score"]).sort_values("kept")
    table = table.assign(x=np.log2(table.kept), percent=100 * table.score)
    names = {name: spoken(name) if name else MEAN for name in table["class"].unique()}
    table["tip"] = [
        f"{escape(names[row[0]])}: {row[1]:.1f} with {row[2]}"
        for row in zip(table["class"], table.percent, table.kept, strict=True)
    ]
    layers = []
    for name, rows in sorted(table.groupby("class"), reverse=True):  # the mean above the others
        if not name and "low" in rows and rows.low.notna().all():
            band = (rows.x, 100 * rows.low, 100 * rows.high)
            layers.append(hv.Area(band, "x", ["low", "high"]).opts(color=own, alpha=0.25, line_width=0))
        drawn = hv.Curve(rows, "x", ["percent", "tip"])
        style = (
            {"color": own, "line_width": 3} if not name else {"color": quiet, "line_width": 1, "alpha": 0.6}
        )
        layers.append(drawn.opts(**style, **TIP))
    mean = table[table["class"] == ""]
    ends = [(float(mean.percent.iloc[-1]), MEAN, own)]
    if chosen is not None:
        layers += _marks(mean, [chosen] if np.isscalar(chosen) else sorted(chosen), dark)
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


def _marks(mean: pd.DataFrame, chosen: list[int], dark: bool) -> list:
    """Layers: the chosen numbers on the mean, each with a foot, and below them what they are."""
    hv, own = holoviews(), FAMILY_COLOURS["prototype"][dark]
    mark = mean[mean.kept.isin(chosen)]
    point = hv.Points(mark, ["x", "percent"], ["tip"])
    foot = hv.Segments(mark.assign(low=9), ["x", "low", "x", "percent"])
    ends = list(dict.fromkeys((chosen[0], chosen[-1])))
    said = [(float(mark.x.mean()), 5.0, f"best on validation: {' to '.join(map(str, ends))}")]
    return [
        point.opts(color=own, size=11, line_color=PAPER[dark], line_width=2, **TIP),
        foot.opts(color=own, line_dash="dotted"),
        words(said, colour=INK[dark]),
    ]


def prototypes_needed(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: a row a class, how many of the kept prototypes serve it, from least to most over
    seeds; the mean over classes dashed.

    table: of `protoviz.analysis.pruning.class_needs`. Behind a row its average precision with what is kept,
    and before anything was removed.
    """
    hv = holoviews()
    own, ink = FAMILY_COLOURS["prototype"][dark], INK[dark]
    rows = table.assign(y=range(len(table)))
    rows["tip"] = [
        f"{escape(spoken(row['class']))}: {row['prototypes']:.1f} prototypes "
        f"({row['least']} to {row['most']}), {percent(row['score'])} % with them, "
        f"{percent(row['whole'])} % with all"
        for row in rows.to_dict("records")
    ]
    most = float(rows.most.max())
    told = [f"{percent(kept)} ({percent(whole)})" for kept, whole in zip(rows.score, rows.whole, strict=True)]
    rows["at"], rows["text"] = 1.08 * most, told
    layers = [
        hv.VLine(float(rows.prototypes.mean())).opts(color=QUIET[dark], line_dash="dashed", line_width=1.5),
        hv.Segments(rows, ["least", "y", "most", "y"]).opts(color=own, line_width=3),
        hv.Points(rows, ["prototypes", "y"], ["class", "tip"]).opts(
            color=own, size=10, line_color=PAPER[dark], **TIP
        ),
        words(rows, "at", colour=ink, align="left"),
    ]
    return dressed(
        hv.Overlay(layers),
        dark,
        80 + ROW * len(rows),
        xlim=(0, 1.45 * most),
        ylim=(-0.6, len(rows) - 0.4),
        invert_yaxis=True,
        yticks=[(place, spoken(name)) for place, name in enumerate(rows["class"])],
        xlabel="prototypes kept that argue for the class most; behind them mAP, % (of all)",
        ylabel="",
    )
