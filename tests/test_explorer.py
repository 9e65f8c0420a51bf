"""The explorer without a browser: what is chosen, what follows from it, and what the page's sources hold."""

import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from page_bench import RATE, noise, small_bench, strongest_by_hand, wav, write_demo

from protoviz.datasets import scene_id
from protoviz.explorer.clip import FIRST_FRESH_SEED
from protoviz.explorer.frame import explorer
from protoviz.explorer.pages.listen import text as words
from protoviz.explorer.pages.listen.view import Listen
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.studies import Studies, served_studies
from protoviz.explorer.text import heading, plain
from protoviz.explorer.workbench import BenchError, Workbench
from protoviz.scenes import make_scene


@pytest.fixture
def state():
    return ExplorerState(small_bench(), clip="scene-30-3")


# -- the state


def test_the_state_needs_no_panel():
    heavy = "{'panel', 'bokeh', 'holoviews'}"
    code = f"import sys, protoviz.explorer.session; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scene_is_the_scene_of_its_seed(state):
    scene = make_scene(30, 3)
    np.testing.assert_array_equal(state.reading.waveform, scene.waveform)
    assert state.reading.events == scene.events
    assert state.reading.truth == set(scene.labels)
    assert state.class_name in scene.labels
    assert (state.left, state.right) == ("linear", "protobin")


def test_the_numbered_cells_are_the_argmax_of_the_shown_clip(state):
    for seed, polyphony in ((30, 3), (61, 6)):
        state.choose_clip(scene_id(seed, polyphony))
        frame = state.strongest()
        cells = small_bench().grid.index(frame.t.to_numpy(), frame.f.to_numpy())
        expected = strongest_by_hand(make_scene(seed, polyphony).waveform, state.class_name)
        assert list(zip(frame.prototype, cells, strict=True)) == expected


def test_the_parts_sum_to_the_logit_of_the_probe(state):
    bench = small_bench()
    with torch.inference_mode():
        encoding = bench.encoder.encode(make_scene(30, 3).waveform)
        logits = bench.probes["protobin"](encoding.tokens, cls=encoding.cls)[0]
    for name in ("rain", "bell"):
        state.class_name = name
        parts = state.parts()
        assert parts.value.iloc[-1] == pytest.approx(float(logits[bench.classes.index(name)]), abs=1e-5)
        assert parts.value.iloc[:-1].sum() == pytest.approx(parts.value.iloc[-1], abs=1e-5)


def test_polyphony_adds_an_event_to_the_same_scene(state):
    few = set(state.reading.events)
    state.mix(4)
    assert state.scene[0] == 30
    assert len(state.reading.events) == 4
    assert {event.label for event in few} < state.reading.truth


def test_new_scenes_are_fresh_and_the_same_for_everyone(state):
    state.new_scene()
    first = state.scene[0]
    state.new_scene()
    assert (first, state.scene[0]) == (FIRST_FRESH_SEED, FIRST_FRESH_SEED + 1)
    assert state.polyphony == 3
    other = ExplorerState(small_bench())
    other.new_scene()
    assert other.scene[0] == first


def test_a_chosen_class_is_kept_while_it_is_present(state):
    state.class_name = sorted(make_scene(30, 3).labels)[0]
    kept = state.class_name
    state.mix(4)
    assert state.class_name == kept
    state.choose_clip("scene-10-1")
    assert state.class_name in make_scene(10, 1).labels


def test_changing_the_clip_is_one_step(state):
    seen = []
    state.param.watch(
        lambda *events: seen.append({event.name for event in events}), ["reading", "class_name"]
    )
    state.choose_clip("scene-61-6")
    assert len(seen) == 1
    assert "reading" in seen[0]


def test_what_sessions_share_cannot_be_written(state):
    other = ExplorerState(small_bench(), clip="scene-30-3")
    assert other.reading is state.reading, "encoded once"
    with pytest.raises(ValueError, match="read-only"):
        state.reading.waveform[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        state.reading.explained["protobin"].similarity[0] = 0


def test_a_cell_sounds_like_its_place(state):
    prototype = int(state.strongest().prototype.iloc[0])
    sound, start = state.sound_of(prototype)
    box = state.cell_of(prototype)
    assert start <= box.onset < box.offset <= start + len(sound) / RATE + 1e-9
    assert np.abs(sound).max() == pytest.approx(0.5, abs=1e-3)


# -- own files


def test_an_own_file_is_read_and_explained(state):
    assert state.open_file("mine.wav", wav(noise(4.0)))
    assert state.source == "file"
    assert state.reading.seconds == pytest.approx(4.0)
    assert state.reading.truth is None
    assert state.missed() == {}
    assert len(state.strongest()) == 5
    assert state.strongest().hit.isna().all()
    assert state.strongest().offset.max() <= 4.0 + 0.16, "no cell where there is no sound"
    assert not state.reading.picture[:, 405:].any()
    assert "mine.wav" in state.title


def test_a_long_file_is_seen_through_a_window(state):
    sound = noise(15.0)
    state.open_file("long.wav", wav(sound))
    assert state.start == 0
    assert state.last_start == pytest.approx(15 - 10.24)
    state.start = 4.0
    np.testing.assert_allclose(state.reading.waveform, sound[4 * RATE :][: round(10.24 * RATE)], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("notes.txt", b"this is no sound at all"),
        ("empty.wav", b""),
        ("cut.wav", wav(noise(1.0))[:60]),
        ("tick.wav", wav(noise(0.001))),
    ],
)
def test_a_bad_file_leaves_everything_as_it_was(state, name, data):
    before = (state.source, state.reading, state.class_name, state.title)
    assert not state.open_file(name, data)
    assert name in state.message
    assert (state.source, state.reading, state.class_name, state.title) == before
    state.mix(5)
    assert state.message == "", "the next good step clears it"


def test_a_bad_file_after_a_good_one_keeps_the_good_one(state):
    state.open_file("good.wav", wav(noise(12.0)))
    state.open_file("bad.wav", b"nothing")
    assert "good.wav" in state.title
    state.start = 1.0
    assert state.reading.seconds == pytest.approx(10.24)
    state.open_file("better.wav", wav(noise(3.0, seed=1)))
    assert (state.start, state.message) == (0.0, "")


def test_too_large_and_too_long_files_are_refused(state, monkeypatch):
    monkeypatch.setattr("protoviz.explorer.clip.MAX_FILE_SECONDS", 2)
    assert not state.open_file("long.wav", wav(noise(3.0)))
    assert "cut it" in state.message
    monkeypatch.setattr("protoviz.explorer.clip.MAX_FILE_MB", 0.01)
    assert not state.open_file("large.wav", wav(noise(1.0)))
    assert "larger" in state.message


def test_a_silent_file_is_shown_as_silence(state):
    assert state.open_file("silence.wav", wav(np.zeros(2 * RATE, np.float32)))
    assert state.reading.seconds == 2.0


def test_sessions_do_not_see_each_others_files(state):
    other = ExplorerState(small_bench(), clip="scene-30-3")
    state.open_file("mine.wav", wav(noise(2.0)))
    assert other.source == "clip"
    other.source = "file"
    assert other.source == "clip", "there is no file to show"


# -- the demo on disk


def test_the_demo_is_read_from_its_folder(tmp_path):
    bench = served_studies([write_demo(tmp_path)]).first()
    assert list(bench.probes) == ["linear", "protobin"]
    assert bench.classes == small_bench().classes
    assert "mini-random" in bench.note
    assert served_studies([tmp_path]).first() is bench, "once per process"
    ours = bench.reading("scene-30-3").explained["protobin"].logits
    np.testing.assert_array_equal(ours, small_bench().reading("scene-30-3").explained["protobin"].logits)


def test_an_absent_demo_names_the_command(tmp_path, monkeypatch):
    with pytest.raises(BenchError, match=r"nowhere holds no study.*protoviz study"):
        served_studies([tmp_path / "nowhere"]).first()
    monkeypatch.setenv("PROTOVIZ_DATA", str(tmp_path))
    assert "protoviz demo" in str(explorer().main[0][0].object)


def test_a_damaged_probe_is_left_out_and_said(tmp_path):
    folder = write_demo(tmp_path)
    linear, protobin = sorted((folder / "probes").rglob("*.safetensors"))
    linear.write_bytes(b"nothing")
    bench = served_studies([folder]).first()
    assert list(bench.probes) == ["protobin"]
    assert "linear.safetensors" in bench.remarks[0]
    protobin.write_bytes(b"nothing")
    with pytest.raises(BenchError, match=r"protobin\.safetensors"):
        Studies([folder]).first()


def test_probes_of_another_encoder_are_refused():
    bench = small_bench()
    with pytest.raises(BenchError, match="classes"):
        Workbench(bench.encoder, bench.probes, bench.classes[:-1], bench.clips)


def test_one_probe_is_shown_alone():
    bench = small_bench()
    only = Workbench(bench.encoder, {"linear": bench.probes["linear"]}, bench.classes, bench.clips.head(0))
    view = Listen(ExplorerState(only, clip="scene-1-2"))
    assert view.state.panels == ["linear"]
    assert view.state.placed_probe is None
    assert len(view.spectrogram.cells.data["prototype"]) == 0
    assert view.logit_bars.bars.data["prototype"] == []


# -- what the page draws


def test_the_page_patches_its_sources(state):
    view = Listen(state)
    figures = [part.figure for part in (view.spectrogram, view.class_bars, view.logit_bars)]
    for seed, polyphony in ((61, 6), (10, 1)):
        state.choose_clip(scene_id(seed, polyphony))
        scene = make_scene(seed, polyphony)
        frame = state.strongest()
        assert view.spectrogram.cells.data["prototype"] == frame.prototype.tolist()
        assert view.spectrogram.cells.data["left"] == frame.onset.tolist()
        assert view.spectrogram.cells.data["bottom"] == (frame.f * 16).tolist()
        assert view.spectrogram.picture.data["image"][0] is state.reading.picture
        assert len(view.spectrogram.events.data["label"]) == len(scene.events)
        assert view.player.clip[:4] == b"RIFF"
    assert figures == [part.figure for part in (view.spectrogram, view.class_bars, view.logit_bars)]


def test_events_can_be_hidden_and_the_similarity_map_shown(state):
    view = Listen(state)
    state.show_events = False
    assert view.spectrogram.events.data["label"] == []
    state.show_similarity = True
    image = view.spectrogram.map.data["image"][0]
    prototype, values = state.similarity()
    assert (image.dtype, image.shape) == (np.uint8, (8, 64))
    assert np.unravel_index(image.argmax(), image.shape) == np.unravel_index(values.T.argmax(), (8, 64))
    assert prototype == state.strongest().prototype.iloc[0]
    state.show_similarity = False
    assert not view.spectrogram.mapped.visible


def test_truth_is_a_dot_and_a_missed_class_a_ring(state):
    view = Listen(state)
    data = view.class_bars.bars.data
    scores = state.scores()
    np.testing.assert_array_equal(~np.isnan(data["dot"]), scores.present.to_numpy(dtype=bool))
    np.testing.assert_array_equal(np.asarray(data["filled"]) == 0, scores.missed.to_numpy())


def test_hearing_a_prototype_loads_its_cell(state):
    view = Listen(state)
    prototype = int(state.strongest().prototype.iloc[2])
    view.hear(prototype)
    sound, start = state.sound_of(prototype)
    assert state.prototype == prototype
    heard, rate = soundfile.read(io.BytesIO(view.player.cell), dtype="float32")
    assert rate == RATE
    np.testing.assert_allclose(heard, sound, atol=1 / 32768)
    assert (view.player.cell_start, view.player.played) == (start, 1)


def test_the_clip_list_names_what_is_shown(state):
    view = Listen(state)
    assert view.clips.clip.value == ("clip", "scene-30-3")
    assert "bell" in next(iter(view.clips.clip.options)), "what sounds is said"
    state.new_scene()
    assert view.clips.clip.value == ("clip", state.clip)
    assert list(view.clips.clip.options) == [state.title]
    state.open_file("mine.wav", wav(noise(1.0)))
    assert view.clips.clip.value[0] == "file"
    (words,) = view.clips.suggest("SCENE 61")
    view.clips.clip.value = view.clips.clip.options[words]
    assert (state.source, state.scene[0], state.polyphony) == ("clip", 61, 6)
    assert list(view.clips.clip.options) == [words]


def test_the_window_slider_follows_the_file(state):
    view = Listen(state)
    assert not view.clips.start.visible
    state.open_file("long.wav", wav(noise(20.0)))
    view.clips.start.value = 9.0
    assert state.start == 9.0
    state.open_file("shorter.wav", wav(noise(11.0)))
    assert (state.start, view.clips.start.value, view.clips.start.visible) == (0, 0, True)
    view.clips.polyphony.value = 4
    assert (state.source, view.clips.start.visible) == ("clip", False)


def test_names_of_files_are_escaped():
    nasty = "<img src=x onerror=alert(1)>.wav"
    for html in (heading(nasty), plain(nasty), words.question(nasty, nasty)):
        assert "<img" not in html


def test_a_whole_page_is_made_of_models():
    root = explorer(small_bench()).get_root()
    kinds = {type(model).__name__ for model in root.references()}
    assert {"Figure", "figure"} & kinds
