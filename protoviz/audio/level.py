"""How loud a sound is, in dBFS: decibels below a sample at full scale."""

from dataclasses import dataclass

import numpy as np

from protoviz.audio.waveforms import mono

CLICK_SECONDS = 0.001  # so long the very loudest samples may be without making a quiet sound a loud one


@dataclass(frozen=True)
class Level:
    """How loud a sound is once its constant part is taken out; dBFS, -inf where nothing is left.

    peak    of the loudest sample
    rms     of all samples; a constant at full scale would have 0
    loud    of the loudest sample when the loudest millisecond is left out, so that no single click counts
    offset  the constant part, as a share of full scale
    """

    peak: float
    rms: float
    loud: float
    offset: float


def level_of(waveform, sample_rate: int) -> Level:
    """Return the `Level` of a waveform (s,); of an empty one it is that of silence."""
    samples = mono(waveform).astype(np.float64)
    if not len(samples):
        return Level(-np.inf, -np.inf, -np.inf, 0.0)
    offset = float(samples.mean())
    size = np.abs(samples - offset)
    rms = float(np.sqrt(np.square(size).mean()))
    if size.max() <= np.spacing(np.float32(abs(offset))):  # what float32 rounds a constant by is no sound
        size, rms = np.zeros(1), 0.0
    last = max(0, len(size) - 1 - round(CLICK_SECONDS * sample_rate))
    return Level(
        decibels(size.max()), decibels(rms), decibels(np.partition(size, last)[last]), round(offset, 6)
    )


def decibels(amplitude: float) -> float:
    """Return dB of an amplitude against 1; -inf for 0."""
    return 20 * float(np.log10(amplitude)) if amplitude > 0 else -np.inf


def gain(decibels: float) -> float:
    """Return the factor of an amplitude that so many dB are."""
    return 10.0 ** (decibels / 20)
