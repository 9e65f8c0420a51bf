"""Figures of a probe's prototypes: cosines of all pairs, their matrix, the classifier's weights.

    vectors = probe.prototypes().detach().numpy()
    weight = probe.class_weights()[0].detach().numpy()
    order = prototype_order("class", vectors, weight)
    weight_map(weight, classes, order) + cosine_histogram(vectors)    # the paper's figure 4, top and bottom

The paper draws urban-SED: a heat map of the classifier's weights, 10 classes x 200 prototypes, and a
histogram of the prototypes' pairwise cosines that peaks at 0. It draws no reference that could be read; here
random corners give one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from protoviz.analysis.geometry import corner_shares, cosine_shares, lattice_edges, pair_chunks, spread
from protoviz.analysis.matrix_pictures import block_means, cosine_image, per_pixel, signed_limit
from protoviz.figures.colours import FAMILY_COLOURS, INK, diverging_palette, probe_colour
from protoviz.figures.engine import holoviews
from protoviz.figures.style import FONTS, QUIET, TIP, dressed, page_scrolls, spoken, still, words

MOST = 1000  # pixels a side of a picture


def cosine_histogram(vectors, before=None, dark: bool = False):
    """Return an overlay: share of pairs a bin (bars), the same before training (line, where given), and of
    random ±1 corners, exactly (dashed).

    vectors, before: (j d), binarised or real. For real vectors the corners stand in for random directions,
    which spread as widely. Bins hold equally many of the cosines that corners can have.
    """
    hv = holoviews()
    vectors = np.asarray(vectors)
    width = vectors.shape[1]
    sets = [vectors] if before is None else [vectors, np.asarray(before)]
    reach = max(
        0.05,
        4 * width**-0.5,
        *(max((np.abs(c).max() for c in pair_chunks(one)), default=0.0) for one in sets),
    )
    edges = lattice_edges(width, -min(reach, 1.0), min(reach, 1.0))
    middles = (edges[:-1] + edges[1:]) / 2
    names = ["cosine", "share of pairs, %"]
    bars = hv.Histogram(
        (edges, 100 * cosine_shares(vectors, edges)), kdims=names[:1], vdims=names[1:], label="prototypes"
    )
    layers = [bars.opts(color=FAMILY_COLOURS["prototype"][dark], line_color=None, fill_alpha=0.75)]
    if before is not None:
        start = hv.Curve((middles, 100 * cosine_shares(before, edges)), *names, label="before training")
        layers.append(start.opts(color=INK[dark], line_width=2, interpolation="steps-mid"))
    corners = hv.Curve((middles, 100 * corner_shares(width, edges)), *names, label="random ±1 corners")
    layers.append(corners.opts(color=INK[dark], line_dash="dashed", line_width=2))
    drawn = hv.Overlay(layers).opts(responsive=True, height=320, legend_position="top_right", fontsize=FONTS)
    return drawn.opts(toolbar=None, hooks=[still])  # the axes say what they say


def cosine_map(vectors, order: Sequence[int] | None = None, limit: float | None = None, dark: bool = False):
    """Return the (j j) matrix of cosines as an image, prototypes in `order`, first row on top.

    limit: the cosine at which the colours end; by default mean and four standard deviations. Above 1,000
    prototypes a pixel is the mean over a block of pairs, and the axis says so.
    """
    vectors = np.asarray(vectors)
    numbers = spread(vectors)
    limit = limit or min(1.0, signed_limit(abs(numbers.mean) + 4 * numbers.sd))
    image = cosine_image(vectors if order is None else vectors[np.asarray(order)], MOST)
    drawn = _signed(image, len(vectors), len(vectors), "cosine", limit, dark)
    return drawn.opts(width=620, height=560, ylabel="prototype", yaxis="bare")


def weight_map(weight, classes: Sequence[str], order: Sequence[int] | None = None, dark: bool = False):
    """Return the classifier's weights (c j) as an image: one row a class, prototypes along in `order`.

    Colours end at the largest magnitude. Above 1,000 prototypes a pixel is the mean over neighbours.
    """
    weight = np.asarray(weight, dtype=float)
    weight = weight if order is None else weight[:, np.asarray(order)]
    limit = float(np.abs(weight).max()) or 1.0
    image = block_means(weight, per_pixel(weight.shape[1], MOST), axis=1)
    drawn = _signed(image, weight.shape[1], len(weight), "classifier weight", limit, dark)
    names = [(len(classes) - row - 0.5, spoken(name)) for row, name in enumerate(classes)]
    return drawn.opts(responsive=True, height=60 + 20 * len(classes), ylabel="", yticks=names)


def storage_bars(files: Mapping[str, pd.DataFrame], dark: bool = False):
    """Return an overlay: one bar a file, its bytes (kilobytes of 1,000) split into prototypes, classifier and
    text.

    files: a name -> a frame of `protoviz.probes.stored`.
    """
    hv = holoviews()
    groups = {"prototypes": probe_colour("protobin", dark), "classifier": INK[dark], "names": QUIET[dark]}
    rows = []
    for y, frame in enumerate(files.values()):
        sizes = frame.assign(group=frame.part.map(_group)).groupby("group").bytes.sum() / 1000
        start = 0.0
        for group in groups:
            size = float(sizes.get(group, 0.0))
            rows.append(
                (start, y - 0.3, start + size, y + 0.3, group, groups[group], f"{group}: {size:.1f} kB")
            )
            start += size
    table = pd.DataFrame(rows, columns=["x0", "y0", "x1", "y1", "group", "colour", "tip"])
    ends = table.groupby("y0", sort=True).agg(x=("x1", "max"), y=("y0", "first")).reset_index(drop=True)
    first = table[table.group == "prototypes"].reset_index(drop=True)
    sizes = [
        f" {total:,.1f} kB, of it prototypes {part:.1f}" for total, part in zip(ends.x, first.x1, strict=True)
    ]
    labels = ends.assign(y=ends.y + 0.3, text=sizes)
    legend = pd.DataFrame({"x": [0.0, 0.22, 0.42], "name": list(groups), "colour": list(groups.values())})
    top = float(ends.x.max())
    legend = legend.assign(x=legend.x * top, y=-0.75, text=["■ " + name for name in legend.name])
    legend.loc[2, "text"] = "■ names, settings, numbers as text"
    layers = [
        hv.Rectangles(table, ["x0", "y0", "x1", "y1"], ["group", "colour", "tip"]).opts(
            fill_color="colour", line_color=None, **TIP
        ),
        words(labels, colour=INK[dark], align="left"),
        words(legend, colour="colour", align="left"),
    ]
    return dressed(
        hv.Overlay(layers),
        dark,
        110 + 46 * len(files),
        xlim=(0, 1.5 * top),
        ylim=(-1.1, len(files) - 0.5),
        invert_yaxis=True,
        yticks=list(enumerate(files)),
        xlabel="kilobytes on disk",
        ylabel="",
    )


def _group(part: str) -> str:
    if part.startswith(("latent", "vectors")):
        return "prototypes"
    return "names" if part == "header" else "classifier"


def _signed(image: np.ndarray, across: int, up: int, quantity: str, limit: float, dark: bool):
    """An image of values about 0, its first row on top."""
    each = per_pixel(across, MOST)
    label = "prototype, in order" if each == 1 else f"prototype, in order; {each} a pixel"
    drawn = holoviews().Image(image, kdims=["prototype", "row"], vdims=[quantity], bounds=(0, 0, across, up))
    palette = list(diverging_palette(dark))
    options = {"colorbar": True, "clabel": quantity, "xlabel": label, "fontsize": FONTS}
    return drawn.opts(cmap=palette, clim=(-limit, limit), hooks=[page_scrolls], **options)
