"""Mel spectrograms in decibels as torchaudio makes them: what Dasheng and BAT were trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import torch
from torch import Tensor


@dataclass(frozen=True)
class MelConfig:
    """The settings of one front end; the defaults are Dasheng's."""

    sample_rate: int = 16000
    mels: int = 64
    fft_samples: int = 512  # also the window's length (periodic Hann)
    shift_samples: int = 160
    low_hz: float = 0.0
    high_hz: float = 8000.0
    floor: float = 1e-10  # of power
    range_db: float = 120.0  # below a clip's own maximum, everything is that far down

    def frames(self, samples: int) -> int:
        """Return frames of a clip: one every 10 ms, the first centred on its first sample."""
        return 1 + samples // self.shift_samples if samples > self.fft_samples // 2 else 0


def mel_filters(config: MelConfig) -> Tensor:
    """Return triangles (bins, mels) float32 on HTK's mel scale, 2595 log10(1 + f/700), with peaks of 1."""
    ends = 2595.0 * torch.log10(1 + torch.tensor([config.low_hz, config.high_hz], dtype=torch.float64) / 700)
    mels = torch.linspace(float(ends[0]), float(ends[1]), config.mels + 2)
    hertz = 700.0 * (10 ** (mels / 2595.0) - 1)
    bins = torch.linspace(0, config.sample_rate // 2, config.fft_samples // 2 + 1)
    away = hertz[None, :] - bins[:, None]
    steps = hertz.diff()
    return torch.minimum(-away[:, :-2] / steps[:-1], away[:, 2:] / steps[1:]).clamp_min(0)


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # or what a first call under inference mode makes could not serve a gradient
def _tables(config: MelConfig, device: str) -> tuple[Tensor, Tensor]:
    """Window and filters on a device."""
    return torch.hann_window(config.fft_samples).to(device), mel_filters(config).to(device)


def mel_decibels(waveforms: Tensor, config: MelConfig = MelConfig()) -> Tensor:
    """Return dB (b frames mels) float32 of waveforms (b s), ends reflected, within `range_db` of the clip's
    maximum.

    torchaudio takes that maximum over a whole batch, so that a quiet clip depends on its neighbours; this
    does not.
    """
    # The rounding of a float32 transform differs between processors, by 1e-4 dB in a quiet band.
    exact = torch.float32 if waveforms.device.type == "mps" else torch.float64
    size, shift = config.fft_samples, config.shift_samples
    with torch.autocast(waveforms.device.type, enabled=False):
        window, filters = _tables(config, str(waveforms.device))
        spectrum = torch.stft(waveforms.to(exact), size, shift, window=window.to(exact), return_complex=True)
        power = (spectrum.real.square() + spectrum.imag.square()).float()
        mels = power.transpose(1, 2) @ filters
        decibels = 10.0 * mels.clamp_min(config.floor).log10()
        return decibels.maximum(decibels.amax(dim=(1, 2), keepdim=True) - config.range_db)


def decibel_frames(
    clips: Sequence[Tensor], config: MelConfig, scaled: Callable[[Tensor], Tensor], frames: int | None = None
) -> Tensor:
    """Return `scaled` dB (b frames mels) of clips of any lengths: 0 after the last frame of each.

    frames: so many of each; None: those of the longest. What `scaled` is given are whole clips of one length.
    """
    counts = [config.frames(len(clip)) for clip in clips]
    out = clips[0].new_zeros(len(clips), max(counts) if frames is None else frames, config.mels)
    order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
    for _, alike in groupby(order, key=lambda i: len(clips[i])):  # the ends are reflected: no padding
        alike = list(alike)
        made = scaled(mel_decibels(torch.stack([clips[i] for i in alike]), config))[:, : out.shape[1]]
        out[alike, : made.shape[1]] = made
    return out
