"""How far attention spreads, against sums written out by hand and against what must always hold."""

import math

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
from bokeh.models import Plot
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.analysis.attention import (
    by_layer,
    coverage,
    diffusion,
    entropy_of,
    mean_map,
    over_cells,
    over_clips,
)
from protoviz.audio import Box, CellGrid
from protoviz.encoders import ENCODERS, load_encoder, present_encoders
from protoviz.figures import attention_maps, diffusion_by_layer
from protoviz.scenes import make_scene

GRID = CellGrid(64, 8, 10.24)


def mels(hertz):
    return 1127 * math.log(1 + hertz / 700)


def by_hand(row, real, inside):
    """(entropy, mass) of one row, cell by cell."""
    total = sum(a for a, here in zip(row, real, strict=True) if here)
    entropy = mass = 0.0
    for a, here, share in zip(row, real, inside, strict=True):
        if here and a > 0:
            entropy -= a / total * math.log(a / total)
            mass += a / total * share
    return entropy, mass


def test_the_numbers_are_those_of_a_sum_by_hand():
    rng = np.random.default_rng(0)
    rows, mask, inside = rng.random((2, 3, 40)) ** 6, rng.random(40) < 0.8, rng.random(40)
    rows[0, 0, :5] = 0
    frame = diffusion(rows, mask, inside, cls_to_cls=rng.random((2, 3)))
    assert list(zip(frame.layer, frame["head"], strict=True)) == [(l, h) for l in (1, 2) for h in (1, 2, 3)]
    for i, (layer, head) in enumerate(np.ndindex(2, 3)):
        entropy, mass = by_hand(rows[layer, head], mask, inside)
        assert frame.entropy[i] == pytest.approx(entropy)
        assert frame.effective[i] == pytest.approx(math.exp(entropy))
        assert frame.mass[i] == pytest.approx(mass)
        assert frame.concentration[i] == pytest.approx(mass / inside[mask].mean())
    assert (frame.uniform == mask.sum()).all()
    means = by_layer(frame)
    assert means.effective[1] == pytest.approx(np.prod(frame.effective[3:]) ** (1 / 3))
    assert means.mass[0] == pytest.approx(frame.mass[:3].mean())


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 30))
def test_what_always_holds(cells, heads, seed, kept, sharpness):
    rng = np.random.default_rng(seed)
    rows = np.exp(sharpness * rng.normal(size=(1, heads, cells)))
    rows *= rng.random(rows.shape) < 0.8
    rows[..., 0] += 1e-9
    mask = rng.random(cells) < kept
    mask[0] = True
    inside = np.clip(rng.normal(0.3, 0.5, cells), 0, 1)
    frame = diffusion(rows, mask, inside)
    assert (frame.effective >= 1).all()
    assert (frame.effective <= mask.sum() * (1 + 1e-12)).all()
    assert frame.mass.between(0, 1).all()
    means = mean_map(over_cells(rows, mask))
    assert means.sum() == pytest.approx(1)
    assert np.exp(entropy_of(means))[0] >= by_layer(frame).effective[0] * (1 - 1e-9)
    equal = diffusion(np.ones_like(rows), mask, inside)
    np.testing.assert_allclose(equal.effective, mask.sum())
    np.testing.assert_allclose(equal.mass, equal.area, atol=1e-12)


def test_the_mean_over_clips_weighs_every_clip_alike():
    rng = np.random.default_rng(2)
    clips = [diffusion(rng.random((2, 2, 30)) ** 9, inside=rng.random(30)) for _ in range(3)]
    means = over_clips(pd.concat(clips))
    assert means.clips.tolist() == [3] * 4
    for row, (layer, head) in enumerate([(1, 1), (1, 2), (2, 1), (2, 2)]):
        ones = [frame[(frame.layer == layer) & (frame["head"] == head)].iloc[0] for frame in clips]
        entropy = [one.entropy for one in ones]
        assert means.effective[row] == pytest.approx(np.exp(np.mean(entropy)))
        assert means.entropy_sd[row] == pytest.approx(np.std(entropy, ddof=1))
        mass, area = sum(one.mass for one in ones), sum(one.area for one in ones)
        assert means.concentration[row] == pytest.approx(mass / area)
    assert over_clips(clips[0]).entropy_sd.isna().all()


def test_edges_are_defined():
    one = diffusion(np.array([[[0.2, 0.7]]]), mask=[True, False], inside=[1.0, 0.0]).iloc[0]
    assert (one.entropy, one.effective, one.uniform, one.mass, one.concentration) == (0, 1, 1, 1, 1)
    silent = diffusion(np.array([[[0.0, 0.0], [0.5, 0.5]]]), inside=[0.0, 0.0])
    assert silent.loc[0, ["entropy", "effective", "mass"]].isna().all()
    assert silent.effective[1] == pytest.approx(2)
    assert silent.mass[1] == 0
    assert silent.concentration.isna().all()
    assert by_layer(silent).effective[0] == pytest.approx(2), "a head without attention is left out"
    unknown = diffusion(np.ones((1, 1, 4)))
    assert unknown[["mass", "area", "concentration"]].isna().all(axis=None)
    assert unknown.cls_to_cls[0] == 0


@pytest.mark.parametrize(
    ("rows", "more"),
    [
        (np.array([[[0.5, -0.1]]]), {}),
        (np.array([[[0.5, np.nan]]]), {}),
        (np.ones((1, 1, 2)), {"mask": [False, False]}),
        (np.ones((1, 1, 2)), {"mask": [True]}),
        (np.ones((1, 1, 2)), {"inside": [1.0]}),
        (np.ones((1, 2)), {}),
    ],
)
def test_what_is_no_attention_is_refused(rows, more):
    with pytest.raises(ValueError, match=r"attention|cell"):
        diffusion(rows, **more)


def test_coverage_is_the_area_of_the_union():
    boxes = [Box(0.2, 1.0, 150, 900), Box(0.9, 3.33, 20, 400), Box(0.9, 3.33, 20, 400), Box(9, 12, 0, 9000)]
    found = coverage(GRID, boxes)
    # Independently: points on a fine lattice that hits no edge.
    fine = 40
    seconds = (np.arange(64 * fine) + 0.5) * 0.16 / fine
    mel = mels(20) + (np.arange(8 * fine) + 0.5) * (mels(8000) - mels(20)) / 8 / fine
    hit = np.zeros((len(seconds), len(mel)), dtype=bool)
    for box in boxes:
        inside = (seconds > box.onset) & (seconds < box.offset)
        hit |= inside[:, None] & ((mel > mels(box.low_hz)) & (mel < mels(box.high_hz)))[None, :]
    lattice = hit.reshape(64, fine, 8, fine).mean((1, 3))
    np.testing.assert_allclose(found, lattice, atol=1.5 * 2 / fine)
    assert abs(found.mean() - lattice.mean()) < 0.002
    np.testing.assert_allclose(coverage(GRID, boxes[:1]), GRID.overlap(boxes[0]), atol=1e-12)
    assert not coverage(GRID, []).any()
    assert not coverage(GRID, [Box(2, 2, 100, 200), Box(20, 30, 100, 200)]).any()
    assert (coverage(GRID, [Box(0, 11, 0, 8000)]) == 1).all()


def test_a_real_encoder_keeps_what_it_does_not_give_to_cells():
    encoding = load_encoder("mini-random").encode(make_scene(30, 3).waveform[: 3 * 16000], attention=True)
    mask = encoding.mask[0].numpy()
    assert 0 < mask.sum() < 512, "a short clip fills only some cells"
    rows = [row[0].numpy() for row in encoding.attention]
    frame = diffusion(rows, mask, cls_to_cls=[kept[0].numpy() for kept in encoding.cls_to_cls])
    given = np.stack(rows).sum(-1).ravel()
    np.testing.assert_allclose(given + frame.cls_to_cls, 1, atol=1e-5)
    assert (frame.uniform == mask.sum()).all()
    assert (frame.effective <= mask.sum()).all()


def test_present_encoders_are_those_that_load(monkeypatch, tmp_path):
    monkeypatch.setenv("PROTOVIZ_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("PROTOVIZ_WEIGHTS", raising=False)
    assert present_encoders() == [name for name, spec in ENCODERS.items() if not spec.trained]
    (tmp_path / "encoders").mkdir()
    (tmp_path / "encoders" / "mini-mae.safetensors").touch()
    monkeypatch.setenv("PROTOVIZ_WEIGHTS", str(tmp_path / "mine"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "beats.pt").touch()
    assert {"mini-mae", "mini-random", "beats"} <= set(present_encoders())
    assert "eat" not in present_encoders()


@pytest.mark.parametrize("dark", [False, True])
def test_the_figures_draw_the_numbers(dark):
    rng, scene = np.random.default_rng(1), make_scene(30, 3)
    rows = rng.random((2, 3, 512)) ** 8
    mask = np.arange(512) < 400
    drawn = attention_maps(rows[0], GRID, scene.waveform, scene.events, mask, dark=dark)
    titles = ["mean of the heads", "head 1", "head 2", "head 3"]
    found = {panel.title.text: panel for panel in drawn.figure.select({"type": Plot})}  # in no order
    assert set(found) == set(titles)
    panels = [found[title] for title in titles]
    (told,) = (r.data_source.data for r in panels[2].renderers if "times" in r.data_source.data)
    share = rows[0, 1] * mask / (rows[0, 1] * mask).sum()
    expected = (400 * share).reshape(64, 8)[:50]
    np.testing.assert_allclose(told["times"][0].T[:50], expected)
    assert np.isnan(told["times"][0].T[50:]).all()
    bytes_ = np.rint(np.clip(np.log2(np.maximum(expected, 1)) / 6, 0, 1) * 255)
    np.testing.assert_allclose(told["image"][0].T[:50], bytes_, atol=1)
    frame = diffusion(rows, mask, coverage(GRID, scene.events).ravel())
    charts = diffusion_by_layer({"one": frame, "two": frame.assign(mass=np.nan)}, dark=dark)
    curve = next(iter(next(iter(charts))))
    np.testing.assert_allclose(curve.dimension_values(1), by_layer(frame).effective)
    assert len([layer for layer in list(charts)[1] if isinstance(layer, hv.Curve)]) == 1
    hv.render(charts, backend="bokeh")
