"""What the lessons on prototypes add: hits over scenes, pairs by group, what a file stores, and figures."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from protoviz.analysis.geometry import group_rms
from protoviz.analysis.hits import hit_rates, hit_table
from protoviz.analysis.prototypes import logit_parts, prototype_table, strongest_prototypes
from protoviz.analysis.results import per_class, results, settings_of
from protoviz.analysis.tables import table_file
from protoviz.analysis.what_if import class_changes
from protoviz.audio import CellGrid
from protoviz.course import check
from protoviz.figures import (
    change_bars,
    logit_steps,
    loss_curves,
    per_class_curves,
    protobin_diagram,
    similarity_map,
    storage_bars,
    straight_through,
)
from protoviz.probes import build_probe, save_probe, stored

hv = pytest.importorskip("holoviews")
GRID = CellGrid(8, 4, 10.24)


class Box(NamedTuple):
    label: str
    onset: float
    offset: float
    low_hz: float
    high_hz: float


def _clips(seed: int = 0):
    """Contributions (b c j), scores (b j), locations (b j) and events of three clips of three classes."""
    draw = np.random.default_rng(seed)
    contributions, scores = draw.normal(size=(3, 3, 6)), draw.normal(size=(3, 6))
    locations = draw.integers(0, GRID.times * GRID.freqs, (3, 6))
    events = [
        [Box("bell", 0.0, 3.0, 0.0, 8000.0), Box("bell", 8.0, 9.0, 0.0, 500.0)],
        [Box("rain", 2.0, 10.0, 100.0, 8000.0), Box("dog", 1.0, 2.0, 1000.0, 2000.0)],
        [Box("dog", 0.0, 10.24, 20.0, 8000.0)],
    ]
    return events, contributions, scores, locations


def test_hits_are_counted_as_one_would_by_hand():
    events, contributions, _, locations = _clips()
    classes = ["bell", "rain", "dog"]
    table = hit_table(events, contributions, locations, classes, GRID, k=4)
    assert list(zip(table["clip"], table["class"], strict=True)) == [
        (0, "bell"),
        (1, "dog"),
        (1, "rain"),
        (2, "dog"),
    ]
    for row in table.itertuples():
        boxes = [event for event in events[row.clip] if event.label == row[3]]
        touched = sum(GRID.overlap(box[1:]) for box in boxes) > 0
        values = contributions[row.clip][classes.index(row[3])]
        best = [j for j in np.argsort(-values)[:4] if values[j] > 0]
        hits = sum(touched.ravel()[locations[row.clip][j]] for j in best)
        assert (row.listed, row.hits, row.chance) == (len(best), hits, touched.mean())
    assert (table[table["clip"] == 2].share == 1).all(), "an event that fills the map is always hit"


def test_a_table_for_people_says_the_same_in_words():
    row, scores, places = np.array([0.5, -1.0, 0.25]), np.array([0.1234, 0.2, 0.3]), np.array([5, 0, 31])
    boxes = [Box("bell", 0.0, 2.0, 20.0, 8000.0)]
    found = strongest_prototypes(row, scores, places, GRID, boxes=boxes)
    table = prototype_table(found)
    assert table.index.tolist() == [1, 2]
    assert table.prototype.tolist() == [0, 2]
    assert table["on a true event"].tolist() == ["yes", "no"]
    for (_, told), cell in zip(table.iterrows(), (GRID.box(1, 1), GRID.box(7, 3)), strict=True):
        assert told[["from s", "to s"]].tolist() == pytest.approx([cell.onset, cell.offset], abs=0.005)
        assert told[["from Hz", "to Hz"]].tolist() == pytest.approx([cell.low_hz, cell.high_hz], abs=0.5)
    unknown = prototype_table(strongest_prototypes(row, scores, places, GRID))
    assert unknown["on a true event"].tolist() == ["", ""]
    assert prototype_table(found[:0]).empty


def test_rates_count_every_clip_once():
    events, contributions, _, locations = _clips()
    table = hit_table(events, contributions, locations, ["bell", "rain", "dog"], GRID)
    rates = hit_rates({"proto": table, "protobin": table.assign(share=1.0)}, "mini-mae")
    by_clip = table.groupby("clip")[["share", "chance"]].mean().mean()
    assert rates.method.tolist() == ["proto", "protobin"]
    np.testing.assert_allclose(rates.score, [by_clip.share, 1.0])
    np.testing.assert_allclose(rates.chance, by_clip.chance)
    assert (rates.low <= rates.score).all()
    assert (rates.score <= rates.high).all()


@given(st.integers(0, 100), st.integers(1, 4), st.integers(1, 4))
def test_pairs_within_and_between_groups(seed, groups, each):
    vectors = np.random.default_rng(seed).normal(size=(groups * each, 5))
    names = np.repeat(np.arange(groups), each)
    squares = {True: [], False: []}
    for i in range(len(vectors)):
        for k in range(i):
            cosine = vectors[i] @ vectors[k] / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[k])
            squares[bool(names[i] == names[k])].append(cosine**2)
    expected = [np.sqrt(np.mean(some)) if some else np.nan for some in (squares[True], squares[False])]
    np.testing.assert_allclose(group_rms(vectors, names), expected)


@pytest.mark.parametrize("packed", [False, True])
def test_the_parts_of_a_file_sum_to_its_size(tmp_path, packed):
    probe = build_probe("protobin", 32, 3, prototypes_per_class=4)
    path = save_probe(probe, tmp_path / "p.safetensors", packed=packed, classes=["a", "b", "ü"])
    parts = stored(path).set_index("part")
    assert parts.bytes.sum() == path.stat().st_size
    assert parts.bytes["classifier.weight"] == 3 * 12 * 4
    name, size = ("latent.bits", 12 * 32 // 8) if packed else ("latent", 12 * 32 * 4)
    assert parts.bytes[name] == size
    drawn = storage_bars({"file": parts.reset_index()})
    assert drawn.get(0).dimension_values(2).max() == pytest.approx(path.stat().st_size / 1000)
    hv.render(drawn, backend="bokeh")


def test_own_prototype_counts_are_shipped_and_no_page_takes_them_for_runs():
    table = per_class()
    assert {"method", "per_class", "score", "low", "high"} <= set(table)
    assert table.per_class.nunique() > 3
    assert (table.low <= table.score).all()
    assert (table.score <= table.high).all()
    assert "per-class" not in set(results().source)
    points = [layer for layer in per_class_curves(table) if isinstance(layer, hv.Points)]
    drawn = np.concatenate([layer.dimension_values(1) for layer in points])
    np.testing.assert_allclose(np.sort(drawn), np.sort(100 * table.score))


def test_the_steps_of_a_logit_meet_and_end_at_it():
    _, contributions, scores, locations = _clips()
    row = contributions[0][0]
    parts = logit_parts(row, -0.5, strongest_prototypes(row, scores[0], locations[0], GRID, k=2))
    drawn = logit_steps(parts)
    ends = [drawn.bars.data[side][-1] for side in ("left", "right")]
    assert sum(ends) == pytest.approx(row.sum() - 0.5), "one of them is 0"
    np.testing.assert_allclose(drawn.bars.data["end"], parts.end)
    assert drawn.bars.data["next"][:-1] == drawn.bars.data["y"][1:]
    assert [drawn.figure.left[0].major_label_overrides[y] for y in (3, 4)] == ["bias", "logit"]
    assert "4 prototypes" in drawn.bars.data["name"]


def test_changes_are_drawn_from_old_to_new():
    changes = class_changes(["bell", "dog_bark"], [1.0, -2.0], [0.5, -1.0])
    drawn = change_bars(changes, present=["bell"], now="muted")
    np.testing.assert_allclose(drawn.ghosts.data["right"], 1 / (1 + np.exp([-1.0, 2.0])))
    np.testing.assert_allclose(drawn.bars.data["right"], 1 / (1 + np.exp([-0.5, 1.0])))
    assert drawn.ghosts.data["text"] == ["−0.50", "+1.00"]
    assert list(drawn.figure.left[0].major_label_overrides.values()) == ["bell", "dog bark"]
    assert np.isfinite(drawn.bars.data["dot"]).tolist() == [True, False]
    assert drawn.heads.data["text"] == ["muted"]


def test_a_similarity_map_stands_as_the_spectrogram_does():
    maps = np.random.default_rng(0).normal(size=(8, 4))
    maps[7] = np.nan  # padding
    drawn = similarity_map(maps, dark=True)
    np.testing.assert_allclose(drawn.map.data["cosine"][0], maps.T, rtol=1e-6)
    glyph, bytes_ = drawn.mapped.glyph, drawn.map.data["image"][0]
    assert (glyph.x, glyph.y, glyph.dw, glyph.dh) == (0, 0, 10.24, 128)
    assert not bytes_[:, 7].any(), "padding stays clear"
    place = np.unravel_index(np.nanargmax(maps.T), (4, 8))
    assert bytes_[place] == bytes_.max() == 255
    assert not drawn.image.visible


def test_diagram_and_curves_say_what_they_were_given():
    drawn = protobin_diagram((64, 8), 192, 480, 24)
    words = [
        str(text) for layer in drawn if isinstance(layer, hv.Labels) for text in layer.dimension_values(2)
    ]
    assert {"64 × 8 × 192", "480 × 192", "480 × 64 × 8", "s: 480", "W: 24 × 480", "24"} <= set(words)
    losses = {"learnt": [3.0, 2.0, 1.0], "fixed": [3.0, 2.5]}
    curves = [layer for layer in loss_curves(losses) if isinstance(layer, hv.Curve)]
    assert [layer.dimension_values(1).tolist() for layer in curves] == list(losses.values())
    for figure in (drawn, loss_curves(losses, dark=True), straight_through()):
        hv.render(figure, backend="bokeh")
    slopes = [
        np.diff(layer.dimension_values(1)) for layer in straight_through() if isinstance(layer, hv.Curve)
    ]
    assert set(np.round(slopes[0], 9)) == {0, 2}, "a step"
    assert np.ptp(slopes[1]) < 1e-9, "a line"


def test_a_function_of_scores_is_judged_by_what_it_does():
    def good(tokens, latent, mask):
        signs = torch.where(latent >= 0, 1.0, -1.0).double()
        cosine = torch.nn.functional.normalize(tokens, dim=-1) @ signs.T / signs.shape[1] ** 0.5
        return cosine.masked_fill(~mask[..., None], -torch.inf).amax(1)

    assert check("04.2", good).right
    wrong = [
        lambda tokens, latent, mask: good(tokens, latent, torch.ones_like(mask)),
        lambda tokens, latent, mask: good(tokens, latent, mask).T,
        lambda tokens, latent, mask: 1 / 0,
        lambda tokens, latent, mask: good(tokens, torch.where(latent == 0, -1.0, latent), mask),
    ]
    says = [check("04.2", answer) for answer in wrong]
    assert not any(verdict.right for verdict in says)
    assert len({verdict.says for verdict in says}) == 4


def test_the_shipped_counts_name_their_command():
    told = pd.Series(settings_of(table_file(None, "per-class")))
    assert told.command == "protoviz per-class"
    assert set(told.counts) == set(per_class().per_class)
