"""Few-shot training sets out of long recordings with detected events, and mixup copies of their clips."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from protoviz.datasets.files import Mix, Row


@dataclass(frozen=True)
class FewShotRules:
    """How a few-shot training set is drawn. "Paper" is Rauch et al., section on bioacoustics."""

    shots: int = 64  # events a species: paper
    copies: int = 5  # made before caching: paper; that the clips stay beside their copies is not stated
    mixup: float = 0.9  # with which probability a copy is a mix: paper
    decibels: tuple[float, float] = (0.0, 5.0)  # own sound above the other: BirdSet's default; not stated
    condition: str = "lenient"  # a key of CONDITIONS: that of Bird-MAE's script; not stated
    fill_up: bool = False  # as in that script; not stated


class Recording(NamedTuple):
    """One long recording of one main species, as BirdSet lists it."""

    file: str
    primary: str
    labels: tuple[str, ...]  # the main species and those in the background that are classes
    secondary: tuple[str, ...]  # all species in the background
    seconds: float
    events: tuple[tuple[float, float], ...] = ()  # detected, in seconds
    clusters: tuple[int, ...] = ()  # of each event; -1: noise
    licence: str = ""


class Shot(NamedTuple):
    """One event chosen from a recording."""

    recording: Recording
    number: int  # among the events that the rules leave of it
    onset: float
    offset: float


def strict(recording: Recording) -> bool:
    """Return whether a file is so short (5 s) that its event need not be found in it."""
    return recording.seconds <= 5.0


def lenient(recording: Recording) -> bool:
    """Return whether a file is short (20 s) and no other species is in it."""
    return recording.seconds <= 20.0 and not recording.secondary


def everything(recording: Recording) -> bool:
    """Return every recording."""
    return True


CONDITIONS: dict[str, Callable[[Recording], bool]] = {
    "strict": strict,
    "lenient": lenient,
    "all": everything,
}


def events_of(recording: Recording) -> list[tuple[float, float]]:
    """Return the events (onset, offset) that stand for a recording's main species.

    Those of the largest cluster, the smallest number among equals. An event of noise is left out, unless it
    is the only event: BirdSet's rule. An event that lies strictly inside another is left out. Where none is
    left, as of two that are both noise, it is the recording's first 5 s.
    """
    events, clusters = list(recording.events), list(recording.clusters)
    if len(events) > 1 or clusters != [-1]:
        events = [e for e, c in zip(events, clusters, strict=True) if c != -1]
        clusters = [c for c in clusters if c != -1]
    if not events:
        return [(0.0, 5.0)]
    values, counts = np.unique(clusters, return_counts=True)
    largest = values[counts.argmax()]
    events = [e for e, c in zip(events, clusters, strict=True) if c == largest]
    return [e for e in events if not any(o[0] < e[0] and o[1] > e[1] for o in events)]


def few_shot(
    recordings: Iterable[Recording],
    shots: int,
    *,
    condition: str = "lenient",
    fill_up: bool = False,
    seed: int = 0,
) -> list[Shot]:
    """Return at most `shots` events of each main species, from as many recordings as possible.

    The rules of BirdSet's and Bird-MAE's sampler: of the recordings that satisfy the condition one random
    event each (its primary one); where these are too few, random ones of the other events. fill_up: where
    both are too few, the same from recordings that do not satisfy it. Species by name, recordings by file,
    so that the result depends on the seed alone.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"condition {condition!r} is unknown; choose one of {', '.join(CONDITIONS)}")
    rng = np.random.default_rng(seed)
    ordered = sorted(recordings, key=lambda recording: recording.file)
    fits = CONDITIONS[condition]
    stages = [[recording for recording in ordered if fits(recording)]]
    if fill_up:
        stages.append([recording for recording in ordered if not fits(recording)])
    pools = [_by_species(stage, rng) for stage in stages]
    chosen = []
    for species in sorted({recording.primary for recording in ordered}):
        found: list[Shot] = []
        for pool in pools:
            for shots_of in pool.get(species, ((), ())):  # primary ones, then the others
                found += _drawn(shots_of, shots - len(found), rng)
        chosen += found
    return chosen


def _by_species(recordings: Iterable[Recording], rng: np.random.Generator) -> dict[str, tuple[list, list]]:
    """Species -> (one random event of each of its recordings, all other events)."""
    pools: dict[str, tuple[list, list]] = {}
    for recording in recordings:
        first, others = pools.setdefault(recording.primary, ([], []))
        events = [Shot(recording, number, *event) for number, event in enumerate(events_of(recording))]
        first.append(events.pop(int(rng.integers(len(events)))))
        others += events
    return pools


def _drawn(shots: Sequence[Shot], count: int, rng: np.random.Generator) -> list[Shot]:
    if len(shots) <= count:
        return list(shots)
    return [shots[i] for i in sorted(rng.choice(len(shots), max(count, 0), replace=False))]


def window_of(shot: Shot, seconds: float) -> float:
    """Return where a window of `seconds` begins with the event in its middle, as far as the file allows."""
    begin = (shot.onset + shot.offset - seconds) / 2
    return float(min(max(begin, 0.0), max(shot.recording.seconds - seconds, 0.0)))


def mixup_copies(
    rows: Sequence[Row], copies: int, p: float, decibels: tuple[float, float] = (0.0, 5.0), seed: int = 0
) -> list[Row]:
    """Return `copies` further rows of each: with probability p another row's sound is added and its labels
    joined.

    decibels: how far the row's own sound lies above the other's, drawn evenly. Without a mix (probability
    1 - p) the copy is the row again under another id. One row has no partner and is only repeated.
    """
    rng = np.random.default_rng(seed)
    made = []
    for number, row in enumerate(rows):
        for copy in range(1, copies + 1):
            mix, labels = None, set(row.labels)
            if rng.random() < p and len(rows) > 1:
                other = rows[(number + int(rng.integers(1, len(rows)))) % len(rows)]
                mix = Mix(str(other.path), other.offset, round(float(rng.uniform(*decibels)), 3))
                labels |= set(other.labels)
            made.append(row._replace(clip=f"{row.clip}+{copy}", labels=sorted(labels), mix=mix))
    return made
