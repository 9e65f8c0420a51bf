"""The filter bank against numbers that torchaudio gave, and its behaviour at the edges."""

import numpy as np
import pytest
import soundfile
import torch
from golden_names import ENCODER_FILES

from protoviz.audio import FilterBank, log_mel, mel_edges_hz, mel_triangles, window_samples

CASES = {
    "eat": ("synth_16k_10s.wav", FilterBank(), lambda x: x - x.mean()),
    "beats": ("synth_16k_10s.wav", FilterBank(window="povey"), lambda x: x * 2**15),
    "birdmae": ("synth_32k_5s.wav", FilterBank(sample_rate=32000), lambda x: x - x.mean()),
}


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_torchaudio(name):
    file, bank, prepare = CASES[name]
    folder = ENCODER_FILES / "fbank"
    waveform, rate = soundfile.read(folder / file, dtype="float32")
    expected = np.load(folder / "reference.npz")[name]
    got = log_mel(prepare(torch.from_numpy(waveform)), bank).numpy()
    assert rate == bank.sample_rate
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= 2e-3
    assert np.abs(got - expected).mean() <= 1e-4


@pytest.mark.parametrize(("rate", "name"), [(16000, "mel_16k"), (32000, "mel_32k")])
def test_triangles_agree_with_torchaudio(rate, name):
    expected = np.load(ENCODER_FILES / "fbank/mel_banks.npz")[name]
    np.testing.assert_allclose(mel_triangles(FilterBank(sample_rate=rate)).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("window", "name"), [("hanning", "hanning_400"), ("povey", "povey_400")])
def test_windows_agree_with_torchaudio(window, name):
    expected = np.load(ENCODER_FILES / "fbank/mel_banks.npz")[name]
    np.testing.assert_allclose(window_samples(FilterBank(window=window)).numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("name", ["eat", "beats", "birdmae"])
def test_normalised_model_inputs(name):
    file, bank, prepare = CASES[name]
    folder = ENCODER_FILES / "fbank"
    expected = np.load(folder / "model_inputs.npz")[name]
    waveform = torch.from_numpy(soundfile.read(folder / file, dtype="float32")[0])
    rows = log_mel(prepare(waveform), bank)
    if name == "eat":
        rows = (torch.nn.functional.pad(rows, (0, 0, 0, 1024 - len(rows))) + 4.268) / (2 * 4.569)
    elif name == "beats":
        rows = (rows - 15.41663) / (2 * 6.55582)
    else:
        rows = torch.nn.functional.pad(rows, (0, 0, 0, 512 - len(rows)), value=rows.min())
        rows = (rows + 7.2) / (2 * 4.43)
    np.testing.assert_allclose(rows[::8].numpy(), expected, atol=2e-3)


def test_batch_equals_one_by_one():
    waveforms = torch.randn(5, 30 * 16000 // 10)
    together = log_mel(waveforms)
    assert together.shape == (5, 298, 128)
    for alone, row in zip(waveforms, together, strict=True):
        torch.testing.assert_close(log_mel(alone), row, atol=1e-4, rtol=0)


def test_blocks_leave_no_seam():
    waveform = torch.randn(16000 * 12)  # more frames than one block holds
    whole = log_mel(waveform)
    later = log_mel(waveform[160 * 500 :])
    torch.testing.assert_close(whole[500:], later, atol=1e-4, rtol=0)


def test_many_short_clips():
    assert log_mel(torch.randn(700, 560)).shape == (700, 2, 128)
    assert log_mel(torch.zeros(0, 560)).shape == (0, 2, 128)


def test_silence_is_the_floor():
    rows = log_mel(torch.zeros(8000))
    assert torch.all(rows == torch.tensor(2.0**-23).log())


def test_constant_is_nearly_silent():
    # Kaldi removes the mean of each frame, so an offset alone carries no energy
    assert log_mel(torch.full((8000,), 0.5)).max() < -15


def test_tone_lands_in_its_row():
    bank = FilterBank()
    edges = mel_edges_hz(bank)
    for hertz in (300.0, 1000.0, 3000.0, 7000.0):
        tone = torch.sin(2 * torch.pi * hertz * torch.arange(16000) / 16000)
        row = int(log_mel(tone, bank).mean(0).argmax())
        assert edges[max(row - 1, 0)] <= hertz <= edges[min(row + 2, 128)]


def test_rows_meet_and_fill_the_range():
    edges = mel_edges_hz(FilterBank())
    assert edges.shape == (129,)
    assert edges[0] == 20.0
    assert edges[-1] == 8000.0
    assert np.all(np.diff(edges) > 0)


def test_other_dtypes_and_autocast_stay_float32():
    waveform = torch.randn(4000)
    expected = log_mel(waveform)
    assert log_mel(waveform.double()).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(log_mel(waveform), expected, atol=0, rtol=0)


def test_input_is_left_alone_and_gradient_is_right():
    waveform = torch.randn(2, 4000, requires_grad=True)
    before = waveform.detach().clone()
    weights, direction = torch.randn(2, 23, 128), torch.randn(2, 4000)
    (log_mel(waveform) * weights).sum().backward()
    assert torch.equal(waveform.detach(), before)
    step = 1e-2
    ahead, behind = ((log_mel(before + sign * step * direction) * weights).double().sum() for sign in (1, -1))
    slope = float((waveform.grad * direction).sum())
    assert float(ahead - behind) / (2 * step) == pytest.approx(slope, rel=0.02)


def test_first_call_under_inference_mode_does_not_spoil_training():
    bank = FilterBank(mels=41)  # no other test has made its tables
    waveform = torch.randn(4000, requires_grad=True)
    with torch.inference_mode():
        first = log_mel(waveform, bank)
    rows = log_mel(waveform, bank)
    rows.sum().backward()
    assert torch.equal(rows.detach(), first)


@pytest.mark.parametrize(("mels", "rate"), [(1, 16000), (3, 8000), (41, 16000), (64, 44100), (200, 16000)])
def test_other_banks_equal_the_plain_product(mels, rate):
    """The sliced mel matrix gives what the whole one gives."""
    bank = FilterBank(sample_rate=rate, mels=mels)
    waveform = torch.randn(rate // 4, dtype=torch.float64).float()
    frames = waveform.unfold(0, bank.frame_samples, bank.shift_samples).double()
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], -1)
    shaped = (frames - 0.97 * before) * window_samples(bank).double()
    power = torch.fft.rfft(shaped, n=bank.fft_samples)[:, :-1].abs().square()
    expected = (power @ mel_triangles(bank).double().T).clamp_min(2.0**-23).log()
    torch.testing.assert_close(log_mel(waveform, bank).double(), expected, atol=2e-3, rtol=0)


def test_too_short_says_what_to_do():
    with pytest.raises(ValueError, match=r"399 samples.*400.*fit_length"):
        log_mel(torch.zeros(399))
    assert log_mel(torch.zeros(400)).shape == (1, 128)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window": "hamming"}, "hamming"),
        ({"mels": 0}, "mels=0"),
        ({"high_hz": 9000.0}, "9000"),
        ({"low_hz": 500.0, "high_hz": 400.0}, "500"),
        ({"frame_shift_ms": 0.01}, "lengthen"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        FilterBank(**settings)
