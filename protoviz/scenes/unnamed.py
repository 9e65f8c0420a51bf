"""Procedural sounds of no class, for an encoder to hear beside the classes: it learns sound at large.

One event is drawn in three steps: a voice (or two of them mixed), a course over time, a room. The ranges are
wide on purpose; what comes out has no name and no label.
"""

import numpy as np

from protoviz.scenes.exact import (
    Draw,
    band,
    contour,
    cycles_of,
    decay,
    faded,
    filtered,
    overlay,
    pulses,
    resonance,
    samples,
    sine,
    steady,
)


def unnamed_sound(draw: Draw) -> np.ndarray:
    """Return one event (s,) of no class at 16 kHz, float64, of 0.08 to 8 s."""
    count = samples(draw.octaves(0.08, 8.0))
    sound = _level(draw.pick(VOICES)(draw, count))
    if draw.between(0.0, 1.0) < 0.3:
        sound = sound + draw.between(0.2, 0.8) * _level(draw.pick(VOICES)(draw, count))
    sound = sound * _course(draw, count)
    if draw.between(0.0, 1.0) < 0.4:
        sound = _room(draw, sound)
    return faded(sound, draw.octaves(0.002, 0.4), draw.octaves(0.005, 0.8))


def _level(sound: np.ndarray) -> np.ndarray:
    """The sound with a peak of about 1, by a power of two, which no machine rounds."""
    return np.ldexp(sound, -int(np.frexp(max(np.abs(sound).max(), 2.0**-20))[1]))


def _line(draw: Draw, count: int, low: float, high: float) -> np.ndarray:
    """A pitch (s,) in hertz that wanders within a drawn part of low..high: steady, sliding or leaping."""
    centre, spread = draw.octaves(low, high), draw.octaves(1.0, 3.0)
    bottom, top = max(low, centre / spread), min(high, centre * spread)
    points = [draw.octaves(bottom, top * 1.001) for _ in range(draw.whole(2, 9))]
    line = contour(points, count, smooth=draw.between(0.0, 1.0) < 0.7)
    depth = draw.pick((0.0, 0.0, draw.between(0.0, 0.05), draw.between(0.0, 0.3)))
    return line * (1.0 + depth * sine(steady(draw.octaves(2.0, 60.0), count)))


def _tone(draw: Draw, count: int) -> np.ndarray:
    """A sine whose phase another sine of a drawn ratio bends: pure, bell-like or brassy."""
    cycles = cycles_of(_line(draw, count, 80.0, 6000.0))
    depth = contour([draw.pick((0.0, draw.between(0.0, 0.6))) for _ in range(3)], count)
    return sine(cycles + depth * sine(draw.pick((0.5, 1.0, 1.41, 2.0, 3.0)) * cycles))


def _buzz(draw: Draw, count: int) -> np.ndarray:
    """A pulse train of 20-700 Hz through a mouth of one to four resonances that changes its shape."""
    source = pulses(cycles_of(_line(draw, count, 20.0, 700.0)), draw.between(0.5, 0.97))
    source = source + draw.between(0.0, 0.4) * draw.noise(count)
    turn = contour([draw.between(0.0, 1.0) for _ in range(draw.whole(2, 6))], count)
    return filtered(source, _mouth(draw)) * turn + filtered(source, _mouth(draw)) * (1.0 - turn)


def _mouth(draw: Draw) -> np.ndarray:
    """Taps (s,) of up to four resonances of 150-6000 Hz."""
    rings = [
        resonance(draw.octaves(150, 6000), draw.octaves(0.0008, 0.006), draw.between(0.02, 0.08))
        for _ in range(draw.whole(1, 4))
    ]
    return overlay(max(len(ring) for ring in rings), [(0, ring) for ring in rings])


def _hiss(draw: Draw, count: int) -> np.ndarray:
    """Noise in up to three bands of any width, each of which swells by itself; smooth or rasping."""
    noise, sound = draw.noise(count), np.zeros(count)
    for _ in range(draw.whole(1, 3)):
        low = draw.octaves(60, 5000)
        high = min(low * draw.octaves(1.15, 8.0), 7800.0)
        swell = contour([draw.between(0.0, 1.0) for _ in range(draw.whole(2, 8))], count)
        sound += swell * filtered(noise, band(low, high, 511))
    if draw.between(0.0, 1.0) < 0.3:
        sound = sound * (pulses(cycles_of(_line(draw, count, 5.0, 150.0)), draw.between(0.3, 0.9)) + 0.5)
    return sound


def _grains(draw: Draw, count: int) -> np.ndarray:
    """Grains of 2-60 ms, even or irregular, 2-60 a second: chirps, clicks, bursts, all of one kind."""
    length = min(samples(draw.octaves(0.002, 0.06)), count)
    kind, low = draw.whole(0, 2), draw.octaves(150, 5000)
    times = max(1, round(draw.octaves(2, 60) * count / 16000))
    even, pieces = draw.between(0.0, 1.0) < 0.5, []
    for i in range(times):
        start = i * (count - length) // times if even else int(draw.between(0, count - length + 1))
        hertz = low * draw.octaves(0.8, 1.25)
        if kind == 0:
            grain = sine(cycles_of(contour([hertz, hertz * draw.octaves(0.6, 1.6)], length)))
        elif kind == 1:
            grain = sine(steady(hertz, length) + 0.25) * decay(length, length / 16000 / 5)
        else:
            grain = draw.noise(length) * decay(length, length / 16000 / 4)
        pieces.append((start, draw.between(0.3, 1.0) * faded(grain, 0.001, 0.3 * length / 16000)))
    return overlay(count, pieces)


def _struck(draw: Draw, count: int) -> np.ndarray:
    """Something with two to eight modes of 80-7000 Hz, wood to metal, struck once or in a rhythm."""
    base, ring = draw.octaves(80, 2500), draw.octaves(0.004, 0.3)
    modes = [(1.0, 1.0)] + [
        (draw.octaves(1.05, 6.0), draw.between(0.1, 1.0)) for _ in range(draw.whole(1, 7))
    ]
    rings = [
        resonance(min(base * ratio, 7000.0), ring / (0.5 + 0.5 * ratio), strength)
        for ratio, strength in modes
    ]
    stroke = overlay(max(len(one) for one in rings), [(0, one) for one in rings])
    step = max(1, samples(draw.octaves(0.03, 1.2)))
    strokes = min(count // step + 1, draw.whole(1, 24))
    return overlay(count, [(i * step, draw.between(0.5, 1.0) * stroke) for i in range(strokes)])


VOICES = (_tone, _buzz, _hiss, _grains, _struck)


def _course(draw: Draw, count: int) -> np.ndarray:
    """An envelope (s,): it swells, and at times it is cut into even pieces of 1-20 a second."""
    swell = contour([draw.between(0.15, 1.0) for _ in range(draw.whole(2, 8))], count)
    if draw.between(0.0, 1.0) < 0.7:
        return swell
    wave = sine(steady(draw.octaves(1.0, 20.0), count) + draw.between(0.0, 1.0))
    return swell * np.minimum(np.maximum(0.5 + draw.octaves(0.5, 4.0) * wave, 0.02), 1.0)


def _room(draw: Draw, sound: np.ndarray) -> np.ndarray:
    """The sound with a tail of 0.05-0.6 s behind it, which grows longer by it."""
    ring = samples(draw.octaves(0.05, 0.6))
    tail = 0.02 * draw.noise(ring) * decay(ring, ring / 16000 / 6)
    dry = np.concatenate([sound, np.zeros(ring)])
    return dry + draw.between(0.3, 2.0) * filtered(dry, tail)


class UnnamedSources:
    """Sources for `make_scene` of as many "classes" as events of no class may sound at once."""

    def __init__(self, at_once: int):
        self.classes = tuple(f"unnamed {i + 1}" for i in range(at_once))

    def sound(self, label: str, draw: Draw) -> np.ndarray:
        """Return one event (s,) of no class; all labels give the same kind of sound."""
        return unnamed_sound(draw)

    def fingerprint(self) -> str:
        """Return a text that changes whenever the events of a seed change."""
        return f"unnamed v1: {len(self.classes)}"
