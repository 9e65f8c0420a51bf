"""Statistics of poolings beside tables, plain loops and the paper's statements."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.bootstrap import bootstrap_means
from protoviz.analysis.published import published
from protoviz.analysis.ranking import (
    RankingError,
    cell_scores,
    gains,
    intervals,
    ranks_with_intervals,
    win_ranks,
    win_shift,
)
from protoviz.analysis.significance import (
    block_ranks,
    cliques,
    critical_difference,
    friedman,
    nemenyi,
)
from protoviz.analysis.tables import SCORE_COLUMNS

hv = pytest.importorskip("holoviews")


def frame_of(cells: dict, seeds=1) -> pd.DataFrame:
    """(data set, encoder, method) -> one score, or one a seed."""
    rows = [
        (dataset, encoder, method, seed, "mAP", np.broadcast_to(score, seeds)[seed])
        for (dataset, encoder, method), score in cells.items()
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


# Demšar's Table 6: AUC of C4.5 and three variants of it on 14 data sets, and what he finds for them.
DEMSAR = np.fromstring(
    """
    .763 .768 .771 .798   .599 .591 .590 .569   .954 .971 .968 .967   .628 .661 .654 .657
    .882 .888 .886 .898   .936 .931 .916 .931   .661 .668 .609 .685   .583 .583 .563 .625
    .775 .838 .866 .875   1    1    1    1      .940 .962 .965 .962   .619 .666 .614 .669
    .972 .981 .9751 .975  .957 .978 .946 .970
    """,
    sep=" ",
).reshape(14, 4)


def demsar() -> pd.DataFrame:
    names = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")
    return frame_of({(i, "tree", names[k]): score for (i, k), score in np.ndenumerate(DEMSAR)})


def test_the_worked_example_of_the_method_comes_out():
    found = critical_difference(demsar())
    assert found.ranks.round(2).to_dict() == {"C4.5+m+cf": 1.96, "C4.5+m": 2.0, "C4.5+cf": 2.89, "C4.5": 3.14}
    assert found.blocks == 14
    assert found.difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert nemenyi(4, 14, 0.10) == pytest.approx(1.12, abs=0.005), "Demšar: CD 1.12 at 0.10"
    assert 0.01 < found.p_value < 0.05, "F(3, 39) = 3.69 against the critical 2.85"


def test_critical_values_are_those_of_the_printed_table():
    printed = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
    for methods, q in printed.items():
        blocks = methods * (methods + 1)
        assert nemenyi(methods, blocks) * np.sqrt(6) == pytest.approx(q, abs=1.1e-3)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 12), min_size=2, max_size=8), st.integers(1, 5))
def test_cliques_are_the_largest_sets_within_the_difference(values, difference):
    ranks = pd.Series([value / 2 for value in values], [f"m{i}" for i in range(len(values))])
    found = cliques(ranks, difference)
    sets = [set(group) for group in found]
    assert all(not a < b for a in sets for b in sets)
    for group in found:
        assert ranks[list(group)].max() - ranks[list(group)].min() < difference
    for a, b in combinations(ranks.index, 2):
        together = any({a, b} <= group for group in sets)
        assert together == (abs(ranks[a] - ranks[b]) < difference)


def test_ranks_of_a_pair_share_ties_and_pairs_without_a_method_are_left_out():
    cells = {("x", "e", "a"): 0.3, ("x", "e", "b"): 0.3, ("x", "e", "c"): 0.1}
    cells |= {("y", "e", "a"): 0.3, ("y", "e", "b"): 0.4}
    table = block_ranks(frame_of(cells))
    assert table.to_numpy().tolist() == [[1.5, 1.5, 3.0]]
    with pytest.raises(RankingError, match="three methods and two pairs"):
        critical_difference(frame_of(cells))
    with pytest.raises(RankingError, match="every method"):
        block_ranks(frame_of({("x", "e", "a"): 0.3, ("y", "e", "b"): 0.3}))
    with pytest.raises(RankingError, match="no scores"):
        block_ranks(frame_of({}))


def test_methods_that_never_or_always_differ_are_the_ends_of_the_test():
    alike = block_ranks(frame_of({(d, "e", m): 0.5 for d in range(6) for m in "abc"}))
    assert friedman(alike) == 1.0
    apart = block_ranks(frame_of({(d, "e", m): k for d in range(6) for k, m in enumerate("abc")}))
    assert friedman(apart) == 0.0
    rng = np.random.default_rng(0)
    p = [
        friedman(block_ranks(frame_of({(d, "e", m): rng.random() for d in range(12) for m in "abcd"})))
        for _ in range(200)
    ]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.04), "false alarms are as often as said"


def test_on_the_papers_table_protobin_is_apart_from_both_others():
    found = critical_difference(published())
    assert found.blocks == 30
    assert list(found.ranks.index) == ["protobin", "mhca", "linear"]
    assert found.cliques == ()
    assert found.p_value < 1e-6
    cells = published().pivot(index=["dataset", "encoder"], columns="method", values="score")
    assert found.ranks["protobin"] == pytest.approx(
        1 + (cells.sub(cells.protobin, axis=0) > 0).sum(axis=1).mean()
    )


def test_cells_hold_mean_deviation_and_number_of_runs():
    rng = np.random.default_rng(1)
    scores = rng.random(5)
    row = cell_scores(frame_of({("x", "e", "a"): scores}, seeds=5)).iloc[0]
    assert (row["mean"], row.sd, row.runs) == (
        pytest.approx(scores.mean()),
        pytest.approx(scores.std(ddof=1)),
        5,
    )
    assert np.isnan(cell_scores(frame_of({("x", "e", "a"): 0.5})).sd[0])


# -- both levels


def crossed(seeds=6, clips=80, spread=(0.05, 0.2), encoder="e", seed=0) -> pd.DataFrame:
    """score = clip's + seed's: every seed scored every clip."""
    shared = np.random.default_rng(9).normal(0, spread[1], clips)
    own = np.random.default_rng(seed).normal(0, spread[0], seeds)
    rows = [("x", encoder, "m", s, "mAP", c, own[s] + shared[c]) for s in range(seeds) for c in range(clips)]
    return pd.DataFrame(rows, columns=["dataset", "encoder", "method", "seed", "metric", "clip", "score"])


def test_draws_over_seeds_and_clips_have_the_variance_of_both():
    frame = crossed()
    _, drawn = bootstrap_means(frame, ["encoder"], ("seed", "clip"), draws=8000)
    by = {unit: frame.groupby(unit).score.mean() for unit in ("seed", "clip")}
    want = sum(means.var(ddof=0) / len(means) for means in by.values())
    assert drawn.mean() == pytest.approx(frame.score.mean(), abs=0.005)
    assert drawn.var() == pytest.approx(want, rel=0.06)
    widths = {}
    for unit in ("seed", "clip", ("seed", "clip")):
        row = intervals(frame, ["encoder"], unit).iloc[0]
        assert row.low < row.score < row.high
        widths[unit] = row.high - row.low
    assert widths["seed", "clip"] > max(widths["seed"], widths["clip"])


def test_clips_stay_shared_when_seeds_are_drawn_too():
    """What is left of a difference is the seeds: the clips are the same for both and fall out."""
    frame = pd.concat([crossed(encoder="a", seed=1), crossed(encoder="b", seed=2)])
    _, drawn = bootstrap_means(frame, ["encoder"], ("seed", "clip"), draws=4000)
    means = frame.groupby(["encoder", "seed"]).score.mean()
    want = sum(means[name].var(ddof=0) / 6 for name in "ab")
    assert (drawn[1] - drawn[0]).var() == pytest.approx(want, rel=0.1)
    assert drawn[0].var() > 1.5 * means["a"].var(ddof=0) / 6, "the clips are in each one's own"


def test_every_sum_with_intervals_takes_both_levels():
    two = [crossed(encoder=e).assign(method=m) for e in "ab" for m in ("linear", "protobin")]
    frame = pd.concat(two).assign(score=lambda f: f.score + 0.1 * (f.method == "protobin"))
    assert ranks_with_intervals(frame, ("seed", "clip"), draws=200).low.notna().all()
    table = gains(frame, unit=("seed", "clip"), draws=200)
    assert ((table.low < 0.1) & (table.high > 0.1)).all()


def test_draws_over_both_levels_need_whole_tables_and_two_of_each():
    frame = crossed(3, 4)
    with pytest.raises(RankingError, match="every clip"):
        bootstrap_means(frame.iloc[1:], ["encoder"], ("seed", "clip"))
    other = frame.assign(encoder="f", clip=frame["clip"] + 1)
    with pytest.raises(RankingError, match="every clip"):
        bootstrap_means(pd.concat([frame, other]), ["encoder"], ("seed", "clip"))
    with pytest.raises(RankingError, match="seed and one more"):
        bootstrap_means(frame, ["encoder"], ("clip", "seed"))
    for lone in (frame[frame.seed == 0], frame[frame["clip"] == 0]):
        assert np.isnan(bootstrap_means(lone, ["encoder"], ("seed", "clip"), draws=5)[1]).all()


# -- base and supervised


def test_ranks_by_wins_are_followed_from_base_to_supervised():
    base = {"a": 0.1, "b": 0.2, "c": 0.3}
    tuned = {"a": 0.9, "b": 0.2, "c": 0.3}
    cells = {("x", "E", m): s for m, s in base.items()} | {("x", "E+", m): s for m, s in tuned.items()}
    cells |= {("only base", "E", m): 1 - s for m, s in base.items()} | {("x", "F", "a"): 0.5}
    cells = {key: score + np.array([-1e-3, 0, 1e-3]) for key, score in cells.items()}
    frame = frame_of(cells, seeds=3)
    table = win_shift(frame).set_index("method")
    assert table.encoder.unique().tolist() == ["E"]
    assert table.before.to_dict() == {"a": 3, "b": 2, "c": 1}
    assert table.after.to_dict() == {"a": 1, "b": 3, "c": 2}
    assert table.up.to_dict() == {"a": 2, "b": -1, "c": -1}
    shared = win_ranks(frame[(frame.encoder == "E") & (frame.dataset == "x")])
    assert shared.set_index("method")["rank"].to_dict() == table.before.to_dict()
    with pytest.raises(RankingError, match="variant"):
        win_shift(frame[frame.encoder != "E+"])


# -- the diagram


@pytest.mark.parametrize("dark", [False, True])
def test_the_diagram_draws_ranks_cliques_and_the_difference(dark):
    from protoviz.figures import critical_diagram

    found = critical_difference(demsar())
    drawn = critical_diagram(found, "nobody" if dark else "", dark)
    points = next(layer for layer in drawn if isinstance(layer, hv.Points))
    assert dict(zip(points["method"], points["x"], strict=True)) == found.ranks.to_dict()
    lines = np.vstack([layer.array(list(range(4))) for layer in drawn if isinstance(layer, hv.Segments)])
    lengths = (lines[:, 2] - lines[:, 0])[lines[:, 1] == lines[:, 3]]
    assert any(np.isclose(lengths, found.difference)), "the bracket is as long as the difference"
    for group in found.cliques:
        span = found.ranks[group[-1]] - found.ranks[group[0]]
        assert any(np.isclose(lengths, span + 0.06)), "each clique has its bar"
    hv.render(drawn, backend="bokeh")
