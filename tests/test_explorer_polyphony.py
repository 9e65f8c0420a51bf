"""The page Polyphony without a browser: the curves, the marker, and the scene of that polyphony."""

import re
from itertools import pairwise

import pandas as pd
import pytest
from own_results import write_results
from page_bench import small_bench, wav
from visiting import said, says

from protoviz.analysis.prototypes import class_scores
from protoviz.datasets import scene_id
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages.listen.view import Listen
from protoviz.explorer.pages.polyphony import text as words
from protoviz.explorer.pages.polyphony.view import Polyphony
from protoviz.explorer.session import ExplorerState
from protoviz.figures.style import spread
from protoviz.paths import DATA
from protoviz.scenes import make_scene


@pytest.fixture
def shown():
    state = ExplorerState(small_bench(), clip="scene-30-3", page="polyphony")
    state.own["polyphony"].table = "demo"
    return Polyphony(state)


def drawn(view):
    """All points of all curves, from the sources of the figure."""
    sources = [r.data_source for r in view.chart.figure.renderers if "method" in r.data_source.data]
    return pd.concat([pd.DataFrame(dict(source.data)) for source in sources], ignore_index=True)


def test_the_curves_are_the_shipped_results(shown):
    results = pd.read_parquet(DATA / "demo" / "results" / "results.parquet")
    means = results[results.polyphony > 0].groupby(["method", "polyphony"]).score.mean()
    points = drawn(shown).set_index(["method", "polyphony"])
    assert len(points) == len(means)
    for key, score in means.items():
        assert points.percent[key] == pytest.approx(100 * score)
    shown.scale.value = "normalised"
    key = ("protobin", 8)
    run = results[(results.method == "protobin") & (results.polyphony == 8)]
    assert drawn(shown).set_index(["method", "polyphony"]).percent[key] == pytest.approx(
        100 * ((run.score - run.chance) / (1 - run.chance)).mean()
    )


def test_the_slider_moves_the_marker_and_the_scene_of_listen(shown):
    listen = Listen(shown.state)
    shown.polyphony.value = 6
    scene = make_scene(30, 6)
    assert shown.markers[0].location == 6
    assert shown.spectrogram.events.data["label"] == [e.label.replace("_", " ") for e in scene.events]
    assert shown.spectrogram.picture.data["image"][0] is shown.state.reading.picture
    assert says(shown, "<b>k = 6</b>", "190 clips")
    shown.state.page = "listen"
    listen.refresh()
    assert listen.clips.polyphony.value == 6
    assert len(listen.spectrogram.events.data["label"]) == 6
    shown.state.choose_clip("scene-10-1")  # not shown: drawn when it is shown again
    shown.state.page = "polyphony"
    shown.refresh()
    assert (shown.polyphony.value, shown.markers[0].location) == (1, 1)


def test_what_each_probe_finds_is_counted_anew(shown):
    for seed, polyphony in ((30, 3), (61, 6)):
        shown.state.choose_clip(scene_id(seed, polyphony))
        told = said(shown)
        truth = set(make_scene(seed, polyphony).labels)
        bench = small_bench()
        logits = {name: shown.state.reading.explained[name].logits for name in bench.probes}
        frame = class_scores(bench.classes, logits, truth)
        for probe in bench.probes:
            ranks = frame[(frame.probe == probe) & frame["class"].isin(truth)]["rank"]
            found = int((ranks <= len(truth)).sum())
            assert f"<td><b>{found} of {len(truth)}</b></td>" in told
            for rank in ranks[ranks > len(truth)]:
                assert f"missed'></span>{rank}</td>" in told


def test_the_page_says_what_was_measured(shown):
    leads = shown.own.lead(shown.own.curves(), "protobin", "mhca").set_index("polyphony").lead
    assert says(shown, "protobin", f"{100 * leads[1]:.1f} points")
    crossing = pd.DataFrame({"polyphony": [1, 8], "lead": [-0.05, 0.04], "settled": [True, True]})
    told = words.measured(crossing)
    assert re.findall(r"k = (\d) (\w+) leads by ([\d.]+)", told) == [
        ("1", "mhca", "5.0"),
        ("8", "protobin", "4.0"),
    ]
    assert not re.search(r"leads by [\d.]+", words.measured(crossing.head(0)))


def test_an_own_file_has_no_truth_to_count(shown):
    assert shown.state.open_file("mine.wav", wav(make_scene(3, 2).waveform))
    assert not re.search(r"\d of \d", said(shown))
    shown.polyphony.value = 5
    assert shown.state.source == "clip"


def test_a_slider_that_catches_up_leaves_own_sound_alone(shown):
    shown.state.page = "listen"
    shown.state.choose_clip("scene-30-6")
    assert shown.state.open_file("mine.wav", wav(make_scene(3, 2).waveform))
    shown.state.page = "polyphony"
    shown.refresh()
    assert shown.polyphony.value == 6
    assert shown.state.source == "file"


def test_several_encoders_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("PROTOVIZ_DATA", str(write_results(tmp_path)))
    view = Polyphony(ExplorerState(small_bench(), clip="scene-30-3", page="polyphony"))
    assert view.encoder.visible
    assert says(view, "mini-a", "mini-random"), "the scene is read by another encoder"
    view.encoder.value = "mini-c"
    first = drawn(view)
    assert first[first.method == "linear"].score.iloc[0] == pytest.approx(0.69, abs=0.02)
    view.polyphony.value = 4
    assert says(view, "<b>k = 4</b>", "40 clips")


def test_without_results_the_scene_is_still_there(tmp_path, monkeypatch):
    folder = write_results(tmp_path)
    (folder / "results" / "polyphony.parquet").unlink()
    monkeypatch.setenv("PROTOVIZ_DATA", str(folder))
    view = Polyphony(ExplorerState(small_bench(), clip="scene-30-3", page="polyphony"))
    assert view.chart.figure is None
    assert says(view, "no results over polyphony")
    assert len(view.spectrogram.events.data["label"]) == 3


def test_a_link_holds_the_scale(shown):
    shown.scale.value = "above chance"
    other = ExplorerState(small_bench())
    assert open_link(other, to_link(shown.state)) == []
    assert other.own["polyphony"].scale == "above chance"


def test_names_beside_curves_keep_apart():
    places = spread([50.0, 50.1, 50.2, 80.0], 4, 0, 100)
    assert sorted(places) == list(places)
    assert min(b - a for a, b in pairwise(places)) >= 4 - 1e-9
    assert places[-1] == 80
    assert spread([99.0, 99.5, 98.0], 5, 0, 100).tolist() == [95, 100, 90]
    assert spread([1.0, 2.0, 3.0], 60, 0, 100).tolist() == [0, 50, 100]
