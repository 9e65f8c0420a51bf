"""Procedural sounds of strokes and noise: knocks, drops, breaks, wind. Imitations, not recordings.

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
)


def _strike(draw: Draw, modes: list[tuple[float, float, float]], click: float) -> np.ndarray:
    """One stroke on something with (hertz, half-life, strength) modes and a click of noise."""
    rings = [resonance(*mode) for mode in modes]
    count = max(len(ring) for ring in rings)
    noise = draw.noise(samples(0.004))
    return overlay(count, [(0, ring) for ring in rings] + [(0, click * faded(noise, 0.0, 0.003))])


def woodpecker(draw: Draw) -> np.ndarray:
    """Return a roll of a beak on wood: 14-24 strokes a second at 900-2200 Hz that fade over 0.5-1.2 s."""
    rate, hertz = draw.between(14, 24), draw.octaves(900, 2200)
    stroke = _strike(draw, [(hertz, 0.005, 1.0), (hertz * 1.9, 0.003, 0.5)], 0.25)
    step = samples(1 / rate)
    times = max(6, round(draw.octaves(0.5, 1.2) * rate))
    fade = contour([0.6, 1.0, 0.7, 0.4], times)
    return overlay(step * (times - 1) + len(stroke), [(i * step, fade[i] * stroke) for i in range(times)])


def knock(draw: Draw) -> np.ndarray:
    """Return two to five knocks on a door, 2.5-5 a second: dull modes at 150-420 Hz."""
    hertz = draw.octaves(150, 420)
    step = samples(1 / draw.between(2.5, 5.0))
    times, pieces = draw.whole(2, 5), []
    for i in range(times):
        stroke = _strike(
            draw, [(hertz, 0.016, 1.0), (hertz * 2.3, 0.009, 0.6), (hertz * 3.9, 0.005, 0.3)], 0.15
        )
        pieces.append((i * step, draw.between(0.7, 1.0) * stroke))
    return overlay(step * (times - 1) + len(stroke), pieces)


def clock_tick(draw: Draw) -> np.ndarray:
    """Return a clock that ticks and tocks 1.8-4 times a second for 1.5-4 s: bright clicks of 1.8-4 kHz."""
    hertz, rate = draw.octaves(2200, 4000), draw.between(1.8, 4.0)
    tick = _strike(draw, [(hertz, 0.003, 1.0), (hertz * 1.7, 0.002, 0.6)], 0.5)
    tock = _strike(draw, [(hertz * 0.8, 0.003, 0.9), (hertz * 1.35, 0.002, 0.5)], 0.4)
    step = samples(1 / rate)
    times = max(3, round(draw.octaves(1.5, 4.0) * rate))
    return overlay(step * (times - 1) + 800, [(i * step, tock if i % 2 else tick) for i in range(times)])


def drum(draw: Draw) -> np.ndarray:
    """Return one to four beats of a bass drum: a tone that drops from 150-260 to 50-90 Hz in 0.25-0.45 s."""
    count = samples(draw.between(0.25, 0.45))
    top, bottom = draw.octaves(150, 260), draw.octaves(50, 90)
    skin = sine(cycles_of(bottom + (top - bottom) * decay(count, 0.03))) * decay(count, 0.07)
    slap = 0.25 * filtered(draw.noise(count), band(200, 1200)) * decay(count, 0.012)
    beat = faded(skin + slap, 0.002, 0.08)
    times, step = draw.whole(1, 4), samples(draw.between(0.3, 0.6))
    return overlay(step * (times - 1) + count, [(i * step, beat) for i in range(times)])


def glass_break(draw: Draw) -> np.ndarray:
    """Return a crash of noise, then 18-36 splinters that ring at 2-7.5 kHz and die within 0.6-1.2 s."""
    total = samples(draw.octaves(0.6, 1.2))
    crash_length = samples(0.12)
    crash = filtered(draw.noise(crash_length), band(1500, 7600)) * decay(crash_length, 0.02)
    pieces = [(0, 1.5 * faded(crash, 0.001, 0.05))]
    for _ in range(draw.whole(18, 36)):
        ring = resonance(draw.octaves(2000, 7500), draw.octaves(0.008, 0.03))
        late = draw.between(0.0, 1.0)
        pieces.append(
            (
                int(late * late * 0.85 * total),
                faded(ring, 0.001, 0.01) * draw.between(0.2, 0.8) * (1 - 0.6 * late),
            )
        )
    return faded(overlay(total, pieces), 0.0, 0.1)


def rain(draw: Draw) -> np.ndarray:
    """Return dense rain for 2-4 s: hundreds of drops a second over a steady hiss of 1-7.5 kHz."""
    count = samples(draw.octaves(2.0, 4.0))
    hiss = filtered(draw.noise(count), band(draw.between(900, 2000), 7600))
    chance = draw.between(0.01, 0.03)
    drops = (draw.units(count) < chance) * draw.noise(count)
    drops = filtered(drops, resonance(draw.between(3000, 5000), 0.0006))
    return faded(0.5 * hiss + 1.5 * drops, 0.3, 0.4)


def crackle(draw: Draw) -> np.ndarray:
    """Return a fire that crackles for 1.5-4 s: 8-22 irregular pops a second over a low flicker."""
    count = samples(draw.octaves(1.5, 4.0))
    flicker = filtered(draw.noise(count), band(100, 700)) * 0.06
    pieces = []
    for _ in range(max(8, round(draw.between(8, 22) * count / 16000))):
        length = samples(draw.octaves(0.002, 0.012))
        pop = draw.noise(length) * decay(length, length / 16000 / 4)
        loud = draw.between(0.0, 1.0)
        pieces.append((int(draw.between(0, count - length)), (0.15 + loud * loud * loud) * pop))
    return faded(overlay(count, pieces) + flicker, 0.05, 0.1)


def wind(draw: Draw) -> np.ndarray:
    """Return Gusts for 2-4 s: noise that howls between a low, a middle and a high band within 150-1500 Hz."""
    count = samples(draw.octaves(2.0, 4.0))
    base = draw.octaves(220, 420)
    noise = draw.noise(count)
    height = contour([draw.between(0.0, 2.0) for _ in range(draw.whole(4, 7))], count)
    sound = np.zeros(count)
    for place, ratio in enumerate((1.0, 1.7, 2.9)):
        share = np.maximum(0.0, 1.0 - np.abs(height - place))
        sound += share * filtered(noise, band(base * ratio * 0.8, base * ratio * 1.25, 511))
    gusts = contour([draw.between(0.4, 1.0) for _ in range(5)], count)
    return faded(sound * gusts, 0.4, 0.5)


def sawing(draw: Draw) -> np.ndarray:
    """Return a hand saw for 1.5-3.5 s: 2-3.5 push and pull strokes a second of noise, teeth at 60-120 Hz."""
    rate = draw.between(2.0, 3.5)
    step = samples(1 / rate)
    teeth, edge = draw.between(60, 120), draw.between(700, 1200)
    times, pieces = max(4, round(draw.octaves(1.5, 3.5) * rate)), []
    for i in range(times):
        count = int(step * draw.between(0.7, 0.85))
        rasp = (
            np.maximum(pulses(cycles_of(contour([teeth * 0.6, teeth * 1.2, teeth * 0.7], count)), 0.6), -0.5)
            + 0.6
        )
        low = edge * (1.8 if i % 2 else 1.0)
        stroke = filtered(draw.noise(count), band(low, low * 3.2)) * rasp
        pieces.append((i * step, (0.7 if i % 2 else 1.0) * faded(stroke, 0.3 / rate, 0.25 / rate)))
    return overlay(step * times, pieces)
