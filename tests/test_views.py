"""Training clips in several views: how they are made, kept, drawn and repaired."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from cache_fakes import FakeEncoder, fake_clips
from grid_fakes import write_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from test_grid_scores import TEXT
from typer.testing import CliRunner

from benchmarks.views import Anew
from protoviz.analysis.views import ANEW
from protoviz.cache import TokenCache, check_cache, estimate_bytes
from protoviz.cli import app
from protoviz.datasets.views import Gain, Mixture, Noise, Shift, Views, with_views
from protoviz.experiments.cells import Cells, Task
from protoviz.experiments.estimate import plan
from protoviz.experiments.grid import GridError, read_grid
from protoviz.experiments.run import run_grid
from protoviz.experiments.written import write_settings
from protoviz.kept import write_frame, write_json
from protoviz.probes import build_probe
from protoviz.report import views_table
from protoviz.training.data import FixedVectors

ALL = Views(3, seed=5, mixture=Mixture(0.5), shift=Shift(), noise=Noise(), gain=Gain())
SOUNDS = st.integers(0, 2**16).map(lambda seed: np.random.default_rng(seed).standard_normal(400))


def single():
    clips = fake_clips(20)
    return replace(clips, table=clips.table.assign(labels=[labels[:1] for labels in clips.table.labels]))


def level(sound):
    return 10 * np.log10(np.mean(np.square(sound)))


@settings(max_examples=20, deadline=None)
@given(SOUNDS, st.integers(0, 99), st.integers(1, 9))
def test_each_step_does_what_it_says(sound, seed, view):
    def made(other=None, **step):
        return Views(2, seed, **step).made(sound, "a clip", view, other)

    assert -6 <= level(made(gain=Gain((-6, 6)))) - level(sound) <= 6
    turned = made(shift=Shift(0.25))
    lag = int(np.argmin(np.abs(turned - sound[0])))
    assert min(lag, 400 - lag) <= 100
    np.testing.assert_array_equal(np.roll(turned, -lag), sound.astype(np.float32))
    noise = made(noise=Noise(snr=(5, 10))) - sound
    assert 5 - 1e-3 <= level(sound) - level(noise) <= 10 + 1e-3
    other = made(np.ones(100), mixture=Mixture(level=(-10, -3))) - sound
    assert -10 - 1e-3 <= level(other) - level(sound) <= -3 + 1e-3
    assert np.ptp(other[:100]) < 1e-5
    assert np.abs(other[100:]).max() < 1e-5


def test_views_are_clips_behind_the_clips_and_depend_on_their_own_seed_alone():
    clips = fake_clips(20)
    found, fewer = with_views(clips, ALL), with_views(clips, replace(ALL, count=2))
    train = clips.table[clips.table["split"] == "train"]
    assert len(found) == len(clips) + 2 * len(train)
    assert found.table["clip"][: len(clips)].tolist() == clips.table["clip"].tolist()
    labels = dict(zip(clips.table["clip"], clips.table.labels, strict=True))
    for row in range(len(found)):
        told = found.table.iloc[row]
        both = {*labels[told.view_of], *labels.get(told.view_with, ())}
        assert set(told.labels) == both
        assert told.view_with != told.view_of
        if row < len(clips):
            np.testing.assert_array_equal(found.read(row), clips.read(row))
        if row < len(fewer):
            np.testing.assert_array_equal(found.read(row), fewer.read(row))
    views = found.table[found.table["view"] > 0]
    assert set(views["split"]) == {"train"}
    assert 0 < (views.view_with != "").mean() < 1
    assert with_views(clips, Views()) is clips
    assert (
        len({one.fingerprint() for one in (clips, found, fewer, with_views(clips, replace(ALL, seed=6)))})
        == 4
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder, clips = tmp_path_factory.mktemp("views") / "cache", with_views(fake_clips(20), ALL)
    return TokenCache.create(folder, FakeEncoder(), clips, progress=False, shard_clips=8)


def test_a_pass_draws_one_view_of_each_clip_by_its_seed(cache):
    train, own = cache.split("train"), fake_clips(20).table.query("split == 'train'")
    assert len(train) == len(own) == len(train.targets())
    assert train.table["clip"].tolist() == own["clip"].tolist()
    first = [batch.tokens for batch in train.batches(4)]
    np.testing.assert_array_equal(np.concatenate(first), train.read(np.arange(len(train))).tokens)
    table, seen = train.every.table, []
    for seed in range(40):
        drawn = table.iloc[train.drawn(seed)]
        assert sorted(drawn.view_of) == sorted(own["clip"])
        seen.append(drawn.set_index("view_of")["view"])
        batches = list(train.batches(4, seed=seed))
        rows = train.every.read(train.drawn(seed))
        for part in range(4):
            np.testing.assert_array_equal(np.concatenate([one[part] for one in batches]), rows[part])
    assert all({*clip} == {0, 1, 2} for clip in zip(*(one.sort_index() for one in seen), strict=True))
    assert cache.split("validation").drawn(3).tolist() == np.random.default_rng(3).permutation(5).tolist()


def test_a_view_or_a_clip_that_is_left_out_is_never_drawn(cache):
    train = cache.split("train")
    gone, shy = train.table["clip"].iloc[[0, 1]]
    fewer = train.without([gone, f"{shy}~1"])
    assert gone not in set(fewer.table["clip"])
    drawn = fewer.every.table
    assert set(drawn[drawn.view_of == shy]["view"]) == {0, 2}
    assert gone not in set(drawn.view_of)
    assert len({train.fingerprint, fewer.fingerprint, train.without([gone]).fingerprint}) == 3


def test_views_are_sized_checked_and_repaired_as_clips_are(tmp_path):
    clips, encoder = with_views(fake_clips(8, broken={"fakes-0001": OSError("gone")}), ALL), FakeEncoder()
    make = dict(progress=False, shard_clips=8)
    with pytest.warns(UserWarning, match="3 of 16 clips were skipped"):
        cache = TokenCache.create(tmp_path / "one", encoder, clips, **make)
    assert "fakes-0001" not in set(cache.split("train").every.table.view_of)
    assert cache.nbytes - len(cache) * estimate_bytes(encoder, 1) < 1000 * len(cache.meta["shards"])
    path = tmp_path / "one" / "shards" / "00001.npy"  # of views alone
    written = path.read_bytes()
    path.write_bytes(written[:-9] + b"x" + written[-8:])
    assert set(check_cache(tmp_path / "one").damaged) == {"shards/00001.npy"}
    with pytest.warns(UserWarning, match="skipped"):
        TokenCache.create(tmp_path / "one", encoder, clips, **make)
    assert path.read_bytes() == written


def test_fixed_vectors_see_the_views_that_maps_would(cache):
    """Vectors are computed once, of all views; a pass then draws as one over the maps would."""
    train = cache.split("train")
    vectors = FixedVectors(train, [probe := build_probe("linear", cache.dim, 3, cache.grid)])
    for seed in range(5):
        pairs = zip(vectors.batches(4, seed), train.batches(4, seed=seed), strict=True)
        for fixed, maps in pairs:
            np.testing.assert_array_equal(fixed.pooled(probe), maps.cls)
            np.testing.assert_array_equal(fixed.targets, maps.targets)


def test_a_grid_says_views_and_foretells_their_bytes(tmp_path):
    text = TEXT + "[views]\ncount = 3\nshift = {}\nnoise = { snr = [0.0, 9.0] }\n"
    grid = read_grid(write_grid(tmp_path, text))
    assert grid.views == Views(3, shift=Shift(), noise=Noise(snr=(0.0, 9.0)))
    write_settings(tmp_path, grid)
    assert read_grid(tmp_path / "study.toml") == grid
    cells = Cells(grid, tmp_path / "out")
    foretold = plan(cells).bytes.sum()
    frames = run_grid(grid, tmp_path / "out", progress=False)
    assert set(frames["results"].train_clips) == {20}
    cache = cells.pair("bells", "tiny").cache(tmp_path / "out")
    assert len(cache) == 80
    assert 0 < cache.nbytes - foretold < 1000 * len(cache.meta["shards"])
    assert not cells.to_do()
    train = cells.split(Task("encode", "bells", "tiny"), "train")
    anew = Anew(cells.pair("bells", "tiny"), train)
    first, same, other = (list(anew.batches(8, seed)) for seed in (1, 1, 2))
    order = np.random.default_rng(1).permutation(len(train))
    np.testing.assert_array_equal(np.concatenate([one.targets for one in first]), train.targets()[order])
    kept = {row.numpy().tobytes() for row in train.every.read(np.arange(len(train.every))).tokens}
    tokens = [
        {row.numpy().tobytes() for one in batches for row in one.tokens} for batches in (first, same, other)
    ]
    assert tokens[0] == tokens[1]
    assert not tokens[0] & (tokens[2] | kept), "no other pass has its views"


def test_encode_keeps_views_of_training_clips_and_says_in_the_cache_how_they_were_made(tmp_path):
    counts = ["--train", "3", "--validation", "1", "--test", "2"]
    words = ["encode", "scenes", "mini-random", str(tmp_path / "maps"), *counts, "--views", "3"]
    done = CliRunner().invoke(app, [*words, "--varied", "gain,shift"])
    assert done.exit_code == 0, done.output
    cache = TokenCache.open(tmp_path / "maps")
    assert len(cache.split("train").every) == 3 * 3
    assert len(cache) == 3 * 3 + 1 + 2
    assert cache.meta["recipe"]["views"] == {"count": 3, "gain": {}, "shift": {}}
    assert "echo" in CliRunner().invoke(app, [*words, "--varied", "echo"]).output


@pytest.mark.parametrize(
    ("views", "said"),
    [
        ("count = 2", "alike"),
        ("count = 0", "count 0"),
        ("echo = {}", "echo"),
        ("count = 2\nmixture = { chance = 2.0 }", "chance 2.0"),
    ],
)
def test_what_no_view_can_be_is_refused(views, said, tmp_path):
    with pytest.raises(GridError, match=said):
        read_grid(write_grid(tmp_path, f"{TEXT}[views]\n{views}\n"))


def test_a_mixture_is_refused_where_clips_have_one_label(tmp_path):
    text = TEXT.replace('"grid_fakes:clips"', '"grid_fakes:clips", loss = "cross_entropy"')
    text = text.replace("grid_fakes:clips", "test_views:single")
    cells = Cells(read_grid(write_grid(tmp_path, text + "[views]\ncount = 2\nmixture = {}\n")), tmp_path)
    with pytest.raises(GridError, match="mixture"):
        cells.pair("bells", "tiny").clip_facts  # noqa: B018


def test_the_table_of_views_holds_the_numbers_of_the_runs(tmp_path):
    keys = pd.MultiIndex.from_product([["1", "4", ANEW], ["linear", "mhca"], [0, 1]])
    runs = keys.to_frame(index=False, name=["views", "method", "seed"])
    runs = runs.assign(
        score=np.linspace(0.1, 0.9, len(runs)), bytes=runs.views.map({"1": 10**9, "4": 3 * 10**9})
    )
    write_frame(tmp_path / "views.parquet", runs.fillna({"bytes": 0}))
    write_json(tmp_path / "views.json", {"command": "it", "compare": {"seeds": [0, 1]}})
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in views_table(tmp_path).splitlines()]
    mean = 100 * runs.groupby(["views", "method"]).score.mean()
    table = {line[0]: line[1:] for line in lines if line}
    assert table["4"][0] == "3.0 GB"
    assert [cell.split(" ")[0] for cell in table["4"][1:]] == [
        f"{mean['4', m]:.1f}" for m in ("linear", "mhca")
    ]
    assert [line[0] for line in lines[2:5]][:2] == ["1", "4"]
    assert lines[4][2].startswith(f"{mean[ANEW, 'linear']:.1f}")
