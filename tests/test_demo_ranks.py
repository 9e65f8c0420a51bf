"""`protoviz ranks`: encoders compared on the same scenes, resumed from files, read by the page's loader."""

from dataclasses import replace

import pandas as pd

from protoviz import demo
from protoviz.analysis.results import results, settings
from protoviz.benchmark import comparison
from protoviz.report import ranks_table

NAMES = ("mini-random", "mini-mae")


def test_encoders_are_ranked_on_the_same_scenes_and_a_second_run_trains_nothing(tmp_path, monkeypatch):
    folder, work = tmp_path / "results", tmp_path / "work"
    config = replace(demo.DemoConfig.sized(8, 8, 1, 2), methods=("linear", "mhca"))
    demo.build_ranks(folder, work, NAMES, config)
    frame = results(tmp_path)
    assert set(frame.source) == {"ranks"}, "the search is no result"
    assert set(frame.encoder) == set(NAMES)
    whole = frame[frame.polyphony == 0]
    assert len(whole) == 2 * 2 * 2, "encoders x methods x seeds"
    assert whole.groupby("encoder").chance.first().nunique() == 1, "the same scenes"
    search = pd.read_parquet(folder / "ranks-search.parquet")
    assert set(search.encoder) == set(NAMES)
    told = settings("ranks", tmp_path)
    assert told["reduced"]
    assert told["command"] == (
        "protoviz ranks --encoders mini-random,mini-mae --train 8 --test 8 --epochs 1 --seeds 2"
    )
    text = ranks_table(folder)
    mean = whole[(whole.encoder == "mini-mae") & (whole.method == "mhca")].score.mean()
    assert f"{mean:.3f}" in text
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(comparison, "fit_many", None)  # any training would fail
    demo.build_ranks(folder, work, NAMES, config)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_default_size_is_that_of_the_demo():
    assert demo.DemoConfig.sized(2500, 1500, 30, 5) == demo.DemoConfig()
