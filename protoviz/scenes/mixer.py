"""Scenes: events of known place mixed over a background, bit-identical from the seed."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from protoviz.scenes.backgrounds import background_sound
from protoviz.scenes.exact import RATE, Draw, decibels_to_gain, faded, samples
from protoviz.scenes.measure import BAND_HERTZ, HOP, band_energies, extent, floor_of, level
from protoviz.scenes.synth import RECIPE_VERSION, ProceduralSources


@dataclass(frozen=True)
class Event:
    """One sound in a scene: its label, onset and offset (s) and band (Hz), measured from the sound."""

    label: str
    onset: float
    offset: float
    low_hz: float
    high_hz: float


@dataclass(frozen=True)
class Scene:
    """A mixed clip: waveform (s,) float32 on the grid k/32768, its events by onset."""

    waveform: np.ndarray
    sample_rate: int
    events: tuple[Event, ...]
    seed: int
    polyphony: int

    @property
    def labels(self) -> tuple[str, ...]:
        """The distinct labels of the events, in alphabetical order."""
        return tuple(sorted({event.label for event in self.events}))


class Sources(Protocol):
    """What the mixer needs: labels, and an event for a label and a stream of draws."""

    classes: tuple[str, ...]

    def sound(self, label: str, draw: Draw) -> np.ndarray: ...

    def fingerprint(self) -> str: ...


@dataclass(frozen=True)
class SceneConfig:
    """How scenes are mixed."""

    seconds: float = 10.24  # 1,024 frames of 10 ms: the geometry of the published encoders
    sample_rate: int = RATE  # recipes render at 16 kHz; nothing else is offered
    polyphony: tuple[int, int] = (1, 8)  # drawn uniformly where make_scene is given none
    event_db: tuple[float, float] = (
        10.0,
        26.0,
    )  # event over background in its own band: audible
    tilt_db: tuple[float, float] = (0.0, 4.2)  # fall of the coloured noise per octave: white to beyond pink
    peak: tuple[float, float] = (0.35, 0.9)  # of the whole scene: loudness varies, nothing clips
    background: tuple[str, ...] = ()  # recorded background files; empty: coloured noise

    def __post_init__(self) -> None:
        if self.sample_rate != RATE:
            raise ValueError(f"scenes are made at {RATE} Hz, not {self.sample_rate}; resample afterwards")
        if self.seconds < 0.5:
            raise ValueError(f"a scene needs at least 0.5 s to hold an event, not {self.seconds}")
        if not 1 <= self.polyphony[0] <= self.polyphony[1]:
            raise ValueError(f"polyphony {self.polyphony} must start at 1 or above, lower bound first")
        if not 0 < self.peak[0] <= self.peak[1] < 1:
            raise ValueError(f"peak {self.peak} must lie inside 0..1, lower bound first")


_PLAN, _BACKGROUND, _FIRST_EVENT = 0, 1, 2  # the last number of a draw's key: streams that never mix


@dataclass(frozen=True)
class Part:
    """One event of a scene by itself, as loud as it is mixed: its sound (s,) and the sample it starts at."""

    event: Event
    sound: np.ndarray
    start: int


@dataclass(frozen=True)
class Parts:
    """What a scene is the sum of, before the whole is scaled: the background (s,) and its events."""

    background: np.ndarray
    events: tuple[Part, ...]  # in the order in which a rising polyphony adds them

    def mix(self) -> np.ndarray:
        """Return the sum (s,) float64 of background and events."""
        mix = self.background.copy()
        for part in self.events:
            mix[part.start : part.start + len(part.sound)] += part.sound
        return mix


def make_scene(
    seed: int,
    polyphony: int | None = None,
    *,
    sources: Sources | None = None,
    config: SceneConfig | None = None,
) -> Scene:
    """Return a scene of `polyphony` events with distinct labels, the same bits for the same arguments
    everywhere.

    polyphony: 1 to the number of classes; None draws it from the seed within `config.polyphony`.
    Each event lies wholly inside the scene at a random onset, `config.event_db` above the background.
    A seed's scene at polyphony k + 1 holds the k events of its scene at polyphony k, and one more.
    Pure: depends on its (picklable) arguments only, so any number of processes may make scenes in any order.
    Raises ValueError for a negative seed or an impossible polyphony.

    >>> scene = make_scene(seed=7, polyphony=4)
    >>> scene.waveform.shape, scene.labels
    ((163840,), ('bubbles', 'clock_tick', 'engine', 'plucked_string'))
    """
    config = config or SceneConfig()
    parts = scene_parts(seed, polyphony, sources=sources, config=config)
    mix, events = parts.mix(), [part.event for part in parts.events]
    peak = Draw(RECIPE_VERSION, seed, _PLAN, 1).between(*config.peak)
    waveform = np.rint(mix * (peak / np.abs(mix).max()) * 32768.0).astype(np.float32) / np.float32(32768.0)
    return Scene(waveform, RATE, tuple(sorted(events, key=lambda e: (e.onset, e.label))), seed, len(events))


def scene_parts(
    seed: int,
    polyphony: int | None = None,
    *,
    sources: Sources | None = None,
    config: SceneConfig | None = None,
) -> Parts:
    """Return the background and the events of `make_scene` with the same arguments, each by itself.

    The parts of a seed at polyphony k are the first k of its parts at any higher polyphony.
    """
    sources, config = sources or ProceduralSources(), config or SceneConfig()
    labels = _plan(seed, polyphony, sources.classes, config)
    length = samples(config.seconds)
    background = _background(seed, length, config)
    floor = floor_of(background)
    parts = []
    for slot, label in enumerate(labels):
        draw = Draw(RECIPE_VERSION, seed, _FIRST_EVENT + slot)
        place, above = draw.between(0.0, 1.0), draw.between(*config.event_db)
        sound = sources.sound(label, draw)
        if not sound.any():
            raise ValueError(f"seed {seed}: the event {label!r} is silent; a source has to give sound")
        sound, box = _level_event(sound, above, floor, length)
        start = int(place * (length - len(sound) + 1))
        parts.append(Part(_event(label, start, box, config.seconds), sound, start))
    return Parts(background, tuple(parts))


def scene_labels(
    seed: int,
    polyphony: int | None = None,
    *,
    sources: Sources | None = None,
    config: SceneConfig | None = None,
) -> tuple[int, tuple[str, ...]]:
    """Return polyphony and labels (alphabetical) of `make_scene` with the same arguments, without mixing."""
    sources, config = sources or ProceduralSources(), config or SceneConfig()
    labels = _plan(seed, polyphony, sources.classes, config)
    return len(labels), tuple(sorted(labels))


def _plan(seed: int, polyphony: int | None, classes: tuple[str, ...], config: SceneConfig) -> list[str]:
    if not 0 <= seed < 2**32:
        raise ValueError(f"the seed of a scene is a whole number from 0 to 2**32 - 1, not {seed}")
    draw = Draw(RECIPE_VERSION, seed, _PLAN)
    low, high = config.polyphony
    drawn = draw.whole(min(low, len(classes)), min(high, len(classes)))
    count = drawn if polyphony is None else polyphony
    if not 1 <= count <= len(classes):
        raise ValueError(f"polyphony {count} is impossible: 1 to {len(classes)} events with distinct labels")
    return draw.shuffled(classes)[:count]


def _background(seed: int, length: int, config: SceneConfig) -> np.ndarray:
    draw = Draw(RECIPE_VERSION, seed, _BACKGROUND)
    return background_sound(draw, length, config.tilt_db, config.background)


def _level_event(
    sound: np.ndarray, above: float, floor: np.ndarray, length: int
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The event scaled to `above` decibels over the background, and its box in frames and bands."""
    if len(sound) > length:
        sound = faded(sound[:length], 0.0, 0.05)
    sound = np.rint(sound * (2.0**20 / np.abs(sound).max())) / 2.0**20
    energies = band_energies(sound)
    # A level rounded to 0.01 dB is the same number on every machine; the FFT's last bit is not.
    gain = decibels_to_gain(round(above - level(energies, floor), 2))
    return sound * gain, extent(energies * gain**2, floor)


def _event(label: str, start: int, box: tuple[int, int, int, int], seconds: float) -> Event:
    first, end, low, high = box
    onset = round((start + first * HOP) / RATE, 3)
    offset = min(round((start + end * HOP) / RATE, 3), seconds)
    return Event(label, onset, offset, float(BAND_HERTZ[low]), float(BAND_HERTZ[high]))
