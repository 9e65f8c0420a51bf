"""`protoviz polyphony`: nested scenes, tables from a tiny run that resumed, places against plain loops."""

import json
import re
import shutil
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import soundfile
from tiny_recipes import polyphony_grid, strong_grid

from protoviz.analysis import polyphony as sums
from protoviz.analysis.localisation import MEASURES
from protoviz.analysis.prototypes import strongest_prototypes
from protoviz.analysis.results import results, settings, whole_sets
from protoviz.audio import CellGrid
from protoviz.datasets import nested_clips
from protoviz.datasets.scenes import labelled_sources
from protoviz.encoders import load_encoder
from protoviz.experiments import rates, work
from protoviz.experiments.cells import Cells
from protoviz.experiments.grid import GridError
from protoviz.experiments.polyphony.locating import encoder_places, probe_places
from protoviz.experiments.polyphony.recipe import mini_encoders
from protoviz.experiments.polyphony.strong import event_hits, refuse_shared, strong_clips
from protoviz.experiments.polyphony.truth import levels_of, truth_of
from protoviz.experiments.recipe import read_recipe, run_recipe
from protoviz.figures import places_by_polyphony, recall_by_loudness
from protoviz.metrics import random_average_precision
from protoviz.probes import build_probe, titles
from protoviz.report.polyphony import encoders_table, folder_tables, polyphony_table, strong_table
from protoviz.scenes import JoinedSources, ProceduralSources, make_scene

TINY = polyphony_grid((8, 4, 6, 3), places=2, probes=("linear", "mhca", "protobin + BatchNorm"))
LOCATED = 2
GRID = CellGrid(64, 8, 10.24)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A data folder with the results of a tiny polyphony experiment, and its work folder."""
    folder = tmp_path_factory.mktemp("polyphony")
    run_recipe(TINY, folder / "work", folder / "results", progress=False)
    return folder


@pytest.fixture(scope="module")
def tokens(run):
    """The clips of that run, their token maps and what is known of them."""
    cells = Cells(TINY, run / "work")
    pair = cells.pair("procedural", "mini-random")
    return pair.clips, pair.cache(cells.folder), truth_of(pair.clips, GRID, LOCATED)


def test_scenes_are_nested_and_splits_apart():
    clips = nested_clips(5, 3, 4, most=3)
    table = clips.table
    assert table.groupby("split").size().to_dict() == {"train": 5, "validation": 3, "test": 12}
    assert table[table.split != "test"].polyphony.between(1, 3).all()
    assert table.groupby("seed").split.nunique().max() == 1
    for _, rows in table[table.split == "test"].groupby("seed"):
        assert rows.polyphony.tolist() == [1, 2, 3]
        held = [set(clips.events(i)) for i in rows.index]
        assert all(len(more - less) == 1 and less < more for less, more in pairwise(held))
    with pytest.raises(ValueError, match="goes to 1"):
        nested_clips(1, 1, 1, most=2, sources=ProceduralSources(("bell", "horn")))


def test_a_tiny_polyphony_fills_every_table(run):
    frame = results(run)
    assert set(frame.source) == {"polyphony"}, "tables of classes, levels and places are no results"
    assert sums.polyphony_tables(frame) == ["polyphony"]
    assert set(frame.metric) == {"mAP", "AUROC", "calibrated mAP", "accuracy"}
    for metric in sums.VIEWS:
        rows = sums.polyphony_runs(frame, "polyphony", "mini-random", scale=metric)
        assert len(rows) == 3 * 2 * 3, "methods x seeds x numbers of events"
        assert set(rows.clips) == {6}
    whole = whole_sets(frame)
    assert len(whole) == 3 * 2, "what encoders are ranked by: all clips together"
    assert set(whole.metric) == {"mAP"}
    assert set(whole.clips) == {18}
    assert set(frame[frame.metric == "accuracy"].polyphony) == {1}, "one label: only where there is one event"
    levels = sums.loudness(run)
    assert levels[levels.seed == 0].groupby(["method", "polyphony"]).events.sum().loc["linear"].to_dict() == {
        2: 12,
        3: 18,
    }
    places = sums.localisation(run)
    assert set(places["map"]) == {"prototypes", "attention", "cells", "[cls] attention", "loudest cell"}
    assert set(places.measure) == set(MEASURES)
    assert places.score.between(0, 1).all()
    assert places.groupby(["measure", "polyphony"]).chance.agg(np.ptp).max() < 0.2
    told = json.loads((run / "results" / "polyphony.json").read_text())
    assert told["command"] == "protoviz polyphony --encoders mini-random"
    assert told["reduced"]


def test_tables_of_an_earlier_version_are_read(run, tmp_path):
    old = tmp_path / "results"
    shutil.copytree(run / "results", old)
    for path in sorted(old.glob("polyphony*")):
        path.rename(path.with_name(path.name.replace("polyphony", "dial")))
    pd.testing.assert_frame_equal(results(tmp_path), results(run))
    pd.testing.assert_frame_equal(sums.loudness(tmp_path), sums.loudness(run))
    assert folder_tables(old) == folder_tables(run / "results")
    assert settings("polyphony", tmp_path) == settings("polyphony", run)
    shutil.copy(run / "results" / "polyphony.parquet", old)
    assert len(results(tmp_path)) == len(results(run)), "beside the table of today the old one is not read"


def test_the_table_and_the_figures_show_the_run(run):
    text = folder_tables(run / "results")
    rows = pd.read_parquet(run / "results" / "polyphony.parquet")
    one = rows[(rows.polyphony == 1) & (rows.method == "mhca")]
    assert f"{100 * one[one.metric == 'accuracy'].score.mean():.1f} ±" in text
    assert "(k = 1: the single-label control)" in text
    recall = sums.recall_curves(sums.loudness(run))
    counted = sums.loudness(run).groupby("method")[["found", "events"]].sum()
    weighted = (recall.recall * recall.events).groupby(recall.method).sum()
    assert weighted.to_numpy() == pytest.approx((counted.found / 2).to_numpy()), "two seeds"
    places = sums.localisation(run)
    drawn = [recall_by_loudness(recall), places_by_polyphony(places[places.measure == "first"], dark=True)]
    assert all(len(overlay) for overlay in drawn)


def test_readmes_tables_hold_the_numbers_of_the_run(run):
    rows = pd.read_parquet(run / "results" / "polyphony.parquet")
    places = pd.read_parquet(run / "results" / "localisation.parquet")
    text = polyphony_table(run, "procedural", "mini-random")
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    assert table[0][1:] == [f"k = 1: {name}" for name in ("accuracy", "mAP", "at 10 %", "hits")]
    cells = {line[0]: line[1:] for line in table[2:]}
    one = rows[(rows.polyphony == 1) & (rows.method == "mhca")].groupby("metric").score.mean()
    looked = places[(places.polyphony == 1) & (places.measure == "first")].set_index(["method", "map"]).score
    wanted = [*one[["accuracy", "mAP", "calibrated mAP"]], looked["mhca", "cells"]]
    assert cells["mhca"] == [f"{100 * value:.1f}" for value in wanted]
    attention = f"{100 * looked['mhca', 'attention']:.1f}"
    assert cells["mhca, attention"] == ["", "", "", attention], "one map for all classes: a row of its own"
    assert cells["loudest cell"] == ["", "", "", f"{100 * looked['loudest cell', 'loudest cell']:.1f}"]
    ranked = encoders_table(run, "procedural")
    whole = rows[(rows.polyphony == 0) & (rows.metric == "mAP") & (rows.method == "linear")].score.mean()
    assert f"| linear | **{100 * whole:.1f} (1)** |" in ranked, "one encoder is the first of one"
    assert "18 test clips" in ranked


def test_the_page_shows_what_the_run_measured(run, monkeypatch):
    from page_bench import small_bench

    from protoviz.explorer.pages.polyphony.view import Polyphony
    from protoviz.explorer.session import ExplorerState

    monkeypatch.setenv("PROTOVIZ_DATA", str(run))
    bench = small_bench.__wrapped__()  # one of its own: what it finds in this folder is not for other tests
    view = Polyphony(ExplorerState(bench, clip="scene-30-3", page="polyphony"))
    assert set(view.scale.options.values()) == {*sums.VIEWS, *sums.PICTURES}
    for key in (*sums.METRICS, *sums.PICTURES):
        view.scale.value = key
        tips = [r.data_source.data["tip"] for r in view.chart.figure.renderers if "tip" in r.data_source.data]
        assert sum(len(tip) for tip in tips) > 6, key
        assert view.markers[0].visible == (key != "loudness")
    assert any("[cls] attention, k = 3" in tip for tip in np.concatenate(tips))


def test_a_second_run_trains_and_looks_at_nothing(run, monkeypatch):
    before = {path.name: path.read_bytes() for path in (run / "results").iterdir()}
    for room in (rates, work):
        monkeypatch.setattr(room, "fit_many", None)
    monkeypatch.setattr("protoviz.experiments.polyphony.scorers.probe_places", None)
    run_recipe(TINY, run / "work", run / "results", progress=False)
    assert {path.name: path.read_bytes() for path in (run / "results").iterdir()} == before


def test_groups_side_by_side_give_the_tables_of_one_process(run, tmp_path):
    names = ["mini-random", "mini-mae"]
    small = polyphony_grid((4, 2, 2, 2), places=1, probes=("protobin + BatchNorm",), encoders=names)
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        run_recipe(small, folder / "work", folder, workers, progress=False)
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / w).glob("*.*")} for w in "12")
    assert len(one) == 6
    assert one == two
    assert pd.read_parquet(tmp_path / "2" / "polyphony.parquet").encoder.unique().tolist() == names


def test_an_encoder_that_cannot_be_loaded_is_told_before_the_others_have_worked(tmp_path):
    grid = polyphony_grid((4, 2, 2, 2), 1, ["linear"], ["mini-random", "eat"])
    with pytest.raises(GridError, match="eat"):
        run_recipe(grid, tmp_path / "work", tmp_path, progress=False)
    assert not (tmp_path / "work" / "tokens").exists()


def test_chance_is_that_of_the_scenes(run, tokens):
    clips, _, _ = tokens
    frame = results(run)
    targets, polyphony = clips.targets("test"), clips.table[clips.table.split == "test"].polyphony.to_numpy()
    for k in (1, 2, 3):
        held = targets[polyphony == k].sum(0)
        exact = np.mean([random_average_precision(int(count), 6) for count in held if count])
        rows = frame[(frame.metric == "mAP") & (frame.polyphony == k)]
        assert rows.chance.to_numpy() == pytest.approx(exact)


def test_truth_is_that_of_the_scenes(tokens):
    clips, _, truth = tokens
    rows = clips.indices("test")
    assert len(truth.clip) == 2 * (1 + 2 + 3)
    for p, (clip, column) in enumerate(zip(truth.clip, truth.column, strict=True)):
        event = next(e for e in clips.events(rows[clip]) if e.label == clips.classes[column])
        touched = GRID.overlap((event.onset, event.offset, event.low_hz, event.high_hz)).ravel() > 0
        assert (truth.cells["touch"][p] == touched).all()
        assert truth.chance["first"][p] == touched.mean()
        assert truth.k[p] == len(clips.events(rows[clip]))
    assert (truth.cells["own"] <= 1).all()
    assert truth.cells["share"].sum(1) == pytest.approx(np.ones(len(truth.clip)))
    alone = (clips.table.polyphony == 1).to_numpy()[rows]
    assert np.isnan(levels_of(clips)[alone]).all(), "alone there is no loudest other"


def test_places_are_those_of_plain_loops(tokens):
    clips, cache, truth = tokens
    test = cache.split("test")
    probes = {name: build_probe(name, cache.dim, 24, cache.grid) for name in ("protofloat", "ep")}
    for name, probe in probes.items():
        found = probe_places(probe, test, truth)
        for p in range(len(truth.clip)):
            batch = test.read(int(truth.clip[p]))
            told = probe.explain(batch.tokens, batch.cls, batch.mask).numpy()
            row = told.contributions[0, truth.column[p]]
            if name == "protofloat":
                table = strongest_prototypes(row, told.scores[0], told.locations[0], GRID, 5)
                cells = (table.t * 8 + table.f).tolist()
                assert found["prototypes"][0][p][: len(cells)].tolist() == cells
            else:
                assert found["cells"][0][p][0] == (row.argmax() if row.max() > 0 else -1)
                assert found["attention"][0][p][0] == told.attention[0].mean(0).argmax()
    seen = encoder_places(load_encoder("mini-random"), clips, truth)["[cls] attention"][0]
    first = truth.clip == truth.clip[-1]
    assert len({tuple(row) for row in seen[first]}) == 1, "one map for every class of a scene"


def test_the_shipped_settings_take_about_an_hour_for_all_minis_on_both_kinds(tmp_path):
    grid, said = read_recipe("polyphony", encoders=["mini-mae"]), []
    grid = replace(grid, probes=[method for method in grid.probes if method.found.source != "ours"])
    with suppress(ValueError):  # no such device is here, and nothing is run
        run_recipe(replace(grid, device="cuda:99"), tmp_path, tmp_path, say=said.append)
    minutes = float(re.search(r"about ([\d.]+) min", said[0])[1])
    assert 40 < 8 * minutes < 80, "two workers, eight minis, two kinds of scenes"


def test_every_probe_has_a_batch_norm_and_large_tables_are_shown_in_groups():
    names = [method.title for method in read_recipe("polyphony").probes]
    normed = read_recipe("polyphony", probes=[f"{name} + BatchNorm" for name in titles()]).probes
    assert all(method.options == {"batch_norm": True} for method in normed)
    with pytest.raises(GridError, match="protobin"):
        read_recipe("polyphony", probes=["protobim"])
    with pytest.raises(GridError, match="BatchNorm"):
        read_recipe("polyphony", probes=["protobin + Batchnorm"])
    assert mini_encoders()[-1] == "mini-random"
    frame = pd.DataFrame({"method": [*names, "loudest cell"]})
    shown = {name: set(sums.grouped(frame, name).method) for name in sums.GROUPS}
    assert set.union(*shown.values()) == set(frame.method)
    assert all(len(names) <= sums.MANY + 1 and "loudest cell" in names for names in shown.values())
    assert set(sums.grouped(frame[:5], "prototype").method) == set(names[:5]), "small: all of them"


@pytest.fixture
def labelled(tmp_path):
    """Two recordings of 6 s with a tone from 2 to 3 s, and a table beside them that says so."""
    (tmp_path / "field").mkdir()
    tone = 0.3 * np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000)
    rows = ["path,onset,offset,label"]
    for i in range(2):
        sound = 0.001 * np.random.default_rng(i).normal(size=96000)
        sound[32000:48000] += tone * (1 + i)
        soundfile.write(tmp_path / "field" / f"r{i}.wav", sound / 2, 16000)
        rows.append(f"field/r{i}.wav,2.0,3.0,tern")
    (tmp_path / "events.csv").write_text("\n".join(rows))
    return tmp_path / "field"


def test_labelled_recordings_have_hits_and_chance_over_real_cells(labelled):
    clips = strong_clips(labelled)
    assert len(clips) == 2
    encoder = load_encoder("mini-random")
    probe = build_probe("protobin", encoder.dim, 3, encoder.grid, prototypes_per_class=2)
    rows = event_hits(probe, encoder, clips, 0)
    loud = rows[rows["map"] == "loudest cell"]
    assert (loud.score == 1).all()
    # 6 s are 37.4 cells of 160 ms, so 38 with sound; the second from 2 to 3 s touches 7 of them.
    assert rows.chance.to_numpy() == pytest.approx(np.full(len(rows), 7 / 38))
    found = rows[(rows["map"] == "prototypes") & (rows.measure == "first five")]
    encoding = encoder.encode(clips.read(0))
    told = probe.explain(encoding.tokens, encoding.cls, encoding.mask).numpy()
    table = strongest_prototypes(told.contributions[0, 0], told.scores[0], told.locations[0], GRID, 5)
    inside = (table.offset > 2.0) & (table.onset < 3.0)
    assert found.score.iloc[0] == pytest.approx(inside.mean())
    (labelled.parent / "other").mkdir()
    with pytest.raises(ValueError, match="no event table"):
        strong_clips(labelled.parent / "other")
    (labelled.parent / "events.csv").write_text("file,onset,offset,label\nr0.wav,0,soon,tern\n")
    with pytest.raises(ValueError, match=r"events\.csv, line 2.*soon"):
        strong_clips(labelled)


def test_birds_to_learn_from_are_not_the_labelled_ones(labelled, tmp_path):
    bird = tmp_path / "bird.wav"
    bird.write_bytes((labelled / "r0.wav").read_bytes())
    with pytest.raises(ValueError, match="learn from others"):
        refuse_shared([bird], apart=[labelled / "r0.wav"])
    sources = labelled_sources([labelled], "bird", without=["bird_trill"])
    assert "bird" in sources.classes
    assert "bird_trill" not in sources.classes
    assert set(make_scene(1, 24, sources=sources).labels) == set(sources.classes)
    with pytest.raises(ValueError, match="bell"):
        JoinedSources(ProceduralSources(("bell",)), ProceduralSources(("bell", "horn")))


def test_real_birds_are_measured_against_chance(shared, tmp_path):
    """What it measures is printed; small sizes settle nothing, so only what has to hold is asserted."""
    audio = shared("audio")
    birds = [audio / "bio/pykanto_great_tit"]
    grid = strong_grid("mini-random", audio / "strong/maad_spinetail", birds)
    run_recipe(grid, tmp_path / "work", tmp_path, progress=False)
    rows = pd.read_parquet(tmp_path / "strong.parquet")
    assert rows["clip"].nunique() == 2, "19.5 s are two windows"
    assert rows.score.between(0, 1).all()
    assert rows.chance.between(0.2, 0.95).all()
    text = strong_table(tmp_path)
    assert "2 labelled clips" in text
    assert f"{100 * rows.groupby('clip').chance.first().mean():.1f} %" in text
    print(text)
