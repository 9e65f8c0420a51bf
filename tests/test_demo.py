"""The demo rebuilds itself from seeds, goes on where it was stopped, and its table is that of its results."""

import json

import numpy as np
import pandas as pd
import pytest

from protoviz import demo
from protoviz.paths import DATA
from protoviz.probes import load_probe

TINY = demo.DemoConfig(
    encoder="mini-random",
    train=24,
    validation=12,
    test=24,
    epochs=2,
    search_epochs=1,
    seeds=(0, 1),
    prototypes_per_class=2,
    clips_per_polyphony=1,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder, work = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("work")
    demo.build_demo(folder, work, TINY)
    return folder, work


def test_all_that_the_page_needs_is_there(built):
    folder, _ = built
    clips = pd.read_parquet(folder / "clips.parquet")
    assert clips.polyphony.tolist() == sorted(set(clips.polyphony))
    assert {"clip", "seed", "polyphony", "labels", "title"} <= set(clips)
    names = {path.stem for path in (folder / "probes").iterdir()}
    assert {"linear", "protobin"} <= names
    assert all(
        len(load_probe(folder / "probes" / f"{name}.safetensors").metadata["classes"]) == 24 for name in names
    )
    assert json.loads((folder / "demo.json").read_text())["encoder"] == "mini-random"


def test_the_rates_of_the_final_runs_are_the_best_of_the_search(built):
    folder, _ = built
    search, results = (pd.read_parquet(folder / f"{name}.parquet") for name in ("search", "results"))
    for method, rows in search.groupby("method"):
        best = rows.loc[rows.validation_mAP.idxmax()]
        final = results[results.method == method]
        assert set(final.lr) == {best.lr}
        assert set(final.seed) == {0, 1}


def test_a_second_build_trains_nothing_and_gives_the_same_files(built, monkeypatch):
    folder, work = built
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(demo, "fit", None)  # any training would fail
    demo.build_demo(folder, work, TINY)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_table_shows_mean_and_deviation_of_the_results(built):
    folder, _ = built
    text, results = demo.table(folder), pd.read_parquet(folder / "results.parquet")
    scores = 100 * results[(results.method == "linear") & (results.polyphony == 0)].mAP
    assert f"| linear | {np.mean(scores):.1f} ± {np.std(scores, ddof=1):.1f} |" in text
    assert "mini encoder" in text


def test_readme_shows_the_shipped_table():
    readme = (DATA.parent / "README.md").read_text()
    if not (DATA / "demo" / "results.parquet").exists():
        pytest.fail("data/demo is shipped: `protoviz demo` makes it")
    for line in demo.table(DATA / "demo").splitlines():
        assert line in readme, "README's table is not that of `protoviz table`"
