"""Procedural sounds with a pitch: pure, swept, harmonic and voice-like. Imitations, not recordings.

Each recipe takes a `Draw` and returns one event (s,) at 16 kHz, float64, any scale; its ranges stand in it.
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

# Three formants (hertz) of five vowels, after textbook averages.
VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))


def whistle(draw: Draw) -> np.ndarray:
    """Return one pure tone, 0.4-1.6 s, that slides from 900-2200 Hz by up to a fifth, with some breath."""
    count = samples(draw.octaves(0.4, 1.6))
    start = draw.octaves(900, 2200)
    line = contour([start, start * draw.octaves(0.75, 1.5), start * draw.octaves(0.67, 1.5)], count)
    vibrato = 1.0 + draw.between(0.0, 0.015) * sine(steady(draw.between(4.5, 7.0), count))
    breath = 0.03 * filtered(draw.noise(count), band(start * 0.7, start * 1.6))
    return faded(sine(cycles_of(line * vibrato)) + breath, 0.05, 0.08)


def siren(draw: Draw) -> np.ndarray:
    """Return a rich tone, swept from 450-700 Hz to about twice that, 0.6-1.6 times a second, for 2-4 s."""
    count = samples(draw.octaves(2.0, 4.0))
    low, ratio = draw.octaves(450, 700), draw.octaves(1.8, 2.4)
    sweep = 0.5 + 0.5 * sine(steady(draw.octaves(0.6, 1.6), count) + draw.between(0.0, 1.0))
    cycles = cycles_of(low * (1.0 + (ratio - 1.0) * sweep))
    tone = sine(cycles) + 0.5 * sine(2 * cycles) + 0.35 * sine(3 * cycles) + 0.15 * sine(4 * cycles)
    return faded(tone, 0.1, 0.15)


def beep(draw: Draw) -> np.ndarray:
    """Return 2-6 equal beeps of 0.07-0.18 s at one steady pitch, 900-2600 Hz, with a third harmonic."""
    length, gap = draw.between(0.07, 0.18), draw.between(0.06, 0.18)
    count = samples(length)
    cycles = steady(draw.octaves(900, 2600), count)
    one = faded(sine(cycles) + 0.3 * sine(3 * cycles), 0.004, 0.004)
    step = samples(length + gap)
    times = draw.whole(2, 6)
    return overlay(step * (times - 1) + count, [(i * step, one) for i in range(times)])


def bird_trill(draw: Draw) -> np.ndarray:
    """Return a fast run of falling chirps, 8-15 a second from 3-5.5 kHz, swelling over 0.7-2 s."""
    rate, top, fall = draw.between(8, 15), draw.octaves(3000, 5500), draw.between(0.5, 0.75)
    length = draw.between(0.55, 0.8) / rate
    count, step = samples(length), samples(1 / rate)
    one = faded(sine(cycles_of(contour([top, top * fall], count))), 0.3 * length, 0.4 * length)
    times = max(4, round(draw.octaves(0.7, 2.0) * rate))
    swell = contour([0.35, 1.0, 0.9, 0.6], times)
    return overlay(step * (times - 1) + count, [(i * step, swell[i] * one) for i in range(times)])


def cricket(draw: Draw) -> np.ndarray:
    """Return groups of three to five level pulses at 4-5.8 kHz, 2-3.5 groups a second, 1.2-3.5 s."""
    hertz, rate = draw.octaves(4000, 5800), draw.between(26, 38)
    count = samples(0.6 / rate)
    one = faded(sine(steady(hertz, count)), 0.2 / rate, 0.25 / rate)
    group, step = draw.whole(3, 5), samples(1 / rate)
    chirp = overlay(step * group, [(i * step, (0.5 + 0.5 * (i + 1) / group) * one) for i in range(group)])
    period = max(samples(1 / draw.between(2.0, 3.5)), len(chirp) + samples(0.06))
    times = max(2, round(draw.octaves(1.2, 3.5) * 16000 / period))
    return overlay(period * (times - 1) + len(chirp), [(i * period, chirp) for i in range(times)])


def zap(draw: Draw) -> np.ndarray:
    """Return one or two science-fiction shots: a buzz that falls from 3-6 kHz to 150-400 Hz in 0.14-0.4 s."""
    count = samples(draw.octaves(0.14, 0.4))
    top, bottom = draw.octaves(3000, 6000), draw.octaves(150, 400)
    line = bottom + (top - bottom) * decay(count, count / 16000 / 6)
    cycles = cycles_of(line)
    tone = sine(cycles)
    for k in (2, 3, 4):
        tone += sine(k * cycles) * (k * line < 7600) / k
    one = faded(tone, 0.004, 0.05)
    step = count + samples(draw.between(0.03, 0.15))
    times = draw.whole(1, 2)
    return overlay(step * (times - 1) + count, [(i * step, one) for i in range(times)])


def bubbles(draw: Draw) -> np.ndarray:
    """Return five to fourteen rising blips of 350-1300 Hz, each 0.03-0.09 s, irregularly within 0.6-2 s."""
    total = samples(draw.octaves(0.6, 2.0))
    pieces = []
    for _ in range(draw.whole(5, 14)):
        count = samples(draw.octaves(0.03, 0.09))
        low = draw.octaves(350, 1300)
        line = contour([low, low * draw.between(1.3, 1.8)], count, smooth=False)
        blip = faded(sine(cycles_of(line)) * decay(count, count / 16000 / 3), 0.003, 0.01)
        pieces.append((int(draw.between(0, total - count)), draw.between(0.4, 1.0) * blip))
    return overlay(total, pieces)


def bell(draw: Draw) -> np.ndarray:
    """Return a stroke of a bell: inharmonic partials of 350-900 Hz for 1.5-3.5 s, high ones less."""
    count = samples(draw.octaves(1.5, 3.5))
    base, half_life = draw.octaves(350, 900), draw.between(0.2, 0.45)
    sound = np.zeros(count)
    for ratio, strength in (
        (0.5, 0.5),
        (1, 1),
        (1.2, 0.8),
        (1.5, 0.5),
        (2, 0.9),
        (2.67, 0.5),
        (3, 0.4),
        (4.1, 0.4),
    ):
        partial = sine(steady(base * ratio, count) + draw.between(0.0, 1.0))
        sound += strength * draw.between(0.7, 1.0) * partial * decay(count, half_life / (0.5 + 0.5 * ratio))
    return faded(sound, 0.003, 0.2)


def plucked_string(draw: Draw) -> np.ndarray:
    """Return 1-4 plucks of a string, 110-330 Hz, up a scale; high harmonics die first; 0.7-2.2 s."""
    base = draw.octaves(110, 330)
    times, step = draw.whole(1, 4), samples(draw.between(0.18, 0.4))
    ring = samples(draw.between(0.7, 1.0))
    place = draw.between(0.12, 0.4)
    pieces = []
    for i in range(times):
        pitch = base * draw.pick((1.0, 9 / 8, 5 / 4, 3 / 2, 5 / 3, 2.0))
        note = np.zeros(ring)
        for k in range(1, min(18, int(7500 / pitch)) + 1):
            strength = float(sine(np.array([0.5 * k * place]))[0]) / k
            note += strength * sine(steady(k * pitch, ring)) * decay(ring, 0.32 / (1 + 0.35 * k))
        pieces.append((i * step, faded(note, 0.002, 0.1)))
    return overlay(step * (times - 1) + ring, pieces)


def horn(draw: Draw) -> np.ndarray:
    """Return 1-2 honks of a car horn: two steady rich tones a third apart, 300-480 Hz, each 0.3-1.3 s."""
    base, third = draw.octaves(300, 480), draw.between(1.19, 1.27)
    count = samples(draw.octaves(0.3, 1.3))
    honk = pulses(steady(base, count), 0.8) + pulses(steady(base * third, count) + 0.3, 0.8)
    honk = faded(honk, 0.02, 0.03)
    times, step = draw.whole(1, 2), count + samples(draw.between(0.08, 0.2))
    return overlay(step * (times - 1) + count, [(i * step, honk) for i in range(times)])


def _formants(hertz: tuple[float, ...], half_life: float = 0.003) -> np.ndarray:
    """Taps of a vocal tract: one resonance a formant, higher ones weaker."""
    return sum(resonance(f, half_life, 0.08 / (1 + i)) for i, f in enumerate(hertz))


def vowel(draw: Draw) -> np.ndarray:
    """Return a voice-like drone of 95-240 Hz from one vowel to another, 0.5-1.6 s, with vibrato."""
    count = samples(draw.octaves(0.5, 1.6))
    pitch = draw.octaves(95, 240)
    line = contour([pitch, pitch * draw.between(0.95, 1.15), pitch * draw.between(0.8, 1.0)], count)
    source = pulses(cycles_of(line * (1.0 + 0.02 * sine(steady(draw.between(4.5, 6.5), count)))), 0.9)
    first, second = draw.shuffled(VOWELS)[:2]
    mix = contour([0.0, 0.0, 1.0, 1.0], count)
    sound = filtered(source, _formants(first)) * (1.0 - mix) + filtered(source, _formants(second)) * mix
    return faded(sound, 0.06, 0.1)


def bark(draw: Draw) -> np.ndarray:
    """Return 1-3 dog-like barks of 0.1-0.22 s: a rough voice that falls from 475-810 Hz, with breath."""
    pitch, rough = draw.octaves(380, 650), draw.between(0.5, 1.0)
    gap = draw.between(0.12, 0.35)
    taps = _formants((draw.between(800, 1100), draw.between(1500, 1900), 2900), 0.0015)
    pieces, start = [], 0
    for _ in range(draw.whole(1, 3)):
        count = samples(draw.between(0.1, 0.22))
        line = contour([pitch * 0.9, pitch * 1.25, pitch * 0.65], count)
        voice = pulses(cycles_of(line), 0.85) + rough * draw.noise(count)
        pieces.append((start, faded(filtered(voice, taps), 0.012, 0.06)))
        start += count + samples(gap)
    return overlay(start - samples(gap), pieces)


def meow(draw: Draw) -> np.ndarray:
    """Return a cat-like call of 0.5-1.1 s: the pitch rises from 380-600 Hz by a third, then falls."""
    count = samples(draw.octaves(0.5, 1.1))
    pitch = draw.octaves(380, 600)
    line = contour([pitch, pitch * 1.35, pitch * 1.25, pitch * 0.85], count)
    source = pulses(cycles_of(line), 0.85)
    mouth = contour([0.0, 1.0, 0.9, 0.1], count)
    closed, opened = _formants((500, 2300, 3200), 0.002), _formants((1050, 1700, 3600), 0.002)
    return faded(filtered(source, closed) * (1.0 - mouth) + filtered(source, opened) * mouth, 0.08, 0.15)


def frog_croak(draw: Draw) -> np.ndarray:
    """Return one to four croaks of 0.18-0.4 s: a resonance at 700-1500 Hz struck 35-65 times a second."""
    rate, hertz = draw.between(35, 65), draw.octaves(700, 1500)
    taps = resonance(hertz, 0.003, 0.1)
    count = samples(draw.between(0.18, 0.4))
    croak = filtered(pulses(cycles_of(contour([rate * 0.9, rate * 1.1, rate], count)), 0.97), taps)
    croak = croak * contour([0.3, 1.0, 0.9], count)
    step = count + samples(draw.between(0.1, 0.3))
    times = draw.whole(1, 4)
    return overlay(step * (times - 1) + count, [(i * step, faded(croak, 0.02, 0.04)) for i in range(times)])


def engine(draw: Draw) -> np.ndarray:
    """Return a motor of 22-50 firings a second that changes its speed over 2-4 s, with low resonances."""
    count = samples(draw.octaves(2.0, 4.0))
    rate = draw.octaves(22, 50)
    line = contour([rate, rate * draw.octaves(0.7, 1.4), rate * draw.octaves(0.7, 1.4)], count)
    firing = pulses(cycles_of(line), 0.93)
    rattle = 0.05 * draw.noise(count) * np.maximum(firing, 0.0)
    taps = resonance(draw.between(90, 160), 0.008, 0.1)
    second = resonance(draw.between(300, 520), 0.004, 0.07)
    return faded(filtered(firing + rattle, taps) + filtered(firing + rattle, second), 0.2, 0.3)
