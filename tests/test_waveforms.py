"""The one door for waveforms: what is sound is heard as what it is, everywhere; the rest is refused."""

from array import array

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_encoders import ARCHITECTURES, MINIS, kept, small

from protoviz.audio import AudioError, Box, box_sound, fit_length, log_mel, silence_box, write_wav_bytes
from protoviz.audio.waveforms import to_samples
from protoviz.encoders import EncoderError

PCM = (np.random.default_rng(3).standard_normal(16000) * 3000).astype(np.int16)
CLIP = PCM.astype(np.float32) / 32768
OTHER = (0.1 * np.random.default_rng(4).standard_normal(16000)).astype(np.float32)


@pytest.fixture
def encoder(request):
    return kept(request.param)


for_all = pytest.mark.parametrize("encoder", [*ARCHITECTURES, *MINIS], indirect=True)
for_one_each = pytest.mark.parametrize("encoder", ["eat", "mini"], indirect=True)


def readonly(array):
    array = array.copy()
    array.setflags(write=False)
    return array


class Decoder(dict):
    """An entry of an audio column as newer versions of Hugging Face's datasets give it."""

    get_all_samples = __getitem__ = lambda self, key=None: dict.__getitem__(self, key)


ONE_CLIP = {
    "int16": lambda e: PCM,
    "int16, big-endian": lambda e: PCM.astype(">i2"),
    "int32": lambda e: PCM.astype(np.int32) << 16,
    "int16 tensor": lambda e: torch.from_numpy(PCM.copy()),
    "int32 tensor": lambda e: torch.from_numpy(PCM.astype(np.int32) << 16),
    "float64": lambda e: CLIP.astype(np.float64),
    "float32, big-endian": lambda e: CLIP.astype(">f4"),
    "long double": lambda e: CLIP.astype(np.longdouble),
    "backwards twice": lambda e: CLIP[::-1].copy()[::-1],
    "every second": lambda e: np.repeat(CLIP, 2)[::2],
    "read-only": lambda e: readonly(CLIP),
    "read-only int16": lambda e: readonly(PCM),
    "array.array": lambda e: array("h", PCM.tolist()),
    "a column (s 1)": lambda e: CLIP[:, None],
    "a row (1 s)": lambda e: CLIP[None],
    "(1 1 s)": lambda e: torch.from_numpy(CLIP)[None, None],
    "a list of numbers": lambda e: CLIP.tolist(),
    "a series": lambda e: pd.Series(CLIP, index=range(5, 16005)),
    "a list of one column": lambda e: [CLIP[:, None]],
    "Hugging Face": lambda e: {"path": None, "array": CLIP.tolist(), "sampling_rate": e.sample_rate},
    "Hugging Face, decoder": lambda e: Decoder(array=CLIP, sampling_rate=e.sample_rate),
}
TWO_CLIPS = {
    "(b s)": lambda e: np.stack([CLIP, OTHER]),
    "(b s), Fortran": lambda e: np.asfortranarray(np.stack([CLIP, OTHER])),
    "(b 1 s)": lambda e: torch.from_numpy(np.stack([CLIP, OTHER])[:, None]),
    "(b s 1)": lambda e: np.stack([CLIP, OTHER])[:, :, None],
    "mixed kinds": lambda e: (PCM, torch.from_numpy(OTHER).double()),
    "lists of numbers": lambda e: [CLIP.tolist(), OTHER.tolist()],
    "a series of arrays": lambda e: pd.Series([CLIP, OTHER]),
    "an array of arrays": lambda e: np.array([CLIP, OTHER, None], dtype=object)[:2],
    "Hugging Face": lambda e: [{"array": clip, "sampling_rate": e.sample_rate} for clip in (CLIP, OTHER)],
}


@for_all
def test_one_clip_in_any_form_is_the_same(encoder):
    wanted = encoder.encode(CLIP).tokens
    for form, make in ONE_CLIP.items():
        made = encoder.encode(make(encoder))
        assert made.tokens.shape == wanted.shape, form
        assert torch.equal(made.tokens, wanted), form
        assert torch.equal(encoder.features(make(encoder)), encoder.features(CLIP)), form


@for_all
def test_two_clips_in_any_form_are_the_same(encoder):
    wanted = encoder.encode([CLIP, OTHER]).tokens
    for form, make in TWO_CLIPS.items():
        assert torch.equal(encoder.encode(make(encoder)).tokens, wanted), form


@for_all
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_of_sound_and_of_weights(encoder, dtype):
    """A half waveform is its values; half weights compute in half, tokens come as float32."""
    half = torch.from_numpy(CLIP).to(dtype)
    assert torch.equal(encoder.encode(half).tokens, encoder.encode(half.float()).tokens)
    wanted = encoder.encode(CLIP, attention=True, sample_rate=encoder.sample_rate)
    made = small(encoder.name).to(dtype).encode(CLIP, attention=True)
    assert made.tokens.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(made.cls, wanted.cls).min() > 0.99


def test_eight_bits():
    """uint8 has its zero at 128, as in WAV files; int8 is signed."""
    mini = kept("mini")
    coarse = (PCM >> 8).astype(np.int8)
    wanted = mini.features(coarse.astype(np.float32) / 128)
    assert torch.equal(mini.features(coarse), wanted)
    assert torch.equal(mini.features((coarse.astype(np.int16) + 128).astype(np.uint8)), wanted)


def test_a_memory_map_is_heard(tmp_path):
    mini = kept("mini")
    np.save(tmp_path / "pcm.npy", PCM)
    mapped = np.load(tmp_path / "pcm.npy", mmap_mode="r")
    assert torch.equal(mini.features(mapped), mini.features(CLIP))


LEFT_RIGHT = np.stack([CLIP + 0.5 * OTHER, 0.5 * CLIP + OTHER])
REFUSED = {
    "(samples, channels)": (LEFT_RIGHT.T, r"16000, 2.*mean\(1\)"),
    "(samples, channels), Fortran": (np.asfortranarray(LEFT_RIGHT.T), r"mean\(1\)"),
    "(channels, samples)": (LEFT_RIGHT, r"\(2, 16000\).*list.*mean\(0\)"),
    "(channels, samples), tensor": (torch.from_numpy(LEFT_RIGHT), r"mean\(0\)"),
    "stereo in a list": ([CLIP, LEFT_RIGHT], r"clip 1.*\(2, 16000\).*mean\(0\)"),
    "frames of stereo": (list(LEFT_RIGHT.T), r"\(16000, 2\).*mean\(1\)"),
    "frames of stereo as numbers": (
        [tuple(f) for f in LEFT_RIGHT.T[:999].tolist()],
        r"\(999, 2\).*mean\(1\)",
    ),
    "stereo of Hugging Face": ({"array": LEFT_RIGHT, "sampling_rate": 16000}, r"clip 0.*mean\(0\)"),
    "(b channels s)": (np.stack([LEFT_RIGHT] * 3), r"\(3, 2, 16000\).*mean\(1\)"),
    "(samples, channels), int16": (np.stack([PCM, PCM // 2], 1), r"mean\(1\).*divided by their full scale"),
    "four axes": (CLIP.reshape(1, 1, 1, 2, -1), "mono"),
    "a number": (np.float32(0.5), "mono"),
    "int64": (PCM.astype(np.int64), "int64.*32768"),
    "whole numbers": (PCM.tolist(), "clip 0.*int64.*32768"),
    "uint16": (PCM.astype(np.uint16), "uint16"),
    "int64 tensor": ([CLIP, torch.from_numpy(PCM).long()], "clip 1.*int64"),
    "int32 with 16 bits": (PCM.astype(np.int32), r"int32.*int16.*2\*\*31"),
    "int32, two int16 added": (PCM.astype(np.int32) * 7, r"int32.*2\*\*15.*2\*\*31"),
    "booleans": (PCM > 0, "bool"),
    "complex": (CLIP.astype(np.complex64), "complex64"),
    "objects": ([CLIP, CLIP.astype(object)], "clip 1"),
    "None": ([CLIP, None], "clip 1 is NoneType"),
    "only None": (None, "NoneType"),
    "a path": ("birds.wav", r"'birds.wav'.*read_audio"),
    "paths": (["a.wav", "b.wav"], r"clip 0.*'a.wav'.*read_audio"),
    "bytes": (b"RIFF", "bytes"),
    "bytes in a list": ([CLIP, bytearray(PCM)], "clip 1 is bytes.*BytesIO"),
    "a pair with its rate": ((CLIP, 16000), "sample_rate="),
    "a pair, scipy": ((16000, PCM), "sample_rate="),
    "a generator": ((clip for clip in [CLIP]), "generator"),
    "another dict": ({"input_values": CLIP}, "'array'"),
    "not scaled": (PCM.astype(np.float32), "clip 0 reaches .*32768"),
    "not scaled and quiet": (np.round(PCM / 500).astype(np.float32), "clip 0 reaches .*32768"),
    "a mean of quiet int16": (np.stack([PCM // 500, PCM // 400], 1).mean(1), "clip 0 reaches .*32768"),
    "huge": ([OTHER, CLIP * np.float32(1e18)], "clip 1 reaches"),
    "too large for float32": (CLIP.astype(np.float64) * 1e300, "clip 0 holds NaN or infinity"),
    "masked": (np.ma.masked_array(CLIP, CLIP > 0.1), "filled"),
    "no clip": ([], "no clip"),
    "no row": (np.zeros((0, 16000), np.float32), "no clip"),
    "an empty clip": ([CLIP, CLIP[:0]], "clip 1 is empty"),
    "empty rows": (np.zeros((2, 0), np.float32), "clip 0 is empty"),
    "ragged numbers": ([[0.1, [0.2]]], "clip 0"),
}


@pytest.mark.parametrize("form", REFUSED)
@for_one_each
def test_what_is_no_clear_sound_is_refused_with_the_cure(encoder, form):
    """In the encoders' own error, at once, and alike from `encode` and `features`."""
    waveforms, words = REFUSED[form]
    with pytest.raises(EncoderError, match=words):
        encoder.encode(waveforms)
    if form != "a generator":
        with pytest.raises(EncoderError, match=words):
            encoder.features(waveforms)


@settings(max_examples=60)
@given(st.sampled_from([16, 24]), st.floats(0, 1), st.integers(0, 99))
def test_int32_is_heard_where_it_was_shifted_up_and_else_refused(bits, loudness, seed):
    """As soundfile and scipy give 16 and 24 bits, however quiet; at the lower end of int32 they are open."""
    full = 2 ** (bits - 1)
    peak = round(2 ** (8 + loudness * (bits - 9)))  # 256 to full scale
    values = np.random.default_rng(seed).integers(-peak, peak, 4000, dtype=np.int32)
    values[7] = -peak
    heard = to_samples(values << (32 - bits))
    np.testing.assert_array_equal(heard, (values / full).astype(np.float32))
    with pytest.raises(AudioError, match=r"int32.*2\*\*31"):
        to_samples(values)


@for_all
def test_a_sample_rate_is_compared(encoder):
    own = encoder.sample_rate
    wrong = {"array": CLIP, "sampling_rate": 44100}
    for rate in (own, float(own), np.int64(own), str(own), torch.tensor([own, own])):
        assert torch.equal(encoder.encode(CLIP, sample_rate=rate).tokens, encoder.encode(CLIP).tokens)
    with pytest.raises(EncoderError, match=r"clip 0.*'16 kHz'"):
        encoder.encode({"array": CLIP, "sampling_rate": "16 kHz"})
    for waveforms, rate in [(CLIP, 22050), ([CLIP, wrong], None), (wrong, own)]:
        with pytest.raises(EncoderError, match=rf"(22050|44100) Hz.*sample_rate={own}"):
            encoder.encode(waveforms, sample_rate=rate)


@settings(max_examples=30)
@given(st.floats(-1, 1), st.integers(0, 99), st.booleans())
def test_two_rows_are_two_clips_unless_they_are_nearly_one_sound(share, seed, as_tensor):
    """The documented (b s) stays a batch: rows are doubted where they correlate by half or more."""
    mini = kept("mini")
    left, right = 0.1 * np.random.default_rng(seed).standard_normal((2, 8000))
    pair = np.stack([left, share * left + (1 - share**2) ** 0.5 * right]).astype(np.float32)
    correlation = abs(np.corrcoef(pair)[0, 1])
    waveforms = torch.from_numpy(pair) if as_tensor else pair
    if correlation < 0.49:
        assert len(mini.clips(waveforms)) == 2
    elif correlation > 0.51:
        with pytest.raises(EncoderError, match="list"):
            mini.clips(waveforms)
    assert len(mini.clips(list(waveforms))) == 2
    assert len(mini.clips(waveforms[:, None])) == 2


@pytest.mark.parametrize("peak", [1.0, 1.7, 20.0])
@for_one_each
def test_sound_beyond_full_scale_is_not_refused(encoder, peak):
    """Float files may exceed it; what is not scaled is far beyond."""
    assert torch.isfinite(encoder.encode(CLIP / np.abs(CLIP).max() * peak).tokens).all()


@pytest.mark.parametrize(
    "hear",
    [
        lambda sound: log_mel(sound).numpy(),
        lambda sound: fit_length(sound, 9000),
        lambda sound: np.frombuffer(write_wav_bytes(sound, 16000)[44:], np.int16),
        lambda sound: box_sound(sound, 16000, Box(0.2, 0.6, 500, 2000)),
        lambda sound: silence_box(sound, 16000, Box(0.2, 0.6, 500, 2000)),
    ],
    ids=["log_mel", "fit_length", "write_wav_bytes", "box_sound", "silence_box"],
)
def test_every_function_on_sound_has_the_same_door(hear):
    wanted = hear(CLIP)
    for form in (
        PCM,
        PCM.astype(np.int32) << 16,
        CLIP[::-1].copy()[::-1],
        readonly(CLIP),
        torch.tensor(CLIP),
    ):
        np.testing.assert_array_equal(hear(form), wanted)
    for form in (LEFT_RIGHT.T, PCM.astype(np.int64), PCM > 0, "birds.wav", None, np.zeros((3, 2, 400))):
        with pytest.raises(ValueError, match=r"mean|shape|int64|bool|birds|NoneType|2 samples"):
            hear(form)
