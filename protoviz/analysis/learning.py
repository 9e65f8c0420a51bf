"""What more training clips bring: learning curves with intervals, and where two of them cross."""

from pathlib import Path

import numpy as np
import pandas as pd

from protoviz.analysis.polyphony import lead
from protoviz.analysis.ranking import intervals
from protoviz.analysis.tables import table_file
from protoviz.kept import read_frame

BY = ["encoder", "events", "method", "train_clips"]
CROSSED = ["events", "leader", "clips", "turns", "lead_few", "lead_many", "settled"]


def learning(folder: str | Path | None = None) -> pd.DataFrame:
    """Return `learning_table` of the table curves, which `protoviz curves` makes; or nothing."""
    path = table_file(folder, "curves")
    return learning_table(read_frame(path)) if path.exists() else pd.DataFrame()


def learning_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a frame: encoder, events, method, train_clips, score, low, high: means over seeds, intervals as
    in `intervals`. runs: a row a run.
    """
    return intervals(runs.assign(dataset=""), BY)


def crossings(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return a frame: CROSSED: a row a number of events: which of two methods leads with the most training
    clips, and since when.

    table: of `learning_table`, one encoder; sizes that both were trained on. clips: where the leader's curve
    last crosses the other's, straight between two sizes on a logarithmic axis; nan where it leads from the
    fewest clips on. turns: how often they cross; lead_few, lead_many: the leader's lead with the fewest and
    the most clips; settled: with the most, their intervals do not cross. A tie counts for `first`.
    """
    rows = []
    for events, group in table.groupby("events"):
        found = lead(group, first, second, over="train_clips").sort_values("train_clips")
        if found.empty:
            continue
        ahead, clips, leads = (found.lead >= 0).to_numpy(), np.nan, found.lead.to_numpy()
        turns = np.flatnonzero(ahead[1:] != ahead[:-1])
        if len(turns):
            few, many = np.log(found.train_clips.to_numpy(float))[turns[-1] : turns[-1] + 2]
            before, after = leads[turns[-1] : turns[-1] + 2]
            clips = float(np.exp(few + (many - few) * before / (before - after)))
        sign, leader = (1, first) if ahead[-1] else (-1, second)
        settled = bool(found.settled.iloc[-1])
        rows.append((events, leader, clips, len(turns), sign * leads[0], sign * leads[-1], settled))
    return pd.DataFrame(rows, columns=CROSSED)
