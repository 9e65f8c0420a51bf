"""Sound files: every format, every window, and every fault as one clear AudioError."""

import io
import os
import tracemalloc

import numpy as np
import pytest
import soundfile
from golden_names import ENCODER_FILES
from hypothesis import given, settings
from hypothesis import strategies as st

from protoviz.audio import MAX_SECONDS, AudioError, audio_info, read_audio, write_wav_bytes

LOSSLESS = [
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "FLOAT"),
    ("WAVEX", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("AIFF", "PCM_16"),
]
LOSSY = [("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")]


def _grid_noise(samples, channels=1, seed=0):
    """Noise on the 16-bit grid, (samples,) or (samples, channels)."""
    integers = np.random.default_rng(seed).integers(-8000, 8000, (samples, channels))
    return (integers / 32768).astype(np.float32).squeeze()


def _tone(seconds, rate, hertz=440.0, level=0.5):
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def _encoded(waveform, rate, kind=("WAV", "FLOAT")):
    """A sound file in memory, as bytes; grid samples survive in the integer formats."""
    memory = io.BytesIO()
    exact = kind[1].startswith("PCM")
    data = np.round(waveform * 32768).astype(np.int16) if exact else waveform
    soundfile.write(memory, data, rate, format=kind[0], subtype=kind[1])
    return memory.getvalue()


def _fault(source, **asked):
    with pytest.raises(AudioError) as caught:
        read_audio(source, **asked)
    return str(caught.value)


# ---- what comes back


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_come_back_exactly(kind, tmp_path):
    waveform = _grid_noise(40000)
    path = tmp_path / "clip.bin"
    path.write_bytes(_encoded(waveform, 16000, kind))
    for source in (path, str(path), io.BytesIO(path.read_bytes())):
        got = read_audio(source)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, waveform)


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_come_back_nearly(kind, tmp_path):
    waveform = _tone(2.0, 16000)
    path = tmp_path / "clip"
    path.write_bytes(_encoded(waveform, 16000, kind))
    got = read_audio(path)
    assert got.shape == waveform.shape
    assert np.abs(got - waveform)[800:-800].max() < 0.05


@pytest.mark.parametrize(("frames", "channels", "error"), [(3000, 2, 1e-7), (500, 64, 1e-6)])
def test_channels_are_averaged_also_where_a_block_holds_few_frames(frames, channels, error):
    waveform = _grid_noise(frames, channels=channels)
    got = read_audio(io.BytesIO(_encoded(waveform, 16000, ("WAV", "PCM_16"))))
    np.testing.assert_allclose(got, waveform.mean(axis=1), atol=error)


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 22050, 32000, 44100, 48000, 96000, 192000])
def test_any_rate_is_resampled(rate):
    tone = _tone(1.0, rate, hertz=1000.0)
    got = read_audio(io.BytesIO(_encoded(tone, rate)))
    assert len(got) == 16000
    np.testing.assert_allclose(got[2000:-2000], _tone(1.0, 16000, hertz=1000.0)[2000:-2000], atol=1e-4)


def test_nothing_above_the_new_nyquist_folds_back():
    got = read_audio(io.BytesIO(_encoded(_tone(1.0, 48000, hertz=11000.0), 48000)))
    assert np.abs(got[1000:-1000]).max() < 1e-5


def test_resampling_stays_near_the_published_front_end():
    folder = ENCODER_FILES / "fbank"
    expected = np.load(folder / "resample_32k_to_16k.npz")["out"]
    got = read_audio(folder / "synth_32k_5s.wav")[: len(expected)]
    # torchaudio's filter is shorter, so they part near Nyquist only
    assert np.corrcoef(got, expected)[0, 1] > 0.99


def test_silence_comes_back_as_zeros():
    got = read_audio(io.BytesIO(_encoded(np.zeros(4000, np.float32), 44100)))
    assert got.shape == (1451,)
    assert not got.any()


def test_float_files_beyond_full_scale_are_kept():
    got = read_audio(io.BytesIO(_encoded(_tone(0.1, 16000, level=3.0), 16000)))
    assert np.abs(got).max() == pytest.approx(3.0, rel=1e-3)


def test_one_sample_is_a_sound():
    assert read_audio(io.BytesIO(_encoded(np.ones(1, np.float32), 192000)), 4000).shape == (1,)


def test_info_tells_what_is_there():
    info = audio_info(io.BytesIO(_encoded(_grid_noise(22050, channels=2), 44100, ("FLAC", "PCM_16"))))
    assert (info.seconds, info.sample_rate, info.channels, info.frames) == (0.5, 44100, 2, 22050)
    assert info.format == "FLAC"


def test_open_file_is_read_twice_and_left_open(tmp_path):
    waveform = _grid_noise(1000)
    path = tmp_path / "clip.wav"
    path.write_bytes(_encoded(waveform, 16000, ("WAV", "PCM_16")))
    with path.open("rb") as file:
        np.testing.assert_array_equal(read_audio(file), waveform)
        np.testing.assert_array_equal(read_audio(file), waveform)
        assert not file.closed


# ---- windows


@settings(max_examples=60)
@given(
    st.sampled_from([4000, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 192000]),
    st.sampled_from([4000, 16000, 32000, 44100]),
    st.floats(0, 2.9),
    st.floats(1e-4, 4.0),
)
def test_window_equals_cut_of_the_whole(rate, wanted, offset, duration):
    data = _encoded(_grid_noise(3 * rate), rate)
    whole = read_audio(io.BytesIO(data), wanted)
    start = round(offset * wanted)
    expected = whole[start : start + max(1, round(duration * wanted))]
    got = read_audio(io.BytesIO(data), wanted, offset=offset, duration=duration)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_window_between_rates_without_common_divisor():
    data = _encoded(_grid_noise(3 * 44101), 44101)
    whole = read_audio(io.BytesIO(data), 15999)
    got = read_audio(io.BytesIO(data), 15999, offset=2.0, duration=0.5)
    np.testing.assert_allclose(got, whole[31998 : 31998 + 8000], atol=2e-5)


@pytest.mark.parametrize("kind", [("FLAC", "PCM_16"), *LOSSY])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_window_of_a_compressed_file(kind, rate):
    # A tone stresses an MP3 decoder after a jump: its bit reservoir is full
    data = _encoded(_tone(5.0, rate) + _grid_noise(5 * rate) / 4, rate, kind)
    whole = read_audio(io.BytesIO(data))
    for offset in np.linspace(0.1, 4.6, 12):
        got = read_audio(io.BytesIO(data), offset=offset, duration=0.25)
        start = round(offset * 16000)
        np.testing.assert_allclose(got, whole[start : start + 4000], atol=1e-6)


@pytest.mark.parametrize("kind", LOSSY)
def test_blocks_of_a_lossy_file_leave_no_click(kind):
    data = _encoded(_tone(4.0, 16000), 16000, kind)
    at_once = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    np.testing.assert_allclose(read_audio(io.BytesIO(data)), at_once, atol=1e-6)


def test_offset_alone_reads_to_the_end():
    waveform = _grid_noise(16000)
    got = read_audio(io.BytesIO(_encoded(waveform, 16000, ("WAV", "PCM_16"))), offset=0.25)
    np.testing.assert_array_equal(got, waveform[4000:])


@pytest.mark.parametrize("lengths", [(1, 7, 100, 441, 1000, 12345)])
def test_length_is_that_of_the_sound(lengths):
    for frames in lengths:
        for rate in (8000, 44100, 48000):
            got = read_audio(io.BytesIO(_encoded(_grid_noise(frames).reshape(-1), rate)))
            assert abs(len(got) - frames * 16000 / rate) <= 1


# ---- long recordings


@pytest.fixture(scope="module")
def long_files(tmp_path_factory):
    """Three hours at 16 kHz, silent but for one second of noise at two hours: a sparse WAV and a FLAC."""
    folder = tmp_path_factory.mktemp("long")
    seconds, rate, noise = 3 * 3600, 16000, _grid_noise(16000)
    wav = folder / "long.wav"
    header = _encoded(np.zeros(1, np.float32), rate, ("WAV", "PCM_16"))[:44]
    size = seconds * rate * 2
    with wav.open("wb") as file:
        file.write(header[:4] + (size + 36).to_bytes(4, "little") + header[8:40] + size.to_bytes(4, "little"))
        file.seek(44 + 7200 * rate * 2)
        file.write(np.round(noise * 32768).astype("<i2").tobytes())
        file.truncate(44 + size)
    flac = folder / "long.flac"
    with soundfile.SoundFile(flac, "w", rate, 1, "PCM_16") as file:
        quiet = np.zeros(600 * rate, np.int16)
        for minute in range(0, 180, 10):
            if minute == 120:
                file.write(np.round(noise * 32768).astype(np.int16))
                file.write(quiet[: -len(noise)])
            else:
                file.write(quiet)
    return {"wav": wav, "flac": flac}, noise


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_three_hours_are_refused_as_a_whole(kind, long_files):
    message = _fault(long_files[0][kind])
    for word in (f"long.{kind}", "3.0 hours", f"{MAX_SECONDS:.0f} s", "offset and duration"):
        assert word in message


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_window_of_three_hours_costs_the_window(kind, long_files, monkeypatch):
    paths, noise = long_files
    decoded = []
    original = soundfile.SoundFile.read

    def counted(self, *args, **kwargs):
        block = original(self, *args, **kwargs)
        decoded.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    tracemalloc.start()
    got = read_audio(paths[kind], 8000, offset=7200.0, duration=1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert got.shape == (8000,)
    assert np.abs(got).mean() > 0.05
    assert sum(decoded) < 2 * 16000
    assert peak < 2_000_000
    same = read_audio(paths[kind], offset=7200.0, duration=1.0)
    np.testing.assert_array_equal(same, noise)


def test_whole_minutes_are_read_in_blocks(tmp_path):
    path = tmp_path / "minutes.wav"
    with soundfile.SoundFile(path, "w", 48000, 8, "PCM_16") as file:
        for _ in range(20):
            file.write(np.zeros((48000, 8), np.int16))
    tracemalloc.start()
    got = read_audio(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(got) == 20 * 16000
    assert peak < got.nbytes + 2_000_000  # the decoded file would be 31 MB


# ---- faults


def _check(message, name, *words):
    assert name in message
    for word in words:
        assert word in message, message
    assert "\n" not in message


def test_missing_file_folder_and_empty_file(tmp_path):
    _check(_fault(tmp_path / "none.wav"), "none.wav", "no such file", "check the path")
    _check(_fault(tmp_path), str(tmp_path), "folder", "pass one file")
    (tmp_path / "empty.wav").write_bytes(b"")
    _check(_fault(tmp_path / "empty.wav"), "empty.wav", "0 bytes", "again")
    _check(_fault(io.BytesIO(b"")), "the sound in memory", "0 bytes")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    _check(_fault(tmp_path / "pipe.wav"), "pipe.wav", "regular file")


@pytest.mark.parametrize(
    "data",
    [
        b"this is a letter, not a sound\n" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        b"\x00\x00\x00 ftypM4A " + bytes(500),
        bytes(5000),
        np.random.default_rng(0).bytes(20000),
        b"\xff\xfb\x90\x64" + np.random.default_rng(1).bytes(20000),
        b"RIFF\x24\x00\x00\x00WAVE",
    ],
    ids=["text", "png", "m4a", "zeros", "noise", "mp3-like", "riff-only"],
)
@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".raw", ".txt"])
def test_what_is_no_sound_is_named(data, suffix, tmp_path):
    path = tmp_path / f"thing{suffix}"
    path.write_bytes(data)
    _check(_fault(path), f"thing{suffix}", "ffmpeg" if "0 samples" not in _fault(path) else "again")


@pytest.mark.parametrize(
    "kind",
    [("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")],
)
def test_zero_length_sound_is_refused(kind):
    data = _encoded(np.zeros(0, np.float32), 16000, kind)
    file = io.BytesIO(data)
    file.name = "nothing"
    _check(_fault(file), "nothing", ";")


@pytest.mark.parametrize("kind", [*LOSSLESS, *LOSSY, ("AU", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16")])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated_file_is_refused_and_says_how_far_it_goes(kind, share, tmp_path):
    data = _encoded(_grid_noise(6 * 16000), 16000, kind)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * share)])
    for source in (path, io.BytesIO(path.read_bytes())):
        message = _fault(source)
        _check(
            message,
            "cut" if source is path else "in memory",
            "again" if "ffmpeg" not in message else "ffmpeg",
        )
    if "decodes only up to" in message:
        readable = float(message.split("up to ")[1].split(" s")[0])
        assert readable <= 6 * share + 1.0
        if readable > 0.1:
            whole = read_audio(io.BytesIO(data))
            got = read_audio(path, duration=readable)
            np.testing.assert_allclose(got, whole[: len(got)], atol=1e-5)
            assert len(got) == round(readable * 16000)
            assert "truncated" in _fault(path, duration=readable + 1.5)
    else:
        assert share < 0.9 or kind[0] == "FLAC", message


def test_cut_mp3_beyond_its_end(tmp_path):
    data = _encoded(_grid_noise(6 * 16000), 16000, ("MP3", "MPEG_LAYER_III"))
    assert "truncated" in _fault(io.BytesIO(data[: len(data) // 2]), offset=5.0, duration=0.5)


def test_missing_milliseconds_are_forgiven():
    data = _encoded(_grid_noise(16000), 16000, ("WAV", "PCM_16"))
    assert len(read_audio(io.BytesIO(data[:-400]))) == 15800


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_wav_written_to_a_pipe_is_whole(size):
    waveform = _grid_noise(16000)
    data = bytearray(_encoded(waveform, 16000, ("WAV", "PCM_16")))
    data[40:44] = size.to_bytes(4, "little")
    np.testing.assert_array_equal(read_audio(io.BytesIO(bytes(data))), waveform)


def test_flac_written_to_a_pipe_needs_a_window():
    waveform = _grid_noise(3 * 16000)
    data = bytearray(_encoded(waveform, 16000, ("FLAC", "PCM_16")))
    data[21] &= 0xF0
    data[22:26] = bytes(4)  # total samples: unknown
    source = io.BytesIO(bytes(data))
    _check(_fault(source), "in memory", "does not say how long", "duration")
    _check(_fault(source, duration=1e9), "in memory", "does not say how long")
    np.testing.assert_array_equal(read_audio(source, offset=0.5, duration=1.0), waveform[8000:24000])
    with pytest.raises(AudioError, match="does not say how long"):
        audio_info(source)


def test_damage_inside_a_flac(tmp_path):
    data = bytearray(_encoded(_grid_noise(8 * 16000), 16000, ("FLAC", "PCM_16")))
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    _check(_fault(io.BytesIO(bytes(data))), "in memory", "damaged", "again")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(bad):
    waveform = _grid_noise(32000, channels=2).copy()
    waveform[24000, 1] = bad
    source = io.BytesIO(_encoded(waveform, 16000))
    _check(_fault(source), "in memory", "NaN or infinite", "1.500 s", "PCM")
    assert len(read_audio(source, duration=1.0)) == 16000  # the good part can be read


@pytest.mark.parametrize("rate", [1000, 3999, 192001, 384000])
def test_rates_outside_the_range(rate):
    _check(_fault(io.BytesIO(_encoded(_grid_noise(5000), rate))), "in memory", str(rate), "resample")
    _check(
        _fault(io.BytesIO(_encoded(_grid_noise(5000), 16000)), sample_rate=rate), str(rate), "whole number"
    )


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ({"offset": -1.0}, "offset -1.0"),
        ({"offset": float("nan")}, "offset nan"),
        ({"offset": 1.0}, "beyond its end at 1.000 s"),
        ({"duration": 0.0}, "duration 0.0"),
        ({"duration": float("inf")}, "duration inf"),
        ({"sample_rate": 16000.5}, "16000.5"),
    ],
)
def test_impossible_requests(asked, word):
    _check(_fault(io.BytesIO(_encoded(_grid_noise(16000), 16000)), **asked), "in memory", word)


def test_files_that_cannot_seek_or_are_text(tmp_path):
    (tmp_path / "clip.wav").write_bytes(_encoded(_grid_noise(100), 16000))
    with (tmp_path / "clip.wav").open(encoding="latin-1") as file:
        _check(_fault(file), "clip.wav", "text", "rb")
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        _check(_fault(file), "in memory", "seek", "BytesIO")
    _check(_fault(b"RIFF"), "in memory", "BytesIO")


def test_audio_error_is_a_value_error():
    assert issubclass(AudioError, ValueError)


# ---- writing


def test_written_wav_comes_back_exactly():
    waveform = np.concatenate([_grid_noise(5000), np.float32([-1.0, 32767 / 32768])])
    np.testing.assert_array_equal(read_audio(io.BytesIO(write_wav_bytes(waveform, 16000))), waveform)


def test_written_wav_is_clipped_and_the_same_each_time():
    data = write_wav_bytes(np.array([2.0, -2.0, 0.0]), 22050)
    assert data == write_wav_bytes(np.array([2.0, -2.0, 0.0]), 22050)
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(data), dtype="int16")[0], [32767, -32768, 0])


@pytest.mark.parametrize("waveform", [np.zeros((2, 5)), np.array([0.0, np.nan])])
def test_what_cannot_be_written(waveform):
    with pytest.raises(ValueError, match=r"mono|NaN"):
        write_wav_bytes(waveform, 16000)


# ---- real recordings


def test_real_recordings_are_read(shared):
    files = sorted(shared("audio").rglob("*.flac"))[::20]
    assert files
    for path in files:
        info = audio_info(path)
        waveform = read_audio(path)
        assert len(waveform) == pytest.approx(info.seconds * 16000, abs=1)
        assert np.isfinite(waveform).all()
        assert 0 < np.abs(waveform).max() <= 1.1
        middle = info.seconds / 2
        window = read_audio(path, offset=middle, duration=0.5)
        start = round(middle * 16000)
        np.testing.assert_allclose(window, waveform[start : start + 8000], atol=1e-6)
