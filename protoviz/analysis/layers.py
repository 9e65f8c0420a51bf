"""In which layer a class can be read: means over seeds of the tables that `protoviz layers` leaves."""

from pathlib import Path

import pandas as pd

from protoviz.analysis.tables import table_file
from protoviz.kept import read_frame

MIXED = -1  # layer of a method that reads a mixture of all
WHOLE = 0  # events: the scenes of all numbers together


def by_layer(folder: Path, events: int = WHOLE) -> pd.DataFrame:
    """Return a row an encoder, method and layer (-1: a learned mixture of all): metric, score (mean over
    seeds), sd, seeds, chance.

    events: of scenes with so many; 0: of all together. Raises FileNotFoundError where there is no table.
    """
    table = read_frame(table_file(folder, "layers"))
    groups = table[table.events == events].groupby(["encoder", "method", "layer", "metric"], sort=False)
    found = groups.agg(
        score=("score", "mean"), sd=("score", "std"), seeds=("seed", "nunique"), chance=("chance", "mean")
    )
    return found.reset_index()


def classes_by_layer(folder: Path) -> pd.DataFrame:
    """Return a row an encoder, method, layer and class: score, the mean average precision over seeds.

    Raises FileNotFoundError where there is no table.
    """
    table = read_frame(table_file(folder, "layers-classes"))
    keys = ["encoder", "method", "layer", "class"]
    return table.groupby(keys, sort=False).average_precision.mean().rename("score").reset_index()
