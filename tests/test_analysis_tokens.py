"""What tokens have in common and how far they spread, against what is known of made ones."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.tokens import TOKENS, common_part, token_rank, token_table
from protoviz.figures import tokens_by_layer

hv = pytest.importorskip("holoviews")
hv.extension("bokeh", logo=False)


def tokens(seed=0, n=40, d=6, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def test_the_common_part_is_one_where_all_point_one_way_and_zero_where_they_cancel():
    way = np.array([[3.0, 4.0]])
    assert common_part(way * [[1], [2], [5]]) == pytest.approx(1)
    assert common_part(np.concatenate([way, -2 * way])) == pytest.approx(0)
    assert common_part(np.concatenate([way, 0 * way])) == pytest.approx(0.5)


@pytest.mark.parametrize("used", [1, 2, 5])
def test_the_rank_counts_directions_that_are_used_alike(used):
    basis = np.linalg.qr(tokens(d=8, n=8))[0][:used]
    even = np.concatenate([basis, -basis]) + 7  # the mean does not count
    assert token_rank(even) == pytest.approx(used)


def test_equal_tokens_spread_over_one_direction():
    assert token_rank(np.ones((5, 3))) == pytest.approx(1)


@settings(max_examples=25)
@given(seed=st.integers(0, 99), shift=st.floats(-50, 50), scale=st.floats(0.01, 100))
def test_a_shift_and_a_scale_change_no_rank(seed, shift, scale):
    rows = tokens(seed)
    assert token_rank(scale * rows + shift) == pytest.approx(token_rank(rows), rel=1e-6)
    values = np.linalg.svd(rows - rows.mean(0), compute_uv=False) ** 2
    share = values / values.sum()
    assert token_rank(rows) == pytest.approx(np.prod(share**-share))


def test_what_is_shifted_away_from_zero_has_more_in_common():
    found = [common_part(tokens(shift=shift)) for shift in (0, 1, 10)]
    assert found == sorted(found)
    assert found[-1] > 0.99


def test_a_table_tells_clips_together_from_each_by_itself():
    ways = [np.eye(6)[[i]] * np.linspace(1, 2, 9)[:, None] for i in range(3)]
    table = token_table([(0, [tokens(i) for i in range(4)]), (6, ways)])
    assert table.columns.tolist() == TOKENS
    assert table.layer.tolist() == [0, 6]
    assert table.clips.tolist() == [4, 3]
    last = table.iloc[1]
    assert last.clip_common == last.clip_rank == pytest.approx(1)
    assert last.common == pytest.approx(3**-0.5)  # three ways at right angles
    assert last["rank"] > 1.5
    assert last.width == 6


@pytest.mark.parametrize("measure", ["common", "rank"])
def test_the_figure_draws_every_layer_of_every_encoder(measure):
    frames = [
        token_table((layer, [tokens(seed + layer)]) for layer in range(3)).assign(encoder=name)
        for seed, name in enumerate(("mini-mae", "mini-eat"))
    ]
    table = pd.concat(frames, ignore_index=True)
    drawn = tokens_by_layer(table, measure)
    points = [layer for layer in drawn if isinstance(layer, hv.Points)]
    np.testing.assert_allclose(np.concatenate([one.dimension_values(1) for one in points]), table[measure])
    assert drawn.Labels.I.dimension_values(2).tolist() == ["mini-mae", "mini-eat"]
    hv.render(tokens_by_layer(table, measure, dark=True), backend="bokeh")


def test_another_measure_is_refused_by_name():
    with pytest.raises(ValueError, match="common"):
        tokens_by_layer(pd.DataFrame(), "width")
