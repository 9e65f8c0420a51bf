"""The sound of one box: in its band, in its time, never clipped, never empty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.audio import (
    Box,
    CellGrid,
    background_noise,
    box_sound,
    box_span,
    read_audio,
    silence_box,
    write_wav_bytes,
)

RATE = 16000
GRID = CellGrid(64, 8, 10.24)
CELLS = [(0, 0), (0, 5), (20, 0), (20, 3), (20, 7), (63, 0), (63, 4)]


def _noise(seconds=10.24, level=0.1, seed=0):
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def _tone(hertz, seconds=10.24, level=0.5):
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE + 0.3)).astype(
        np.float32
    )


def _decibel(ratio):
    return 10 * np.log10(ratio + 1e-30)


def _energy_outside(sound, low_hz, high_hz):
    power = np.abs(np.fft.rfft(sound, 1 << 17)) ** 2
    hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
    return _decibel(power[(hertz < low_hz) | (hertz > high_hz)].sum() / power.sum())


@pytest.mark.parametrize("cell", CELLS)
def test_energy_stays_in_the_band(cell):
    box = GRID.box(*cell)
    assert _energy_outside(box_sound(_noise(), RATE, box), box.low_hz, box.high_hz) < -40


@pytest.mark.parametrize("cell", CELLS)
def test_tone_in_the_box_survives(cell):
    box = GRID.box(*cell)
    sound = box_sound(_tone((box.low_hz + box.high_hz) / 2), RATE, box)
    middle = sound[len(sound) // 3 : -len(sound) // 3]
    assert abs(_decibel((np.abs(middle).max() / 0.5) ** 2)) < 1


@pytest.mark.parametrize("cell", CELLS)
def test_tone_outside_the_box_vanishes(cell):
    box = GRID.box(*cell)
    for hertz in (box.low_hz * 0.6, box.high_hz * 1.15):
        if 10 < hertz < RATE / 2:
            sound = box_sound(_tone(hertz), RATE, box)
            assert _decibel(np.mean(sound**2) / (0.5**2 / 2)) < -40


def test_sound_outside_the_time_vanishes():
    waveform = np.zeros(10 * RATE, dtype=np.float32)
    waveform[2 * RATE : 3 * RATE] = _noise(1.0)
    assert np.abs(box_sound(waveform, RATE, Box(4.0, 4.2, 500, 2000))).max() < 1e-6
    assert np.abs(box_sound(waveform, RATE, Box(2.4, 2.6, 500, 2000))).max() > 0.01


def test_event_is_full_inside_the_box_and_fades_outside():
    box = Box(3.0, 3.5, 100, 8000)
    sound = box_sound(_tone(1000), RATE, box, fade=0.05)
    first, last = box_span(round(10.24 * RATE), RATE, box, fade=0.05)
    assert (first, last) == (round(2.95 * RATE), round(3.55 * RATE))
    inside = sound[800 : 800 + 8000]
    np.testing.assert_allclose(inside, _tone(1000)[3 * RATE : 3 * RATE + 8000], atol=2e-3)
    assert sound[0] == 0
    assert abs(sound[-1]) < 1e-6
    steps = np.abs(np.diff(np.abs(sound[:800]).reshape(-1, 16).max(axis=1)))
    assert steps.max() < 0.05  # no step in the fade


def test_whole_band_over_the_whole_clip_is_the_clip():
    waveform = _noise(1.0)
    sound = box_sound(waveform, RATE, Box(0, 1.0, 0, 8000), fade=0)
    np.testing.assert_allclose(sound, waveform, atol=1e-6)


def test_every_cell_of_fine_grids_is_audible():
    waveform = _noise()
    for grid in (CellGrid(250, 1, 10.0), CellGrid(62, 8, 9.92), CellGrid(1000, 4, 10.0)):
        for t in (0, 1, grid.times // 2, grid.times - 1):
            sound = box_sound(waveform, RATE, grid.box(t, 0))
            assert len(sound) >= 0.15 * RATE - 1
            assert np.sqrt(np.mean(sound**2)) > 0.005


@settings(max_examples=60)
@given(
    st.integers(0, 20000),
    st.floats(-2, 3),
    st.floats(1e-3, 4),
    st.floats(0, 7900),
    st.floats(5, 8000),
    st.sampled_from([0.0, 0.01, 0.03, 0.5]),
)
def test_any_box_of_any_clip_is_playable(samples, onset, length, low_hz, width, fade):
    waveform = np.random.default_rng(1).uniform(-1, 1, samples).astype(np.float32)
    box = Box(onset, onset + length, low_hz, low_hz + width)
    sound = box_sound(waveform, RATE, box, fade=fade)
    first, last = box_span(samples, RATE, box, fade=fade)
    assert 0 <= first <= last <= samples
    assert len(sound) == (last - first or max(round(length * RATE), round(0.15 * RATE)))
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1
    assert len(write_wav_bytes(sound, RATE)) > 44


def test_box_outside_the_clip_is_silence():
    for box in (Box(11.0, 11.5, 100, 200), Box(-2.0, -1.5, 100, 200)):
        sound = box_sound(_noise(), RATE, box)
        assert sound.shape == (8000,)
        assert not sound.any()


def test_levels_are_kept_unless_asked_otherwise():
    box = GRID.box(20, 4)
    quiet, loud = (box_sound(_noise(level=level), RATE, box) for level in (0.01, 0.1))
    np.testing.assert_allclose(loud, 10 * quiet, atol=1e-6)
    assert np.abs(box_sound(_noise(), RATE, box, peak=0.5)).max() == pytest.approx(0.5)
    assert not box_sound(np.zeros(RATE, np.float32), RATE, Box(0.2, 0.4, 100, 900), peak=0.5).any()
    faint = box_sound(_noise(level=1e-7), RATE, box, peak=1.0)
    assert np.abs(faint).max() < 1e-3  # noise of the last bit is not blown up


def test_loud_sounds_are_turned_down_rather_than_clipped():
    square = np.sign(_tone(700, level=1.0)) * 0.99  # its fundamental alone is louder than full scale
    sound = box_sound(square, RATE, Box(2.0, 3.0, 400, 1000))
    assert np.abs(sound).max() == pytest.approx(1.0, abs=1e-6)


def test_input_is_left_alone():
    waveform = _noise()
    before = waveform.copy()
    box_sound(waveform, RATE, GRID.box(0, 0), peak=1.0)
    np.testing.assert_array_equal(waveform, before)


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"box": Box(1.0, 1.0, 100, 200)}, "onset < offset"),
        ({"box": Box(1.0, 2.0, 300, 200)}, "low_hz < high_hz"),
        ({"box": Box(1.0, float("nan"), 100, 200)}, "nan"),
        ({"box": Box(1.0, 2.0, 8000, 9000)}, "8000"),
        ({"fade": -0.1}, "fade"),
        ({"peak": 2.0}, "peak"),
        ({"waveform": np.zeros((2, 100), np.float32)}, "shape"),
    ],
)
def test_impossible_requests(asked, word):
    settings = {"waveform": _noise(1.0), "sample_rate": RATE, "box": Box(0.1, 0.3, 100, 200)} | asked
    with pytest.raises(ValueError, match=word):
        box_sound(**settings)


def test_real_recording(shared):
    path = sorted(shared("audio/env/esc10").rglob("*.flac"))[0]
    waveform = read_audio(path)
    grid = CellGrid(31, 8, len(waveform) / RATE)
    loudest = int(np.abs(waveform).argmax()) / RATE
    sounds = [box_sound(waveform, RATE, grid.box(grid.cell(loudest, 100)[0], f)) for f in range(8)]
    assert all(np.abs(sound).max() <= 1 for sound in sounds)
    assert max(np.abs(sound).max() for sound in sounds) > 1e-3


# -- a clip without a box


@pytest.mark.parametrize("cell", CELLS)
def test_a_silenced_box_is_empty_and_the_rest_stays(cell):
    box = GRID.box(*cell)
    clip = _noise()
    left = silence_box(clip, RATE, box)
    assert (left.dtype, left.shape) == (np.float32, clip.shape)
    inside = slice(round(box.onset * RATE), round(box.offset * RATE))

    def in_band(sound):  # with margins of 10 Hz: a stretch of 160 ms has no sharper edges
        part = sound[inside] * np.hanning(inside.stop - inside.start)
        power = np.abs(np.fft.rfft(part, 1 << 15)) ** 2
        hertz = np.fft.rfftfreq(1 << 15, 1 / RATE)
        return power[(hertz > box.low_hz + 10) & (hertz < box.high_hz - 10)].sum()

    assert _decibel(in_band(left) / in_band(clip)) < -30
    fade = round(0.03 * RATE)
    np.testing.assert_array_equal(left[: max(0, inside.start - fade)], clip[: max(0, inside.start - fade)])
    np.testing.assert_array_equal(left[inside.stop + fade :], clip[inside.stop + fade :])
    for hertz in (box.low_hz * 0.5 - 70, box.high_hz * 1.2 + 70):
        if 10 < hertz < RATE / 2:
            tone = _tone(hertz)
            most = -40 if 0 < cell[0] < 63 else -28  # a tone that starts with the clip starts with a click
            assert _decibel(np.mean((silence_box(tone, RATE, box) - tone)[inside] ** 2) / 0.125) < most


def test_what_was_taken_out_and_what_is_left_are_the_clip():
    clip, box = _noise(3.0), Box(1.0, 1.6, 700, 2000)
    taken = clip - silence_box(clip, RATE, box)
    first, last = box_span(len(clip), RATE, box)
    wider = Box(box.onset, box.offset, box.low_hz - 130, box.high_hz + 130)  # slopes of a tenth of the band
    expected = box_sound(clip, RATE, wider)
    # box_sound's slope is a tenth of the wider band: the same but for the slopes.
    assert _decibel(np.mean((taken[first:last] - expected) ** 2) / np.mean(expected**2)) < -15
    assert _energy_outside(taken, wider.low_hz, wider.high_hz) < -40


def test_the_ends_of_a_clip_are_silenced_without_a_fade():
    clip = _tone(440, 2.0)
    left = silence_box(clip, RATE, Box(0.0, 2.0, 20, 8000))
    assert np.abs(left).max() < 1e-6
    np.testing.assert_array_equal(silence_box(clip, RATE, Box(2.5, 3.0, 20, 8000)), clip)
    with pytest.raises(ValueError, match="onset < offset"):
        silence_box(clip, RATE, Box(1.0, 1.0, 20, 8000))


def test_background_noise_has_the_level_of_what_is_steady():
    steady = _noise(10.0, level=0.02, seed=7)
    bumps = steady + _tone(1000, 10.0) * (np.arange(10 * RATE) % RATE < RATE // 4)
    found = background_noise(bumps, RATE)
    assert (found.dtype, found.shape) == (np.float32, bumps.shape)
    assert abs(_decibel(np.mean(found**2) / np.mean(steady**2))) < 1
    np.testing.assert_array_equal(found, background_noise(bumps, RATE))
    assert abs(np.corrcoef(found, bumps)[0, 1]) < 0.05, "new noise, not the clip's"


def test_the_background_of_silence_is_silence():
    assert not background_noise(np.zeros(RATE, np.float32), RATE).any()
    assert background_noise(np.ones(100, np.float32), RATE).shape == (100,)
