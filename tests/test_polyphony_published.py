"""`protoviz polyphony` with published encoders: their grid has to hold the scenes, at their rate."""

import shutil

import numpy as np
import pandas as pd
import pytest
from golden_names import ENCODER_FILES
from tiny_recipes import polyphony_grid

from protoviz.experiments.cells import Cells
from protoviz.experiments.recipe import run_recipe

PROBES = ("linear", "protobin + BatchNorm")
FILES = {
    "asit": {"asit/checkpoint.pth": "asit.pth"},
    "beats": {"beats/checkpoint.pt": "beats.pt"},
    "dasheng": {
        "dasheng/config_hf.json": "dasheng/config.json",
        "dasheng/model_hf.safetensors": "dasheng/model.safetensors",
    },
}


@pytest.mark.parametrize(("name", "grid"), [("asit", (64, 8)), ("beats", (63, 8)), ("dasheng", (256, 1))])
def test_a_published_encoder_takes_whole_scenes(name, grid, tmp_path, monkeypatch):
    for source, place in FILES[name].items():
        (tmp_path / "weights" / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ENCODER_FILES / source, tmp_path / "weights" / place)
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(tmp_path / "weights"))
    made = polyphony_grid((4, 2, 2, 2), 1, PROBES, [name], seeds=(0,))
    run_recipe(made, tmp_path / "work", tmp_path / "results", progress=False)
    cache = Cells(made, tmp_path / "work").pair("procedural", name).cache(tmp_path / "work")
    assert cache.grid == grid
    assert cache.meta["sample_rate"] == 16_000
    assert len(cache) == 10
    assert cache.read(np.arange(10)).mask.all()
    assert pd.read_parquet(tmp_path / "results" / "localisation.parquet").score.between(0, 1).all()
