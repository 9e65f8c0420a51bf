"""In which layer a class can be read: a row an encoder and method, a column a layer."""

from pathlib import Path

import pandas as pd

from protoviz.analysis.layers import MIXED, WHOLE
from protoviz.analysis.tables import mean_sd_over_seeds, settings_file, table_file
from protoviz.kept import read_frame, read_json
from protoviz.report.formats import DASH, as_code, as_read, pipes
from protoviz.report.tokens import Setting

STEM = "layers"
SPREAD = {"effective": "cells that attention spreads over", "rank": "effective rank of tokens"}


def layers_table(folder: Path) -> str:
    """Return what `protoviz layers` measured as a Markdown table: test mAP in %, mean ± s.d. over seeds, by
    the layer that is read; below them by layer how far attention and tokens spread, and how often the
    strongest prototype lies on the event, %.
    """
    paths = [table_file(folder, f"{STEM}{part}") for part in ("", "-places", "-spread")]
    if not all(path.exists() for path in paths):
        raise FileNotFoundError(f"{paths[0]} does not exist: `protoviz layers` makes it")
    scores, places, spread = map(read_frame, paths)
    setting = read_json(settings_file(paths[0]), Setting)
    scores = scores[scores.events == WHOLE]
    layers = [*sorted(set(scores.layer) - {MIXED}), MIXED]
    marks = mean_sd_over_seeds(scores.assign(column=scores.layer), ["encoder", "method", "column"])
    hits = (100 * places.set_index(["encoder", "method", "layer"]).score).round().map("{:.0f}".format)
    rows = []
    for encoder in scores.encoder.unique():
        own = spread[(spread.encoder == encoder) & (spread.clips == spread.clips.max())].set_index("layer")
        for method in scores[scores.encoder == encoder].method.unique():
            cells = [marks.get((encoder, method, layer), DASH) for layer in layers]
            rows.append([as_read(encoder), f"{as_read(method)}: mAP, %", *cells])
            found = [hits.get((encoder, method, layer), DASH) for layer in layers]
            if set(found) != {DASH}:
                rows.append([as_read(encoder), f"{as_read(method)}: on the event, %", *found])
        for name, said in SPREAD.items():
            told = own[name].reindex(layers)
            rows.append([as_read(encoder), said, *(DASH if pd.isna(one) else f"{one:.0f}" for one in told)])
    seeds = ", ".join(map(str, setting["compare"]["seeds"]))
    clips = int(scores.clips.max())
    note = (
        f"{clips:,} test scenes of 1 to 8 events; seeds {seeds}; layer 0 enters the first block; the mixture "
        f"of all is learned; places and spreads without s.d.; {as_code(setting['command'])}."
    )
    heads = ["mixture" if layer == MIXED else f"layer {layer}" for layer in layers]
    return "\n".join([pipes(["encoder", "what", *heads], rows, words=2), "", note])
