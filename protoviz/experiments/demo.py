"""The recipes on the demo's scenes: what is shipped under data/demo, all poolings, prototypes a class.

Nothing is chosen by hand: the scenes of the page are the first of each polyphony in the test split, what a
page shows first is chosen by a rule (`showing`), the shipped probe of each method is that of the first seed
at its best rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from protoviz.analysis.neighbours import need_umap
from protoviz.datasets import ClipSet
from protoviz.experiments.adding import AddConfig, Material, add_tables
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.finishing import Recipe
from protoviz.experiments.grid import Grid, GridError
from protoviz.experiments.keeping import described, facts_of, keep_clips, keep_probes
from protoviz.experiments.recipe import RUNS, SCORES, searched, settings_of, with_rates
from protoviz.experiments.showing import FAMILIES
from protoviz.experiments.written import write_settings
from protoviz.kept import write_frame, write_json
from protoviz.probes import Method

SCENES = ["dataset", "encoder"]  # columns that a table of one encoder does without
JOINED = ", J = "  # between a probe and its number of prototypes, in the titles of `PerClass`


@dataclass(frozen=True)
class Demo(Recipe):
    """The study that is shipped as data/demo: probes, shown clips, results, nearest clips and maps.

    Token maps and sound of its clips are not kept: encoder and scenes travel with the package.
    """

    name, command = "demo", "protoviz demo"
    clips_per_polyphony: int = 4
    nearest: int = 8  # clips kept for each prototype
    maps: bool = True  # of prototypes and tokens; they need umap-learn
    looked: int = 200  # test scenes of a few events that the pages' first ones are chosen from

    def begin(self, grid: Grid) -> None:
        there = {method.found.family for method in grid.probes}
        if missing := [family for family in FAMILIES if family not in there]:
            raise GridError(f"pages compare a [cls] probe with a prototype probe: add one of {missing[0]}")
        if self.maps:
            need_umap()

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        grid = cells.grid
        task = Task("encode", grid.datasets[0].name, grid.encoders[0].name)
        pair, allow = cells.of(task), [method.found for method in keep_probes(cells, task, folder)]
        for name, frame in (("search", searched(frames)), ("results", by_polyphony(frames))):
            write_frame(folder / "results" / f"{name}.parquet", frame)
        told = {"name": grid.name, **settings_of(grid, grid.datasets[0], self.command)}
        write_json(folder / "results" / "results.json", told)
        keep_clips(folder, pair, page_rows(pair.clips, self.clips_per_polyphony), sound=False)
        write_settings(folder, grid)
        study = described(folder, replace(facts_of(cells, [task]), command=self.command, made_with={}))
        kinds = ("nearest", "cosines", "showing", *(("projections",) if self.maps else ()))
        material = Material(pair.clips, cells.split(task, "test"), pair.encoder, pair.loss)
        settings = AddConfig(nearest=self.nearest, looked=self.looked)
        add_tables(study, kinds, lambda *_: material, config=settings, allow=allow)


@dataclass(frozen=True)
class Poolings(Recipe):
    """poolings.parquet, poolings-search.parquet and poolings.json; `scenes` names the data set."""

    name = "poolings"

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        grid = cells.grid
        for stem, frame in (("poolings-search", searched(frames)), ("poolings", by_polyphony(frames))):
            named = frame.drop(columns=SCENES).assign(scenes=frame.dataset)
            write_frame(folder / f"{stem}.parquet", named)
        told = settings_of(grid, grid.datasets[0], "protoviz poolings")
        single = [grid.datasets[-1].options.get(name) for name in ("train", "validation", "test")]
        write_json(folder / "poolings.json", told | {"single": single})


@dataclass(frozen=True)
class PerClass(Recipe):
    """Prototype probes at several numbers of prototypes a class, and pruned from the most: per-class.parquet,
    pruning.parquet (columns of the scorer `Pruned`), and their JSON files.
    """

    name = "per-class"

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        grid = cells.grid
        counts = {one.title: one.options["prototypes_per_class"] for one in grid.probes}
        # Without the column polyphony no page takes these rows for runs that it may compare with others.
        runs = frames["results"][[*RUNS, *SCORES[1:]]]
        runs = runs.assign(
            prototype_lr=pd.to_numeric(runs.prototype_lr),
            method=[title.split(JOINED)[0] for title in runs.method],
            per_class=runs.method.map(counts),
        )
        told = settings_of(grid, grid.datasets[0], "protoviz per-class")
        told |= {"methods": list(dict.fromkeys(runs.method)), "counts": list(dict.fromkeys(counts.values()))}
        pruned = frames.get("pruning", pd.DataFrame()).drop(columns=SCENES, errors="ignore")
        if len(pruned):
            pruned["method"] = [title.split(JOINED)[0] for title in pruned.method]
        for stem, frame in (("per-class", runs), ("pruning", pruned)):
            write_frame(folder / f"{stem}.parquet", frame)
            write_json(folder / f"{stem}.json", told)


def counted(grid: Grid, counts: Sequence[int], methods: Sequence[str] = ("protobin",)) -> Grid:
    """Return the grid of the recipe "per-class" at other numbers of prototypes a class."""
    probes = []
    for title in methods:
        method = Method.named(title)
        for count in counts:
            own = {**method.options, "prototypes_per_class": count}
            named = f"{method.title}{JOINED}{count}"
            probes.append(replace(method, title=named, options=own, space=method.found.space))
    return replace(grid, probes=tuple(probes))


def by_polyphony(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row a run and polyphony (0: all test clips): dataset, encoder, RUNS and SCORES."""
    table = with_rates(frames["by-polyphony"], frames, *RUNS)
    return table[["dataset", "encoder", *RUNS, *SCORES]]


def page_rows(clips: ClipSet, per_polyphony: int) -> list[int]:
    """Return the rows of the shown clips: the first test clips of each polyphony."""
    test = clips.table[clips.table.split == "test"]
    chosen = test[test.groupby("polyphony").cumcount() < per_polyphony]
    return chosen.sort_values("polyphony", kind="stable").index.tolist()
