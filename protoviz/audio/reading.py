"""Sound files in, waveforms out."""

import numpy as np


def fit_length(waveform: np.ndarray, samples: int) -> np.ndarray:
    """The waveform (samples,): cut, or padded with zeros, at its end. Never the caller's own array."""
    if samples < 0:
        raise ValueError(f"cannot fit a waveform to {samples} samples")
    waveform = np.asarray(waveform)
    fitted = np.zeros((*waveform.shape[:-1], samples), dtype=waveform.dtype)
    kept = min(samples, waveform.shape[-1])
    fitted[..., :kept] = waveform[..., :kept]
    return fitted
