"""Short tones at known cells, and what each of them moves: tokens and attention."""

from dataclasses import dataclass

import numpy as np
import torch

from protoviz.audio import CellGrid
from protoviz.encoders.base import Encoding
from protoviz.encoders.check.subject import LOUDNESS, Subject, moved

BACKGROUND, TONE = 0.05, 0.3  # loudness of noise and tone: were it fainter, the tone's skirts would tell
LOUDEST = 2.0  # times a tone: one that sounds in each clip
TONES = 9  # spread over time; a map of eight bands has one in each


@dataclass(frozen=True, eq=False)
class Toned:
    """An encoding of faint noise, and one for each tone that was added to it at a cell (t, f)."""

    cells: CellGrid
    places: list[tuple[int, int]]
    quiet: Encoding
    loud: list[Encoding]

    def by_tokens(self) -> list[np.ndarray]:
        """Return how much more than most cells each moved, (t f) a tone; sums to 1, or 0 if none moved."""
        return self._maps([moved(self.quiet, made) for made in self.loud])

    def by_attention(self, layer: int) -> list[np.ndarray]:
        """Return the same of the logarithm of one layer's attention, which depends less on other cells."""
        return self._maps([drift(self.quiet, made, layer).square().mean(0).sqrt() for made in self.loud])

    def _maps(self, found: list) -> list[np.ndarray]:
        maps = [above_most(np.asarray(values)) for values in found]
        usual = np.median([values.sum() for values in maps])
        # A tone that moves next to nothing says nothing of places: its part of the clip may not be encoded.
        heard = [values if values.sum() > 0.01 * usual else np.zeros_like(values) for values in maps]
        shape = self.cells.times, self.cells.freqs
        return [values.reshape(shape) / max(values.sum(), 1e-30) for values in heard]


def drift(one: Encoding, other: Encoding, layer: int) -> torch.Tensor:
    """Return (h n): how far the log of a layer's attention moved between two clips, less what most share."""
    logs = [made.attention[layer][0].double().clamp_min(1e-20).log().cpu() for made in (one, other)]
    off = logs[1] - logs[0]
    return off - off.median(dim=-1, keepdim=True).values


def above_most(values: np.ndarray) -> np.ndarray:
    """Return by how much each value is above the median, squared, so that single cells stand out."""
    return np.clip(values - np.median(values), 0, None) ** 2


def toned(subject: Subject, places: list[tuple[int, int]], attention: bool = False, silent: int = 0) -> Toned:
    """Return the encodings of faint noise behind some silent rows, a tone at each of the cells (t, f)."""
    encoder, cells = subject.encoder, subject.encoder.cell_grid()
    noise = subject.noise(subject.samples, 7) * np.float32(BACKGROUND / LOUDNESS)
    noise[: round(cells.time_edges[silent] * encoder.sample_rate)] = 0
    # The loudest sound is in all of them: some front ends scale a whole clip by it.
    noise += LOUDEST * tone(cells, cells.times - 1, cells.freqs // 2, len(noise))

    def encoded(sound: np.ndarray, what: str) -> Encoding:
        return subject.encode([sound], what, attention=attention).on_grid(encoder.grid)

    loud = [encoded(noise + tone(cells, t, f, len(noise)), "a tone in faint noise") for t, f in places]
    return Toned(cells, places, encoded(noise, "faint noise"), loud)


def spread_places(cells: CellGrid) -> list[tuple[int, int]]:
    """Return cells (t, f) from the begin of the map to its end, in all bands."""
    bands = np.random.default_rng(1).permutation(cells.freqs)
    return [(int((k + 0.5) / TONES * cells.times), int(bands[k % len(bands)])) for k in range(TONES)]


def tone(cells: CellGrid, t: int, f: int, samples: int) -> np.ndarray:
    """Return a tone (s,) float32 in the middle of one cell, with soft ends."""
    box = cells.box(t, f)
    when = np.arange(samples) / cells.sample_rate
    middle, width = (box.onset + box.offset) / 2, max(box.offset - box.onset, 0.04)
    envelope = np.where(np.abs(when - middle) < width / 2, np.cos(np.pi * (when - middle) / width) ** 2, 0)
    hertz = (max(box.low_hz, 40.0) + box.high_hz) / 2
    return (TONE * envelope * np.sin(2 * np.pi * hertz * when)).astype(np.float32)
