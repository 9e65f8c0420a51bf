"""Names on a picture of a clip: none covers another, none leaves the picture, in every scene of the demo."""

from itertools import combinations

import numpy as np
import pytest

from protoviz.analysis.prototypes import strongest_prototypes
from protoviz.audio import CellGrid, FilterBank
from protoviz.figures import spectrogram
from protoviz.figures.labels import Picture, place_labels, place_tags
from protoviz.figures.overlay import event_columns
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


def spots_of(columns):
    """Where the names of events stand, and what they say."""
    return zip(columns["x"], columns["y"], columns["anchor"], columns["label"], strict=True)


def free(columns, picture):
    """Raise where a name of events covers another or leaves the picture."""
    areas = [picture.area(*spot) for spot in spots_of(columns)]
    assert all(inside(area, picture) for area in areas)
    assert not any(shared(*pair) > 1e-9 for pair in combinations(areas, 2))


@pytest.fixture(scope="module")
def scenes():
    """The events of each scene that the demo shows."""
    (clips,) = open_study(DATA / "demo").clips.values()
    return [[Event(**event) for event in events] for events in clips.table["events"]]


@pytest.mark.parametrize(("width", "height"), [(320, 200), (600, 300), (700, 300), (1100, 300)])
def test_no_name_of_the_demos_scenes_covers_another_or_leaves_the_picture(scenes, width, height):
    picture = Picture(width=width, height=height)
    assert len(scenes) == 32
    for events in [*scenes, *(make_scene(seed, 8).events for seed in range(40))]:
        columns = event_columns(events, BANK, picture)
        free(columns, picture)
        free(columns, Picture(width=2 * width, height=1.5 * height))  # what is free stays so on a larger one


def test_the_spectrogram_draws_names_and_numbers_where_they_are_placed():
    scene, grid = make_scene(7, 8), CellGrid(64, 8, 10.24)
    cells = strongest_prototypes(np.array([3.0, 2, 1]), np.ones(3), np.array([100, 100, 101]), grid)
    drawn = spectrogram(scene.waveform, scene.events, cells)
    assert drawn.events.data["label"] == [spoken(event.label) for event in scene.events]
    free(drawn.events.data, drawn.size)
    tags = drawn.tags.data
    spots = zip(tags["x"], tags["y"], tags["anchor"], strict=True)
    found = list(zip(tags["text"], spots, strict=True))
    names = [drawn.size.area(*spot) for spot in spots_of(drawn.events.data)]
    assert found == place_tags(cells, BANK.mels / grid.freqs, drawn.size, names)


def test_a_long_name_takes_half_of_a_picture_and_is_told_as_a_whole_by_the_pointer():
    name = "a_class_whose_name_has_many_more_letters_than_any_place_has_room"
    events, picture = [Event(name, 9.0, 9.5, 500, 2000)], Picture(width=320, height=200)
    columns = event_columns(events, BANK, picture)
    free(columns, picture)
    assert columns["label"][0].startswith("a class")
    assert columns["label"][0].endswith("room")
    assert spoken(name) in columns["tip"][0]


def test_a_short_clip_has_room_for_fewer_letters():
    """A letter takes as many pixels, and so more of the seconds of a long clip than of a short one's."""
    for seconds in (4.0, 10.24, 3600.0):
        picture = Picture(seconds)
        spots = place_labels([(0.97 * seconds, seconds, 10.0, 30.0)], ["plucked string"], picture)
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


def test_a_number_goes_below_its_cell_where_a_name_stands_above():
    picture, grid = Picture(), CellGrid(64, 8, 10.24)
    frame = strongest_prototypes(np.ones(1), np.ones(1), np.array([grid.index(20, 4)]), grid)
    above = (3.0, 4.0, 80.0, 90.0)
    ((_, (_, y, anchor)),) = place_tags(frame, 16, picture, [above])
    assert (y, anchor) == (64.0, "top_center")
    assert place_tags(frame, 16, picture)[0][1][1:] == (80.0, "bottom_center")
