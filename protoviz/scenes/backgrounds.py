"""What lies under the events of a scene: coloured noise, or a stretch of a recording."""

from pathlib import Path

import numpy as np

from protoviz.audio import SOUND_SUFFIXES, AudioError, audio_info, is_foreign, read_audio, sounds_below
from protoviz.audio.sources import CURE
from protoviz.scenes.exact import RATE, Draw, band, filtered, tilted

RUMBLE_HZ = 80.0


def sound_files(folder: str | Path) -> tuple[str, ...]:
    """Return the paths of sound files below a folder, sorted, for `SceneConfig.background`.

    Raises ValueError where there is none, or where one has to be converted before it can be read.
    """
    found = sounds_below(folder)
    if foreign := [path for path in found if is_foreign(path)]:
        raise ValueError(f"{foreign[0]}: cannot be read; {CURE}, or take it out ({len(foreign)} such files)")
    if not found:
        raise ValueError(f"{folder}: no sound files ({', '.join(SOUND_SUFFIXES)}) in it or below it")
    return tuple(map(str, found))


def background_sound(
    draw: Draw, length: int, tilt_db: tuple[float, float], files: tuple[str, ...]
) -> np.ndarray:
    """Return a background (s,) float64 of root mean square 1 (all zeros where a recorded one is silent).

    Without files: noise whose spectrum falls by a drawn number of decibels an octave. With files: a drawn
    stretch of a drawn file, repeated where it is shorter than the scene, without what lies below 80 Hz:
    events are levelled against the background, and wind on a microphone, which few hear, would raise them.
    Raises AudioError for a file that cannot be read.
    """
    if files:
        return unit_level(_stretch(draw, length, draw.pick(files)))
    order = draw.between(*tilt_db) / 6.0
    settle = 2048  # the filter's own length: the noise is even from here on
    return unit_level(filtered(draw.noise(length + settle), tilted(order, settle) * 0.1)[settle:])


def _stretch(draw: Draw, length: int, path: str) -> np.ndarray:
    spare = audio_info(path).seconds - length / RATE
    offset = draw.between(0.0, max(spare, 0.0))
    sound = read_audio(path, RATE, offset=offset, duration=length / RATE).astype(np.float64)
    if len(sound) == 0:
        raise AudioError(f"{path}: no sound for a background; take the file out of SceneConfig.background")
    return filtered(np.tile(sound, -(-length // len(sound)))[:length], band(RUMBLE_HZ, RATE / 2, 1023))


def unit_level(sound: np.ndarray) -> np.ndarray:
    """Return the sound scaled to root mean square 1, by a sum of whole numbers, which no machine rounds."""
    peak = np.abs(sound).max()
    if peak == 0.0:
        return sound
    whole = np.rint(sound * (2.0**20 / peak)).astype(np.int64)
    return whole / np.sqrt(float(np.sum(whole * whole)) / len(whole))
