"""Nearest clips, what they lie on, and maps, against plain computations."""

import builtins
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from cache_fakes import CLASSES, FakeEncoder, KnownReader, fake_clips
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from protoviz.analysis.neighbours import (
    BACKGROUND,
    PARTS,
    MissingPackageError,
    cell_labels,
    drawn_ranks,
    favourite_classes,
    nearest_clips,
    nearest_point,
    plane,
    purity,
    purity_by_chance,
    responses,
    score_histograms,
)
from protoviz.analysis.prototypes import touches
from protoviz.audio import CellGrid
from protoviz.cache import TokenCache
from protoviz.experiments.projections import (
    NEAREST,
    PROTOTYPES,
    TOKENS,
    nearest_table,
    prototype_map,
    token_map,
)
from protoviz.probes import build_probe
from protoviz.scenes import Event, make_scene
from protoviz.training import score_many

GRID = CellGrid(64, 8, 10.24)


# -- sums


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 5), st.integers(1, 6))
def test_nearest_clips_are_those_of_a_plain_sort(seed, clips, prototypes, k):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (clips, prototypes)) / 4  # many are equal
    locations = rng.integers(-1, 5, (clips, prototypes))
    frame = nearest_clips(scores, locations, k)
    for j in range(prototypes):
        real = [b for b in range(clips) if locations[b, j] >= 0]
        expected = sorted(real, key=lambda b: (-scores[b, j], b))[:k]
        rows = frame[frame.prototype == j]
        assert rows.row.tolist() == expected
        assert rows["rank"].tolist() == list(range(1, len(expected) + 1))
        assert rows.score.tolist() == [scores[b, j] for b in expected]
        assert rows.cell.tolist() == [locations[b, j] for b in expected]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 5), st.integers(1, 6))
def test_parts_and_histogram_follow_the_order_of_all_clips(seed, clips, prototypes, k):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(clips, prototypes))
    locations = rng.integers(-1, 5, (clips, prototypes))
    frame = nearest_clips(scores, locations, k, PARTS)
    told = score_histograms(scores, locations, 4).set_index("prototype")
    for j in range(prototypes):
        real = np.flatnonzero(locations[:, j] >= 0)
        order = real[np.argsort(-scores[real, j], kind="stable")]
        rows = frame[frame.prototype == j]
        assert rows.row.tolist() == order[rows["rank"] - 1].tolist()
        assert rows["rank"].tolist() == sorted(set(rows["rank"]))
        assert sum(told.counts[j]) == len(real)
        if len(real) >= 3 * k:
            parts = {part: some["rank"].tolist() for part, some in rows.groupby("part")}
            third = len(real) / 3
            assert parts["top"] == [*range(1, k + 1)]
            for number, part in enumerate(("middle", "bottom"), 1):
                assert len(parts[part]) == k
                assert int(third * number) < min(parts[part]) <= max(parts[part]) <= int(third * (number + 1))
            assert (told.low[j], told.high[j]) == (scores[order[-1], j], scores[order[0], j])


def test_the_middle_and_the_bottom_are_drawn_evenly_and_the_same_every_time():
    drawn = [drawn_ranks(300, 8, prototype) for prototype in range(400)]
    assert drawn[7] == drawn_ranks(300, 8, 7) != drawn[8]
    for part, first in (("middle", 101), ("bottom", 201)):
        ranks = np.array([rank for one in drawn for name, rank in one if name == part])
        counts = np.bincount(ranks - first, minlength=100)
        assert len(counts) == 100
        assert counts.min() > 10, "32 each on average"
        assert counts.max() < 60


def test_scores_in_a_file_are_read_a_few_prototypes_at_a_time(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    scores, locations = rng.normal(size=(2000, 150)), rng.integers(-1, 9, (2000, 150))
    whole = nearest_clips(scores, locations, 3, PARTS), score_histograms(scores, locations)
    for name, array in (("scores", scores), ("locations", locations)):
        np.save(tmp_path / f"{name}.npy", array)
    given = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("scores", "locations")]
    monkeypatch.setattr("protoviz.analysis.neighbours.HELD", 8000)
    tracemalloc.start()
    found = nearest_clips(*given, 3, PARTS), score_histograms(*given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for one, other in zip(found, whole, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert peak < scores.nbytes / 2, "all of them, in order, take twice as much as they do"


def test_a_cell_is_labelled_by_the_event_that_covers_most_of_it():
    scene = make_scene(61, 6)
    labels = cell_labels(GRID, scene.events)
    assert labels.shape == (64, 8)
    assert set(labels.ravel()) <= {BACKGROUND, *scene.labels}
    for t, f in np.ndindex(64, 8):
        box = GRID.box(t, f)
        on = {event.label for event in scene.events if touches(box, event)}
        assert (labels[t, f] in on) if on else (labels[t, f] == BACKGROUND)
    # Half a cell of one beside a whole one of the other.
    one, other = Event("one", 0.0, 0.24, 20, 8000), Event("other", 0.16, 0.4, 20, 8000)
    assert cell_labels(GRID, [one, other])[:4, 0].tolist() == ["one", "other", "other", BACKGROUND]
    assert cell_labels(GRID, ()) is None


def near(labels, prototype=0, probe="p"):
    ranks = range(1, len(labels) + 1)
    frame = pd.DataFrame({"probe": probe, "prototype": prototype, "rank": ranks})
    return frame.assign(label=pd.array(labels, dtype="string"))


def test_purity_is_the_share_of_the_commonest_event():
    frame = pd.concat(
        [
            near(["rain", "bell", "rain", BACKGROUND], 0),
            near(["bell", "rain", "rain", "bell"], 1),  # as many: the nearer one
            near([BACKGROUND] * 4, 2),
            near(["rain", None], 3),
        ]
    )
    found = purity(frame.sample(frac=1, random_state=0)).set_index("prototype")
    assert found.label.tolist()[:3] == ["rain", "bell", BACKGROUND]
    assert found.purity.tolist()[:3] == [0.5, 0.5, 0.0]
    assert found.loc[3, ["label", "purity"]].isna().all()


def test_chance_is_what_dealing_the_labels_leaves():
    pure = pd.concat([near([name] * 8, j) for j, name in enumerate("abcdefgh" * 5)])
    by_chance = purity_by_chance(pure)
    # Eight labels, equally common, eight draws: the largest count is 2.6 of 8 on average.
    counts = np.random.default_rng(5).multinomial(8, [1 / 8] * 8, 4000).max(1)
    assert by_chance == pytest.approx(counts.mean() / 8, abs=0.03)
    assert purity(pure).purity.mean() == 1
    assert purity_by_chance(pure) == by_chance
    assert np.isnan(purity_by_chance(near(["rain", None])))


def test_a_favourite_class_has_the_largest_weight():
    weight = np.array([[1.0, -2, 3], [0.5, -1, 3]])
    found = favourite_classes(weight, ("bell", "rain"))
    assert found.favourite.tolist() == ["bell", "rain", "bell"]
    assert found.weight.tolist() == [1, -1, 3]


def test_the_cosine_of_responses_is_the_correlation_of_scores():
    scores = np.random.default_rng(0).normal([0, 5, -5, 1], size=(30, 4))
    rows = responses(scores)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(rows @ rows.T, np.corrcoef(scores.T), atol=1e-5)


def test_the_nearest_point_is_counted_in_pixels():
    x, y = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    assert nearest_point(x, y, (0.6, 0.6), (100, 1), 50) == 1
    assert nearest_point(x, y, (0.6, 0.6), (1, 100), 50) == 2
    assert nearest_point(x, y, (0.6, 0.6), (100, 100), 50) is None
    assert nearest_point([], [], (0, 0), (1, 1), 9) is None


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "umap":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match=r"\[notebooks\]"):
        plane(np.eye(4))


# -- tables of a cache


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(cache, clips, grid, probes): 40 clips of 8 cells, the test clips among them with padding."""
    clips, encoder = fake_clips(40, reader=KnownReader, samples=28), FakeEncoder()
    cache = TokenCache.create(tmp_path_factory.mktemp("tokens") / "c", encoder, clips, progress=False)
    torch.manual_seed(1)
    probes = {
        "b": build_probe("protobin", 8, 3, (4, 2), prototypes_per_class=4),
        "up": build_probe("proto", 8, 3, (4, 2), prototypes_per_class=2, upsample=True),
    }
    return cache, clips, CellGrid(4, 2, encoder.seconds), probes


def events_of(clips):
    row_of = {clip: row for row, clip in enumerate(clips.table["clip"])}
    return lambda clip: clips.events(row_of[clip])


def test_the_table_of_nearest_clips_is_that_of_brute_force(world):
    cache, clips, grid, probes = world
    view = cache.split("test")
    found = dict(zip(probes, score_many(list(probes.values()), view), strict=True))
    every = nearest_table(probes["b"], found["b"], view, events_of(clips), grid, 3)
    assert every.columns.tolist() == NEAREST
    table = every[every.part == "top"]
    test = cache.table[cache.table.split == "test"]
    batch = cache.read(test.index.to_numpy())
    signs = F.normalize(torch.where(probes["b"].latent >= 0, 1.0, -1.0), dim=1)
    cosine = F.normalize(batch.tokens.float(), dim=2) @ signs.T
    cosine[~batch.mask] = -9
    scores, cells = cosine.max(1)
    for j in range(12):
        rows = table[table.prototype == j]
        best = scores[:, j].argsort(descending=True)[:3]
        assert rows["clip"].tolist() == test["clip"].iloc[best.numpy()].tolist()
        assert rows["rank"].tolist() == [1, 2, 3]
        np.testing.assert_allclose(rows.score, scores[best, j].detach(), atol=1e-6)
        assert rows.cell.tolist() == cells[best, j].tolist()
        for row in rows.itertuples():
            box = grid.box(*divmod(row.cell, 2))
            assert (row.onset, row.offset, row.low_hz, row.high_hz) == box
            event = clips.events(int(np.flatnonzero(clips.table["clip"] == row.clip)[0]))[0]
            assert row.label == (event.label if touches(box, event) else BACKGROUND)
    # A probe that doubles the map counts the cells of the doubled one.
    other = nearest_table(probes["up"], found["up"], view, events_of(clips), grid, 3)
    assert 8 <= other.cell.max() < 32
    widths = other.offset - other.onset
    np.testing.assert_allclose(widths, grid.seconds / 8)


def test_clips_without_truth_have_no_labels(world):
    cache, _, grid, probes = world
    view = cache.split("test")
    found = score_many([probes["b"]], view)[0]
    table = nearest_table(probes["b"], found, view, lambda clip: (), grid, 3)
    assert table.label.isna().all()


def test_maps_describe_every_prototype_and_every_real_token(world, monkeypatch):
    monkeypatch.setattr(
        "protoviz.experiments.projections.plane", lambda vectors, seed: np.asarray(vectors)[:, :2]
    )
    cache, clips, grid, probes = world
    view, tables = cache.split("test"), {}
    for name, probe in probes.items():
        found = score_many([probe], view)[0]
        nearest = nearest_table(probe, found, view, events_of(clips), grid, 3)
        tables[name] = prototype_map(probe, found, nearest, CLASSES)
        assert tables[name].columns.tolist() == PROTOTYPES
        assert tables[name].prototype.tolist() == [*range(probe.count)]
    assert tables["up"].favourite.tolist() == [name for name in CLASSES for _ in range(2)]
    assert set(tables["b"].x_direction) == {-1.0, 1.0}, "the binary ones, as compared"
    tokens = token_map(clips.table["clip"].iloc[[7, 3]].tolist(), cache, clips, grid)
    assert tokens.columns.tolist() == TOKENS
    assert tokens["clip"].tolist() == ["fakes-0007"] * 7 + ["fakes-0003"] * 7, "padding is no token"
    assert tokens.cell.tolist() == [*range(7)] * 2
    first = cache.read([7]).tokens[0, :7].float()
    np.testing.assert_array_equal(tokens[["x", "y"]].to_numpy()[:7], first[:, :2])


@pytest.mark.slow
def test_a_plane_is_the_same_every_time_and_keeps_groups_together():
    pytest.importorskip("umap")
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 12))
    group = np.arange(150) % 3
    vectors = centres[group] + 0.2 * rng.normal(size=(150, 12))
    places = plane(vectors)
    np.testing.assert_array_equal(plane(vectors), places)
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(1)] == group).all()
