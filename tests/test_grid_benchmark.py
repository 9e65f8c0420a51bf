"""benchmarks/grid.py: what it compares, and the small grid that it runs."""

import pandas as pd
import pytest

from benchmarks.grid import FOUND, KEYS, SMALL, command, differences, done
from protoviz.experiments.grid import read_grid
from protoviz.pretraining import OBJECTIVES, RECIPES


def runs(**changes) -> pd.DataFrame:
    """Two runs of a grid; a change sets a column of the second."""
    row = dict.fromkeys(FOUND, 0.1) | {
        "dataset": "a",
        "encoder": "b",
        "method": "c",
        "per_class": [0.1, None],
    }
    return pd.DataFrame([{**row, "seed": 0}, {**row, "seed": 1, **changes}])


def test_equal_runs_in_another_order_do_not_differ():
    assert differences(runs(), runs()[::-1]) == []
    assert differences(runs(lr=None), runs(lr=None)) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"score": 0.1 + 1e-12}, "score differs in 1 of 2 runs"),
        ({"per_class": [0.1, 0.0]}, "per_class differs in 1 of 2 runs"),
        ({"seed": 2}, "2 runs are in one of them only"),
        ({"seed": 0}, "second: 2 rows, 1 twice"),
    ],
)
def test_every_difference_is_told(changes, told):
    assert told in differences(runs(), runs(**changes))


def test_the_small_grid_has_the_whole_shape(tmp_path):
    grid = read_grid(SMALL)
    assert len(grid.datasets) == 2
    assert len(grid.probes) == 11
    assert len(grid.seeds) == 5
    names = {entry.name for entry in grid.encoders}
    assert {type(RECIPES[name].objective) for name in names if name in RECIPES} == set(OBJECTIVES)
    assert "mini-random" in names
    assert set(KEYS) < set(runs())
    assert str(SMALL) in command(tmp_path)
    assert done(tmp_path) == 0
