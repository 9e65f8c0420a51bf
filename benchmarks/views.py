"""What caching costs: probes trained on 1, 2, 4 and 8 views of each clip, and on views encoded anew.

`python -m benchmarks views` runs benchmarks/views.toml at each number of views in runs/views, then trains the
same probes, at the rates of one view, on views that no cache holds: the upper bound. Stopped, it goes on. It
prints mAP over bytes and writes views.parquet, of a full run into data/demo/results, of any other into
runs/views. `--small` rehearses it, `--counts 1,4` takes others.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from protoviz.analysis.views import ANEW
from protoviz.cache import TokenBatch, TokenView
from protoviz.cache.ahead import read_ahead
from protoviz.cache.grouping import encode_in_groups
from protoviz.datasets.views import with_views
from protoviz.encoders.devices import device_named
from protoviz.experiments.cells import Cells
from protoviz.experiments.grid import Grid, read_grid
from protoviz.experiments.materials import Pair
from protoviz.experiments.recipe import settings_of
from protoviz.experiments.run import run_grid
from protoviz.experiments.spent import scored
from protoviz.kept import write_frame, write_json
from protoviz.paths import shipped_folder
from protoviz.probes import untrained
from protoviz.report import views_table
from protoviz.training import FitConfig, fit_many, predict_many

GRID, WORK = Path(__file__).with_name("views.toml"), Path("runs/views")
COUNTS = "1,2,4,8"


class Anew:
    """Training clips with the face of a token cache: each pass has a view of each that no other pass has."""

    def __init__(self, pair: Pair, train: TokenView):
        self.pair, self.train = pair, train
        place = {clip: row for row, clip in enumerate(pair.clips.table["clip"])}
        self.rows = np.array([place[clip] for clip in train.table["clip"]])

    def __len__(self) -> int:
        return len(self.train)

    def targets(self) -> np.ndarray:
        return self.train.targets()

    @cached_property
    def fingerprint(self) -> str:
        return f"{self.train.fingerprint} {self.pair.grid.views}"

    def batches(self, size: int = 128, seed: int | None = None) -> Iterator[TokenBatch]:
        """Yield the clips in the order of a cache, encoded now, in a view that the seed decides."""
        if seed is None:
            yield from self.train.batches(size)
            return
        views = replace(self.pair.grid.views, count=2, seed=seed)
        clips, encoder = with_views(self.pair.clips, views), self.pair.encoder
        at = {
            of: row
            for row, (of, view) in enumerate(zip(clips.table.view_of, clips.table["view"], strict=True))
            if view
        }
        rows = np.array([at[clip] for clip in self.train.table["clip"]])
        rows = np.random.default_rng(seed).permutation(rows)
        targets, parts = clips.targets(), [rows[i : i + size] for i in range(0, len(rows), size)]
        with read_ahead(clips, [part.tolist() for part in parts]) as sounds, torch.no_grad():
            for part, heard in zip(parts, sounds, strict=True):
                made = [encode_in_groups(encoder, heard[i : i + 16]) for i in range(0, len(part), 16)]
                arrays = (
                    torch.cat([getattr(one, name) for one in made]) for name in ("tokens", "cls", "mask")
                )
                tokens, cls, mask = arrays
                yield TokenBatch(tokens.half(), cls.float(), mask, torch.from_numpy(targets[part]))


def of_counts(grid: Grid, counts: Sequence[int], folder: Path) -> pd.DataFrame:
    """A row a run: views, bytes (of the cache), method, seed, score."""
    parts = []
    for count in counts:
        one = replace(grid, views=replace(grid.views, count=count))
        place = folder / f"views-{count}"
        results = run_grid(one, place)["results"]
        if failed := Cells(one, place).failures():
            raise RuntimeError(failed[0]["error"])
        nbytes = sum(path.stat().st_size for path in place.glob("tokens/*/*/*/shards/*.npy"))
        parts.append(results[["method", "seed", "score"]].assign(views=str(count), bytes=nbytes))
    return pd.concat(parts, ignore_index=True)


def of_none(grid: Grid, folder: Path, first: int) -> pd.DataFrame:
    """The same of views that are encoded in every epoch; first: the number of views whose rates are taken."""
    cells, rows = Cells(replace(grid, views=replace(grid.views, count=first)), folder / f"views-{first}"), []
    for task in cells.tasks("train"):
        pair, device = cells.of(task), device_named(grid.device)
        pair.encoder.to(device)
        rates = {
            "batch_size": grid.search.batch_size,
            "loss": pair.loss,
            **cells.read(cells.search_file(task))["best"],
        }
        probes = [untrained(pair.probe(cells.method(task.probe)), seed).to(device) for seed in grid.seeds]
        for probe in probes:
            probe.fixed = False  # its vectors are others in every epoch
        runs = [
            (probe, FitConfig(grid.epochs, seed=seed, **rates))
            for probe, seed in zip(probes, grid.seeds, strict=True)
        ]
        train = Anew(pair, cells.split(task, "train"))
        results = fit_many(runs, train, cells.split(task, "validation"), True, folder=folder / ANEW)
        test = cells.split(task, "test")
        for seed, logits, result in zip(grid.seeds, predict_many(probes, test), results, strict=True):
            row = scored(result, logits, test.targets(), pair.loss)
            rows.append({"method": task.probe, "seed": seed, "score": row["score"]})
    return pd.DataFrame(rows).assign(views=ANEW, bytes=0)


def main(arguments: Sequence[str] = ()) -> None:
    """Runs all of it; what is finished is not made again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks views")
    parser.add_argument("--counts", default=COUNTS, help="numbers of views")
    parser.add_argument("--small", action="store_true", help="a rehearsal")
    parser.add_argument("--work", type=Path, default=WORK, help="of token maps and finished cells")
    chosen = parser.parse_args(arguments)
    counts, grid = [int(count) for count in chosen.counts.split(",")], read_grid(GRID, chosen.small)
    full = not chosen.small and chosen.counts == COUNTS
    folder = shipped_folder() / "demo" / "results" if full else chosen.work
    found = pd.concat(
        [of_counts(grid, counts, chosen.work), of_none(grid, chosen.work, counts[0])], ignore_index=True
    )
    write_frame(folder / "views.parquet", found)
    told = settings_of(grid, grid.datasets[0], "python -m benchmarks views")
    write_json(folder / "views.json", told | {"reduced": not full})
    print(views_table(folder))
