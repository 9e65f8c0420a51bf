"""BirdSet's few-shot protocol, from a copy of its layout to a table with both spreads."""

import numpy as np
import pandas as pd
from dataset_copies import birdset
from grid_fakes import write_grid

from benchmarks.few_shot import BIRDS, GRID, make_copy, shots_of, tidy
from protoviz.datasets import load_dataset
from protoviz.encoders import MiniConfig
from protoviz.encoders.mini import random_mini
from protoviz.experiments.grid import read_grid
from protoviz.experiments.run import run_grid
from protoviz.kept import write_frame, write_json
from protoviz.report import few_shot_table

SMALL = """
seeds = [0, 1]
epochs = 1
device = "cpu"
search = { sobol = 1, tpe = 0, epochs = 1, rungs = [] }
[encoders.small]
use = "test_few_shot:small"
[probes.linear]
[probes.mhca]
hyper = { heads = 2 }
"""
DATASET = """
[datasets."{0}, draw {1}"]
use = "hsn"
options = {{ root = "{2}", condition = "{0}", seed = {1}, shots = 3, copies = 2, seconds = 2.0 }}
"""


def small():
    """An untrained mini for clips of two seconds."""
    return random_mini(seed=0, name="small", config=MiniConfig(width=16, depth=1, heads=2, frames=208))


def test_the_protocol_runs_end_to_end(tmp_path):
    root, draws = birdset(tmp_path / "copy"), [("lenient", 0), ("strict", 1)]
    text = SMALL + "".join(DATASET.format(*one, root) for one in draws)
    grid = read_grid(write_grid(tmp_path, text))
    shots = {entry.name: shots_of(entry) for entry in grid.datasets}
    found = tidy(run_grid(grid, tmp_path / "run", progress=False)["results"], shots)
    assert found.shots.between(1, 3).all()
    assert len(found) == len(draws) * 2 * 2
    assert set(zip(found.condition, found.draw, strict=True)) == set(draws)
    assert found.score.between(0, 1).all()
    assert found.clips.nunique() == 1, "every run is scored on the same segments"


def test_every_mean_stands_beside_both_spreads(tmp_path):
    """One method is the same for all seeds, one for all draws; a third is below linear in one run of six."""
    rows = []
    for draw in (0, 1):
        for seed in (0, 1, 2):
            scores = {"linear": 0.5, "by draw": 0.6 + 0.2 * draw, "by seed": 0.49 + 0.1 * seed}
            scores["low once"] = 0.4 if (draw, seed) == (1, 2) else 0.7
            rows += [
                ("strict", draw, 30 + draw, method, seed, score, 0.2, 9) for method, score in scores.items()
            ]
    columns = ["condition", "draw", "shots", "method", "seed", "score", "chance", "clips"]
    write_frame(tmp_path / "few-shot.parquet", pd.DataFrame(rows, columns=columns))
    write_json(tmp_path / "few-shot.json", {"command": "make it", "encoder": "mini-mae"})
    lines = few_shot_table(tmp_path).splitlines()
    cells = {line.split(" | ")[1]: line.strip("| ").split(" | ")[2:] for line in lines if "strict" in line}
    assert cells["by draw"] == ["70.0 ± 0.0", "14.1", "60.0 to 80.0", "0 of 6"]
    assert cells["by seed"] == ["59.0 ± 10.0", "0.0", "49.0 to 69.0", "2 of 6"]
    assert cells["low once"][-1] == "1 of 6"
    assert "make it" in lines[-1]


def test_the_small_copy_has_what_the_protocol_asks_for(tmp_path):
    """Short and long recordings, second species, noise; the grid that is measured reads it as published."""
    clips = load_dataset("hsn", make_copy(tmp_path, recordings=4, tests=3), shots=2, copies=1)
    assert clips.classes == BIRDS
    assert clips.skipped.empty
    listed = pd.read_parquet(tmp_path / "HSN" / "HSN_metadata_train.parquet")
    assert {-1, 0, 1} <= set(np.concatenate(listed.event_cluster))
    grid = read_grid(GRID)
    assert {one.options["condition"] for one in grid.datasets} == {"lenient", "strict"}
    for entry in grid.datasets:
        assert entry.name == f"{entry.options['condition']}, draw {entry.options['seed']}"
