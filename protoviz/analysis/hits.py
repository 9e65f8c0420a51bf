"""How often the strongest prototypes of a class lie on a true event of it, and how often by chance."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from protoviz.analysis.ranking import intervals
from protoviz.analysis.what_if import touched

HITS = ["clip", "polyphony", "class", "listed", "hits", "share", "chance", "prototypes", "cells"]


def hit_table(events: Sequence, contributions, locations, classes, grid, k: int = 5) -> pd.DataFrame:
    """Return a frame: clip, polyphony, class, listed, hits, share, chance, prototypes, cells: one row a clip
    and a class that sounds in it.

    events         the true events of each clip, a sequence a clip (label, onset, offset, low_hz, high_hz)
    contributions  (b c j) of a prototype probe, locations (b j) in `grid`
    listed         how many of the k strongest prototypes argue for the class; hits: how many of those have
                   their max location in a cell that an event of the class touches; share = hits / listed,
                   nan where none is listed; prototypes and cells: lists of those, strongest first, and of
                   their max locations
    chance         share of the grid's cells that such an event touches: what a place drawn at random hits
    """
    rows = []
    for i, known in enumerate(events):
        for name in sorted({event.label for event in known}):
            inside = touched(grid, [event for event in known if event.label == name]).ravel()
            row = np.asarray(contributions[i][list(classes).index(name)])
            listed = np.argsort(-row, kind="stable")[:k]
            listed = listed[row[listed] > 0]
            cells = np.asarray(locations[i])[listed]
            hits, count = int(inside[cells].sum()), len(listed)
            told = (name, count, hits, hits / count if count else float("nan"), float(inside.mean()))
            rows.append((i, len(known), *told, listed.tolist(), cells.tolist()))
    return pd.DataFrame(rows, columns=HITS)


def hit_rates(tables: dict[str, pd.DataFrame], encoder: str) -> pd.DataFrame:
    """Return a frame: encoder, method, score, low, high, chance: the mean share of hits of each probe over
    clips.

    tables: probe -> `hit_table` of the same clips. A clip counts once, however many classes sound in it. The
    interval is over clips (bootstrap, 95 %), the same draws for every probe.
    """
    frames = [table.dropna(subset=["share"]).assign(method=name) for name, table in tables.items()]
    frame = pd.concat(frames, ignore_index=True).assign(encoder=encoder, dataset="scenes")
    rates = intervals(frame.assign(score=frame.share), ["encoder", "method"], unit="clip")
    chance = frame.groupby(["method", "clip"]).chance.mean().groupby("method").mean().rename("chance")
    return rates.join(chance, on="method")
