"""How loud a clip is: silence and quiet sound in the explorer, the cure, and the channels of a file."""

import io

import numpy as np
import pytest
import soundfile
from page_bench import RATE, noise, small_bench, wav

from protoviz.audio import gain
from protoviz.explorer.frame import VIEWS
from protoviz.explorer.link import open_link, to_link
from protoviz.explorer.recordings import list_recordings
from protoviz.explorer.session import ExplorerState
from protoviz.explorer.widgets.level import LevelLine
from protoviz.explorer.workbench import Workbench
from protoviz.figures import spectrogram
from protoviz.scenes import make_scene

SCENE = make_scene(61, 6).waveform
WITH_CLIP = ("listen", "attention", "prototypes", "polyphony")


@pytest.fixture
def state():
    return ExplorerState(small_bench(), clip="scene-30-3")


def exact(samples, rate=RATE):
    """A WAV file of floating-point samples, which silence and overload survive."""
    memory = io.BytesIO()
    soundfile.write(memory, samples, rate, format="WAV", subtype="FLOAT")
    return memory.getvalue()


def played(view):
    return soundfile.read(io.BytesIO(view.player.clip), dtype="float32")[0]


NOTHING = {
    "zeros": np.zeros(len(SCENE)),
    "constant": np.full(len(SCENE), 0.3),
    "negative constant": np.full(len(SCENE), -1 / 3),
    "opposite phase": np.stack([SCENE, -SCENE], 1),
    "at -80 dB": SCENE * gain(-80),
    "noise below one step": noise() * gain(-80),
    "short": np.zeros(800),
    "all channels silent": np.zeros((len(SCENE), 3)),
}


@pytest.mark.parametrize("kind", NOTHING)
def test_silence_is_paper_has_no_places_and_is_called_silence(state, kind):
    assert state.open_file("nothing.wav", exact(NOTHING[kind])), state.message
    assert state.reading.picture.max() == 0
    for class_name in ("rain", "bell"):
        state.class_name = class_name
        assert state.strongest().empty
        assert state.own["prototypes"].strongest().empty
    line = LevelLine(state)
    line.draw()
    assert line.alert.visible
    assert "silent" in line.remark.object
    state.normalise = True
    assert state.reading.silent, "nothing is not made louder"
    assert np.abs(state.reading.waveform).max() < 1e-3


def test_every_page_with_a_clip_says_that_it_is_silent(state):
    views = {page: VIEWS[page](state) for page in WITH_CLIP}
    assert not any(view.level.alert.visible for view in views.values())
    state.open_file("nothing.wav", exact(np.stack([SCENE, -SCENE], 1)))
    for page, view in views.items():
        view.refresh()
        assert view.level.alert.visible, page
        assert "silent" in view.level.remark.object
        if page in ("listen", "prototypes"):
            assert view.spectrogram.cells.data["rank"] == []
            assert set(view.spectrogram.picture.data["image"][0].ravel()) == {0}
    assert state.reading.truth == frozenset(), "no class is there, and the bars are drawn so"
    assert max(views["listen"].class_bars.bars.data["alpha"]) < 0.5


@pytest.mark.parametrize("down", [20, 40, 60])
@pytest.mark.parametrize("bits", ["FLOAT", "PCM_16"])
def test_quiet_sound_is_paler_said_to_be_misread_and_can_be_normalised(state, down, bits):
    state.open_file("as it was.wav", exact(SCENE))
    before = state.reading
    file = io.BytesIO()
    soundfile.write(file, SCENE * gain(-down), RATE, format="WAV", subtype=bits)
    state.open_file("quiet.wav", file.getvalue())
    view = VIEWS["listen"](state)
    quiet = state.reading
    assert before.picture.max() == 255
    assert quiet.picture.max() < 255
    assert view.level.alert.visible
    assert "too quiet" in view.level.remark.object
    assert "loudest of a quiet" in view.spectrogram.level_bar.title
    assert quiet.level.peak == pytest.approx(before.level.peak - down, abs=0.5)
    view.level.normalise.value = True
    assert state.normalise
    assert not view.level.alert.visible
    assert "Normalised" in view.level.said.object
    assert state.title.endswith("normalised")
    np.testing.assert_allclose(played(view), state.reading.waveform, atol=1e-4)
    assert state.reading.picture.max() == 255
    if bits == "FLOAT" or down == 20:  # the steps of 16 bits are heard as noise
        change = {
            name: np.abs(state.reading.explained[name].logits - one.logits).max()
            for name, one in before.explained.items()
        }
        left = {
            name: np.abs(quiet.explained[name].logits - one.logits).max()
            for name, one in before.explained.items()
        }
        assert change["linear"] < 0.5 * left["linear"]
    view.level.normalise.value = False
    np.testing.assert_array_equal(state.reading.waveform, quiet.waveform)
    view.level.normalise.value = True
    state.choose_clip("scene-30-3")
    assert not state.normalise, "another clip is heard as it is"


def test_normalised_sound_stays_within_full_scale_and_a_click_keeps_it_from_nothing(state):
    clicked = SCENE * np.float32(gain(-40))
    clicked[8000] = 0.9
    state.open_file("click.wav", exact(clicked))
    assert "too quiet" in VIEWS["listen"](state).level.remark.object
    state.normalise = True
    assert np.abs(state.reading.waveform).max() <= 1
    assert state.reading.level.rms > -35
    state.open_file("loud.wav", exact(SCENE * np.float32(gain(20))))
    assert "too loud" in VIEWS["listen"](state).level.remark.object
    state.normalise = True
    assert not VIEWS["listen"](state).level.alert.visible


def test_a_scene_and_ordinary_sound_have_no_remark(state):
    view = VIEWS["listen"](state)
    assert not view.level.alert.visible
    assert not view.level.normalise.visible
    assert "peak" in view.level.said.object
    state.open_file("noise.wav", wav(noise(1.0)))
    assert not view.level.alert.visible
    assert view.level.normalise.visible
    assert not view.level.channel.visible


def test_a_constant_part_is_taken_out_and_said(state):
    state.open_file("plain.wav", exact(SCENE * 0.5))
    plain = state.reading
    state.open_file("shifted.wav", exact(SCENE * 0.5 + 0.25))
    assert "offset of 0.25" in VIEWS["listen"](state).level.said.object
    np.testing.assert_allclose(
        state.reading.waveform, plain.waveform, atol=1e-3
    )  # a scene has some of its own
    for name, one in plain.explained.items():
        np.testing.assert_allclose(state.reading.explained[name].logits, one.logits, atol=1e-2)


def test_a_mean_that_cancels_is_said_and_a_channel_can_be_chosen(state):
    state.open_file("opposite.wav", exact(np.stack([SCENE, -SCENE], 1)))
    view = VIEWS["listen"](state)
    assert "cancel" in view.level.remark.object
    assert list(view.level.channel.options) == ["mean of all", "left", "right"]
    for channel, sign in ((0, 1), (1, -1)):
        view.level.channel.value = channel
        np.testing.assert_array_equal(state.reading.waveform, sign * SCENE)
        assert not view.level.alert.visible
        assert f"channel {channel + 1}" in state.title
    other = noise(seed=5)
    state.open_file("three.wav", exact(np.stack([SCENE, other, other], 1)))
    assert state.channel == -1
    assert len(view.level.channel.options) == 4
    assert not view.level.alert.visible, "channels that differ do not cancel"
    view.level.channel.value = 2
    np.testing.assert_array_equal(state.reading.waveform, other)
    shown = state.reading
    state.channel = 3
    assert (state.channel, state.reading) == (2, shown)
    assert "3" in state.message


def test_a_long_file_follows_the_rule_window_by_window(state):
    ten = np.stack([SCENE, SCENE], 1)
    parts = [ten, 0 * ten, ten * gain(-40), ten * [1, -1], ten]
    state.open_file("long.wav", exact(np.concatenate(parts)))
    view, scan = VIEWS["listen"](state), state.own["listen"]
    scan.begin()
    drawn = scan.strip()
    for _, rows in drawn.groupby("probe"):
        assert np.isnan(rows.probability).tolist() == [False, True, False, True, False]
    assert scan.judged() == {"silent": 2, "quiet": 1}
    assert "2 windows silent" in view.whole_file._heading.object
    state.start = float(scan.starts[2])
    state.normalise = True
    assert scan.filled == 0, "what was said of the sound as it was is gone"
    scan.begin()
    assert scan.judged() == {"silent": 2}
    strip = scan.strip()
    first = strip[strip.probe == "linear"].probability.to_numpy()
    assert first[2] == pytest.approx(first[0], abs=0.01)
    state.channel = 0
    scan.begin()
    assert scan.judged() == {"silent": 1}


def test_a_link_reopens_a_recording_as_it_was_heard(tmp_path):
    bench = small_bench()
    (tmp_path / "rain").mkdir()
    (tmp_path / "rain" / "1.wav").write_bytes(exact(np.stack([SCENE * 0.01, -SCENE * 0.01], 1)))
    table = list_recordings(tmp_path, bench.classes)
    shown = Workbench(bench.encoder, bench.probes, bench.classes, bench.clips, recordings=table)
    first, second = ExplorerState(shown), ExplorerState(shown)
    first.choose_recording("rain/1.wav")
    assert first.reading.silent
    first.param.update(channel=1, normalise=True)
    assert open_link(second, to_link(first)) == []
    assert (second.channel, second.normalise) == (1, True)
    np.testing.assert_array_equal(second.reading.waveform, first.reading.waveform)
    assert second.reading.truth == {"rain"}


@pytest.mark.parametrize("dark", [False, True])
def test_the_notebooks_picture_of_silence_is_paper_too(dark):
    for nothing in (
        np.zeros(len(SCENE), np.float32),
        np.full(len(SCENE), 0.3, np.float32),
        SCENE * gain(-80),
    ):
        drawn = spectrogram(nothing.astype(np.float32), dark=dark)
        assert not drawn.picture.data["image"][0].any()
    assert spectrogram(SCENE).picture.data["image"][0].max() == 255
    quiet = spectrogram(SCENE * np.float32(gain(-40)))
    floor = quiet.level_bar.color_mapper.low
    assert (1 - quiet.picture.data["image"][0].max() / 255) * floor < -15


def test_what_holds_no_sound_has_its_message(state):
    for name, data in (("empty.wav", b""), ("nan.wav", exact(np.full(RATE, np.nan))), ("no.wav", exact([]))):
        shown = state.reading
        assert not state.open_file(name, data)
        assert state.reading is shown
        assert name in state.message
