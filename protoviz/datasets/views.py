"""Training clips in several views: mixed with another, shifted in time, in noise, louder or softer.

    clips = with_views(clips, Views(count=4, shift=Shift(), noise=Noise(snr=(5, 20))))

A view is a clip of its own in the table, behind all clips, so whatever encodes, checks and repairs token maps
of clips does so of views. Each step is drawn from the seed, the clip's id and the view's number alone.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd

from protoviz.datasets.clips import ClipSet

MARK = "~"  # between a clip's id and the number of its view
# Of a table with views: its number, 0 for the clip itself; the clip's id; the id of whom it is mixed with.
COLUMNS = ("view", "view_of", "view_with")


@dataclass(frozen=True)
class Mixture:
    """With another training clip, whose labels it then has too."""

    chance: float = 0.9  # that a view is mixed: as in the paper's copies of BirdSet
    level: tuple[float, float] = (-12.0, 0.0)  # dB of the other clip, by root mean square

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise ValueError(f"chance {self.chance}: give 0 to 1")

    def __call__(self, sound: np.ndarray, make: np.random.Generator, other: np.ndarray | None) -> np.ndarray:
        if other is None:
            return sound
        added = np.zeros_like(sound)
        added[: len(other)] = other[: len(sound)]
        return sound + _at_level(added, sound, make.uniform(*self.level))


@dataclass(frozen=True)
class Shift:
    """Later or earlier; what leaves at one end comes in at the other."""

    share: float = 0.5  # of the clip, at most

    def __call__(self, sound: np.ndarray, make: np.random.Generator, other: None) -> np.ndarray:
        return np.roll(sound, round(make.uniform(-self.share, self.share) * len(sound)))


@dataclass(frozen=True)
class Noise:
    """In background noise with a spectrum of 1 / f^slope."""

    snr: tuple[float, float] = (5.0, 25.0)  # dB of the clip over the noise, by root mean square
    slope: tuple[float, float] = (0.0, 2.0)  # of its power: 0 white, 1 pink, 2 brown

    def __call__(self, sound: np.ndarray, make: np.random.Generator, other: None) -> np.ndarray:
        spectrum = np.fft.rfft(make.standard_normal(len(sound)))
        falling = np.arange(1, len(spectrum) + 1) ** (-make.uniform(*self.slope) / 2)
        noise = np.fft.irfft(spectrum * falling, len(sound))
        return sound + _at_level(noise, sound, -make.uniform(*self.snr))


@dataclass(frozen=True)
class Gain:
    """Louder or softer."""

    decibels: tuple[float, float] = (-12.0, 6.0)

    def __call__(self, sound: np.ndarray, make: np.random.Generator, other: None) -> np.ndarray:
        return sound * 10 ** (make.uniform(*self.decibels) / 20)


def _at_level(sound: np.ndarray, beside: np.ndarray, decibels: float) -> np.ndarray:
    """A sound at a level relative to that of another one; silence stays what it is."""
    own, wanted = (float(np.sqrt(np.mean(np.square(one, dtype=np.float64)))) for one in (sound, beside))
    return sound * (wanted / own * 10 ** (decibels / 20) if own else 1.0)


@dataclass(frozen=True)
class Views:
    """How many views a training clip is kept in, and how those beside itself are made; None: not so."""

    count: int = 1  # of each training clip, itself among them: as many times the bytes
    seed: int = 0  # of all that is drawn
    mixture: Mixture | None = None
    shift: Shift | None = None
    noise: Noise | None = None
    gain: Gain | None = None

    STEPS: ClassVar = ("mixture", "shift", "noise", "gain")  # in this order

    def __post_init__(self) -> None:
        if self.count < 1 or self.seed < 0:
            raise ValueError(f"count {self.count}, seed {self.seed}: give at least 1 view, and a seed from 0")
        if self.count > 1 and not any(getattr(self, name) for name in self.STEPS):
            raise ValueError(f"{self.count} views alike: say how they differ, by {', '.join(self.STEPS)}")

    def generator(self, clip: str, view: int, step: str) -> np.random.Generator:
        """Return what one step of one view is drawn from."""
        told = json.dumps([self.seed, clip, view, step]).encode()
        return np.random.default_rng(int.from_bytes(hashlib.sha256(told).digest()[:8], "little"))

    def made(self, sound: np.ndarray, clip: str, view: int, other: np.ndarray | None = None) -> np.ndarray:
        """Return a view (s,) float32 of a sound; other: of the clip that it is mixed with."""
        for name in self.STEPS:
            if step := getattr(self, name):
                sound = step(sound, self.generator(clip, view, name), other)
        return sound.astype(np.float32)


def with_views(clips: ClipSet, views: Views) -> ClipSet:
    """Return the clips, and behind them the further views of those for training, as clips of their own.

    Their ids are CLIP~1, CLIP~2 ...; the table has the columns COLUMNS beside its own. Of one view: the same.
    """
    if views.count == 1:
        return clips
    own = clips.table.assign(view=0, view_of=clips.table["clip"], view_with="")
    train = own[own["split"] == "train"]
    held = [list(labels) for labels in train.labels]
    parts = [own]
    for view in range(1, views.count):
        others = [_other(views, clip, view, len(train), row) for row, clip in enumerate(train["clip"])]
        part = train.assign(view=view, clip=[f"{clip}{MARK}{view}" for clip in train["clip"]])
        part["view_with"] = ["" if row < 0 else train["clip"].iloc[row] for row in others]
        both = [held[row] + (held[other] if other >= 0 else []) for row, other in enumerate(others)]
        part["labels"] = [list(dict.fromkeys(labels)) for labels in both]
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return ClipSet(clips.name, clips.classes, table, ViewReader(clips, views), clips.skipped, clips.notes)


def _other(views: Views, clip: str, view: int, count: int, row: int) -> int:
    """The row of the training clip that a view is mixed with; -1: none."""
    make = views.generator(clip, view, "other")
    if views.mixture is None or count < 2 or make.random() >= views.mixture.chance:
        return -1
    drawn = int(make.integers(count - 1))
    return drawn + (drawn >= row)  # any but itself


@dataclass(frozen=True)
class ViewReader:
    """Reads the clips of a set, and makes views of them."""

    clips: ClipSet
    views: Views

    @property
    def sample_rate(self) -> int | None:
        return self.clips.sample_rate

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {clip: row for row, clip in enumerate(self.clips.table["clip"])}

    def read(self, row: pd.Series) -> np.ndarray:
        sound = self.clips.read(self._rows[row["view_of"]])
        if not row["view"]:
            return sound
        other = self.clips.read(self._rows[row["view_with"]]) if row["view_with"] else None
        return self.views.made(np.asarray(sound), row["view_of"], int(row["view"]), other)

    def events(self, row: pd.Series) -> Sequence:
        """Return the events of a clip itself; those of another view are not known."""
        return () if row["view"] else self.clips.events(self._rows[row["view_of"]])

    def fingerprint(self) -> str:
        return json.dumps([self.clips.reader.fingerprint(), asdict(self.views)])
