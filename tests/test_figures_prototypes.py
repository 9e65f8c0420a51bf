"""The figures of prototypes: what they draw is the data, on a palette that is even about zero."""

import numpy as np
import pytest
from test_figures import cielab_lightness, luminance

from protoviz.analysis.geometry import corner_shares, cosine_matrix, pair_cosines, random_corners
from protoviz.figures import PAPER, cosine_histogram, cosine_map, diverging_palette, weight_map

hv = pytest.importorskip("holoviews")


def test_the_histogram_shows_the_pairs_their_start_and_chance():
    after, before = random_corners(40, 32), random_corners(40, 32, seed=1)
    drawn = list(cosine_histogram(after, before))
    edges, heights = drawn[0].edges, drawn[0].dimension_values(1)
    np.testing.assert_allclose(heights, np.histogram(pair_cosines(after), edges)[0] / 780 * 100)
    np.testing.assert_allclose(
        drawn[1].dimension_values(1), np.histogram(pair_cosines(before), edges)[0] / 7.8
    )
    np.testing.assert_allclose(drawn[2].dimension_values(1), 100 * corner_shares(32, edges))
    assert [layer.label for layer in drawn] == ["prototypes", "before training", "random ±1 corners"]
    assert len(list(cosine_histogram(after[:1]))) == 2, "one prototype has no pair, and is no error"
    hv.render(cosine_histogram(after, before, dark=True), backend="bokeh")


def test_the_maps_show_cosines_and_weights_in_order():
    some, order = random_corners(12, 16), np.random.default_rng(0).permutation(12)
    drawn = cosine_map(some, order)
    np.testing.assert_allclose(
        drawn.dimension_values(2, flat=False)[::-1], cosine_matrix(some)[np.ix_(order, order)], atol=1e-6
    )
    weight = np.random.default_rng(1).normal(size=(3, 12))
    heat = weight_map(weight, ["rain", "bell", "dog_bark"], order)
    np.testing.assert_allclose(heat.dimension_values(2, flat=False)[::-1], weight[:, order])
    for figure in (drawn, heat):
        hv.render(figure, backend="bokeh")


@pytest.mark.parametrize("dark", [False, True])
def test_the_diverging_palette_is_paper_in_the_middle_and_even_to_both_ends(dark):
    palette = diverging_palette(dark)
    assert len(palette) == 255
    assert palette[127] == PAPER[dark].lower()
    lightness = [cielab_lightness(colour) for colour in palette]
    assert lightness[0] == pytest.approx(lightness[-1], abs=3), "the ends are equally strong"
    for half in (palette[127::8], palette[127::-8]):
        steps = np.diff([cielab_lightness(colour) for colour in half])
        assert (steps > 0).all() if dark else (steps < 0).all()
        assert np.abs(steps).max() < 1.6 * np.abs(steps).min()
    blue, red = (np.array([int(c[i : i + 2], 16) for i in (1, 3, 5)]) for c in (palette[0], palette[-1]))
    assert blue[2] - red[2] > 90, "told apart by the blue cones, which red-green blindness spares"
    assert luminance(palette[0]) != luminance(PAPER[dark])
