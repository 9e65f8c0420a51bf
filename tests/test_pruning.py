"""Taking prototypes away: what is left is what a smaller probe says, and the order is the same every time."""

import holoviews as hv
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.pruning import logits_of, prune
from protoviz.figures import pruning_curves
from protoviz.metrics import average_precision, mean_average_precision, precision_at_hits

SIZES = st.tuples(st.integers(2, 9), st.integers(1, 6), st.integers(1, 4))  # clips, prototypes, classes


@st.composite
def probes(draw, levels=4):
    """Scores, weight, bias, targets; whole numbers, so that sums are exact and many scores are equal."""
    clips, prototypes, classes = draw(SIZES)
    make = np.random.default_rng(draw(st.integers(0, 2**16)))
    whole = [
        make.integers(-levels, levels + 1, size) for size in ((clips, prototypes), (classes, prototypes))
    ]
    targets = make.random((clips, classes)) < 0.4
    targets[0, 0] = True
    return *whole, make.integers(-2, 3, classes), targets


def plainly(scores, weight, bias, targets, stop):
    """The same order, every smaller probe computed from the start."""
    kept, removed = list(range(weight.shape[1])), []
    while len(kept) > stop:
        left = [[j for j in kept if j != gone] for gone in kept]
        values = [mean_average_precision(scores[:, k] @ weight[:, k].T + bias, targets).value for k in left]
        best = max(range(len(kept)), key=lambda i: (round(values[i], 12), -i))
        removed.append(kept.pop(best))
    return removed


@settings(max_examples=60, deadline=None)
@given(probes())
def test_prototypes_go_in_the_order_of_recomputed_probes(parts):
    found = prune(*parts)
    assert found.removed.tolist() == plainly(*parts, stop=1)
    for count, row in zip(found.counts, found.precisions, strict=True):
        kept = found.kept(count)
        np.testing.assert_array_equal(row, average_precision(logits_of(*parts[:3], kept), parts[3]))
    assert found.scores.max() == found.scores[found.counts == found.best][0]


@settings(max_examples=20, deadline=None)
@given(probes(), st.floats(0, 0.9), st.data())
def test_a_share_removes_more_in_a_round_and_ends_at_the_same_number(parts, share, data):
    stop = data.draw(st.integers(1, parts[1].shape[1]))
    found = prune(*parts, stop=stop, share=share)
    assert found.counts[0] == parts[1].shape[1]
    assert found.counts[-1] == stop == len(found.kept(stop))
    steps = -np.diff(found.counts)
    assert (steps >= 1).all()
    assert (steps <= np.maximum(1, share * found.counts[:-1])).all()
    assert len(set(found.removed.tolist())) == len(found.removed) == steps.sum()


def test_real_scores_are_pruned_as_recomputed_and_useless_prototypes_go_first():
    make = np.random.default_rng(1)
    scores, weight = make.normal(size=(40, 8)), make.normal(size=(3, 8))
    targets = scores @ weight.T > 0.5
    weight[:, [2, 5]] = 0  # they add nothing, and the first of equals goes first
    parts = scores, weight, np.zeros(3), targets
    assert prune(*parts).removed.tolist() == plainly(*parts, stop=1)
    exact = scores[:, [0, 1]], np.array([[1.0, 0.0]]), np.zeros(1), scores[:, :1] > 0
    assert prune(*exact).removed.tolist() == [1]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**16))
def test_precision_at_hits_counts_all_clips_that_score_as_high(clips, orders, seed):
    make = np.random.default_rng(seed)
    scores, hits = make.integers(0, 4, (orders, clips)), make.random(clips) < 0.5
    above = scores[:, None, :] >= np.sort(scores[:, hits], axis=1)[:, :, None]  # k m n
    good = (above & hits).sum(2)
    np.testing.assert_allclose(
        precision_at_hits(scores, hits, 3.0), good / (good + 3.0 * (above.sum(2) - good))
    )


def test_the_figure_draws_the_curve_of_every_class():
    make = np.random.default_rng(2)
    parts = make.normal(size=(30, 6)), make.normal(size=(2, 6)), np.zeros(2), make.random((30, 2)) < 0.5
    pruning = prune(*parts)
    table = pruning.curve(*parts, ["bell", "dog"])
    whole = table[table["class"] == ""].set_index("kept").score
    np.testing.assert_allclose(whole[pruning.counts], pruning.scores, err_msg="of the clips that chose")
    drawn = pruning_curves(table, pruning.best)
    lines = [line for line in drawn if isinstance(line, hv.Curve)]
    assert len(lines) == 3
    np.testing.assert_allclose(
        np.sort(np.concatenate([line.dimension_values("percent") for line in lines])),
        np.sort(100 * table.score),
    )
    hv.render(drawn, backend="bokeh")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"targets": np.zeros((5, 2))}, "label"),
        ({"bias": np.zeros(3)}, r"\(3,\)"),
        ({"stop": 0}, "stop 0"),
        ({"share": 1.0}, "share 1.0"),
    ],
)
def test_what_cannot_be_pruned_is_refused(changes, said):
    good = {
        "scores": np.ones((5, 4)),
        "weight": np.ones((2, 4)),
        "bias": np.ones(2),
        "targets": np.ones((5, 2)),
    }
    with pytest.raises(ValueError, match=said):
        prune(**good | changes)
    with pytest.raises(ValueError, match="9 prototypes"):
        prune(**good).kept(9)
