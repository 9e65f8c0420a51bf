"""The sound classes: everyday name -> recipe.

Every class is a procedural imitation that shares its name with a real sound; none is a recording. Classes
overlap in band and length on purpose (a trill and a cricket, a horn and a siren, a knock and a drum), so that
a classifier has to hear structure and not only where the energy lies.
"""

from collections.abc import Callable

import numpy as np

from protoviz.scenes import noisy, tonal
from protoviz.scenes.exact import Draw

Recipe = Callable[[Draw], np.ndarray]

# Raised whenever a recipe or the mixer changes a waveform: every seed then means another scene.
RECIPE_VERSION = 1

SOUND_CLASSES: dict[str, Recipe] = {
    "whistle": tonal.whistle,
    "siren": tonal.siren,
    "beep": tonal.beep,
    "bird_trill": tonal.bird_trill,
    "cricket": tonal.cricket,
    "zap": tonal.zap,
    "bubbles": tonal.bubbles,
    "bell": tonal.bell,
    "plucked_string": tonal.plucked_string,
    "horn": tonal.horn,
    "vowel": tonal.vowel,
    "bark": tonal.bark,
    "meow": tonal.meow,
    "frog_croak": tonal.frog_croak,
    "engine": tonal.engine,
    "woodpecker": noisy.woodpecker,
    "knock": noisy.knock,
    "clock_tick": noisy.clock_tick,
    "drum": noisy.drum,
    "glass_break": noisy.glass_break,
    "rain": noisy.rain,
    "crackle": noisy.crackle,
    "wind": noisy.wind,
    "sawing": noisy.sawing,
}
SCENE_CLASSES: tuple[str, ...] = tuple(SOUND_CLASSES)


class ProceduralSources:
    """Sources of events that are computed: the classes above, or some of them."""

    def __init__(self, classes: tuple[str, ...] = SCENE_CLASSES):
        unknown = [name for name in classes if name not in SOUND_CLASSES]
        if unknown:
            raise ValueError(f"unknown sound classes {unknown}; known: {', '.join(SCENE_CLASSES)}")
        self.classes = tuple(classes)

    def sound(self, label: str, draw: Draw) -> np.ndarray:
        """Return one event (s,) of the class at 16 kHz, float64."""
        return SOUND_CLASSES[label](draw)

    def fingerprint(self) -> str:
        """Return a text that changes whenever the events of a seed change."""
        return f"procedural v{RECIPE_VERSION}: {','.join(self.classes)}"
