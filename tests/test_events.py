"""Scores of frames and events against published code, and what they have to be whatever the numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from protoviz.audio import CellGrid
from protoviz.datasets import ClipSet
from protoviz.metrics import (
    Events,
    detected,
    event_counts,
    f1,
    intersection_counts,
    listed,
    psds,
    segment_counts,
)
from protoviz.scenes import Event

FILES = Path(__file__).parent / "golden" / "events"
SECONDS = 10.24


@pytest.fixture(scope="module")
def case():
    """Scores (b t c), true events, and what published code says of them."""
    with np.load(FILES / "case.npz") as file:
        held = dict(file)
    true = Events(*(held[name] for name in Events._fields))
    return held, true, json.loads((FILES / "expected.json").read_text())


def points(held, true, thresholds):
    clips, _, classes = held["scores"].shape
    found = (detected(held["scores"], one, held["edges"]) for one in thresholds)
    return np.stack([intersection_counts(one, true, clips, classes).sum(0) for one in found])


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("onset", event_counts),
        ("onset and offset", lambda *sizes: event_counts(*sizes, offset_share=0.5)),
        ("segment", segment_counts),
        ("intersection", intersection_counts),
    ],
)
def test_f1_equals_the_published_codes(case, name, counts):
    held, true, expected = case
    clips, _, classes = held["scores"].shape
    got = f1(counts(detected(held["scores"], held["thresholds"], held["edges"]), true, clips, classes))
    wanted = expected[name]
    for mine, theirs in ((got.micro, "micro"), (got.macro, "macro"), (got.per_class, "per_class")):
        np.testing.assert_allclose(mine, wanted[theirs], rtol=1e-12)


def test_psds_equals_the_published_codes(case):
    held, true, expected = case
    hours = len(held["scores"]) * SECONDS / 3600
    found = points(held, true, held["points"])
    for spread in (0, 1):
        got = psds(found, hours, spread=spread, most=2000)
        assert got == pytest.approx(expected[f"psds, spread {spread}"], rel=1e-9)


def test_psds_of_two_classes_is_what_one_works_out_by_hand():
    """One hour. Class a: half of its events found at 10 false alarms, all at 60; class b: all at 20."""
    counts = np.array([[[1, 10, 1], [2, 20, 0]], [[2, 60, 0], [2, 20, 0]]])
    #          false alarms an hour: 0-10  10-20  20-60  60-100
    #          mean of the curves     0     .25    .75     1
    #          their deviation        0     .25    .25     0
    assert psds(counts, 1.0) == pytest.approx((40 * 0.5 + 40 * 1) / 100)
    assert psds(counts, 1.0, spread=0) == pytest.approx((10 * 0.25 + 40 * 0.75 + 40 * 1) / 100)
    assert psds(counts, 2.0) == pytest.approx((20 * 0.5 + 70 * 1) / 100), "half as many alarms an hour"
    lone = np.array([[[2, 0, 0], [0, 0, 2], [0, 0, 2]]])  # one class of three is found, at once and whole
    assert psds(lone, 1.0) == 0, "a mean of 1/3 is less than the deviation, 0.47"
    assert psds(lone, 1.0, spread=0) == pytest.approx(1 / 3)


def test_counts_of_clips_add_up_and_perfect_detections_score_one(case):
    held, true, _ = case
    clips, _, classes = held["scores"].shape
    found = detected(held["scores"], held["thresholds"], held["edges"])
    for counts in (event_counts, intersection_counts):
        each = counts(found, true, clips, classes)
        np.testing.assert_array_equal(each[..., 0] + each[..., 2], np.histogram2d(
            true.clip, true.column, bins=(np.arange(clips + 1), np.arange(classes + 1))
        )[0])  # fmt: skip
        perfect = counts(true, true, clips, classes)
        assert f1(perfect)[:2] == (1.0, 1.0)
    half = f1(event_counts(found, true, clips, classes)[: clips // 2])
    kept = [Events(*(part[one.clip < clips // 2] for part in one)) for one in (found, true)]
    assert half.micro == f1(event_counts(*kept, clips // 2, classes)).micro
    assert psds(perfect.sum(0)[None], 1.0) == 1.0


def test_a_pairing_takes_no_event_twice_and_as_many_as_it_can():
    def events(*onsets):
        return listed([[Event("a", at, at + 1, 0, 1) for at in onsets]], ("a", "b"))

    # The first detection could take either event; the second only the first one.
    assert event_counts(events(1.1, 0.9), events(1.0, 1.25), 1, 2).tolist() == [[[2, 0, 0], [0, 0, 0]]]
    assert event_counts(events(1.0, 1.1), events(1.0), 1, 2)[0, 0].tolist() == [1, 1, 0]
    assert event_counts(events(), events(1.0), 1, 2)[0, 0].tolist() == [0, 0, 1]
    found = f1(event_counts(events(2.0), events(), 1, 2))
    assert found.micro == 0
    assert np.isnan(found.macro)
    assert np.isnan(psds(np.zeros((3, 2, 3)), 1.0))


def test_frames_that_hold_no_sound_are_never_detected():
    scores, edges = np.ones((1, 4, 1)), np.arange(5.0)
    real = np.array([[True, True, True, False]])
    assert detected(scores, 0.5, edges, real).offset.tolist() == [3.0]


class Marked:
    """A reader of clips whose events are given: for the table below."""

    def __init__(self, *events):
        self.marks = events

    def read(self, row):
        return np.zeros(16000, np.float32)

    def events(self, row):
        return self.marks[row.seed]

    def fingerprint(self):
        return repr(self.marks)


def clips_of(*events):
    held = [sorted({event.label for event in some}) for some in events]
    table = pd.DataFrame(
        [(f"clip {n}", "train", labels, len(labels), n, None) for n, labels in enumerate(held)],
        columns=["clip", "split", "labels", "polyphony", "seed", "path"],
    )
    return ClipSet("marked", ("a", "b"), table, Marked(*events))


def test_an_event_is_in_the_frames_that_it_covers_by_half_and_in_one_at_least():
    grid = CellGrid(times=10, freqs=2, seconds=1.0)
    long, short = Event("a", 0.14, 0.36, 100, 200), Event("b", 0.51, 0.52, 0, 8000)
    instant, late = Event("b", 0.35, 0.35, 0, 8000), Event("a", 1.1, 1.3, 0, 8000)
    clips = clips_of((long, short), (instant, late), ())
    found = clips.frame_targets(grid, range(3))
    assert found.shape == (3, 10, 2)
    assert np.argwhere(found).tolist() == [[0, 1, 0], [0, 2, 0], [0, 3, 0], [0, 5, 1], [1, 3, 1]]
    clips.reader.marks = ((), (), ())
    with pytest.raises(ValueError, match=r"'clip 0' has labels(.|\n)*leave out the clips"):
        clips.frame_targets(grid, [0])
    wrong = {"'c', which is none": ("c", 0, 1, 0, 1), "'a' from 0.9 to 0.2 s": ("a", 0.9, 0.2, 0, 1)}
    for said, event in wrong.items():
        clips.reader.marks = ((Event(*event),), (), ())
        with pytest.raises(ValueError, match=f"'clip 0' has an event {said}(.|\n)*correct"):
            clips.frame_targets(grid, [0])
