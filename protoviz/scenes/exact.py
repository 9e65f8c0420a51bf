"""Random draws and sound-making arithmetic that give the same bits on every machine.

`sin`, `exp`, FFTs and recursive filters differ in the last bit between processors and libraries. This file
keeps to what IEEE arithmetic fixes: single additions, products, quotients and roots of whole arrays; sines
and powers read from rounded tables; and filters whose inputs and taps are whole numbers, so that rounding the
FFT result restores the one true answer. Draws come from the raw 64-bit stream of PCG64, which NumPy promises
never to change.
"""

import math

import numpy as np
from scipy.signal import oaconvolve

RATE = 16_000  # hertz: every recipe renders at this rate

_STEPS = 1 << 16
_SINE = np.rint(np.sin(2 * np.pi * np.arange(_STEPS) / _STEPS) * 2.0**24) / 2.0**24
_OCTAVE = 1 << 12
_POWERS = np.rint(2.0 ** (np.arange(_OCTAVE + 1) / _OCTAVE) * 2.0**24) / 2.0**24


class Draw:
    """A stream of random draws fixed by a key of whole numbers, the same on every machine."""

    def __init__(self, *key: int):
        self._bits = np.random.PCG64(np.random.SeedSequence(list(key)))

    def units(self, count: int) -> np.ndarray:
        """Return `count` uniform draws in [0, 1), float64."""
        return (self._bits.random_raw(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        """Return one uniform draw in [low, high)."""
        return low + (high - low) * float(self.units(1)[0])

    def octaves(self, low: float, high: float) -> float:
        """Return one draw in [low, high), uniform on the logarithm: fair to pitches and to durations."""
        span = round(math.log2(high / low), 9)
        return low * float(power_of_two(np.array([span * self.between(0.0, 1.0)]))[0])

    def whole(self, low: int, high: int) -> int:
        """Return one whole number in low..high, both included."""
        return low + int(self.between(0.0, high - low + 1))

    def pick(self, options: list | tuple):
        """Return one of the options."""
        return options[self.whole(0, len(options) - 1)]

    def shuffled(self, options: list | tuple) -> list:
        """Return the options in random order."""
        order = np.argsort(self._bits.random_raw(len(options)), kind="stable")
        return [options[i] for i in order]

    def noise(self, samples: int) -> np.ndarray:
        """Return white, nearly Gaussian noise (four uniforms), deviation 1.15, on the grid k/32768."""
        raw = self._bits.random_raw(samples)
        total = np.zeros(samples)
        for shift in (0, 16, 32, 48):
            total += ((raw >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.float64)
        return (total - 2.0 * 65535.0) / 32768.0


def samples(seconds: float) -> int:
    """Return the number of samples that last `seconds`."""
    return round(seconds * RATE)


def power_of_two(x: np.ndarray) -> np.ndarray:
    """Return 2**x to about 1e-7, from a table: the same bits everywhere."""
    whole = np.floor(x)
    place = (x - whole) * _OCTAVE
    index = place.astype(np.int64)
    low, high = _POWERS[index], _POWERS[np.minimum(index + 1, _OCTAVE)]
    return np.ldexp(low + (high - low) * (place - index), whole.astype(np.int32))


def decibels_to_gain(decibels: float) -> float:
    """Return the amplitude factor of a level change in decibels."""
    return float(power_of_two(np.array([decibels * 0.16609640474436813]))[0])  # log2(10) / 20


def sine(cycles: np.ndarray) -> np.ndarray:
    """Return sin(2 pi cycles), from a table of 65,536 steps (noise at about -96 dB)."""
    return _SINE[np.floor(cycles * _STEPS).astype(np.int64) & (_STEPS - 1)]


def cycles_of(hertz: np.ndarray) -> np.ndarray:
    """Return the running phase, in cycles, of a tone whose frequency at each sample is given."""
    return np.add.accumulate(hertz) / RATE


def steady(hertz: float, count: int) -> np.ndarray:
    """Return the running phase, in cycles, of a tone of one frequency."""
    return np.arange(count) * (hertz / RATE)


def contour(values: list[float], count: int, smooth: bool = True) -> np.ndarray:
    """Return `count` samples through equally spaced values, eased (smooth) or straight between them."""
    place = np.arange(count) * ((len(values) - 1) / max(count - 1, 1))
    index = np.minimum(place.astype(np.int64), len(values) - 2)
    part = place - index
    if smooth:
        part = part * part * (3.0 - 2.0 * part)
    points = np.asarray(values, dtype=np.float64)
    return points[index] + (points[index + 1] - points[index]) * part


def decay(count: int, half_life: float) -> np.ndarray:
    """Return an envelope that starts at 1 and halves every `half_life` seconds."""
    return power_of_two(np.arange(count) * (-1.0 / (half_life * RATE)))


def faded(sound: np.ndarray, attack: float, release: float) -> np.ndarray:
    """Return the sound with a raised-cosine start of `attack` and end of `release` seconds."""
    sound = sound.copy()
    head, tail = (min(samples(s), len(sound) // 2) for s in (attack, release))
    if head:
        sound[:head] *= _rise(head)
    if tail:
        sound[len(sound) - tail :] *= _rise(tail)[::-1]
    return sound


def _rise(count: int) -> np.ndarray:
    return 0.5 - 0.5 * sine(0.25 + np.arange(count) * (0.5 / count))


def pulses(cycles: np.ndarray, rolloff: float) -> np.ndarray:
    """Return a periodic buzz whose k-th harmonic has strength rolloff**k (the Poisson kernel, no mean)."""
    cosine = sine(cycles + 0.25)
    square = rolloff * rolloff
    return (1.0 - square) / ((1.0 + square) - (2.0 * rolloff) * cosine) - 1.0


def filtered(sound: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return the sound (s,) convolved with finite taps, same length as the sound, exact.

    Sound and taps are rounded to whole multiples of 2**-15 and 2**-18. Their convolution is then a whole
    number, far larger than the error of the FFT that computes it, and rounding gives that number on every
    machine.
    """
    whole_sound, whole_taps = np.rint(sound * 2.0**15), np.rint(taps * 2.0**18)
    return np.rint(oaconvolve(whole_sound, whole_taps)[: len(sound)]) * 2.0**-33


def band(low: float, high: float, length: int = 255) -> np.ndarray:
    """Return taps of a linear-phase band-pass filter (windowed sinc), edges in hertz."""
    place = np.arange(length) - (length - 1) / 2
    centre = length // 2
    place[centre] = 1.0
    taps = (sine(place * (high / RATE)) - sine(place * (low / RATE))) / (place * 3.141592653589793)
    taps[centre] = 2.0 * (high - low) / RATE
    return taps * (0.5 - 0.5 * sine(0.25 + (np.arange(length) + 0.5) / length))


def resonance(hertz: float, half_life: float, strength: float = 1.0) -> np.ndarray:
    """Return taps of a struck resonator: a decaying sine, ten half-lives long."""
    count = samples(10 * half_life)
    return strength * decay(count, half_life) * sine(steady(hertz, count) + 0.25)


def tilted(order: float, length: int = 2048) -> np.ndarray:
    """Return taps that make white noise fall by 6 x order dB an octave (fractional integration)."""
    taps = np.ones(length)
    for k in range(1, length):
        taps[k] = taps[k - 1] * ((k - 1 + order) / k)
    return faded(taps, 0.0, length / RATE / 4)


def overlay(total: int, pieces: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """Return the sum (total,) of pieces, each laid at its first sample; what passes the end is cut."""
    out = np.zeros(total)
    for start, piece in pieces:
        stop = min(start + len(piece), total)
        if stop > start:
            out[start:stop] += piece[: stop - start]
    return out
