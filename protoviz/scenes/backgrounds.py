"""What lies under the events of a scene: coloured noise, or a stretch of a recording."""

import numpy as np

from protoviz.scenes.exact import Draw, filtered, tilted


def background_sound(draw: Draw, length: int, config) -> np.ndarray:
    """A background (s,) float64 of root mean square 1."""
    order = draw.between(*config.tilt_db) / 6.0
    noise = filtered(draw.noise(length + 2048), tilted(order) * 0.1)[2048:]
    return unit_level(noise)


def unit_level(sound: np.ndarray) -> np.ndarray:
    """The sound scaled to root mean square 1, by a sum of whole numbers, which no machine rounds."""
    whole = np.rint(sound * (2.0**20 / np.abs(sound).max())).astype(np.int64)
    return whole / np.sqrt(float(np.sum(whole * whole)) / len(whole))
