"""Compressed sounds, damaged or untagged: read rightly and in full, or refused; never another sound."""

import io

import numpy as np
import pytest
import soundfile

from protoviz.audio import AudioError, audio_info, read_audio

RATE, SECONDS = 16000, 8
OGG = [("VORBIS", 16000), ("VORBIS", 44100), ("OPUS", 16000), ("OPUS", 48000)]
MODES = ["CONSTANT", "AVERAGE", "VARIABLE"]


def _sweep(rate, seconds=SECONDS):
    """A sweep that is nowhere like itself a little later, soft in its first half: bit rates differ."""
    time = np.arange(seconds * rate) / rate
    noise = np.random.default_rng(0).standard_normal(len(time))
    sound = 0.3 * np.sin(2 * np.pi * (200 * time + 40 * time**2)) + 0.05 * noise
    return (sound * np.where(time < seconds / 2, 1e-2, 1.0)).astype(np.float32)


def _made(rate, kind, seconds=SECONDS, **settings):
    memory = io.BytesIO()
    sound = _sweep(rate, seconds)
    soundfile.write(memory, sound, rate, format=kind[0], subtype=kind[1], **settings)
    return memory.getvalue()


def _mp3(rate=44100, mode="VARIABLE", seconds=SECONDS):
    return _made(rate, ("MP3", "MPEG_LAYER_III"), seconds, bitrate_mode=mode, compression_level=0.5)


def _tag_size(data):
    """Bytes of an MP3's first frame, which holds no sound but the tag."""
    begin = data[:2]
    return next(
        at for at in range(40, 2000) if data[at : at + 2] == begin and data[at + 2] & 12 == data[2] & 12
    )


def _ogg_pages(data):
    places = [at for at in range(len(data)) if data[at : at + 4] == b"OggS"]
    return [(a, b) for a, b in zip(places, [*places[1:], len(data)], strict=True)]


def _harmed(data, count, seed):
    """(what was done, bytes): bits flipped, parts cut out, zeroed, or cut off, all over the file."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 5000))
        flipped = bytes([data[at] ^ 1 << int(rng.integers(8))])
        harm = ("flip", "flip", "take", "zero", "cut")[number % 5]
        middle = {"flip": flipped + data[at + 1 :], "take": data[at + length :], "cut": b""}
        zeros = bytes(min(length, len(data) - at)) + data[at + length :]
        yield f"{harm} {at}", data[:at] + middle.get(harm, zeros)


def _check_windows(whole, bad, what, within):
    """Every window of a bad file is that of the good one, or refused; returns how many were read."""
    read = 0
    windows = [(0.0, None), (0.0, 1.5), (SECONDS / 2, 1.5), (SECONDS - 2.0, 1.5), (0.0, SECONDS + 1.0)]
    for offset, duration in windows:
        stop = None if duration is None else round((offset + duration) * RATE)
        right = whole[round(offset * RATE) : stop]
        try:
            got = read_audio(io.BytesIO(bad), RATE, offset=offset, duration=duration)
        except AudioError:
            continue
        read += 1
        assert abs(len(got) - len(right)) <= 0.1 * RATE, (what, offset, duration, len(got), len(right))
        shared = min(len(got), len(right))
        assert within(np.abs(got[:shared] - right[:shared])), (what, offset, duration)
    return read


# ---- Ogg: checksums know


@pytest.mark.parametrize(("codec", "rate"), OGG)
def test_damaged_ogg_is_refused_or_read_at_the_right_second(codec, rate):
    data = _made(rate, ("OGG", codec))
    whole = read_audio(io.BytesIO(data), RATE)
    read = sum(
        _check_windows(whole, bad, what, lambda error: error.max(initial=0) <= 3e-3)
        for what, bad in _harmed(data, 25, seed=rate)
    )
    assert read >= 25  # windows beside the damage


@pytest.mark.parametrize(("codec", "rate"), OGG)
def test_ogg_is_read_before_and_behind_a_lost_page(codec, rate, tmp_path):
    data = _made(rate, ("OGG", codec))
    whole, pages = read_audio(io.BytesIO(data), RATE), _ogg_pages(data)
    first, stop = pages[len(pages) // 2]
    flipped = data[: first + 200] + bytes([data[first + 200] ^ 4]) + data[first + 201 :]
    for bad in (flipped, data[:first] + data[stop:]):
        path = tmp_path / "harmed.ogg"
        path.write_bytes(bad)
        assert audio_info(path).seconds == pytest.approx(SECONDS, abs=1e-3)
        for offset in (0.0, SECONDS - 1.5):
            right = whole[round(offset * RATE) :][:RATE]
            np.testing.assert_allclose(read_audio(path, RATE, offset=offset, duration=1.0), right, atol=3e-3)
        for asked in ({}, {"duration": SECONDS - 1.0}, {"offset": SECONDS / 2 - 0.5, "duration": 1.0}):
            with pytest.raises(
                AudioError, match=r"harmed\.ogg: damaged.* from \d\.\d+ s to \d\.\d+ s"
            ) as told:
                read_audio(path, RATE, **asked)
        begin, end = (float(word) for word in str(told.value).split() if word.replace(".", "").isdigit())
        assert SECONDS / 2 - 2 <= begin < end <= SECONDS / 2 + 3


def test_ogg_sounds_one_after_another_are_refused():
    one, two = _made(16000, ("OGG", "VORBIS")), _made(16000, ("OGG", "OPUS"))
    for call in (read_audio, audio_info):
        with pytest.raises(AudioError, match="several sounds"):
            call(io.BytesIO(one + two))


def test_what_lies_behind_an_ogg_stream_is_left():
    data = _made(44100, ("OGG", "VORBIS"))
    np.testing.assert_array_equal(
        read_audio(io.BytesIO(data + b"TAG" + bytes(125))), read_audio(io.BytesIO(data))
    )


# ---- MP3: frames are counted


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_mp3_without_a_tag_is_as_long_as_its_frames(rate, mode):
    data = _mp3(rate, mode)
    whole = read_audio(io.BytesIO(data), RATE)
    bare = data[_tag_size(data) :]
    late = round(576 * RATE / rate)  # samples that the encoder puts in front, which only the tag tells
    got = read_audio(io.BytesIO(bare), RATE)
    assert audio_info(io.BytesIO(data)).seconds == SECONDS
    assert audio_info(io.BytesIO(bare)).seconds == pytest.approx(len(got) / RATE, abs=1e-4)
    assert 0 <= len(got) - late - len(whole) <= 0.2 * RATE
    assert np.abs(got[late : late + len(whole)] - whole).max() < 0.1
    window = read_audio(io.BytesIO(bare), RATE, offset=5.0, duration=1.0)
    np.testing.assert_allclose(window, got[5 * RATE : 6 * RATE], atol=1e-5)


@pytest.mark.parametrize("tagged", [True, False])
def test_mp3_tags_and_padding_are_no_sound(tagged):
    data = _mp3()
    data = data if tagged else data[_tag_size(data) :]
    whole = read_audio(io.BytesIO(data))
    id3 = b"ID3\4\0\0" + bytes([0, 0, 60, 60]) + bytes(60 * 128 + 60)
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (5032).to_bytes(4, "little") + bytes(4)
    ape = ape + b"\0\0\0\xa0" + bytes(5008) + ape + b"\0\0\0\x80" + bytes(8)
    for dressed in (id3 + data, data + ape, data + b"TAG" + bytes(125), id3 + data + ape + bytes(3000)):
        assert audio_info(io.BytesIO(dressed)).seconds == audio_info(io.BytesIO(data)).seconds
        np.testing.assert_allclose(read_audio(io.BytesIO(dressed)), whole, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_damaged_mp3_never_shifts_or_ends_early(mode):
    data = _mp3(mode=mode)
    whole = read_audio(io.BytesIO(data), RATE)
    # An MP3 has no checksum: a flipped bit may sound wrong for some frames, but nothing else may move
    for what, bad in _harmed(data, 25, seed=len(mode)):
        _check_windows(whole, bad, what, lambda error: (error > 0.05).mean() <= 0.1)
    size = _tag_size(data)
    for place in (0, size):  # headers of the tag and of the first frame with sound
        for bit in range(32):
            bad = bytearray(data)
            bad[place + bit // 8] ^= 128 >> bit % 8
            _check_windows(whole, bytes(bad), (place, bit), lambda error: (error > 0.05).mean() <= 0.1)


def test_another_file_of_the_same_name_is_looked_through_anew(tmp_path):
    path = tmp_path / "long.ogg"
    path.write_bytes(_made(16000, ("OGG", "VORBIS")))
    right = read_audio(path, RATE)
    path.write_bytes(_made(16000, ("OGG", "VORBIS"), seconds=4))  # another file of that name
    assert audio_info(path).seconds == 4
    assert len(read_audio(path, RATE)) * 2 == len(right)


# ---- FLAC: its frames say what its head says


@pytest.mark.parametrize(
    ("rate", "channels", "bits"), [(16000, 1, "PCM_16"), (24000, 2, "PCM_24"), (22051, 1, "PCM_S8")]
)
def test_every_flipped_bit_of_a_flac_head_is_refused_or_without_meaning(rate, channels, bits):
    memory = io.BytesIO()
    sound = np.stack([_sweep(rate, 0.5), -_sweep(rate, 0.5)][:channels], axis=1)
    soundfile.write(memory, sound, rate, format="FLAC", subtype=bits)
    data = memory.getvalue()
    whole, held = read_audio(io.BytesIO(data), RATE), 0
    for place in range(42):  # mark, and the block of the stream
        for bit in range(8):
            bad = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
            for asked, right in (({}, whole), ({"offset": 0.2, "duration": 0.2}, whole[3200:6400])):
                try:
                    np.testing.assert_allclose(read_audio(io.BytesIO(bad), RATE, **asked), right, atol=1e-6)
                except AudioError:
                    held += 1
    assert held > 100


def test_damaged_flac_is_refused_or_read_at_the_right_second():
    data = _made(44100, ("FLAC", "PCM_16"))
    whole, read = read_audio(io.BytesIO(data), RATE), 0
    pieces = [(data[:at] + data[at - 9000 :], f"twice {at}") for at in range(20_000, len(data), 90_000)]
    for bad, what in [*pieces, *((bad, what) for what, bad in _harmed(data, 25, seed=1))]:
        read += _check_windows(whole, bad, what, lambda error: error.max(initial=0) <= 1e-6)
        try:
            assert len(read_audio(io.BytesIO(bad), RATE)) == len(whole), what
        except AudioError:
            continue
    assert read >= 40  # windows beside the damage


def test_a_flac_is_read_before_and_behind_lost_frames(tmp_path):
    data = _made(16000, ("FLAC", "PCM_16"))
    whole, path = read_audio(io.BytesIO(data), RATE), tmp_path / "harmed.flac"
    middle = len(data) // 2
    path.write_bytes(data[:middle] + data[middle + 20_000 :])
    for offset in (0.0, SECONDS - 1.5):
        right = whole[round(offset * RATE) :][:RATE]
        np.testing.assert_array_equal(read_audio(path, RATE, offset=offset, duration=1.0), right)
    for asked in ({}, {"duration": SECONDS - 1.0}):
        with pytest.raises(AudioError, match=r"harmed\.flac: damaged.* from \d\.\d+ s to \d\.\d+ s"):
            read_audio(path, RATE, **asked)
