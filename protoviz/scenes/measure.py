"""Where a sound lies in time and frequency, measured from the sound itself: energies of short frames in mel
bands.

The rule for boxes. The sound's energy is taken in frames of 32 ms every 10 ms and in 64 bands equally wide in
mel. A (frame, band) place is *clear* when it is above the background's mean energy in that band and within 40
dB of the sound's own loudest place. Onset and offset are the first and the last frame with clear places; the
band holds 98 % of the clear places, 1 % cut at either end. Other events are not looked at: a box says where
an event stands out from the background, not whether a louder event covers it.
"""

import numpy as np

from protoviz.audio import CellGrid
from protoviz.scenes.exact import RATE

HOP = 160
WINDOW = 512
BANDS = 64
CLEAR_DB = 40.0  # below the loudest place: about what a 50 dB colour scale still shows
LOUD_DB = 30.0  # frames that count for a sound's level, below its loudest frame
FLOOR_DB = 25.0  # how far under the mean band an empty band of a background may count
_HANN = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)


def _band_bins() -> np.ndarray:
    """First FFT bin of each band and the end of the last: 65 rising whole numbers."""
    top = 1127.0 * np.log1p(RATE / 2 / 700.0)
    hertz = 700.0 * np.expm1(np.linspace(0.0, top, BANDS + 1) / 1127.0)
    bins = np.rint(hertz * WINDOW / RATE).astype(int)
    for i in range(1, BANDS + 1):
        bins[i] = max(bins[i], bins[i - 1] + 1)
    return bins


BAND_BINS = _band_bins()
BAND_HERTZ = BAND_BINS * (RATE / WINDOW)


def band_energies(sound: np.ndarray, every: int = 1) -> np.ndarray:
    """Return energies (t, 64) of frames centred at 5 ms, 15 ms, ...; `every` keeps each n-th frame only."""
    frames = -(-len(sound) // HOP)
    before = (WINDOW - HOP) // 2
    padded = np.zeros(frames * HOP + WINDOW)
    padded[before : before + len(sound)] = sound
    view = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: frames * HOP : HOP * every]
    spectrum = np.fft.rfft(view * _HANN)
    power = spectrum.real**2 + spectrum.imag**2
    return np.add.reduceat(power, BAND_BINS[:-1], axis=1)


def floor_of(background: np.ndarray) -> np.ndarray:
    """Return mean energy (64,) of a background in each band, no band lower than 25 dB under the mean band.

    Noise from white to 4 dB an octave never reaches that limit. A recording that is nearly empty in a band
    does: without it an event there would be placed so low that nobody heard it beside the others.
    """
    energies = band_energies(background, every=8).mean(axis=0)
    return np.maximum(energies, energies.mean() * 10 ** (-FLOOR_DB / 10) + 1e-9)


def level(energies: np.ndarray, background: np.ndarray) -> float:
    """Return how far a sound stands above the background, in decibels.

    It is the mean energy of the sound's loud frames (within 30 dB of its loudest) over the background's. Both
    are taken inside the sound's own band (98 % of its energy). That has three mel bands at least, so that a
    pure tone is not favoured.
    """
    frames = energies.sum(axis=1)
    spectrum = energies[frames > frames.max() * 10 ** (-LOUD_DB / 10)].mean(axis=0)
    low, high = _middle(spectrum, 0.01)
    low, high = max(0, min(low, high - 3)), min(BANDS, max(high, low + 3))
    return 10.0 * np.log10(spectrum[low:high].sum() / background[low:high].sum())


def loudness(sound: np.ndarray) -> float:
    """Return mean energy of a sound's loud frames (within 30 dB of its loudest) over all bands, in decibels.

    Unlike `level` it knows of no background and no band: a broad sound is louder than a tone of that level.
    """
    frames = band_energies(sound).sum(axis=1)
    return float(10.0 * np.log10(frames[frames > frames.max() * 10 ** (-LOUD_DB / 10)].mean()))


def cell_energies(sound: np.ndarray, grid: CellGrid, start: int = 0) -> np.ndarray:
    """Return energy (t f) of a sound at 16 kHz in each cell of a grid, the sound starting at sample `start`
    of it.

    A frame (10 ms) counts where its middle lies and a band where its middle does, so cells sum to all of the
    sound's energy; what lies beyond the grid counts in its nearest cell.
    """
    energies = band_energies(sound)
    seconds = (start + (np.arange(len(energies)) + 0.5) * HOP) / RATE
    t = np.clip((seconds / grid.seconds * grid.times).astype(int), 0, grid.times - 1)
    middle = np.sqrt(BAND_HERTZ[:-1] * np.maximum(BAND_HERTZ[1:], 1.0))
    f = np.clip(np.searchsorted(grid.hertz_edges, middle, side="right") - 1, 0, grid.freqs - 1)
    cells = np.zeros((grid.times, grid.freqs))
    np.add.at(cells, (t[:, None], f[None, :]), energies)
    return cells


def extent(energies: np.ndarray, background: np.ndarray) -> tuple[int, int, int, int]:
    """Return first frame, end frame, lowest band, end band of a sound: the box rule of this file's head."""
    limit = np.maximum(background, energies.max() * 10 ** (-CLEAR_DB / 10))
    clear = energies > limit
    if not clear.any():  # wholly below the background: its loudest place is all that can be said
        clear = energies == energies.max()
    frames = np.flatnonzero(clear.any(axis=1))
    low, high = _middle(clear.sum(axis=0), 0.01)
    return int(frames[0]), int(frames[-1]) + 1, low, high


def _middle(weights: np.ndarray, cut: float) -> tuple[int, int]:
    """First and end index of the part that is left when a share `cut` is taken off either end."""
    total = np.add.accumulate(weights.astype(np.float64))
    low = int(np.searchsorted(total, cut * total[-1], side="right"))
    high = int(np.searchsorted(total, (1 - cut) * total[-1], side="left"))
    return low, high + 1
