"""Figures of tokens: what they have in common, and over how many directions they spread, by layer."""

import pandas as pd

from protoviz.figures.colours import encoder_colours
from protoviz.figures.engine import holoviews
from protoviz.figures.style import TIP, dressed, names_at_ends

HEIGHT = 380
GAP = 0.06  # of the height: what a name beside a curve takes
# measure -> what its axis says
MEASURES = {
    "common": "common part: length of the mean unit token",
    "rank": "effective rank of the centred tokens",
    "clip_common": "common part within a clip",
    "clip_rank": "effective rank within a clip",
}


def tokens_by_layer(table: pd.DataFrame, measure: str = "common", dark: bool = False):
    """Return an overlay: one of MEASURES over the layers, a line an encoder, its name beside its end.

    table: frames of `protoviz.analysis.tokens.token_table`, one below the other, with a column encoder. Layer
    0 is what enters the first block. An encoder has the same colour wherever the same ones are drawn.
    """
    if measure not in MEASURES:
        raise ValueError(f"there is no measure {measure!r}: choose one of {', '.join(MEASURES)}")
    hv, ends, layers = holoviews(), [], []
    for encoder, colour in encoder_colours(table.encoder.drop_duplicates(), dark).items():
        rows = table[table.encoder == encoder].sort_values("layer")
        tips = [f"{encoder}, layer {one.layer}: {getattr(one, measure):.3g}" for one in rows.itertuples()]
        rows = rows.assign(tip=tips)
        curve = hv.Curve(rows, "layer", measure).opts(color=colour, line_width=2)
        points = hv.Points(rows, ["layer", measure], ["encoder", "tip"])
        layers += [curve, points.opts(color=colour, size=7, **TIP)]
        ends.append((float(rows[measure].iloc[-1]), encoder, colour))
    first, last = int(table.layer.min()), int(table.layer.max())
    room, high = max(last - first, 1), 1.05 * float(table[measure].max())
    layers.append(names_at_ends(ends, last + 0.03 * room, 0.0, high, GAP))
    return dressed(
        hv.Overlay(layers),
        dark,
        HEIGHT,
        xlim=(first - 0.05 * room, last + 0.35 * room),
        ylim=(0, high),
        xticks=list(range(first, last + 1)),
        xlabel="layer (0: what enters the first block)",
        ylabel=MEASURES[measure],
    )
