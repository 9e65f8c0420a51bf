"""Where maps look against where events are: hits, mass and energy by hand, chance by trying."""

import numpy as np
import pandas as pd
import pytest

from protoviz.analysis.localisation import (
    MEASURES,
    by_chance,
    hit_intervals,
    measured,
    pair_table,
    scene_rows,
    strongest_cells,
    strongest_places,
)
from protoviz.audio import CellGrid
from protoviz.scenes import SceneConfig, cell_energies, loudness, make_scene, scene_parts

CELLS = 6


def pairs():
    """Two pairs of scene 0 and one of scene 1, on six cells in a row."""
    covered = np.array([[1, 0.5, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 0]], dtype=float)
    energies = np.array([[6, 2, 0, 0, 0, 0], [0, 0, 0, 1, 3, 0], [0, 0, 5, 5, 0, 0]], dtype=float)
    rest = np.array([[7, 5, 1, 2, 9, 1], [7, 5, 1, 2, 9, 1], [1, 1, 6, 9, 1, 1]], dtype=float)
    return pair_table({"covered": covered, "scene": [0, 0, 1]}, energies, rest)


def test_places_are_measured_as_by_hand():
    known = pairs()
    cells = np.array([[1, 4, -1, -1, -1], [0, 3, 4, -1, -1], [-1, -1, -1, -1, -1]])
    found = measured(cells, np.array([0.25, 0.5, np.nan]), known)
    assert list(found) == list(MEASURES)
    assert found["first"][:2].tolist() == [1, 0]
    assert found["first five"][:2].tolist() == pytest.approx([1 / 2, 2 / 3])
    assert found["any event"][:2].tolist() == [1, 1], "cell 0 is the other event's"
    assert found["mass"][:2].tolist() == [0.25, 0.5]
    assert found["loudest there"][:2].tolist() == [0, 0], "2 of 5 and 0 of 7"
    assert found["energy"][:2].tolist() == [0.25, 0]
    assert all(np.isnan(values[2]) for values in found.values()), "no place, no measure"


def test_chance_is_what_drawn_places_have():
    known, rng = pairs(), np.random.default_rng(0)
    tried = [
        measured(rng.permuted(np.tile(np.arange(CELLS), (3, 1)), axis=1)[:, :5], np.zeros(3), known)
        for _ in range(4000)
    ]
    exact = by_chance(known)
    for name in MEASURES:
        if name != "mass":
            assert np.mean([one[name] for one in tried], axis=0) == pytest.approx(exact[name], abs=0.03), name
    even = strongest_cells(np.ones((3, CELLS)), known["inside"])[1]
    assert even == pytest.approx(exact["mass"])


def test_only_what_argues_for_the_class_has_places():
    inside = pairs()["inside"]
    contributions = np.array([[0.5, -3, 1.5, 0], [2, 2, 1, 1], [-1, -1, 0, 0]], dtype=float)
    locations = np.array([[0, 2, 5, 1], [3, 4, 0, -1], [2, 2, 2, 2]])
    cells, mass = strongest_places(contributions, locations, inside)
    assert cells.tolist() == [[5, 0, -1, -1, -1], [3, 4, 0, -1, -1], [-1] * 5]
    assert mass[:2].tolist() == pytest.approx([0.25, 0.8])
    assert np.isnan(mass[2])
    cells, mass = strongest_cells(np.array([[0, 3, 0, 1, 0, 0]] * 3, dtype=float), inside)
    assert cells[0].tolist() == [1, 3, -1, -1, -1]
    assert mass.tolist() == pytest.approx([0.375, 0.25, 0])


def test_a_scene_counts_once_and_intervals_are_over_scenes():
    known = pairs()
    found = {"first": np.array([1.0, 0, np.nan])}
    rows = scene_rows(found, {"first": by_chance(known)["first"]}, [0, 0, 1], [2, 2, 1])
    assert len(rows) == 1
    assert (rows.score[0], rows.chance[0]) == (0.5, pytest.approx((2 / 6 + 2 / 6) / 2))
    rng = np.random.default_rng(0)
    scenes = pd.DataFrame(
        {"dataset": "x", "map": "a", "scene": range(400), "score": rng.random(400) < 0.3, "chance": 0.1}
    )
    scenes["score"] = scenes.score.astype(float)
    told = hit_intervals(scenes, ["dataset", "map"]).iloc[0]
    assert (told.scenes, told.chance) == (400, pytest.approx(0.1))
    assert told.score == pytest.approx(scenes.score.mean())
    half = 1.96 * scenes.score.std() / 20
    assert (told.high - told.low) / 2 == pytest.approx(half, rel=0.15)


def test_parts_of_a_scene_sum_to_it_and_lie_in_its_boxes():
    scene, parts = make_scene(5, 4), scene_parts(5, 4)
    mix = parts.mix()
    gain = (scene.waveform @ mix) / (mix @ mix)
    assert np.abs(scene.waveform - gain * mix).max() < 1 / 30000, "rounded to the grid of 16 bits"
    assert {part.event for part in parts.events} == set(scene.events)
    more = scene_parts(5, 5)
    assert [part.event for part in more.events[:4]] == [part.event for part in parts.events], "nested"
    grid = CellGrid(64, 8, 10.24)
    for part in parts.events:
        cells = cell_energies(part.sound, grid, part.start)
        event = part.event
        inside = grid.overlap((event.onset, event.offset, event.low_hz, event.high_hz)) > 0
        assert cells[inside].sum() > 0.9 * cells.sum()


def test_energy_is_counted_where_it_lies_and_loudness_in_decibels():
    grid = CellGrid(64, 8, 10.24)
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000)
    cells = cell_energies(tone, grid, 32000)
    t, f = grid.cell(2.25, 1000)
    assert cells[:, f].sum() > 0.95 * cells.sum()
    assert cells[grid.cell(2.0, 1000)[0] : grid.cell(2.5, 1000)[0] + 1].sum() == pytest.approx(
        cells.sum(), rel=1e-3
    )
    assert cells.argmax() // 8 in range(t - 2, t + 3)
    assert loudness(10 * tone) - loudness(tone) == pytest.approx(20)
    assert SceneConfig().seconds == grid.seconds
