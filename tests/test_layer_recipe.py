"""The recipe that asks in which layer a class can be read, its table and its figures."""

import shutil

import numpy as np
import pandas as pd
import pytest
from grid_fakes import write_grid

import protoviz
from protoviz.analysis.attention import by_layer, diffusion
from protoviz.datasets import load_dataset
from protoviz.encoders import load_encoder
from protoviz.experiments.grid import read_grid
from protoviz.experiments.recipe import run_recipe
from protoviz.explorer.pages.layers.view import Layers
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import Studies
from protoviz.kept import write_frame
from protoviz.paths import data_folder
from protoviz.report import layers_table
from protoviz.study import StudyError

SCENES = {"train": 6, "validation": 4, "test": 3, "nested": 2}
GRID = """
name = "tiny"
seeds = [0, 1]
epochs = 1
prototypes_per_class = 1
encoders = { floor = { use = "mini-random" } }
recipe = { use = "layers", depth = DEPTH }
search = { kind = "fixed", few = true, epochs = 1, batch_size = 8 }
[probes]
"protobin + BatchNorm" = {}
cgp = { hyper = { layers = [2, 5] } }
[datasets.procedural]
use = "scenes"
loss = "asl"
options = { train = 6, validation = 4, test = 3, nested = 2, seed = 2 }
[scores]
measures = {}
shares = {}
places = { scenes = 2 }
tokens = { scenes = 3 }
"""


def grid_of(folder, depth=6):
    return read_grid(write_grid(folder, GRID.replace("DEPTH", str(depth))))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    run_recipe(grid_of(folder), folder / "work", folder / "results", progress=False)
    return folder / "results"


def test_what_names_no_layers_is_run_on_each_and_on_their_mixture(tmp_path):
    read = {one.title: one.options["layers"] for one in grid_of(tmp_path).probes}
    single = {f"protobin + BatchNorm, layer {layer}": layer for layer in range(7)}
    assert read == {**single, "protobin + BatchNorm, mixture": list(range(7)), "cgp": [2, 5]}
    shallow = grid_of(tmp_path, 1).probes
    assert [one.options["layers"] for one in shallow] == [0, 1, [0, 1], [2, 5]]


def test_every_layer_has_its_scores_of_all_scenes_and_of_each_class(made):
    runs, classes = (pd.read_parquet(made / f"layers{part}.parquet") for part in ("", "-classes"))
    assert set(zip(runs.method, runs.layer, strict=True)) == {
        *(("protobin + BatchNorm", layer) for layer in (-1, *range(7))),
        ("cgp", -1),
    }
    assert set(runs.events) == {0, 1, 2}
    keys = ["encoder", "method", "layer", "seed"]
    whole = runs[runs.events == 0].set_index(keys).score.sort_index()
    mean = classes.groupby(keys).average_precision.mean().sort_index()
    np.testing.assert_allclose(mean, whole, rtol=1e-6)


def test_what_a_mixture_learned_sums_to_one_over_its_layers(made):
    shares = pd.read_parquet(made / "layers-shares.parquet")
    groups = shares.groupby(["encoder", "method", "seed"])
    assert {key[1]: list(rows.layer) for key, rows in groups} == {
        "protobin + BatchNorm": list(range(7)),
        "cgp": [2, 5],
    }
    np.testing.assert_allclose(groups.share.sum(), 1)


def test_beside_them_stands_how_far_attention_spreads(made):
    spread = pd.read_parquet(made / "layers-spread.parquet").set_index("layer")
    encoder, clips = load_encoder("mini-random"), load_dataset("scenes", **SCENES, seed=2)
    rows = np.flatnonzero(clips.table.split == "test")
    taken = np.unique(np.linspace(0, len(rows) - 1, 3).round().astype(int))
    frames = []
    for row in rows[taken]:
        made = encoder.encode(clips.read(int(row)), attention=True)
        frames.append(diffusion([one[0].numpy() for one in made.attention], made.mask[0].numpy()))
    told = by_layer(pd.concat(frames)).set_index("layer").effective
    np.testing.assert_allclose(spread.effective[1:], told, rtol=1e-4)
    assert np.isnan(spread.effective[0]), "no block makes what enters the first"


def test_the_table_and_the_figures_hold_the_numbers_of_the_runs(made, tmp_path):
    shutil.copytree(data_folder() / "demo", tmp_path / "demo")
    study = protoviz.open_study(tmp_path / "demo")
    with pytest.raises(StudyError, match="protoviz layers"):
        protoviz.figure(study, "scores_by_layer")
    for path in made.glob("layers*"):
        shutil.copy(path, tmp_path / "demo" / "results")
    runs = pd.read_parquet(made / "layers.parquet")
    of_one = 100 * runs[(runs.layer == 3) & (runs.events == 0)].score
    lines = [line.split(" | ") for line in layers_table(tmp_path).splitlines()]
    (row,) = (line for line in lines if line[1:2] == ["protobin + BatchNorm: mAP, %"])
    assert [float(number) for number in row[5].split(" ± ")] == pytest.approx(
        [of_one.mean(), of_one.std()], abs=0.06
    )
    study = protoviz.open_study(tmp_path / "demo")
    drawn = protoviz.figure(study, "scores_by_layer").table.set_index("layer").score
    assert 100 * drawn[3] == pytest.approx(of_one.mean())
    assert set(drawn.index) == {-1, *range(7)}, "cgp reads no single layer"
    classes = protoviz.figure(study, "classes_by_layer").table
    known = pd.read_parquet(made / "layers-classes.parquet").dropna()
    assert set(classes["class"]) == set(known["class"]), "those that test clips have"
    assert protoviz.figure(study, "tokens_by_layer", measure="effective").table.effective.notna().any()
    with pytest.raises(StudyError, match="3 events"):
        protoviz.figure(study, "scores_by_layer", events=3)


def test_the_explorer_shows_where_a_class_is_read_best(made, tmp_path):
    study = shutil.copytree(data_folder() / "demo", tmp_path / "demo")
    bare = ExplorerState(Studies([study]).first(), page="attention")
    assert "protoviz layers" in Layers(bare).measured.object
    table = pd.read_parquet(made / "layers-classes.parquet").assign(encoder="mini-mae")
    for path in made.glob("layers*"):
        shutil.copy(path, study / "results")
    runs = pd.read_parquet(made / "layers.parquet").assign(encoder="mini-mae")
    write_frame(study / "results" / "layers.parquet", runs)
    write_frame(study / "results" / "layers-classes.parquet", table)
    state = ExplorerState(Studies([study]).first(), page="attention")
    view, own = Layers(state), state.own["layers"]
    assert own.method == "protobin + BatchNorm"
    means = table[table.method == own.method].groupby(["class", "layer"]).average_precision.mean().dropna()
    for name in means.index.levels[0].intersection(own.classes["class"])[:3]:
        state.class_name = name
        best = means[name].drop(-1).idxmax()
        assert f"layer {best} ({100 * means[name, best]:.1f} %)" in view.of_class.object
    assert [len(offer.files["CSV"]()[1].splitlines()) - 1 for offer in view.offers()] == [9, len(own.classes)]
