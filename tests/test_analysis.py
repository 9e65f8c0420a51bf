"""Prototypes, missed classes and the spectrogram's picture: frames and arrays against what they promise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from protoviz.analysis.prototypes import (
    class_order,
    class_scores,
    logit_parts,
    sigmoid,
    strongest_prototypes,
    touches,
    what_was_missed,
)
from protoviz.audio import Box, CellGrid, FilterBank, log_mel, mel_edges_hz
from protoviz.audio.picture import hertz_ticks, mel_picture, mel_row

GRID = CellGrid(64, 8, 10.24)
rows = arrays(np.float64, st.integers(1, 40), elements=st.floats(-5, 5, allow_nan=False))


def ranked(row, k=5, boxes=None, seed=0):
    rng = np.random.default_rng(seed)
    scores, locations = rng.random(len(row)), rng.integers(0, 512, len(row))
    return strongest_prototypes(row, scores, locations, GRID, k, boxes), scores, locations


@given(rows, st.integers(1, 9))
@settings(max_examples=50)
def test_the_strongest_are_the_largest_positive_contributions_in_order(row, k):
    frame, scores, locations = ranked(row, k)
    expected = sorted((value for value in row if value > 0), reverse=True)[:k]
    assert frame.contribution.tolist() == expected
    assert frame["rank"].tolist() == list(range(1, len(expected) + 1))
    np.testing.assert_array_equal(frame.score, scores[frame.prototype])
    np.testing.assert_array_equal(
        GRID.index(frame.t.to_numpy(), frame.f.to_numpy()), locations[frame.prototype]
    )


@given(rows, st.floats(-3, 3, allow_nan=False), st.integers(1, 9))
@settings(max_examples=50)
def test_the_parts_of_a_logit_end_at_the_logit(row, bias, k):
    parts = logit_parts(row, bias, ranked(row, k)[0])
    summands, total = parts.iloc[:-1], parts.iloc[-1]
    assert total.part == "logit"
    assert total.value == pytest.approx(row.sum() + bias, abs=1e-9)
    assert summands.value.sum() == pytest.approx(total.value, abs=1e-9)
    if len(summands):
        assert summands.end.iloc[-1] == pytest.approx(total.end, abs=1e-9)
        np.testing.assert_allclose(summands.start.iloc[1:], summands.end.iloc[:-1], atol=1e-9)
    assert summands["count"].sum() == len(row)


def test_cells_carry_their_place_and_say_whether_they_hit():
    box = GRID.box(10, 3)
    inside = Box(box.onset + 0.01, box.offset - 0.01, box.low_hz + 1, box.high_hz - 1)
    row, scores, locations = np.array([2.0, 1.0]), np.array([0.4, 0.3]), np.array([10 * 8 + 3, 11 * 8 + 3])
    frame = strongest_prototypes(row, scores, locations, GRID, 5, [inside])
    assert frame.hit.tolist() == [True, False]
    assert (frame.onset[0], frame.offset[0], frame.low_hz[0], frame.high_hz[0]) == tuple(box)
    assert strongest_prototypes(row, scores, locations, GRID).hit.isna().all(), "unknown truth is no miss"
    assert strongest_prototypes(row, scores, locations, GRID, 5, []).hit.tolist() == [False, False]


def test_boxes_that_only_meet_do_not_touch():
    left, right = GRID.box(4, 4), GRID.box(5, 4)
    assert touches(left, left)
    assert not touches(left, right)
    assert not touches(left, GRID.box(4, 5))


def test_missed_is_present_and_below_the_first_k_ranks():
    classes = ["a", "b", "c", "d"]
    logits = {"one": np.array([3.0, 2.0, 1.0, 0.0]), "two": np.array([0.0, 1.0, 2.0, 3.0])}
    scores = class_scores(classes, logits, {"a", "d"})
    assert what_was_missed(scores) == {"one": ["d"], "two": ["a"]}
    one = scores[scores.probe == "one"]
    assert one["rank"].tolist() == [1, 2, 3, 4]
    assert one.present.tolist() == [True, False, False, True]
    np.testing.assert_allclose(one.probability, 1 / (1 + np.exp(-logits["one"])))


def test_without_truth_nothing_is_missed():
    scores = class_scores(["a", "b"], {"one": np.array([1.0, 2.0])}, None)
    assert scores.present.isna().all()
    assert not scores.missed.any()
    assert what_was_missed(scores) == {}


def test_classes_are_ordered_by_truth_probability_or_name():
    scores = class_scores(["b", "a", "c"], {"one": np.array([0.0, 1.0, 2.0])}, {"b"})
    assert class_order(scores, "truth", "one") == ["b", "c", "a"]
    assert class_order(scores, "probability", "one") == ["c", "a", "b"]
    assert class_order(scores, "name", "one") == ["a", "b", "c"]
    with pytest.raises(ValueError, match="loudness"):
        class_order(scores, "loudness", "one")


def test_sigmoid_does_not_overflow():
    with np.errstate(over="raise"):
        assert sigmoid([-1000.0, 0.0, 1000.0]).tolist() == [0.0, 0.5, 1.0]


def test_mel_rows_fit_the_cells_exactly():
    bank = FilterBank()
    edges = mel_row(GRID.hertz_edges, bank.mels, bank.low_hz, bank.top_hz)
    np.testing.assert_allclose(edges, np.arange(9) * 16, atol=1e-9)
    np.testing.assert_allclose(mel_row(mel_edges_hz(bank), 128, 20, 8000), np.arange(129), atol=1e-9)
    assert hertz_ticks(128, 20, 8000)[128.0] == "8k"
    assert mel_row(1e9, 128, 20, 8000) == 128


def test_the_picture_is_in_decibels_below_the_loudest():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 1e-3, 16000).astype(np.float32)
    mels = log_mel(tone + noise).numpy()
    picture, span = mel_picture(mels, 128)
    assert (picture.dtype, picture.shape) == (np.uint8, (128, 128))
    assert 30 <= span <= 80
    assert picture.max() == 255
    assert not picture[:, len(mels) :].any(), "what is no sound is paper"
    loud = np.unravel_index(picture.argmax(), picture.shape)[0]
    assert abs(loud + 0.5 - mel_row(1000, 128, 20, 8000)) < 1.5
    level = (mels.T / np.log(10) * 10) - mels.max() / np.log(10) * 10
    shown = level > -span
    step = span / 255
    drawn = (picture[:, : len(mels)].astype(float) / 255 - 1) * span
    assert np.abs(drawn - level)[shown].max() <= step / 2 + 1e-3


def test_a_picture_of_nothing_is_refused():
    with pytest.raises(ValueError, match="log-mel frames"):
        mel_picture(np.zeros((0, 128)))


def test_the_frames_have_the_columns_that_their_docstrings_name():
    frame, _, _ = ranked(np.array([1.0, -1.0]))
    assert isinstance(frame, pd.DataFrame)
    names = "rank prototype score contribution t f onset offset low_hz high_hz hit"
    assert list(frame.columns) == names.split()
