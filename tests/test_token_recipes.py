"""The recipes that ask what tokens and training scenes bring: learning curves, and tokens by encoder."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from grid_fakes import clips, deep, write_grid
from tiny_recipes import quick

from protoviz.analysis.tokens import TOKENS, common_part, token_rank
from protoviz.encoders import load_encoder
from protoviz.experiments import work
from protoviz.experiments.cells import Cells
from protoviz.experiments.finishing import RECIPES
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.recipe import read_recipe, run_recipe
from protoviz.experiments.run import run_grid
from protoviz.experiments.tokens import measured_tokens
from protoviz.kept import write_frame
from protoviz.report.tokens import tokens_table
from protoviz.scenes import make_scene

CURVES = """
name = "tiny"
seeds = [0, 1]
steps = 6
device = "cpu"
[recipe]
use = "curves"
sizes = [8, 20]
[search]
kind = "fixed"
few = true
steps = 2
batch_size = 4
[datasets.one]
use = "test_token_recipes:of_events"
options = { polyphony = 1 }
[datasets.two]
use = "test_token_recipes:of_events"
options = { polyphony = 2 }
[encoders]
tiny = { use = "grid_fakes:tiny" }
[probes]
linear = {}
"protobin + BatchNorm" = { hyper = { prototypes_per_class = 2, batch_norm = true } }
"""


def of_events(polyphony):
    return clips(40, seed=polyphony)


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    grid = read_grid(write_grid(folder, CURVES))
    return grid, folder, run_grid(grid, folder, progress=False)


def test_every_method_learns_from_the_first_clips_of_one_set_of_token_maps(curves):
    grid, folder, _ = curves
    found = pd.read_parquet(folder / "results" / "curves.parquet")
    runs = found.groupby(["encoder", "events", "method", "train_clips"]).seed.apply(list)
    assert runs.tolist() == [[0, 1]] * 8
    assert set(found.method) == {"linear", "protobin + BatchNorm"}
    assert len(list((folder / "tokens").rglob("meta.json"))) == 2, "one a number of events"
    cells = Cells(grid, folder)
    few, many = (
        cells.learned(task, "train").table["clip"].tolist()
        for task in [one for one in cells.tasks("train") if one.dataset == "one"][:2]
    )
    assert (len(few), len(many)) == (8, 20)
    assert many[:8] == few


def test_runs_are_equally_long_at_every_size(curves):
    _, folder, frames = curves
    epochs = {
        clips: {json.loads(one)["epochs"] for one in rows.config}
        for clips, rows in frames["results"].groupby("train_clips")
    }
    assert epochs == {8: {3}, 20: {1}}, "6 steps of batches of 4"
    search = pd.read_parquet(folder / "results" / "curves-search.parquet")
    assert search.groupby("train_clips").epochs.max().to_dict() == {8: 1, 20: 1}
    told = json.loads((folder / "results" / "curves.json").read_text())
    assert told["compare"]["steps"] == 6
    assert told["sizes"] == [8, 20]
    assert told["events"] == [1, 2]


def test_what_is_written_down_is_the_grid_that_was_run_and_a_further_size_trains_only_itself(
    curves, tmp_path, monkeypatch
):
    grid, folder, frames = curves
    assert read_grid(folder / "study.toml") == grid
    trained, fit_many = [], work.fit_many

    def counted(runs, train, *rest, **options):
        trained.append(len(train))
        return fit_many(runs, train, *rest, **options)

    monkeypatch.setattr(work, "fit_many", counted)
    more = read_grid(write_grid(tmp_path, CURVES.replace("[8, 20]", "[8, 12, 20]")))
    again = run_grid(more, folder, progress=False)["results"]
    assert trained == [12] * 4
    kept = again[again.train_clips != 12].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, frames["results"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[8, 20]", "[8, 2000]", "first 2,000 training clips"),
        ("[8, 20]", "[20, 8]", "rise"),
        ("{ polyphony = 2 }", "{}", "give polyphony"),
        ("steps = 6", "steps = 0", "steps"),
        ("linear = {}", "linear = { first = 0 }", "linear.first"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_clip_is_encoded(old, new, said, tmp_path):
    with pytest.raises(GridError, match=said):
        run_grid(read_grid(write_grid(tmp_path, CURVES.replace(old, new))), tmp_path / "run", progress=False)
    assert not (tmp_path / "run" / "tokens").exists()


def test_tokens_are_measured_layer_by_layer():
    encoder, sounds = deep(), [np.random.default_rng(i).normal(size=32) for i in range(10)]
    table = measured_tokens(encoder, sounds)
    assert table.columns.tolist() == [*TOKENS, "effective"]
    assert table.layer.tolist() == [0, 1, 2, 3]
    tokens = np.concatenate([encoder.encode(one).tokens[0].numpy() for one in sounds])
    last = table.iloc[-1]
    assert (last.clips, last.width) == (10, encoder.dim)
    assert last.common == pytest.approx(common_part(tokens), abs=1e-6)
    assert last["rank"] == pytest.approx(token_rank(tokens), rel=1e-5)
    plain = measured_tokens(load_encoder("mini-random"), [make_scene(1, 2).waveform])
    assert plain.clip_rank.tolist() == plain["rank"].tolist(), "of one clip"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    options = {"train": 6, "validation": 4, "test": 3, "nested": 2}
    grid = read_recipe(
        "tokens",
        **quick(),
        encoders={"other weights": {"use": "mini-random"}},
        probes=["mhca", "protobin + BatchNorm + clip centre"],
        scores={"places": {"scenes": 2}, "tokens": {"scenes": 3}},
        datasets={"procedural": {"options": options}},
    )
    run_recipe(grid, folder / "work", folder, progress=False)
    return folder


def test_a_row_says_what_an_encoders_tokens_are_and_what_probes_make_of_them(tokens):
    scores, places, spread = (
        pd.read_parquet(tokens / f"tokens{part}.parquet") for part in ("", "-places", "-spread")
    )
    assert set(scores.events) == {0, 1, 2}
    assert set(scores.method) == {"mhca", "protobin + BatchNorm + clip centre"}
    assert set(zip(places.method, places["map"], strict=True)) == {
        ("mhca", "attention"),
        ("mhca", "cells"),
        ("protobin + BatchNorm + clip centre", "prototypes"),
    }
    assert set(places.measure) == {"first", "first five"}
    assert places.scenes.max() == 2
    encoder = load_encoder("mini-random")
    assert spread.layer.tolist() == list(range(encoder.depth + 1))
    assert set(spread.clips) == {3}
    assert set(scores.encoder) | set(places.encoder) | set(spread.encoder) == {"other weights"}
    assert json.loads((tokens / "tokens.json").read_text())["encoder"] == ["other weights"]


def test_its_table_holds_the_numbers_of_the_runs(tokens, tmp_path):
    """Beside each method stand the measures of the layer that it reads."""
    for path in tokens.glob("tokens*.*"):
        shutil.copy(path, tmp_path)
    runs = pd.read_parquet(tokens / "tokens.parquet")
    assert set(runs.layer) == {-1}, "the last, of every method here"
    write_frame(tmp_path / "tokens.parquet", runs.assign(layer=runs.layer.mask(runs.method == "mhca", 2)))
    text = tokens_table(tmp_path)
    scores, spread = (pd.read_parquet(tokens / f"tokens{part}.parquet") for part in ("", "-spread"))
    for method, layer in (("mhca", 2), ("protobin + BatchNorm + clip centre", spread.layer.max())):
        told = spread[spread.layer == layer].iloc[0]
        (line,) = (row for row in text.splitlines() if row.startswith(f"| other weights | {method} |"))
        runs = 100 * scores[(scores.method == method) & (scores.events == 1)].score
        assert f"{runs.mean():.1f} ± {runs.std():.1f}" in line
        assert line.endswith(f"| {told.common:.2f} | {told['rank']:.1f} |")


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_has_a_rehearsal(name):
    whole, small = read_recipe(name), read_recipe(name, small=True)
    assert len(small.seeds) < len(whole.seeds)
    assert {one.name for one in small.datasets} == {one.name for one in whole.datasets}
