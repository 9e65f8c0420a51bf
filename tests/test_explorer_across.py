"""What the explorer shows across clips, without a browser: state, and what the section's sources hold."""

import io
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
import soundfile
from page_bench import nearest_of, scored, small_bench, small_table
from visiting import said, says, tap

from protoviz.analysis.neighbours import BACKGROUND, PARTS, score_histograms
from protoviz.audio import box_sound
from protoviz.datasets import scene_of
from protoviz.explorer.frame import Frame
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages.neighbours import text as words
from protoviz.explorer.pages.neighbours.state import NO_CELL
from protoviz.explorer.pages.neighbours.thumbnails import KEPT, Thumbnails
from protoviz.explorer.pages.prototypes.view import Prototypes
from protoviz.explorer.session import NO_PROTOTYPE, ExplorerState
from protoviz.explorer.workbench import Workbench
from protoviz.figures.nearest import PICTURE, NearestClips, coarser
from protoviz.scenes import make_scene

RATE = 16000


@pytest.fixture
def state():
    return ExplorerState(small_bench(), clip="scene-30-3", page="prototypes")


@pytest.fixture
def view(state):
    return Prototypes(state).across


def in_table(prototype):
    table = small_bench().table("nearest")
    return table[table.prototype == prototype].sort_values("rank")


def without_tables():
    bench = small_bench()
    return Workbench(bench.encoder, bench.probes, bench.classes, bench.clips)


# -- the state


def test_the_nearest_clips_are_those_of_the_chosen_prototype_or_of_the_strongest(state):
    own = state.own["neighbours"]
    assert own.shown == ("protobin", int(state.strongest().prototype.iloc[0]))
    state.prototype = 17
    assert own.shown == ("protobin", 17)
    told = own.nearest()
    there = in_table(17).reset_index(drop=True)
    pd.testing.assert_frame_equal(told[there.columns].reset_index(drop=True), there)
    assert told.number.tolist() == [1, 2, 3, 4, 5]
    assert told.here.all()
    state.right = "linear"
    assert own.shown is None
    assert len(own.nearest()) == 0
    assert own.near(1) is None
    assert own.chosen(own.points()) is None


def test_the_sound_of_a_nearest_clip_is_that_of_its_scene(state):
    own = state.own["neighbours"]
    state.prototype = 17
    row = in_table(17).iloc[2]
    sound, start = own.sound_of(3)
    box = small_bench().grid.box(*small_bench().grid.place(int(row.cell)))
    waveform = make_scene(*scene_of(row["clip"])).waveform
    np.testing.assert_array_equal(sound, box_sound(waveform, RATE, box, peak=0.5))
    assert start <= box.onset < start + len(sound) / RATE
    with pytest.raises(IndexError, match=r"\b9\b"):
        own.sound_of(9)


def test_opening_a_nearest_clip_keeps_the_prototype(state):
    own = state.own["neighbours"]
    state.prototype = 17
    row = in_table(17).iloc[4]
    steps = []
    state.param.watch(lambda *events: steps.append({e.name for e in events}), ["reading", "prototype"])
    own.open_nearest(5)
    assert steps == [{"reading"}], "one step: no page draws another prototype in between"
    assert (state.clip, state.prototype, own.rank) == (row["clip"], 17, 5)
    assert int(state.reading.explained["protobin"].locations[17]) == row.cell, "the same match on every page"
    own.open_nearest(99)
    assert (state.clip, state.prototype) == (row["clip"], 17)


def test_a_rank_belongs_to_its_prototype_and_a_cell_to_its_clip(state):
    own = state.own["neighbours"]
    own.param.update(rank=2, cell=11)
    state.prototype = own.shown[1]
    assert own.rank == 2, "the same prototype, now by choice"
    state.prototype = own.shown[1] + 1
    assert (own.rank, own.cell) == (0, 11)
    state.choose_clip("scene-61-6")
    assert own.cell == NO_CELL


def test_a_link_reopens_what_was_chosen(state):
    own = state.own["neighbours"]
    state.prototype = 17
    own.param.update(cloud="tokens", rank=2, cell=11)
    other = ExplorerState(small_bench())
    assert open_link(other, to_link(state)) == []
    assert (other.own["neighbours"].cloud, other.own["neighbours"].rank, other.own["neighbours"].cell) == (
        "tokens",
        2,
        11,
    )
    assert other.prototype == 17


def test_points_of_prototypes_are_marked_by_weight_and_by_what_is_heard(state):
    own, bench = state.own["neighbours"], small_bench()
    state.class_name = "rain"
    points = own.points()
    assert points.prototype.tolist() == list(range(480))
    np.testing.assert_array_equal(points.x, small_table("map-prototypes").x_response)
    weight = bench.probes["protobin"].classifier.weight.detach().numpy()
    np.testing.assert_array_equal(own.arguing(points), weight.argmax(0) == bench.classes.index("rain"))
    for j in np.flatnonzero(own.listening(points)):
        heard = in_table(j).label[in_table(j).label != BACKGROUND].tolist()
        assert heard.count("rain") == max(map(heard.count, heard))
    assert own.numbered(points) == [(int(r.prototype), str(r.rank)) for r in state.strongest().itertuples()]
    assert points.prototype.iloc[own.chosen(points)] == own.shown[1]
    own.cloud = "direction"
    np.testing.assert_array_equal(own.points().x, small_table("map-prototypes").x_direction)


def test_points_of_tokens_follow_the_clip(state):
    own, grid = state.own["neighbours"], small_bench().grid
    own.cloud = "tokens"
    points = own.points()
    here = points[own.here(points)]
    assert len(here) == 512
    assert set(here["clip"]) == {"scene-30-3"}
    assert not own.arguing(points).any()
    state.class_name = "rain"
    assert (points.label[own.listening(points)] == "rain").all()
    strongest = state.strongest()
    cells = grid.index(strongest.t.to_numpy(), strongest.f.to_numpy())
    told = {int(points.cell.iloc[point]): ranks.split() for point, ranks in own.numbered(points)}
    assert {rank: cell for cell, ranks in told.items() for rank in ranks} == {
        str(rank): cell for rank, cell in zip(strongest["rank"], cells, strict=True)
    }
    assert points.cell.iloc[own.chosen(points)] == own.matched, "where the shown prototype matched"
    state.new_scene()
    assert own.chosen(points) is None
    assert not own.here(points).any()
    assert own.numbered(points) == []


def test_choosing_a_token_opens_its_clip_and_keeps_the_prototype(state):
    own = state.own["neighbours"]
    own.cloud = "tokens"
    state.prototype = 17
    points = own.points()
    point = 4 * 512 + 100
    own.choose(point)
    row = points.iloc[point]
    assert (state.clip, own.cell, state.prototype) == (row["clip"], 100, 17)
    assert own.chosen(points) == point
    sound, _ = own.sound_of_cell()
    box = small_bench().grid.box(100 // 8, 100 % 8)
    waveform = make_scene(*scene_of(row["clip"])).waveform
    np.testing.assert_array_equal(sound, box_sound(waveform, RATE, box, peak=0.5))


# -- thumbnails


def test_a_thumbnail_is_its_scene_seen_coarsely():
    bench = small_bench()
    thumbnails = Thumbnails(bench)
    assert thumbnails.known("scene-61-6") is None
    made = thumbnails.make("scene-61-6")
    assert thumbnails.known("scene-61-6") is thumbnails.make("scene-61-6") is made
    whole = bench.reading("scene-61-6").picture.astype(float)
    means = whole.reshape(64, 2, 256, 4).mean((1, 3))
    np.testing.assert_allclose(made.picture, means, atol=0.51)
    assert made.events == bench.reading("scene-61-6").events
    with pytest.raises(ValueError, match="read-only"):
        made.picture[0] = 0
    assert coarser(np.full((65, 300), 9, np.uint8)).tolist() == [[9] * 256] * 64
    assert KEPT * made.picture.nbytes < 10e6


# -- what the section draws


def test_the_strip_shows_the_clips_and_marks_the_winning_cells(view, state):
    for prototype in (17, 5):
        state.prototype = prototype
        rows = in_table(prototype)
        cells, step = view.strip.cells.data, PICTURE / 8
        for i, row in enumerate(rows.itertuples()):
            x, y = NearestClips._corner(i)
            t, f = divmod(row.cell, 8)
            edges = [cells[side][i] for side in ("left", "right", "bottom", "top")]
            expected = [x + t / 64, x + (t + 1) / 64, y + f * step, y + (f + 1) * step]
            np.testing.assert_allclose(edges, expected, atol=1e-6)
            source, image = view.strip.pictures[i]
            thumbnail = small_bench().shared(Thumbnails).known(row.clip)
            assert source.data["image"][0] is thumbnail.picture
            assert image.visible
        assert not view.strip.pictures[5][1].visible, "the small table has five clips a prototype"
        assert view.strip.captions.data["name"] == [f"{r.rank}   {r.score:.3f}" for r in rows.itertuples()]
        # A green box for every cell that lies on an event, around its middle.
        on = [i for i, label in enumerate(rows.label) if label != BACKGROUND]
        boxes = view.strip.events.data
        assert len(boxes["left"]) == len(on)
        for i, left, right in zip(on, boxes["left"], boxes["right"], strict=True):
            assert left < cells["right"][i]
            assert right > cells["left"][i]


@lru_cache(maxsize=1)
def across_all():
    """A workbench with two clips of each part of six clips' scores, of which one is not here."""
    bench = small_bench()
    nearest = nearest_of(bench, 2, PARTS)
    nearest["clip"] = nearest["clip"].replace("scene-61-6", "a recording & its <b>very</b> long name.wav")
    tables = {"nearest": nearest, "scores": score_histograms(*scored(bench)).assign(probe="protobin")}
    return Workbench(bench.encoder, bench.probes, bench.classes, bench.clips, tables=tables.get)


def test_clips_are_shown_from_all_of_a_prototypes_scores():
    state = ExplorerState(across_all(), clip="scene-30-3", page="prototypes")
    state.prototype = 17
    own, view = state.own["neighbours"], Prototypes(state).across
    scores = scored(small_bench())[0][:, 17]
    clips = view.histogram.clips.data
    edges = [*clips["left"], clips["right"][-1]]
    np.testing.assert_array_equal(clips["top"], np.histogram(scores, edges)[0])
    assert sum(clips["top"]) == 6
    seen, ordered = [], np.sort(scores)[::-1]
    for part, said_so in (("top", "the 2 nearest of 6"), ("middle", "(seed 0)"), ("bottom", "lowest third")):
        view.part.value = part
        rows = own.nearest()
        np.testing.assert_allclose(rows.score, ordered[rows["rank"] - 1])
        assert view.histogram.shown.data["x"] == rows.score.tolist()
        assert says(view, said_so)
        seen += rows["rank"].tolist()
    assert seen == [1, 2, 3, 4, 5, 6]
    view.hear(2)
    link = to_link(state)
    again = ExplorerState(across_all())
    assert open_link(again, link) == []
    assert (again.own["neighbours"].part, again.own["neighbours"].rank) == ("bottom", 2)
    view.part.value = "top"
    assert own.rank == 0, "the second of the bottom is not that of the top"


def test_a_clip_that_is_not_here_is_its_name_and_silent():
    state = ExplorerState(across_all(), clip="scene-30-3", page="prototypes")
    state.prototype = 17
    own, view = state.own["neighbours"], Prototypes(state).across
    for own.part in PARTS:
        absent = own.nearest()[~own.nearest().here]
        if len(absent):
            break
    (number,) = absent.number
    (text,) = view.strip.absent.data["text"]
    assert "…" in text
    assert text.endswith("name.wav\nnot kept here")
    assert not view.strip.pictures[number - 1][1].visible
    assert "<b>very" not in view.strip.places.data["tip"][number - 1]
    view.hear(number)
    assert (own.rank, view.player.played) == (number, 0)
    assert view.open.disabled
    own.open_nearest(number)
    assert state.clip == "scene-30-3"


def test_a_part_that_is_not_kept_is_told_with_the_cure(view, state):
    assert says(view, words.NOT_COUNTED)
    view.part.value = "middle"
    assert says(view, "the middle third of a prototype’s scores no clips are kept")
    assert not view._strip_pane.visible


def test_hearing_a_nearest_clip_leaves_the_shown_one(view, state):
    state.prototype = 17
    before = state.reading
    view.hear(2)
    sound, start = state.own["neighbours"].sound_of(2)
    heard, rate = soundfile.read(io.BytesIO(view.player.cell), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(heard, sound, atol=1 / 32768)
    row = in_table(17).iloc[1]
    other = row["clip"] != "scene-30-3"
    assert (view.player.cell_start, view.player.played, view.player.elsewhere) == (start, 1, other)
    assert state.reading is before
    assert view.strip.frames.data["width"] == [1, 3, 1, 1, 1]
    assert [button.variant for button in view.ranks].count("contained") == 1
    assert not view.open.disabled
    view.open.clicks += 1
    assert (state.clip, state.prototype) == (row["clip"], 17)
    view.hear(2)
    assert not view.player.elsewhere, "now it is the shown clip"
    played = view.player.played
    view.hear(8)
    assert view.player.played == played, "there is no eighth clip"


def test_a_tapped_thumbnail_is_heard(view, state):
    x, y = NearestClips._corner(3)
    tap(view.strip, x + 0.5, y + 1)
    assert state.own["neighbours"].rank == 4
    tap(view.strip, x - 0.04, y + 1)
    assert view.player.played == 1, "between two thumbnails there is nothing"


def test_a_tapped_point_chooses_the_prototype_and_the_ring_follows(view, state):
    points = state.own["neighbours"].points()
    row = points.iloc[123]
    tap(view.cloud, float(row.x), float(row.y))
    assert state.prototype == 123
    assert view.cloud.focus.data["x"].tolist() == [row.x]
    state.prototype = 7
    assert view.cloud.focus.data["y"].tolist() == [points.y.iloc[7]]
    far = view.cloud.figure.x_range.end
    tap(view.cloud, far + 50, 0.0)
    assert state.prototype == 7, "nothing is there"


def test_a_tapped_token_is_heard_in_its_clip(view, state):
    view.kind.value = "tokens"
    points = state.own["neighbours"].points()
    row = points.iloc[2900]
    tap(view.cloud, float(row.x), float(row.y))
    assert state.clip == row["clip"]
    assert (view.player.played, view.player.elsewhere) == (1, False)
    assert view.cloud.focus.data["x"].tolist() == [row.x]
    assert len(view.cloud.here.data["x"]) == 512


def test_choices_patch_small_layers_and_leave_the_points(view, state):
    all_points, figure = view.cloud.all.data, view.cloud.figure
    state.prototype = 9
    state.class_name = "rain"
    state.choose_clip("scene-61-6")
    assert view.cloud.all.data is all_points, "the many points are sent once"
    layers = (view.cloud.dots, view.cloud.ring, view.cloud.green, view.cloud.orange, view.cloud.circles)
    assert [layer.level for layer in layers] == ["glyph"] + ["overlay"] * 4
    assert view.cloud.figure is figure


def test_zoom_keeps_the_chosen_point_in_the_middle(view, state):
    state.prototype = 9
    x_range, start = view.cloud.figure.x_range, view.cloud.figure.x_range.start
    width = x_range.end - x_range.start
    view.cloud.zoom(4)
    assert x_range.end - x_range.start == pytest.approx(width / 4)
    assert (x_range.end + x_range.start) / 2 == pytest.approx(view.cloud.focus.data["x"][0])
    view.cloud.whole()
    assert x_range.start == pytest.approx(start)


def test_without_tables_the_section_says_what_makes_them():
    state = ExplorerState(without_tables(), clip="scene-30-3", page="prototypes")
    view = Prototypes(state).across
    for kind in ("response", "tokens"):
        state.own["neighbours"].cloud = kind
        assert said(view).count("No table of") == 2, "the nearest clips, and the map"
    assert [part.visible for part in (view._strip_pane, view._cloud_pane, view.looks)] == [False] * 3
    view.hear(1)
    assert view.player.played == 0
    view.set_dark(True)


def test_a_probe_without_prototypes_says_so(view, state):
    state.right = "linear"
    assert says(view, words.NO_PROTOTYPE)
    assert not view._strip_pane.visible
    state.right = "protobin"
    assert view._strip_pane.visible


def test_the_tables_are_asked_for_when_the_section_is_first_shown():
    asked, bench = [], small_bench()

    def tables(name):
        asked.append(name)
        return small_table(name)

    watched = Workbench(bench.encoder, bench.probes, bench.classes, bench.clips, "", tables=tables)
    frame = Frame(ExplorerState(watched, clip="scene-30-3"))
    frame.state.choose_clip("scene-61-6")
    assert asked == ["showing"]  # which clip comes first
    frame.state.page = "prototypes"
    frame.state.prototype = 3
    assert sorted(asked[1:]) == ["map-prototypes", "nearest", "scores"]
    # Hidden, it draws nothing; shown again, it draws what has changed.
    across = frame.view.across
    frame.state.page = "listen"
    frame.state.prototype = 4
    before = across.cloud.focus.data["x"].tolist()
    frame.state.page = "prototypes"
    assert across.cloud.focus.data["x"].tolist() != before
    assert frame.state.prototype == 4 != NO_PROTOTYPE


def test_the_words_say_what_was_found():
    labels = pd.array(["rain", "bird_trill", "rain", BACKGROUND], dtype="string")
    rows = pd.DataFrame({"label": labels, "part": "top"})
    said = words.nearest(0, "<i>probe</i>", rows, "bird_trill")
    assert "4 cells: <b>rain</b> 2, <b>bird trill</b> 1, no event 1." in said
    assert "most for <b>bird trill</b>" in said
    assert "<i>" not in said
    assert "weighs" not in words.nearest(0, "p", rows, None)
    unknown = rows.assign(label=pd.array(["rain", None, None, None], dtype="string"))
    assert "cells" not in words.nearest(0, "p", unknown, "rain")
    table = small_table("map-prototypes")
    agree = np.mean(table.favourite == table.label)
    said = words.purity(table, "<i>")
    assert f"average {100 * table.purity.mean():.0f} % of a" in said
    assert f"chance {100 * 0.125:.0f} %" in said
    assert f"; {100 * agree:.0f} % of the prototypes" in said
    assert "<i>" not in said
    assert words.purity(table.head(0), "p") == words.purity(table.assign(purity=pd.NA), "p") == ""
