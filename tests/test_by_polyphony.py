"""Sums of the polyphony experiment: calibrated precision, events found, levels, against plain counting."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from protoviz.analysis.by_polyphony import (
    class_rows,
    found_events,
    levels_below,
    macro_rows,
    recall_by_level,
    single_label_rows,
)
from protoviz.metrics import (
    average_precision,
    calibrated_average_precision,
    random_average_precision,
)


@given(st.integers(0, 10_000), st.sampled_from([0.05, 0.1, 0.5, 0.9]), st.booleans())
def test_calibrated_precision_is_that_of_weighted_clips(seed, reference, ties):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(30, 3))
    scores = np.round(scores) if ties else scores
    targets = rng.random((30, 3)) < 0.3
    targets[0], targets[1] = True, False
    found = calibrated_average_precision(scores, targets, reference)
    for c in range(3):
        share = targets[:, c].mean()
        weights = np.where(targets[:, c], reference / share, (1 - reference) / (1 - share))
        assert weights[targets[:, c]].sum() / weights.sum() == pytest.approx(reference)
        assert found[c] == pytest.approx(
            average_precision_score(targets[:, c], scores[:, c], sample_weight=weights)
        )


def test_calibrated_precision_is_that_of_copied_clips():
    rng = np.random.default_rng(1)
    scores, targets = rng.normal(size=(40, 1)), np.arange(40)[:, None] < 20
    # Of 20 and 20, every clip without the class nine times: one in ten holds it.
    copies = np.where(targets[:, 0], 1, 9)
    copied = average_precision(np.repeat(scores, copies, axis=0), np.repeat(targets, copies, axis=0))
    assert calibrated_average_precision(scores, targets, 0.1) == pytest.approx(copied)
    assert calibrated_average_precision(scores, targets, 0.5) == pytest.approx(
        average_precision(scores, targets)
    )
    assert np.isnan(calibrated_average_precision(scores, np.ones((40, 1)), 0.1)).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrated_average_precision(scores, targets, 1.0)


def test_a_random_order_scores_its_chance_at_every_prevalence():
    rng = np.random.default_rng(2)
    polyphony = np.repeat([1, 4, 8], 500)
    targets = rng.random((1500, 10)) < polyphony[:, None] / 10
    table = macro_rows(class_rows(rng.normal(size=targets.shape), targets, polyphony, "abcdefghij"))
    assert table.score.to_numpy() == pytest.approx(table.chance.to_numpy(), abs=0.03)
    chance = table.pivot(index="polyphony", columns="metric", values="chance")
    assert chance["mAP"].tolist() == pytest.approx([0.1, 0.4, 0.8], abs=0.03)
    assert set(chance["AUROC"]) == {0.5}
    assert chance["calibrated mAP"].to_numpy() == pytest.approx(0.11, abs=0.01)


@pytest.mark.parametrize(("positives", "clips"), [(1, 5), (2, 6), (5, 6), (3, 7)])
@pytest.mark.parametrize("reference", [None, 0.1, 0.6])
def test_the_chance_of_few_clips_is_the_mean_over_all_orders(positives, clips, reference):
    chosen = list(combinations(range(clips), positives))
    orders = np.array([np.isin(np.arange(clips), places) for places in chosen]).T
    scores = np.repeat(-np.arange(clips, dtype=float)[:, None], orders.shape[1], axis=1)
    found = average_precision(scores, orders)
    if reference is not None:
        found = calibrated_average_precision(scores, orders, reference)
    assert random_average_precision(positives, clips, reference) == pytest.approx(found.mean())
    plain = random_average_precision(positives, clips, positives / clips)  # calibrated to what it is
    assert random_average_precision(positives, clips) == pytest.approx(plain)


def test_the_chance_that_a_text_tells():
    assert random_average_precision(5, 120, 0.1) == pytest.approx(0.16, abs=0.005)
    with pytest.raises(ValueError, match="4 of 4"):
        random_average_precision(4, 4, 0.1)
    for prevalence in (0.0, 1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            random_average_precision(2, 4, prevalence)


def test_classes_that_no_clip_holds_have_no_chance():
    rows = class_rows(np.zeros((3, 2)), np.zeros((3, 2)), [1, 1, 1], "ab")
    table = macro_rows(rows).set_index("metric")
    assert table.score.isna().all()
    assert table.chance.isna().tolist() == [True, False, True]


def test_one_event_has_an_accuracy():
    targets = np.array([[1, 0], [1, 0], [0, 1], [1, 1]])
    logits = np.array([[2.0, 1], [0, 1], [0, 1], [0, 9]])
    row = single_label_rows(logits, targets, [1, 1, 1, 2]).iloc[0]
    assert (row.score, row.chance, row.clips) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 3)


@given(st.integers(0, 10_000))
def test_levels_are_told_from_the_loudest_other(seed):
    rng = np.random.default_rng(seed)
    levels = np.where(rng.random((6, 5)) < 0.6, np.round(rng.normal(size=(6, 5)) * 3), np.nan)
    below = levels_below(levels)
    for i, row in enumerate(levels):
        for c, value in enumerate(row):
            others = [other for d, other in enumerate(row) if d != c and not np.isnan(other)]
            if np.isnan(value) or not others:
                assert np.isnan(below[i, c])
            else:
                assert below[i, c] == value - max(others)


def test_one_class_has_no_louder_other():
    below = levels_below([[3.0], [np.nan]])
    assert below.shape == (2, 1)
    assert np.isnan(below).all()


def test_an_event_is_found_above_all_but_a_share_of_the_scenes_without_it():
    rng = np.random.default_rng(3)
    logits, targets = rng.normal(size=(200, 4)), rng.random((200, 4)) < 0.4
    polyphony = np.repeat([2, 3], 100)
    found, chance = found_events(logits, targets, polyphony, 0.1)
    for i, c in np.argwhere(targets):
        without = logits[(polyphony == polyphony[i]) & ~targets[:, c], c]
        assert found[i, c] == ((without >= logits[i, c]).sum() <= int(0.1 * len(without)))
        assert chance[i, c] == (int(0.1 * len(without)) + 1) / (len(without) + 1)
    assert not found[~targets].any()
    assert np.isnan(chance[~targets]).all()


def test_random_scores_find_events_as_often_as_told():
    rng = np.random.default_rng(4)
    targets = np.arange(30)[:, None] < 9
    runs = [found_events(rng.normal(size=(30, 1)), targets, np.ones(30)) for _ in range(2000)]
    rate = np.mean([found[targets].mean() for found, _ in runs])
    assert rate == pytest.approx(runs[0][1][0, 0], abs=0.01)


def test_recall_is_counted_by_level_and_polyphony():
    found = np.array([[True, False], [True, True], [False, True]])
    below = np.array([[-12.0, 12], [0, 0], [np.nan, np.nan]])
    table = recall_by_level(found, np.full((3, 2), 0.05), below, [2, 3, 1], (-np.inf, -10, 0, np.inf))
    rows = [
        tuple(row)
        for row in table[["polyphony", "low_db", "high_db", "found", "events"]].itertuples(index=False)
    ]
    assert rows == [(2, -np.inf, -10, 1, 1), (2, 0, np.inf, 0, 1), (3, 0, np.inf, 2, 2)]
    assert table.chance.tolist() == pytest.approx([0.05] * 3)
    assert isinstance(table, pd.DataFrame)
