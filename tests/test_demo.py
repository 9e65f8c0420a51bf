"""The demo rebuilds itself from seeds, goes on where it was stopped, and its table is that of its results."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_recipes import demo_grid
from visiting import says

import protoviz
from protoviz.analysis.attention import coverage, diffusion
from protoviz.analysis.results import per_class
from protoviz.analysis.showing import RULES
from protoviz.datasets import scene_of
from protoviz.datasets.clips import SPLITS
from protoviz.encoders import load_encoder
from protoviz.experiments import rates, work
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.demo import counted
from protoviz.experiments.recipe import run_recipe
from protoviz.experiments.scoring import score_rows
from protoviz.explorer.pages.pruning.view import Pruning
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import Studies, served_studies
from protoviz.probes import Method, build_probe
from protoviz.report import demo_table, poolings_table
from protoviz.scenes import make_scene
from protoviz.study import check_study, open_study, wrong
from protoviz.training import FitConfig, fit, predict

# umap-learn compiles for longer than all of this takes.
TINY = demo_grid(maps=False, clips_per_polyphony=1, looked=4)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder, place = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("work")
    run_recipe(TINY, place, folder, progress=False)
    return folder, place


def test_all_that_the_page_needs_is_there(built):
    folder, _ = built
    study = open_study(folder)
    assert not wrong(check_study(study))
    clips = study.clips["mixed"].table
    assert clips.polyphony.tolist() == sorted(clips.polyphony)
    assert set(clips.polyphony) == set(study.results["results"].polyphony) - {0}
    methods = [method.title for method in TINY.probes]
    probes = [study.probe(method) for method in methods]
    assert all(len(probe.metadata["classes"]) == 24 for probe in probes)
    assert probes[1].metadata["seed"] == 0, "its start comes back"
    assert study.results.settings("results")["encoder"] == "mini-random"
    workbench = served_studies([folder]).first()
    assert list(workbench.probes) == methods
    nearest = workbench.table("nearest")
    assert {"probe", "clip"} <= set(nearest)
    top = nearest[nearest.part == "top"]
    assert set(top["rank"]) == set(range(1, 9))
    assert set(nearest.part) == {"top", "middle", "bottom"}


def test_each_page_has_a_clip_to_show_first_and_says_how_often_one_would_do(built):
    folder, _ = built
    study = open_study(folder)
    first = study.results["showing"].set_index("page")
    assert first.index.tolist() == list(RULES)
    assert (first.clips == 4).all()
    assert first.share.tolist() == (first.shown / first.clips).tolist()
    bench = served_studies([folder]).first()
    assert all(bench.has(clip) for clip in set(first["clip"]) - {""})
    assert (first["clip"] == "").tolist() == (first.shown == 0).tolist()
    assert set(first.left) == {"linear"}
    assert set(first.right) == {"protobin"}
    # The rule of Attention, once more from the shown maps: less on the events than an even share.
    clip = first["clip"]["attention"]
    if clip:
        scene = make_scene(*scene_of(clip))
        rows = load_encoder("mini-random").encode(scene.waveform, attention=True).attention[-1]
        inside = coverage(study.encoders["mini-random"].cells, scene.events).ravel()
        spread = diffusion(rows.float().numpy(), inside=inside)
        assert spread.mass.mean() < spread.area.mean()


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
    folder, place = built
    study = open_study(folder)
    probe = study.probe("protobin")
    train = Cells(TINY, place).split(Task("encode", "mixed", "mini-random"), "train")
    scores = [probe.explain(b.tokens, cls=b.cls, mask=b.mask).scores for b in train.batches(5)]
    np.testing.assert_allclose(probe.metadata["mean_scores"], torch.cat(scores).mean(0), atol=2e-6)
    assert probe.metadata["title"] == "protobin"
    assert "mean_scores" not in study.probe("linear").metadata


@pytest.mark.parametrize("title", ["linear", "protobin"])
def test_the_tables_are_those_of_plain_loops(built, title):
    """Rates one by one with seed 0, the best one with every seed, scored by polyphony: to the last bit."""
    folder, place = built
    splits = [Cells(TINY, place).split(Task("encode", "mixed", "mini-random"), name) for name in SPLITS]
    train, validation, test = splits

    def run(epochs, seed, lr, prototype_lr):
        own = {"prototypes_per_class": 2} if prototype_lr else {}
        torch.manual_seed(seed)
        probe = build_probe(title, test.dim, len(test.classes), test.grid, **own)
        config = FitConfig(epochs, 128, lr=lr, prototype_lr=prototype_lr, seed=seed)
        return probe, fit(probe, train, validation, config)

    pairs = Method.named(title).settings()
    tried = [run(1, 0, *pair)[1].best_score for pair in pairs]
    search = open_study(folder).results["search"].query("method == @title")
    assert search.validation.tolist() == tried
    best = pairs[tried.index(max(tried))]
    wanted = []
    for seed in (0, 1):
        probe, result = run(2, seed, *best)
        for row in score_rows(predict(probe, test), test.targets(), "asl"):
            wanted.append(
                (seed, best[0], result.best_epoch, result.best_score, row["polyphony"], row["score"])
            )
    found = open_study(folder).results["results"].query("method == @title")
    columns = ["seed", "lr", "best_epoch", "validation", "polyphony", "score"]
    assert list(found[columns].itertuples(index=False, name=None)) == wanted


def test_a_second_build_trains_nothing_and_gives_the_same_files(built, monkeypatch):
    folder, place = built
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for room in (rates, work):
        monkeypatch.setattr(room, "fit_many", None)  # any training would fail
    run_recipe(TINY, place, folder, progress=False)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_table_shows_mean_and_deviation_of_the_results(built):
    folder, _ = built
    text, results = demo_table(folder), open_study(folder).results["results"]
    scores = 100 * results[(results.method == "linear") & (results.polyphony == 0)].score
    assert f"| linear | {np.mean(scores):.1f} ± {np.std(scores, ddof=1):.1f} |" in text
    assert "mini encoder" in text


def test_methods_are_compared_on_mixed_scenes_and_on_single_events(built, tmp_path, monkeypatch):
    folder, place = built
    run_recipe(demo_grid("poolings", ["linear", "protofloat"]), place, tmp_path, progress=False)
    results = pd.read_parquet(tmp_path / "poolings.parquet")
    assert set(results.scenes) == {"mixed", "one event"}
    assert set(results[results.scenes == "one event"].metric) == {"accuracy"}
    text = poolings_table(tmp_path)
    assert [line.split(" | ")[0] for line in text.splitlines()[2:5]] == [
        "| linear",
        "| protofloat",
        "| chance",
    ]
    known = open_study(folder).results["results"].query("method == 'linear'")
    shared = results[(results.method == "linear") & (results.scenes == "mixed")]
    assert shared.score.tolist() == known.score.tolist(), "the demo's own runs"
    monkeypatch.setattr(work, "fit_many", None)
    run_recipe(demo_grid("poolings", ["linear"]), place, tmp_path / "part", progress=False)


@pytest.fixture(scope="module")
def numbers(built, tmp_path_factory):
    """The tables of one and two prototypes a class, and of two that were pruned."""
    folder = tmp_path_factory.mktemp("numbers")
    grid = counted(demo_grid("per-class", ["protobin"]), (1, 2))
    scorer = replace(grid.scores[0], options=(("start", 2), ("counts", (1,)), ("share", 0.2)))
    grid = replace(grid, scores=(scorer,))
    run_recipe(grid, built[1], folder, progress=False)
    return folder


def test_prototype_counts_are_compared(built, numbers):
    folder, _ = built
    found = pd.read_parquet(numbers / "per-class.parquet")
    assert found.groupby("per_class").seed.apply(list).to_dict() == {1: [0, 1], 2: [0, 1]}
    known = open_study(folder).results["results"]
    known = known[(known.method == "protobin") & (known.polyphony == 0)]
    assert found[found.per_class == 2].score.tolist() == known.score.tolist(), "J = 2 is the demo's own run"
    assert json.loads((numbers / "per-class.json").read_text())["counts"] == [1, 2]
    pruned = pd.read_parquet(numbers / "pruning.parquet")
    whole = pruned[pruned["class"] == ""].set_index("seed")
    removed, refitted = (whole[whole.stage == stage] for stage in ("removed", "refitted"))
    start = removed[removed.kept == 48].score
    np.testing.assert_allclose(start, known.set_index("seed").score, atol=1e-9, err_msg="nothing is gone")
    assert removed[removed.chosen].validation.to_dict() == removed.groupby("seed").validation.max().to_dict()
    for seed, count in removed[removed.chosen].kept.items():
        assert set(refitted.kept[[seed]]) == {24, count}
    served = pruned[pruned["class"] != ""].groupby(["seed", "stage", "kept"]).prototypes.sum()
    assert (served == served.index.get_level_values("kept")).all(), "each argues for one class most"
    shown = per_class(numbers).query("per_class == 1").set_index("method").score
    assert shown["protobin + pruned, refitted"] == pytest.approx(refitted[refitted.kept == 24].score.mean())


def test_the_explorer_shows_how_many_prototypes_a_class_needs(built, numbers, tmp_path):
    study = shutil.copytree(built[0], tmp_path / "study")
    bare = Pruning(ExplorerState(Studies([study]).first(), page="orthogonality"))
    assert says(bare, "protoviz per-class")
    assert not list(bare.offers())
    for path in numbers.glob("*.parquet"):
        shutil.copy(path, study / "results")
    view = Pruning(ExplorerState(Studies([study]).first(), page="orthogonality"))
    table = pd.read_parquet(numbers / "pruning.parquet")
    removed = table[(table.stage == "removed") & (table["class"] == "")]
    mean = 100 * removed.groupby("kept").score.mean()
    kept = removed[removed.chosen].kept
    assert says(view, f"{mean[48]:.1f} % with all", *map(str, {kept.min(), kept.max()}))
    curve = protoviz.figure(open_study(study), "pruning_curves").table
    drawn = curve[curve["class"] == ""].set_index("kept")
    np.testing.assert_allclose(100 * drawn.score, mean[drawn.index])
    assert (drawn.low <= drawn.score).all()
    assert (drawn.score <= drawn.high).all()
    needs = protoviz.figure(open_study(study), "prototypes_needed").table
    assert needs.prototypes.sum() == pytest.approx(kept.mean())
    assert needs.prototypes.is_monotonic_decreasing
    rows = [len(offer.files["CSV"]()[1].splitlines()) - 1 for offer in view.offers()]
    assert rows == [len(view.own.numbers), len(curve), len(needs)]
    view.set_dark(True)
