"""Learning curves: the same probes on the first so many training scenes, at several numbers of events.

The scenes of the smaller set are the first of the larger one, so that each is encoded once and its token map
read by all. Runs take equally many steps at every size: equal epochs would give the largest set many times
the steps of the smallest, and a curve would show how long a probe was trained.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from protoviz.experiments.cells import Cells
from protoviz.experiments.finishing import Recipe
from protoviz.experiments.grid import Grid, GridError
from protoviz.experiments.recipe import RUNS, SCORES, searched, settings_of
from protoviz.kept import write_frame, write_json


@dataclass(frozen=True)
class Curves(Recipe):
    """curves.parquet (a row a run: method, events, train_clips, its rates and score), curves-search.parquet
    and curves.json. Each data set has scenes of one number of events.
    """

    name = "curves"
    sizes: tuple[int, ...] = (300, 1000, 3000, 10_000)  # training scenes

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 1 or list(self.sizes) != sorted(set(self.sizes)):
            raise ValueError(f"sizes have to rise from 1: {list(self.sizes)}")

    def spread(self, grid: Grid) -> Grid:
        """Return the grid with each method at every size, the smallest first."""
        methods = [
            one if one.first else replace(one, title=f"{one.title}, {size} clips", first=size)
            for one in grid.probes
            for size in ((one.first,) if one.first else self.sizes)
        ]
        return replace(grid, probes=tuple(methods))

    def begin(self, grid: Grid) -> None:
        if bare := [one.name for one in grid.datasets if one.options.get("polyphony") is None]:
            raise GridError(f"datasets.{bare[0]} has scenes of any number of events: give polyphony")

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        grid = cells.grid
        events = {one.name: one.options["polyphony"] for one in grid.datasets}
        first = {one.title: one.first for one in grid.probes}
        bare = {title: title.removesuffix(f", {size} clips") for title, size in first.items()}

        def told(frame: pd.DataFrame) -> pd.DataFrame:
            named = {"events": frame.dataset.map(events), "train_clips": frame.method.map(first)}
            return frame.assign(**named, method=frame.method.map(bare))

        # The column is called events: pages take a table with polyphony for runs to compare with others.
        runs = frames["results"].assign(prototype_lr=pd.to_numeric(frames["results"].prototype_lr))
        columns = ["encoder", "events", "train_clips", *RUNS, *SCORES[1:]]
        write_frame(folder / "curves.parquet", told(runs)[columns])
        write_frame(folder / "curves-search.parquet", told(searched(frames)).drop(columns="dataset"))
        entry = grid.datasets[0]
        said = settings_of(grid, entry, "protoviz curves")
        said |= {"methods": list(dict.fromkeys(bare.values())), "events": sorted(set(events.values()))}
        compare = said["compare"] | {"steps": grid.steps, "search_steps": grid.search.steps}
        write_json(folder / "curves.json", said | {"compare": compare})
