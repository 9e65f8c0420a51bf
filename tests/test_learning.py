"""Learning curves: means with intervals, and where two curves cross."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.learning import CROSSED, crossings, learning_table
from protoviz.figures import learning_curves

hv = pytest.importorskip("holoviews")
hv.extension("bokeh", logo=False)
SIZES = (100, 1000, 10_000)


def table(one, two, spread=0.0, events=1):
    """Curves of two methods over SIZES, their intervals `spread` to either side."""
    scores = {"mhca": one, "protobin": two}
    rows = [(events, name, n, y) for name, ys in scores.items() for n, y in zip(SIZES, ys, strict=True)]
    frame = pd.DataFrame(rows, columns=["events", "method", "train_clips", "score"])
    return frame.assign(low=frame.score - spread, high=frame.score + spread)


def test_a_curve_is_the_mean_over_seeds_within_its_interval():
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(
        [
            ("mini", k, method, n, seed, rng.random())
            for k in (1, 4)
            for method in ("mhca", "protobin")
            for n in SIZES
            for seed in range(4)
        ],
        columns=["encoder", "events", "method", "train_clips", "seed", "score"],
    )
    found = learning_table(runs)
    assert len(found) == 12
    means = runs.groupby(["encoder", "events", "method", "train_clips"]).score.mean()
    assert found.set_index(means.index.names).score.sort_index().to_numpy() == pytest.approx(means.to_numpy())
    assert (found.low <= found.score).all()
    assert (found.score <= found.high).all()


def test_a_crossing_lies_where_straight_lines_on_a_logarithmic_axis_meet():
    found = crossings(table((0.2, 0.4, 0.8), (0.3, 0.5, 0.7), spread=0.01), "mhca", "protobin")
    assert found.columns.tolist() == CROSSED
    (row,) = found.itertuples()
    assert (row.leader, row.turns, row.settled) == ("mhca", 1, True)
    assert row.clips == pytest.approx(10**3.5)  # half way from 1,000 to 10,000
    assert (row.lead_few, row.lead_many) == (pytest.approx(-0.1), pytest.approx(0.1))


def test_who_leads_from_the_start_crosses_nowhere_and_wide_intervals_settle_nothing():
    (row,) = crossings(table((0.2, 0.4, 0.6), (0.3, 0.5, 0.7), spread=0.1), "mhca", "protobin").itertuples()
    assert (row.leader, row.turns, row.settled) == ("protobin", 0, False)
    assert np.isnan(row.clips)


def test_only_sizes_of_both_count_and_a_method_that_is_not_there_has_no_row():
    curves = table((0.2, 0.4, 0.8), (0.3, 0.5, 0.7))
    curves = curves[(curves.method == "mhca") | (curves.train_clips < 10_000)]
    (row,) = crossings(curves, "mhca", "protobin").itertuples()
    assert row.leader == "protobin"
    assert crossings(curves, "mhca", "proto").empty


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3))
def test_naming_the_methods_the_other_way_round_changes_nothing(scores):
    one, two = zip(*scores, strict=True)
    if any(a == b for a, b in scores):
        return
    curves = table(one, two, spread=0.05)
    there, back = crossings(curves, "mhca", "protobin"), crossings(curves, "protobin", "mhca")
    pd.testing.assert_frame_equal(there, back)
    clips = there.clips.iloc[0]
    assert np.isnan(clips) == (there.turns.iloc[0] == 0)
    assert np.isnan(clips) or SIZES[0] <= clips <= SIZES[-1] * (1 + 1e-9)


def test_the_figure_of_learning_curves_draws_one_number_of_events_with_its_intervals():
    both = pd.concat([table((0.2, 0.4, 0.8), (0.3, 0.5, 0.7), 0.02, events=k) for k in (1, 4)])
    both.loc[both.events == 4, "score"] += 0.1
    drawn = list(learning_curves(both, 4))
    points = np.concatenate([layer.dimension_values(1) for layer in drawn if isinstance(layer, hv.Points)])
    np.testing.assert_allclose(points, 100 * both[both.events == 4].score)
    bars = next(layer for layer in drawn if isinstance(layer, hv.Segments))
    np.testing.assert_allclose(bars.dimension_values(3) - bars.dimension_values(1), 4)
    places = next(layer for layer in drawn if isinstance(layer, hv.Curve)).dimension_values(0)
    assert places[1] - places[0] == pytest.approx(places[2] - places[1]), "ten times is always as far"
    hv.render(learning_curves(both, 4, dark=True), backend="bokeh")


def test_more_methods_than_marks_are_all_drawn():
    names = [f"protobin + {name}" for name in "abcdefghi"]
    rows = pd.concat([table((0.2, 0.4, 0.8), (0.3, 0.5, 0.7)).assign(method=name) for name in names])
    drawn = learning_curves(rows, 1)
    assert sum(isinstance(layer, hv.Points) for layer in drawn) == len(names)
