"""When does a class sound? Probes as detectors: trained on frames, or on whole clips and asked by frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from protoviz.analysis.detection import (
    POINTS,
    Timed,
    band_rows,
    best_thresholds,
    detection_rows,
    operating_points,
)
from protoviz.cache import TokenView
from protoviz.experiments.cells import Cells
from protoviz.experiments.finishing import Recipe
from protoviz.experiments.grid import Grid
from protoviz.experiments.recipe import is_reduced, settings_of
from protoviz.experiments.scoring import HeldOut, Scorer, ScorerError
from protoviz.kept import write_frame, write_json
from protoviz.probes import Probe, build_probe, frame_wise
from protoviz.training import predict, real_frames

COLUMNS = ["dataset", "encoder", "method", "learned", "seed"]
COLUMNS += ["measure", "polyphony", "score", "chance", "clips"]


@dataclass(frozen=True)
class Frames(Scorer):
    """Frame mAP, F1 of events and segments, PSDS and bands: see `detection_rows` and `band_rows`.

    A probe of whole clips is asked for single frames (`frame_wise`). Each class has the threshold of its best
    event F1 on the validation clips.
    """

    points: int = POINTS  # thresholds that are tried, and that PSDS is taken over
    of_events: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.points < 2:
            raise ScorerError(f"a threshold cannot be chosen from points={self.points}: give at least 2")

    def of_probe(self, probe: Probe, logits: np.ndarray, test: HeldOut) -> pd.DataFrame:
        by_frame, by_cell = frame_wise(probe), frame_wise(probe, cells=True)
        validation = test.split("validation")
        chosen, held = _timed(test, validation), _timed(test, test.maps)
        scores = predict(by_frame, validation)
        points = operating_points(scores, chosen, self.points)
        thresholds = best_thresholds(scores, chosen, points)
        scores = predict(by_frame, test.maps)
        rows = detection_rows(scores, held, thresholds, points, test.polyphony)
        bands = band_rows(predict(by_cell, test.maps), held, test.polyphony)
        return pd.concat([rows, bands], ignore_index=True)


def _timed(test: HeldOut, maps: TokenView) -> Timed:
    clips, grid = tuple(maps.table["clip"]), test.pair.encoder.cell_grid()
    targets = test.pair.frame_targets(test.folder, clips)
    events = test.pair.events(test.folder, clips)
    return Timed(maps.classes, grid, events, real_frames(maps, grid.times), targets)


@dataclass(frozen=True)
class Detections(Recipe):
    """frames.parquet (rows of `Frames` with method, seed and what it learned from) and frames.json."""

    name = "frames"

    def begin(self, grid: Grid) -> None:
        for method in grid.probes:
            frame_wise(build_probe(method.probe, 768, 1, (1, 1), **method.hyper(1)))

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        grid = cells.grid
        framed = {method.title: method.found.frame_wise for method in grid.probes}
        table = frames["frames"].assign(learned=frames["frames"].method.map(framed))
        table["learned"] = table.learned.map({True: "frames", False: "clips"})
        write_frame(folder / "frames.parquet", table[COLUMNS])
        entry = grid.datasets[0]
        own = "" if entry.use == "scenes" else f" --data {entry.use}"
        told = settings_of(grid, entry, f"protoviz frames{own}")
        write_json(folder / "frames.json", told | {"reduced": is_reduced(grid, entry.name)})
