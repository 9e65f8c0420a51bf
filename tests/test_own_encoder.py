"""An encoder of one's own by module:Name, wherever the name of an encoder is: grid, encode, polyphony."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from grid_fakes import SMALLEST
from own_classes import notebooks_encoder
from tiny_recipes import polyphony_grid, strong_grid
from typer.testing import CliRunner

from protoviz.cache import TokenCache
from protoviz.cli import app
from protoviz.encoders import EncoderError, load_encoder
from protoviz.encoders.check import check_encoder, failures
from protoviz.encoders.own import own_encoder
from protoviz.experiments.cells import Cells
from protoviz.experiments.estimate import plan
from protoviz.experiments.grid import read_grid
from protoviz.experiments.recipe import run_recipe
from protoviz.experiments.run import run_grid
from protoviz.paths import DATA

GRID = f"""{SMALLEST}[datasets.scenes]
options = {{ train = 8, validation = 4, test = 4 }}
[encoders.mine]
use = "MODULE:MelPatches"
[probes]
linear = {{}}
protobin = {{ hyper = {{ prototypes_per_class = 1 }} }}
"""


@pytest.fixture
def mine(tmp_path, monkeypatch, request):
    """module:Name of the notebook's class, in a file of the current directory."""
    module = f"own_{abs(hash(request.node.name))}"
    (tmp_path / f"{module}.py").write_text(notebooks_encoder())
    monkeypatch.chdir(tmp_path)
    return f"{module}:MelPatches"


def test_the_notebooks_class_has_no_fault(mine):
    assert not failures(check_encoder(own_encoder(mine)))
    opened = load_encoder(mine)
    assert not failures(check_encoder(opened))
    assert opened.fingerprint() == own_encoder(mine).fingerprint()
    for given in ({"weights": "x.pt"}, {"seconds": 5}):
        with pytest.raises(EncoderError, match=f"MelPatches.*no {next(iter(given))}"):
            load_encoder(mine, **given)


def test_the_notebooks_class_runs_in_a_grid_as_it_stands(mine, tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(GRID.replace("MODULE", mine.partition(":")[0]))
    cells = Cells(read_grid(path), tmp_path / "runs")
    assert set(plan(cells).state) == {"to do"}
    results = run_grid(read_grid(path), tmp_path / "runs")["results"]
    assert cells.failures() == []
    assert len(results) == 2
    assert results.score.between(0, 100).all()
    assert set(plan(cells).state) == {"done"}


def run(*arguments):
    return CliRunner().invoke(app, [str(part) for part in arguments], env={"COLUMNS": "200"})


FEW = ("--train", 3, "--validation", 1, "--test", 1)


def test_encode_takes_a_class_and_weights(mine, tmp_path):
    done = run("encode", "scenes", mine, "tokens", *FEW)
    assert done.exit_code == 0, done.output
    assert TokenCache.open("tokens", load_encoder(mine)).dim == 64
    assert run("encode", "scenes", mine, *FEW).exit_code == 0
    shutil.copy(DATA / "encoders" / "mini-eat.safetensors", "mine.safetensors")
    done = run("encode", "scenes", "mini-mae", "other", *FEW, "--weights", "mine.safetensors")
    assert done.exit_code == 0, done.output
    assert TokenCache.open("other", load_encoder("mini-mae", "mine.safetensors"))
    for encoder in (mine, "mini-random"):
        done = run("encode", "scenes", encoder, "none", *FEW, "--weights", "mine.safetensors")
        assert done.exit_code == 1
        assert "--weights" in done.output


def test_polyphony_takes_a_class_and_weights(mine, tmp_path):
    shutil.copytree(DATA / "encoders", "weights")
    shutil.copy("weights/mini-eat.safetensors", "weights/mini-mae.safetensors")
    encoders = {mine: {}, "mini-mae": {"weights": "weights"}}
    tiny = polyphony_grid((4, 2, 2, 2), 1, ("linear", "protobin"), encoders, seeds=(0,))
    run_recipe(tiny, Path("work"), Path("results"), progress=False)
    scores = pd.read_parquet("results/polyphony.parquet")
    assert set(scores.encoder) == {mine, "mini-mae"}
    places = pd.read_parquet("results/localisation.parquet")
    assert set(places[places.encoder == mine]["map"]) == {"prototypes", "loudest cell"}, (
        "it gives no attention"
    )
    assert "[cls] attention" in set(places[places.encoder == "mini-mae"]["map"])
    cached = Cells(tiny, "work").pair("procedural", "mini-mae").cache(Path("work"))
    assert cached.made_by["fingerprint"] != load_encoder("mini-mae").fingerprint()


@pytest.mark.parametrize("name", ["mine", "mini-beats"])
def test_strong_takes_any_encoder(name, mine, tmp_path):
    rng = np.random.default_rng(0)
    for place in ("birds/a.wav", "birds/b.wav", "labelled/c.wav"):
        Path(place).parent.mkdir(exist_ok=True)
        soundfile.write(place, 0.1 * rng.standard_normal(160_000).astype(np.float32), 16_000)
    Path("labelled/c.csv").write_text("filename,onset,offset,event_label\nc.wav,1.0,3.0,bird\n")
    chosen = mine if name == "mine" else name
    run_recipe(strong_grid(chosen, "labelled", ["birds"]), Path("work"), Path("results"), progress=False)
    found = pd.read_parquet("results/strong.parquet")
    assert set(found["map"]) == {"prototypes", "loudest cell"}
    assert f"--encoders {chosen}" in Path("results/strong.json").read_text()
