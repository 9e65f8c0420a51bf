"""Recipes: the experiments that are shipped, as settings of one engine and the files that each leaves.

    run_recipe(read_recipe("poolings", small=True), "runs/demo", "runs/demo/results")

A recipe is a TOML file: one of `recipes/`, or your own. Its table [recipe] names what is written of the
finished grid (`finishing.RECIPES`), and its table [small] says what a rehearsal does otherwise.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from protoviz.experiments.cells import Cells
from protoviz.experiments.estimate import seconds_of, time_in_words
from protoviz.experiments.grid import DatasetEntry, Grid, GridError, read_grid
from protoviz.experiments.run import run_grid

Say = Callable[[str], object]
FOLDER = Path(__file__).parent / "recipes"
RUNS = ["method", "lr", "prototype_lr", "seed", "best_epoch", "validation"]
SCORES = ["polyphony", "metric", "score", "chance", "clips"]


def recipes() -> list[str]:
    """Return the names of the shipped recipes."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def recipe_file(name: str) -> Path:
    """Return the file of a shipped recipe; of another name the path that it is."""
    return FOLDER / f"{name}.toml" if name in recipes() else Path(name)


def read_recipe(name: str, small: bool = False, **changes: Any) -> Grid:
    """Return the grid of a shipped recipe, or of a TOML file; small, changes: as in `read_grid`."""
    return read_grid(recipe_file(name), small, changes)


def run_recipe(
    grid: Grid,
    work: Path,
    folder: Path,
    workers: int = 1,
    progress: bool = True,
    say: Say = lambda text: None,
) -> None:
    """Run what is left of a recipe in `work`, and write its files into `folder`: as `run_grid`, or raise.

    workers: processes of a local Dask cluster; 1: this process. Results do not depend on it. say: hears what
    it will take. Raises GridError before any work if an encoder or data set cannot be loaded, and at the end
    if a cell has failed.
    """
    cells = Cells(grid, work)
    if faults := dict.fromkeys(filter(None, map(cells.fault, cells.tasks("encode")))):
        raise GridError("\n".join(faults))
    seconds = sum(seconds_of(cells, task) for task in cells.to_do()) / workers
    say(f"about {time_in_words(seconds) or 'no time'}, judged by finished tasks or docs/speed.md")
    run_grid(grid, work, "local" if workers > 1 else None, workers, progress, folder)
    if failed := cells.failures():
        raise GridError(f"{len(failed)} tasks have failed; the first: {failed[0]['error']}")


# -- what recipes write


def runs_of(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row a run: dataset, encoder and RUNS, which the tables of scorers can be joined to."""
    runs = frames["results"][["dataset", "encoder", *RUNS]]
    return runs.assign(prototype_lr=pd.to_numeric(runs.prototype_lr))


def with_rates(table: pd.DataFrame, frames: dict[str, pd.DataFrame], *names: str) -> pd.DataFrame:
    """Return a scorer's table with columns of `runs_of` of each row's run, in the table's order."""
    keys = ["dataset", "encoder", "method", *(["seed"] if "seed" in table else [])]
    runs = runs_of(frames)[[*dict.fromkeys([*keys, *names])]].drop_duplicates()
    return table.merge(runs, on=keys, how="left")


def searched(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a row a setting that was tried: dataset, encoder, method, lr, prototype_lr, epochs, validation.

    A run that left the numbers has -1.
    """
    trials = frames["search"].rename(columns={"score": "validation"})
    for name in ("prototype_lr", "validation"):
        trials[name] = pd.to_numeric(trials[name])
    trials["validation"] = trials.validation.fillna(-1.0)
    return trials[["dataset", "encoder", "method", "lr", "prototype_lr", "epochs", "validation"]]


def settings_of(grid: Grid, dataset: DatasetEntry, command: str) -> dict:
    """Return what the JSON file beside a table says of its runs."""
    names, options = ("train", "validation", "test"), dataset.options
    sizes = {name: options[name] for name in names if name in options}
    runs = {"epochs": grid.epochs, "search_epochs": grid.search.epochs, "batch_size": grid.search.batch_size}
    own = asdict(grid.recipe) if grid.recipe else {}
    runs |= {"seeds": list(grid.seeds), "prototypes_per_class": grid.prototypes_per_class}
    told = {"command": command, "encoder": grid.encoders[0].name, **sizes, "scene_seed": options.get("seed")}
    return {**told, "methods": [method.title for method in grid.probes], "compare": runs, **own}


def is_reduced(grid: Grid, dataset: str) -> bool:
    """Return whether a grid has other settings than its recipe, whatever its encoders and other data sets."""
    told = []
    for one in (grid, read_recipe(grid.recipe.name)):
        entries = [dict(entry.options) for entry in one.scores]
        entries += [entry.options for entry in one.datasets if entry.name == dataset]
        sizes = [value for options in entries for value in options.values() if isinstance(value, int)]
        told.append((one.seeds, one.epochs, one.search, one.probes, one.prototypes_per_class, sizes))
    return told[0] != told[1]
