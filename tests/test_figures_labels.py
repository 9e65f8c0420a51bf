"""Names on a picture of a clip: none covers another, none leaves the picture, in every scene of the demo."""

from itertools import combinations

import numpy as np
import pytest

from protoviz.analysis.prototypes import strongest_prototypes
from protoviz.audio import CellGrid, FilterBank
from protoviz.audio.picture import mel_row
from protoviz.figures import spectrogram
from protoviz.figures.labels import Picture, place_labels, place_tags
from protoviz.figures.style import spoken
from protoviz.paths import DATA
from protoviz.scenes import Event, make_scene
from protoviz.study import open_study

BANK = FilterBank()


def shared(a, b):
    """What two areas (left, right, bottom, top) have in common."""
    wide, high = min(a[1], b[1]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[2], b[2])
    return max(0, wide) * max(0, high)


def inside(area, picture):
    left, right, bottom, top = np.round(area, 9)
    return left >= 0 and bottom >= 0 and right <= picture.seconds and top <= picture.rows


@pytest.fixture(scope="module")
def scenes():
    """The events of each scene that the demo shows."""
    (clips,) = open_study(DATA / "demo").clips.values()
    return [[Event(**event) for event in events] for events in clips.table["events"]]


@pytest.mark.parametrize(("width", "height"), [(400, 300), (550, 290), (700, 300), (1200, 420)])
def test_no_name_of_the_demos_scenes_covers_another_or_leaves_the_picture(scenes, width, height):
    picture = Picture(width=width, height=height)
    assert len(scenes) == 32
    for events in scenes:
        low, high = (
            mel_row([getattr(e, end) for e in events], BANK.mels, BANK.low_hz, BANK.top_hz)
            for end in ("low_hz", "high_hz")
        )
        names = [spoken(event.label) for event in events]
        spots = place_labels(
            [(e.onset, *rows) for e, *rows in zip(events, low, high, strict=True)], names, picture
        )
        areas = [picture.area(*spot, name) for spot, name in zip(spots, names, strict=True)]
        assert all(inside(area, picture) for area in areas)
        assert not any(shared(*pair) for pair in combinations(areas, 2))


def test_the_spectrogram_draws_names_and_numbers_where_they_are_placed():
    scene, grid = make_scene(7, 8), CellGrid(64, 8, 10.24)
    cells = strongest_prototypes(np.array([3.0, 2, 1]), np.ones(3), np.array([100, 100, 101]), grid)
    names, numbers = [layer.dframe() for layer in spectrogram(scene.waveform, scene.events, cells).Labels]
    assert names.text.tolist() == [spoken(event.label) for event in scene.events]
    picture = Picture()
    areas = [picture.area(r.x, r.y, f"{r.edge}_{r.side}", r.text) for r in names.itertuples()]
    assert all(inside(area, picture) for area in areas)
    assert not any(shared(*pair) for pair in combinations(areas, 2))
    expected = place_tags(cells, BANK.mels / grid.freqs)
    found = [(r.text, (r.x, r.y, f"{r.edge}_{r.side}")) for r in numbers.itertuples()]
    assert found == expected


def test_a_short_clip_has_room_for_fewer_letters():
    """A letter takes as many pixels, and so more of the seconds of a long clip than of a short one's."""
    for seconds in (4.0, 10.24, 3600.0):
        picture = Picture(seconds)
        spots = place_labels([(0.97 * seconds, 10.0, 30.0)], ["plucked string"], picture)
        assert inside(picture.area(*spots[0], "plucked string"), picture)


def test_tags_of_neighbouring_cells_do_not_hide_each_other():
    grid, picture = CellGrid(64, 8, 10.24), Picture()
    cells = [(29, 2), (28, 2), (29, 2), (5, 7), (5, 6), (40, 0)]
    locations = np.array([grid.index(t, f) for t, f in cells])
    frame = strongest_prototypes(np.arange(6, 0, -1), np.ones(6), locations, grid, 6)
    texts, spots = zip(*place_tags(frame, 16, picture), strict=True)
    assert texts == ("1 3", "2", "4", "5", "6")
    areas = [picture.area(*spot, text) for spot, text in zip(spots, texts, strict=True)]
    assert all(inside(area, picture) for area in areas)
    assert not any(shared(*pair) for pair in combinations(areas, 2))
