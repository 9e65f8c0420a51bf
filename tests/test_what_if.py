"""Muted prototypes and missing regions: the sums against plain loops and against the probes themselves."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.prototypes import touches
from protoviz.analysis.what_if import (
    chance_of_hit,
    class_changes,
    logits_without,
    muted_logits,
    muted_row,
    muted_scores,
    region_cells,
    region_effects,
    region_of_box,
    scores_without,
    silent_prototypes,
)
from protoviz.audio import Box, CellGrid
from protoviz.probes import build_probe
from protoviz.training import TokenData, score_many

GRID = CellGrid(6, 4, 1.2)
numbers = st.lists(st.integers(-2, 14), max_size=8)


def sums(seed=0, classes=5, prototypes=12):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(classes, prototypes)), rng.normal(size=classes), rng.normal(size=prototypes)


# -- muted prototypes


@given(numbers, st.integers(0, 99))
@settings(max_examples=60)
def test_muting_removes_columns_whatever_the_order(muted, seed):
    weight, bias, scores = sums(seed)
    silent = silent_prototypes(12, muted)
    assert silent.tolist() == sorted({j for j in muted if 0 <= j < 12})
    kept = [j for j in range(12) if j not in muted]
    by_hand = [sum(weight[c, j] * scores[j] for j in kept) + bias[c] for c in range(5)]
    np.testing.assert_allclose(muted_logits(weight, bias, scores, silent), by_hand, atol=1e-12)
    np.testing.assert_array_equal(
        muted_logits(weight, bias, scores, silent_prototypes(12, muted[::-1])),
        muted_logits(weight, bias, scores, silent),
    )


@given(numbers, numbers, st.integers(0, 99))
@settings(max_examples=60)
def test_a_row_of_contributions_still_sums_to_the_muted_logit(muted, solo, seed):
    weight, bias, scores = sums(seed)
    means = np.random.default_rng(seed + 1).normal(size=12)
    silent = silent_prototypes(12, muted, solo)
    for baseline in (0.0, means):
        logits = muted_logits(weight, bias, scores, silent, baseline)
        for c in range(5):
            row = muted_row(weight[c] * scores, weight[c], scores, silent, baseline)
            assert row.sum() + bias[c] == pytest.approx(logits[c], abs=1e-9)


def test_muting_none_or_all():
    weight, bias, scores = sums()
    means = np.arange(12.0)
    np.testing.assert_array_equal(muted_logits(weight, bias, scores, []), weight @ scores + bias)
    everyone = np.arange(12)
    np.testing.assert_array_equal(muted_logits(weight, bias, scores, everyone), bias)
    np.testing.assert_allclose(muted_logits(weight, bias, scores, everyone, means), weight @ means + bias)
    assert scores[0] != 0, "what is given is not written to"
    assert muted_scores(scores, [3], means)[3] == 3.0


def test_solo_mutes_all_others():
    assert silent_prototypes(5, [], [1, 3]).tolist() == [0, 2, 4]
    assert silent_prototypes(5, [1], [1, 3]).tolist() == [0, 1, 2, 4], "muted and solo: muted"
    assert silent_prototypes(5, [9], [7]).tolist() == [], "numbers of another probe"


def test_changes_are_told_as_logits_and_probabilities():
    frame = class_changes(["a", "b"], [0.0, 2.0], [1.0, 2.0])
    assert frame.change.tolist() == [1.0, 0.0]
    np.testing.assert_allclose(frame.new_probability, 1 / (1 + np.exp([-1.0, -2.0])))


# -- against the probes


def trained(name, **hyper):
    """A probe whose running statistics, weights and prototypes are none of the defaults, and 7 clips."""
    torch.manual_seed(1)
    probe = build_probe(name, 16, 5, (6, 4), prototypes_per_class=3, **hyper)
    tokens = torch.randn(7, 24, 16)
    probe.train()
    for _ in range(3):
        probe(tokens)
    with torch.no_grad():
        for parameter in probe.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return probe.eval(), tokens


PROBES = [
    ("protobin", {}),
    ("protobin", {"batch_norm": True}),
    ("protofloat", {}),
    ("proto", {}),
    ("proto", {"batch_norm": True, "cosine": "published", "focal": True}),
]


@pytest.mark.parametrize(("name", "hyper"), PROBES, ids=str)
def test_the_head_of_every_prototype_probe_is_linear_in_its_raw_scores(name, hyper):
    probe, tokens = trained(name, **hyper)
    weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
    explained = probe.explain(tokens).numpy()
    for scores, logits in zip(explained.scores, explained.logits, strict=True):
        np.testing.assert_allclose(muted_logits(weight, bias, scores, []), logits, atol=1e-5)


def test_muting_with_0_is_a_probe_without_that_column():
    for name, hyper in PROBES[:3]:
        probe, tokens = trained(name, **hyper)
        weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
        without = deepcopy(probe)
        with torch.no_grad():
            without.classifier.weight[:, [2, 5]] = 0
            if hyper:  # behind a normalisation a score of 0 still adds what its mean is away from 0
                norm = probe.norm
                at_zero = -norm.running_mean * (norm.running_var + norm.eps).rsqrt()
                without.classifier.bias += (probe.classifier.weight * at_zero)[:, [2, 5]].sum(1)
            expected = without(tokens)[0].numpy()
        scores = probe.explain(tokens).numpy().scores[0]
        np.testing.assert_allclose(muted_logits(weight, bias, scores, [2, 5]), expected, atol=1e-5)


@pytest.mark.parametrize(("name", "hyper"), [PROBES[1], PROBES[2], PROBES[3]], ids=str)
def test_left_out_cells_are_tokens_that_the_probe_may_not_see(name, hyper):
    probe, tokens = trained(name, **hyper)
    weight, bias = (part.detach().numpy() for part in probe.folded_classifier())
    cells = region_cells(GRID, (1, 4, 0, 3))
    similarity = probe.explain(tokens).numpy().similarity[0]
    with torch.no_grad():
        mask = torch.from_numpy(~cells.ravel()).expand(len(tokens), -1)
        expected = probe(tokens, mask=mask)[0].numpy()
    np.testing.assert_allclose(logits_without(weight, bias, similarity, cells), expected, atol=1e-5)


def test_scores_are_those_of_all_clips_whatever_the_batches():
    probe, tokens = trained("protobin", batch_norm=True)
    before = deepcopy(probe.state_dict())
    other, _ = trained("protofloat")
    found = score_many([probe, other], TokenData(tokens, None, None, torch.zeros(7, 5)), batch_size=3)
    for one, (scores, locations) in zip((probe, other), found, strict=True):
        expected = one.explain(tokens).numpy()
        np.testing.assert_allclose(scores, expected.scores, atol=1e-6)
        np.testing.assert_array_equal(locations, expected.locations)
    assert all(torch.equal(value, before[name]) for name, value in probe.state_dict().items())


# -- missing regions


@given(st.integers(0, 99), st.data())
@settings(max_examples=40)
def test_scores_without_a_region_are_the_largest_outside(seed, data):
    rng = np.random.default_rng(seed)
    similarity = rng.normal(size=(4, 6, 4))
    similarity[:, rng.random((6, 4)) < 0.2] = np.nan
    t0, f0 = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 3))
    region = (t0, data.draw(st.integers(t0 + 1, 8)), f0, data.draw(st.integers(f0 + 1, 6)))
    for j, score in enumerate(scores_without(similarity, region_cells(GRID, region))):
        outside = [
            similarity[j, t, f]
            for t in range(6)
            for f in range(4)
            if not (region[0] <= t < region[1] and region[2] <= f < region[3])
        ]
        outside = [value for value in outside if not np.isnan(value)]
        assert score == (max(outside) if outside else 0.0)


def test_a_region_on_another_grid_is_refused():
    with pytest.raises(ValueError, match="own grid"):
        scores_without(np.zeros((3, 12, 8)), region_cells(GRID, (0, 1, 0, 1)))


def test_a_box_becomes_the_whole_cells_that_it_touches():
    inside = GRID.box(2, 1)
    assert region_of_box(GRID, inside) == (2, 3, 1, 2)
    wider = Box(inside.onset - 0.01, inside.offset + 0.01, inside.low_hz, inside.high_hz + 1)
    assert region_of_box(GRID, wider) == (1, 4, 1, 3)
    assert region_of_box(GRID, Box(5.0, 6.0, 100, 200)) is None


def test_chance_is_how_often_a_random_cell_would_hit():
    boxes = [Box(0.1, 0.5, 100, 900), Box(0.3, 0.9, 500, 3000)]
    hits = [any(touches(GRID.box(t, f), box) for box in boxes) for t in range(6) for f in range(4)]
    assert 0 < chance_of_hit(GRID, boxes) == np.mean(hits) < 1
    assert chance_of_hit(GRID, []) == 0


def test_effects_wait_for_the_second_encoding():
    frame = region_effects(["a", "b"], [1.0, 2.0], [0.5, 2.0])
    assert frame.difference.isna().all()
    frame = region_effects(["a", "b"], [1.0, 2.0], [0.5, 2.0], [0.25, 2.5])
    assert frame.difference.tolist() == [-0.25, 0.5]
