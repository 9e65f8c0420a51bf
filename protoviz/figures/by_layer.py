"""Figures by layer: what tokens have in common, over how many directions they spread, what probes read."""

import pandas as pd

from protoviz.analysis.layers import MIXED
from protoviz.figures.colours import ABOVE, INK, PAPER, encoder_colours, method_looks, wash_palette
from protoviz.figures.engine import holoviews
from protoviz.figures.style import TIP, dressed, names_at_ends, percent, spoken, words

HEIGHT = 380
ROW = 26  # pixels of a class
DARK = 0.7  # of the darkest shade: from there on, numbers are as light as paper
GAP = 0.06  # of the height: what a name beside a curve takes
LAYER = "layer (0: what enters the first block)"
MIXTURE = "mixture"
# measure -> what its axis says
MEASURES = {
    "common": "common part: length of the mean unit token",
    "rank": "effective rank of the centred tokens",
    "clip_common": "common part within a clip",
    "clip_rank": "effective rank within a clip",
    "effective": "cells that attention spreads over, exp(H)",
}


def tokens_by_layer(table: pd.DataFrame, measure: str = "common", dark: bool = False):
    """Return an overlay: one of MEASURES over the layers, a line an encoder, its name beside its end.

    table: frames of `protoviz.experiments.tokens.measured_tokens`, one below the other, with a column
    encoder. Layer 0 is what enters the first block. An encoder has the same colour wherever the same ones
    are drawn.
    """
    if measure not in MEASURES:
        raise ValueError(f"there is no measure {measure!r}: choose one of {', '.join(MEASURES)}")
    rows = table.dropna(subset=[measure]).rename(columns={measure: "value"})
    return _lines(rows, MEASURES[measure], "{:.3g}".format, dark)


def scores_by_layer(table: pd.DataFrame, dark: bool = False):
    """Return an overlay: the mean test score over the layers that are read, and a point apart where a learned
    mixture of all is read.

    A line an encoder; where there is one only, a line a method. table: a frame of
    `protoviz.analysis.layers.by_layer`.
    """
    rows = table.rename(columns={"score": "value"})
    axis = f"test {table.metric.iloc[0]}, %"
    if table.encoder.nunique() > 1:
        return _lines(rows, axis, percent, dark, share=100)
    return _lines(rows.assign(encoder=rows.method), axis, percent, dark, method_looks, share=100)


def classes_by_layer(table: pd.DataFrame, chosen: str = "", dark: bool = False):
    """Return an overlay: a row a class, a column a layer, average precision in % as number and shade.

    table: of `protoviz.analysis.layers.classes_by_layer`, of one encoder and method. Classes stand in the
    order of the layer in which they are read best. chosen: the class with a frame.
    """
    hv = holoviews()
    whole = table.pivot(index="class", columns="layer", values="score")
    columns = [*sorted(set(whole) - {MIXED}), *([MIXED] if MIXED in whole else [])]
    best = whole.drop(columns=[MIXED], errors="ignore").idxmax(axis=1)
    order = sorted(whole.index, key=lambda name: (best[name], -whole.loc[name].max()), reverse=True)
    x, y = table.layer.map(columns.index), table["class"].map(order.index)
    told = zip(table["class"], table.layer, table.score, strict=True)
    boxes = pd.DataFrame(
        {"x0": x - 0.5, "y0": y - 0.5, "x1": x + 0.5, "y1": y + 0.5, "score": table.score}
        | {"tip": [f"{spoken(name)}, {_named(layer)}: {percent(score)}" for name, layer, score in told]}
    )
    numbers = pd.DataFrame(
        {"x": x, "y": y, "text": [percent(score, 0) for score in table.score]}
        | {"colour": [(PAPER if score > DARK else INK)[dark] for score in table.score]}
    )
    shade = hv.Rectangles(boxes, ["x0", "y0", "x1", "y1"], ["score", "tip"]).opts(
        color="score", cmap=list(wash_palette(ABOVE[dark])), clim=(0, 1), line_color=PAPER[dark], **TIP
    )
    rows = [order.index(chosen)] if chosen in order else []
    mark = hv.Rectangles([(-0.5, row - 0.5, len(columns) - 0.5, row + 0.5) for row in rows]).opts(
        fill_color=None, line_color=INK[dark], line_width=2
    )
    return dressed(
        hv.Overlay([shade, words(numbers, colour="colour"), mark]),
        dark,
        90 + ROW * len(order),
        xlim=(-0.5, len(columns) - 0.5),
        ylim=(-0.5, len(order) - 0.5),
        xticks=[(place, MIXTURE if layer < 0 else str(layer)) for place, layer in enumerate(columns)],
        yticks=[(place, spoken(name)) for place, name in enumerate(order)],
        xlabel=LAYER,
        ylabel="",
    )


def _named(layer: int) -> str:
    return MIXTURE if layer < 0 else f"layer {layer}"


def _lines(table: pd.DataFrame, axis: str, written, dark: bool, looks=None, share: float = 1.0):
    """A line an encoder over the layers of its column `value`, times `share`; layer -1 is a point apart.

    looks: of `method_looks`, where the column encoder has methods.
    """
    hv, ends, layers = holoviews(), [], []
    first, last = int(table.layer[table.layer >= 0].min()), int(table.layer.max())
    mixed = bool((table.layer < 0).any())
    table = table.assign(at=table.layer.where(table.layer >= 0, last + 1), value=share * table.value)
    high = 1.05 * float(table.value.max())
    names = table.encoder.drop_duplicates()
    known = looks(names, dark) if looks else {}
    colours = {name: look.colour for name, look in known.items()} or encoder_colours(names, dark)
    for name, colour in colours.items():
        rows = table[table.encoder == name].sort_values("at")
        told = zip(rows.layer, rows.value / share, strict=True)
        rows = rows.assign(tip=[f"{name}, {_named(layer)}: {written(value)}" for layer, value in told])
        shape = {"line_dash": known[name].dash} if known else {}
        mark = {"marker": known[name].mark} if known else {}
        curve = hv.Curve(rows[rows.layer >= 0], "at", "value").opts(color=colour, line_width=2, **shape)
        points = hv.Points(rows, ["at", "value"], ["encoder", "tip"])
        layers += [curve, points.opts(color=colour, size=7, **mark, **TIP)]
        ends.append((float(rows["value"].iloc[-1]), name, colour))
    end = last + mixed
    room = max(end - first, 1)
    layers.append(names_at_ends(ends, end + 0.03 * room, 0.0, high, GAP, dark))
    ticks = [(layer, str(layer)) for layer in range(first, last + 1)] + [(last + 1, MIXTURE)] * mixed
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.05 * room, end + 0.45 * room),
        ylim=(0, high),
        xticks=ticks,
        xlabel=LAYER,
        ylabel=axis,
    )
