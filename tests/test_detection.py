"""Probes as detectors: what a frame is asked, how thresholds are chosen, and the recipe "frames"."""

from pathlib import Path

import numpy as np
import pytest
import torch
from cache_fakes import FakeEncoder, KnownReader, fake_clips
from tiny_recipes import frames_grid

from protoviz.analysis.detection import (
    Timed,
    band_rows,
    best_thresholds,
    detection_rows,
    operating_points,
)
from protoviz.audio import CellGrid
from protoviz.cache import TokenCache
from protoviz.experiments.cells import Cells
from protoviz.experiments.estimate import plan
from protoviz.experiments.grid import GridError
from protoviz.experiments.recipe import read_recipe, run_recipe
from protoviz.kept import DamagedFileWarning, read_frame
from protoviz.metrics import mean_average_precision
from protoviz.probes import ProbeError, build_probe, frame_wise
from protoviz.report import frames_table
from protoviz.scenes import Event
from protoviz.training import FitConfig, TokenData, clip_logits, fit, predict, real_frames

GRID, D, C = (8, 3), 16, 3


def planted(count, seed):
    """Clips of noise; a class, where present, fills one cell of two frames. Tokens, and truth (b t c)."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(C, D))
    tokens, truth = rng.normal(size=(count, *GRID, D)), np.zeros((count, GRID[0], C), np.float32)
    for b, c in zip(*np.nonzero(rng.random((count, C)) < 0.4), strict=True):
        t, f = rng.integers(GRID[0] - 1), rng.integers(GRID[1])
        tokens[b, t : t + 2, f] = 2.5 * directions[c] + 0.3 * rng.normal(size=(2, D))
        truth[b, t : t + 2, c] = 1
    return torch.tensor(tokens, dtype=torch.float32).flatten(1, 2), truth


@pytest.mark.parametrize(
    ("name", "hyper"), [("protobin", {"batch_norm": True}), ("cgp", {"summary": "mean"})]
)
def test_a_frame_is_asked_as_a_clip_of_one_frame_would_be(name, hyper):
    torch.manual_seed(0)
    probe = build_probe(name, D, C, GRID, prototypes_per_class=2, **hyper).eval()
    tokens, _ = planted(2, 0)
    frames, cells = frame_wise(probe), frame_wise(probe, cells=True)
    assert frames(tokens).shape == (2, GRID[0], C)
    assert cells(tokens).shape == (2, GRID[0] * GRID[1], C)
    for t in range(GRID[0]):
        own = tokens[:, t * GRID[1] : (t + 1) * GRID[1]]
        torch.testing.assert_close(frames(tokens)[:, t], probe(own))
        torch.testing.assert_close(cells(tokens)[:, t * GRID[1]], probe(own[:, :1]))
    for other in ("linear", "simpool", "cgp"):
        with pytest.raises(ProbeError, match=f"{other} cannot be asked(.|\n)*protobin"):
            frame_wise(build_probe(other, D, C, GRID))


def test_prototypes_that_learned_from_clips_find_events_in_time():
    (tokens, truth), (test, wanted) = planted(300, 1), planted(150, 2)
    torch.manual_seed(0)
    probe = build_probe("protobin", D, C, GRID, batch_norm=True, prototypes_per_class=8)
    by_clip = TokenData(tokens, None, None, truth.max(1))
    fit(probe, by_clip, by_clip, FitConfig(epochs=8, batch_size=32))
    learned = build_probe("protobin_frames", D, C, GRID, batch_norm=True, prototypes_per_class=8)
    by_frame = TokenData(tokens, None, None, truth)
    fit(learned, by_frame, by_frame, FitConfig(epochs=8, batch_size=32))
    held = TokenData(test, None, None, wanted)

    def score(one):
        return mean_average_precision(predict(one, held).reshape(-1, C), wanted.reshape(-1, C)).value

    assert score(frame_wise(probe)) > 5 * wanted.mean()
    assert score(learned) > 5 * wanted.mean()


def test_a_view_of_a_cache_gives_frames_as_targets_in_any_order(tmp_path):
    clips, encoder = fake_clips(24, reader=KnownReader), FakeEncoder()
    cache = TokenCache.create(tmp_path, encoder, clips, progress=False)
    view = cache.split("train")
    grid = encoder.cell_grid(cache.grid)
    rows = clips.indices("train")
    truth = clips.frame_targets(grid, rows)
    framed = view.with_targets(truth)
    assert framed.targets().shape == (len(view), cache.grid[0], len(cache.classes))
    assert framed.fingerprint not in (view.fingerprint, view.with_targets(1 - truth).fingerprint)
    for plain, other in zip(view.batches(5, seed=3), framed.batches(5, seed=3), strict=True):
        assert torch.equal(plain.tokens, other.tokens)
        # Only the first label of a clip has an event.
        assert (other.targets.amax(1) <= plain.targets).all()
        assert torch.equal(other.targets.amax((1, 2)), torch.ones(len(other.tokens)))
    lone = framed.without(view.table["clip"][1:])
    np.testing.assert_array_equal(lone.targets(), truth[:1])
    with pytest.raises(ValueError, match="do not fit"):
        view.with_targets(truth[1:])
    probe = build_probe("protobin_frames", cache.dim, len(cache.classes), cache.grid)
    assert len(fit(probe, framed, framed, FitConfig(epochs=2, batch_size=4)).history) == 2
    logits = predict(probe, framed)
    real = real_frames(framed, cache.grid[0])
    np.testing.assert_array_equal(clip_logits(logits, framed)[0], logits[0][real[0]].max(0))


def timed(targets, events, freqs=2):
    frames = targets.shape[1]
    grid, real = CellGrid(frames, freqs, frames / 10), np.ones(targets.shape[:2], bool)
    return Timed(("a", "b", "c"), grid, events, real, targets)


def test_thresholds_of_the_best_f1_let_a_perfect_detector_score_one():
    targets = np.zeros((3, 10, 3), np.float32)
    events = [[Event("a", 0.2, 0.5, 0, 8000)], [Event("b", 0.4, 0.7, 0, 8000)], []]
    targets[0, 2:5, 0] = targets[1, 4:7, 1] = 1
    clips = timed(targets, events)
    scores = targets * 3 + np.random.default_rng(0).random(targets.shape)
    points = operating_points(scores, clips)
    thresholds = best_thresholds(scores, clips, points)
    rows = detection_rows(scores, clips, thresholds, points, np.array([1, 1, 0])).set_index(
        ["polyphony", "measure"]
    )
    for measure in ("frame mAP", "event F1", "event F1 with offsets", "segment F1", "PSDS"):
        assert rows.score[0, measure] == pytest.approx(1), measure
        assert rows.score[1, measure] == pytest.approx(1), measure
    assert rows.clips[0, "PSDS"] == 3
    assert rows.clips[1, "PSDS"] == 2
    assert rows.chance[0, "frame mAP"] == pytest.approx(0.1)


def test_a_band_is_right_where_the_strongest_cell_of_the_events_frames_lies_in_it():
    grid = CellGrid(10, 2, 1.0)
    low, high = (0.0, grid.hertz_edges[1] - 1), (grid.hertz_edges[1] + 1, 8000.0)
    events = [[Event("a", 0.2, 0.5, *low)], [Event("b", 0.4, 0.7, *high)], [Event("c", 0, 1, 0, 8000)]]
    clips = timed(np.zeros((3, 10, 3), np.float32), events)
    cells = np.zeros((3, 20, 3))
    cells[0, grid.index(3, 0), 0] = 1  # in the band
    cells[0, grid.index(8, 1), 0] = 2  # outside the event's frames: nobody asks
    cells[1, grid.index(5, 0), 1] = 1  # in the other band
    rows = band_rows(cells, clips, np.array([1, 2, 1])).set_index("polyphony")
    assert rows.score.to_dict() == {0: 0.5, 1: 1.0, 2: 0.0}
    assert rows.chance.tolist() == [0.5, 0.5, 0.5]  # the event of all bands counts nowhere


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    run_recipe(frames_grid(), folder / "work", folder / "results", progress=False)
    return folder


def test_the_recipe_scores_probes_of_frames_and_of_clips_alike(run):
    table = read_frame(run / "results" / "frames.parquet")
    assert dict(zip(table.method, table.learned, strict=True)) == {
        "linear_frames": "frames",
        "protobin_frames": "frames",
        "protobin": "clips",
    }
    measures = {"frame mAP", "event F1", "event F1 with offsets", "segment F1", "PSDS", "right band"}
    for _, rows in table.groupby("method"):
        assert set(rows.measure) == measures
    assert table.score.between(0, 1).all()
    assert table[table.polyphony == 0].clips.eq(6).all()
    shown = frames_table(run / "results").splitlines()
    assert [line.split("|")[2].strip() for line in shown[2:5]] == ["frames", "frames", "clips"]
    results = read_frame(run / "work" / "results.parquet")
    assert set(results.metric) == {"mAP"}  # of clips for every method, so that they can be compared


def test_what_it_takes_can_be_told_before(tmp_path):
    planned = plan(Cells(frames_grid(), tmp_path))
    assert set(planned.state) == {"to do"}, planned.error.max()
    assert (planned.seconds > 0).all()


def test_events_are_made_once_and_again_where_their_file_is_damaged(run):
    (kept,) = (run / "work" / "events").iterdir()
    before, held = kept.read_bytes(), run / "results" / "frames.parquet"
    table = held.read_bytes()
    kept.write_bytes(before[:-40])
    for path in Path(run / "work").rglob("score-*.frames.parquet"):
        path.unlink()
    from protoviz.experiments import marks

    marks._read.cache_clear()
    with pytest.warns(DamagedFileWarning, match="made again"):
        run_recipe(frames_grid(), run / "work", run / "results", progress=False)
    assert kept.read_bytes() == before
    assert held.read_bytes() == table


def test_what_cannot_be_asked_for_frames_is_said(tmp_path):
    grid = read_recipe("frames", small=True, probes=["protobin", "mhca"])
    with pytest.raises(ProbeError, match="mhca cannot be asked for single frames"):
        grid.recipe.begin(grid)
    text = """
    seeds = [0]
    encoders = { tiny = { use = "grid_fakes:tiny" } }
    probes = ["linear_frames"]
    datasets = { bells = { use = "grid_fakes:clips" } }
    """
    path = tmp_path / "grid.toml"
    path.write_text(text)
    cells = Cells(read_recipe(str(path)), tmp_path)
    pair = cells.pair("bells", "tiny")
    with pytest.raises(GridError, match=r"bells: none of its clips has an event(.|\n)*leave out"):
        pair.frame_targets(tmp_path, pair.clips.table["clip"])
