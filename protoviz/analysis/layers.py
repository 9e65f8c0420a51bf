"""In which layer a class can be read: means over seeds of the tables that `protoviz layers` leaves."""

import pandas as pd

MIXED = -1  # layer of a method that reads a mixture of all
WHOLE = 0  # events: the scenes of all numbers together


def by_layer(runs: pd.DataFrame, events: int = WHOLE) -> pd.DataFrame:
    """Return a row an encoder, method and layer (-1: a learned mixture of all): metric, score (mean over
    seeds), sd, seeds, chance.

    runs: the table "layers", a row a run. events: of scenes with so many; 0: of all together.
    """
    groups = runs[runs.events == events].groupby(["encoder", "method", "layer", "metric"], sort=False)
    found = groups.agg(
        score=("score", "mean"), sd=("score", "std"), seeds=("seed", "nunique"), chance=("chance", "mean")
    )
    return found.reset_index()


def classes_by_layer(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row an encoder, method, layer and class: score, the mean average precision over seeds.

    runs: the table "layers-classes". A class that no test clip has is absent.
    """
    keys = ["encoder", "method", "layer", "class"]
    found = runs.groupby(keys, sort=False).average_precision.mean().rename("score")
    return found.dropna().reset_index()


def of_layers(table: pd.DataFrame) -> list[str]:
    """Return the methods of a frame that read single layers, in its order."""
    return table[table.layer >= 0].method.drop_duplicates().tolist()
