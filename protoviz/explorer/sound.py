"""What is heard: a window of a file, and what is done to it before."""

from dataclasses import dataclass

import numpy as np

from protoviz.analysis.loudness import gain_to_trained
from protoviz.audio import AudioError, gain, level_of, read_channels
from protoviz.audio.sources import Source, source_name

MEAN = -1  # of the channels
CONSTANT = 0.001, 0.01  # of full scale: no constant part is taken out below, each from here on


@dataclass(frozen=True)
class Taken:
    """What was done to a sound before it is played, drawn and encoded.

    start     where in its file it begins, seconds
    gain      dB by which it was turned up, to the level of the training scenes; 0: not normalised
    offset    the constant part that was taken out, as a share of full scale; 0: none
    channels  of the file
    apart     dB by which the mean lies below the loudest channel; 0 where one channel was chosen
    """

    start: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    channels: int = 1
    apart: float = 0.0


def open_sound(
    source: Source,
    sample_rate: int,
    seconds: float,
    start: float = 0.0,
    channel: int = MEAN,
    normalise: bool = False,
) -> tuple[np.ndarray, Taken]:
    """Return the window (s,) float32 of a file that begins at `start` seconds, and what was done to it.

    channel: from 0; MEAN: the mean of all. A constant part is taken out: most front ends do that themselves,
    and none was trained to hear one. normalise: at the level of the training scenes; what then lies beyond
    full scale, in the loudest millisecond, is cut. Raises AudioError.
    """
    channels = read_channels(source, sample_rate, offset=start, duration=seconds)
    channels = channels[:, : round(seconds * sample_rate)]
    if not MEAN <= channel < len(channels):
        raise AudioError(f"{source_name(source)}: it has {len(channels)} channels, not {channel + 1}")
    wave, apart = (channels[channel], 0.0) if channel != MEAN else (channels.mean(axis=0), None)
    level = level_of(wave, sample_rate)
    if apart is None:
        apart = _apart(channels, level.rms, sample_rate) if len(channels) > 1 else 0.0
    least = np.clip(gain(level.rms), *CONSTANT)  # in between: where it is more than what sounds
    offset = level.offset if abs(level.offset) >= least else 0.0
    if offset:
        wave = wave - wave.mean(dtype=float).astype(np.float32)
    more = gain_to_trained(level) if normalise else 0.0
    if more:
        wave = np.clip(wave * np.float32(gain(more)), -1, 1)
    return wave, Taken(start, more, offset, len(channels), apart)


def _apart(channels: np.ndarray, mean: float, sample_rate: int) -> float:
    """dB by which the mean of the channels, at this rms in dBFS, lies below the loudest of them."""
    loudest = max(level_of(channel, sample_rate).rms for channel in channels)
    return 0.0 if loudest == mean else loudest - mean  # equal, where all are silent: inf - inf is no number
