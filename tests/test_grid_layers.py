"""A grid whose methods read other layers: one cache holds what they need, and results stay."""

import pandas as pd
from grid_fakes import GRID, write_grid

from protoviz.experiments.cells import Cells
from protoviz.experiments.estimate import plan
from protoviz.experiments.grid import read_grid
from protoviz.experiments.keeping import keep_study
from protoviz.experiments.run import run_grid
from protoviz.study import open_study

LAST = """
[probes]
linear = {}
"""
LAYERED = """
[probes."linear at 1"]
use = "linear"
hyper = { layers = 1 }
[probes.mixed]
use = "protobin"
hyper = { layers = [0, 1, 3], prototypes_per_class = 2 }
[probes.linear_cgp]
hyper = { layers = [1, 3] }
"""


def grid(folder, probes):
    head = GRID[: GRID.index("[datasets.dogs]")]
    text = head + '[encoders]\ndeep = { use = "grid_fakes:deep" }\n' + probes
    return read_grid(write_grid(folder, text))


def test_methods_of_other_layers_are_rows_too(tmp_path):
    folder = tmp_path / "run"
    before = run_grid(grid(tmp_path, LAST), folder, progress=False)["results"]
    more = grid(tmp_path, LAST + LAYERED)
    sizes = plan(Cells(more, folder))
    results = run_grid(more, folder, progress=False)["results"]
    assert set(results.method) == {"linear", "linear at 1", "mixed", "linear_cgp"}
    again = results[results.method == "linear"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again[before.columns], before)  # seconds too: nothing ran again
    cells = Cells(more, folder)
    (encode,) = (task for task in cells.tasks() if task.kind == "encode")
    cache = cells.of(encode).cache(folder)
    assert cache.layers == (0, 1, 3)
    assert sum(sizes.bytes) >= 40 * cache.read([0]).tokens.numpy().nbytes * 3
    assert len(list((folder / "tokens").rglob("meta.json"))) == 2
    keep_study(cells)
    shown = open_study(folder).results["shown"]
    assert set(shown.method) == set(results.method)
    assert shown.logits.map(len).eq(3).all()
