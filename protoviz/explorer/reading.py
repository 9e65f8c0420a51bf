"""One clip, and what an encoder and its probes make of it, as arrays that nobody can write."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from protoviz.analysis.loudness import SILENCE, judged
from protoviz.audio import Box, Level
from protoviz.explorer.sound import Taken
from protoviz.scenes import Event


@dataclass(frozen=True, eq=False)
class Explained:
    """One probe's explanation of one clip, as read-only arrays. Letters: c class, j prototype, t, f.

    `contributions` (c p) and `bias` (c) sum to `logits` (c). Where the probe has places, p runs over
    prototypes and scores (j), locations n (j) and similarity (j t f) are there; else they are None.
    """

    kind: str
    logits: np.ndarray
    contributions: np.ndarray
    bias: np.ndarray
    scores: np.ndarray | None
    locations: np.ndarray | None
    similarity: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Reading:
    """One clip and what encoder and probes made of it. Arrays are read-only: sessions share them."""

    waveform: np.ndarray  # (s,) float32; empty where a study shows the clip and its sound did not travel
    sample_rate: int
    events: tuple[Event, ...]  # empty where it is not known what sounds where
    truth: frozenset[str] | None  # labels of what sounds; None where they are not known
    picture: np.ndarray  # uint8 (mel rows, frames): 0 lies `span` dB below 255, see `mel_picture`
    span: float  # dB
    explained: Mapping[str, Explained]  # probe -> explanation
    level: Level  # of the waveform
    taken: Taken  # what was done to it before
    seconds: float  # length of the sound, also where it did not travel; the picture may be longer

    @property
    def audible(self) -> bool:
        """There is a sound to play."""
        return len(self.waveform) > 0

    @property
    def origin(self) -> float:
        """Where in its file the clip starts, seconds."""
        return self.taken.start

    def in_file(self, box) -> Box:
        """Return a box of the clip (a cell, an event) at its time in the file."""
        return Box(self.origin + box.onset, self.origin + box.offset, box.low_hz, box.high_hz)

    @property
    def silent(self) -> bool:
        """Nothing sounds: what the probes say is what they say of nothing, and no cell is a place."""
        return self.audible and judged(self.level) == SILENCE


def read_only(array) -> np.ndarray:
    """Return a copy that nobody can write."""
    array = np.array(array)
    array.setflags(write=False)
    return array


def explained_of(explanation, grid: tuple[int, int]) -> Explained:
    """Return the first clip of an explanation in arrays, its maps on the encoder's grid (t f)."""
    found = {name: getattr(explanation, name) for name in ("scores", "locations", "similarity")}
    if explanation.locations is None:
        found = dict.fromkeys(found)
    elif found["similarity"] is not None:  # of a probe that was built without a grid it is a mere row
        found["similarity"] = found["similarity"].reshape(*found["similarity"].shape[:2], *grid)
    return Explained(
        explanation.kind,
        read_only(explanation.logits[0]),
        read_only(explanation.contributions[0]),
        read_only(explanation.bias),
        **{name: None if value is None else read_only(value[0]) for name, value in found.items()},
    )
