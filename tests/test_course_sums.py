"""The sums and figures of notebooks 01 to 03, against plain computations of the same."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.mean_loss import cells_of, event_in_mean, events_in_means, hits_by_size
from protoviz.analysis.occlusion import agreement, blocks, on_cells
from protoviz.analysis.overlap import (
    covered_and_shared,
    events_per_cell,
    overlap_table,
    seconds_together,
    sounding,
)
from protoviz.analysis.published import published
from protoviz.analysis.ranking import RankingError, method_agreement, win_matrix
from protoviz.analysis.results import by_method, results
from protoviz.audio import CellGrid, FilterBank, log_mel
from protoviz.audio.picture import cell_decibels
from protoviz.course import check
from protoviz.figures import cell_map, hit_curves, mean_and_max, overlap_curves, waveform_curve
from protoviz.scenes import Event, make_scene

GRID = CellGrid(64, 8, 10.24)
SECONDS = st.floats(0, 10.24)
HERTZ = st.floats(20, 8000)


@st.composite
def _events(draw, most=5):
    found = []
    for number in range(draw(st.integers(0, most))):
        (on, off), (low, high) = (
            sorted(draw(st.tuples(SECONDS, SECONDS))),
            sorted(draw(st.tuples(HERTZ, HERTZ))),
        )
        if off - on > 0.01 and high - low > 1:
            found.append(Event(f"sound {number}", on, off, low, high))
    return found


@settings(max_examples=40)
@given(_events())
def test_stretches_fill_the_clip_and_count_what_sounds(events):
    found = sounding(events, 10.24)
    assert found.onset.iloc[0] == 0
    assert found.offset.iloc[-1] == 10.24
    assert (found.onset.to_numpy()[1:] == found.offset.to_numpy()[:-1]).all()
    assert (np.diff(found["count"]) != 0).all()
    for row in found.itertuples():
        middle = (row.onset + row.offset) / 2
        assert row.count == sum(event.onset < middle < event.offset for event in events)
    lengths = sum(event.offset - event.onset for event in events)
    assert ((found.offset - found.onset) * found["count"]).sum() == pytest.approx(lengths)
    assert seconds_together(events, 10.24, 0) == pytest.approx(10.24)


@settings(max_examples=15)
@given(_events())
def test_covered_and_shared_are_the_areas_that_points_find(events):
    times = (np.arange(2048) + 0.5) / 2048 * 10.24
    mels = np.linspace(*(1127 * np.log1p(np.array([20, 8000]) / 700)), 1025)
    bands = 700 * np.expm1((mels[1:] + mels[:-1]) / 2 / 1127)
    count = np.zeros((2048, 1024), dtype=int)
    for event in events:
        inside = (times > event.onset) & (times < event.offset)
        count += inside[:, None] & ((bands > event.low_hz) & (bands < event.high_hz))
    covered, shared = covered_and_shared(GRID, events)
    assert covered == pytest.approx((count > 0).mean(), abs=0.01)
    assert shared == pytest.approx((count > 1).mean(), abs=0.01)
    cells = count.reshape(64, 32, 8, 128).mean((1, 3))
    assert np.abs(events_per_cell(GRID, events) - cells).max() < 0.2
    assert events_per_cell(GRID, events).mean() == pytest.approx(count.mean(), abs=0.01)


def test_overlap_of_scenes_grows_with_what_is_added():
    table = overlap_table([make_scene(3, k) for k in (1, 4, 8)], GRID)
    assert table.together[0] == table.shared[0] == 0
    assert table.together.is_monotonic_increasing
    assert table.covered.is_monotonic_increasing


@settings(max_examples=40)
@given(st.integers(2, 60), st.integers(1, 9), st.integers(0, 10**6), st.data())
def test_a_mean_reads_the_share_and_a_max_at_least_one(cells, width, seed, data):
    tokens = np.random.default_rng(seed).normal(size=(cells, width))
    inside = np.zeros(cells, dtype=bool)
    inside[: data.draw(st.integers(1, cells - 1))] = True
    one = event_in_mean(tokens, inside)
    share = inside.sum() / cells
    assert one.share == pytest.approx(share)
    assert one.mean == pytest.approx(share)
    assert one.best >= 1 - 1e-9
    assert one.reading[~inside].mean() == pytest.approx(0, abs=1e-9)
    rest, event = tokens[~inside].mean(0), tokens[inside].mean(0)
    assert one.shift == pytest.approx(share * np.linalg.norm(event - rest))
    assert one.found == inside[np.argmax((tokens - rest) @ (event - rest))]


def test_an_event_needs_a_rest_to_be_read_against():
    tokens = np.ones((4, 2))
    for inside in ([True] * 4, [False] * 4):
        with pytest.raises(ValueError, match="inside"):
            event_in_mean(tokens, inside)
    with pytest.raises(ValueError, match="the same mean token"):
        event_in_mean(tokens, [True, False, False, False])
    with pytest.raises(ValueError, match="4 tokens need as many cells"):
        event_in_mean(tokens, [True])


def test_small_events_are_told_from_large_ones():
    boxes = [(0.0, 0.16 * (1 + 3 * n), 283.2, 642.3) for n in range(6)]
    scenes = [
        SimpleNamespace(seed=n, polyphony=1, events=(Event("b" if n < 3 else "a", *box),))
        for n, box in enumerate(boxes)
    ]
    assert [int(cells_of(GRID, scene.events[0]).sum()) for scene in scenes] == [1, 4, 7, 10, 13, 16]
    tokens = np.random.default_rng(0).normal(size=(6, 512, 3))
    table = events_in_means(tokens, GRID, scenes)
    assert table.cells.tolist() == [1, 4, 7, 10, 13, 16]
    assert np.allclose(table["mean"], table.cells / 512)
    assert (table.best == table[["best_inside", "best_outside"]].max(axis=1)).all()
    assert (table.found == (table.best_inside >= table.best_outside)).all()
    found = hits_by_size(table, scenes, ["a", "b"], {"always a": np.tile([1.0, 0.0], (6, 1))})
    assert found["count"].tolist() == [2, 2, 2]
    assert found["always a"].tolist() == [0, 0.5, 1]
    assert found["fewest cells"].tolist() == [1, 7, 13]
    with pytest.raises(ValueError, match="two events or more, not 1"):
        hits_by_size(table[:1], scenes, ["a", "b"], {})
    drawn = hit_curves(found)
    assert [list(curve.dimension_values(1)) for curve in drawn.traverse(lambda c: c, ["Curve"])] == [
        [0, 50, 100]
    ]


@given(st.integers(1, 20), st.integers(1, 9), st.integers(1, 7), st.integers(1, 5))
def test_blocks_tile_the_grid(times, freqs, wide, high):
    masks = blocks(CellGrid(times, freqs, 1.0), wide, high)
    assert len(masks) == math.ceil(times / wide) * math.ceil(freqs / high)
    assert (masks.sum(0) == 1).all()
    values = np.arange(len(masks)) + 0.5
    t, f = np.divmod(np.arange(times * freqs), freqs)
    assert np.allclose(on_cells(values, masks), t // wide * math.ceil(freqs / high) + f // high + 0.5)


def test_agreement_is_of_ranks():
    assert agreement([1, 2, 3], [0.1, 5, 1000]) == pytest.approx(1)
    assert agreement([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_cells_have_the_mean_level_of_their_frames():
    mels = log_mel(make_scene(7, 4).waveform).numpy()
    levels = cell_decibels(mels, 64, 8, frames=1024)
    loudest = max(
        mels[16 * t : 16 * t + 16, 16 * f : 16 * f + 16].mean() for t in range(64) for f in range(8)
    )
    for t, f in ((0, 0), (31, 5), (63, 7)):  # the last column holds 14 frames
        piece = mels[16 * t : 16 * t + 16, 16 * f : 16 * f + 16].astype(float)
        assert levels[t, f] == pytest.approx((piece.mean() - loudest) * 10 / math.log(10), abs=1e-3)
    assert np.isnan(cell_decibels(mels[:100], 64, 8, frames=1024)[7:]).all()
    with pytest.raises(ValueError, match="do not fill"):
        cell_decibels(mels, 64, 8)


def test_wins_without_deviations_need_a_margin():
    paper = published("methods")
    with pytest.raises(RankingError, match="run at least two"):
        win_matrix(paper)
    wins = win_matrix(paper, margin=0.0)
    scores = paper.set_index(["dataset", "method"]).score
    for one, other in (("protobin", "proto"), ("linear", "mlp"), ("mhca", "ep")):
        more = sum(scores[name, one] > scores[name, other] for name in ("as20k", "fsd50k", "urban"))
        assert wins.loc[one, other] == more
    assert win_matrix(paper, margin=1.0).to_numpy().sum() == 0


def test_the_order_of_methods_is_compared_on_those_shared():
    frame = pd.DataFrame({"dataset": "a", "encoder": "e", "method": ["x", "y", "z"], "metric": "mAP"})
    one, other = frame.assign(score=[0.1, 0.2, 0.3]), frame.assign(score=[3, 2, 1])
    assert method_agreement(one, other) == (-1, ["x", "y", "z"])
    assert method_agreement(one, other[:2])[0] == -1
    assert np.isnan(method_agreement(one, other[:1])[0])


def test_the_table_of_own_results_says_mean_and_deviation():
    own = results().query("source == 'poolings' and encoder == 'mini-mae'")
    with pytest.raises(ValueError, match="choose one polyphony"):
        by_method(own)
    table = by_method(own[own.polyphony == 0])
    raw = pd.read_parquet("data/demo/results/poolings.parquet")
    scores = 100 * raw.query("method == 'mhca' and polyphony == 0 and scenes == 'mixed'").score
    assert table.loc["mhca", "mixed: mAP, %"] == f"{scores.mean():.1f} ± {scores.std(ddof=1):.1f}"
    assert list(table.index) == [*raw.method.drop_duplicates(), "chance"]
    own = own[own.polyphony == 0]
    alone = own[(own.seed == 0) | (own.method == "mhca")]
    one, three = by_method(alone).loc[["linear", "mhca"], "mixed: mAP, %"]
    assert one == f"{100 * own[(own.method == 'linear') & (own.dataset == 'mixed')].score.iloc[0]:.1f}"
    assert three == table.loc["mhca", "mixed: mAP, %"]
    with pytest.raises(ValueError, match="choose one source"):
        by_method(results())


@pytest.mark.parametrize("dark", [False, True])
def test_figures_draw_what_they_are_given(dark):
    scene = make_scene(7, 4)
    values = np.arange(512.0)
    drawn = cell_map(values, GRID, scene.events, mark=17, dark=dark)
    image = drawn.traverse(lambda found: found, ["Image"])[0]
    assert np.array_equal(image.dimension_values(2, flat=False)[::1].T, values.reshape(64, 8))
    assert image.bounds.lbrt() == (0, 0, 10.24, 8)
    boxes = drawn.traverse(lambda found: found, ["Rectangles"])
    assert [len(found) for found in boxes] == [4, 1]
    assert tuple(boxes[1].array()[0]) == pytest.approx((0.32, 1, 0.48, 2))  # token 17 is cell (2, 1)
    curve = waveform_curve(scene.waveform, scene.sample_rate, scene.events, dark).get(0)
    low, high = curve.dimension_values(1), curve.dimension_values(2)
    assert low.min() == scene.waveform.min()
    assert high.max() == scene.waveform.max()
    table = overlap_table([make_scene(seed, k) for seed in (1, 2) for k in (1, 2)], GRID)
    lines = overlap_curves(table, dark).traverse(lambda found: found, ["Curve"])
    assert [line.dimension_values(1)[-1] for line in lines] == pytest.approx(
        [100 * table.loc[table.polyphony == 2, name].mean() for name in ("together", "covered", "shared")]
    )
    events = events_in_means(np.random.default_rng(1).normal(size=(1, 512, 4)), GRID, [scene])
    points = mean_and_max(events, dark).traverse(lambda found: found, ["Points"])
    assert [sorted(found.dimension_values(1)) for found in points] == [
        pytest.approx(sorted(events[name])) for name in ("mean", "best")
    ]


def test_the_answers_are_right_and_wrong_ones_are_not():
    mel = 1127 * np.log1p(np.array([20, 1000, 8000]) / 700)
    cell = (int(3.5 / 0.16), int(8 * (mel[1] - mel[0]) / (mel[2] - mel[0])))
    cells = math.ceil(FilterBank().frames(48000) / 16) * 8
    step = np.arange(0.0005, 10.24, 0.001)
    sounds = sum((step > e.onset) & (step < e.offset) for e in make_scene(7, 8).events)
    right = {
        "00.1": 24 * 20,
        "01.1": cell,
        "01.2": cells,
        "01.3": (sounds >= 3).mean() * 10.24,
        "02.1": math.sqrt(2 * 2 * 511),
        "02.3": "occlusion",
        "03.1": 6 / 512,
        "03.2": "abmilp",
    }
    for key, answer in right.items():
        assert check(key, answer).right, key
    assert "time first" in check("01.1", cell[::-1]).says
    for key, wrong in {
        "00.1": 24,
        "01.2": 150,
        "01.3": 5.5,
        "02.1": 256,
        "02.3": "mass",
        "03.1": 0.05,
    }.items():
        assert check(key, wrong).right is False, key


def test_the_answer_read_from_own_results_is_theirs():
    raw = pd.read_parquet("data/demo/results/poolings.parquet").query("polyphony == 0 and scenes == 'mixed'")
    gain = 100 * (raw[raw.method == "protobin"].score.mean() - raw[raw.method == "mhca"].score.mean())
    assert check("03.3", gain).right
    assert check("03.3", gain + 1).right is False
