"""The tables of the polyphony experiment: the same probes on scenes of 1 to 8 events.

The number of events in a scene is all that changes: a scene of k events is that of k - 1 and one more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from protoviz.analysis.by_polyphony import FALSE_ALARMS, REFERENCE
from protoviz.analysis.localisation import hit_intervals
from protoviz.encoders import present_encoders
from protoviz.experiments.cells import Cells
from protoviz.experiments.finishing import Recipe
from protoviz.experiments.grid import Grid
from protoviz.experiments.recipe import is_reduced, runs_of, searched, settings_of, with_rates
from protoviz.kept import write_frame, write_json

FILES = {
    "search": "polyphony-search",
    "scores": "polyphony",
    "classes": "polyphony-classes",
    "loudness": "polyphony-loudness",
    "located": "localisation",
}
NAMES, RATES = ["dataset", "encoder"], ["method", "lr", "prototype_lr"]
BY_MAP = ["dataset", "method", "map", "measure", "polyphony"]
RECORDED = "recordings"  # the data set beside the procedural one
STRONG = "mini-mae"  # the encoder of the recipe "strong"


@dataclass(frozen=True)
class Polyphony(Recipe):
    """The tables polyphony, -classes, -loudness, -search and localisation, and polyphony.json."""

    name = "polyphony"

    def finish(self, cells: Cells, frames: dict[str, pd.DataFrame], folder: Path) -> None:
        for name, frame in polyphony_tables(frames).items():
            write_frame(folder / f"{FILES[name]}.parquet", frame)
        grid, entry = cells.grid, cells.grid.datasets[0]
        told = settings_of(grid, entry, command_of(grid))
        sizes = {"scenes": told.pop("test"), "most": entry.options["nested"]}
        sizes["located"] = dict(next(one for one in grid.scores if one.use == "places").options)["scenes"]
        told |= {**sizes, "encoder": [one.name for one in grid.encoders], "reference": REFERENCE}
        told |= {"false_alarms": FALSE_ALARMS, "reduced": is_reduced(grid, entry.name)}
        pairs = {one.name: cells.pair(one.name, grid.encoders[0].name) for one in grid.datasets}
        told["sources"] = {name: len(pair.clip_facts.classes) for name, pair in pairs.items()}
        write_json(folder / "polyphony.json", told)


def polyphony_tables(frames: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables of FILES; classes and places are means over the seeds, places with intervals."""
    classes = _over_seeds(frames["by-class"], ["class", "polyphony"])
    located = _over_seeds(frames["places"], ["map", "measure", "scene", "polyphony"])
    tables = {
        "scores": with_rates(frames["measures"], frames, *RATES[1:]),
        "classes": with_rates(classes, frames, *RATES[1:]),
        "loudness": with_rates(frames["by-level"], frames, *RATES[1:]),
    }
    tables = {name: _ordered(table) for name, table in tables.items()}
    wide = tables["classes"].select_dtypes("float64").columns
    # Thousands of rows: seven digits are more than they can say.
    tables["classes"] = tables["classes"].astype(dict.fromkeys(wide, "float32"))
    parts = list(_located(located, runs_of(frames)[NAMES].drop_duplicates()))
    search = searched(frames)
    search = search[[*(name for name in search if name not in NAMES), *NAMES]]
    return {"search": search, **tables, "located": pd.concat(parts, ignore_index=True)}


def _over_seeds(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Means over the seeds; rows of the encoder by itself have none."""
    keys = [*NAMES, "method", *keys]
    return frame.drop(columns="seed").groupby(keys, sort=False, as_index=False).mean()


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table[[*(name for name in table if name not in (*NAMES, *RATES)), *RATES, *NAMES]]


def _located(frame: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Hits with intervals over the scenes of each data set and encoder."""
    for dataset, encoder in pairs.itertuples(index=False):
        rows = frame[(frame.dataset == dataset) & (frame.encoder == encoder)]
        lone = rows.method == ""  # maps that no probe is behind are called by their own names
        rows = pd.concat([rows[~lone], rows[lone].assign(method=rows["map"][lone])], ignore_index=True)
        found = hit_intervals(rows.assign(dataset=""), BY_MAP).drop(columns="dataset")
        yield found.assign(dataset=dataset, encoder=encoder)


def command_of(grid: Grid) -> str:
    """Return the command that made the tables; where recordings and weights lie is no one's business."""
    told = f"protoviz polyphony --encoders {','.join(one.name for one in grid.encoders)}"
    mixed = [entry for entry in grid.datasets if entry.options.get("recordings")]
    told += " --recordings FOLDER" if mixed else ""
    told += " --weights PATH" if any(one.weights for one in grid.encoders) else ""
    groups = [entry.options["group"] for entry in mixed if entry.options.get("group")]
    return told + "".join(f" --group '{group}'" for group in groups)


def with_recordings(grid: Grid, root: Path, labels: Sequence[str] = (), group: str | None = None) -> Grid:
    """Return the recipe's grid with a second kind of scenes, mixed from a folder of labelled recordings."""
    first = grid.datasets[0]
    given = {"recordings": str(root), "labels": list(labels), "group": group}
    options = {**first.options, **{name: value for name, value in given.items() if value}}
    return replace(grid, datasets=(first, replace(first, name=RECORDED, options=options)))


def mini_encoders() -> list[str]:
    """Return the mini encoders that load without fetching anything, the trained ones first."""
    names = [name for name in present_encoders() if name.startswith("mini-")]
    return sorted(names, key=lambda name: name == "mini-random")
