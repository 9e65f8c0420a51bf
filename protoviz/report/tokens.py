"""What tokens have in common, and what probes read in them: a row a way to train an encoder and a method."""

from pathlib import Path
from typing import TypedDict

import pandas as pd

from protoviz.analysis.tables import mean_sd, mean_sd_over_seeds, settings_file, table_file
from protoviz.kept import read_frame, read_json
from protoviz.report.formats import DASH, as_code, as_read, pipes

STEM = "tokens"
MAPS = ("prototypes", "cells")  # the maps that are a class's own
EVENTS = {0: "mixed", 1: "k = 1", 4: "k = 4", 8: "k = 8"}
HITS = {"first": "strongest place on the event", "first five": "five strongest"}


class _Compare(TypedDict):
    seeds: list[int]


class Setting(TypedDict):
    """What tokens.json says of the runs, as far as it is read here."""

    command: str
    compare: _Compare


def tokens_table(folder: Path) -> str:
    """Return what `protoviz tokens` measured as a Markdown table: test mAP in %, mean ± s.d. over seeds, hits
    in % with 95 % intervals over scenes, and common part and effective rank of the layer that is read.
    """
    paths = [table_file(folder, f"{STEM}{part}") for part in ("", "-places", "-spread")]
    if not all(path.exists() for path in paths):
        raise FileNotFoundError(f"{paths[0]} does not exist: `protoviz tokens` makes it")
    scores, places, spread = map(read_frame, paths)
    setting = read_json(settings_file(paths[0]), Setting)
    shown = {k: name for k, name in EVENTS.items() if k in set(scores.events)}
    cells = mean_sd_over_seeds(
        scores.assign(column=scores.events.map(shown)), ["encoder", "method", "column"]
    )
    places = places[places["map"].isin(MAPS)].set_index(["encoder", "method", "measure"])
    spread = spread[spread.clips == spread.clips.max()].sort_values("layer")
    rows = []
    for encoder, method, layer in (
        scores[["encoder", "method", "layer"]].drop_duplicates().itertuples(index=False)
    ):
        marks = [cells.get((encoder, method, name), DASH) for name in shown.values()]
        hits = [_hits(places, (encoder, method, measure)) for measure in HITS]
        own = spread[spread.encoder == encoder]
        told = own[own.layer == layer].iloc[0] if layer in set(own.layer) else own.iloc[-1]
        rows.append(
            [as_read(encoder), as_read(method), *marks, *hits, f"{told.common:.2f}", f"{told['rank']:.1f}"]
        )
    chance = scores.groupby("events").chance.first()
    known = places.groupby("measure").chance.mean()
    floor = [*(mean_sd(chance[k]) for k in shown), *(mean_sd(known[measure]) for measure in HITS)]
    rows.append(["chance", "", *floor, "", ""])
    heads = [*(f"mAP, {name}" for name in shown.values()), *HITS.values()]
    seeds = ", ".join(map(str, setting["compare"]["seeds"]))
    note = (
        f"Hits in % of {int(places.scenes.max())} scenes at every number of events, with 95 % intervals over "
        f"scenes; tokens of {int(spread.clips.max())} scenes, of the layer that is read; seeds {seeds}; "
        f"{as_code(setting['command'])}."
    )
    table = pipes(["encoder", "method, %", *heads, "common part", "effective rank"], rows, words=2)
    return "\n".join([table, "", note])


def _hits(places: pd.DataFrame, key: tuple) -> str:
    if key not in places.index:
        return DASH
    row = places.loc[[key]].iloc[0]
    return f"{100 * row.score:.0f} ({100 * row.low:.0f} to {100 * row.high:.0f})"
