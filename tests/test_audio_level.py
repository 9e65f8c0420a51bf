"""How loud a sound is, and the channels of a file each by itself."""

import io

import numpy as np
import pytest
import soundfile

from protoviz.analysis.loudness import LOUD, QUIET, SILENCE, gain_to_trained, judged
from protoviz.audio import AudioError, gain, level_of, read_audio, read_channels, resampled
from protoviz.scenes import make_scene

RATE = 16000


def noise(seconds=1.0, seed=0, channels=()):
    shape = (round(seconds * RATE), *channels)
    return np.random.default_rng(seed).normal(0, 0.1, shape).astype(np.float32)


def file(samples, rate=RATE, subtype="FLOAT"):
    memory = io.BytesIO()
    soundfile.write(memory, samples, rate, format="WAV", subtype=subtype)
    memory.seek(0)
    return memory


def test_the_level_is_that_of_the_samples_without_their_constant_part():
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    for offset in (0.0, 0.3, -0.45):
        found = level_of(tone + offset, RATE)
        assert found.peak == pytest.approx(-6.02, abs=0.01)
        assert found.rms == pytest.approx(-9.03, abs=0.01)
        assert found.offset == pytest.approx(offset, abs=1e-6)
    for value in (0.0, 0.3, -1 / 3, 0.9):
        found = level_of(np.full(RATE, value, np.float32), RATE)
        assert (found.peak, found.rms) == (-np.inf, -np.inf)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_one_click_does_not_make_a_quiet_sound_loud(rate):
    quiet = np.random.default_rng(1).normal(0, 1e-3, rate).astype(np.float32)
    clicked = quiet.copy()
    clicked[rate // 2] = 1.0
    assert level_of(clicked, rate).peak == pytest.approx(0.0, abs=0.1)
    assert judged(level_of(clicked, rate)) == judged(level_of(quiet, rate)) == QUIET


def test_scenes_are_as_loud_as_they_should_be_until_they_are_turned_down():
    for seed in range(16):
        wave = make_scene(8_100_000 + seed, 1 + seed % 8).waveform
        assert judged(level_of(wave, RATE)) == ""
        for turned, verdict in ((-40, QUIET), (-60, QUIET), (-90, SILENCE), (20, LOUD)):
            assert judged(level_of(wave * gain(turned), RATE)) == verdict
            back = wave * gain(turned + gain_to_trained(level_of(wave * gain(turned), RATE)))
            assert judged(level_of(back, RATE)) == ("" if verdict != SILENCE else SILENCE)


def test_silence_is_what_a_16_bit_file_holds_of_nothing():
    dither = np.random.default_rng(0).integers(-2, 3, RATE) / 32768
    for nothing in (np.zeros(RATE), dither, np.zeros(1), np.zeros(0)):
        assert judged(level_of(nothing, RATE)) == SILENCE
        assert gain_to_trained(level_of(nothing, RATE)) == 0


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("rate", [16000, 44100, 8000])
def test_channels_are_read_each_by_itself_and_their_mean_is_the_sound(channels, rate):
    samples = noise(1.0, channels=(channels,))
    found = read_channels(file(samples, rate), RATE)
    assert found.dtype == np.float32
    assert found.shape == (channels, len(read_audio(file(samples, rate), RATE)))
    np.testing.assert_allclose(found.mean(axis=0), read_audio(file(samples, rate), RATE), atol=1e-6)
    for number in range(channels):
        alone = read_audio(file(samples[:, number], rate), RATE)
        np.testing.assert_allclose(found[number], alone, atol=1e-6)
    window = read_channels(file(samples, rate), RATE, offset=0.2, duration=0.1)
    np.testing.assert_allclose(window, found[:, round(0.2 * RATE) :][:, : window.shape[1]], atol=2e-5)


def test_a_channel_that_holds_no_number_is_refused_with_its_place():
    samples = noise(1.0, channels=(2,))
    samples[8000, 1] = np.nan
    with pytest.raises(AudioError, match=r"NaN.*0\.500 s"):
        read_channels(file(samples))


@pytest.mark.parametrize("rate", [22050, 32000, 48000, 16000])
def test_a_resampled_sound_lasts_as_long(rate):
    wave = noise(1.5)
    found = resampled(wave, RATE, rate)
    assert len(found) == round(1.5 * rate)
    np.testing.assert_allclose(found, read_audio(file(wave), rate), atol=1e-5)
