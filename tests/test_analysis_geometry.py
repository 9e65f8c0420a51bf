"""Cosines, references, ranks and orders of prototypes against plain loops and known cases; starts of runs."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from training_data import built, clips

from protoviz.analysis import geometry
from protoviz.analysis.geometry import (
    corner_cosines,
    corner_sd,
    corner_shares,
    cosine_matrix,
    cosine_shares,
    effective_rank,
    lattice_edges,
    neighbours,
    pair_cosines,
    prototype_order,
    random_corners,
    spread,
    welch_bound,
)
from protoviz.analysis.matrix_pictures import cosine_image, signed_bytes, signed_limit
from protoviz.paths import DATA
from protoviz.probes import Method, build_probe, untrained
from protoviz.study import open_study
from protoviz.training import FitConfig, fit

shapes = st.tuples(st.integers(2, 12), st.integers(1, 9))
sets = arrays(np.float64, shapes, elements=st.floats(-3, 3).filter(lambda x: x == 0 or abs(x) > 1e-3))


def vectors(count=30, width=16, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width))


def cosine(a, b):
    long = float(sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
    return sum(x * y for x, y in zip(a, b, strict=True)) / long if long else 0.0


# -- cosines


@given(sets)
@settings(max_examples=60)
def test_the_matrix_is_symmetric_with_ones_and_holds_the_plain_cosines(some):
    matrix = cosine_matrix(some)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(np.diag(matrix), 1)
    assert np.abs(matrix).max() <= 1
    plain = [cosine(a, b) for a, b in combinations(some, 2)]
    np.testing.assert_allclose(pair_cosines(some), plain, atol=1e-12)
    np.testing.assert_allclose(matrix[np.triu_indices(len(some), 1)], plain, atol=1e-12)


@given(sets)
@settings(max_examples=60)
def test_ranks_lie_between_one_and_what_there_is_and_the_bound_holds(some):
    some = some[np.abs(some).max(axis=1) > 0]
    if len(some) < 2:
        return
    most, one = min(some.shape), spread(some)
    assert 1 - 1e-9 <= one.participation <= most + 1e-9
    assert one.participation - 1e-9 <= one.effective_rank <= most + 1e-9
    assert one.rms >= welch_bound(*some.shape) - 1e-9
    # Two ways to the same number: singular values, and cosines.
    assert one.participation == pytest.approx(len(some) / (1 + (len(some) - 1) * one.rms**2))


def test_known_ranks():
    basis = np.linalg.qr(vectors(12, 12))[0]
    assert effective_rank(basis[:7]) == pytest.approx(7)
    assert spread(basis[:7]).participation == pytest.approx(7)
    assert effective_rank(np.ones((5, 3)) * [[1], [2], [3], [4], [5]]) == pytest.approx(1)
    # Two bases stacked reach Welch's bound: more vectors than dimensions, as spread as can be.
    two = np.concatenate([basis, np.linalg.qr(vectors(12, 12, seed=1))[0]])
    assert spread(two).rms == pytest.approx(welch_bound(24, 12))
    assert effective_rank(two) == pytest.approx(12)
    share = np.linalg.svd(geometry.unit(vectors()), compute_uv=False)
    share = share / share.sum()
    assert effective_rank(vectors()) == pytest.approx(np.prod(share**-share))
    assert effective_rank(np.zeros((3, 2))) == spread(np.zeros((3, 2))).participation == 1
    assert welch_bound(12, 12) == welch_bound(1, 3) == 0


def test_the_numbers_of_a_set_are_those_of_its_pairs():
    some = vectors() + 0.3
    plain = np.array([cosine(a, b) for a, b in combinations(some, 2)])
    one = spread(some)
    assert (one.count, one.width) == (30, 16)
    assert one.mean == pytest.approx(plain.mean())
    assert one.sd == pytest.approx(plain.std())
    assert one.rms == pytest.approx(np.sqrt(np.mean(plain**2)))
    assert (one.low, one.high) == pytest.approx((plain.min(), plain.max()))
    assert one.ratio == pytest.approx(plain.std() * 4)
    assert one.beyond == np.mean(np.abs(plain) > 0.75)
    alone = spread(some[:1])
    assert (alone.mean, alone.sd, alone.beyond, alone.effective_rank) == (0, 0, 0, pytest.approx(1))


def test_chunks_change_nothing(monkeypatch):
    some, edges = vectors(57), np.linspace(-1, 1, 11)
    whole = pair_cosines(some), cosine_shares(some, edges), spread(some)
    monkeypatch.setattr(geometry, "CHUNK", 57 * 5)
    assert len(list(geometry.pair_chunks(some))) == 12
    np.testing.assert_allclose(pair_cosines(some), whole[0], atol=1e-14)
    np.testing.assert_array_equal(cosine_shares(some, edges), whole[1])
    assert spread(some).row() == pytest.approx(whole[2].row())


def test_what_is_no_set_of_vectors_is_refused():
    for wrong in (np.ones(3), np.ones((0, 3)), np.ones((2, 2, 2))):
        with pytest.raises(ValueError, match="prototypes"):
            cosine_matrix(wrong)


# -- random corners


@pytest.mark.parametrize("d", [1, 6, 7])
def test_the_law_of_random_corners_is_that_of_all_corners(d):
    corners = np.array(np.meshgrid(*[[-1, 1]] * d)).reshape(d, -1).T
    cosines = (corners @ corners[0]) / d
    values, chances = corner_cosines(d)
    for value, chance in zip(values, chances, strict=True):
        assert chance == pytest.approx(np.mean(np.isclose(cosines, value)))
    assert cosines.mean() == pytest.approx(0)
    assert cosines.std() == pytest.approx(corner_sd(d))
    assert chances[0] == pytest.approx(comb(d, 0) / 2**d)


@given(st.integers(3, 800), st.floats(-1, 0), st.floats(0.05, 1), st.integers(10, 90))
@settings(max_examples=80)
def test_bins_hold_equally_many_possible_cosines_and_none_on_an_edge(d, low, high, most):
    edges = lattice_edges(d, low, high, most)
    assert edges[0] <= low + 1e-9
    assert edges[-1] >= high - 1e-9
    step = (edges[1] - edges[0]) * d / 2
    assert len(edges) - 1 <= most + 2 or step == 1
    possible = (2 * np.arange(-d, 2 * d + 1) - d) / d
    assert set(np.histogram(possible, bins=edges)[0]) == {round(step)}
    assert np.abs(possible[:, None] - edges).min() > 0.1 / d
    np.testing.assert_allclose(np.abs((edges * d / 2 / step) % 1 - 0.5).std(), 0, atol=1e-6)


def test_drawn_corners_follow_their_law():
    some = random_corners(400, 64)
    assert set(np.unique(some)) == {-1.0, 1.0}
    edges = lattice_edges(64, -0.5, 0.5, 30)
    np.testing.assert_allclose(cosine_shares(some, edges), corner_shares(64, edges), atol=0.004)
    assert corner_shares(64, lattice_edges(64, -1, 1)).sum() == pytest.approx(1)
    assert spread(some).ratio == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(some, random_corners(400, 64))


# -- orders and pictures


def test_by_class_the_strongest_of_each_class_come_first():
    weight = np.array([[1.0, 0.0, 3.0, 0.0], [0.0, 2.0, 0.0, 5.0]])
    assert prototype_order("class", vectors(4), weight).tolist() == [2, 0, 3, 1]
    assert prototype_order("number", vectors(4), weight).tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="colour"):
        prototype_order("colour", vectors(4), weight)


@pytest.mark.parametrize("most", [2000, 10])
def test_clusters_stand_together(most, monkeypatch):
    monkeypatch.setattr(geometry, "MOST_CLUSTERED", most)
    group = np.random.default_rng(0).permutation(np.repeat([1, -1], 20))
    some = group[:, None] * np.eye(8)[0] + 0.1 * vectors(40, 8)
    order = prototype_order("cluster", some, np.zeros((1, 40)))
    assert sorted(order) == list(range(40))
    assert np.count_nonzero(np.diff(group[order])) == 1


@pytest.mark.parametrize(
    ("rows", "columns", "sides"),
    [
        (None, None, (10, 10)),
        ((3, 40), (20, 47), (10, 7)),
        ((5, 12), (9, 14), (7, 5)),
        ((0, 46), (45, 47), (10, 1)),
    ],
)
def test_a_part_of_the_matrix_is_drawn_whole_or_as_means_over_pairs(rows, columns, sides):
    some = vectors(47, 12)
    matrix, image = cosine_matrix(some), cosine_image(some, 10, rows, columns)
    assert image.shape == sides
    (top, below), (left, right) = rows or (0, 47), columns or (0, 47)
    down, across = np.array_split(range(top, below), sides[0]), np.array_split(range(left, right), sides[1])
    for row, column in np.ndindex(sides):
        pairs = [matrix[j, k] for j in down[row] for k in across[column] if j != k]
        assert image[row, column] == pytest.approx(np.mean(pairs or [1]), abs=1e-6)
    np.testing.assert_allclose(cosine_image(some), matrix, atol=1e-6)


def test_the_nearest_and_the_most_opposed_are_those_of_the_matrix():
    some = vectors(20, 6)
    matrix = cosine_matrix(some)
    for j in range(20):
        others = np.delete(np.arange(20), j)
        for (found, cosine), best in zip(neighbours(some, j), (np.argmax, np.argmin), strict=True):
            assert found == others[best(matrix[j, others])]
            assert cosine == pytest.approx(matrix[j, found])
    assert neighbours(some[:1], 0) == ((-1, 0.0), (-1, 0.0))


def test_bytes_are_even_about_zero():
    drawn = signed_bytes([-9, -1, -0.5, 0, 0.25, 1, 9], 1.0)
    assert (drawn.dtype, drawn.tolist()) == (np.uint8, [0, 0, 64, 127, 159, 254, 254])
    assert signed_limit([-0.31, 0.2]) == pytest.approx(0.35)
    assert signed_limit([0.35]) == pytest.approx(0.35)
    assert signed_limit([0.0]) == pytest.approx(0.05)


def test_neighbours_are_the_most_and_the_least_alike():
    some = vectors(9)
    cosines = [cosine(some[4], other) if k != 4 else np.nan for k, other in enumerate(some)]
    (alike, high), (opposed, low) = neighbours(some, 4)
    assert (alike, opposed) == (np.nanargmax(cosines), np.nanargmin(cosines))
    assert (high, low) == pytest.approx((np.nanmax(cosines), np.nanmin(cosines)))
    assert neighbours(some[:1], 0) == ((-1, 0.0), (-1, 0.0))


# -- the start of a run


@pytest.mark.parametrize("title", ["proto", "protobin", "protobin + BatchNorm", "protofloat", "mhca"])
def test_the_start_of_a_run_comes_back(title):
    method = Method.named(title, options={"heads": 4} if title == "mhca" else None)
    torch.manual_seed(3)
    probe = build_probe(method.probe, 24, 3, (5, 4), **method.hyper(prototypes_per_class=4))
    torch.manual_seed(77)
    before = torch.get_rng_state()
    start = untrained(probe, 3)
    assert torch.equal(torch.get_rng_state(), before), "nobody else's dice are touched"
    assert not start.training
    for name, value in probe.state_dict().items():
        assert torch.equal(value, start.state_dict()[name]), name
    other = untrained(probe, 4).state_dict()
    assert any(not torch.equal(value, other[name]) for name, value in start.state_dict().items())


def test_a_run_leaves_its_start_by_no_more_than_its_steps():
    data = clips(32, 0)
    probe = built("protobin", seed=5, prototypes_per_class=4)
    rate, steps = 1e-4, 2
    fit(probe, data, clips(16, 1), FitConfig(1, 16, lr=1e-3, prototype_lr=rate))
    moved = (probe.latent - untrained(probe, 5).latent).abs().max()
    assert 0 < moved <= 1.5 * rate * steps, "AdamW moves a weight by about its rate a step"
    assert (probe.latent - untrained(probe, 6).latent).abs().max() > 100 * rate * steps


def test_the_shipped_prototypes_remember_the_start_that_the_page_shows():
    study = open_study(DATA / "demo")
    first = study.results.settings("results")["compare"]["seeds"][0]
    for method in (name for name in study.methods if name.startswith("proto")):
        probe = study.probe(method)
        seed = probe.metadata.get("seed", first)
        chance = probe.prototype_parameters()[0].numel() ** -0.5  # s.d. of the correlation of strangers

        def alike(seed, probe=probe):
            one, other = (
                p.prototype_parameters()[0].detach().flatten() for p in (probe, untrained(probe, seed))
            )
            return float(torch.corrcoef(torch.stack([one, other]))[0, 1])

        assert alike(seed) > 10 * chance, method
        assert abs(alike(seed + 1)) < 5 * chance, method
