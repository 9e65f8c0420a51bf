"""The page Attention without a browser: what is chosen, what follows, and what its sources hold."""

import queue
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from page_bench import clips, small_bench, wav
from small_encoders import small
from visiting import says
from waiting import PATIENCE

from benchmarks.large import SMALL, write_large
from protoviz.analysis.attention import coverage
from protoviz.datasets import scene_id, scene_of
from protoviz.encoders import EncoderError
from protoviz.encoders.mini import MiniConfig, random_mini
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.pages.attention import encoders
from protoviz.explorer.pages.attention import text as words
from protoviz.explorer.pages.attention.encoders import EncoderShelf
from protoviz.explorer.pages.attention.view import Attention
from protoviz.explorer.pages.listen.view import Listen
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import Studies
from protoviz.explorer.workbench import Workbench
from protoviz.figures import SIDE_COLOURS
from protoviz.probes import build_probe
from protoviz.scenes import SCENE_CLASSES, make_scene

RATE = 16000


@pytest.fixture
def state():
    return ExplorerState(small_bench(), clip="scene-30-3", page="attention")


def shares(name, waveform):
    """(l h n): attention encoded anew, softmax rows scaled to sum to 1 over the cells."""
    encoding = small_bench().shared(EncoderShelf).load(name).encode(waveform, attention=True)
    rows = torch.stack([row[0] for row in encoding.attention]).double()
    return (rows / rows.sum(-1, keepdim=True)).numpy()


def drawn(times):
    """The bytes of a map (n) of t x 8 cells: nothing up to 1 time the equal share, all from 64 on."""
    powers = np.log2(np.maximum(times, 1e-9)).reshape(-1, 8).T
    return np.rint(np.clip(powers / 6, 0, 1) * 255).astype(np.uint8)


def sheet_of(view, side):
    """(row, column) -> the bytes (f t) of each thumbnail, as they lie in the drawn picture."""
    maps = view.sides[side].maps
    (sheet,) = maps.sheet.data["image"]
    tall, wide = sheet.shape[0] // maps.rows, sheet.shape[1] // maps.columns
    found = {}
    for x, y in zip(maps.maps.data["x"], maps.maps.data["y"], strict=True):
        row, column = int(y), int(x)
        times = round(wide * 0.94)  # the rest is a gap
        top, left = row * tall + (tall - 8) // 2, column * wide + (wide - times) // 2
        found[row, column] = sheet[top : top + 8, left : left + times][::-1]
    return found


def large(view, side):
    return view.sides[side].spectrogram.map.data["image"][0]


def test_the_drawn_map_is_the_attention_of_the_shown_clip(state):
    view, own = Attention(state), state.own["attention"]
    assert (own.left, own.right) == ("mini-random", "mini-mae")
    for seed, polyphony, layer, head in ((30, 3, 2, 1), (61, 6, 0, 0)):
        state.choose_clip(scene_id(seed, polyphony))
        own.param.update(layer=layer, head=head)
        for side in ("left", "right"):
            rows = 512 * shares(getattr(own, side), make_scene(seed, polyphony).waveform)[(layer or 6) - 1]
            expected = rows[head - 1] if head else rows.mean(0)
            np.testing.assert_allclose(large(view, side), drawn(expected), atol=1)
            assert large(view, side).dtype == np.uint8
            source = view.sides[side].spectrogram.map.data
            np.testing.assert_allclose(source["times"][0], expected.reshape(64, 8).T, rtol=1e-4)
            np.testing.assert_allclose(source["percent"][0].sum(), 100, rtol=1e-4)


def test_every_layer_and_head_is_a_thumbnail_of_its_map(state):
    view = Attention(state)
    maps = view.sides["right"].maps
    assert (maps.sheet.data["dw"], maps.sheet.data["dh"]) == ([4], [6])
    rows = 512 * shares("mini-mae", make_scene(30, 3).waveform)
    seen = sheet_of(view, "right")
    assert len(seen) == 6 * 4
    for (row, column), image in seen.items():
        expected = rows[row, column - 1] if column else rows[row].mean(0)
        np.testing.assert_allclose(image, drawn(expected), atol=1)
    assert maps.figure.left[0].major_label_overrides[5.5] == "layer 6"


def test_a_clicked_thumbnail_and_a_clicked_layer_change_both_maps(state):
    view, own = Attention(state), state.own["attention"]
    before = {side: large(view, side) for side in ("left", "right")}
    figures = [view.sides["left"].maps.figure, view.charts["mass"].figure]
    view.choose(4, 2)
    assert (own.layer, own.head, view.layer.value, view.head.value) == (4, 2, 4, 2)
    for side in ("left", "right"):
        assert (large(view, side) != before[side]).any()
        assert view.sides[side].maps.chosen.data == {"x": [2.5], "y": [3.5]}
    assert "head 2 of 3" in view.sides["left"].title.object
    view.layer.value, view.head.value = 5, 0
    assert (own.layer, own.head) == (5, 0)
    assert view.charts["mass"].band.data == {"left": [4.5], "right": [5.5]}
    assert view.charts["mass"].rings.data["x"] == [], "the mean is no dot"
    own.head = 3
    heads = [own.attended(side).heads for side in ("left", "right")]
    assert view.charts["mass"].rings.data["y"] == [frame.mass[4 * 3 + 2] for frame in heads]
    assert figures == [view.sides["left"].maps.figure, view.charts["mass"].figure]


def test_the_charts_hold_the_numbers(state):
    view, own = Attention(state), state.own["attention"]
    own.layer = 3
    scene = make_scene(30, 3)
    rows = shares("mini-mae", scene.waveform)
    entropy = -(rows * np.log(rows)).sum(-1)
    dots = view.charts["effective"].dots.data
    np.testing.assert_allclose(dots["y"][18:], np.exp(entropy).ravel(), rtol=1e-4)
    means = view.charts["effective"].means.data["ys"]
    np.testing.assert_allclose(means[1], np.exp(entropy.mean(1)), rtol=1e-4)
    assert view.charts["effective"].levels.data["ys"] == [[512, 512]]
    found = own.attended("right")
    inside = found.inside
    assert 0 < inside.mean() < 1
    np.testing.assert_allclose(view.charts["mass"].means.data["ys"][1], (rows @ inside).mean(1), rtol=1e-4)
    assert view.charts["mass"].levels.data["ys"][0][0] == pytest.approx(inside.mean())
    spread = np.exp(-(rows.mean(1)[2] * np.log(rows.mean(1)[2])).sum())
    assert f"<b>{spread:.0f}</b>" in view.sides["right"].numbers.object
    assert f"{np.exp(entropy[2].mean()):.1f} for one head" in view.sides["right"].numbers.object


def test_the_mean_of_the_listed_scenes_is_measured_beside_the_page(state):
    view, own = Attention(state), state.own["attention"]
    own.over = "listed"
    listed = own.shelf.clips
    assert len(listed) == 6
    means = []
    for clip in listed:
        scene = make_scene(*scene_of(clip))
        inside = coverage(small_bench().grid, scene.events).ravel()
        means.append((shares("mini-mae", scene.waveform) @ inside).mean(1))
    drawn_means = view.charts["mass"].means.data["ys"]
    np.testing.assert_allclose(drawn_means[1], np.mean(means, axis=0), rtol=1e-4)
    spread = own.shelf.measured("mini-random").groupby(["layer", "head"]).entropy.mean()
    np.testing.assert_allclose(view.charts["effective"].dots.data["y"][:18], np.exp(spread), rtol=1e-9)
    assert "mean of 6 clips" in view.charts["mass"].dots.data["tip"][0]
    state.choose_clip("scene-10-1")
    assert view.charts["mass"].means.data["ys"] == drawn_means, "another clip is the same list"
    own.over = "clip"
    assert view.charts["mass"].means.data["ys"] != drawn_means


def test_stretched_maps_reach_from_end_to_end_and_say_so(state):
    view, own = Attention(state), state.own["attention"]
    assert not view.caution.visible
    assert large(view, "left").max() < 128, "an untrained encoder is far from full colour"
    own.stretch = True
    assert view.caution.visible
    assert (large(view, "left").min(), large(view, "left").max()) == (0, 255)
    grid = view.sides["left"].maps
    (sheet,) = grid.sheet.data["image"]
    rows = np.array_split(sheet, grid.rows)
    maps = [one for row in rows for one in np.array_split(row, grid.columns, axis=1)]
    assert [one.max() for one in maps] == [255] * grid.rows * grid.columns


def test_a_link_reopens_the_same_maps(state):
    own = state.own["attention"]
    own.param.update(left="mini-mae", right="mini-random", layer=4, head=2, stretch=True)
    link = to_link(state)
    assert {"left=mini-mae", "right=mini-random", "layer=4", "head=2", "stretch=1"} <= {
        word.removeprefix("attention.") for word in link[1:].split("&")
    }
    other = ExplorerState(small_bench())
    assert open_link(other, link) == []
    theirs = other.own["attention"]
    for key in own.in_link:
        assert getattr(theirs, key) == getattr(own, key)
    assert theirs.attended("left").maps is own.attended("left").maps, "encoded once for all sessions"
    assert "attention." not in to_link(ExplorerState(small_bench()))


def test_a_layer_or_head_that_there_is_not_is_shown_as_the_last(state):
    open_link(state, "?page=attention&layer=40&head=17")
    view = Attention(state)
    assert (view.layer.value, view.head.value) == (6, 3)
    assert "Layer 6 of 6, head 3 of 3" in view.sides["left"].title.object


def test_own_sound_has_no_events_and_its_silence_no_attention(state):
    view, own = Attention(state), state.own["attention"]
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype(np.float32)
    state.open_file("mine.wav", wav(noise))
    found = own.attended("left")
    assert found.inside is None
    assert found.heads.uniform.iloc[0] == found.maps.mask.sum() < 512
    assert not large(view, "left")[:, 26:].any()
    assert not view.charts["mass"].figure.visible
    assert "true events" not in view.sides["left"].numbers.object
    assert "you hear" in view.intro._question.object
    other = ExplorerState(small_bench(), clip="scene-30-3")
    assert other.own["attention"].attended("left").maps is not found.maps
    state.choose_clip("scene-30-3")
    assert view.charts["mass"].figure.visible


def test_shared_maps_cannot_be_written(state):
    maps = state.own["attention"].attended("left").maps
    for array in (maps.rows, maps.cls_to_cls, maps.mask):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_other_encoders_are_loaded_only_by_this_page(monkeypatch):
    bench = small_bench()
    loaded = []
    monkeypatch.setattr(encoders, "load_encoder", lambda name: loaded.append(name))
    Listen(ExplorerState(bench, clip="scene-30-3"))
    assert loaded == []
    assert EncoderShelf(bench).load("mini-random") is bench.encoder, "the demo's own is not loaded twice"


def with_encoders(state, load):
    """The page's state, over a shelf of its own whose encoders `load` gives by their names."""
    own = state.own["attention"]
    own.shelf = EncoderShelf(small_bench())
    own.shelf.load = load
    return own


def test_an_encoder_that_cannot_be_shown_says_why(state):
    def broken(name):
        raise EncoderError("its file is <damaged>")

    own = with_encoders(state, broken)
    view = Attention(state)
    for side in view.sides.values():
        assert "&lt;damaged&gt;" in side.heading.object
        assert not side.spectrogram.figure.visible
    assert view.legend.object == ""
    own.shelf = small_bench().shared(EncoderShelf)
    state.choose_clip("scene-61-6")
    assert view.sides["left"].maps.figure.visible


def test_without_a_cls_it_is_called_attention_received(state, monkeypatch):
    shelf = small_bench().shared(EncoderShelf)
    monkeypatch.setattr(shelf.load("mini-mae"), "cls_kind", "mean token")
    with_encoders(state, shelf.load)
    view = Attention(state)
    assert "attention received" in view.sides["right"].heading.object
    assert "[cls] keeps" not in view.sides["right"].numbers.object
    assert "mini-mae (attention received)" in view.legend.object
    assert "attention received" not in view.sides["left"].heading.object


@pytest.mark.parametrize(("name", "grid"), [("beats", (63, 8)), ("dasheng", (256, 1))])
def test_an_encoder_of_another_grid_is_drawn_on_its_own_cells(state, name, grid):
    encoder = small(name)
    with_encoders(state, lambda chosen: encoder if chosen == "mini-mae" else small_bench().encoder)
    state.choose_clip("scene-31-2")
    view = Attention(state)
    source = view.sides["right"].spectrogram.map.data
    received = (
        encoder.encode(state.reading.waveform.copy(), attention=True)
        .attention[-1][0]
        .double()
        .mean(0)
        .numpy()
    )
    share = received / received.sum()
    np.testing.assert_allclose(source["percent"][0], 100 * share.reshape(grid).T, rtol=1e-4)
    glyph = view.sides["right"].spectrogram.mapped.glyph
    assert (glyph.dw, glyph.y, glyph.dh) == (pytest.approx(10.24, abs=0.17), 0, 128)
    assert "attention received" in view.legend.object
    assert f"{np.prod(grid)} tokens" in view.legend.object


def test_dark_changes_every_colour(state):
    view = Attention(state)
    view.set_dark(True)
    assert view.sides["left"].spectrogram.wash.palette[-1].startswith(SIDE_COLOURS[0][1])
    assert view.sides["right"].maps.wash.palette[-1].startswith(SIDE_COLOURS[1][1])
    assert view.charts["mass"].means.data["colour"] == [colour[1] for colour in SIDE_COLOURS]
    assert SIDE_COLOURS[0][1] in view.legend.object


def test_names_are_escaped():
    nasty = "<img src=x>"
    for html in (words.trouble(nasty, nasty), words.heading(nasty, nasty, True)):
        assert "<img" not in html
    frame = ExplorerState(small_bench(), clip="scene-30-3").own["attention"].attended("left").heads
    key = words.key([(nasty, "#000", False)], [frame])
    assert "<img" not in key
    assert "(512 tokens," in key


# -- as deep as they come, and computed in the background


def deep(cls=True):
    """A workbench over an encoder of 24 layers x 16 heads, and the list of what it encoded with attention."""
    torch.manual_seed(1)
    shape = MiniConfig(width=32, depth=24, heads=16, mlp_ratio=1.0, frames=256, cls=cls)  # 16 x 8 cells
    encoder = random_mini(5, shape, "deep")
    probe = build_probe("protobin", encoder.dim, len(SCENE_CLASSES), encoder.grid)
    encode, calls = encoder.encode, []

    def counted(waveforms, attention=False, **options):
        if attention:
            calls.append(waveforms)
        return encode(waveforms, attention=attention, **options)

    encoder.encode = counted
    return Workbench(encoder, {"protobin": probe}, SCENE_CLASSES, clips()), calls


def only_deep(bench, clip="scene-30-3"):
    """A session that shows this encoder on both sides."""
    state = ExplorerState(bench, clip=clip, page="attention")
    state.own["attention"].right = "deep"
    return state


def assert_sheet(view, rows):
    """The thumbnails are rows (24 16 n): the mean of each layer's heads, and every head."""
    seen = sheet_of(view, "left")
    assert len(seen) == 24 * 17
    for (layer, column), image in seen.items():
        expected = rows[layer, column - 1] if column else rows[layer].mean(0)
        np.testing.assert_allclose(image, drawn(expected), atol=1)


@pytest.mark.parametrize("cls", [True, False])
def test_all_of_24_layers_and_16_heads_are_drawn_as_the_encoder_attends(cls):
    bench, _ = deep(cls)
    state = only_deep(bench)
    view, own = Attention(state), state.own["attention"]
    encoding = bench.encoder.encode(state.reading.waveform, attention=True)
    rows = torch.stack(encoding.attention)[:, 0].double().numpy()
    rows = 128 * rows / rows.sum(-1, keepdims=True)
    assert_sheet(view, rows)
    for layer, head in ((1, 1), (13, 0), (24, 16)):
        view.choose(layer, head)
        expected = rows[layer - 1, head - 1] if head else rows[layer - 1].mean(0)
        np.testing.assert_allclose(
            view.sides["left"].spectrogram.map.data["times"][0], expected.reshape(16, 8).T, rtol=1e-4
        )
    assert ("attention received" in view.legend.object) != cls
    assert own.attended("left").heads.shape[0] == 24 * 16


def test_what_was_computed_once_is_there_for_a_second_visit_and_another_session():
    bench, calls = deep()
    state = only_deep(bench)
    view = Attention(state)
    first = sheet_of(view, "left")
    assert len(calls) == 1, "two sides of one encoder are one"
    state.choose_clip("scene-10-1")
    state.choose_clip("scene-30-3")
    again = sheet_of(view, "left")
    assert all((again[place] == image).all() for place, image in first.items())
    Attention(only_deep(bench))
    assert len(calls) == 2, "one a clip"
    state.own["attention"].over = "listed"
    assert len(calls) == 6, "the four clips that nobody had shown"


def in_background(state):
    """(calls, until): what a thread delivers to the session waits until it takes it."""
    calls = queue.Queue()
    state.works["attention"].deliver = calls.put

    def take(until):
        while not until():
            calls.get(timeout=PATIENCE)()

    return take


def gated(encoder):
    """An event without which the encoder gives no attention."""
    gate, encode = threading.Event(), encoder.encode

    def waiting(waveforms, attention=False, **options):
        assert not attention or gate.wait(PATIENCE)
        return encode(waveforms, attention=attention, **options)

    encoder.encode = waiting
    return gate


def test_a_page_that_waits_for_attention_shows_the_rest_and_can_be_stopped():
    bench, _ = deep()
    gate = gated(bench.encoder)
    state = only_deep(bench)
    take, own, work = in_background(state), state.own["attention"], state.works["attention"]
    view = Attention(state)
    assert work.running
    assert own.attended("left") is None
    assert len(view.sides["left"].spectrogram.image.data_source.data["image"]) == 1, "the clip is there"
    assert not view.sides["left"].again.visible
    work.cancel()
    for side in view.sides.values():
        assert side.again.visible
        assert side.maps.sheet.data["image"] == []
        assert not side.spectrogram.mapped.visible
    view.choose(3, 2)
    state.choose_clip("scene-10-1")
    assert work.running, "another clip is another question"
    gate.set()
    take(lambda: not work.running)
    assert view.sides["left"].title.object == "<b>Layer 3 of 24, head 2 of 16</b>"
    assert len(sheet_of(view, "right")) == 24 * 17
    assert not view.sides["left"].again.visible
    state.choose_clip("scene-30-3")
    take(lambda: not work.running)
    assert len(sheet_of(view, "left")) == 24 * 17


def test_measuring_the_list_can_be_stopped_and_goes_on_where_it_was():
    bench, calls = deep()
    state = only_deep(bench)
    view, own, work = Attention(state), state.own["attention"], state.works["attention"]
    before = view.charts["effective"].means.data["ys"]
    gate, take = gated(bench.encoder), in_background(state)
    own.over = "listed"
    assert work.running
    work.cancel()
    assert (own.over, own.shelf.measured("deep"), state.message) == ("clip", None, "")
    assert view.charts["effective"].means.data["ys"] == before
    gate.set()
    own.over = "listed"
    take(lambda: own.shelf.measured("deep") is not None and not work.running)
    assert len(own.shelf.measured("deep")) == 6 * 24 * 16
    assert view.charts["effective"].means.data["ys"] != before
    assert len(calls) == 6, "each clip once"


def test_what_a_study_keeps_is_drawn_and_where_it_keeps_none_its_command_is_said(tmp_path):
    folder = write_large(tmp_path / "study", replace(SMALL, grid=(16, 8), maps=(24, 16)))
    state = ExplorerState(Studies([folder]).first(), page="attention")
    view = Attention(state)
    bench = state.workbench
    row = bench.clips["clip"].tolist().index(state.clip)
    rows = bench.kept.clips.array("attention", bench.name)[row].astype(float)
    rows = 128 * rows / rows.sum(-1, keepdims=True)
    assert_sheet(view, rows)
    for path in folder.rglob("attention.npy"):
        path.unlink()
    view = Attention(ExplorerState(Studies([folder]).first(), page="attention"))
    assert says(view, f"protoviz study add {folder} attention")
    assert not view.sides["left"].spectrogram.figure.visible
