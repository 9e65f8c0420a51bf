"""The steady background of a clip, estimated and made anew: what to hear where something was taken out."""

import numpy as np
import scipy.signal

WINDOW_SECONDS = 0.032  # 31 Hz a bin: finer than the mel bands that an encoder hears
QUIET_SHARE = 0.2  # of the frames, the quietest in each bin: events rarely fill more than the rest


def background_noise(waveform: np.ndarray, sample_rate: int, seed: int = 0) -> np.ndarray:
    """Return noise (s,) float32 with the spectrum and level of the waveform's steady background; of this
    seed.

    In each frequency bin the quietest fifth of the frames tells the level: a frame of steady Gaussian noise
    has an exponentially distributed power, whose 20 % quantile is -ln(1 - 0.2) = 0.22 of its mean. Sound
    that is there all the time counts as background; where a fifth of the clip is digital silence, so is what
    comes back.
    """
    waveform = np.asarray(waveform, dtype=np.float64)
    window = round(WINDOW_SECONDS * sample_rate)
    if len(waveform) < window:
        return np.zeros(len(waveform), dtype=np.float32)
    shape = {"nperseg": window, "noverlap": window // 2, "window": "hann"}
    _, _, frames = scipy.signal.stft(waveform, sample_rate, boundary=None, padded=False, **shape)
    power = np.quantile(np.abs(frames) ** 2, QUIET_SHARE, axis=1) / -np.log(1 - QUIET_SHARE)
    noise = np.random.default_rng(seed).standard_normal(len(waveform))
    _, _, white = scipy.signal.stft(noise, sample_rate, **shape)
    flat = np.mean(np.abs(white) ** 2, axis=1)
    _, shaped = scipy.signal.istft(white * np.sqrt(power / flat)[:, None], sample_rate, **shape)
    return np.pad(shaped, (0, max(0, len(waveform) - len(shaped))))[: len(waveform)].astype(np.float32)
