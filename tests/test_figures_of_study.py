"""Every figure of a study by its name: what it draws, the table behind it, and what it is saved as."""

import re
import shutil
import struct

import numpy as np
import pandas as pd
import pytest
import torch
from bokeh.models import GlyphRenderer
from own_results import LEVELS, write_results
from page_bench import scored, small_bench, small_nearest, small_prototypes, write_demo
from typer.testing import CliRunner

import protoviz
from protoviz.analysis.neighbours import score_histograms
from protoviz.analysis.tables import TUNED
from protoviz.analysis.tokens import token_table
from protoviz.analysis.views import ANEW
from protoviz.cli import app
from protoviz.figures.of_study import FIGURES
from protoviz.figures.saving import BROWSER, BROWSERS, SavingError, model_of
from protoviz.kept import write_frame
from protoviz.paths import DATA
from protoviz.study import StudyError

SHIPPED = ("polyphony-loudness", "localisation", "per-class")  # tables that only an experiment makes


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A small study with clips, probes and scores of three encoders, and the demo's further tables."""
    folder = write_results(write_demo(tmp_path_factory.mktemp("looked") / "mine"))
    for path in (path for name in SHIPPED for path in (DATA / "demo" / "results").glob(f"{name}.*")):
        shutil.copy(path, folder / "results")
    sizes = pd.MultiIndex.from_product(
        [["mini-a"], [1, 4], ["mhca", "protobin"], [10, 100], [0, 1]],
        names=["encoder", "events", "method", "train_clips", "seed"],
    )
    runs = sizes.to_frame(index=False).assign(score=np.linspace(0, 1, len(sizes)))
    write_frame(folder / "results" / "curves.parquet", runs)
    tokens = np.random.default_rng(0).normal(size=(2, 9, 4))
    spread = token_table(enumerate(tokens[:, None])).assign(encoder="mini-a")
    write_frame(folder / "results" / "tokens-spread.parquet", spread)
    layers = pd.MultiIndex.from_product(
        [["mini-a", "mini-b"], ["mhca", "cgp"], [0, 1, -1], [0, 1]],
        names=["encoder", "method", "layer", "seed"],
    )
    scores = layers.to_frame(index=False).assign(score=np.linspace(0, 1, len(layers)), chance=0.1)
    write_frame(folder / "results" / "layers.parquet", scores.assign(events=0, metric="mAP"))
    classes = pd.concat([scores.assign(**{"class": name}) for name in ("bell", "rain")], ignore_index=True)
    classes = classes.rename(columns={"score": "average_precision"})
    write_frame(folder / "results" / "layers-classes.parquet", classes)
    tuned = [("linear", 0.4), ("mhca", 0.5), (TUNED, 0.8)]
    tuned = pd.DataFrame(tuned, columns=["method", "score"])
    shared = {"encoder": "mini-a", "dataset": "mixed", "seed": 0, "polyphony": 0, "metric": "mAP"}
    write_frame(folder / "results" / "tuned.parquet", tuned.assign(**shared, chance=0.1, clips=40))
    views = pd.MultiIndex.from_product(
        [["mhca", "protobin"], [0, 1], ["1", "4", ANEW]], names=["method", "seed", "views"]
    ).to_frame(index=False)
    views = views.assign(score=np.linspace(0, 1, len(views)), bytes=views.views.map({"1": 10, "4": 40}))
    write_frame(folder / "results" / "views.parquet", views)
    pruned = pd.MultiIndex.from_product(
        [["protobin"], [0, 1], ["removed", "refitted"], ["", "bell", "rain"], [1, 2, 4]],
        names=["method", "seed", "stage", "class", "kept"],
    )
    pruned = pruned.to_frame(index=False).assign(score=np.linspace(0, 1, len(pruned)), prototypes=1)
    write_frame(folder / "results" / "pruning.parquet", pruned.assign(chosen=pruned.kept == 2))
    write_across(folder / "results")
    return protoviz.open_study(folder)


def write_across(room):
    """What `study add` computes of prototypes across clips."""
    cell = {"dataset": "mixed", "encoder": "mini-random", "method": "protobin"}
    scores = score_histograms(*scored(small_bench()))
    tables = {"nearest": small_nearest(), "map-prototypes": small_prototypes(), "scores": scores}
    for name, table in tables.items():
        write_frame(room / f"{name}.parquet", table.drop(columns="probe", errors="ignore").assign(**cell))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_its_table_is_saved(study, name, tmp_path):
    made = protoviz.figure(study, name)
    assert list(model_of(made.drawn).select({"type": GlyphRenderer}))
    assert len(made.table)
    read = pd.read_csv(made.save(tmp_path / "table.csv"))
    assert [str(column) for column in made.table] == read.columns.tolist()
    assert len(read) == len(made.table)


def test_names_and_options_that_are_not_there_are_listed(study):
    with pytest.raises(StudyError) as error:
        protoviz.figure(study, "pie")
    assert all(name in str(error.value) for name in FIGURES)
    with pytest.raises(StudyError, match="baseline"):
        protoviz.figure(study, "gain_bars", base="mhca")
    with pytest.raises(StudyError, match=r"\[1, 4\]"):
        protoviz.figure(study, "learning_curves", events=2)
    with pytest.raises(StudyError, match="common"):
        protoviz.figure(study, "tokens_by_layer", measure="width")
    with pytest.raises(StudyError, match=r"mini-c"):
        protoviz.figure(study, "polyphony_curves", encoder="mini-d")


def test_a_ranking_is_of_the_means_of_the_table(study):
    table = protoviz.figure(study, "bump_chart").table
    best = table[table["rank"] == 1]
    assert set(best.encoder) == {max(LEVELS, key=LEVELS.get)}


def test_the_cells_of_a_class_are_the_argmax_of_its_prototypes(study):
    """For every clip and some classes; similarity, weight and sum are computed here once more."""
    (clips,), probe = study.clips.values(), study.probe("protobin")
    tokens = torch.from_numpy(np.array(clips.array("tokens"))).double()
    unit = torch.nn.functional.normalize(tokens, dim=-1)
    signs = torch.nn.functional.normalize(probe.prototypes().detach().double(), dim=-1)
    scores, places = (unit @ signs.T).max(dim=1)  # (b j)
    weight = probe.classifier.weight.detach().double()
    draw = np.random.default_rng(0)
    for row, clip in enumerate(clips.table["clip"]):
        number = int(draw.integers(len(weight)))
        label = study.datasets["mixed"].classes[number]
        table = protoviz.figure(study, "spectrogram", clip=clip, label=label).table
        adds = weight[number] * scores[row]
        assert table.prototype.tolist() == adds.topk(5).indices.tolist()
        assert (8 * table.t + table.f).tolist() == places[row][table.prototype.tolist()].tolist()


def test_what_a_study_lacks_is_said_with_what_adds_it(study, tmp_path):
    bare = protoviz.open_study(shutil.copytree(study.folder, tmp_path / "bare"))
    shutil.rmtree(bare.folder / "results")
    shutil.rmtree(bare.folder / "clips")
    made = ("polyphony_curves", "per_class_curves", "learning_curves", "tokens_by_layer", "scores_by_layer")
    for name in ("bump_chart", *made, "pruning_curves", "gap_bars", "views_curves", "spectrogram"):
        with pytest.raises(StudyError, match=r"`(protoviz|python -m benchmarks) "):
            protoviz.figure(bare, name)


def test_html_asks_no_host_and_other_kinds_are_refused(study, tmp_path):
    made = protoviz.figure(study, "storage_bars")
    html = made.save(tmp_path / "figure.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", html)
    with pytest.raises(SavingError, match=r"\.svg"):
        made.save(tmp_path / "figure.pdf")


def test_without_a_browser_a_picture_names_the_cure(study, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(BROWSER, raising=False)
    with pytest.raises(SavingError, match=BROWSER):
        protoviz.figure(study, "storage_bars").save(tmp_path / "figure.png")


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="needs a browser: install chromium")
def test_a_browser_draws_pictures_of_the_asked_width(study, tmp_path):
    made = protoviz.figure(study, "storage_bars")
    png = made.save(tmp_path / "figure.png", width=500).read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">I", png[16:20])[0] == 2 * 500
    svg = made.save(tmp_path / "figure.svg", width=500).read_text(encoding="utf-8")
    assert re.search(r'<svg[^>]+width="500"', svg)
    assert "kilobytes on disk" in re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def test_the_command_lists_figures_and_writes_one(study, tmp_path):
    def run(*words):
        return CliRunner().invoke(app, ["study", "figure", str(study.folder), *words])

    assert set(FIGURES) == {line.split()[0] for line in run().output.splitlines()}
    target = tmp_path / "steps.csv"
    assert run("logit_steps", str(target), "label=bell", "k=3").exit_code == 0
    expected = protoviz.figure(study, "logit_steps", label="bell", k=3).table
    pd.testing.assert_frame_equal(pd.read_csv(target), expected, check_dtype=False)
    assert "KEY=VALUE" in run("logit_steps", str(target), "bell").output
