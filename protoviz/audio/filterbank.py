"""Kaldi-compatible log-mel filter bank in torch: what the published audio encoders were trained on.

It follows `torchaudio.compliance.kaldi.fbank` (htk_compat, no energy, no dither, snip_edges) step by step,
but treats a batch at once and keeps window and mel triangles between calls. It needs no torchaudio.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from protoviz.audio.waveforms import to_samples

PREEMPHASIS = 0.97  # Kaldi's default; every encoder here was trained with it
FLOOR = 2.0**-23  # float32 epsilon, below which Kaldi clamps an energy: log -> -15.94
POVEY_POWER = 0.85  # Kaldi: a Hann window raised to this power
WINDOWS = ("hanning", "povey")
BLOCK_SAMPLES = 3 << 16  # transformed at once on a CPU (384 frames at 16 kHz): 1.5 MB, which stays in cache
BANDS = 8  # slices of the mel matrix: nine tenths of it are zeros, and most lie outside such slices


@dataclass(frozen=True)
class FilterBank:
    """The settings of one filter bank; the defaults are those of EAT, SSLAM and AudioMAE."""

    sample_rate: int = 16000
    mels: int = 128
    window: str = "hanning"  # "povey" for BEATs
    frame_length_ms: float = 25.0
    frame_shift_ms: float = 10.0
    low_hz: float = 20.0
    high_hz: float | None = None  # None: half the sample rate

    def __post_init__(self):
        if self.window not in WINDOWS:
            raise ValueError(f"filter bank window {self.window!r} is unknown: choose {', '.join(WINDOWS)}")
        if self.mels < 1:
            raise ValueError(f"filter bank needs at least one mel band, not mels={self.mels}")
        if not 0 <= self.low_hz < self.top_hz <= self.sample_rate / 2:
            raise ValueError(
                f"filter bank range {self.low_hz}..{self.top_hz} Hz does not fit into "
                f"0..{self.sample_rate / 2} Hz; lower high_hz or raise sample_rate"
            )
        if self.frame_samples < 2 or self.shift_samples < 1:
            raise ValueError(
                f"frames of {self.frame_length_ms} ms every {self.frame_shift_ms} ms hold too few samples "
                f"at {self.sample_rate} Hz; lengthen them"
            )

    @property
    def top_hz(self) -> float:
        """Upper end of the bank in hertz."""
        return self.sample_rate / 2 if self.high_hz is None else self.high_hz

    @property
    def frame_samples(self) -> int:
        """Samples in one frame (400 at 16 kHz); truncated, as in Kaldi."""
        return int(self.sample_rate * self.frame_length_ms * 0.001)

    @property
    def shift_samples(self) -> int:
        """Samples from one frame to the next (160 at 16 kHz); truncated, as in Kaldi."""
        return int(self.sample_rate * self.frame_shift_ms * 0.001)

    @property
    def fft_samples(self) -> int:
        """Length of the Fourier transform: the next power of two (512 at 16 kHz)."""
        return 1 << (self.frame_samples - 1).bit_length()

    def frames(self, samples: int) -> int:
        """Return number of frames that fit wholly into so many samples (0 where not even one does)."""
        if samples < self.frame_samples:
            return 0
        return 1 + (samples - self.frame_samples) // self.shift_samples


def hertz_to_mel(hertz):
    """Return Kaldi's mel scale, 1127 ln(1 + f/700); numbers or arrays in hertz."""
    return 1127.0 * np.log1p(np.asarray(hertz, dtype=np.float64) / 700.0)


def mel_to_hertz(mel):
    """Return inverse of `hertz_to_mel`: hertz."""
    return 700.0 * np.expm1(np.asarray(mel, dtype=np.float64) / 1127.0)


def band_edges(bands: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Return hertz edges (bands + 1,) of bands of equal width on the mel axis between low_hz and high_hz."""
    edges = mel_to_hertz(np.linspace(hertz_to_mel(low_hz), hertz_to_mel(high_hz), bands + 1))
    edges[0], edges[-1] = low_hz, high_hz  # exact ends: a round trip through the logarithm may miss by an ulp
    return edges


def mel_edges_hz(bank: FilterBank) -> np.ndarray:
    """Return hertz edges (mels + 1,) of the mel rows: row i is drawn from edge i to edge i + 1.

    The triangles themselves overlap (each reaches to the peaks of its neighbours), so a row has no edge of
    its own. The convention here: equal steps on the mel axis from low to high, so that rows meet, fill the
    range and split evenly into cells. The peak of triangle i lies within half a row of the middle of row i.
    """
    return band_edges(bank.mels, bank.low_hz, bank.top_hz)


def window_samples(bank: FilterBank) -> torch.Tensor:
    """Return the window (frame_samples,) float32: symmetric Hann, or Hann to the power 0.85 (povey)."""
    hann = torch.hann_window(bank.frame_samples, periodic=False, dtype=torch.float32, device="cpu")
    return hann if bank.window == "hanning" else hann.pow(POVEY_POWER)


def mel_triangles(bank: FilterBank) -> torch.Tensor:
    """Return the triangular filters (mels, fft_samples / 2) float32, without the Nyquist bin: Kaldi leaves it
    out.

    At 16 kHz and 128 bands the lowest triangles are narrower than a Fourier bin; one (row 3) holds no bin at
    all and its output is the floor, as it was when the published encoders were trained.
    """
    bins = bank.fft_samples // 2
    low, high = float(hertz_to_mel(bank.low_hz)), float(hertz_to_mel(bank.top_hz))
    step = (high - low) / (bank.mels + 1)
    # float32 from here on: torchaudio computes the slopes so, and thin triangles are sensitive to it
    row = torch.arange(bank.mels, dtype=torch.float32, device="cpu")[:, None]
    left, centre, right = low + row * step, low + (row + 1.0) * step, low + (row + 2.0) * step
    hertz = bank.sample_rate / bank.fft_samples * torch.arange(bins, dtype=torch.float32, device="cpu")
    # torchaudio's float32 logarithm, but rounded alike on every processor: exact first, then to float32
    mel = 1127.0 * (1.0 + hertz / 700.0).double().log().float()
    up = (mel - left) / (centre - left)
    down = (right - mel) / (right - centre)
    return torch.minimum(up, down).clamp_min_(0.0)


@lru_cache(maxsize=32)
@torch.inference_mode(
    False
)  # or what is made in a first call under inference mode could not serve training later
def _window_on(bank: FilterBank, device: str) -> torch.Tensor:
    """The window (frame_samples - 1,) on a device, without its first weight, which is 0."""
    return window_samples(bank)[1:].to(device)


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _bands_on(bank: FilterBank, device: str) -> tuple[tuple[slice, torch.Tensor], ...]:
    """The triangles in slices of neighbouring mel rows: the Fourier bins a slice needs, its (bins, mels)."""
    bands = []
    for part in mel_triangles(bank).tensor_split(min(BANDS, bank.mels)):
        used = part.any(0).nonzero().flatten()
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        bands.append((bins, part[:, bins].T.contiguous().to(device)))
    return tuple(bands)


def _mel_of_frames(frames: torch.Tensor, bank: FilterBank) -> torch.Tensor:
    """Log-mel rows (b frames mels) of raw frames (b frames frame_samples), which may overlap in memory.

    Each step rounds to float32 as in the published pipelines (so no fused multiply-add). The transform alone
    is in float64: a float32 one differs between processors by 2e-3 in a quiet band beside a loud one. Not
    every accelerator has float64.
    """
    centred = (frames - frames.mean(-1, keepdim=True)).flatten(0, -2)
    shaped = (centred[:, 1:] - centred[:, :-1] * PREEMPHASIS).mul_(_window_on(bank, str(frames.device)))
    exact = torch.float32 if frames.device.type == "mps" else torch.float64
    padded = shaped.new_zeros((len(shaped), bank.fft_samples), dtype=exact)
    # Kaldi makes the first sample its own predecessor; both windows weigh it with 0, so it stays out
    padded[:, 1 : bank.frame_samples] = shaped
    parts = torch.view_as_real(torch.fft.rfft(padded)).float().square_()
    power = parts[..., 0] + parts[..., 1]
    rows = [power[:, bins] @ triangles for bins, triangles in _bands_on(bank, str(frames.device))]
    return torch.cat(rows, -1).clamp_min_(FLOOR).log_().unflatten(0, frames.shape[:-1])


def log_mel(waveforms, bank: FilterBank | None = None) -> torch.Tensor:
    """Return log-mel energies (b frames mels) float32 of waveforms (b s); (frames mels) for one waveform
    (s,).

    Waveforms are tensors, arrays or lists of numbers; integers are scaled (see `to_samples`). Natural
    logarithm, frames that fit wholly (`bank.frames(s)`), on the waveforms' device, differentiable. Whatever
    an encoder does to the waveform first (its mean removed, times 2**15) and to the result (padding,
    normalising) is the caller's business. Raises ValueError where not even one frame fits.
    Source: `torchaudio.compliance.kaldi.fbank` 2.11 with dither 0; agrees to 2e-3 at most, 1e-4 on average.
    """
    bank = bank or FilterBank()
    waveforms = to_samples(waveforms)
    if waveforms.ndim not in (1, 2):
        raise ValueError(f"log_mel takes (b s) or (s,), not a tensor of shape {tuple(waveforms.shape)}")
    count = bank.frames(waveforms.shape[-1])
    if count == 0:
        raise ValueError(
            f"a waveform of {waveforms.shape[-1]} samples is shorter than one frame of {bank.frame_samples}; "
            "pad it first (fit_length)"
        )
    clips = waveforms.reshape(-1, waveforms.shape[-1])
    if len(clips) == 0:
        return clips.new_empty(0, count, bank.mels)
    frames = clips.unfold(-1, bank.frame_samples, bank.shift_samples)  # a view: nothing is copied yet
    block = (BLOCK_SAMPLES if clips.device.type == "cpu" else 64 * BLOCK_SAMPLES) // bank.fft_samples or 1
    with torch.autocast(clips.device.type, enabled=False):  # half precision would lose the quiet bands
        rows = [
            torch.cat([_mel_of_frames(part, bank) for part in group.split(block, dim=1)], dim=1)
            for group in frames.split(max(1, block // count))
        ]
    return torch.cat(rows).reshape(*waveforms.shape[:-1], count, bank.mels)
