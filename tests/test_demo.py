"""The demo rebuilds itself from seeds, goes on where it was stopped, and its table is that of its results."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from protoviz.datasets import scene_of
from protoviz.encoders import load_encoder
from protoviz.experiments import CompareConfig, comparison, demo
from protoviz.explorer.workbench import load_demo
from protoviz.report import demo_table, poolings_table
from protoviz.scenes import make_scene
from protoviz.study import check_study, open_study, wrong

TINY = demo.DemoConfig(
    encoder="mini-random",
    train=24,
    validation=12,
    test=24,
    compare=CompareConfig(epochs=2, search_epochs=1, seeds=(0, 1), prototypes_per_class=2),
    methods=("linear", "protobin", "mhca"),
    clips_per_polyphony=1,
    maps=False,  # umap-learn compiles for longer than all of this takes
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder, work = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("work")
    demo.build_demo(folder, work, TINY)
    return folder, work


def test_all_that_the_page_needs_is_there(built):
    folder, _ = built
    study = open_study(folder)
    assert not wrong(check_study(study))
    clips = study.clips["mixed"].table
    assert clips.polyphony.tolist() == sorted(set(clips.polyphony))
    probes = [study.probe(method) for method in TINY.methods]
    assert all(len(probe.metadata["classes"]) == 24 for probe in probes)
    assert probes[1].metadata["seed"] == 0, "its start comes back"
    assert study.results.settings("results")["encoder"] == "mini-random"
    workbench = load_demo(folder)
    assert list(workbench.probes) == list(TINY.methods)
    nearest = workbench.table("nearest")
    assert {"probe", "seed", "polyphony"} <= set(nearest)
    assert set(nearest["rank"]) == set(range(1, 9)), "the page shows the top"


def test_maps_and_sound_of_its_clips_are_made_as_its_encoder_and_scenes_make_them(built):
    shown = open_study(built[0]).clips["mixed"]
    clip = shown.table["clip"].iloc[1]
    scene = make_scene(*scene_of(clip))
    wave, rate = shown.sound(clip)
    np.testing.assert_array_equal(wave, scene.waveform)
    assert rate == scene.sample_rate
    encoding = load_encoder("mini-random").encode(scene.waveform, attention=True)
    np.testing.assert_array_equal(shown.array("tokens")[1], encoding.tokens[0].half())
    np.testing.assert_allclose(shown.array("attention")[1, -1], encoding.attention[-1][0], atol=1e-3)
    assert shown.array("pictures").dtype == np.uint8


def test_prototype_probes_carry_their_mean_scores_over_the_training_clips(built):
    folder, work = built
    study = open_study(folder)
    probe = study.probe("protobin")
    train = demo.TokenCache.create(work / "tokens", demo.load_encoder("mini-random"), demo._mixed(TINY))
    scores = [probe.explain(b.tokens, cls=b.cls, mask=b.mask).scores for b in train.split("train").batches(5)]
    np.testing.assert_allclose(probe.metadata["mean_scores"], torch.cat(scores).mean(0), atol=2e-6)
    assert probe.metadata["title"] == "protobin"
    assert "mean_scores" not in study.probe("linear").metadata


def test_the_rates_of_the_final_runs_are_the_best_of_the_search(built):
    folder, _ = built
    search, results = (open_study(folder).results[name] for name in ("search", "results"))
    for method, rows in search.groupby("method"):
        best = rows.loc[rows.validation.idxmax()]
        final = results[results.method == method]
        assert set(final.lr) == {best.lr}
        assert set(final.seed) == {0, 1}


def test_a_second_build_trains_nothing_and_gives_the_same_files(built, monkeypatch):
    folder, work = built
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(comparison, "fit_many", None)  # any training would fail
    demo.build_demo(folder, work, TINY)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_table_shows_mean_and_deviation_of_the_results(built):
    folder, _ = built
    text, results = demo_table(folder), open_study(folder).results["results"]
    scores = 100 * results[(results.method == "linear") & (results.polyphony == 0)].score
    assert f"| linear | {np.mean(scores):.1f} ± {np.std(scores, ddof=1):.1f} |" in text
    assert "mini encoder" in text


def test_methods_are_compared_on_mixed_scenes_and_on_single_events(built, tmp_path):
    _, work = built
    demo.build_poolings(tmp_path, work, replace(TINY, single=(16, 8, 8)), ["linear", "protofloat"])
    results = pd.read_parquet(tmp_path / "poolings.parquet")
    assert set(results.scenes) == {"mixed", "one event"}
    assert set(results[results.scenes == "one event"].metric) == {"accuracy"}
    text = poolings_table(tmp_path)
    assert [line.split(" | ")[0] for line in text.splitlines()[2:5]] == [
        "| linear",
        "| protofloat",
        "| chance",
    ]


def test_prototype_counts_are_compared_and_share_finished_runs(built, tmp_path):
    folder, work = built
    demo.build_per_class(tmp_path, work, counts=(1, 2), methods=("protobin",), config=TINY)
    found = pd.read_parquet(tmp_path / "per-class.parquet")
    assert found.groupby("per_class").seed.apply(list).to_dict() == {1: [0, 1], 2: [0, 1]}
    known = open_study(folder).results["results"]
    known = known[(known.method == "protobin") & (known.polyphony == 0)]
    assert found[found.per_class == 2].score.tolist() == known.score.tolist(), "J = 2 is the demo's own run"
    assert json.loads((tmp_path / "per-class.json").read_text())["counts"] == [1, 2]
