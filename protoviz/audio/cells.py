"""Where a token lies in sound: cell <-> (seconds, hertz) for any grid."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from protoviz.audio.filterbank import band_edges, hertz_to_mel


class Box(NamedTuple):
    """A rectangle in time and frequency: seconds and hertz."""

    onset: float
    offset: float
    low_hz: float
    high_hz: float


@dataclass(frozen=True)
class CellGrid:
    """The cells of a token map of T = times by F = freqs over so many seconds and low_hz..high_hz.

    Time: cell t spans t * seconds/T to (t+1) * seconds/T, counted by frame starts. A frame looks 25 ms ahead,
    so what a cell saw reaches 15 ms past its end (25 ms window less 10 ms shift) and its middle lies 7.5 ms
    later than drawn: a twentieth of a 160 ms cell, left uncorrected so that cells meet and start at 0.
    Frequency: cell f spans an equal share of the Kaldi mel axis 1127 ln(1 + f/700) from low_hz to high_hz.
    The mel triangles behind it overlap, so a cell also hears a little of its neighbours (`mel_edges_hz`).
    Cells are numbered time-major, n = t * F + f.
    """

    times: int
    freqs: int
    seconds: float
    sample_rate: int = 16000
    low_hz: float = 20.0
    high_hz: float | None = None  # None: half the sample rate, 8000 Hz here; a number once created

    def __post_init__(self):
        if self.high_hz is None:
            object.__setattr__(self, "high_hz", self.sample_rate / 2)
        if self.times < 1 or self.freqs < 1:
            raise ValueError(f"a grid needs at least one cell each way, not {self.times} x {self.freqs}")
        if not (np.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"a grid needs a length above 0 s, not {self.seconds}")
        if not 0 <= self.low_hz < self.high_hz <= self.sample_rate / 2:
            raise ValueError(
                f"grid range {self.low_hz}..{self.high_hz} Hz does not fit into 0..{self.sample_rate / 2} Hz"
            )

    @cached_property
    def time_edges(self) -> np.ndarray:
        """Seconds (T + 1,) at which cells meet; read-only."""
        return _fixed(np.arange(self.times + 1) * (self.seconds / self.times), self.seconds)

    @cached_property
    def hertz_edges(self) -> np.ndarray:
        """Hertz (F + 1,) at which cells meet, rising; read-only."""
        return _fixed(band_edges(self.freqs, self.low_hz, self.high_hz), self.high_hz)

    def box(self, t: int, f: int) -> Box:
        """Return seconds and hertz of cell (t, f). Raise IndexError outside the grid."""
        self.index(t, f)
        edges, hertz = self.time_edges, self.hertz_edges
        return Box(float(edges[t]), float(edges[t + 1]), float(hertz[f]), float(hertz[f + 1]))

    def cell(self, seconds: float, hertz: float) -> tuple[int, int]:
        """Return the cell (t, f) that holds a point; an edge belongs to the later, higher cell.

        A point outside the grid belongs to the nearest cell (a click on the frame of a picture).
        Raises ValueError for a point that is no number.
        """
        if np.isnan(seconds) or np.isnan(hertz):
            raise ValueError(f"a point needs numbers, not {seconds} s, {hertz} Hz")
        t = int(np.searchsorted(self.time_edges, seconds, side="right")) - 1
        f = int(np.searchsorted(self.hertz_edges, hertz, side="right")) - 1
        return min(max(t, 0), self.times - 1), min(max(f, 0), self.freqs - 1)

    def index(self, t, f):
        """Return token number n = t * F + f; numbers or arrays. Raise IndexError outside the grid.

        >>> CellGrid(times=64, freqs=8, seconds=10.24).index(3, 2)
        26
        """
        if np.any((np.asarray(t) < 0) | (np.asarray(t) >= self.times)) or np.any(
            (np.asarray(f) < 0) | (np.asarray(f) >= self.freqs)
        ):
            raise IndexError(f"cell ({t}, {f}) lies outside the grid of {self.times} x {self.freqs}")
        return t * self.freqs + f

    def place(self, n):
        """Return cell (t, f) of token n; numbers or arrays. Raise IndexError outside the grid."""
        if np.any((np.asarray(n) < 0) | (np.asarray(n) >= self.times * self.freqs)):
            raise IndexError(f"token {n} lies outside the grid of {self.times} x {self.freqs}")
        return n // self.freqs, n % self.freqs

    def overlap(self, box: Box) -> np.ndarray:
        """Share (t f) of each cell that a box covers, 0..1; frequency is measured on the mel axis.

        The sum is the box's area in cells. A box may be any four numbers (onset, offset, low_hz, high_hz).
        """
        onset, offset, low_hz, high_hz = box
        times = _covered(self.time_edges, onset, offset)
        mel = hertz_to_mel(np.maximum([low_hz, high_hz], 0.0))
        return times[:, None] * _covered(hertz_to_mel(self.hertz_edges), *mel)[None, :]


def _fixed(edges: np.ndarray, last: float) -> np.ndarray:
    edges[-1] = last  # exact, so that the last edge is the clip's length and not an ulp beside it
    edges.setflags(write=False)  # shared by every caller
    return edges


def _covered(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """Share of each interval between edges that low..high covers."""
    both = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    return np.clip(both / np.diff(edges), 0.0, 1.0)
