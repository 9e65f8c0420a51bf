"""In which layer can a class be read: the same methods on every layer of an encoder, and on a mixture of all.

Layers are numbered as in a study: 0 is what enters the first block, the last is after the final norm.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from protoviz.analysis.layers import MIXED
from protoviz.analysis.localisation import hit_intervals
from protoviz.experiments.cells import Cells
from protoviz.experiments.finishing import Recipe
from protoviz.experiments.grid import Grid
from protoviz.experiments.recipe import RUNS, SCORES, settings_of, with_rates
from protoviz.experiments.scoring import HeldOut, Scorer
from protoviz.kept import write_frame, write_json
from protoviz.probes import Method, Probe

BY = ["dataset", "encoder", "method", "map", "measure"]
SHOWN = ("prototypes", "first")  # of the table of places: whether the strongest prototype lies on an event


@dataclass(frozen=True)
class Shares(Scorer):
    """How much of each layer a probe of several layers learned to mix: a row a layer, summing to 1."""

    version: ClassVar = 1

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        shares = probe.layer_weights
        if shares is None:
            return pd.DataFrame()
        return pd.DataFrame({"layer": probe.layers, "share": shares.detach().cpu().double().numpy()})


@dataclass(frozen=True)
class Layers(Recipe):
    """layers.parquet (a row a run and number of events), layers-classes.parquet (average precision of each
    class), layers-places.parquet (is the strongest prototype on an event; intervals over scenes),
    layers-shares.parquet (what a mixture learned), layers-spread.parquet (tokens and attention by layer) and
    layers.json. A method of a mixture stands at layer -1.
    """

    name = "layers"
    depth: int = 6  # blocks of the encoders: those of the minis

    def spread(self, grid: Grid) -> Grid:
        """Return the grid with each method that names no layers on every single one, and on their mixture."""
        methods = [
            made
            for one in grid.probes
            for made in ([one] if "layers" in one.options else [*self._single(one), self._mixed(one)])
        ]
        return replace(grid, probes=tuple(methods))

    def _single(self, one: Method) -> list[Method]:
        return [_reading(one, f"layer {layer}", layer) for layer in range(self.depth + 1)]

    def _mixed(self, one: Method) -> Method:
        return _reading(one, "mixture", list(range(self.depth + 1)))

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        read = {one.title: one.options["layers"] for one in cells.grid.probes}
        layers = {title: one if isinstance(one, int) else MIXED for title, one in read.items()}

        def told(frame: pd.DataFrame) -> pd.DataFrame:
            bare = frame.method.str.replace(r", (layer \d+|mixture)$", "", regex=True)
            return frame.assign(layer=frame.method.map(layers), method=bare).drop(columns="dataset")

        # The column is called events: pages take a table with polyphony for runs to compare with others.
        scores = with_rates(frames["measures"], frames, *RUNS).rename(columns={"polyphony": "events"})
        columns = ["dataset", "encoder", *RUNS, "events", *SCORES[1:]]
        write_frame(folder / "layers.parquet", told(scores[scores.metric == "mAP"][columns]))
        places = frames["places"]
        places = places[(places["map"] == SHOWN[0]) & (places.measure == SHOWN[1])]
        write_frame(folder / "layers-classes.parquet", told(frames["per-class"]))
        write_frame(folder / "layers-places.parquet", told(hit_intervals(places, BY)))
        shares = frames["shares"].rename(
            columns={"layer": "of"}
        )  # `told` has a layer of its own: the mixture
        shares = told(shares).drop(columns="layer").rename(columns={"of": "layer"})
        write_frame(folder / "layers-shares.parquet", shares)
        write_frame(folder / "layers-spread.parquet", frames["tokens"].drop(columns=["dataset", "method"]))
        said = settings_of(cells.grid, cells.grid.datasets[0], "protoviz layers")
        said["encoder"] = [one.name for one in cells.grid.encoders]
        write_json(folder / "layers.json", said)


def _reading(one: Method, where: str, layers: int | list[int]) -> Method:
    return replace(one, title=f"{one.title}, {where}", options={**one.options, "layers": layers})
